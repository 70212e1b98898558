"""Seizure diaries as they were written, one row of days per patient."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.integer]
Booleans: TypeAlias = NDArray[np.bool_]

MONTH_DAYS = 30


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Diaries:
    """The diaries of B patients over D days; the times are None where only daily counts are kept.

    A day without an entry is not recorded and has no count: it is never a day free of seizures.
    """

    counts: Counts
    """(B, D) seizures written on each day, 0 where nothing was recorded."""
    recorded: Booleans
    """(B, D) whether the day has an entry."""
    row: Counts | None = None
    """(N,) patient of each written seizure, sorted by (row, time_day)."""
    time_day: Floats | None = None
    """(N,) day and fraction of each written seizure, from 0 to D."""

    def __post_init__(self) -> None:
        """Check that counts, recorded days and times tell the same story."""
        if self.counts.ndim != 2 or self.counts.shape != self.recorded.shape:
            message = (
                f"counts {self.counts.shape} and recorded {self.recorded.shape} must be (B, D)"
            )
            raise ValueError(message)
        if self.counts.size and self.counts.min() < 0:
            raise ValueError(f"a day has {self.counts.min()} seizures")
        if self.counts[~self.recorded].any():
            raise ValueError("a day that was not recorded has seizures")
        if (self.row is None) != (self.time_day is None):
            raise ValueError("row and time_day come together or not at all")
        if self.row is not None and self.time_day is not None:
            self._check_times(self.row, self.time_day)

    def _check_times(self, row: Counts, time_day: Floats) -> None:
        """Check that the times are in order and fall on the days that count them."""
        if row.shape != time_day.shape or row.ndim != 1:
            raise ValueError(f"row {row.shape} and time_day {time_day.shape} must be (N,)")
        if (np.diff(row) < 0).any() or (np.diff(time_day)[np.diff(row) == 0] < 0).any():
            raise ValueError("written seizures must be sorted by row, then by time_day")
        day = row * self.n_days + np.floor(time_day).astype(np.int64)
        is_inside = (
            (row >= 0) & (row < self.n_patients) & (time_day >= 0) & (time_day < self.n_days)
        )
        if not is_inside.all():
            raise ValueError("a written seizure lies outside the diaries")
        if (np.bincount(day, minlength=self.counts.size) != self.counts.ravel()).any():
            raise ValueError("the times of the written seizures do not add up to the daily counts")

    @property
    def n_patients(self) -> int:
        """How many patients there are."""
        return int(self.counts.shape[0])

    @property
    def n_days(self) -> int:
        """How many days each diary covers."""
        return int(self.counts.shape[1])

    def rates(self, first: int = 0, end: int | None = None) -> Floats:
        """Return (B,) seizures per recorded day of days [first, end), NaN where there is none."""
        n_seizures = self.counts[:, first:end].sum(axis=1)
        n_recorded = self.recorded[:, first:end].sum(axis=1)
        return np.where(n_recorded > 0, n_seizures / np.maximum(n_recorded, 1), np.nan)

    def monthly_rates(self) -> Floats:
        """Return (B,) seizures per 30 recorded days over the whole diary."""
        return self.rates() * MONTH_DAYS

    def blocks(self, size: int = MONTH_DAYS) -> Floats:
        """Return (B, D // size) seizures per whole block, NaN where under half is recorded."""
        n_blocks = self.n_days // size

        def summed(days: Counts | Booleans) -> Counts:
            # (B, n_blocks * size) -> (B, n_blocks, size) -> (B, n_blocks)
            return days[:, : n_blocks * size].reshape(-1, n_blocks, size).sum(axis=2)

        n_seizures, n_recorded = summed(self.counts), summed(self.recorded)
        full = n_seizures * size / np.maximum(n_recorded, 1)
        return np.where(n_recorded >= size / 2, full, np.nan)

    def lives(self, least: int) -> list[Floats]:
        """Return the times of each patient who wrote at least `least` seizures, in order."""
        row, time_day = self.times()
        n_written = np.bincount(row, minlength=self.n_patients)
        lives = np.split(time_day, np.cumsum(n_written)[:-1])
        return [life for life in lives if len(life) >= least]

    def times(self) -> tuple[Counts, Floats]:
        """Return (N,) patient and (N,) day of each written seizure, where they were kept."""
        if self.row is None or self.time_day is None:
            raise ValueError("these diaries keep daily counts only, and this figure needs times")
        return self.row, self.time_day

    def chosen(self, patients: Counts | Booleans | slice) -> "Diaries":
        """Return the daily counts of some patients."""
        return Diaries(counts=self.counts[patients], recorded=self.recorded[patients])

    def thinned(self, keep: float, first: int, rng: np.random.Generator) -> "Diaries":
        """Return daily counts; each seizure from day `first` on stays with chance `keep`."""
        counts = self.counts.copy()
        counts[:, first:] = rng.binomial(counts[:, first:], keep)
        return Diaries(counts=counts, recorded=self.recorded)
