"""Two protocols on the same patients with the same luck: what differs, and with which error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from neurostim.tuning.ground import DAYS_A_YEAR, Lives

Floats = NDArray[np.float64]
OBJECTIVES = ("share of the gap", "unsafe days, %", "changes a year")
SHARE, UNSAFE, CHANGES = range(3)
SIGNS = np.array([1.0, -1.0, -1.0])
"""More of the gap is better; fewer unsafe days and changes are."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """The three objectives, or differences in them, with their covariance: `3` and `3 3`.

    The share is a ratio of sums over patients (Cochran 1977, "Sampling Techniques", 2.11), the
    others are per day of treatment; errors are over patients.
    """

    values: Floats
    covariance: Floats
    n_patients: int

    @property
    def errors(self) -> Floats:
        """Standard errors, `3`."""
        return np.sqrt(np.diag(self.covariance))

    def weighed(self, weights: Floats) -> tuple[float, float]:
        """A weighted sum, every objective counted so that more is better, and its variance."""
        signed = SIGNS * weights
        return float(signed @ self.values), float(signed @ self.covariance @ signed)

    def interval(self, objective: int, level: float = 0.95) -> tuple[float, float]:
        """An interval by Student's t over patients."""
        half = student.ppf(0.5 + level / 2, self.n_patients - 1) * self.errors[objective]
        return float(self.values[objective] - half), float(self.values[objective] + half)


def measured(lives: Lives) -> Measured:
    """The objectives of one protocol."""
    return _measured(lives.column("gained"), _unsafe(lives), _changes(lives), lives)


def difference(lives: Lives, other: Lives) -> Measured:
    """The objectives of one protocol less those of another, patient by patient."""
    if lives.patients != other.patients:
        raise ValueError("the same patients were expected in both")
    return _measured(
        lives.column("gained") - other.column("gained"),
        _unsafe(lives) - _unsafe(other),
        _changes(lives) - _changes(other),
        lives,
    )


def _unsafe(lives: Lives) -> Floats:
    return 100 * lives.column("unsafe_days")


def _changes(lives: Lives) -> Floats:
    return DAYS_A_YEAR * lives.column("n_changes")


def _measured(gained: Floats, unsafe: Floats, changes: Floats, lives: Lives) -> Measured:
    """Ratios of sums, and from each patient's leftover the covariance."""
    days = lives.column("days")
    top = np.stack((gained, unsafe, changes), axis=1)  # N 3
    bottom = np.stack((lives.column("gap"), days, days), axis=1)
    total = bottom.sum(axis=0)
    # Where nobody has anything to gain, the share is 0 and known.
    values = np.where(total > 0, top.sum(axis=0) / np.where(total > 0, total, 1.0), 0.0)
    n = len(days)
    left = np.where(total > 0, (top - values * bottom) / np.where(total > 0, total / n, 1.0), 0.0)
    return Measured(values=values, covariance=left.T @ left / (n * (n - 1)), n_patients=n)


def is_on_front(values: Floats) -> NDArray[np.bool_]:
    """Which of the rows, `N 3`, no other row is better than in one objective and as good in all."""
    signed: Floats = SIGNS * values
    as_good = np.all(signed[None] >= signed[:, None], axis=2)
    better = np.any(signed[None] > signed[:, None], axis=2)
    is_beaten = np.any(as_good & better, axis=1)
    return np.logical_not(is_beaten)
