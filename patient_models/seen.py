"""What was written of one patient, as counts over intervals of days, and what such counts show.

A day without an entry belongs to no interval: a missing day is never a zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from patient_models.arrays import Booleans, Counts, Floats
from patient_models.diaries import Diary
from protocols import InputError

MAX_DAYS = 3_660
CYCLES_DAYS = (7.0, 15.0, 20.0, 30.0)
"""Around these periods multidien cycles are found (Baud 2018, Nat Commun 9:88)."""

RECENT_DAYS = (28, 84)
MOST_INTERVALS_ALONE = 12
LONG_DAYS = 28


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """K intervals in order: the day each begins, counted from the first, its days, its count."""

    first_day: Counts
    n_days: Counts
    counts: Counts

    def __post_init__(self) -> None:
        if not len(self.counts):
            raise InputError("nothing was written: one recorded day or more was expected")
        ends = self.first_day + self.n_days
        is_in_order = (self.n_days > 0).all() and (self.first_day[1:] >= ends[:-1]).all()
        if self.first_day[0] < 0 or not is_in_order or (self.counts < 0).any():
            raise InputError(
                "intervals in order, of one day or more and with counts, were expected"
            )
        if self.days > MAX_DAYS:
            raise InputError(f"the diary spans {self.days} days: at most {MAX_DAYS} were expected")

    @classmethod
    def of_diary(cls, diary: Diary) -> Self:
        """Each recorded day of a diary, counted from its first."""
        if not diary.counts:
            raise InputError(f"the diary of {diary.patient} has no recorded day")
        days = sorted(diary.counts)
        return cls(
            first_day=np.array([(day - diary.first).days for day in days], dtype=np.int64),
            n_days=np.ones(len(days), dtype=np.int64),
            counts=np.array([diary.counts[day] for day in days], dtype=np.int64),
        )

    @classmethod
    def of_periods(cls, periods: Iterable[tuple[int, int]]) -> Self:
        """Periods that follow each other, each with its days and its count."""
        n_days, counts = np.array(list(periods), dtype=np.int64).reshape(-1, 2).T
        return cls(first_day=np.cumsum(n_days) - n_days, n_days=n_days, counts=counts)

    @property
    def days(self) -> int:
        """The days from the first to the end of the last interval."""
        return int(self.first_day[-1] + self.n_days[-1])

    @property
    def is_daily(self) -> bool:
        """Whether every interval is one day."""
        return bool((self.n_days == 1).all())

    @property
    def n_missing(self) -> int:
        """The days that belong to no interval."""
        return self.days - int(self.n_days.sum())

    def of_lives(self, written: NDArray[np.uint16]) -> Counts:
        """The counts of the same intervals in other lives, `B D`, whose every day is recorded."""
        before = np.zeros((len(written), written.shape[1] + 1), dtype=np.int64)
        np.cumsum(written, axis=1, out=before[:, 1:])
        return before[:, self.first_day + self.n_days] - before[:, self.first_day]


def features(seen: Seen, counts: Counts, breaks: tuple[int, ...] = ()) -> Floats:
    """What such counts, `B K`, show of level, spread, memory and cycles: `B F`.

    `breaks` are the days at which the setting changed. Which features there are depends on the
    intervals alone.
    """
    middle = seen.first_day + seen.n_days / 2
    columns = [log_rate(seen, counts, np.ones(len(middle), dtype=np.bool_))]
    for days in RECENT_DAYS:
        is_recent = middle > seen.days - days
        if is_recent.any() and not is_recent.all():
            columns.append(log_rate(seen, counts, is_recent))
    edges = (0, *breaks, seen.days)
    for start, stop in pairwise(edges):
        for first, last in ((start, (start + stop) / 2), ((start + stop) / 2, stop)):
            is_within = (middle >= first) & (middle < last)
            if is_within.any() and not is_within.all():
                columns.append(log_rate(seen, counts, is_within))
    if len(middle) <= MOST_INTERVALS_ALONE:
        columns += [log_rate(seen, counts, middle == each) for each in middle]
    if len(middle) > 2:
        columns += spread(seen, counts)
    if seen.is_daily and seen.days >= 2 * LONG_DAYS:
        columns += rhythm(seen, counts)
    return np.stack(columns, axis=1)


def log_rate(seen: Seen, counts: Counts, is_meant: Booleans) -> Floats:
    """The log of what is written a day in some intervals, with half a seizure more, for none."""
    return np.asarray(np.log((counts[:, is_meant].sum(1) + 0.5) / seen.n_days[is_meant].sum()))


def spread(seen: Seen, counts: Counts) -> list[Floats]:
    """How unevenly seizures come: over intervals, over weeks and months, and from day to day."""
    rates = counts / seen.n_days
    columns = [log_dispersion(rates)]
    if not seen.is_daily:
        return columns
    for days in (7, LONG_DAYS):
        group = seen.first_day // days
        recorded = np.bincount(group)
        is_full = recorded >= days // 2
        if is_full.sum() > 2:
            totals = np.zeros((len(recorded), len(counts)))
            np.add.at(totals, group, counts.T)
            columns.append(log_dispersion((totals[is_full] / recorded[is_full, None]).T))
    columns.append(np.log((counts == 0).sum(1) + 0.5) - np.log((counts > 0).sum(1) + 0.5))
    columns.append(np.log((counts > 1).sum(1) + 0.5) - np.log((counts == 1).sum(1) + 0.5))
    columns.append(np.log(counts.max(1) + 1.0))
    root = np.sqrt(counts)
    root = root - root.mean(1, keepdims=True)
    for lag in (1, 2):
        is_pair = seen.first_day[lag:] - seen.first_day[:-lag] == lag
        together = (root[:, lag:] * root[:, :-lag])[:, is_pair].sum(1)
        columns.append(together / (np.square(root).sum(1) + 0.5))
    return columns


def log_dispersion(rates: Floats) -> Floats:
    """The log of variance over mean, both a little raised so that no seizure at all has one too."""
    return np.asarray(np.log((rates.var(1) + 0.01) / (rates.mean(1) + 0.01)))


def rhythm(seen: Seen, counts: Counts) -> list[Floats]:
    """The strongest cycle near each period, and where it stands at the end."""
    root = np.sqrt(counts)
    root = (root - root.mean(1, keepdims=True)) / (root.std(1, keepdims=True) + 0.1)
    from_end = seen.first_day + 0.5 - seen.days
    columns = []
    for period in CYCLES_DAYS:
        periods = period * np.array((0.88, 1.0, 1.13))
        waves = np.exp(-2j * np.pi * from_end[:, None] / periods) / len(from_end)
        strength = root @ waves
        best = np.abs(strength).argmax(1)
        wave = strength[np.arange(len(strength)), best]
        columns += [np.abs(wave), wave.real, wave.imag]
    return columns
