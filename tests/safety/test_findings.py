"""What each finding tells, to the number: of the review that made it, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from protocols import OFF, Mode, Setting
from safety import Change, Past, Rule, review
from safety.reading import asks_to_stop, is_count, is_zero, read_setting
from safety.verdict import Finding
from tests.safety.strategies import overwritten, propose, running, small_envelope

PLAIN = Setting(site=0, amplitude_ua=4000, frequency_hz=50, pulse_width_us=120)
CYCLING = replace(PLAIN, on_ms=20_000, off_ms=30_000, mode=Mode.CYCLING)
NEW, RUNS = Past.start(7), running(PLAIN, sequence=4)
DAY = 86_400

# the past, the wish, the limits, and the rule and facts of the last finding
WISHES: dict[str, tuple[Past, Any, dict[str, Any], Rule, tuple[Any, ...]]] = {
    "too low": (
        NEW, replace(PLAIN, amplitude_ua=999), {},
        Rule.TICK, ("amplitude_ua", 999, 0, "small", 1000),
    ),
    "between ticks": (
        NEW, replace(PLAIN, amplitude_ua=4999), {},
        Rule.TICK, ("amplitude_ua", 4999, 4000, "small", None),
    ),
    "contact": (
        NEW, PLAIN, {"max_contact_current_ua": 3999},
        Rule.CONTACT_CURRENT, ("amplitude_ua", 4000, 3000, "A", 4_000_000, 3_999_000),
    ),
    "lead": (
        NEW, PLAIN, {"max_lead_current_ua": 3999},
        Rule.LEAD_CURRENT, ("amplitude_ua", 4000, 3000, 4000, 3999),
    ),
    "charge": (
        NEW, PLAIN, {"max_density_hundredths": 79},
        Rule.CHARGE, ("amplitude_ua", 4000, 3000, "A", 480_000_000, 474_000_000),
    ),
    "period": (
        NEW, PLAIN, {"interphase_gap_us": 19_761},
        Rule.PERIOD, ("pulse_width_us", 120, 60, 20_001, 20_000),
    ),
    "duty": (
        NEW, CYCLING, {"max_duty_permille": 399},
        Rule.DUTY, ("on_ms", 20_000, 10_000, 400, 399),
    ),
    "duty, rounded up": (
        NEW, replace(CYCLING, on_ms=10_000, off_ms=90_000), {"off_ms": (90_000, 110_000),
         "max_duty_permille": 99},
        Rule.DUTY, ("on_ms", 10_000, None, 100, 99),
    ),
    "continuous": (
        NEW, PLAIN, {"max_duty_permille": 999},
        Rule.DUTY, ("continuous stimulation", None, None, 1000, 999),
    ),
    "charge of a day": (  # 24 µC/s for 1728 times 20 s
        NEW, CYCLING, {"day_max_charge_uc": 829_439},
        Rule.CHARGE_PER_DAY,
        ("amplitude_ua", 4000, 3000, 829_440_000_000, 829_439_000_000),
    ),
    "step": (
        NEW, PLAIN, {"step_amplitude_ua": 3999},
        Rule.STEP, ("amplitude_ua", 4000, 3000, 4000, 3999),
    ),
    "amplitude in a window": (
        NEW, PLAIN, {"rise_amplitude_ua": 3999},
        Rule.AMPLITUDE_RISE, ("amplitude_ua", 4000, 3000, 4000, 3999, DAY),
    ),
    "charge in a window": (
        NEW, PLAIN, {"rise_charge_nc_per_s": 23_999},
        Rule.CHARGE_RISE, ("amplitude_ua", 4000, 3000, 24_000_000, 23_999_000, DAY),
    ),
    "duty in a window": (
        NEW, CYCLING, {"rise_duty_permille": 399},
        Rule.DUTY_RISE, ("on_ms", 20_000, 10_000, 400, 399),
    ),
    "therapies": (
        NEW, CYCLING, {"day_max_therapies": 1727},
        Rule.THERAPIES_PER_DAY, ("proposal", None, None, 1728, 1727),
    ),
    "lock-out": (
        replace(RUNS, lockout_until_s=9), replace(PLAIN, amplitude_ua=5000), {},
        Rule.LOCKOUT, ("rise", None, None, 0, 9),
    ),
    "changes": (
        replace(RUNS, changes=(Change(0, 0, 0, 0, 0, 2),)), replace(PLAIN, amplitude_ua=5000),
        {"day_max_changes": 2},
        Rule.CHANGES_PER_DAY, ("rise", None, None, 3, 2),
    ),
    "therapies of both": (
        replace(NEW, changes=(Change(0, 3000, 7, 2, 0, 1),)), CYCLING, {"day_max_therapies": 3002},
        Rule.THERAPIES_PER_DAY, ("rise", None, None, 3003, 3002),
    ),
    "charge of both": (
        replace(NEW, changes=(Change(0, 1, 10**12, 0, 5_000_000, 1),)), CYCLING,
        {"day_max_charge_uc": 1_000_484},
        Rule.CHARGE_PER_DAY, ("rise", None, None, 1_000_485_000_000, 1_000_484_000_000),
    ),
    "site": (NEW, replace(PLAIN, site=9), {}, Rule.SITE, (9, "small")),
    "frequency": (NEW, replace(PLAIN, frequency_hz=51), {}, Rule.FREQUENCY, (51, "small")),
    "mode": (NEW, replace(CYCLING, mode=Mode.RESPONSIVE), {}, Rule.MODE, ("responsive", "small")),
    "off time": (NEW, replace(CYCLING, off_ms=31_000), {}, Rule.OFF_TIME, (31_000, "small")),
}  # fmt: skip


@pytest.mark.req("SR-29")
@pytest.mark.parametrize("name", WISHES)
def test_a_finding_tells_the_field_before_and_after_and_by_how_much(name: str) -> None:
    past, wish, limits, rule, facts = WISHES[name]
    envelope = small_envelope(**limits)
    finding = review(propose(envelope, past, wish, 0), past, envelope, 0).findings[-1]
    assert finding == Finding(rule, facts)
    assert finding.sentence


ADDRESSES: dict[str, tuple[dict[str, Any], Rule, tuple[Any, ...]]] = {
    "patient": ({"patient": 8}, Rule.PATIENT, ("8", 7)),
    "no patient": ({"patient": True}, Rule.PATIENT, ("True", 7)),
    "negative patient": ({"patient": -7}, Rule.PATIENT, ("-7", 7)),
    "used": ({"sequence": 4}, Rule.SEQUENCE, ("4", 5, 1_000_004)),
    "too far": ({"sequence": 1_000_005}, Rule.SEQUENCE, ("1000005", 5, 1_000_004)),
    "no number": ({"sequence": 5.0}, Rule.SEQUENCE, ("5.0", 5, 1_000_004)),
    "ahead": ({"at_s": 101}, Rule.TIME, ("101", 100, 60)),
    "stale": ({"at_s": 39}, Rule.TIME, ("39", 100, 60)),
    "no time": ({"at_s": 100.0}, Rule.TIME, ("100.0", 100, 60)),
    "envelope": ({"envelope_hash": "0" * 64}, Rule.ENVELOPE, ("small",)),
    "no envelope": ({"envelope_hash": None}, Rule.ENVELOPE, ("small",)),
}


class TextOfItsOwn(str):
    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


@pytest.mark.req("SR-13")
@pytest.mark.parametrize("name", ADDRESSES)
def test_a_wrong_address_is_told_with_what_was_expected(name: str) -> None:
    changes, rule, facts = ADDRESSES[name]
    envelope = small_envelope()
    verdict = review(propose(envelope, RUNS, PLAIN, 100, **changes), RUNS, envelope, 100)
    assert verdict.findings == (Finding(rule, facts),)
    assert (verdict.delivered, verdict.past.sequence) == (PLAIN, 4)
    hostile = propose(envelope, RUNS, PLAIN, 100, envelope_hash=TextOfItsOwn("x"))
    assert review(hostile, RUNS, envelope, 100).findings[0].rule is Rule.ENVELOPE


@pytest.mark.req("SR-13")
@pytest.mark.parametrize(
    "changes", [{}, {"sequence": 1_000_004}, {"at_s": 40}, {"at_s": 100}], ids=str
)
def test_a_right_address_is_so_to_its_edges(changes) -> None:
    envelope, lower = small_envelope(), replace(PLAIN, amplitude_ua=3000)
    verdict = review(propose(envelope, RUNS, lower, 100, **changes), RUNS, envelope, 100)
    assert (verdict.delivered, verdict.findings) == (lower, ())


@pytest.mark.req("SR-11")
def test_a_stop_is_known_by_its_patient_and_by_no_current() -> None:
    envelope = small_envelope()
    odd = overwritten(OFF, site=None, mode=7)
    for setting in (OFF, replace(OFF, site=3), odd):
        assert is_zero(setting)
        assert asks_to_stop(propose(envelope, RUNS, setting, 0, sequence=None), RUNS)
        assert read_setting(setting) == OFF
        for patient in (8, -7, True, 7.0, None):
            assert not asks_to_stop(propose(envelope, RUNS, setting, 0, patient=patient), RUNS)
    for other in (PLAIN, None, 0, overwritten(OFF, amplitude_ua=0.0), object.__new__(Setting)):
        assert not is_zero(other)
        assert not asks_to_stop(propose(envelope, RUNS, other, 0), RUNS)
    assert not is_zero(overwritten(OFF, amplitude_ua=False))
    assert not asks_to_stop(OFF, RUNS)
    for hold in (None, OFF, 7):
        assert not asks_to_stop(hold, RUNS)


@pytest.mark.req("SR-03")
def test_settings_are_read_to_the_largest_number_and_in_each_mode() -> None:
    for value in (0, 1, 2**63 - 1):
        assert is_count(value)
    for other in (-1, 2**63, True, 1.0, None):
        assert not is_count(other)
    for mode in Mode:
        cycle = {} if mode is Mode.CONTINUOUS else {"on_ms": 1, "off_ms": 1}
        setting = replace(PLAIN, mode=mode, **cycle)
        assert read_setting(setting) == setting
        assert read_setting(setting) is not setting
    largest = replace(PLAIN, frequency_hz=2**63 - 1)
    assert read_setting(largest) == largest
    for value, words in (
        (2**63, "frequency_hz = a number of more than 63 bits: a whole number was expected"),
        (-1, "frequency_hz = -1: a whole number was expected"),
        (5.0, "frequency_hz = 5.0: a whole number was expected"),
    ):
        read = read_setting(overwritten(PLAIN, frequency_hz=value))
        assert isinstance(read, Finding)
        assert read.sentence == words
    read = read_setting(overwritten(PLAIN, mode="continuous"))
    assert isinstance(read, Finding)
    assert read.sentence == "mode = 'continuous': a Mode was expected"


@pytest.mark.req("SR-18")
@pytest.mark.parametrize("is_fallen_back", [False, True])
def test_faulty_proposals_are_counted_one_by_one_to_the_last(is_fallen_back: bool) -> None:
    low = replace(PLAIN, amplitude_ua=1000)
    envelope, past = small_envelope(fallback_baseline=low), RUNS
    if is_fallen_back:
        for _ in range(3):
            past = review(None, past, envelope, 0).past
        assert past.is_fallen_back
    for n_faults in range(1, 3):
        past = review(None, past, envelope, 0).past
        assert past.refusals == n_faults + 3 * is_fallen_back
        assert past.latched is False
    earned = replace(PLAIN, amplitude_ua=8000)
    narrow = envelope.replaced(rise_charge_nc_per_s=1)
    refused = review(propose(narrow, past, earned, 0), past, narrow, 0)
    assert refused.past.refusals == (past.refusals if is_fallen_back else 0)
    past = review(None, past, envelope, 0).past
    assert past.delivered == (OFF if is_fallen_back else low)
    assert past.latched is is_fallen_back
    assert past.refusals == 3 + 3 * is_fallen_back
