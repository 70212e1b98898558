"""The gate for many patients at once: `review` by columns, with the same verdicts to the bit.

A row is ordinary where the envelope, a patient without a latch, and what came before permit
exactly what is proposed: that alone is decided here, in whole numbers of 64 bits whose sizes are
bounded on the way in. Every other row goes to `review` by itself. Settings are columns `7 B` in
the order of `Setting`, the mode as its place among the modes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from protocols import OFF, InputError, Mode, Proposal, Setting
from protocols.setting import INTEGER_FIELDS
from safety.day import MAX_CHANGES
from safety.reading import READ_SETTING, read_setting
from safety.rise import MAX_RISES
from safety.verdict import Change, NotTolerated, Past, Rise, Ruling, Verdict

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

MODES = tuple(Mode)
CONTINUOUS = MODES.index(Mode.CONTINUOUS)
N_FIELDS = len(INTEGER_FIELDS) + 1

MOST = 2**56
"""The largest number in the columns of a past: 32 of them still add up within 63 bits."""
LARGEST = (2**16, 2**20, 2**16, 2**16, 2**25, 2**25)
"""The largest site, µA, Hz, µs, ms on and ms off, so that no product leaves 63 bits."""
MOST_LEADS = 16

NUMBERS = ("patient", "sequence", "at_s", "refusals", "lockout_until_s")
KINDS: Mapping[str, type[Any]] = {
    "rises": Rise,
    "changes": Change,
    "not_tolerated": NotTolerated,
}
READ_NUMBERS = attrgetter(*NUMBERS)
READ_ITEM = {kind: attrgetter(*(each.name for each in fields(kind))) for kind in KINDS.values()}


@lru_cache(maxsize=2**15)
def setting_of(numbers: tuple[int, ...]) -> Setting:
    """Return the setting of one column; raise `ValueError` where there is none."""
    *integers, mode = numbers
    if not 0 <= mode < len(MODES):
        raise ValueError(f"mode = {mode}: 0 to {len(MODES) - 1} was expected")
    return Setting(**dict(zip(INTEGER_FIELDS, integers, strict=True)), mode=MODES[mode])


def column_of(value: object) -> tuple[int, ...] | None:
    """Return a setting as one column, None for what is none, or has numbers out of bounds."""
    if type(value) is not Setting:
        return None
    try:
        *numbers, mode = READ_SETTING(value)
    except AttributeError:
        return None
    for number, largest in zip(numbers, LARGEST, strict=True):
        if type(number) is not int or not 0 <= number <= largest:
            return None
    if type(mode) is not Mode:
        return None
    cycle = numbers[4:]
    is_cycle = all(cycle) if mode is not Mode.CONTINUOUS else not any(cycle)
    return (*numbers, MODES.index(mode)) if is_cycle else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lists:
    """For each of B rows a list of up to W items of F numbers: lengths `B` and items `W F B`.

    What is beyond the length of a row is 0, so that sums and maxima need no mask.
    """

    n: Integers
    items: Integers

    @classmethod
    def of(cls, rows: Sequence[Sequence[tuple[int, ...]]], n_fields: int) -> Self:
        """Return lists of these items."""
        n = np.array([len(row) for row in rows], dtype=np.int64)
        items = np.zeros((int(n.max(initial=0)), n_fields, len(rows)), dtype=np.int64)
        for b, row in enumerate(rows):
            for k, item in enumerate(row):
                items[k, :, b] = item
        return cls(n=n, items=items)

    def rows(self, index: Integers) -> "Lists":
        """Return the lists of these rows, as wide as the longest of them."""
        n = self.n[index]
        return Lists(n=n, items=self.items[: int(n.max(initial=0)), :, index])

    def with_rows(self, index: Integers, other: "Lists") -> "Lists":
        """Return the same lists with those of `other` at these rows."""
        n = self.n.copy()
        n[index] = other.n
        items = widened(self.items, len(other.items))
        items[:, :, index] = widened(other.items, len(items))
        return Lists(n=n, items=items)

    def in_a_row(self) -> Integers:
        """Return the items of the first row, then those of the next, and so on, `n F`."""
        is_item = np.arange(len(self.items)) < self.n[:, None]
        return self.items.transpose(2, 0, 1)[is_item]

    def without_first(self, n_gone: Integers) -> "Lists":
        """Return the same lists without the first `n_gone` items of each row."""
        if not n_gone.any():
            return self
        n = self.n - n_gone
        width = int(n.max(initial=0))
        items = self.items[:width].copy()
        moved = np.flatnonzero(n_gone)
        for k in range(width):
            at = k + n_gone[moved]
            is_there = at < self.n[moved]
            there = moved[is_there]
            items[k, :, moved] = 0
            items[k, :, there] = self.items[at[is_there], :, there]
        return Lists(n=n, items=items)

    def with_last(self, index: Integers, *fields_of_all: Integers) -> "Lists":
        """Return the same lists with one item more at some rows, given its fields for every row."""
        if not index.size:
            return self
        n = self.n.copy()
        n[index] += 1
        items = widened(self.items, int(n.max()))
        items[self.n[index], :, index] = np.stack(fields_of_all)[:, index].T
        return Lists(n=n, items=items)


def widened(items: Integers, width: int) -> Integers:
    """Return a copy of items that is at least so wide."""
    wide = np.zeros((max(width, len(items)), *items.shape[1:]), dtype=np.int64)
    wide[: len(items)] = items
    return wide


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pasts:
    """What the gate remembers of B patients: the fields of `Past` as columns.

    A past with a latch, or with a number out of bounds, is kept as it is in `others`, by its row,
    whose columns are 0.
    """

    patient: Integers
    sequence: Integers
    at_s: Integers
    refusals: Integers
    lockout_until_s: Integers
    delivered: Integers
    rises: Lists
    changes: Lists
    not_tolerated: Lists
    others: Mapping[int, Past]

    @classmethod
    def of(cls, pasts: Sequence[Past]) -> Self:
        """Return these pasts as columns; `past` gives each of them back as it was."""
        rows = [row_of(past) for past in pasts]
        full = [NOTHING if row is None else row for row in rows]
        numbers = np.array([row.numbers for row in full], dtype=np.int64)
        numbers = numbers.reshape(len(full), len(NUMBERS))
        delivered = np.array([row.delivered for row in full], dtype=np.int64)
        columns: dict[str, Any] = {
            name: numbers[:, index].copy() for index, name in enumerate(NUMBERS)
        }
        for index, (name, kind) in enumerate(KINDS.items()):
            columns[name] = Lists.of([row.lists[index] for row in full], len(fields(kind)))
        return cls(
            **columns,
            delivered=delivered.reshape(len(full), N_FIELDS).T.copy(),
            others={b: past for b, past in enumerate(pasts) if rows[b] is None},
        )

    @property
    def n_rows(self) -> int:
        """B."""
        return len(self.patient)

    def past(self, row: int) -> Past:
        """Return the past of one row."""
        if row in self.others:
            return self.others[row]
        numbers: dict[str, Any] = {name: int(getattr(self, name)[row]) for name in NUMBERS}
        for name, kind in KINDS.items():
            lists: Lists = getattr(self, name)
            items = lists.items[: int(lists.n[row]), :, row].tolist()
            numbers[name] = tuple(kind(*item) for item in items)
        return Past(**numbers, delivered=setting_of(tuple(self.delivered[:, row].tolist())))

    def rows(self, index: Integers) -> Self:
        """Return the pasts of these rows."""
        if is_everyone(index, self.n_rows):
            return self
        others = self.others and {
            place: self.others[row]
            for place, row in enumerate(index.tolist())
            if row in self.others
        }
        columns: dict[str, Any] = {name: getattr(self, name)[index] for name in NUMBERS}
        for name in KINDS:
            columns[name] = getattr(self, name).rows(index)
        return type(self)(**columns, delivered=self.delivered[:, index], others=others)

    def with_rows(self, index: Integers, other: Self) -> Self:
        """Return the same pasts with those of `other` at these rows."""
        if is_everyone(index, self.n_rows):
            return other
        changed: dict[str, Any] = {name: getattr(self, name).copy() for name in NUMBERS}
        for name in NUMBERS:
            changed[name][index] = getattr(other, name)
        for name in KINDS:
            changed[name] = getattr(self, name).with_rows(index, getattr(other, name))
        delivered = self.delivered.copy()
        delivered[:, index] = other.delivered
        gone = set(index.tolist()) if self.others else set()
        others = {row: past for row, past in self.others.items() if row not in gone}
        others |= {int(index[place]): past for place, past in other.others.items()}
        return type(self)(**changed, delivered=delivered, others=others)

    def with_pasts(self, pasts: Mapping[int, Past]) -> Self:
        """Return the same pasts with others at some rows."""
        if not pasts:
            return self
        return self.with_rows(np.array(list(pasts)), type(self).of(list(pasts.values())))


def is_everyone(index: Integers, n_rows: int) -> bool:
    """Whether these are all rows in their order."""
    return len(index) == n_rows and bool((index == np.arange(n_rows)).all())


class Row(NamedTuple):
    """A past as whole numbers: `NUMBERS`, what is delivered, and the items of `KINDS`."""

    numbers: tuple[int, ...]
    delivered: tuple[int, ...]
    lists: tuple[list[tuple[int, ...]], ...]


NOTHING = Row((0,) * len(NUMBERS), (0,) * N_FIELDS, ([],) * len(KINDS))


def row_of(past: Past) -> Row | None:
    """Return a past as whole numbers, None unless columns hold it: in bounds, without a latch."""
    delivered = column_of(past.delivered)
    if past.latches or delivered is None or read_setting(past.delivered) != past.delivered:
        return None
    numbers: tuple[int, ...] = READ_NUMBERS(past)
    lists = tuple(
        [READ_ITEM[kind](item) for item in getattr(past, name)] for name, kind in KINDS.items()
    )
    given = [numbers[0], numbers[1] + 1, *numbers[2:]]  # the sequence begins at -1
    given += [number for items in lists for item in items for number in item]
    if not all(type(number) is int and 0 <= number <= MOST for number in given):
        return None
    rises, changes, _ = lists
    for items, longest in ((rises, MAX_RISES), (changes, MAX_CHANGES)):
        times = [*(item[0] for item in items), past.at_s]
        if len(items) > longest or times != sorted(times):
            return None
    return Row(numbers, delivered, lists)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposals:
    """One proposal for each of B patients, for one envelope.

    `others` holds, by row, whatever was proposed that is no column of whole numbers. Raises
    `InputError` for columns that are not of 64-bit integers and of one length.
    """

    patient: Integers
    sequence: Integers
    at_s: Integers
    envelope_hash: str
    setting: Integers
    others: Mapping[int, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_rows = len(self.patient)
        for name, shape in (
            ("patient", (n_rows,)),
            ("sequence", (n_rows,)),
            ("at_s", (n_rows,)),
            ("setting", (N_FIELDS, n_rows)),
        ):
            check_column(name, getattr(self, name), shape)
        for row in self.others:
            if type(row) is not int or not 0 <= row < n_rows:
                raise InputError(f"others holds row {row!r:.40}: 0 to {n_rows - 1} was expected")

    def proposal(self, row: int) -> object:
        """Return what was proposed in one row, as `review` takes it."""
        if row in self.others:
            return self.others[row]
        numbers = tuple(self.setting[:, row].tolist())
        wish: object
        try:
            wish = setting_of(numbers) if numbers[1] else OFF
        except ValueError:
            wish = numbers
        return Proposal(
            patient=int(self.patient[row]),
            sequence=int(self.sequence[row]),
            at_s=int(self.at_s[row]),
            envelope_hash=self.envelope_hash,
            setting=wish,
        )


def check_column(name: str, column: object, shape: tuple[int, ...]) -> None:
    """Raise `InputError` unless this is an array of 64-bit integers of a shape."""
    if type(column) is not np.ndarray or column.dtype != np.int64 or column.shape != shape:
        kind = getattr(column, "dtype", type(column).__name__)
        found = f"{kind} of shape {getattr(column, 'shape', None)}"
        raise InputError(f"{name} is {found}: int64 of shape {shape} was expected")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdicts:
    """What is delivered to B patients, `7 B`, the seconds of ramp, and the pasts that follow.

    `others` are the verdicts of the rows that were not ordinary, whose columns are 0; all the
    rest were accepted.
    """

    delivered: Integers
    ramp_s: Integers
    others: Mapping[int, Verdict]
    pasts: Pasts

    @property
    def ordinary(self) -> Integers:
        """The rows that were not reviewed by themselves."""
        is_ordinary = np.ones(len(self.ramp_s), dtype=np.bool_)
        is_ordinary[list(self.others)] = False
        return np.flatnonzero(is_ordinary)

    def settings(self) -> list[Setting]:
        """Return what is delivered in each row."""
        settings = [setting_of(column) for column in zip(*self.delivered.tolist(), strict=True)]
        for row, verdict in self.others.items():
            settings[row] = verdict.delivered
        return settings

    def verdict(self, row: int) -> Verdict:
        """Return the verdict of one row."""
        if row in self.others:
            return self.others[row]
        past = self.pasts.past(row)
        return Verdict(
            delivered=past.delivered,
            wanted=past.delivered,
            ruling=Ruling.ACCEPTED,
            findings=(),
            past=past,
            ramp_s=int(self.ramp_s[row]),
        )


def with_others(verdicts: Verdicts, others: Mapping[int, Verdict]) -> Verdicts:
    """Return the verdicts in which some more rows were reviewed by themselves."""
    if not others:
        return verdicts
    delivered, ramp_s = verdicts.delivered.copy(), verdicts.ramp_s.copy()
    rows = list(others)
    delivered[:, rows], ramp_s[rows] = 0, 0
    return Verdicts(
        delivered=delivered,
        ramp_s=ramp_s,
        others={**verdicts.others, **others},
        pasts=verdicts.pasts.with_pasts({row: verdict.past for row, verdict in others.items()}),
    )
