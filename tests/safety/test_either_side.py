"""Every limit has a case that passes and a case that fails, one tick either side."""

from dataclasses import replace

import pytest

from protocols import OFF, Mode, Setting
from safety import Contact, Past, Rule, Ruling, is_deliverable, review
from tests.safety.strategies import propose, small_envelope

PLAIN = Setting(site=0, amplitude_ua=4000, frequency_hz=50, pulse_width_us=120)
CYCLING = replace(PLAIN, on_ms=20_000, off_ms=30_000, mode=Mode.CYCLING)
AREA = "contacts"


def with_area(area_um2: int) -> tuple[Contact, ...]:
    leads = {"A": "left", "B": "left", "C": "right"}
    return tuple(Contact(name=n, lead=lead, area_um2=area_um2) for n, lead in leads.items())


# rule, wish, the limit that just permits it, the limit that just does not, and what is left of it
LIMITS = {
    "contact current": (
        Rule.CONTACT_CURRENT,
        PLAIN,
        {"max_contact_current_ua": 4000},
        {"max_contact_current_ua": 3999},
        {"amplitude_ua": 3000},
    ),
    "contact current, half of it": (
        Rule.CONTACT_CURRENT,
        replace(PLAIN, site=1),
        {"max_contact_current_ua": 2000},
        {"max_contact_current_ua": 1999},
        {"amplitude_ua": 3000},
    ),
    "lead current": (
        Rule.LEAD_CURRENT,
        PLAIN,
        {"max_lead_current_ua": 4000},
        {"max_lead_current_ua": 3999},
        {"amplitude_ua": 3000},
    ),
    "lead current, shared by two contacts": (
        Rule.LEAD_CURRENT,
        replace(PLAIN, site=1),
        {"max_lead_current_ua": 4000},
        {"max_lead_current_ua": 3999},
        {"amplitude_ua": 3000},
    ),
    "density": (  # 480 nC on 0.6 cm2 is 0.8 µC/cm2
        Rule.CHARGE,
        PLAIN,
        {"max_density_hundredths": 80},
        {"max_density_hundredths": 79},
        {"amplitude_ua": 3000},
    ),
    "density by area": (  # at 30 µC/cm2
        Rule.CHARGE,
        PLAIN,
        {AREA: with_area(1_600_000), "shannon_k_hundredths": 200},
        {AREA: with_area(1_599_999), "shannon_k_hundredths": 200},
        {"amplitude_ua": 3000},
    ),
    "Shannon, k = 1": (  # Q^2 = 10 A at 0.48 µC: A = 0.02304 cm2
        Rule.CHARGE,
        PLAIN,
        {"shannon_k_hundredths": 100, AREA: with_area(2_304_000)},
        {"shannon_k_hundredths": 100, AREA: with_area(2_303_999)},
        {"amplitude_ua": 3000},
    ),
    "duty": (
        Rule.DUTY,
        CYCLING,
        {"max_duty_permille": 400},
        {"max_duty_permille": 399},
        {"on_ms": 10_000},
    ),
    "period": (  # 240 + 19,760 µs is the period of 50 Hz
        Rule.PERIOD,
        PLAIN,
        {"interphase_gap_us": 19_760},
        {"interphase_gap_us": 19_761},
        {"pulse_width_us": 60},
    ),
    "rise of amplitude": (
        Rule.AMPLITUDE_RISE,
        PLAIN,
        {"rise_amplitude_ua": 4000},
        {"rise_amplitude_ua": 3999},
        {"amplitude_ua": 3000},
    ),
    "rise of charge": (  # 4 mA x 120 µs x 50 Hz is 24 µC/s
        Rule.CHARGE_RISE,
        PLAIN,
        {"rise_charge_nc_per_s": 24_000},
        {"rise_charge_nc_per_s": 23_999},
        {"amplitude_ua": 3000},
    ),
    "rise of duty": (
        Rule.DUTY_RISE,
        CYCLING,
        {"rise_duty_permille": 400},
        {"rise_duty_permille": 399},
        {"on_ms": 10_000},
    ),
}


def verdict_of(wish: Setting, envelope):
    past = Past.start(7)
    return review(propose(envelope, past, wish, 0), past, envelope, 0)


@pytest.mark.req("SR-24")
@pytest.mark.parametrize("name", LIMITS)
def test_the_limit_itself_passes(name: str) -> None:
    _, wish, passing, _, _ = LIMITS[name]
    envelope = small_envelope(**passing)
    verdict = verdict_of(wish, envelope)
    assert (verdict.delivered, verdict.ruling) == (wish, Ruling.ACCEPTED)
    assert is_deliverable(wish, envelope)


@pytest.mark.req("SR-24")
@pytest.mark.parametrize("name", LIMITS)
def test_one_unit_less_is_clamped_to_the_next_tick(name: str) -> None:
    rule, wish, _, failing, left = LIMITS[name]
    envelope = small_envelope(**failing)
    verdict = verdict_of(wish, envelope)
    assert (verdict.delivered, verdict.ruling) == (replace(wish, **left), Ruling.CLAMPED)
    assert [finding.rule for finding in verdict.findings] == [rule]
    assert is_deliverable(wish, envelope) is name.startswith("rise")


@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("rule", "wish", "passing", "failing"),
    [
        (
            Rule.DUTY,
            PLAIN,
            {"max_duty_permille": 1000},
            {"max_duty_permille": 999},
        ),
        (
            Rule.DUTY_RISE,
            PLAIN,
            {"rise_duty_permille": 1000},
            {"rise_duty_permille": 999},
        ),
        (
            Rule.DUTY,
            replace(CYCLING, on_ms=10_000),
            {"max_duty_permille": 250},
            {"max_duty_permille": 249},
        ),
        (
            Rule.PERIOD,
            replace(PLAIN, pulse_width_us=60),
            {"interphase_gap_us": 19_880},
            {"interphase_gap_us": 19_881},
        ),
        (
            Rule.AMPLITUDE_RISE,
            replace(PLAIN, amplitude_ua=1000),
            {"rise_amplitude_ua": 1000},
            {"rise_amplitude_ua": 999},
        ),
        (
            Rule.CONTACT_CURRENT,
            replace(PLAIN, amplitude_ua=1000),
            {"max_contact_current_ua": 1000},
            {"max_contact_current_ua": 999},
        ),
        (
            Rule.CHARGE,
            replace(PLAIN, amplitude_ua=1000, pulse_width_us=60),
            {"max_density_hundredths": 10},
            {"max_density_hundredths": 9},
        ),
    ],
    ids=str,
)
def test_where_no_tick_is_low_enough_the_proposal_is_refused(rule, wish, passing, failing) -> None:
    assert verdict_of(wish, small_envelope(**passing)).delivered == wish
    verdict = verdict_of(wish, small_envelope(**failing))
    assert (verdict.delivered, verdict.ruling) == (OFF, Ruling.HELD)
    assert [finding.rule for finding in verdict.findings] == [rule]


SENTENCES = {
    "contact current": "amplitude lowered from 4 mA to 3 mA: "
    "the current at contact A would be 4 mA, the limit is 3.999 mA",
    "contact current, half of it": "amplitude lowered from 4 mA to 3 mA: "
    "the current at contact A would be 2 mA, the limit is 1.999 mA",
    "lead current": "amplitude lowered from 4 mA to 3 mA: "
    "the current of a lead would be 4 mA, the limit is 3.999 mA",
    "density": "amplitude lowered from 4 mA to 3 mA: "
    "charge per phase at contact A would be 0.48 µC, the limit is 0.474 µC",
    "Shannon, k = 1": "amplitude lowered from 4 mA to 3 mA: "
    "charge per phase at contact A would be 0.48 µC, the limit is 0.479 µC",
    "duty": "on time lowered from 20 s to 10 s: duty would be 40 %, the limit is 39.9 %",
    "period": "pulse width lowered from 120 µs to 60 µs: "
    "a pulse of 20001 µs does not fit a period of 20000 µs",
    "rise of amplitude": "amplitude lowered from 4 mA to 3 mA: "
    "amplitude would be 4 mA, the limit is 3.999 mA within this window of 86400 s",
    "rise of charge": "amplitude lowered from 4 mA to 3 mA: "
    "charge per second would be 24 µC/s, the limit is 23.999 µC/s within this window of 86400 s",
    "rise of duty": "on time lowered from 20 s to 10 s: duty would be 40 %, the limit is 39.9 %",
}


@pytest.mark.req("SR-24")
@pytest.mark.parametrize("name", SENTENCES)
def test_a_clamp_says_by_how_much_and_never_prints_a_limit_above_what_it_is(name: str) -> None:
    _, wish, _, failing, _ = LIMITS[name]
    (finding,) = verdict_of(wish, small_envelope(**failing)).findings
    assert finding.sentence == SENTENCES[name]


@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("wish", "limit", "left"),
    [
        (
            replace(PLAIN, pulse_width_us=240),
            {"interphase_gap_us": 19_760},
            {"pulse_width_us": 120},
        ),
        (PLAIN, {"max_contact_current_ua": 3000}, {"amplitude_ua": 3000}),
        (PLAIN, {"max_lead_current_ua": 3000}, {"amplitude_ua": 3000}),
        (PLAIN, {"max_density_hundredths": 60}, {"amplitude_ua": 3000}),
        (PLAIN, {"max_density_hundredths": 20}, {"amplitude_ua": 1000}),
        (PLAIN, {"rise_amplitude_ua": 3000}, {"amplitude_ua": 3000}),
        (PLAIN, {"rise_charge_nc_per_s": 18_000}, {"amplitude_ua": 3000}),
        (CYCLING, {"max_duty_permille": 250}, {"on_ms": 10_000}),
        (CYCLING, {"rise_duty_permille": 250}, {"on_ms": 10_000}),
    ],
    ids=str,
)
def test_a_clamp_stops_at_a_tick_that_meets_the_limit_exactly(wish, limit, left) -> None:
    verdict = verdict_of(wish, small_envelope(**limit))
    assert verdict.delivered == replace(wish, **left)
    assert len(verdict.findings) == 1
