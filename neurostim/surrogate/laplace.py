"""Laplace's approximation for negative binomial counts under a Gaussian prior, batched.

The Newton iteration of Rasmussen and Williams (2006), Algorithm 3.1, for many posteriors at once.
It works with B = I + W^1/2 K W^1/2, whose eigenvalues are 1 or more, so that no jitter is needed
and an entry without a count is simply one with W = 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

N_NEWTON_STEPS = 15
"""Fixed, so that no patient's result depends on how fast another one converges."""

MAX_LOG_RATE = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Laplace:
    """A Gaussian approximation around the mode, shapes `...

    n`.
    """

    gradient: Tensor  # of the log likelihood at the mode; the mode is K @ gradient
    root_precision: Tensor  # W^1/2
    cholesky: Tensor  # of B, `... n n`
    log_evidence: Tensor  # `...`


def laplace(
    covariance: Tensor, counts: Tensor, log_mean: Tensor, size: Tensor, mask: Tensor
) -> Laplace:
    """Approximate the posterior of f, where f ~ N(0, covariance) and exp(log_mean + f) is the mean.

    Args:
        covariance: `... n n`.
        counts: `... n`, anything where the mask is false.
        log_mean: `... n`, offset of the log mean, exposure included.
        size: `... n`, the negative binomial's size; the variance is mean + mean^2 / size.
        mask: `... n`, whether there is a count.

    """
    counts = torch.where(mask, counts, torch.zeros_like(counts))
    f = torch.zeros_like(covariance[..., 0])
    for _ in range(N_NEWTON_STEPS):
        gradient, precision = _slopes(f, counts, log_mean, size, mask)
        root = precision.sqrt()
        cholesky = _factor(covariance, root)
        b = precision * f + gradient
        f = _matvec(covariance, b - root * _solve(cholesky, root * _matvec(covariance, b)))
    gradient, precision = _slopes(f, counts, log_mean, size, mask)
    root = precision.sqrt()
    cholesky = _factor(covariance, root)
    log_determinant = cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    log_likelihood = torch.where(mask, _log_likelihood(f, counts, log_mean, size), 0.0).sum(-1)
    return Laplace(
        gradient=gradient,
        root_precision=root,
        cholesky=cholesky,
        log_evidence=log_likelihood - 0.5 * (gradient * f).sum(-1) - log_determinant,
    )


def _slopes(
    f: Tensor, counts: Tensor, log_mean: Tensor, size: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """First and negative second derivative of the log likelihood, zero without a count."""
    mean = (log_mean + f).clamp(-MAX_LOG_RATE, MAX_LOG_RATE).exp()
    share = mean / (size + mean)
    gradient = counts - (counts + size) * share
    precision = (counts + size) * share * (1 - share)
    return torch.where(mask, gradient, 0.0), torch.where(mask, precision, 0.0)


def _log_likelihood(f: Tensor, counts: Tensor, log_mean: Tensor, size: Tensor) -> Tensor:
    log_rate = (log_mean + f).clamp(-MAX_LOG_RATE, MAX_LOG_RATE)
    log_total = torch.logaddexp(size.log(), log_rate)
    return (
        torch.lgamma(counts + size)
        - torch.lgamma(size)
        - torch.lgamma(counts + 1)
        + size * (size.log() - log_total)
        + counts * (log_rate - log_total)
    )


def _factor(covariance: Tensor, root: Tensor) -> Tensor:
    identity = torch.eye(root.shape[-1], dtype=root.dtype, device=root.device)
    return torch.linalg.cholesky(identity + root[..., :, None] * covariance * root[..., None, :])


def _matvec(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None])[..., 0]


def _solve(cholesky: Tensor, vector: Tensor) -> Tensor:
    return torch.cholesky_solve(vector[..., None], cholesky)[..., 0]
