"""A defect in a clamp is caught by the check that follows, and stops and latches."""

from dataclasses import replace

import pytest

from protocols import OFF, Mode, Setting
from safety import Rule, Ruling, kernel, review
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
# one wish for each clamp, in which no later clamp would put things right
BROKEN = {
    "refuse_outside": replace(PLAIN, site=9),
    "quantise_amplitude": replace(PLAIN, amplitude_ua=2500),
    "quantise_pulse_width": replace(PLAIN, pulse_width_us=121),
    "quantise_on_time": replace(PLAIN, on_ms=10_001),
    "limit_period": replace(PLAIN, frequency_hz=200),
    "limit_contact_current": replace(ONE, amplitude_ua=6000),
    "limit_lead_current": replace(ONE, site=1, amplitude_ua=7000),
    "limit_charge": replace(PLAIN, amplitude_ua=7000, site=1, pulse_width_us=240),
    "limit_duty": replace(PLAIN, on_ms=30_000, off_ms=10_000),
    "limit_charge_per_day": replace(PLAIN, on_ms=10_000, amplitude_ua=3000),
    "limit_step": replace(ONE, amplitude_ua=3000),
    "limit_amplitude_rise": replace(ONE, amplitude_ua=4000),
    "limit_charge_rise": replace(PLAIN, amplitude_ua=3000, frequency_hz=100, pulse_width_us=240),
    "limit_duty_rise": replace(PLAIN, on_ms=20_000),
    "refuse_day": PLAIN,
}
ROOMY = {
    "quantise_on_time": {"rise_duty_permille": 1000},
    "limit_period": {"interphase_gap_us": 4800, "rise_charge_nc_per_s": 10**6},
    "limit_contact_current": {"rise_amplitude_ua": 9000},
    "limit_lead_current": {"rise_amplitude_ua": 9000},
    "limit_charge": {"rise_amplitude_ua": 9000, "rise_charge_nc_per_s": 10**6}
    | {"max_lead_current_ua": 8000},
    "limit_charge_rise": {"interphase_gap_us": 100},
    "limit_duty": {"rise_duty_permille": 1000},
    "limit_charge_per_day": {"day_max_charge_uc": 300_000},  # 3 mA would use 0.39 C, 2 mA 0.26
    "limit_step": {"step_amplitude_ua": 2000},
    "refuse_day": {"day_max_therapies": 2159},  # one a 40 s
}
PAST = running(OFF, sequence=3)


def with_step(monkeypatch: pytest.MonkeyPatch, name: str, step) -> None:
    steps = tuple(step if each.__name__ == name else each for each in kernel.STEPS)
    assert steps != kernel.STEPS
    monkeypatch.setattr(kernel, "STEPS", steps)


def check_latched(verdict, rule: Rule) -> None:
    assert (verdict.delivered, verdict.ruling) == (OFF, Ruling.STOPPED)
    assert verdict.past.latched
    assert verdict.past.delivered == OFF
    assert verdict.ramp_s == 0
    assert [finding.rule for finding in verdict.findings] == [rule]
    assert "off until a person has looked" in verdict.findings[0].sentence


def test_there_is_a_fault_for_every_clamp() -> None:
    assert list(BROKEN) == [step.__name__ for step in kernel.STEPS]


@pytest.mark.req("SR-05")
@pytest.mark.parametrize("name", BROKEN)
def test_a_clamp_that_does_nothing_is_caught(monkeypatch, name: str) -> None:
    envelope = ENVELOPE.replaced(**ROOMY.get(name, {}))
    # of what rises too much charge in a day is refused by another clamp as well
    past = running(BROKEN[name]) if name == "limit_charge_per_day" else PAST
    proposal = propose(envelope, past, BROKEN[name], 0)
    assert not review(proposal, past, envelope, 0).past.latched
    with_step(monkeypatch, name, lambda setting, case: setting)
    # without the first clamp a later one meets a site that has no montage, which raises
    rule = Rule.DEFECT if name == "refuse_outside" else Rule.RECHECK
    check_latched(review(proposal, past, envelope, 0), rule)


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
def test_a_clamp_that_moves_something_or_raises_it_is_caught(monkeypatch, change) -> None:
    envelope = small_envelope()
    moved = replace(PLAIN, **change)
    with_step(monkeypatch, "limit_duty_rise", lambda setting, case: moved)
    verdict = review(propose(envelope, PAST, PLAIN, 0), PAST, envelope, 0)
    check_latched(verdict, Rule.RECHECK)


@pytest.mark.req("SR-05")
@pytest.mark.parametrize("name", BROKEN)
def test_a_clamp_that_raises_is_caught(monkeypatch, name: str) -> None:
    def fail(setting: Setting, case: object) -> Setting:
        raise ZeroDivisionError

    with_step(monkeypatch, name, fail)
    verdict = review(propose(ENVELOPE, PAST, PLAIN, 0), PAST, ENVELOPE, 0)
    check_latched(verdict, Rule.DEFECT)
    assert "failed with ZeroDivisionError" in verdict.findings[0].sentence


@pytest.mark.req("SR-05")
@pytest.mark.parametrize(
    "name", ["read_proposal", "read_setting", "recent_rises", "is_due", "deliver", "remembered"]
)
def test_any_part_of_the_gate_that_raises_is_caught(monkeypatch, name: str) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise MemoryError

    monkeypatch.setattr(kernel, name, fail)
    past = running(PLAIN)
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
