"""By columns, a row is ordinary up to the last unit of each limit, and not one unit further."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from protocols import OFF, InputError, Mode, Setting
from safety import Change, Contact, Latch, NotTolerated, Past, Rise, Rule, Ruling
from safety.columns import (
    LARGEST,
    MOST,
    MOST_LEADS,
    Lists,
    Pasts,
    Proposals,
    Verdicts,
    column_of,
    setting_of,
)
from safety.columns_review import limits_of, parts_per_million, review_columns
from tests.safety.strategies import DAY, propose, running, small_envelope
from tests.safety.test_either_side import CYCLING, LIMITS, PLAIN
from tests.safety.twin import columns_of, same_by_columns, started

NOW = 10 * DAY
UP = replace(PLAIN, amplitude_ua=5000)


def ran(setting: Setting, **changes: Any) -> Past:
    """Return the past of a patient in whom `setting` ran until a second ago."""
    return running(setting, **({"at_s": NOW - 1} | changes))


def beside_others(past: Past, wish: Setting, envelope, now: int = NOW) -> Verdicts:
    """Ask for one row between two others that ask for something else, or run it."""
    others = [Past.start(1), running(replace(PLAIN, site=1, pulse_width_us=240))]
    before = [others[0], past, others[1]]
    asked = [
        propose(envelope, others[0], OFF, now),
        propose(envelope, past, wish, now),
        propose(envelope, others[1], replace(PLAIN, site=1, pulse_width_us=60), now),
    ]
    return same_by_columns(asked, Pasts.of(before), envelope, [now] * 3)


@pytest.mark.req("SR-06")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize("name", LIMITS)
def test_the_limit_itself_is_ordinary_and_one_unit_less_is_not(name: str) -> None:
    _, wish, passing, failing, _ = LIMITS[name]
    past = Past.start(7)
    assert 1 not in beside_others(past, wish, small_envelope(**passing)).others
    found = beside_others(past, wish, small_envelope(**failing))
    assert found.others[1].ruling is Ruling.CLAMPED


def day(therapies: int, charge_pc: int, more: int, more_pc: int, n: int = 1) -> Change:
    return Change(NOW - 100, therapies, charge_pc, more, more_pc, n)


# what came before, what is asked, and limits that just permit it; each but one unit less does not
ROOM = {
    "step": (ran(PLAIN), UP, {"step_amplitude_ua": 1000}),
    "amplitude in the window": (
        ran(PLAIN, rises=(Rise(NOW - 9, 700, 0, 0), Rise(NOW - 8, 300, 0, 0))),
        UP,
        {"rise_amplitude_ua": 2000},
    ),
    "charge in the window": (  # 1 mA x 120 µs x 50 Hz is 6 µC/s
        ran(PLAIN, rises=(Rise(NOW - 9, 0, 700_000, 0), Rise(NOW - 8, 0, 300_000, 0))),
        UP,
        {"rise_charge_nc_per_s": 7000},
    ),
    "duty in the window": (  # from 10 of 40 s to 20 of 50 s
        ran(
            replace(CYCLING, on_ms=10_000),
            rises=(Rise(NOW - 9, 0, 0, 7000), Rise(NOW - 8, 0, 0, 3000)),
        ),
        CYCLING,
        {"rise_duty_permille": 160},
    ),
    "changes": (
        ran(PLAIN, changes=(day(0, 0, 0, 0, 2), day(0, 0, 0, 0, 3))),
        UP,
        {"day_max_changes": 6},
    ),
    "therapies alone": (Past.start(7), CYCLING, {"day_max_therapies": 1728}),
    "therapies": (
        ran(OFF, changes=(day(3000, 1, 2, 1), day(5, 1, 4, 1))),
        CYCLING,
        {"day_max_therapies": 3007},
    ),
    "charge alone": (Past.start(7), CYCLING, {"day_max_charge_uc": 829_440}),
    "charge": (  # 829,440 of CYCLING, and one on-phase of each: 480, 3 and 4 µC
        ran(OFF, changes=(day(3, 1, 2, 3 * 10**6), day(5, 1, 4, 4 * 10**6))),
        CYCLING,
        {"day_max_charge_uc": 829_927},
    ),
    "charge of something heavier": (
        ran(OFF, changes=(day(3, 10**12, 2, 3 * 10**6),)),
        CYCLING,
        {"day_max_charge_uc": 1_000_483},
    ),
}  # fmt: skip


@pytest.mark.req("SR-06")
@pytest.mark.req("SR-17")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize("name", ROOM)
def test_what_came_before_leaves_room_to_the_last_unit(name: str) -> None:
    past, wish, limit = ROOM[name]
    assert 1 not in beside_others(past, wish, small_envelope(**limit)).others
    less = {field: value - 1 for field, value in limit.items()}
    assert 1 in beside_others(past, wish, small_envelope(**less)).others


OLD = Change(NOW - DAY, 0, 0, 0, 0, 1)


@pytest.mark.req("SR-06")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("past", "is_ordinary"),
    [
        (ran(PLAIN, lockout_until_s=NOW), True),
        (ran(PLAIN, lockout_until_s=NOW + 1), False),
        (ran(PLAIN, rises=(Rise(NOW - DAY, 8000, 0, 0),)), True),
        (ran(PLAIN, rises=(Rise(NOW - DAY + 1, 8000, 0, 0),)), False),
        (ran(PLAIN, changes=(Change(NOW - 9 * DAY, 0, 0, 0, 0, 32), OLD)), True),
        (ran(PLAIN, changes=(Change(NOW - DAY, 0, 0, 0, 0, 32),)), True),
        (ran(PLAIN, changes=(Change(NOW - DAY + 1, 0, 0, 0, 0, 32),)), False),
        (ran(PLAIN, rises=tuple(Rise(NOW - 50 + k, 0, 0, 0) for k in range(31))), True),
        (ran(PLAIN, rises=tuple(Rise(NOW - 50 + k, 0, 0, 0) for k in range(32))), False),
        (ran(PLAIN, sequence=MOST - 1), True),
        (ran(PLAIN, sequence=MOST), False),
        (ran(PLAIN, refusals=2), True),
    ],
    ids=str,
)
def test_what_counts_does_so_to_the_last_second(past: Past, is_ordinary: bool) -> None:
    assert (1 not in beside_others(past, UP, small_envelope()).others) is is_ordinary


@pytest.mark.req("SR-06")
@pytest.mark.parametrize(
    ("before", "wish", "ramp_s"),
    [
        (OFF, PLAIN, 134),  # 4000 µA at 30 µA/s
        (PLAIN, OFF, 34),  # at 120 µA/s
        (PLAIN, UP, 34),
        (UP, PLAIN, 9),
        (PLAIN, PLAIN, 0),
        (PLAIN, replace(PLAIN, site=1), 34 + 134),
        (PLAIN, replace(PLAIN, pulse_width_us=60), 34 + 134),
        (replace(PLAIN, site=2), replace(UP, site=2), 34),
    ],
    ids=str,
)
def test_the_ramp_of_an_ordinary_row(before: Setting, wish: Setting, ramp_s: int) -> None:
    past = Past.start(7) if before == OFF else ran(before)
    found = beside_others(past, wish, small_envelope())
    assert 1 not in found.others
    assert found.ramp_s[1] == ramp_s


@pytest.mark.req("SR-06")
@pytest.mark.parametrize(("now", "is_ordinary"), [(2**56, True), (2**56 + 1, False)])
def test_a_time_is_ordinary_up_to_the_largest(now: int, is_ordinary: bool) -> None:
    for wish in (PLAIN, OFF):
        found = beside_others(Past.start(7), wish, small_envelope(), now)
        assert (1 not in found.others) is is_ordinary


@pytest.mark.req("SR-06")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(("width_us", "is_ordinary"), [(60, True), (61, False)])
def test_a_pulse_may_fill_a_whole_second(width_us: int, is_ordinary: bool) -> None:
    limits = {"frequency_hz": (1,), "pulse_width_us": (60, 61), "interphase_gap_us": 999_880}
    wish = replace(PLAIN, frequency_hz=1, pulse_width_us=width_us)
    past = Past.start(7)
    envelope = small_envelope(**limits)
    found = same_by_columns([propose(envelope, past, wish, 0)], Pasts.of([past]), envelope, [0])
    assert (0 not in found.others) is is_ordinary


@pytest.mark.req("SR-17")
@pytest.mark.parametrize(("limit", "is_ordinary"), [(12_342_858, True), (12_342_857, False)])
def test_a_day_may_end_with_one_ms_of_a_therapy(limit: int, is_ordinary: bool) -> None:
    envelope = small_envelope(on_ms=(3,), off_ms=(4,), day_max_therapies=limit)
    wish, past = replace(CYCLING, on_ms=3, off_ms=4), Past.start(7)  # 86,400,000 = 7 n + 1
    found = same_by_columns([propose(envelope, past, wish, 0)], Pasts.of([past]), envelope, [0])
    assert (0 not in found.others) is is_ordinary


@pytest.mark.req("SR-04")
@pytest.mark.parametrize(
    "change",
    [
        {"site": 3},
        {"amplitude_ua": 4001},
        {"frequency_hz": 51},
        {"pulse_width_us": 121},
        {"on_ms": 20_001},
        {"off_ms": 30_001},
        {"mode": Mode.RESPONSIVE},
    ],
    ids=str,
)
def test_what_is_no_tick_is_not_ordinary(change: dict[str, Any]) -> None:
    assert 1 not in beside_others(Past.start(7), CYCLING, small_envelope()).others
    assert 1 in beside_others(Past.start(7), replace(CYCLING, **change), small_envelope()).others


@pytest.mark.req("SR-03")
@pytest.mark.parametrize("mode", [-1, 3])
def test_a_number_beyond_the_modes_is_none_even_where_all_are_permitted(mode: int) -> None:
    envelope, before = small_envelope(modes=tuple(Mode)), started(1)
    asked = columns_of([propose(envelope, before.past(0), CYCLING, 0)], envelope.hash)
    asked.setting[6] = mode
    found = review_columns(asked, before, envelope, np.zeros(1, dtype=np.int64))
    assert 0 in found.others
    assert found.settings() == [OFF]


@pytest.mark.req("SR-16")
def test_a_latched_patient_and_what_is_no_column_are_reviewed_alone() -> None:
    envelope, free = small_envelope(), Past.start(0)
    latched = free.with_latch(Latch(None, Rule.DEFECT, 0))
    asked = [propose(envelope, free, wish, 0) for wish in (PLAIN, None)]
    found = same_by_columns(asked, Pasts.of([latched, free]), envelope, [0, 0])
    assert set(found.others) == {0, 1}
    assert found.settings() == [OFF, OFF]


@pytest.mark.req("SR-16")
@pytest.mark.parametrize(
    ("harmed", "counts_from_off"),
    [
        ((0, 120, 5000), True),
        ((0, 120, 5001), False),
        ((0, 120, 1), True),
        ((1, 120, 1), False),
        ((0, 60, 1), False),
        ((120, 0, 1), False),
    ],
)
def test_what_was_not_tolerated_counts_at_its_site_width_and_amplitude(
    harmed: tuple[int, int, int], counts_from_off: bool
) -> None:
    envelope = small_envelope(step_amplitude_ua=1000)
    past = ran(PLAIN, not_tolerated=(NotTolerated(*harmed), NotTolerated(2, 240, 1)))
    assert (1 in beside_others(past, UP, envelope).others) is counts_from_off
    for decrease in (PLAIN, replace(PLAIN, amplitude_ua=3000)):
        assert 1 not in beside_others(past, decrease, envelope).others


@pytest.mark.req("SR-06")
def test_an_ordinary_row_leaves_the_past_that_the_gate_leaves() -> None:
    past = ran(
        PLAIN,
        sequence=4,
        refusals=2,
        rises=(Rise(NOW - 2 * DAY, 9, 9, 9), Rise(NOW - 5, 1, 2, 3)),
        changes=(day(9, 9, 9, 9), Change(NOW - 50, 1, 2, 3, 4, 5)),
    )
    found = beside_others(past, replace(CYCLING, amplitude_ua=5000), small_envelope())
    assert 1 not in found.others
    after = found.pasts.past(1)
    assert (after.sequence, after.at_s, after.refusals) == (5, NOW, 0)
    assert after.rises == (Rise(NOW - 5, 1, 2, 3), Rise(NOW, 1000, 6_000_000, 0))
    assert after.changes[:-1] == past.changes
    # 5 mA x 120 µs x 50 Hz is 30 µC/s, for 1728 times 20 s a day
    assert after.changes[-1] == Change(NOW, 1728, 1_036_800_000_000, 1, 600_000_000, 1)
    same = beside_others(past, PLAIN, small_envelope())
    assert same.pasts.past(1).changes == past.changes
    assert same.pasts.past(1).rises == (Rise(NOW - 5, 1, 2, 3),)


@pytest.mark.req("SR-06")
def test_an_envelope_is_decided_by_columns_up_to_the_largest_numbers() -> None:
    low = {"amplitude_ua": (1000,), "frequency_hz": (5,), "pulse_width_us": (60,)}
    fields = ("amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms", "off_ms")
    for name, largest in zip(fields, LARGEST[1:], strict=True):
        lowest = getattr(small_envelope(), name)[:1]
        for highest, is_known in ((largest, True), (largest + 1, False)):
            changes: dict[str, Any] = low | {name: (*lowest, highest)}
            assert (limits_of(small_envelope(**changes)) is not None) is is_known, name


@pytest.mark.req("SR-06")
def test_an_envelope_is_decided_by_columns_up_to_the_largest_charge_of_a_day() -> None:
    # 2 leads x 2**20 µA x 400 Hz: so many µs until a day of it is 2**62
    most_us = (2**62 - 1) // (86_400_000 * 2 * 2**20 * 400)
    for width_us, is_known in ((most_us, True), (most_us + 1, False)):
        envelope = small_envelope(
            amplitude_ua=(1000, 2**20), frequency_hz=(5, 400), pulse_width_us=(60, width_us)
        )
        assert (limits_of(envelope) is not None) is is_known


@pytest.mark.parametrize(("n_leads", "is_known"), [(MOST_LEADS, True), (MOST_LEADS + 1, False)])
def test_so_many_leads_are_decided_by_columns(n_leads: int, is_known: bool) -> None:
    places = range(n_leads)
    contacts = tuple(Contact(name=str(k), lead=str(k), area_um2=60_000_000) for k in places)
    montage = small_envelope().montages[0]
    montages = (type(montage)(name="all", shares_permille=(1000,) * n_leads),)
    envelope = small_envelope(contacts=contacts, montages=montages, sites=(0,))
    assert (limits_of(envelope) is not None) is is_known
    assert (0 in beside_one(envelope).others) is not is_known


def beside_one(envelope) -> Verdicts:
    past = Past.start(7)
    return same_by_columns([propose(envelope, past, PLAIN, 0)], Pasts.of([past]), envelope, [0])


@pytest.mark.req("SR-03")
def test_what_is_no_envelope_stops_every_row() -> None:
    envelope, before = small_envelope(), started(2)
    asked = columns_of([propose(envelope, before.past(row), PLAIN, 0) for row in (0, 1)], "x")
    for wrong in (None, "research", tuple(envelope)):
        found = review_columns(asked, before, wrong, np.zeros(2, dtype=np.int64))  # type: ignore[arg-type]
        assert found.settings() == [OFF, OFF]
        assert all(found.verdict(row).past.latched for row in (0, 1))


@pytest.mark.req("SR-03")
@pytest.mark.parametrize("row", [-1, 2, "0", True, None, 0.0], ids=repr)
def test_a_row_that_there_is_not_is_an_error_in_words(row: object) -> None:
    sound = columns_of([None, None], "0" * 64)
    assert replace(sound, others={0: None, 1: None}).proposal(1) is None
    with pytest.raises(InputError, match=r"others holds row .*: 0 to 1 was expected"):
        replace(sound, others={row: None})


@pytest.mark.req("SR-03")
def test_a_column_is_a_setting_with_a_whole_cycle_or_none() -> None:
    assert column_of(CYCLING) == (0, 4000, 50, 120, 20_000, 30_000, 1)
    assert setting_of((0, 4000, 50, 120, 20_000, 30_000, 1)) == CYCLING
    assert setting_of((0, 4000, 50, 120, 0, 0, 0)) == PLAIN
    for name in ("on_ms", "off_ms"):
        for setting in (CYCLING, PLAIN):
            odd = replace(setting)
            object.__setattr__(odd, name, 0 if setting is CYCLING else 1)
            assert column_of(odd) is None
    names = ("site", "amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms", "off_ms")
    for place, (name, largest) in enumerate(zip(names, LARGEST, strict=True)):
        column = column_of(replace(CYCLING, **{name: largest}))
        assert column is not None
        assert column[place] == largest
        assert column_of(replace(CYCLING, **{name: largest + 1})) is None
    for mode in (-1, 3):
        with pytest.raises(ValueError, match=rf"mode = {mode}: 0 to 2 was expected"):
            setting_of((0, 4000, 50, 120, 0, 0, mode))


@pytest.mark.req("SR-11")
@pytest.mark.parametrize("amplitude_ua", [0, 1])
def test_without_current_a_row_is_a_stop_whatever_its_other_numbers(amplitude_ua: int) -> None:
    column = np.array([[-5], [amplitude_ua], [7], [7], [1], [0], [9]], dtype=np.int64)
    zero = np.zeros(1, dtype=np.int64)
    asked = Proposals(
        patient=zero, sequence=zero, at_s=zero, envelope_hash="0" * 64, setting=column
    )
    wish = asked.proposal(0).setting  # type: ignore[attr-defined]
    assert wish == (OFF if amplitude_ua == 0 else (-5, 1, 7, 7, 1, 0, 9))


def test_lists_are_as_wide_as_their_longest_and_zero_beyond() -> None:
    lists = Lists.of([[(1, 2)], [], [(3, 4), (5, 6)]], n_fields=2)
    assert lists.n.tolist() == [1, 0, 2]
    assert lists.items.tolist() == [[[1, 0, 3], [2, 0, 4]], [[0, 0, 5], [0, 0, 6]]]
    assert lists.in_a_row().tolist() == [[1, 2], [3, 4], [5, 6]]
    assert lists.rows(np.array([1, 0])).items.tolist() == [[[0, 1], [0, 2]]]
    gone = lists.without_first(np.array([1, 0, 1]))
    assert (gone.n.tolist(), gone.items.tolist()) == ([0, 0, 1], [[[0, 0, 5], [0, 0, 6]]])
    more = lists.with_last(np.array([1, 2]), np.array([7, 8, 9]), np.array([70, 80, 90]))
    assert more.n.tolist() == [1, 1, 3]
    assert more.in_a_row().tolist() == [[1, 2], [8, 80], [3, 4], [5, 6], [9, 90]]
    assert more.items[1:, :, :2].sum() == 0
    back = lists.with_rows(np.array([0]), Lists.of([[(9, 9), (8, 8), (7, 7)]], n_fields=2))
    assert back.in_a_row().tolist() == [[9, 9], [8, 8], [7, 7], [3, 4], [5, 6]]
    assert Lists.of([], n_fields=2).items.shape == (0, 2, 0)
    assert Lists.of([[], []], n_fields=3).items.shape == (0, 3, 2)


@pytest.mark.req("SR-06")
def test_parts_per_million_are_exact_by_long_division() -> None:
    for share in (0, 1, -1, 999, -999, 10**12 + 7, -(10**12) - 7, 2**52):
        for whole in (1, 3, 7, 10**6 + 3, 2**51 + 1):
            if abs(share) <= 2**10 * whole:
                found = parts_per_million(np.array([share]), np.array([whole]))
                assert found.tolist() == [10**6 * share // whole]
