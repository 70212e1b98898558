"""Rank tests of two arms: Wilcoxon's, with the shift that belongs to it, and rank ANCOVA."""

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from neurostim.estimates import FEWEST_PER_ARM, Z_975, Array, Estimate, error_from
from neurostim.outcomes import NAN, as_floats

MOST_HALVINGS = 200
FEW = f"Not estimated: fewer than {FEWEST_PER_ARM} patients with a percent change in one arm."


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


def shift(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return by how much the percent changes of one arm are shifted against the other's."""
    assert reference is not None
    left, right = (as_floats(rows["percent_change"].dropna()) for rows in (arm, reference))
    n = len(left) + len(right)
    if min(len(left), len(right)) < FEWEST_PER_ARM:
        return Estimate(n=n, method=FEW)
    low, middle, high = hodges_lehmann(left, right)
    return Estimate(
        estimate=middle,
        low=low,
        high=high,
        monte_carlo_error=error_from(low, high),
        n=n,
        p=rank_sum(left, right),
        method="Hodges-Lehmann: the median of all differences in percent change between a patient "
        "of this arm and one of the other; interval by inverting the rank-sum test in its normal "
        "approximation; p by Wilcoxon rank-sum; patients of both arms; unpaired.",
    )


def hodges_lehmann(left: Array, right: Array) -> tuple[float, float, float]:
    """Return the lower limit, the estimate and the upper limit of the shift of left over right.

    The limits are the k-th smallest and largest of the n m differences, k from the normal
    approximation to the rank-sum statistic (Hollander, Wolfe and Chicken 2014, section 4.3).
    """
    n_pairs = len(left) * len(right)
    spread = np.sqrt(n_pairs * (len(left) + len(right) + 1) / 12)
    k = max(1, round(n_pairs / 2 - Z_975 * spread))
    middle = (n_pairs + 1) // 2, n_pairs // 2 + 1
    low, below, above, high = (
        _difference_of_rank(left, right, rank) for rank in (k, *middle, n_pairs + 1 - k)
    )
    return low, (below + above) / 2, high


def _difference_of_rank(left: Array, right: Array, rank: int) -> float:
    """Return the difference of a rank, from 1, among all of them, to the last bits of a float.

    By halving, as counting those below a bound takes no list of them: 10,000 patients in each arm
    have 100 million.
    """
    ordered = np.sort(right)
    low, high = float(left.min() - right.max()), float(left.max() - right.min())
    for _ in range(MOST_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        # left - right <= middle where right >= left - middle
        n_below = left.size * right.size - int(np.searchsorted(ordered, left - middle).sum())
        low, high = (low, middle) if n_below >= rank else (middle, high)
    return high


def rank_ancova(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the difference in mean rank of the rate, given the rank of the baseline rate."""
    assert reference is not None
    rates = ["evaluation_rate_28", "baseline_rate_28"]
    groups = [rows[rates].dropna() for rows in (arm, reference)]
    n = sum(map(len, groups))
    if min(map(len, groups)) < FEWEST_PER_ARM:
        few = f"Not estimated: fewer than {FEWEST_PER_ARM} patients with a diary in one arm."
        return Estimate(n=n, method=few)
    after, before = (stats.rankdata(pd.concat(groups)[name]) for name in rates)
    columns = [np.ones(n), np.arange(n) < len(groups[0])]
    if np.ptp(before) > 0:
        columns.append(before)
    fit = sm.OLS(after, np.column_stack(columns).astype(float)).fit()
    error = float(fit.bse[1])
    if not error > 1e-9:
        return Estimate(n=n, method="Not estimated: the ranks do not vary within an arm.")
    low, high = (float(end) for end in fit.conf_int()[1])
    return Estimate(
        estimate=float(fit.params[1]),
        low=low,
        high=high,
        monte_carlo_error=error,
        n=n,
        p=float(fit.pvalues[1]),
        method="Rank ANCOVA: least squares of the rank of the rate in the window on the arm and "
        "the rank of the baseline rate; difference in mean rank, below 0 for fewer seizures; t "
        "interval and test; patients of both arms; unpaired.",
    )
