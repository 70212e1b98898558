"""Estimates: one number with its 95 % interval, over the patients of an arm or of two.

Intervals come from a bootstrap over patients or from an exact distribution; what could not be had
is NaN, with the reason in words.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from neurostim.outcomes import NAN, as_floats

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array], Array]

N_RESAMPLES = 2000
BOOTSTRAP_SEED = 20260101
RESAMPLED_VALUES_AT_ONCE = 4_000_000
LARGEST_BOSCHLOO = 200
FEWEST_PER_ARM = 5
RESAMPLED = "percentile bootstrap interval over patients (five or more)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One number with its 95 % interval; what could not be had is NaN, and `method` says why."""

    estimate: float = NAN
    low: float = NAN
    high: float = NAN
    n: int
    p: float = NAN
    method: str


def median_estimate(values: Array, p: float, method: str) -> Estimate:
    """Return a median with its bootstrap interval."""
    if not len(values):
        return Estimate(n=0, method="Not estimated: no patient has a percent change.")
    low, high = bootstrap(values[:, None], _medians)
    return Estimate(
        estimate=float(np.median(values)), low=low, high=high, n=len(values), p=p, method=method
    )


def mean_rate(amount: pd.Series, exposure: pd.Series, is_count: bool = False) -> Estimate:
    """Return an amount per exposure, as a ratio of sums over patients."""
    sums = np.column_stack([as_floats(amount), as_floats(exposure)])
    sums = sums[np.isfinite(sums).all(axis=1) & (sums[:, 1] > 0)]
    if not len(sums):
        return Estimate(n=0, method="Not estimated: no patient was treated.")
    if is_count and sums[:, 0].sum() == 0:
        # A bootstrap of nothing but zeros has no width, which would read as certainty.
        high = poisson_interval(0)[1] / float(sums[:, 1].sum())
        method = "No event, so the upper end is the exact Poisson limit over all patients."
        return Estimate(estimate=0.0, low=0.0, high=high, n=len(sums), method=method)
    low, high = bootstrap(sums, ratios)
    return Estimate(
        estimate=float(ratios(sums)),
        low=low,
        high=high,
        n=len(sums),
        method=f"Ratio of sums over patients; {RESAMPLED}.",
    )


def poisson_interval(n_events: int) -> tuple[float, float]:
    """Return the exact 95 % interval for the expectation of a Poisson count."""
    low = float(stats.chi2.ppf(0.025, 2 * n_events)) / 2 if n_events else 0.0
    return low, float(stats.chi2.ppf(0.975, 2 * (n_events + 1))) / 2


def holm(p: Array) -> Array:
    """Return Holm's adjustment of the p values that are known."""
    adjusted = np.full(len(p), NAN)
    order = np.argsort(p)[: int(np.isfinite(p).sum())]  # NaN sorts last
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def rank_sum(left: Array, right: Array) -> float:
    """Return p by Wilcoxon's rank-sum test, 1 where every value is the same."""
    if not len(left) or not len(right):
        return NAN
    if np.ptp(np.concatenate([left, right])) == 0:
        return 1.0
    return float(stats.mannwhitneyu(left, right, alternative="two-sided").pvalue)


def signed_rank(differences: Array) -> float:
    """Return p by Wilcoxon's signed-rank test, 1 where nothing differs."""
    moved = differences[differences != 0]
    if not len(moved):
        return 1.0 if len(differences) else NAN
    return float(stats.wilcoxon(moved).pvalue)


def two_shares(n_left_true: int, n_left: int, n_right_true: int, n_right: int) -> tuple[float, str]:
    """Return p for two shares, and which exact test gave it."""
    test = exact_test(n_left + n_right)
    if not n_left or not n_right:
        return NAN, test
    n_true = n_left_true + n_right_true
    if n_true in (0, n_left + n_right):
        return 1.0, test
    table = [[n_left_true, n_right_true], [n_left - n_left_true, n_right - n_right_true]]
    if test == "boschloo":
        return float(min(1.0, stats.boschloo_exact(table).pvalue)), test
    return float(stats.fisher_exact(np.array(table)).pvalue), test


def exact_test(n: int) -> str:
    """Return which exact test compares two shares of `n` patients together."""
    # Boschloo's is the more powerful of the two, but takes minutes for a thousand patients.
    return "boschloo" if n <= LARGEST_BOSCHLOO else "fisher"


def bootstrap(values: Array, statistic: Statistic) -> tuple[float, float]:
    """Return the 95 % percentile interval of a statistic of rows resampled with a fixed seed.

    Below five rows there is none: the resamples would show less spread than there is.
    `statistic` takes resamples x rows x columns and returns one value per resample. Chunks bound
    the memory, since a trial may have 100,000 patients.
    """
    n_rows = len(values)
    if n_rows < FEWEST_PER_ARM:
        return NAN, NAN
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    n_at_once = max(1, min(N_RESAMPLES, RESAMPLED_VALUES_AT_ONCE // n_rows))
    found: list[Array] = []
    for start in range(0, N_RESAMPLES, n_at_once):
        size = (min(n_at_once, N_RESAMPLES - start), n_rows)
        found.append(statistic(values[rng.integers(n_rows, size=size)]))
    low, high = np.nanquantile(np.concatenate(found), [0.025, 0.975])
    return float(low), float(high)


def _medians(resamples: Array) -> Array:
    """Return the median of each resample's first column."""
    return np.median(resamples[..., 0], axis=-1)


def ratios(resamples: Array) -> Array:
    """Return the first column's sum over the second's, NaN where that is not above 0."""
    sums = resamples.sum(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], NAN)
