"""Regressions on the counts of many replicated trials at once; `rate_ratios` fits one, by others.

Arrays are R replicates x N patients, the arm's before the reference's; `weights` is 1 for a patient
with a diary at both times, else 0. Where a fit here does not converge, or its matrix is singular,
the row is NaN, and the caller asks `rate_ratios`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from neurostim.estimates import Array
from neurostim.rate_ratios import LARGEST_ERROR

MOST_STEPS, MOST_HALVINGS = 60, 30
SMALL_STEP = 1e-9
LOWEST_LOG_DISPERSION = -8.0
"""Below it the maximum lies on the boundary without overdispersion: not a fit to rely on."""


Booleans = npt.NDArray[np.bool_]


class CountsOfMany(NamedTuple):
    """Counts of R trials: R x N, but `design`, R x N x 3, a constant, the arm and the covariate."""

    counts: Array
    design: Array
    offset: Array
    weights: Array


class FitOfMany(NamedTuple):
    """The log rate ratio, its standard error and the log-likelihood of R trials, or NaN."""

    log_ratio: Array
    error: Array
    log_likelihood: Array


def counts_of_many(
    n_baseline: Array, days_baseline: Array, n_window: Array, days_window: Array, n_arm: int
) -> CountsOfMany:
    """Prepare counts, R x N, the first `n_arm` of each row the arm's, as `recorded_counts` does."""
    weights = ((days_baseline > 0) & (days_window > 0)).astype(float)
    is_in = weights > 0
    log_rate = np.log(
        np.maximum(np.where(is_in, n_baseline, 1), 0.5) / np.where(is_in, days_baseline, 1)
    )
    centre = (log_rate * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
    arm = np.broadcast_to(np.arange(weights.shape[1]) < n_arm, weights.shape)
    design = np.stack([np.ones_like(weights), arm, log_rate - centre[:, None]], axis=-1)
    return CountsOfMany(
        counts=np.where(is_in, n_window, 0).astype(float),
        design=design.astype(float),
        offset=np.log(np.where(is_in, days_window, 1)),
        weights=weights,
    )


def negative_binomials(many: CountsOfMany) -> FitOfMany:
    """Fit each trial by maximum likelihood, variance m + dispersion m², errors from the Hessian."""
    start, _ = _poisson(many)
    mean = np.exp(_linear(many, start))
    square = (many.weights * ((many.counts - mean) ** 2 - mean)).sum(axis=1)
    moment = square / (many.weights * mean**2).sum(axis=1)
    log_dispersion = np.log(np.clip(np.nan_to_num(moment), 0.05, 20))
    x = np.concatenate([np.nan_to_num(start), log_dispersion[:, None]], axis=1)
    value = _log_likelihood(many, x)
    is_done = np.zeros(len(x), dtype=bool)
    for _ in range(MOST_STEPS):
        gradient, information = _derivatives(many, x)
        sizes, axes = np.linalg.eigh(information)
        along = np.einsum("rij,ri->rj", axes, gradient) / np.maximum(np.abs(sizes), 1e-8)
        step = np.clip(np.einsum("rij,rj->ri", axes, along), -3, 3)
        x, value, moved = _climbed(many, x, value, step)
        is_done = (np.abs(step) < SMALL_STEP).all(axis=1) | ~moved
        if is_done.all():
            break
    gradient, information = _derivatives(many, x)
    is_peak = np.abs(gradient).max(axis=1) < 1e-4 * np.maximum(1, many.counts.sum(axis=1))
    is_sound = is_done & is_peak & (x[:, -1] > LOWEST_LOG_DISPERSION)
    return _fitted(x, _inverses(information), value, is_sound)


def robust_poissons(many: CountsOfMany) -> FitOfMany:
    """Fit each trial by Poisson regression with sandwich errors."""
    x, is_sound = _poisson(many)
    mean = np.exp(_linear(many, x))
    design, weights = many.design, many.weights
    bread = _inverses(np.einsum("rn,rni,rnj->rij", weights * mean, design, design))
    residual = weights * (many.counts - mean) ** 2
    meat = np.einsum("rn,rni,rnj->rij", residual, design, design)
    return _fitted(x, bread @ meat @ bread, np.full(len(x), np.nan), is_sound)


def without_arm(many: CountsOfMany) -> CountsOfMany:
    """The same counts for a regression that does not know the arms."""
    return many._replace(design=np.delete(many.design, 1, axis=2))


def _linear(many: CountsOfMany, x: Array) -> Array:
    """The log means, R x N; `x` holds a coefficient for each column first."""
    n_columns = many.design.shape[2]
    found = np.einsum("rnj,rj->rn", many.design, x[:, :n_columns]) + many.offset
    clipped: Array = np.clip(found, -40, 40)
    return clipped


def _poisson(many: CountsOfMany) -> tuple[Array, Booleans]:
    """Fit Poisson regressions by Newton's method; returns coefficients and which converged."""
    n = many.weights.sum(axis=1)
    exposure = (many.weights * np.exp(many.offset)).sum(axis=1)
    x = np.zeros((len(n), many.design.shape[2]))
    x[:, 0] = np.log(np.maximum((many.weights * many.counts).sum(axis=1), 0.5) / exposure)
    step = np.full_like(x, np.inf)
    for _ in range(MOST_STEPS):
        mean = many.weights * np.exp(_linear(many, x))
        gradient = np.einsum("rn,rnj->rj", many.weights * many.counts - mean, many.design)
        information = np.einsum("rn,rni,rnj->rij", mean, many.design, many.design)
        step = np.einsum("rij,rj->ri", _inverses(information), gradient)
        x = x + np.clip(np.nan_to_num(step), -2, 2)
        if np.nanmax(np.abs(step), initial=0) < SMALL_STEP:
            break
    return x, np.all(np.abs(step) < 1e-6, axis=1)


def _log_likelihood(many: CountsOfMany, x: Array) -> Array:
    """The log-likelihood of each trial; the last of `x` is the log dispersion."""
    size = np.exp(-x[:, -1])[:, None]
    log_mean, counts = _linear(many, x), many.counts
    log_sum = np.log(size + np.exp(log_mean))
    each = (
        special.gammaln(counts + size)
        - special.gammaln(size)
        - special.gammaln(counts + 1)
        + size * (np.log(size) - log_sum)
        + counts * (log_mean - log_sum)
    )
    total: Array = (many.weights * each).sum(axis=1)
    return total


def _derivatives(many: CountsOfMany, x: Array) -> tuple[Array, Array]:
    """The gradient, R x P, and the negative Hessian, R x P x P, of the log-likelihood."""
    size = np.exp(-x[:, -1])[:, None]
    mean, y, w, design = np.exp(_linear(many, x)), many.counts, many.weights, many.design
    both = size + mean
    by_line = w * (y - mean) * size / both
    by_line_twice = w * mean * (y + size) * size / both**2
    by_size = w * (
        special.digamma(y + size) - special.digamma(size)
        + np.log(size / both) + 1 - (y + size) / both
    )  # fmt: skip
    by_size_twice = w * (
        special.polygamma(1, y + size) - special.polygamma(1, size)
        + 1 / size - 2 / both + (y + size) / both**2
    )  # fmt: skip
    by_size_and_line = w * (y - mean) * mean / both**2
    gradient = np.concatenate(
        [np.einsum("rn,rnj->rj", by_line, design), -(size * by_size).sum(axis=1)[:, None]], axis=1
    )
    corner = -(size**2 * by_size_twice + size * by_size).sum(axis=1)
    edge = np.einsum("rn,rnj->rj", size * by_size_and_line, design)
    square = np.einsum("rn,rni,rnj->rij", by_line_twice, design, design)
    information = np.concatenate(
        [
            np.concatenate([square, edge[:, :, None]], axis=2),
            np.concatenate([edge, corner[:, None]], axis=1)[:, None, :],
        ],
        axis=1,
    )
    return gradient, information


def _climbed(
    many: CountsOfMany, x: Array, value: Array, step: Array
) -> tuple[Array, Array, Booleans]:
    """Take the longest of the halved steps that climbs; returns also which trials moved."""
    share = np.ones(len(x))
    moved = np.zeros(len(x), dtype=bool)
    for _ in range(MOST_HALVINGS):
        tried = np.where(moved[:, None], x, x + share[:, None] * step)
        found = _log_likelihood(many, tried)
        is_up = ~moved & (found > value)
        x, value = np.where(is_up[:, None], tried, x), np.where(is_up, found, value)
        moved |= is_up
        if moved.all():
            break
        share /= 2
    return x, value, moved


def _inverses(matrices: Array) -> Array:
    """The inverse of each matrix, NaN where it is singular."""
    sizes = np.linalg.cond(matrices)
    is_sound = np.isfinite(sizes) & (sizes < 1e12)
    safe = np.where(is_sound[:, None, None], matrices, np.eye(matrices.shape[-1]))
    return np.where(is_sound[:, None, None], np.linalg.inv(safe), np.nan)


def _fitted(x: Array, covariance: Array, value: Array, is_sound: Booleans) -> FitOfMany:
    """The second coefficient of each trial with its error, NaN where the fit is not usable."""
    with np.errstate(invalid="ignore"):
        error = np.sqrt(covariance[:, 1, 1])
        is_sound = is_sound & np.isfinite(error) & (error > 0) & (error < LARGEST_ERROR)
    return FitOfMany(
        np.where(is_sound, x[:, 1], np.nan),
        np.where(is_sound, error, np.nan),
        np.where(is_sound, value, np.nan),
    )
