"""Waiting times of an arm: the Kaplan-Meier median, and the log-rank test of two arms."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from neurostim.estimates import FEWEST_PER_ARM, Array, Estimate, error_from
from neurostim.outcomes import NAN, as_floats

MEDIAN = (
    "Kaplan-Meier median, censored at the end of treatment; interval from the log-log interval of "
    "the curve (five patients or more); p by the log-rank test, unpaired."
)


class Waits(NamedTuple):
    """Waiting times in days, and which of them end in the event rather than in censoring."""

    days: Array
    is_event: npt.NDArray[np.bool_]

    def censored(self) -> stats.CensoredData:
        """Return the times as SciPy takes them."""
        return stats.CensoredData.right_censored(self.days, ~self.is_event)


def waits_of(name: str, rows: pd.DataFrame) -> Waits:
    """Return the waiting times that the columns of a name hold, where they are known."""
    known = rows[rows[f"{name}_days"].notna()]
    is_event = known[f"is_{name}_reached"].to_numpy(dtype=bool)
    return Waits(as_floats(known[f"{name}_days"]), is_event)


def median_wait(
    name: str, what: str, arm: pd.DataFrame, reference: pd.DataFrame | None
) -> Estimate:
    """Return the median days until an event, and the log-rank test against another arm.

    Where fewer than half met the event there is no median, but there may be a p. The upper limit
    is infinite where the curve's upper limit stays above one half.
    """
    waits = waits_of(name, arm)
    n = len(waits.days)
    if not n:
        return Estimate(n=0, method=f"Not estimated: no patient could be followed to {what}.")
    p = NAN if reference is None else log_rank(waits, waits_of(name, reference))
    low, median, high = kaplan_meier_median(waits)
    if not np.isfinite(median):
        reached = f"Not estimated: fewer than half of the patients came to {what} in treatment; "
        return Estimate(n=n, p=p, method=f"{reached}p by the log-rank test, unpaired.")
    if n < FEWEST_PER_ARM:
        low = high = NAN
    return Estimate(
        estimate=median,
        low=low,
        high=high,
        monte_carlo_error=error_from(low, high),
        n=n,
        p=p,
        method=f"Days until {what}. {MEDIAN}",
    )


def kaplan_meier_median(waits: Waits) -> tuple[float, float, float]:
    """Return lower limit, median and upper limit (Brookmeyer and Crowley 1982, Biometrics 38:29).

    Each is the first day on which the curve, or a limit of it, is at or below one half, and
    infinite where there is none.
    """
    curve = stats.ecdf(waits.censored()).sf
    with warnings.catch_warnings():
        # Undefined where the curve is 1 or 0: there it is NaN, which no limit is taken from.
        warnings.simplefilter("ignore")
        limits: Any = curve.confidence_interval(method="log-log")
    low, median, high = (
        _first(curve.quantiles, share)
        for share in (limits.low.probabilities, curve.probabilities, limits.high.probabilities)
    )
    return min(low, median), median, high


def log_rank(left: Waits, right: Waits) -> float:
    """Return p by the log-rank test, NaN where nobody met the event or an arm is empty."""
    if (
        not len(left.days)
        or not len(right.days)
        or not (left.is_event.any() | right.is_event.any())
    ):
        return NAN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where all are the same there is no variance: NaN
        return float(stats.logrank(left.censored(), right.censored()).pvalue)


def _first(days: Array, share: Array) -> float:
    """Return the first day with a share at or below one half."""
    is_below = share <= 0.5
    return float(days[is_below.argmax()]) if is_below.any() else float("inf")
