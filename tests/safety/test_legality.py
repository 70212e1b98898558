"""The second check by itself: each of its sums to the last unit, each of its conditions alone."""

from dataclasses import replace
from fractions import Fraction
from math import ceil
from random import Random

import pytest

from protocols import OFF, Mode, Setting
from safety import Change, Latch, Past, Rule, deliverable, is_deliverable
from safety.legality import (
    is_due,
    is_in_box,
    is_no_more,
    is_within_duty,
    is_within_electrode_limits,
    is_within_last_day,
    is_within_window,
    use_once,
    use_per_day,
)
from safety.verdict import Rise
from tests.safety.oracle import Oracle
from tests.safety.strategies import DAY, NOT_INTEGERS, SHIPPED, overwritten, small_envelope

ENVELOPE = small_envelope()
PLAIN = Setting(site=0, amplitude_ua=4000, frequency_hz=50, pulse_width_us=120)
CYCLING = replace(PLAIN, on_ms=20_000, off_ms=30_000, mode=Mode.CYCLING)
BOTH = replace(CYCLING, site=2)
NO_RISE, RISE = Rise(0, 0, 0, 0), Rise(0, 1, 1, 1)
NOW = 10 * DAY


@pytest.mark.req("SR-02")
def test_the_deliverable_ones_of_a_list_are_returned_in_their_order() -> None:
    listed = (CYCLING, replace(PLAIN, site=9), OFF, replace(PLAIN, amplitude_ua=1), PLAIN, CYCLING)
    assert deliverable(listed, ENVELOPE) == (CYCLING, OFF, PLAIN, CYCLING)
    assert deliverable(iter(()), ENVELOPE) == ()
    for envelope in SHIPPED.values():
        some = [each for index, each in enumerate(envelope.space) if index % 997 == 0]
        kept = deliverable(iter(some), envelope)
        assert kept == tuple(each for each in some if is_deliverable(each, envelope))
        assert 0 < len(kept) < len(some)


@pytest.mark.req("SR-02")
@pytest.mark.req("SR-03")
@pytest.mark.parametrize(
    ("setting", "is_legal"),
    [
        (PLAIN, True),
        (CYCLING, True),
        (OFF, True),
        (replace(OFF, site=1), False),
        (overwritten(PLAIN, on_ms=10_000), False),
        (overwritten(PLAIN, off_ms=10_000), False),
        (overwritten(PLAIN, on_ms=10_000, off_ms=10_000), False),
        (overwritten(PLAIN, on_ms=1, off_ms=1), False),
        (overwritten(CYCLING, on_ms=0), False),
        (overwritten(CYCLING, off_ms=0), False),
        (overwritten(CYCLING, on_ms=10_001), False),
        (overwritten(CYCLING, off_ms=10_001), False),
        (overwritten(PLAIN, mode=Mode.CYCLING), False),
        (overwritten(PLAIN, mode=Mode.RESPONSIVE), False),
        (overwritten(PLAIN, mode="continuous"), False),
        (overwritten(PLAIN, amplitude_ua=4000.0), False),
        (overwritten(PLAIN, site=False), False),
        (overwritten(PLAIN, site=-1), False),
        (overwritten(PLAIN, frequency_hz=51), False),
        (overwritten(PLAIN, pulse_width_us=61), False),
        (overwritten(PLAIN, amplitude_ua=1), False),
        (overwritten(OFF, amplitude_ua=0.0), False),
        (overwritten(OFF, amplitude_ua=False), False),
        (object.__new__(Setting), False),
        (None, False),
        (ENVELOPE, False),
    ],
)
def test_only_exactly_a_setting_of_the_envelope_is_deliverable(setting, is_legal: bool) -> None:
    assert is_deliverable(setting, ENVELOPE) is is_legal


@pytest.mark.req("SR-03")
@pytest.mark.parametrize("label", NOT_INTEGERS)
@pytest.mark.parametrize("name", ["site", "amplitude_ua", "on_ms", "mode"])
def test_a_setting_made_by_force_is_not_deliverable(name: str, label: str) -> None:
    for setting in (PLAIN, CYCLING, OFF):
        forced = overwritten(setting, **{name: NOT_INTEGERS[label]})
        assert not is_deliverable(forced, ENVELOPE)


@pytest.mark.req("SR-24")
def test_each_field_must_be_listed_by_itself() -> None:
    for setting in (PLAIN, CYCLING):
        assert is_in_box(setting, ENVELOPE)
        odd = {"site": 3, "amplitude_ua": 4500, "frequency_hz": 51, "pulse_width_us": 61}
        if setting is CYCLING:
            odd |= {"on_ms": 20_001, "off_ms": 30_001, "mode": Mode.RESPONSIVE}
        for name, value in odd.items():
            assert not is_in_box(replace(setting, **{name: value}), ENVELOPE), name


@pytest.mark.req("SR-24")
def test_duty_is_a_share_of_on_and_off_together() -> None:
    for permille, is_within in ((400, True), (399, False), (1000, True), (100, False)):
        assert is_within_duty(CYCLING, small_envelope(max_duty_permille=permille)) is is_within
    for permille, is_within in ((1000, True), (999, False)):
        assert is_within_duty(PLAIN, small_envelope(max_duty_permille=permille)) is is_within
    third = replace(CYCLING, on_ms=1, off_ms=2)
    for permille, is_within in ((334, True), (333, False)):
        assert is_within_duty(third, small_envelope(max_duty_permille=permille)) is is_within


@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("site", "limit", "least"),
    [
        (0, "max_contact_current_ua", 4000),
        (1, "max_contact_current_ua", 2000),
        (2, "max_contact_current_ua", 4000),
        (0, "max_lead_current_ua", 4000),
        (1, "max_lead_current_ua", 4000),
        (2, "max_lead_current_ua", 4000),
        (0, "max_density_hundredths", 80),  # 480 nC on 0.6 cm2
        (1, "max_density_hundredths", 40),
        (2, "max_density_hundredths", 80),
    ],
)
def test_the_least_limit_of_an_electrode_that_permits_it(site: int, limit: str, least: int) -> None:
    setting = replace(PLAIN, site=site)
    assert is_within_electrode_limits(setting, small_envelope(**{limit: least}))
    assert not is_within_electrode_limits(setting, small_envelope(**{limit: least - 1}))


def exact_use(setting: Setting, n_leads: int) -> tuple[int, int, int, int]:
    """Return therapies and fC of 24 h, and of one on-phase, in fractions of a second."""
    per_s = Fraction(n_leads * 1000 * setting.amplitude_ua * setting.pulse_width_us)
    per_s *= setting.frequency_hz
    therapies, on_s = Oracle.day(setting.mode, setting.on_ms, setting.off_ms)
    if setting.mode is Mode.CONTINUOUS:
        return therapies, ceil(per_s * on_s), 0, 0
    return therapies, ceil(per_s * on_s), 1, ceil(per_s * Fraction(setting.on_ms, 1000))


@pytest.mark.req("SR-17")
@pytest.mark.req("SR-24")
def test_what_a_setting_uses_is_exact_whatever_its_cycle() -> None:
    luck = Random(5)
    for _ in range(300):
        site = luck.randrange(3)
        setting = replace(
            CYCLING,
            site=site,
            amplitude_ua=luck.randrange(1, 9000),
            frequency_hz=luck.randrange(1, 333),
            pulse_width_us=luck.randrange(1, 999),
            on_ms=luck.choice((1, 7, 999, 10_007, 40_000_000, 86_399_999, 86_400_000)),
            off_ms=luck.choice((300_001, 1_000_003, 9_999_991, 86_400_000)),
        )
        if luck.random() < 0.3:
            setting = replace(setting, mode=Mode.CONTINUOUS, on_ms=0, off_ms=0)
        expected = exact_use(setting, (1, 1, 2)[site])
        assert (*use_per_day(setting, ENVELOPE), *use_once(setting, ENVELOPE)) == expected


def cyclic(charge_pc: int, at_s: int, n_changes: int = 1) -> Change:
    return Change(at_s, 3000, charge_pc, 2, 7_000_000, n_changes)


# what ran, and the changes, therapies and µC that one more change to CYCLING makes of it
LAST_DAYS = {
    "nothing": ((), (1, 1728, 829_440)),
    "long ago": ((cyclic(10**12, 0), Change(NOW - DAY, 0, 0, 0, 0, 1)), (1, 1728, 829_440)),
    "until a second ago": ((cyclic(10**12, 0), Change(NOW - 1, 0, 0, 0, 0, 1)), (2, 3003, 1000487)),
    "one that went on": ((cyclic(10**12, NOW - DAY),), (1, 3003, 1_000_487)),
    "one within": ((cyclic(10**12, NOW - DAY + 1),), (2, 3003, 1_000_487)),
    "a lighter one": ((Change(NOW - 5, 5, 3_000_000, 1, 2_000_000, 1),), (2, 1730, 829_922)),
    "several as one": ((cyclic(10**12, NOW - 5, n_changes=4),), (5, 3003, 1_000_487)),
    "off": ((Change(NOW - 9, 0, 0, 0, 0, 1),), (2, 1728, 829_440)),
    "off and on": (
        (cyclic(10**12, NOW - 9), Change(NOW - 8, 0, 0, 0, 0, 1)),
        (3, 3003, 1_000_487),
    ),
    "two": ((cyclic(10**12, NOW - 9), cyclic(10**11, NOW - 8)), (3, 3005, 1_000_494)),
}


@pytest.mark.req("SR-17")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize("name", LAST_DAYS)
def test_a_day_has_room_to_the_last_change_therapy_and_microcoulomb(name: str) -> None:
    changes, (n_changes, therapies, charge_uc) = LAST_DAYS[name]
    past = replace(Past.start(7), changes=changes)
    limits = {
        "day_max_changes": n_changes,
        "day_max_therapies": therapies,
        "day_max_charge_uc": charge_uc,
    }
    assert is_within_last_day(CYCLING, past, small_envelope(**limits), NOW)
    for field, limit in limits.items():
        if limit > 1:
            less = small_envelope(**(limits | {field: limit - 1}))
            assert not is_within_last_day(CYCLING, past, less, NOW), field


@pytest.mark.req("SR-05")
@pytest.mark.parametrize(
    ("change", "is_less"),
    [
        ({}, True),
        ({"amplitude_ua": 3999}, True),
        ({"pulse_width_us": 119}, True),
        ({"on_ms": 19_999}, True),
        ({"amplitude_ua": 4001}, False),
        ({"pulse_width_us": 121}, False),
        ({"on_ms": 20_001}, False),
        ({"site": 1}, False),
        ({"frequency_hz": 49}, False),
        ({"frequency_hz": 51}, False),
        ({"off_ms": 29_999}, False),
        ({"off_ms": 30_001}, False),
        ({"mode": Mode.RESPONSIVE}, False),
    ],
    ids=str,
)
def test_no_more_is_the_same_but_for_what_may_be_lowered(change, is_less: bool) -> None:
    assert is_no_more(replace(CYCLING, **change), CYCLING) is is_less


DUE = replace(Past.start(7), rises=(Rise(NOW - DAY, 10**6, 10**12, 10**6),))


@pytest.mark.req("SR-05")
@pytest.mark.req("SR-16")
@pytest.mark.parametrize(
    ("setting", "wanted", "rise", "past", "limits", "is_due_"),
    [
        (PLAIN, PLAIN, RISE, DUE, {}, True),
        (OFF, PLAIN, NO_RISE, DUE, {}, True),
        (replace(OFF, site=1), PLAIN, NO_RISE, DUE, {}, False),
        (replace(PLAIN, site=9), replace(PLAIN, site=9), NO_RISE, DUE, {}, False),
        (PLAIN, replace(PLAIN, amplitude_ua=3000), NO_RISE, DUE, {}, False),
        (PLAIN, PLAIN, RISE, DUE.with_latch(Latch(None, Rule.DEFECT, 0)), {}, False),
        (PLAIN, PLAIN, RISE, DUE.with_latch(Latch(0, Rule.ADVERSE_EVENT, 0)), {}, False),
        (PLAIN, PLAIN, RISE, DUE.with_latch(Latch(1, Rule.ADVERSE_EVENT, 0)), {}, True),
        (OFF, PLAIN, NO_RISE, DUE.with_latch(Latch(None, Rule.DEFECT, 0)), {}, True),
        (PLAIN, PLAIN, Rise(0, 5, 1, 1), DUE, {"step_amplitude_ua": 5}, True),
        (PLAIN, PLAIN, Rise(0, 6, 1, 1), DUE, {"step_amplitude_ua": 5}, False),
        (PLAIN, PLAIN, Rise(0, 6, 0, 0), DUE, {"step_amplitude_ua": 5}, False),
        (PLAIN, PLAIN, RISE, replace(DUE, lockout_until_s=NOW), {}, True),
        (PLAIN, PLAIN, RISE, replace(DUE, lockout_until_s=NOW + 1), {}, False),
        (PLAIN, PLAIN, Rise(0, 1, 0, 0), replace(DUE, lockout_until_s=NOW + 1), {}, False),
        (PLAIN, PLAIN, Rise(0, 0, 1, 0), replace(DUE, lockout_until_s=NOW + 1), {}, False),
        (PLAIN, PLAIN, Rise(0, 0, 0, 1), replace(DUE, lockout_until_s=NOW + 1), {}, False),
        (PLAIN, PLAIN, NO_RISE, replace(DUE, lockout_until_s=NOW + 1), {}, True),
        (PLAIN, PLAIN, RISE, replace(DUE, rises=(Rise(NOW - DAY + 1, 8000, 0, 0),)), {}, False),
        (PLAIN, PLAIN, RISE, replace(DUE, changes=(Change(NOW, 0, 0, 0, 0, 32),)), {}, False),
        (PLAIN, PLAIN, NO_RISE, replace(DUE, changes=(Change(NOW, 0, 0, 0, 0, 32),)), {}, True),
    ],
    ids=str,
)
def test_each_condition_of_the_second_check_alone(
    setting, wanted, rise, past, limits, is_due_: bool
) -> None:
    assert is_due(setting, wanted, rise, past, small_envelope(**limits), NOW) is is_due_


@pytest.mark.req("SR-10")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("place", "limit"),
    [
        (1, {"rise_amplitude_ua": 7}),
        (2, {"rise_charge_nc_per_s": 7}),
        (3, {"rise_duty_permille": 7}),
    ],
)
def test_a_window_has_room_to_the_last_unit_of_each_quantity(place: int, limit) -> None:
    envelope = small_envelope(**limit)
    most = 7 if place == 1 else 7000

    def rise(amount: int) -> Rise:
        values = [0, 0, 0, 0]
        values[place] = amount
        return Rise(*values)

    assert is_within_window(rise(most), (), envelope)
    assert not is_within_window(rise(most + 1), (), envelope)
    assert is_within_window(rise(most - 5), (rise(2), rise(3)), envelope)
    assert not is_within_window(rise(most - 5), (rise(2), rise(4)), envelope)
    assert is_within_window(rise(0), (rise(most), rise(most)), envelope)
