"""What is believed about a list of settings before a patient's first epoch: weighted particles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any, Self

import torch
from torch import Tensor

from neurostim.surrogate.covariance import LARGEST_TABLE, Covariance, Dense, joined
from protocols import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ListPrior:
    """K Gaussian priors over the effects at M settings, each with its hyperparameters.

    The latent of an observation is level + wandering + cycles + effect of the setting, see
    `filter`. Times are in the unit of the exposure, days in a trial.
    """

    mean: Tensor  # K M, of the effects
    covariance: Covariance
    dispersion: Tensor  # K, of the likelihood
    keep: Tensor  # K, correlation of the effects with themselves one unit of time later
    wash_in: Tensor  # K, time constant with which an effect comes and goes; 0 is at once
    level_mean: Tensor  # K
    level_sd: Tensor  # K
    level_keep: Tensor  # K, the same as `keep`, for the level
    cycle_sd: Tensor  # K, of each sine and cosine of each cycle
    log_weight: Tensor  # K
    cycle_periods: tuple[float, ...] = ()
    wander_sd: float = 0.0  # of a second level, which comes and goes
    wander_keep: float = 1.0  # its correlation with itself one unit of time later

    def __post_init__(self) -> None:
        n_particles, n_settings = self.mean.shape
        if (self.covariance.n_particles, self.covariance.n_settings) != (n_particles, n_settings):
            raise ValueError(
                f"covariance is of {self.covariance.n_particles} particles and "
                f"{self.covariance.n_settings} settings: {n_particles} and {n_settings} were "
                "expected"
            )
        for name in PER_PARTICLE:
            shape = tuple(getattr(self, name).shape)
            if shape != (n_particles,):
                raise ValueError(f"{name} has shape {shape}: ({n_particles},) was expected")

    @property
    def n_particles(self) -> int:
        """K."""
        return self.mean.shape[0]

    @property
    def n_settings(self) -> int:
        """M."""
        return self.mean.shape[1]

    @property
    def variance(self) -> Tensor:
        """Prior variance of each effect, `K M`."""
        return self.covariance.diagonal()

    @property
    def table(self) -> Tensor:
        """The covariance of every pair, `K M M`, which learning and saving need.

        Raises `InputError` when the list is longer than a table may be.
        """
        if isinstance(self.covariance, Dense):
            return self.covariance.table
        raise InputError(
            f"a prior over {self.n_settings} settings keeps no table of them, which learning and "
            f"saving need: at most {LARGEST_TABLE} settings were expected; thin the list out"
        )

    @property
    def has_wash_in(self) -> bool:
        """Whether any particle lets effects come and go slowly."""
        return bool((self.wash_in > 0).any())

    @property
    def has_drift(self) -> bool:
        """Whether any particle lets effects or the level change with time."""
        return bool((self.keep < 1).any() or (self.level_keep < 1).any()) or self.wander_sd > 0

    @property
    def extra_variance(self) -> Tensor:
        """Prior variance of the level, its wandering, and each sine and cosine, `K E`."""
        level = self.level_sd.square()[:, None]
        wander = torch.full_like(level, self.wander_sd**2).expand(-1, self.n_levels - 1)
        cycles = self.cycle_sd.square()[:, None].expand(-1, 2 * len(self.cycle_periods))
        return torch.cat((level, wander, cycles), dim=1)

    @property
    def n_levels(self) -> int:
        """One, or two with a level that wanders."""
        return 1 + (self.wander_sd > 0)

    def levels_kept(self, passed: Tensor) -> Tensor:
        """Correlation of each level with itself after these times, `... K n_levels`."""
        kept = self.level_keep ** passed[..., None]
        wander = self.wander_keep ** passed[..., None]
        return torch.stack((kept, wander.expand_as(kept))[: self.n_levels], dim=-1)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The same prior on a device, perhaps in another precision."""
        moved: dict[str, Any] = {
            name: getattr(self, name).to(device=device, dtype=dtype) for name in TENSORS
        }
        return replace(self, **moved, covariance=self.covariance.to(device, dtype))

    def of(self, particles: Tensor) -> Self:
        """These particles with their weights: places among them, or whether each is one of them."""
        columns: dict[str, Any] = {name: getattr(self, name)[particles] for name in TENSORS}
        return replace(self, **columns, covariance=self.covariance.of(particles))

    def with_keeps(self, keeps: Sequence[float]) -> Self:
        """Each particle once for every one of these `keep`s, equally likely."""
        n_each = len(keeps)
        particles = torch.arange(self.n_particles, device=self.keep.device)
        repeated = self.of(particles.repeat_interleave(n_each))
        return replace(
            repeated,
            keep=torch.tensor(keeps).to(self.keep).repeat(self.n_particles),
            log_weight=repeated.log_weight - log(n_each),
        )

    def mixed_with(self, other: Self, share: float) -> Self:
        """Both sets of particles, with this total weight on the other's.

        Raises `ValueError` when they are not about the same list, or carry other cycles.
        """
        if self.n_settings != other.n_settings:
            raise ValueError(
                f"priors over {self.n_settings} and {other.n_settings} settings cannot be mixed"
            )
        for name in ("cycle_periods", "wander_sd", "wander_keep"):
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours != theirs:
                raise ValueError(f"{name}: {ours} and {theirs} cannot be mixed")
        columns: dict[str, Any] = {
            name: torch.cat((getattr(self, name), getattr(other, name))) for name in TENSORS
        }
        weights = (
            torch.log_softmax(self.log_weight, 0) + log(1 - share),
            torch.log_softmax(other.log_weight, 0) + log(share),
        )
        return replace(
            self,
            **columns | {"log_weight": torch.cat(weights)},
            covariance=joined(self.covariance, other.covariance),
        )


PER_PARTICLE = (
    "dispersion",
    "keep",
    "wash_in",
    "level_mean",
    "level_sd",
    "level_keep",
    "cycle_sd",
    "log_weight",
)
TENSORS = ("mean", *PER_PARTICLE)
