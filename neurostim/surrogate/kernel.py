"""The prior over effects: a product kernel that is zero when the device is off."""

from dataclasses import dataclass
from itertools import product
from typing import Self

import torch
from botorch.models.kernels import CategoricalKernel
from gpytorch.kernels import MaternKernel
from torch import Tensor

from neurostim.encoding import FEATURES

_AMPLITUDE = FEATURES.index("amplitude")
_SITE = FEATURES.index("site")
_CONTINUOUS = tuple(range(_SITE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Particles:
    """K values of the hyperparameters, to be weighted by the evidence of a patient's counts.

    Length scales are in units of the encoded features; `concentration_per_day` is the negative
    binomial's size parameter for one recorded day (large is Poisson).
    """

    outputscale: Tensor  # K, standard deviation of the log rate ratio where it varies most
    amplitude_lengthscale: Tensor  # K
    frequency_lengthscale: Tensor  # K
    concentration_per_day: Tensor  # K

    @classmethod
    def generic(cls) -> Self:
        """A grid that knows no population: small or large, smooth or rough, calm or wild."""
        grid = torch.tensor(
            [
                (scale, *lengthscales, concentration)
                for scale, lengthscales, concentration in product(
                    (0.4, 0.8), ((0.3, 0.25), (0.7, 0.5)), (0.1, 0.4, 2.0)
                )
            ],
            dtype=torch.float64,
        )
        return cls(
            outputscale=grid[:, 0],
            amplitude_lengthscale=grid[:, 1],
            frequency_lengthscale=grid[:, 2],
            concentration_per_day=grid[:, 3],
        )

    def __len__(self) -> int:
        return len(self.outputscale)


class EffectKernel:
    """Covariance of the log rate ratio to off between settings, one table per particle.

    Matern-5/2 over amplitude, log frequency, log pulse width and duty, times a categorical kernel
    over sites, times an envelope in amplitude that vanishes at zero, where there is nothing to
    have an effect, and falls again towards the top of the range. Without that fall the prior is
    most uncertain on the edge of the box, and at the signal of seizure counts the search lives
    there (Dastin-van Rijn and Widge 2025 on boundary avoidance).
    """

    def __init__(self, particles: Particles, site_correlation: float = 0.5) -> None:
        n_particles = len(particles)
        batch_shape = torch.Size([n_particles])
        self.particles = particles
        self.smooth = MaternKernel(
            nu=2.5, ard_num_dims=len(_CONTINUOUS), active_dims=_CONTINUOUS, batch_shape=batch_shape
        ).double()
        lengthscale = torch.ones(n_particles, 1, len(_CONTINUOUS), dtype=torch.float64)
        lengthscale[:, 0, _AMPLITUDE] = particles.amplitude_lengthscale
        lengthscale[:, 0, FEATURES.index("log_frequency")] = particles.frequency_lengthscale
        self.smooth.lengthscale = lengthscale
        self.sites = CategoricalKernel(active_dims=(_SITE,), batch_shape=batch_shape).double()
        # CategoricalKernel is exp(-[x != x'] / lengthscale)
        self.sites.lengthscale = -1 / torch.log(torch.tensor(site_correlation, dtype=torch.float64))
        self.smooth.requires_grad_(False)
        self.sites.requires_grad_(False)

    def to(self, device: torch.device) -> "EffectKernel":
        """The same kernel with its tensors on a device."""
        self.smooth.to(device)
        self.sites.to(device)
        return self

    def table(self, left: Tensor, right: Tensor) -> Tensor:
        """Covariance between settings `... n d` and `... m d`, as `... K n m`."""
        left, right = left.unsqueeze(-3), right.unsqueeze(-3)
        smooth = self.smooth(left, right).to_dense()
        sites = self.sites(left, right).to_dense()
        bumps = _bump(left[..., :, None, _AMPLITUDE]) * _bump(right[..., None, :, _AMPLITUDE])
        variance = self.particles.outputscale.to(left.device).square()
        return variance[:, None, None] * bumps * smooth * sites


def _bump(amplitude: Tensor) -> Tensor:
    """0 at amplitude 0, 1 at 0.65, 0.71 at 1: a parabola."""
    return amplitude * (1.3 - amplitude) / 0.65**2
