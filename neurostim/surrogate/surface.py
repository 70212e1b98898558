"""A random surface over a list of settings, written down in O(M) however long the list is.

The covariance of two settings is computed from their features when it is asked for. It is a
Matern-5/2 in the distance over all columns of numbers together, which is no product over these
columns: see `kronecker` for the sum of products that it equals on a grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import torch
from gpytorch.kernels import MaternKernel
from torch import Tensor

from neurostim.surrogate.kronecker import Axis, Products

Standing = Literal["as it is", "without its average", "over its range"]

ROWS_AT_A_TIME = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """height * smooth surface, over M settings, which then stands in one of three ways.

    "as it is"; "without its average" over the list, scaled to a mean variance of 1; or "over its
    range", scaled so that the variance expected over the list is 1. Tables and averages count the
    settings of the list alike.
    """

    numbers: Tensor  # M d
    lengthscales: tuple[float, ...]  # d
    names: Tensor  # M e, columns whose values are the same or not
    correlation: float  # of settings that differ in one name
    height: Tensor | None = None  # M; 1 when absent
    standing: Standing = "as it is"

    @property
    def n_settings(self) -> int:
        """M."""
        return len(self.numbers)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The same surface on a device, perhaps in another precision."""
        moved: dict[str, Any] = {
            name: getattr(self, name).to(device=device, dtype=dtype)
            for name in ("numbers", "names", "height")
            if getattr(self, name) is not None
        }
        return replace(self, **moved)

    def table(self) -> Tensor:
        """The covariance of every pair, `M M`, standing as it should."""
        table = self._sameness(self.names[:, None], self.names)
        if self.lengthscales:
            table = table * matern(self.numbers, self.lengthscales)
        if self.height is not None:
            table = table * self.height[:, None] * self.height
        if self.standing == "without its average":
            return centred(table)
        return table / range_of(table) if self.standing == "over its range" else table

    def entries(self, first: Tensor, second: Tensor) -> Tensor:
        """The covariance of settings at these places, broadcast together, as it is."""
        square = self.numbers.new_zeros(torch.broadcast_shapes(first.shape, second.shape))
        for column, length in zip(self.numbers.T, self.lengthscales, strict=True):
            scaled = column / length
            apart = scaled[first] - scaled[second]
            square = torch.addcmul(square, apart, apart)
        root = square.mul_(5).sqrt_()
        entries = torch.exp(-root) * (1 + root + root.square() / 3)
        if self.names.shape[1]:
            entries = entries * self._sameness(self.names[first], self.names[second])
        if self.height is not None:
            entries = entries * self.height[first] * self.height[second]
        return entries

    def columns(self, index: Tensor) -> Tensor:
        """The covariance of the settings at these places, `U`, with the list, `U M`, as it is."""
        return self.entries(index[:, None], torch.arange(self.n_settings, device=index.device))

    def diagonal(self) -> Tensor:
        """The variance of each setting, `M`, as it is."""
        if self.height is None:
            return self.numbers.new_ones(self.n_settings)
        return self.height.square()

    def average(self) -> Tensor:
        """The covariance of each setting with the average of the list, `M`, as it is."""
        products = self.products()
        if products is None:
            places = torch.arange(self.n_settings, device=self.numbers.device)
            parts = places.split(ROWS_AT_A_TIME)
            return torch.cat([self.columns(part).mean(1) for part in parts])
        height = torch.ones_like(self.diagonal()) if self.height is None else self.height
        return height * products.times(height) / self.n_settings

    def products(self) -> Products | None:
        """The smooth surface as a sum of products over its columns; None when it is no grid."""
        numbers = zip(self.numbers.T, self.lengthscales, strict=True)
        return Products.over(
            (
                *(Axis.of(column / length) for column, length in numbers),
                *(Axis.of(column, self.correlation) for column in self.names.T),
            )
        )

    def _sameness(self, first: Tensor, second: Tensor) -> Tensor:
        """Correlations by the names of settings, whose last axis is over the columns."""
        sameness = torch.ones_like((first == second).any(-1), dtype=self.numbers.dtype)
        for is_same in (first == second).unbind(-1):
            sameness = torch.where(is_same, sameness, sameness * self.correlation)
        return sameness


def matern(features: Tensor, lengthscales: Sequence[float]) -> Tensor:
    """Matern-5/2 correlations between rows of features, `M M`, a length scale per column."""
    kernel = MaternKernel(nu=2.5, ard_num_dims=features.shape[-1]).to(features)
    kernel.lengthscale = torch.tensor(lengthscales, dtype=features.dtype)
    with torch.no_grad():
        return kernel(features).to_dense()


def centred(covariance: Tensor) -> Tensor:
    """Covariance of what is left of a surface without its average over the list, scaled to 1.

    The average cannot be told from the level. Left in, it makes every setting look uncertain, and
    most so under the smoothest particle.
    """
    average = covariance.mean(dim=0)
    left = covariance - average[:, None] - average + average.mean()
    return left / left.diagonal().mean()


def range_of(covariance: Tensor) -> Tensor:
    """Expected variance over the list of a surface."""
    return covariance.diagonal().mean() - covariance.mean()
