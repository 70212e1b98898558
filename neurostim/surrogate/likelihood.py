"""What one observation tells about a latent value that is Gaussian beforehand.

Each likelihood gives a Gaussian site: the gradient and precision of its log density at the mode of
the posterior, and the logarithm of the evidence. Everything is elementwise, so that no patient's
observation touches another's.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

MAX_LOG_MEAN = 40.0
"""Beyond any rate in any unit of time, and far from where exponentials overflow."""

N_NEWTON_STEPS = 12
"""Fixed, so that no patient's result depends on how fast another one converges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A Gaussian approximation of one observation, shapes `...`.

    The posterior of the latent is N(m + s gradient, s / (1 + s precision)) where N(m, s) came in.
    """

    gradient: Tensor
    precision: Tensor
    log_evidence: Tensor


class Likelihood(Protocol):
    """How observations come about, given a latent value."""

    @property
    def name(self) -> str:
        """The name by which files and people know it."""
        ...

    def slopes(
        self, latent: Tensor, value: Tensor, exposure: Tensor, dispersion: Tensor
    ) -> tuple[Tensor, Tensor]:
        """First and negative second derivative of the log density; the second is 0 or more."""
        ...

    def log_density(
        self, latent: Tensor, value: Tensor, exposure: Tensor, dispersion: Tensor
    ) -> Tensor:
        """The log density of a value, constants included."""
        ...


class NegativeBinomial:
    """Counts with mean exposure * exp(latent) and size dispersion * exposure.

    The variance is mean + mean^2 / size; a large size is Poisson.
    """

    name = "counts"

    def slopes(
        self, latent: Tensor, value: Tensor, exposure: Tensor, dispersion: Tensor
    ) -> tuple[Tensor, Tensor]:
        """First and negative second derivative of the log density."""
        size = dispersion * exposure
        mean = exposure * latent.clamp(-MAX_LOG_MEAN, MAX_LOG_MEAN).exp()
        share = mean / (size + mean)
        total = value + size
        return value - total * share, total * share * (1 - share)

    def log_density(
        self, latent: Tensor, value: Tensor, exposure: Tensor, dispersion: Tensor
    ) -> Tensor:
        """The log probability of a count."""
        size = dispersion * exposure
        log_mean = latent.clamp(-MAX_LOG_MEAN, MAX_LOG_MEAN) + exposure.log()
        log_total = torch.logaddexp(size.log(), log_mean)
        return (
            torch.lgamma(value + size)
            - torch.lgamma(size)
            - torch.lgamma(value + 1)
            + size * (size.log() - log_total)
            + value * (log_mean - log_total)
        )


class Gaussian:
    """Continuous responses with standard deviation dispersion / sqrt(exposure)."""

    name = "gaussian"

    def slopes(
        self, latent: Tensor, value: Tensor, exposure: Tensor, dispersion: Tensor
    ) -> tuple[Tensor, Tensor]:
        """First and negative second derivative of the log density."""
        precision = exposure / dispersion.square()
        return (value - latent) * precision, precision + 0 * latent

    def log_density(
        self, latent: Tensor, value: Tensor, exposure: Tensor, dispersion: Tensor
    ) -> Tensor:
        """The log density of a response."""
        precision = exposure / dispersion.square()
        squares = precision * (value - latent).square()
        return -0.5 * squares + 0.5 * (precision / (2 * torch.pi)).log()


class Occurrence:
    """Whether something came at least once: a hazard of exp(latent) over the exposure.

    `value` is 1 when it came, else 0; the dispersion is not used.
    """

    name = "occurrence"

    def slopes(
        self, latent: Tensor, value: Tensor, exposure: Tensor, dispersion: Tensor
    ) -> tuple[Tensor, Tensor]:
        """First and negative second derivative of the log density."""
        hazard = (exposure * latent.clamp(-MAX_LOG_MEAN, MAX_LOG_MEAN).exp()).clamp_max(500.0)
        odds = hazard / torch.expm1(hazard)  # of it not having come, times the hazard
        curvature = odds * (hazard / -torch.expm1(-hazard) - 1)
        came = value > 0
        return torch.where(came, odds, -hazard), torch.where(came, curvature, hazard)

    def log_density(
        self, latent: Tensor, value: Tensor, exposure: Tensor, dispersion: Tensor
    ) -> Tensor:
        """The log probability of what came."""
        hazard = exposure * latent.clamp(-MAX_LOG_MEAN, MAX_LOG_MEAN).exp()
        return torch.where(value > 0, torch.log(-torch.expm1(-hazard)), -hazard)


LIKELIHOODS: dict[str, Likelihood] = {
    each.name: each for each in (NegativeBinomial(), Gaussian(), Occurrence())
}


def site_of(
    likelihood: Likelihood,
    mean: Tensor,
    variance: Tensor,
    value: Tensor,
    exposure: Tensor,
    dispersion: Tensor,
) -> Site:
    """Laplace's approximation for one observation of a latent that is N(mean, variance).

    The log posterior is concave, and Newton's steps are damped where they would leave the region
    in which the curvature at the start is a fair picture of it.
    """
    latent = mean
    n_steps = 1 if isinstance(likelihood, Gaussian) else N_NEWTON_STEPS
    for _ in range(n_steps):
        gradient, precision = likelihood.slopes(latent, value, exposure, dispersion)
        step = (variance * gradient - (latent - mean)) / (1 + variance * precision)
        latent = latent + step.clamp(-2.0, 2.0) if n_steps > 1 else latent + step
    gradient, precision = likelihood.slopes(latent, value, exposure, dispersion)
    log_evidence = (
        likelihood.log_density(latent, value, exposure, dispersion)
        - 0.5 * variance * gradient.square()  # (latent - mean) is variance * gradient at the mode
        - 0.5 * torch.log1p(variance * precision)
    )
    return Site(gradient=gradient, precision=precision, log_evidence=log_evidence)
