"""Clusters of seizures within 6 hours (D7), in a community that is weighted to rarer seizures."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from neurostim.validation.diaries import Booleans, Counts, Diaries, Floats
from neurostim.validation.monte_carlo import Measured, multiplicities

WINDOW_DAYS = 0.25
MEDIAN_RATE = 1.0
"""Seizures per 30 days that the weighted cohort has in the median."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Clusters:
    """The clusters of the P patients with at least one written seizure."""

    rate: Floats
    """(P,) written seizures per 30 recorded days."""
    has_cluster: Booleans
    """(P,) whether two seizures ever lay within 6 hours."""
    poisson: Floats
    """(P,) the chance of that had as many seizures fallen anywhere in the diary."""
    days_of_size: Counts
    """(P, S) cluster days with 0, 1, ... S - 1 seizures."""

    def weights(self, drawn: Floats) -> Floats:
        """Return (P,) weights, of sum 1, that tilt patients drawn so often to a median of 1."""
        order = np.argsort(self.rate)
        log_rate = np.log(self.rate[order])

        def excess(tilt: float) -> float:
            below = np.cumsum(drawn[order] * np.exp(-tilt * log_rate))
            return float(log_rate[np.searchsorted(below, below[-1] / 2)]) - np.log(MEDIAN_RATE)

        tilt = brentq(excess, -3, 3, xtol=1e-3)
        weights: Floats = drawn * self.rate**-tilt
        return weights / weights.sum()

    def statistics(self, weights: Floats) -> Floats:
        """Return share with a cluster, its excess, median and upper quartile of cluster days."""
        share = 100 * weights @ self.has_cluster
        excess = share - 100 * weights @ self.poisson
        by_size = np.cumsum(weights @ self.days_of_size)
        median, upper = np.searchsorted(by_size, by_size[-1] * np.array([0.5, 0.75]))
        return np.array([share, excess, median, upper], dtype=np.float64)


def clusters(diaries: Diaries) -> Clusters:
    """Return the clusters of everyone who wrote a seizure."""
    row, time_day = diaries.times()
    n_patients, n_days = diaries.n_patients, diaries.n_days
    is_close = (np.diff(time_day) <= WINDOW_DAYS) & (np.diff(row) == 0)
    has_cluster = np.zeros(n_patients, dtype=np.bool_)
    has_cluster[row[1:][is_close]] = True
    day = row * n_days + time_day.astype(np.int64)
    cluster_day = np.unique(day[1:][is_close & (np.diff(day) == 0)])
    size = diaries.counts.ravel()[cluster_day]
    n_sizes = int(size.max(initial=0)) + 1
    days_of_size = np.bincount(
        cluster_day // n_days * n_sizes + size, minlength=n_patients * n_sizes
    ).reshape(n_patients, n_sizes)
    n_written = diaries.counts.sum(axis=1)
    is_known = n_written > 0
    return Clusters(
        rate=diaries.monthly_rates()[is_known],
        has_cluster=has_cluster[is_known],
        poisson=chance_of_cluster(n_written[is_known], n_days),
        days_of_size=days_of_size[is_known],
    )


def chance_of_cluster(n: Counts, n_days: float) -> Floats:
    """Return the chance that some two of n seizures at uniform times lie within 6 hours.

    Gaps between n uniform times all exceed a share g of the span with chance (1 - (n - 1) g)^n.
    """
    room = np.maximum(1 - np.maximum(n - 1, 0) * WINDOW_DAYS / n_days, 0)
    return 1 - room ** np.maximum(n, 1)


def cluster_figures(found: Clusters, rng: np.random.Generator) -> dict[str, Measured]:
    """Return D7; the bootstrap draws patients, and finds their tilt and their weights anew."""
    n = len(found.rate)
    weights = found.weights(np.ones(n))
    value = found.statistics(weights)
    drawn = multiplicities(n, rng)
    error = np.std(
        [found.statistics(found.weights(one.astype(np.float64))) for one in drawn], axis=0, ddof=1
    )
    poisson = 100 * float(weights @ found.poisson)
    by_size = weights @ found.days_of_size
    n_effective = 1 / (weights @ weights)
    sizes = f"{100 * by_size[2] / by_size.sum():.0f} % of cluster days have 2"
    notes = (
        f"{n} patients, worth {n_effective:.0f} equally weighted",
        f"rate-matched Poisson {poisson:.1f}",
        sizes,
        sizes,
    )
    return {
        name: Measured(value=float(value[k]), error=float(error[k]), note=notes[k])
        for k, name in enumerate(("D7a", "D7b", "D7c", "D7d"))
    }
