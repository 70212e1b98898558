"""A defect in a clamp is caught by the check that follows, and stops and latches."""

from dataclasses import replace

import pytest

from protocols import OFF, Mode, Setting
from safety import Change, Latch, Past, Rule, Ruling, clamps, kernel, review
from safety.legality import is_within_window
from safety.verdict import Rise
from tests.safety.strategies import propose, running, small_envelope

ENVELOPE = small_envelope(
    max_contact_current_ua=5000,
    max_lead_current_ua=6000,
    max_density_hundredths=125,  # 0.75 µC on each contact
    max_duty_permille=600,
    interphase_gap_us=4700,
    rise_amplitude_ua=3000,
    rise_charge_nc_per_s=40_000,
    rise_duty_permille=250,
)
PLAIN = Setting(
    site=0,
    amplitude_ua=2000,
    frequency_hz=50,
    pulse_width_us=120,
    on_ms=10_000,
    off_ms=30_000,
    mode=Mode.CYCLING,
)
ONE = replace(PLAIN, pulse_width_us=60)
# one wish for each limit, in which no later limit would put things right
BROKEN = {
    "pulse": replace(PLAIN, frequency_hz=200),
    "contact_current": replace(ONE, amplitude_ua=6000),
    "lead_current": replace(ONE, site=1, amplitude_ua=7000),
    "charge_by_amplitude": replace(PLAIN, amplitude_ua=4000, site=1, pulse_width_us=240),
    "charge_by_pulse_width": replace(PLAIN, amplitude_ua=1000, pulse_width_us=240),
    "duty": replace(PLAIN, on_ms=30_000, off_ms=10_000),
    "charge_per_day": replace(PLAIN, on_ms=10_000, amplitude_ua=3000),
    "step": replace(ONE, amplitude_ua=3000),
    "amplitude_rise": replace(ONE, amplitude_ua=4000),
    "charge_rise": replace(PLAIN, amplitude_ua=3000, frequency_hz=100, pulse_width_us=240),
    "duty_rise": replace(PLAIN, on_ms=20_000),
}
ROOMY = {
    "pulse": {"interphase_gap_us": 4800, "rise_charge_nc_per_s": 10**6},
    "contact_current": {"rise_amplitude_ua": 9000},
    "lead_current": {"rise_amplitude_ua": 9000},
    "charge_by_amplitude": {"rise_amplitude_ua": 9000, "rise_charge_nc_per_s": 10**6}
    | {"max_density_hundredths": 60},  # 0.36 µC: 3 mA of which half is here, or 120 µs
    "charge_by_pulse_width": {"max_density_hundredths": 30},  # 0.18 µC: 120 µs of 1 mA
    "charge_rise": {"interphase_gap_us": 100},
    "duty": {"rise_duty_permille": 1000},
    "charge_per_day": {"day_max_charge_uc": 300_000},  # 3 mA would use 0.39 C, 2 mA 0.26
    "step": {"step_amplitude_ua": 2000},
}
PAST = running(OFF, sequence=3)
PASTS = {
    # of what rises too much charge in a day is refused as well
    "charge_per_day": running(BROKEN["charge_per_day"]),
}
Measure = tuple[int, int, int, tuple[object, ...]]


def with_measure(monkeypatch: pytest.MonkeyPatch, name: str, measure) -> None:
    """Let another function measure what one of the limits bounds."""
    for module, table in ((clamps, "LIMITS"), (kernel, "RISE_LIMITS")):
        limits = [
            (rule, field, measure if each.__name__ == name else each)
            for rule, field, each in getattr(module, table)
        ]
        monkeypatch.setattr(module, table, tuple(limits))


def check_latched(verdict, rule: Rule) -> None:
    assert (verdict.delivered, verdict.ruling) == (OFF, Ruling.STOPPED)
    assert verdict.past.latched
    assert verdict.past.delivered == OFF
    assert verdict.ramp_s == 0
    assert [finding.rule for finding in verdict.findings] == [rule]
    assert "off until a person has looked" in verdict.findings[0].sentence


def test_there_is_a_fault_for_every_limit() -> None:
    limits = (*clamps.LIMITS, *kernel.RISE_LIMITS)
    assert list(BROKEN) == [measure.__name__ for _, _, measure in limits]


@pytest.mark.req("SR-05")
@pytest.mark.parametrize("name", [name for name in BROKEN if name != "charge_by_amplitude"])
def test_a_limit_that_is_never_exceeded_is_caught(monkeypatch, name: str) -> None:
    envelope = ENVELOPE.replaced(**ROOMY.get(name, {}))
    past = PASTS.get(name, PAST)
    proposal = propose(envelope, past, BROKEN[name], 0)
    assert not review(proposal, past, envelope, 0).past.latched
    with_measure(monkeypatch, name, lambda setting, case: (0, 1, 1, ()))
    check_latched(review(proposal, past, envelope, 0), Rule.RECHECK)


@pytest.mark.req("SR-05")
def test_without_the_limit_of_charge_by_amplitude_the_pulse_width_keeps_it(monkeypatch) -> None:
    wish = BROKEN["charge_by_amplitude"]
    envelope = ENVELOPE.replaced(**ROOMY["charge_by_amplitude"])
    assert review(propose(envelope, PAST, wish, 0), PAST, envelope, 0).delivered == replace(
        wish, amplitude_ua=3000
    )
    with_measure(monkeypatch, "charge_by_amplitude", lambda setting, case: (0, 1, 1, ()))
    assert review(propose(envelope, PAST, wish, 0), PAST, envelope, 0).delivered == replace(
        wish, pulse_width_us=120
    )


@pytest.mark.req("SR-05")
@pytest.mark.parametrize(
    ("wish", "name"),
    [
        (replace(PLAIN, amplitude_ua=2500), "amplitude_ua"),
        (replace(PLAIN, pulse_width_us=121), "pulse_width_us"),
        (replace(PLAIN, on_ms=10_001), "on_ms"),
    ],
    ids=str,
)
def test_a_field_that_is_not_lowered_to_a_tick_is_caught(monkeypatch, wish, name: str) -> None:
    envelope = ENVELOPE.replaced(rise_duty_permille=1000)
    proposal = propose(envelope, PAST, wish, 0)
    assert review(proposal, PAST, envelope, 0).ruling is Ruling.CLAMPED
    others = tuple(each for each in clamps.LOWERED if each != name)
    monkeypatch.setattr(clamps, "LOWERED", others if name == "on_ms" else (*others, others[0]))
    check_latched(review(proposal, PAST, envelope, 0), Rule.RECHECK)


@pytest.mark.req("SR-05")
@pytest.mark.parametrize(
    ("wish", "rule"),
    [
        # a later limit meets a site that has no montage, which raises
        (replace(PLAIN, site=9), Rule.DEFECT),
        (replace(PLAIN, frequency_hz=51), Rule.RECHECK),
        (replace(PLAIN, off_ms=30_001), Rule.RECHECK),
        (replace(PLAIN, mode=Mode.RESPONSIVE), Rule.RECHECK),
    ],
    ids=str,
)
def test_a_field_that_is_not_refused_is_caught(monkeypatch, wish, rule: Rule) -> None:
    assert not review(propose(ENVELOPE, PAST, wish, 0), PAST, ENVELOPE, 0).past.latched
    monkeypatch.setattr(clamps, "outside", lambda setting, case: None)
    check_latched(review(propose(ENVELOPE, PAST, wish, 0), PAST, ENVELOPE, 0), rule)


@pytest.mark.req("SR-05")
@pytest.mark.parametrize(
    ("past", "limits"),
    [
        (replace(PAST, lockout_until_s=1), {}),
        (replace(PAST, changes=(Change(0, 0, 0, 0, 0, 1),)), {"day_max_changes": 1}),
        (PAST, {"day_max_therapies": 2159}),  # one a 40 s
        (
            replace(PAST, changes=(Change(0, 0, 10**12, 0, 0, 1),)),
            {"day_max_charge_uc": 10**6},
        ),
        (
            replace(PAST, changes=(Change(0, 2160, 1, 1, 0, 1),)),
            {"day_max_therapies": 2161},
        ),
    ],
    ids=str,
)
def test_what_the_last_day_forbids_is_caught(monkeypatch, past: Past, limits) -> None:
    envelope = ENVELOPE.replaced(**limits)
    proposal = propose(envelope, past, PLAIN, 0)
    refused = review(proposal, past, envelope, 0)
    assert (refused.ruling, refused.past.latched) == (Ruling.HELD, False)
    monkeypatch.setattr(kernel, "forbidden", lambda setting, rise, case: None)
    check_latched(review(proposal, past, envelope, 0), Rule.RECHECK)


@pytest.mark.req("SR-05")
@pytest.mark.parametrize("site", [None, 0])
def test_a_latch_that_is_passed_over_is_caught(monkeypatch, site: int | None) -> None:
    past = PAST.with_latch(Latch(site, Rule.ADVERSE_EVENT, 0))
    proposal = propose(ENVELOPE, past, PLAIN, 0)
    assert review(proposal, past, ENVELOPE, 0).delivered == OFF
    monkeypatch.setattr(kernel.Past, "latched", False)
    monkeypatch.setattr(kernel.Past, "is_latched_at", lambda past, setting: False)
    verdict = review(proposal, past, ENVELOPE, 0)
    assert (verdict.delivered, verdict.ruling) == (OFF, Ruling.STOPPED)
    assert [finding.rule for finding in verdict.findings] == [Rule.RECHECK]


@pytest.mark.req("SR-05")
@pytest.mark.parametrize(
    "change",
    [
        {"amplitude_ua": 3000},
        {"pulse_width_us": 240},
        {"on_ms": 20_000},
        {"off_ms": 10_000},
        {"frequency_hz": 5},
        {"site": 1},
        {"mode": Mode.CONTINUOUS, "on_ms": 0, "off_ms": 0},
        {"amplitude_ua": 0},
    ],
    ids=str,
)
@pytest.mark.parametrize("part", ["legal", "lowered"])
def test_a_clamp_that_moves_something_or_raises_it_is_caught(monkeypatch, part, change) -> None:
    envelope = small_envelope()
    moved = replace(PLAIN, **change)
    monkeypatch.setattr(kernel, part, lambda *args: moved)
    verdict = review(propose(envelope, PAST, PLAIN, 0), PAST, envelope, 0)
    check_latched(verdict, Rule.RECHECK)


@pytest.mark.req("SR-05")
@pytest.mark.parametrize("name", BROKEN)
def test_a_limit_that_raises_is_caught(monkeypatch, name: str) -> None:
    def fail(setting: Setting, case: object) -> Measure:
        raise ZeroDivisionError

    with_measure(monkeypatch, name, fail)
    verdict = review(propose(ENVELOPE, PAST, PLAIN, 0), PAST, ENVELOPE, 0)
    check_latched(verdict, Rule.DEFECT)
    assert "failed with ZeroDivisionError" in verdict.findings[0].sentence


@pytest.mark.req("SR-05")
@pytest.mark.parametrize(
    "name",
    [
        "read_proposal",
        "read_setting",
        "recent_rises",
        "legal",
        "lowered",
        "forbidden",
        "is_due",
        "deliver",
        "remembered",
    ],
)
def test_any_part_of_the_gate_that_raises_is_caught(monkeypatch, name: str) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise MemoryError

    monkeypatch.setattr(kernel, name, fail)
    past = running(replace(PLAIN, amplitude_ua=1000))
    check_latched(review(propose(ENVELOPE, past, PLAIN, 0), past, ENVELOPE, 0), Rule.DEFECT)


@pytest.mark.req("SR-05")
def test_a_latch_outlasts_later_proposals(monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "is_due", lambda *args: False)
        past = review(propose(ENVELOPE, PAST, PLAIN, 0), PAST, ENVELOPE, 0).past
    for now in (1, 10**9):
        verdict = review(propose(ENVELOPE, past, PLAIN, now), past, ENVELOPE, now)
        assert (verdict.delivered, verdict.past.latched) == (OFF, True)
        past = verdict.past


@pytest.mark.req("SR-05")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize("field", ["amplitude_ua", "charge_pc_per_s", "duty_ppm"])
def test_the_second_check_counts_every_rise_to_the_last_unit(field: str) -> None:
    limits = {"amplitude_ua": 3000, "charge_pc_per_s": 40_000_000, "duty_ppm": 250_000}
    none = Rise(0, 0, 0, 0)
    half = replace(none, **{field: limits[field] // 2})
    assert is_within_window(half, (half,), ENVELOPE)
    more = replace(none, **{field: limits[field] // 2 + 1})
    assert not is_within_window(more, (half,), ENVELOPE)
    assert not is_within_window(half, (more,), ENVELOPE)
    assert is_within_window(none, (more, more), ENVELOPE)
