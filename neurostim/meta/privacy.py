"""What a sum gives away about one patient in it, and the noise that bounds it.

Each patient's contribution is scaled down to a norm of at most `clip`, and each number of the sum
gets Gaussian noise of `noise_multiplier * clip`. Two sums are neighbours when one of them has a
patient told nothing whose history the other one has ("zero-out" neighbours, Kairouz and others
2021, "Practical and private deep learning without sampling or shuffling", section 2): the number
of patients is told openly. One round is then a Gaussian mechanism with mu = 1 / noise_multiplier,
rounds compose as mu^2 adds up, also when later ones depend on earlier ones (Dong, Roth and Su
2022, "Gaussian differential privacy", corollary 3.3), and

    delta(epsilon) = Phi(mu / 2 - epsilon / mu) - exp(epsilon) Phi(-mu / 2 - epsilon / mu)

(Balle and Wang 2018, "Improving the Gaussian mechanism for differential privacy", theorem 5), both
exact. What is not covered: the clip when it was chosen by looking at the data, and what can be
read from the last bits of floating-point noise (Mironov 2012).
"""

import math
from dataclasses import replace

import numpy as np
import torch
from scipy.special import log_ndtr
from torch import Tensor

from neurostim.meta.contributions import Sums

DEFAULT_DELTA = 1e-5


def delta_of(epsilon: float, mu_squared: float) -> float:
    """The delta that goes with an epsilon, for the sum of mu^2 over the rounds."""
    mu = math.sqrt(mu_squared)
    above = log_ndtr(mu / 2 - epsilon / mu)
    below = epsilon + log_ndtr(-mu / 2 - epsilon / mu)
    return float(np.exp(above) * -np.expm1(min(below - above, 0.0)))


def epsilon_of(mu_squared: float, delta: float = DEFAULT_DELTA) -> float:
    """The least epsilon of a delta, rounded up in the sixth digit."""
    low, high = 0.0, 1.0
    if delta_of(low, mu_squared) <= delta:
        return 0.0
    while delta_of(high, mu_squared) > delta:
        high *= 2
    while high - low > 1e-7 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle, mu_squared) > delta else (low, middle)
    return high


def clipped(squared_norms: Tensor, clip: float | None) -> Tensor:
    """By how much each patient's contribution is scaled, `B`, so that no norm exceeds the clip."""
    if clip is None:
        return torch.ones_like(squared_norms)
    return (clip / squared_norms.sqrt().clamp_min(1e-300)).clamp_max(1.0)


def noised(sums: Sums, sd: float, source: np.random.Generator) -> Sums:
    """The sums with independent noise of this standard deviation along every direction.

    Off the diagonal of a symmetric table each number stands for two, so that its noise is smaller
    by the square root of two for the same amount along a direction of length one.
    """

    def noise(like: Tensor) -> Tensor:
        return torch.from_numpy(source.normal(scale=sd, size=tuple(like.shape))).to(like)

    square = noise(sums.spread)
    upper = square.triu(1) / math.sqrt(2)
    return replace(
        sums,
        shift=sums.shift + noise(sums.shift),
        spread=sums.spread + torch.diag(square.diagonal()) + upper + upper.mT,
        level=sums.level + noise(sums.level),
        particles=sums.particles + noise(sums.particles),
    )
