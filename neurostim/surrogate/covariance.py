"""The prior covariance of the effects of M settings, under each of K particles.

A table of `K M M` up to `LARGEST_TABLE` settings. Beyond, what is asked for is computed from the
surfaces that the particles are about, and nothing of size M x M is ever made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol, Self

import torch
from torch import Tensor

from neurostim.surrogate.kronecker import Roots
from neurostim.surrogate.surface import Surface
from protocols import InputError

LARGEST_TABLE = 2048
LARGEST_LIST = 16_384
"""Averages over a list that is not on a grid take time that grows with its square: `table_prior` of
8,000 scattered settings was made in 21 s on one core, and of a grid in 0.1 s."""


class Covariance(Protocol):
    """Places are int64 tensors of any shape, and the particles come first in what is returned."""

    @property
    def n_particles(self) -> int:
        """K."""
        ...

    @property
    def n_settings(self) -> int:
        """M."""
        ...

    def columns(self, index: Tensor) -> Tensor:
        """With the whole list, for settings at these places, `...`: `K ... M`."""
        ...

    def block(self, first: Tensor, second: Tensor) -> Tensor:
        """Between settings at two places, which broadcast to `...`: `K ...`."""
        ...

    def diagonal(self) -> Tensor:
        """Of each setting with itself, `K M`."""
        ...

    def average(self) -> Tensor:
        """Of each setting with the average of the list, `K M`."""
        ...

    def of(self, particles: Tensor) -> Self:
        """Of these particles: places among them, or whether each is one of them."""
        ...

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The same on a device, perhaps in another precision."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A table of everything."""

    table: Tensor  # K M M

    def __post_init__(self) -> None:
        shape = tuple(self.table.shape)
        if len(shape) != 3 or shape[1] != shape[2]:
            raise ValueError(f"covariance has shape {shape}: (K, M, M) was expected")

    @property
    def n_particles(self) -> int:
        """K."""
        return self.table.shape[0]

    @property
    def n_settings(self) -> int:
        """M."""
        return self.table.shape[1]

    def columns(self, index: Tensor) -> Tensor:
        """See `Covariance`."""
        return self.table[:, index]

    def block(self, first: Tensor, second: Tensor) -> Tensor:
        """See `Covariance`."""
        return self.table[:, first, second]

    def diagonal(self) -> Tensor:
        """See `Covariance`."""
        return self.table.diagonal(dim1=1, dim2=2)

    def average(self) -> Tensor:
        """See `Covariance`."""
        return self.table.mean(1)

    def of(self, particles: Tensor) -> Self:
        """See `Covariance`."""
        return replace(self, table=self.table[particles])

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """See `Covariance`."""
        return replace(self, table=self.table.to(device=device, dtype=dtype))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Computed:
    """S surfaces, of which each particle is about one, larger or smaller."""

    surfaces: tuple[Surface, ...]
    offset: Tensor  # S M, what is taken from the covariance of a setting with any other
    which: Tensor  # K int64, the surface of each particle
    scale: Tensor  # K

    @classmethod
    def over(cls, surfaces: Sequence[Surface], which: Tensor, scale: Tensor) -> Self:
        """Surfaces standing as they should: see `Surface`."""
        offsets, units = zip(*map(_standing, surfaces), strict=True)
        return cls(
            surfaces=tuple(surfaces),
            offset=torch.stack(offsets),
            which=which,
            scale=scale / torch.stack(units)[which],
        )

    @property
    def n_particles(self) -> int:
        """K."""
        return len(self.which)

    @property
    def n_settings(self) -> int:
        """M."""
        return self.offset.shape[1]

    def columns(self, index: Tensor) -> Tensor:
        """See `Covariance`; a setting that is asked for several times is computed once."""
        distinct, which = torch.unique(index, return_inverse=True)
        columns = self.offset.new_empty(*index.shape, self.n_particles, self.n_settings)
        for s, surface in enumerate(self.surfaces):
            offset = self.offset[s]
            found = surface.columns(distinct).sub_(offset).sub_(offset[distinct, None])[which]
            for k in (self.which == s).nonzero()[:, 0].tolist():
                torch.mul(found, self.scale[k], out=columns[..., k, :])
        return columns.movedim(-2, 0)

    def block(self, first: Tensor, second: Tensor) -> Tensor:
        """See `Covariance`."""
        found = torch.stack(
            [
                surface.entries(first, second) - offset[first] - offset[second]
                for surface, offset in zip(self.surfaces, self.offset, strict=True)
            ]
        )
        return found[self.which] * self.scale.view(-1, *[1] * (found.dim() - 1))

    def diagonal(self) -> Tensor:
        """See `Covariance`."""
        variance = torch.stack([surface.diagonal() for surface in self.surfaces])
        return (variance - 2 * self.offset)[self.which] * self.scale[:, None]

    def n_numbers(self, particle: int) -> int:
        """How many normal numbers a draw of a particle's effects takes."""
        return _roots(self.surfaces[self.which[particle]]).n_numbers

    def drawn(self, particle: int, normal: Tensor) -> Tensor:
        """Draws of a particle's effects from `b n_numbers` normal numbers, `b M`, mean zero.

        Raises `InputError` when the list is not on a grid.
        """
        surface = self.surfaces[self.which[particle]]
        effects = _roots(surface).drawn(normal)
        if surface.height is not None:
            effects = effects * surface.height
        if surface.standing == "without its average":
            effects = effects - effects.mean(1, keepdim=True)
        return effects * self.scale[particle].sqrt()

    def average(self) -> Tensor:
        """See `Covariance`."""
        found = [
            torch.zeros_like(offset)
            if surface.standing == "without its average"
            else surface.average()
            for surface, offset in zip(self.surfaces, self.offset, strict=True)
        ]
        return torch.stack(found)[self.which] * self.scale[:, None]

    def of(self, particles: Tensor) -> Self:
        """See `Covariance`."""
        return replace(self, which=self.which[particles], scale=self.scale[particles])

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """See `Covariance`."""
        return replace(
            self,
            surfaces=tuple(surface.to(device, dtype) for surface in self.surfaces),
            offset=self.offset.to(device=device, dtype=dtype),
            which=self.which.to(device=device),
            scale=self.scale.to(device=device, dtype=dtype),
        )


@lru_cache(maxsize=32)
def _roots(surface: Surface) -> Roots:
    """Kept, since draws are made at every visit."""
    products = surface.products()
    if products is None:
        raise InputError(
            f"thompson: the {surface.n_settings} settings are not on a grid: one, or at most "
            f"{LARGEST_TABLE} settings, were expected"
        )
    return products.roots()


def _standing(surface: Surface) -> tuple[Tensor, Tensor]:
    """What is taken from the covariances of a surface, `M`, and what counts as a variance of 1."""
    variance = surface.diagonal()
    if surface.standing == "as it is":
        return torch.zeros_like(variance), variance.new_ones(())
    average = surface.average()
    if surface.standing == "over its range":
        return torch.zeros_like(variance), variance.mean() - average.mean()
    offset = average - average.mean() / 2
    return offset, (variance - 2 * offset).mean()


def covariance_of(surfaces: Sequence[Surface], which: Tensor, scale: Tensor) -> Covariance:
    """K particles, each about one of S surfaces, whose variance is multiplied by its scale.

    Raises `InputError` when the list is longer than `LARGEST_LIST`.
    """
    n_settings = surfaces[0].n_settings
    if n_settings > LARGEST_LIST:
        raise InputError(
            f"the list holds {n_settings} settings: at most {LARGEST_LIST} were expected; thin it "
            "out"
        )
    if n_settings > LARGEST_TABLE:
        return Computed.over(surfaces, which, scale)
    tables = [surface.table() for surface in surfaces]
    table = torch.stack([tables[s] for s in which.tolist()])
    table *= scale[:, None, None]  # in place: 16 tables of a long list are 540 MB
    return Dense(table)


def joined(first: Covariance, second: Covariance) -> Covariance:
    """The particles of both, which are about one list."""
    if isinstance(first, Dense) and isinstance(second, Dense):
        return Dense(torch.cat((first.table, second.table)))
    if isinstance(first, Computed) and isinstance(second, Computed):
        return Computed(
            surfaces=first.surfaces + second.surfaces,
            offset=torch.cat((first.offset, second.offset)),
            which=torch.cat((first.which, second.which + len(first.surfaces))),
            scale=torch.cat((first.scale, second.scale)),
        )
    raise ValueError(
        f"a {type(first).__name__} and a {type(second).__name__} covariance: both of one form were "
        "expected"
    )
