"""What is delivered when a setting is meant: itself or one nearby, with weights."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from neurostim.surrogate.covariance import Covariance
from neurostim.surrogate.surface import ROWS_AT_A_TIME


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nearby:
    """J settings that may be delivered in place of each of M; rows of weights add up to 1."""

    place: Tensor  # M J int64, any setting where the weight is 0
    weight: Tensor  # M J

    @classmethod
    def along(cls, features: Tensor, column: int, n_ticks: int) -> Self:
        """Settings that differ in one column of the features, `M d`, by at most so many ticks.

        A tick is a step between neighbouring values on the list; half of them is the standard
        deviation.
        """
        ticks, step = torch.unique(features[:, column], return_inverse=True)
        others = [each for each in range(features.shape[1]) if each != column]
        rest, group = torch.unique(features[:, others], dim=0, return_inverse=True)
        away = torch.arange(-n_ticks, n_ticks + 1, device=features.device)
        where = step.new_full((len(rest), len(ticks) + 2 * n_ticks), -1)
        where[group, step + n_ticks] = torch.arange(len(features), device=features.device)
        place = where[group[:, None], step[:, None] + n_ticks + away]  # M J
        likely = torch.exp(-0.5 * (away.to(features) / (0.5 * n_ticks)).square())
        weight = likely * (place >= 0)
        return cls(place=place.clamp_min(0), weight=weight / weight.sum(1, keepdim=True))

    def matrix(self) -> Tensor:
        """The weights of the whole list, `M M`."""
        matrix = self.weight.new_zeros(len(self.place), len(self.place))
        return matrix.scatter_add_(1, self.place, self.weight)

    def over(self, values: Tensor) -> Tensor:
        """Weighted means of values over the list, `... M`."""
        total = torch.zeros_like(values)
        for place, weight in zip(self.place.T, self.weight.T, strict=True):
            total += values[..., place] * weight
        return total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Smoothed:
    """The covariance of weighted means of effects, without a table."""

    base: Covariance
    nearby: Nearby

    @property
    def n_particles(self) -> int:
        """K."""
        return self.base.n_particles

    @property
    def n_settings(self) -> int:
        """M."""
        return self.base.n_settings

    def columns(self, index: Tensor) -> Tensor:
        """See `Covariance`."""
        near, weight = self.nearby.place[index], self.nearby.weight[index]  # ... J
        columns = (self.base.columns(near) * weight[..., None]).sum(-2)
        return self.nearby.over(columns)

    def block(self, first: Tensor, second: Tensor) -> Tensor:
        """See `Covariance`."""
        ours, theirs = self.nearby.place[first], self.nearby.place[second]
        block = self.base.block(ours[..., :, None], theirs[..., None, :])
        weight = self.nearby.weight
        return (block * (weight[first][..., :, None] * weight[second][..., None, :])).sum((-2, -1))

    def diagonal(self) -> Tensor:
        """See `Covariance`."""
        places = torch.arange(self.n_settings, device=self.nearby.place.device)
        return self.block(places, places)

    def average(self) -> Tensor:
        """See `Covariance`."""
        places = torch.arange(self.n_settings, device=self.nearby.place.device)
        parts = places.split(ROWS_AT_A_TIME)
        return torch.cat([self.columns(part).mean(-1) for part in parts], dim=-1)

    def of(self, particles: Tensor) -> Self:
        """See `Covariance`."""
        return replace(self, base=self.base.of(particles))

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """See `Covariance`."""
        nearby = Nearby(
            place=self.nearby.place.to(device),
            weight=self.nearby.weight.to(device=device, dtype=dtype),
        )
        return replace(self, base=self.base.to(device, dtype), nearby=nearby)
