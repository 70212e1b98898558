"""A prior over any list of numeric settings, for responses of any size: particles that differ.

A particle says how strong the surface is against the noise (from hardly at all, so that what a
null experiment shows is shrunk to nothing, to almost noiseless), how smooth it is, whether it falls
off towards the edges of the box, along which column it is smoother, and how columns that look like
categories are read. The evidence weighs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, sqrt

import torch
from torch import Tensor

from neurostim.surrogate.covariance import covariance_of
from neurostim.surrogate.generic import AMPLITUDE, arch, smooth_surface
from neurostim.surrogate.prior import ListPrior
from neurostim.surrogate.surface import Surface

MOST_CATEGORIES = 5
"""A column of whole numbers 0 (or 1) to at most this many may be names rather than amounts."""

CATEGORY_CORRELATION = 0.5
LOG_RATIO = 20.0
"""A column of positive numbers that spans this ratio is read on a logarithmic scale."""

OVERHANG = 0.1
"""How far beyond each end of a range an arched surface comes back to nothing."""

STRETCH = 2.5
"""How much smoother a surface may be along one column than along the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Particle:
    """One belief about a surface over the list.

    `signal` is its standard deviation over the list, for a Gaussian likelihood over that of the
    noise, for counts on the log rate; `dispersion` is the size of the negative binomial.
    """

    signal: float
    lengthscale: float
    is_arched: bool = False
    smooth_column: int | None = None  # even or odd columns are smoother than the others
    dispersion: float = 1.0
    weight: float = 1.0


GAUSSIAN = (
    Particle(signal=0.05, lengthscale=0.4, is_arched=True, weight=2),
    Particle(signal=0.1, lengthscale=0.5),
    Particle(signal=0.2, lengthscale=0.3, is_arched=True),
    Particle(signal=0.3, lengthscale=0.4),
    Particle(signal=0.4, lengthscale=0.4, is_arched=True),
    Particle(signal=0.6, lengthscale=0.3),
    Particle(signal=1.0, lengthscale=0.25, is_arched=True),
    Particle(signal=1.0, lengthscale=0.15),
    Particle(signal=1.0, lengthscale=0.5),
    Particle(signal=1.0, lengthscale=0.25, smooth_column=0),
    Particle(signal=1.0, lengthscale=0.25, smooth_column=1),
    Particle(signal=3.0, lengthscale=0.15),
    Particle(signal=3.0, lengthscale=0.3, is_arched=True),
    Particle(signal=3.0, lengthscale=0.3, smooth_column=0),
    Particle(signal=3.0, lengthscale=0.3, smooth_column=1),
    Particle(signal=10.0, lengthscale=0.4),
)
"""Tuned on the surfaces of `tests/benchmarks/response_maps.py` that are for tuning."""

COUNTS = (
    Particle(signal=0.05, lengthscale=0.4, is_arched=True, dispersion=2, weight=2),
    Particle(signal=0.05, lengthscale=0.4, is_arched=True, dispersion=30, weight=2),
    Particle(signal=0.15, lengthscale=0.4, is_arched=True, dispersion=2),
    Particle(signal=0.15, lengthscale=0.4, dispersion=8),
    Particle(signal=0.15, lengthscale=0.4, is_arched=True, dispersion=60),
    Particle(signal=0.4, lengthscale=0.3, is_arched=True, dispersion=2),
    Particle(signal=0.4, lengthscale=0.3, dispersion=8),
    Particle(signal=0.4, lengthscale=0.3, is_arched=True, dispersion=60),
    Particle(signal=0.4, lengthscale=0.5, dispersion=60),
    Particle(signal=0.9, lengthscale=0.25, dispersion=2),
    Particle(signal=0.9, lengthscale=0.25, is_arched=True, dispersion=8),
    Particle(signal=0.9, lengthscale=0.25, smooth_column=0, dispersion=30),
    Particle(signal=0.9, lengthscale=0.25, smooth_column=1, dispersion=30),
    Particle(signal=0.9, lengthscale=0.15, dispersion=60),
    Particle(signal=2.0, lengthscale=0.4, dispersion=30),
    Particle(signal=2.0, lengthscale=0.2, dispersion=60),
)
"""The same for counts."""

LEVEL_SD = 1.0
"""Of the level, in units of the responses' spread or on the log rate, around their average."""

HARM_LOG_HAZARD, HARM_LEVEL_SD, HARM_SD = log(0.02), 0.5, 2.0
HARM_LENGTHSCALES = (0.2, 0.5)
"""Assumptions on side effects over a table: rare at first, and where they come they come nearby."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """A table on the unit interval, constant columns left out, and which columns may be names."""

    unit: Tensor  # M d
    is_category: tuple[bool, ...]

    @classmethod
    def of(cls, table: Tensor) -> "Columns":
        """Read a table of finite numbers, `M d`."""
        kept, is_category = [], []
        for column in table.T:
            scaled = torch.log(column) if _spans_decades(column) else column / _size(column)
            low, high = scaled.min(), scaled.max()
            if high > low:
                kept.append((scaled - low) / (high - low))
                is_category.append(_looks_like_categories(column))
        if not kept:
            kept, is_category = [torch.zeros(len(table), dtype=table.dtype)], [False]
        return cls(unit=torch.stack(kept, dim=1), is_category=tuple(is_category))


def _size(column: Tensor) -> Tensor:
    return column.abs().max().clamp_min(torch.finfo(column.dtype).tiny)


def _spans_decades(column: Tensor) -> bool:
    return bool(column.min() > 0) and float(column.max().log() - column.min().log()) >= log(
        LOG_RATIO
    )


def _looks_like_categories(column: Tensor) -> bool:
    values = column.unique()
    if not 3 <= len(values) <= MOST_CATEGORIES or float(values[0]) not in (0.0, 1.0):
        return False
    return bool((values.diff() == 1).all())


def box_arch(unit: Tensor) -> Tensor:
    """Height over the box, `M`: most in the middle, little on the edges (see `generic.arch`)."""
    inside = (unit + OVERHANG) * (1 + OVERHANG - unit)
    return (inside.sqrt() / (0.5 + OVERHANG)).prod(dim=1)


def surface_of(columns: Columns, particle: Particle, as_names: bool) -> Surface:
    """What a particle is about, with a variance of 1 over the list."""
    unit = columns.unit
    is_name = torch.tensor([as_names and each for each in columns.is_category])
    numbers = unit[:, ~is_name]
    n_numbers = numbers.shape[1]
    length = particle.lengthscale * sqrt(max(n_numbers, 2) / 2)
    lengths = [
        length * (STRETCH if place % 2 == particle.smooth_column else 1.0)
        for place in range(n_numbers)
    ]
    return Surface(
        numbers=numbers,
        lengthscales=tuple(lengths),
        names=unit[:, is_name],
        correlation=CATEGORY_CORRELATION,
        height=box_arch(numbers) if particle.is_arched and n_numbers else None,
        standing="without its average",
    )


def table_prior(table: Tensor, likelihood: str) -> ListPrior:
    """Effects of the rows of a table on a response that is standardised, or on a log rate.

    Args:
        table: `M d`, finite numbers, a row per setting.
        likelihood: "gaussian" or "counts".

    """
    columns = Columns.of(table)
    particles = GAUSSIAN if likelihood == "gaussian" else COUNTS
    as_names = [any(columns.is_category) and k % 2 == 0 for k in range(len(particles))]
    surfaces = [surface_of(columns, *each) for each in zip(particles, as_names, strict=True)]
    return listed(surfaces, particles, likelihood)


def listed(
    surfaces: Sequence[Surface], particles: Sequence[Particle], likelihood: str
) -> ListPrior:
    """A prior of these particles, whose surfaces have a variance of 1 over the list."""
    numbers = surfaces[0].numbers
    signal = torch.tensor([each.signal for each in particles], dtype=numbers.dtype)
    dispersion = torch.tensor([each.dispersion for each in particles], dtype=numbers.dtype)
    if likelihood == "gaussian":  # the noise and the surface add up to the spread of responses
        dispersion = dispersion / (1 + signal.square()).sqrt()
        signal = signal * dispersion
    every = torch.ones_like(signal)
    weight = torch.tensor([each.weight for each in particles], dtype=numbers.dtype)
    return ListPrior(
        mean=numbers.new_zeros(len(particles), len(numbers)),
        covariance=covariance_of(surfaces, torch.arange(len(surfaces)), signal.square()),
        dispersion=dispersion,
        keep=every,
        wash_in=every * 0,
        level_mean=every * 0,
        level_sd=every * LEVEL_SD,
        level_keep=every,
        cycle_sd=every * 0.1,
        log_weight=(weight / weight.sum()).log(),
    )


def table_side_effect_prior(table: Tensor) -> ListPrior:
    """Log hazard of a side effect per unit of exposure over the rows of a table, `M d`."""
    columns = Columns.of(table)
    unit = columns.unit
    reach = sqrt(max(unit.shape[1], 2) / 2)
    lengths = [(each * reach,) * unit.shape[1] for each in HARM_LENGTHSCALES]
    surfaces = [
        Surface(
            numbers=unit,
            lengthscales=each,
            names=unit[:, :0],
            correlation=CATEGORY_CORRELATION,
        )
        for each in lengths
    ]
    every = torch.ones(len(surfaces), dtype=table.dtype)
    return ListPrior(
        mean=table.new_zeros(len(surfaces), len(table)),
        covariance=covariance_of(surfaces, torch.arange(len(surfaces)), every * HARM_SD**2),
        dispersion=every,
        keep=every,
        wash_in=every * 0,
        level_mean=every * HARM_LOG_HAZARD,
        level_sd=every * HARM_LEVEL_SD,
        level_keep=every,
        cycle_sd=every * 0.1,
        log_weight=every * -log(len(surfaces)),
    )


def device_gaussian_prior(encoded: Tensor) -> ListPrior:
    """Effects of the settings of a device, zero when off, on a response that is standardised.

    Args:
        encoded: `M d`, settings as `Encoding` gives them, off among them.

    """
    height = arch(encoded[:, AMPLITUDE])
    surfaces = [
        replace(
            smooth_surface(encoded, each.lengthscale, each.lengthscale),
            height=height,
            standing="over its range",
        )
        for each in DEVICE_GAUSSIAN
    ]
    return listed(surfaces, DEVICE_GAUSSIAN, "gaussian")


DEVICE_GAUSSIAN = tuple(
    Particle(signal=signal, lengthscale=lengthscale, is_arched=True)
    for signal in (0.1, 0.3, 1.0, 3.0)
    for lengthscale in (0.25, 0.5)
)
"""Particles for a device and a continuous response; all fall to nothing where it is off."""
