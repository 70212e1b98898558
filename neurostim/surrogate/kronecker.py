"""A Matern-5/2 over a grid as a sum of products over its axes, for what needs the whole covariance.

A Matern is no product over its columns, but a mixture of squared exponentials, which are: as a
multivariate t is the spectral density (Rasmussen and Williams 2006, section 4.2.1),

    k(r) = E exp(-r^2 / 2g)   with g from a Gamma of shape and rate 5/2.

The trapezoidal rule in log g converges faster than any power of its step: some 45 products
are the Matern to 1e-13 (a test holds them to 1e-12). Values of g so small that no two numbers of
the list are correlated count together as one product, of width 0.
"""

from dataclasses import dataclass
from math import gamma, log, prod
from typing import Self

import torch
from torch import Tensor

SHAPE = 2.5
LOG_STEP, LOG_SMALLEST, LOG_LARGEST = 0.25, -12.0, 2.75
"""Of g: the integral beyond these ends is less than 1e-13."""

UNCORRELATED = 80.0
"""Squared distances above this many g correlate by less than 1e-17."""

LARGEST_CELLS_PER_SETTING = 8
"""A list with more cells than this for each setting is not treated as a grid."""

DROPPED = 1e-11
"""Directions in which a draw has a smaller variance than this are left out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axis:
    """The n different values of one column of a list."""

    values: Tensor  # n
    place: Tensor  # M, which of the values each setting has
    correlation: float | None  # of different names; None for numbers, in length scales

    @classmethod
    def of(cls, column: Tensor, correlation: float | None = None) -> Self:
        """The axis of a column, `M`."""
        values, place = torch.unique(column, return_inverse=True)
        return cls(values=values, place=place, correlation=correlation)

    def tables(self, widths: Tensor) -> Tensor:
        """Correlations between the values, `N n n`, for squared exponentials of these widths g."""
        apart = self.values[:, None] - self.values
        if self.correlation is not None:
            table = torch.where(apart == 0, 1.0, self.correlation).to(apart)
            return table.expand(len(widths), -1, -1)
        table = torch.exp(-0.5 * apart.square() / widths[:, None, None])
        return torch.where(apart == 0, 1.0, table)  # also at a width of 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Products:
    """N products over the axes, whose sum is the correlation."""

    sizes: tuple[int, ...]  # of each axis
    cell: Tensor  # M, where each setting is on the grid
    tables: tuple[Tensor, ...]  # N n n, of each axis
    weights: Tensor  # N

    @classmethod
    def over(cls, axes: tuple[Axis, ...]) -> Self | None:
        """The products over the axes of a list, or None when its settings are not on a grid."""
        sizes = tuple(len(axis.values) for axis in axes)
        n_settings = len(axes[0].place)
        if prod(sizes) > LARGEST_CELLS_PER_SETTING * n_settings:
            return None
        cell = torch.zeros_like(axes[0].place)
        for axis, size in zip(axes, sizes, strict=True):
            cell = cell * size + axis.place
        steps = [
            float(axis.values.diff().min())
            for axis in axes
            if axis.correlation is None and len(axis.values) > 1
        ]
        nearest = min((step**2 for step in steps), default=0.0)
        lowest = max(LOG_SMALLEST, log(nearest / UNCORRELATED) if nearest else LOG_SMALLEST)
        like = axes[0].values
        n_widths = int((LOG_LARGEST - lowest) / LOG_STEP) + 1
        log_widths = LOG_LARGEST - LOG_STEP * torch.arange(n_widths).to(like)
        height = LOG_STEP * SHAPE**SHAPE / gamma(SHAPE)
        weights = height * torch.exp(SHAPE * (log_widths - log_widths.exp()))
        widths = torch.cat((log_widths.exp(), like.new_zeros(1)))
        return cls(
            sizes=sizes,
            cell=cell,
            tables=tuple(axis.tables(widths) for axis in axes),
            weights=torch.cat((weights, (1 - weights.sum()).clamp_min(0.0)[None])),
        )

    def times(self, vector: Tensor) -> Tensor:
        """The correlations of the list times a vector over it, `M`."""
        grid = vector.new_zeros(prod(self.sizes))
        grid[self.cell] = vector
        moved = grid.view(self.sizes).expand(len(self.weights), *self.sizes)
        for place, table in enumerate(self.tables, start=1):
            moved = _along(moved, place, table)
        return torch.tensordot(self.weights, moved, dims=1).flatten()[self.cell]

    def roots(self) -> "Roots":
        """What normal numbers are multiplied with to draw from the surface."""
        found = [torch.linalg.eigh(table) for table in self.tables]
        parts = []
        for n, weight in enumerate(self.weights.tolist()):
            values = [each[0][n].clamp_min(0.0) for each in found]
            largest = [float(each[-1]) for each in values]
            roots = []
            for axis, (value, (_, vectors)) in enumerate(zip(values, found, strict=True)):
                others = weight * prod(largest[:axis] + largest[axis + 1 :])
                is_kept = value * others > DROPPED
                roots.append((vectors[n] * value.sqrt())[:, is_kept])
            roots[0] = roots[0] * weight**0.5
            if all(root.shape[1] for root in roots):
                parts.append(tuple(roots))
        return Roots(sizes=self.sizes, cell=self.cell, parts=tuple(parts))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roots:
    """A root of the correlations of a list: of each product, one of each axis, `n r`."""

    sizes: tuple[int, ...]
    cell: Tensor  # M
    parts: tuple[tuple[Tensor, ...], ...]

    @property
    def n_numbers(self) -> int:
        """How many normal numbers a draw takes."""
        return sum(prod(root.shape[1] for root in roots) for roots in self.parts)

    def drawn(self, normal: Tensor) -> Tensor:
        """Draws over the list, `b M`, from normal numbers, `b n_numbers`."""
        n_draws = len(normal)
        total = normal.new_zeros(n_draws, *self.sizes)
        used = 0
        for roots in self.parts:
            ranks = tuple(root.shape[1] for root in roots)
            moved = normal[:, used : used + prod(ranks)].reshape(n_draws, *ranks)
            used += prod(ranks)
            for place, root in enumerate(roots, start=1):
                moved = _along(moved, place, root)
            total += moved
        return total.flatten(1)[:, self.cell]


def _along(grid: Tensor, place: int, table: Tensor) -> Tensor:
    """A grid, `N ...`, whose axis at this place was multiplied with a table, `n r` or `N n r`."""
    front = grid.movedim(place, 1)
    moved = table @ front.reshape(*front.shape[:2], -1)
    return moved.view(len(grid), -1, *front.shape[2:]).movedim(1, place)
