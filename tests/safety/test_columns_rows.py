"""Pasts as columns: which of them columns hold, and rows that are taken out and put back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from protocols import OFF, InputError, Setting
from safety import Change, Latch, NotTolerated, Past, Rise, Rule
from safety.columns import Pasts, is_everyone, row_of
from safety.columns_review import review_columns
from tests.safety.strategies import overwritten, propose, running, small_envelope
from tests.safety.twin import columns_of, same_by_columns, started

PLAIN = Setting(site=0, amplitude_ua=4000, frequency_hz=50, pulse_width_us=120)
MOST = 2**56
FREE = replace(
    running(PLAIN, sequence=3, at_s=9, refusals=1, lockout_until_s=5),
    rises=(Rise(1, 2, 3, 4), Rise(5, 6, 7, 8)),
    changes=(Change(1, 2, 3, 4, 5, 6),),
    not_tolerated=(NotTolerated(0, 60, 3000),),
)
LATCHED = replace(FREE, patient=8, latches=(Latch(None, Rule.DEFECT, 0),))
EMPTY = Past.start(9)


def at(*rows: int) -> Any:
    return np.array(rows, dtype=np.int64)


def test_rows_are_taken_out_and_put_back() -> None:
    pasts = [FREE, LATCHED, EMPTY, replace(LATCHED, patient=10)]
    columns = Pasts.of(pasts)
    assert set(columns.others) == {1, 3}
    assert [columns.past(row) for row in range(4)] == pasts
    for rows in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 2), (2,), (0, 2), (3, 3, 0, 1), ()):
        some = columns.rows(at(*rows))
        assert some.n_rows == len(rows)
        assert [some.past(place) for place in range(len(rows))] == [pasts[row] for row in rows]
        assert set(some.others) == {place for place, row in enumerate(rows) if row in (1, 3)}
    for rows in ((0, 1, 2, 3), (1, 0), (3,), (0, 2), (2, 1, 3)):
        other = Pasts.of([replace(pasts[row - 1], patient=70 + row) for row in rows])
        changed = columns.with_rows(at(*rows), other)
        for row in range(4):
            expected = other.past(rows.index(row)) if row in rows else pasts[row]
            assert changed.past(row) == expected
            assert (row in changed.others) is bool(expected.latches)
    assert columns.with_pasts({}) is columns
    other = columns.with_pasts({2: LATCHED, 1: EMPTY})
    assert [other.past(row) for row in range(4)] == [FREE, EMPTY, LATCHED, pasts[3]]


def test_everyone_is_all_rows_in_their_order() -> None:
    assert is_everyone(at(0, 1, 2), 3)
    for rows, n_rows in (((0, 1), 3), ((0, 2, 1), 3), ((1, 2, 3), 3), ((0, 1, 1), 3), ((), 1)):
        assert not is_everyone(at(*rows), n_rows)


@pytest.mark.req("SR-06")
@pytest.mark.parametrize(
    ("changes", "is_held"),
    [
        ({}, True),
        ({"delivered": OFF}, True),
        ({"patient": 0}, True),
        ({"patient": -1}, False),
        ({"patient": True}, False),
        ({"sequence": -1}, True),
        ({"sequence": -2}, False),
        ({"sequence": MOST - 1}, True),
        ({"sequence": MOST}, False),
        ({"at_s": MOST}, True),
        ({"at_s": MOST + 1}, False),
        ({"at_s": 9.0}, False),
        ({"at_s": 4}, False),  # before its last rise
        ({"refusals": MOST + 1}, False),
        ({"lockout_until_s": -1}, False),
        ({"latches": LATCHED.latches}, False),
        ({"delivered": replace(OFF, site=1)}, False),
        ({"delivered": overwritten(PLAIN, on_ms=1)}, False),
        ({"delivered": overwritten(PLAIN, amplitude_ua=4000.0)}, False),
        ({"delivered": None}, False),
        ({"delivered": replace(PLAIN, amplitude_ua=2**20)}, True),
        ({"delivered": replace(PLAIN, amplitude_ua=2**20 + 1)}, False),
        ({"rises": (Rise(1, 0, MOST, 0),)}, True),
        ({"rises": (Rise(1, 0, MOST + 1, 0),)}, False),
        ({"rises": (Rise(1, 0, True, 0),)}, False),
        ({"rises": (Rise(1, -1, 0, 0),)}, False),
        ({"rises": (Rise(2, 0, 0, 0), Rise(1, 0, 0, 0))}, False),
        ({"rises": (Rise(1, 0, 0, 0),) * 32}, True),
        ({"rises": (Rise(1, 0, 0, 0),) * 33}, False),
        ({"changes": (Change(1, 0, 0, 0, 0, 1),) * 32}, True),
        ({"changes": (Change(1, 0, 0, 0, 0, 1),) * 33}, False),
        ({"changes": (Change(2, 0, 0, 0, 0, 1), Change(1, 0, 0, 0, 0, 1))}, False),
        ({"not_tolerated": (NotTolerated(0, 60, 3000),) * 40}, True),
        ({"not_tolerated": (NotTolerated(0, 60, -1),)}, False),
    ],
    ids=str,
)
def test_columns_hold_pasts_of_whole_numbers_in_bounds_and_in_order(changes, is_held) -> None:
    past = replace(FREE, **changes)
    assert (row_of(past) is not None) is is_held
    columns = Pasts.of([EMPTY, past, EMPTY])
    assert (1 in columns.others) is not is_held
    assert columns.past(1) == past
    assert columns.past(2) == EMPTY


@pytest.mark.req("SR-07")
def test_rows_that_are_reviewed_alone_leave_columns_of_nought_and_no_trace_elsewhere() -> None:
    envelope = small_envelope()
    pasts = [Past.start(patient) for patient in range(4)]
    asked = [propose(envelope, past, PLAIN, 0) for past in pasts]
    asked[1] = None  # type: ignore[call-overload]
    asked[2] = propose(envelope, pasts[2], replace(PLAIN, amplitude_ua=4001), 0)
    found = same_by_columns(asked, Pasts.of(pasts), envelope, [0] * 4)
    assert found.ordinary.tolist() == [0, 3]
    assert set(found.others) == {1, 2}
    assert found.delivered[:, [1, 2]].sum() == 0
    assert found.ramp_s.tolist() == [134, 0, 0, 134]
    assert found.settings() == [PLAIN, OFF, PLAIN, PLAIN]


@pytest.mark.req("SR-03")
@pytest.mark.parametrize("name", ["patient", "sequence", "at_s", "setting"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda column: column.astype(np.int32),
        lambda column: column.astype(np.float64),
        lambda column: column[..., :1],
        lambda column: column[None],
        lambda column: column.tolist(),
        lambda column: np.ma.array(column),
    ],
)
def test_every_column_is_an_array_of_64_bits_and_of_one_length(name: str, spoil) -> None:
    asked = columns_of([None, None], "0" * 64)
    with pytest.raises(InputError, match=r" is .*: int64 of shape .* was expected"):
        replace(asked, **{name: spoil(getattr(asked, name))})


@pytest.mark.req("SR-03")
def test_times_and_patients_are_as_many_as_pasts() -> None:
    envelope = small_envelope()
    two, three = started(2), columns_of([None] * 3, envelope.hash)
    with pytest.raises(InputError, match="patient is int64 of shape"):
        review_columns(three, two, envelope, np.zeros(2, dtype=np.int64))
    for now in (np.zeros(3, dtype=np.int64), np.zeros(2), [0, 0]):
        with pytest.raises(InputError, match="now is "):
            review_columns(columns_of([None] * 2, envelope.hash), two, envelope, now)  # type: ignore[arg-type]
