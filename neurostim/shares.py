"""Shares of patients: with their intervals, and compared between two arms."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from neurostim.estimates import RESAMPLED, Array, Estimate, bootstrap_sums, error_from, ratios
from neurostim.outcomes import NAN

LARGEST_BOSCHLOO = 200
TESTS = {"boschloo": "Boschloo's", "fisher": "Fisher's"}


def unpaired_share(column: str, arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the share for whom a column is true, and p against another arm's share.

    The exact test is conservative, the more so the rarer the outcome: of the null trials of 2 x 60
    patients in `tests/benchmarks/type_one_error.py` it rejects 4.2 % (Monte Carlo error 0.6) for
    50 % responders, 0.2 % for 75 % responders, and none for freedom from seizures.
    """
    is_true = known(arm[column])
    n, n_true = len(is_true), int(is_true.sum())
    if not n:
        return Estimate(n=0, method="Not estimated: no patient has this outcome recorded.")
    p, test = NAN, exact_test(2 * n)
    if reference is not None:
        other = known(reference[column])
        p, test = two_shares(n_true, n, int(other.sum()), len(other))
    return share(
        n_true,
        n,
        f"Share of patients with the outcome known; Wilson interval; p by {TESTS[test]} exact "
        "test, unpaired, which rejects less often than its level where the outcome is rare.",
        p,
    )


def paired_share(column: str, arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the difference of two shares within the same patients, in percentage points."""
    assert reference is not None
    pairs = arm[["patient", column]].merge(
        reference[["patient", column]], on="patient", suffixes=("", "_reference")
    )
    pairs = pairs.dropna()
    if not len(pairs):
        return Estimate(n=0, method="Not estimated: no patient has this outcome in both arms.")
    left, right = (known(pairs[name]).astype(int) for name in (column, f"{column}_reference"))
    return net_share((left - right).astype(float), "Difference between the shares")


def net_share(ways: Array, what: str) -> Estimate:
    """Return the share of patients who went one way (1) less those who went the other (-1).

    In percentage points, over the same patients in two arms; 0 is who went neither way.
    """
    n = len(ways)
    n_more, n_less = int((ways > 0).sum()), int((ways < 0).sum())
    if not n_more + n_less:
        # A bootstrap of nothing but zeros has no width, which would read as certainty.
        most = 100 * float(stats.binomtest(0, n).proportion_ci(method="exact").high)
        return Estimate(
            estimate=0.0,
            low=-most,
            high=most,
            monte_carlo_error=error_from(-most, most),
            n=n,
            p=1.0,
            method="No event: no patient differs between the arms, so the interval ends at the "
            "exact limit of a share of none, either way; paired.",
        )
    low, high, error = bootstrap_sums(np.column_stack([100 * ways, np.ones(n)]), ratios)
    return Estimate(
        estimate=100 * float(ways.mean()),
        low=low,
        high=high,
        monte_carlo_error=error,
        n=n,
        p=discordant(n_more, n_less),
        method=f"{what} within the same patients; {RESAMPLED}; p by McNemar's exact test, paired.",
    )


def true_share(column: str, arm: pd.DataFrame) -> Estimate:
    """Return a share of patients by the hidden truth, with its exact interval."""
    is_true = known(arm[column])
    n, n_true = len(is_true), int(is_true.sum())
    if not n:
        return Estimate(n=0, method="Not estimated: no patient was treated.")
    interval = stats.binomtest(n_true, n).proportion_ci(method="exact")
    low, high = 100 * float(interval.low), 100 * float(interval.high)
    return Estimate(
        estimate=100 * n_true / n,
        low=low,
        high=high,
        monte_carlo_error=error_from(low, high),
        n=n,
        method="Share of patients, from the hidden truth; Clopper-Pearson interval.",
    )


def share(n_true: int, n: int, method: str, p: float = NAN) -> Estimate:
    """Return a share in percent with Wilson's interval.

    Its Monte Carlo error belongs to that interval, so that it is not 0 where nobody or everybody
    is counted.
    """
    interval = stats.binomtest(n_true, n).proportion_ci(method="wilson")
    low, high = 100 * float(interval.low), 100 * float(interval.high)
    return Estimate(
        estimate=100 * n_true / n,
        low=low,
        high=high,
        monte_carlo_error=error_from(low, high),
        n=n,
        p=p,
        method=method,
    )


def discordant(n_more: int, n_less: int) -> float:
    """Return p that pairs which differ do so as often one way as the other; McNemar's exact."""
    n = n_more + n_less
    return float(stats.binomtest(n_more, n).pvalue) if n else 1.0


@lru_cache(maxsize=4096)
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


def known(column: pd.Series) -> npt.NDArray[np.bool_]:
    """Return the values of a nullable boolean that are not missing."""
    return column.dropna().to_numpy(dtype=bool)
