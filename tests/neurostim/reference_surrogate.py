"""The surrogate for one patient and one particle, slow and plain: loops, inverses, no batch."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def kernel(
    left: Floats, right: Floats, outputscale: float, lengthscales: Floats, site_correlation: float
) -> float:
    """Covariance of the effects of two encoded settings."""
    gap = math.sqrt(5 * sum(((left[:4] - right[:4]) / lengthscales) ** 2))
    smooth = (1 + gap + gap**2 / 3) * math.exp(-gap)
    site = 1.0 if left[4] == right[4] else site_correlation
    bumps = [a * (1.3 - a) / 0.65**2 for a in (left[0], right[0])]
    return outputscale**2 * smooth * site * bumps[0] * bumps[1]


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


def posterior(
    covariance: Floats, cross: Floats, prior: Floats, counts: Floats, log_mean: Floats, size: Floats
) -> tuple[Floats, Floats]:
    """Mean and covariance of effects whose prior covariance with the latents is `cross`, `n P`."""
    f = np.zeros(len(counts))
    for _ in range(200):
        mean = np.exp(log_mean + f)
        gradient = counts - (counts + size) * mean / (size + mean)
        precision = (counts + size) * mean * size / (size + mean) ** 2
        posterior_covariance = np.linalg.inv(np.linalg.inv(covariance) + np.diag(precision))
        f = posterior_covariance @ (precision * f + gradient)
    mean = np.exp(log_mean + f)
    gradient = counts - (counts + size) * mean / (size + mean)
    precision = (counts + size) * mean * size / (size + mean) ** 2
    gain = np.linalg.inv(covariance + np.diag(1 / precision))
    return cross.T @ gradient, prior - cross.T @ gain @ cross
