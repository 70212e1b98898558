"""The gate by columns gives the verdicts of the gate, to the bit, whatever stands beside a row."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import OFF, InputError, Mode, Proposal, Setting
from safety import (
    Change,
    Latch,
    NotTolerated,
    Past,
    Rise,
    Rule,
    Ruling,
    envelope_names,
    group_of,
    is_deliverable,
    load_envelope,
    review,
)
from safety.audit_cohort import groups_of
from safety.columns import LARGEST, MOST, Pasts, Proposals, column_of
from safety.columns_review import limits_of, review_columns
from safety.reading import MAX_AGE_S, MAX_JUMP
from tests.safety.strategies import (
    DAY,
    NOT_INTEGERS,
    SHIPPED,
    envelopes,
    overwritten,
    pasts,
    propose,
    silences,
    small_envelope,
    wishes,
    wishes_near,
)
from tests.safety.twin import columns_of, same_by_columns, started, verdicts_of
from tests.safety.verification.sequences import ATTACKS, Attacker, happened
from tests.safety.verification.sizes import rounds

GOOD = Setting(site=0, amplitude_ua=2000, frequency_hz=100, pulse_width_us=120)
FREE_RISE = {
    "step_amplitude_ua": 10**9,
    "rise_amplitude_ua": 10**9,
    "rise_charge_nc_per_s": 10**9,
    "rise_duty_permille": 1000,
}
WILD_NUMBERS = (-(2**63), -(2**31), -1, 0, 1, 7, 2**31, 2**56, 2**56 + 1, 2**62, 2**63 - 1)


def attacked(name: str, n_patients: int, n_steps: int, seed: int) -> tuple[int, int, int]:
    """Attack patients side by side; return how many rows were ordinary, clamped and latched."""
    envelope, luck = load_envelope(name), Random(seed)
    attackers = [Attacker(luck, envelope, Past.start(patient)) for patient in range(n_patients)]
    before, counts = started(n_patients), [0, 0, 0]
    for _ in range(n_steps):
        asked = [luck.choice(ATTACKS)(by) for by in attackers]
        found = same_by_columns(asked, before, envelope, [by.clock for by in attackers])
        for rows, group in groups_of(found, [by.clock for by in attackers]):
            times = [attackers[row].clock for row in rows]
            assert group == group_of([found.verdict(row) for row in rows], times)
        for by, verdict in zip(attackers, verdicts_of(found), strict=True):
            by.past = happened(by, verdict.past)
            counts[1] += verdict.ruling is Ruling.CLAMPED
            counts[2] += bool(by.past.latches)
        counts[0] += len(found.ordinary)
        before = found.pasts.with_pasts({row: by.past for row, by in enumerate(attackers)})
    return counts[0], counts[1], counts[2]


@pytest.mark.req("SR-06")
@pytest.mark.req("SR-07")
@pytest.mark.parametrize("name", envelope_names())
def test_hostile_histories_give_the_same_verdicts_pasts_and_records(name: str) -> None:
    n_ordinary, n_clamped, n_latched = attacked(name, n_patients=25, n_steps=80, seed=6)
    assert min(n_ordinary, n_clamped) > 100
    assert n_latched > 5


@pytest.mark.slow
@pytest.mark.req("SR-06")
@pytest.mark.parametrize("name", envelope_names())
def test_many_hostile_histories_give_the_same_verdicts(name: str) -> None:
    for seed in range(20):
        attacked(name, n_patients=100, n_steps=100, seed=seed)


@pytest.mark.req("SR-06")
@settings(max_examples=150)
@given(st.data())
def test_any_envelope_past_and_wish_give_the_same_verdict(data: st.DataObject) -> None:
    envelope = data.draw(envelopes())
    before = [data.draw(pasts(envelope, review)) for _ in range(data.draw(st.integers(1, 3)))]
    now = [past.at_s + data.draw(silences(envelope)) for past in before]
    asked = [
        propose(
            envelope, past, data.draw(wishes(envelope) | wishes_near(envelope, past.delivered)), at
        )
        for past, at in zip(before, now, strict=True)
    ]
    same_by_columns(asked, Pasts.of(before), envelope, now)


def grid_is_the_same(name: str, n_settings: int | None) -> None:
    """Compare on all settings of a device, or so many, from OFF and without a limit of rise."""
    envelope = load_envelope(name).replaced(**FREE_RISE)
    every = [*envelope.space]
    chosen = every if n_settings is None else Random(7).sample(every, n_settings)
    n_ordinary = 0
    for start in range(0, len(chosen), 10_000):
        part = chosen[start : start + 10_000]
        before = started(len(part))
        asked = [propose(envelope, before.past(row), each, 0) for row, each in enumerate(part)]
        found = same_by_columns(asked, before, envelope, [0] * len(part))
        # All that `review` accepts is ordinary, so that nothing legal takes the slow way.
        legal = [row for row, each in enumerate(part) if is_deliverable(each, envelope)]
        assert found.ordinary.tolist() == legal
        n_ordinary += len(legal)
    assert 0 < n_ordinary < len(chosen)


@pytest.mark.req("SR-06")
@pytest.mark.parametrize("name", envelope_names())
def test_settings_of_a_device_are_ordinary_exactly_where_they_are_legal(name: str) -> None:
    grid_is_the_same(name, 1500)


@pytest.mark.slow
@pytest.mark.req("SR-06")
@pytest.mark.parametrize("name", envelope_names())
def test_every_setting_of_a_device_is_ordinary_exactly_where_it_is_legal(name: str) -> None:
    grid_is_the_same(name, None)


@pytest.mark.req("SR-06")
@pytest.mark.req("SR-17")
def test_tight_days_and_long_windows_give_the_same_verdicts() -> None:
    assert sum(tight(seed) for seed in range(12)) > 1000


def tight(seed: int) -> int:
    """Compare where days and windows bind; return how many rows were ordinary."""
    luck = Random(seed)
    envelope = small_envelope(
        amplitude_ua=(1001, 2003, 3007),
        on_ms=(10_007, 20_011, 30_000),  # so that charges have to be rounded
        day_max_changes=luck.choice((1, 2, 5, 32)),
        day_max_therapies=luck.choice((1441, 2161, 4321, 6000)),
        day_max_charge_uc=luck.choice((60_000, 400_000, 10**8)),
        rise_window_s=luck.choice((1, DAY, 60 * DAY)),
        lockout_s=luck.choice((0, DAY)),
        step_amplitude_ua=luck.choice((1000, 8000)),
        rise_amplitude_ua=luck.choice((4000, 10**6)),
        rise_charge_nc_per_s=luck.choice((500, 10**8)),
    )
    wishes_of_all = [*envelope.space]
    n_patients, n_ordinary, clock = 20, 0, [0] * 20
    before = started(n_patients)
    for _ in range(60):
        asked = []
        for row in range(n_patients):
            past = before.past(row)
            clock[row] += luck.choice((1, 3600, DAY - 1, DAY, DAY, DAY + 1))
            wish = luck.choice(wishes_of_all)
            if luck.random() < 0.7 and not past.delivered.is_off:
                name = luck.choice(("amplitude_ua", "frequency_hz", "on_ms", "off_ms"))
                if getattr(past.delivered, name):
                    wish = replace(past.delivered, **{name: luck.choice(getattr(envelope, name))})
            asked.append(propose(envelope, past, wish, clock[row]))
        found = same_by_columns(asked, before, envelope, clock)
        n_ordinary += len(found.ordinary)
        before = found.pasts
    return n_ordinary


@pytest.mark.req("SR-06")
@pytest.mark.parametrize("name", ["rises", "changes"])
def test_the_33rd_of_a_list_is_merged_as_the_gate_merges_it(name: str) -> None:
    envelope = small_envelope(
        amplitude_ua=(100, 200), rise_window_s=100 * DAY, rise_amplitude_ua=10**6
    )
    low = replace(GOOD, amplitude_ua=100)
    before, n_alone = started(1), 0
    step_s = DAY if name == "rises" else 600
    for number in range(80):
        wish = low if number % 2 else replace(low, amplitude_ua=200)
        past, now = before.past(0), number * step_s
        found = same_by_columns([propose(envelope, past, wish, now)], before, envelope, [now])
        before, n_alone = found.pasts, n_alone + len(found.others)
    assert before.past(0).rises
    assert len(getattr(before.past(0), name)) == 32
    assert 0 < n_alone < 80


@pytest.mark.req("SR-06")
def test_neither_order_nor_size_of_the_batch_matters() -> None:
    envelope, luck = SHIPPED["research"], Random(8)
    n_rows = 100
    attackers = [Attacker(luck, envelope, Past.start(patient)) for patient in range(n_rows)]
    before = started(n_rows)
    for _ in range(6):
        asked = [luck.choice(ATTACKS)(by) for by in attackers]
        now = [by.clock for by in attackers]
        whole = same_by_columns(asked, before, envelope, now)
        order = luck.sample(range(n_rows), n_rows)
        for size in (1, 7, n_rows):
            for start in range(0, n_rows, size):
                rows = order[start : start + size]
                part = review_columns(
                    columns_of([asked[row] for row in rows], envelope.hash),
                    before.rows(np.array(rows)),
                    envelope,
                    np.array([now[row] for row in rows]),
                )
                assert verdicts_of(part) == [whole.verdict(row) for row in rows]
                before_last = before.with_rows(np.array(rows), part.pasts)
                assert before_last.past(rows[0]) == whole.pasts.past(rows[0])
        before = whole.pasts
        for by, verdict in zip(attackers, verdicts_of(whole), strict=True):
            by.past = verdict.past


def poisoned(seed: int, n_batches: int) -> int:
    """Poison rows of batches; return how many rows beside them were ordinary."""
    luck, n_ordinary = Random(seed), 0
    envelope = SHIPPED[luck.choice(list(SHIPPED))]
    lowest = next(each for each in envelope.space if each.amplitude_ua)
    for _ in range(n_batches):
        before = started(8)
        sound = [propose(envelope, before.past(row), lowest, 0) for row in range(8)]
        now = np.zeros(8, dtype=np.int64)
        clean = review_columns(columns_of(sound, envelope.hash), before, envelope, now)
        row = luck.randrange(8)
        given, at = poison(luck, columns_of(sound, envelope.hash), sound[row], row), now.copy()
        if luck.random() < 0.3:
            at[row] = luck.choice(WILD_NUMBERS)
        kept = before if luck.random() < 0.5 else before.with_pasts({row: bad_past(luck, row)})
        found = review_columns(given, kept, envelope, at)
        expected = review(given.proposal(row), kept.past(row), envelope, int(at[row]))
        assert found.verdict(row) == expected
        for other in {*range(8)} - {row}:
            assert found.verdict(other) == clean.verdict(other)
            n_ordinary += other not in found.others
    return n_ordinary


def poison(luck: Random, given: Proposals, sound: Proposal, row: int) -> Proposals:
    """Return proposals in which one row holds any numbers, or any object at all."""
    wild = luck.choice([*NOT_INTEGERS.values()])
    if luck.random() < 0.3:
        name = luck.choice(("amplitude_ua", "on_ms", "site", "mode"))
        wish = overwritten(sound.setting, **{name: wild})
        other = luck.choice((wild, replace(sound, setting=wish), replace(sound, sequence=wild)))
        return replace(given, others={row: other})
    columns = {name: getattr(given, name).copy() for name in ("patient", "sequence", "at_s")}
    setting = given.setting.copy()
    if luck.random() < 0.5:
        columns[luck.choice(list(columns))][row] = luck.choice(WILD_NUMBERS)
    else:
        setting[luck.randrange(7), row] = luck.choice(WILD_NUMBERS)
    return replace(given, **columns, setting=setting)


def bad_past(luck: Random, patient: int) -> Past:
    """Return a past that columns do not hold, or one whose numbers are the largest they do."""
    far = luck.choice((MOST, MOST + 1, 2**63, 2**200))
    past = Past.start(patient)
    return luck.choice(
        (
            replace(past, at_s=far),
            replace(past, sequence=far),
            replace(past, rises=(Rise(0, far, far, far),) * luck.choice((1, 32, 33))),
            replace(past, changes=(Change(0, far, far, far, far, far),) * luck.choice((1, 32, 33))),
            replace(past, delivered=replace(GOOD, amplitude_ua=far)),
            replace(past, not_tolerated=(NotTolerated(0, 120, 0),)),
            replace(past, latches=(Latch(None, Rule.DEFECT, 0),)),
            replace(past, delivered=overwritten(GOOD, on_ms=float("nan"))),
        )
    )


@pytest.mark.req("SR-07")
def test_a_poisoned_row_changes_no_other() -> None:
    assert sum(poisoned(seed, 20) for seed in range(20)) == 20 * 20 * 7


@pytest.mark.slow
@pytest.mark.req("SR-07")
def test_100_000_poisoned_batches_change_no_other_row() -> None:
    for number in rounds("isolated batches of columns", each=100):
        assert poisoned(1000 + number, 100) == 100 * 7


@pytest.mark.req("SR-06")
def test_the_largest_numbers_of_columns_stay_exact() -> None:
    envelope = small_envelope(day_max_changes=32, day_max_charge_uc=10**12)
    largest = Setting(
        site=2,
        amplitude_ua=LARGEST[1],
        frequency_hz=LARGEST[2],
        pulse_width_us=120,
        on_ms=LARGEST[4],
        off_ms=LARGEST[5],
        mode=envelope.modes[1],
    )
    wish = replace(GOOD, site=2, mode=envelope.modes[1], on_ms=30_000, off_ms=10_000)
    for n_items in (0, 1, 31, 32):
        rises = (Rise(0, MOST, MOST, MOST),) * n_items
        changes = (Change(0, MOST, MOST, MOST, MOST, MOST),) * n_items
        for delivered in (OFF, GOOD, largest, replace(largest, pulse_width_us=LARGEST[3])):
            past = Past.start(0)
            past = replace(past, delivered=delivered, rises=rises, changes=changes)
            before = Pasts.of([past])
            assert not before.others
            for now in (0, DAY, MOST - 1, MOST, MOST + 1, 2**63 - 1):
                for each in (wish, OFF, GOOD):
                    same_by_columns([propose(envelope, past, each, now)], before, envelope, [now])


@pytest.mark.req("SR-08")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"day_max_charge_uc": 10**4},
        {"day_max_therapies": 1},
        {"max_lead_current_ua": 1500},
        {"max_contact_current_ua": 1500},
        {"max_density_hundredths": 30},
        {"max_duty_permille": 500},
        {"interphase_gap_us": 9900},
    ],
)
def test_what_runs_is_asked_again_when_the_envelope_is_tightened(changes: dict[str, int]) -> None:
    envelope = small_envelope(**changes)
    cyclic = replace(GOOD, mode=Mode.CYCLING, on_ms=30_000, off_ms=10_000)
    before = Pasts.of([replace(Past.start(7), delivered=each) for each in (GOOD, cyclic)])
    asked = [propose(envelope, before.past(row), before.past(row).delivered, 0) for row in (0, 1)]
    found = same_by_columns(asked, before, envelope, [0, 0])
    assert bool(found.others) is bool(changes)


@pytest.mark.req("SR-03")
@pytest.mark.parametrize("mode", [-1, len(Mode)])
def test_a_number_that_is_no_mode_is_malformed(mode: int) -> None:
    envelope, before = small_envelope(), started(1)
    wish = replace(GOOD, mode=Mode.CYCLING, on_ms=30_000, off_ms=10_000)
    given_rows = columns_of([propose(envelope, before.past(0), wish, 0)], envelope.hash)
    given_rows.setting[6] = mode
    found = review_columns(given_rows, before, envelope, np.zeros(1, dtype=np.int64))
    assert found.verdict(0).findings[0].rule is Rule.MALFORMED
    assert found.settings() == [OFF]


@pytest.mark.req("SR-06")
def test_an_envelope_of_numbers_too_large_goes_row_by_row() -> None:
    envelope = small_envelope(frequency_hz=(5, 10**9), pulse_width_us=(60, 120, 10**9))
    assert limits_of(envelope) is None
    before = started(2)
    asked = [
        propose(envelope, before.past(row), replace(GOOD, frequency_hz=5), 0) for row in (0, 1)
    ]
    found = same_by_columns(asked, before, envelope, [0, 0])
    assert len(found.others) == 2
    assert found.settings() == [replace(GOOD, frequency_hz=5)] * 2


@pytest.mark.req("SR-13")
def test_addresses_are_right_up_to_their_edges_and_no_further() -> None:
    envelope, past = SHIPPED["research"], Past.start(7)
    right = [
        {"sequence": 0},
        {"sequence": MAX_JUMP - 1},
        {"at_s": DAY - MAX_AGE_S},
        {"at_s": DAY},
    ]
    wrong = [
        {"sequence": -1},
        {"sequence": MAX_JUMP},
        {"at_s": DAY - MAX_AGE_S - 1},
        {"at_s": DAY + 1},
        {"patient": 8},
        {"patient": -7},
    ]
    wish = next(each for each in envelope.space if is_deliverable(each, envelope) and each != OFF)
    asked = [propose(envelope, past, wish, DAY, **changes) for changes in right + wrong]
    found = same_by_columns(asked, Pasts.of([past] * 10), envelope, [DAY] * 10)
    assert found.ordinary.tolist() == [0, 1, 2, 3]


@pytest.mark.req("SR-13")
def test_proposals_for_another_envelope_are_refused_row_by_row() -> None:
    envelope = SHIPPED["research"]
    before = started(2)
    asked = [propose(envelope, before.past(row), GOOD, 0) for row in (0, 1)]
    elsewhere = replace(columns_of(asked, envelope.hash), envelope_hash="0" * 64)
    found = review_columns(elsewhere, before, envelope, np.zeros(2, dtype=np.int64))
    assert [found.verdict(row).findings[0].rule for row in (0, 1)] == [Rule.ENVELOPE] * 2


@pytest.mark.req("SR-16")
def test_what_was_not_tolerated_counts_from_off_by_columns_too() -> None:
    envelope = small_envelope(step_amplitude_ua=2000)
    harmed = replace(Past.start(0), delivered=GOOD, not_tolerated=(NotTolerated(0, 120, 3000),))
    bold, careful = replace(GOOD, amplitude_ua=3000), replace(GOOD, frequency_hz=200)
    for wish, is_ordinary in ((bold, False), (careful, True), (GOOD, True), (OFF, True)):
        asked = [propose(envelope, harmed, wish, DAY)]
        found = same_by_columns(asked, Pasts.of([harmed]), envelope, [DAY])
        assert (0 not in found.others) is is_ordinary


@given(st.data())
@settings(max_examples=100)
def test_pasts_come_back_from_columns_as_they_were(data: st.DataObject) -> None:
    envelope = data.draw(envelopes())
    given_pasts = [data.draw(pasts(envelope, review)) for _ in range(data.draw(st.integers(0, 4)))]
    luck = Random(data.draw(st.integers(0, 1000)))
    given_pasts += [bad_past(luck, 7) for _ in range(2)]
    columns = Pasts.of(given_pasts)
    rows = range(len(given_pasts))
    assert [columns.past(row) for row in rows] == given_pasts
    order = data.draw(st.permutations(rows))
    shuffled = columns.rows(np.array(order))
    assert [shuffled.past(place) for place in rows] == [given_pasts[row] for row in order]
    back = Pasts.of([Past.start(3)] * len(given_pasts)).with_rows(np.array(order), shuffled)
    assert [back.past(row) for row in rows] == given_pasts


def test_columns_of_another_kind_are_an_error_in_words() -> None:
    sound = columns_of([propose(SHIPPED["research"], Past.start(0), GOOD, 0)], "0" * 64)
    for name, bad in (
        ("patient", np.zeros(1)),
        ("sequence", np.zeros(2, dtype=np.int64)),
        ("at_s", [0]),
        ("setting", np.zeros((7, 1), dtype=np.bool_)),
    ):
        with pytest.raises(InputError, match=f"{name} is .*: int64 of shape"):
            replace(sound, **{name: bad})
    with pytest.raises(InputError, match="patient is int64 of shape"):
        review_columns(sound, started(2), SHIPPED["research"], np.zeros(2, dtype=np.int64))


def test_a_setting_that_is_none_is_no_column() -> None:
    for value in NOT_INTEGERS.values():
        assert column_of(overwritten(GOOD, amplitude_ua=value)) is None
        assert column_of(value) is None
    assert column_of(overwritten(GOOD, on_ms=1000)) is None
    assert column_of(GOOD) == (0, 2000, 100, 120, 0, 0, 0)
