"""Permutation tests: what a comparison would show if the arms' names meant nothing.

Unpaired, the arms of the patients are permuted, as a parallel trial would have drawn them. Paired,
the sign of each patient's difference is flipped. Both keep their level exactly; where permutations
are drawn rather than listed, the Monte Carlo error of p stands beside it.
"""

from collections.abc import Callable
from math import comb
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from neurostim.estimates import RESAMPLED, Array, Estimate, bootstrap_sums, ratios
from neurostim.important_differences import differences_in_change
from neurostim.rate_ratios import Counts, fit_quietly, rate_ratio, recorded_counts

SEED = 20260102
VALUES_AT_ONCE = 4_000_000


class Permuted(NamedTuple):
    """A p value by permutation, its Monte Carlo error, and how many permutations in words."""

    p: float
    error: float
    words: str


def permuted_rate_ratio(
    n_permutations: int, arm: pd.DataFrame, reference: pd.DataFrame | None
) -> Estimate:
    """Return the rate ratio with p by permuting the arms of a parallel trial.

    The statistic is the difference between the arms in the mean score residual of a regression
    that does not know the arms. What the arms are called does not change the residuals, so that
    permuting them is exact, and one regression serves every permutation.
    """
    found = rate_ratio(arm, reference)
    counts = recorded_counts(arm, reference)
    if isinstance(counts, Estimate) or not np.isfinite(found.estimate):
        return found
    residuals = score_residuals(counts)
    is_arm = counts.design[:, 1] == 1
    groups = (residuals[is_arm], residuals[~is_arm])
    n_all = comb(len(residuals), int(is_arm.sum()))
    permuted = _permuted(groups, _difference_of_means, "independent", n_all, n_permutations)
    return Estimate(
        estimate=found.estimate,
        low=found.low,
        high=found.high,
        monte_carlo_error=found.monte_carlo_error,
        n=found.n,
        p=permuted.p,
        p_error=permuted.error,
        method=f"The rate ratio with its Wald interval; p by {permuted.words} permutations of the "
        "arms, of the difference in the mean score residual of a regression without the arm; "
        "patients of both arms; unpaired.",
    )


def flipped_difference(
    n_permutations: int, arm: pd.DataFrame, reference: pd.DataFrame | None
) -> Estimate:
    """Return the mean difference in percent change with p by flipping signs within patients."""
    differences = differences_in_change(arm, reference)
    n = len(differences)
    if not n:
        return Estimate(n=0, method="Not estimated: no patient has a percent change in both arms.")
    permuted = _permuted((differences,), _mean, "samples", 2**n, n_permutations)
    low, high, error = bootstrap_sums(np.column_stack([differences, np.ones(n)]), ratios)
    return Estimate(
        estimate=float(differences.mean()),
        low=low,
        high=high,
        monte_carlo_error=error,
        n=n,
        p=permuted.p,
        p_error=permuted.error,
        method="Mean over patients of the difference in percent change between this arm and the "
        f"other; {RESAMPLED}; p by {permuted.words} flips of the signs; paired.",
    )


def score_residuals(counts: Counts) -> Array:
    """Return each patient's contribution to the score for the arm, from a fit without the arm.

    By negative binomial; where that does not converge, what was counted beyond the common rate.
    """
    design = np.delete(counts.design, 1, axis=1)
    exposure = np.exp(counts.offset)
    fit = fit_quietly(counts._replace(design=design))
    if fit is None:
        beyond: Array = counts.counts - exposure * counts.counts.sum() / exposure.sum()
        return beyond
    mean = exposure * np.exp(design @ fit.params[:-1])
    residuals: Array = (counts.counts - mean) / (1 + max(0.0, float(fit.params[-1])) * mean)
    return residuals


def _permuted(
    groups: tuple[Array, ...],
    statistic: Callable[..., Array],
    kind: Literal["independent", "samples"],
    n_all: int,
    n_permutations: int,
) -> Permuted:
    """Return p from all permutations when there are no more than asked for, else from a draw."""
    is_drawn = n_all > n_permutations
    words = f"{n_permutations:,} random" if is_drawn else f"all {n_all:,}"
    if not any(group.any() for group in groups):
        return Permuted(1.0, 0.0, words)
    p = float(
        stats.permutation_test(
            groups,
            statistic,
            permutation_type=kind,
            vectorized=True,
            n_resamples=n_permutations,
            batch=max(1, VALUES_AT_ONCE // sum(map(len, groups))),
            random_state=np.random.default_rng(SEED),
        ).pvalue
    )
    return Permuted(p, float(np.sqrt(p * (1 - p) / n_permutations)) if is_drawn else 0.0, words)


def _difference_of_means(left: Array, right: Array, axis: int) -> Array:
    """Return the difference of two means along an axis."""
    difference: Array = left.mean(axis=axis) - right.mean(axis=axis)
    return difference


def _mean(values: Array, axis: int) -> Array:
    """Return the mean along an axis."""
    mean: Array = values.mean(axis=axis)
    return mean
