"""The surrogate for one patient and one particle, slow and plain: loops, inverses, no batch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mixing(days: list[float], wash_in_days: float, n_steps: int = 20_000) -> Floats:
    """How much of each epoch's setting each epoch shows, by stepping the equation through time."""
    weights = np.zeros((len(days), len(days)))
    carried = np.zeros(len(days))
    for t, length in enumerate(days):
        target = np.eye(len(days))[t]
        step = length / n_steps
        total = np.zeros(len(days))
        for _ in range(n_steps):
            middle = carried + (target - carried) * (step / 2 / wash_in_days)
            total += middle * step
            carried = carried + (target - middle) * (step / wash_in_days)
        weights[t] = total / length
    return weights


@dataclass(frozen=True, kw_only=True)
class Dense:
    """The joint prior of n observations' latents and of the effects at M settings now."""

    mean: Floats  # n, of the latents
    covariance: Floats  # n n
    cross: Floats  # n M
    list_mean: Floats  # M
    list_covariance: Floats  # M M


def dense(
    index: list[int],
    days: list[float],
    middle_day: list[float],
    list_mean: Floats,
    list_covariance: Floats,
    *,
    weights: Floats,
    keep: float,
    level: tuple[float, float, float],
    cycles: dict[float, float],
    wander: tuple[float, float],
) -> Dense:
    """Write down every covariance by its definition, one pair of observations at a time."""
    n, (level_mean, level_sd, level_keep) = len(index), level
    start = np.concatenate(([0.0], np.cumsum(days)))
    covariance, cross = np.zeros((n, n)), np.zeros((n, len(list_mean)))
    for i in range(n):
        for a in range(n):
            aged = keep ** (start[-1] - start[a])
            cross[i] += weights[i, a] * aged * list_covariance[index[a]]
        for j in range(n):
            for a in range(n):
                for b in range(n):
                    apart = keep ** abs(start[a] - start[b])
                    together = list_covariance[index[a], index[b]] * apart
                    covariance[i, j] += weights[i, a] * weights[j, b] * together
            covariance[i, j] += level_sd**2 * level_keep ** abs(start[i] - start[j])
            covariance[i, j] += wander[0] ** 2 * wander[1] ** abs(start[i] - start[j])
            for period, sd in cycles.items():
                turn = 2 * np.pi * (middle_day[i] - middle_day[j]) / period
                covariance[i, j] += sd**2 * np.cos(turn)
    return Dense(
        mean=level_mean + weights @ list_mean[index],
        covariance=covariance,
        cross=cross,
        list_mean=list_mean,
        list_covariance=list_covariance,
    )


def conditioned(prior: Dense, value: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance of the effects given the latents with this noise variance each."""
    gain = np.linalg.inv(prior.covariance + np.diag(noise))
    mean = prior.list_mean + prior.cross.T @ gain @ (value - prior.mean)
    return mean, prior.list_covariance - prior.cross.T @ gain @ prior.cross


def counts_conditioned(
    prior: Dense, counts: Floats, exposure: Floats, concentration: float
) -> tuple[Floats, Floats]:
    """The same by Laplace's approximation for negative binomial counts, with plain inverses."""
    size = concentration * exposure
    identity = np.eye(len(counts))
    f = np.zeros(len(counts))
    for _ in range(200):
        mean = exposure * np.exp(prior.mean + f)
        gradient = counts - (counts + size) * mean / (size + mean)
        precision = (counts + size) * mean * size / (size + mean) ** 2
        target = precision * f + gradient
        f = prior.covariance @ np.linalg.solve(
            identity + precision[:, None] * prior.covariance, target
        )
    gain = np.linalg.inv(prior.covariance + np.diag(1 / precision))
    mean = prior.list_mean + prior.cross.T @ gradient
    return mean, prior.list_covariance - prior.cross.T @ gain @ prior.cross
