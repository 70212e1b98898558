"""Estimates: one number with its 95 % interval, over the patients of an arm or of two.

Intervals come from a bootstrap over patients or from an exact distribution; what could not be had
is NaN, with the reason in words. The Monte Carlo error of an estimate is its standard error over
the simulated patients, since they are what a longer simulation would have more of.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

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
MOST_KEPT = 100_000_000
FEWEST_PER_ARM = 5
Z_975 = float(stats.norm.ppf(0.975))
RESAMPLED = "percentile bootstrap interval over patients (five or more)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One number with its 95 % interval; what could not be had is NaN, and `method` says why.

    `monte_carlo_error` is in the unit of the estimate; `p_error` is that of a p value which was
    itself had by random permutations. An interval that is open to the right has `high` infinite.
    """

    estimate: float = NAN
    low: float = NAN
    high: float = NAN
    monte_carlo_error: float = NAN
    n: int
    p: float = NAN
    p_error: float = NAN
    method: str


class Resampled(NamedTuple):
    """What a bootstrap shows: the 95 % percentile interval, and the standard error."""

    low: float
    high: float
    error: float


def median_estimate(values: Array, p: float, method: str) -> Estimate:
    """Return a median with its bootstrap interval."""
    if not len(values):
        return Estimate(n=0, method="Not estimated: no patient has a percent change.")
    low, high, error = bootstrap_median(values)
    return Estimate(
        estimate=float(np.median(values)),
        low=low,
        high=high,
        monte_carlo_error=error,
        n=len(values),
        p=p,
        method=method,
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
        return Estimate(
            estimate=0.0,
            low=0.0,
            high=high,
            monte_carlo_error=error_from(0.0, high),
            n=len(sums),
            method="No event, so the upper end is the exact Poisson limit over all patients.",
        )
    low, high, error = bootstrap_sums(sums, ratios)
    return Estimate(
        estimate=float(ratios(sums.sum(axis=0))),
        low=low,
        high=high,
        monte_carlo_error=error,
        n=len(sums),
        method=f"Ratio of sums over patients; {RESAMPLED}.",
    )


def error_from(low: float, high: float) -> float:
    """Return the standard error to which a 95 % interval belongs, NaN where it is open."""
    width = high - low
    return width / (2 * Z_975) if np.isfinite(width) else NAN


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


def bootstrap_median(values: Array) -> Resampled:
    """Return the spread of the median of values resampled with a fixed seed."""
    if len(values) < FEWEST_PER_ARM:
        return Resampled(NAN, NAN, NAN)
    return _spread([np.median(values[rows], axis=-1) for rows in _resamples(len(values))])


def bootstrap_sums(values: Array, statistic: Statistic) -> Resampled:
    """Return the spread of a statistic of sums over rows resampled with a fixed seed.

    Below five rows there is none: the resamples would show less spread than there is.

    Args:
        values: rows x columns.
        statistic: takes the sums, resamples x columns, and returns one value per resample.

    """
    n_rows = len(values)
    if n_rows < FEWEST_PER_ARM:
        return Resampled(NAN, NAN, NAN)
    is_kept = n_rows * N_RESAMPLES <= MOST_KEPT
    chunks = _kept_multiplicities(n_rows) if is_kept else _multiplicities(n_rows)
    return _spread([statistic(times.astype(float) @ values) for times in chunks])


def ratios(sums: Array) -> Array:
    """Return the first column over the second, NaN where that is not above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], NAN)


def _resamples(n_rows: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield rows drawn with replacement, resamples x rows, in chunks that bound the memory."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    n_at_once = max(1, min(N_RESAMPLES, RESAMPLED_VALUES_AT_ONCE // n_rows))
    for start in range(0, N_RESAMPLES, n_at_once):
        yield rng.integers(n_rows, size=(min(n_at_once, N_RESAMPLES - start), n_rows))


def _multiplicities(n_rows: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield how often each row is in each resample: sums over it are then one product."""
    for resamples in _resamples(n_rows):
        yield np.stack([np.bincount(rows, minlength=n_rows).astype(np.uint8) for rows in resamples])


@lru_cache(maxsize=1)
def _kept_multiplicities(n_rows: int) -> tuple[npt.NDArray[np.uint8], ...]:
    """Return the multiplicities, which most endpoints of a table share."""
    return tuple(_multiplicities(n_rows))


def _spread(found: list[Array]) -> Resampled:
    """Return the interval and the standard error that resampled statistics show."""
    spread = np.concatenate(found)
    low, high = np.nanquantile(spread, [0.025, 0.975])
    return Resampled(float(low), float(high), float(np.nanstd(spread, ddof=1)))
