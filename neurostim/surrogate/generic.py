"""Priors that know no population: particles over smooth surfaces that fall off at the edges."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import exp, log

import torch
from torch import Tensor

from neurostim.encoding import FEATURES
from neurostim.surrogate.covariance import covariance_of
from neurostim.surrogate.prior import ListPrior
from neurostim.surrogate.surface import Surface

AMPLITUDE, LOG_FREQUENCY, SITE = (
    FEATURES.index(name) for name in ("amplitude", "log_frequency", "site")
)
EFFECT_SDS = (0.4, 0.8)
"""Of the log rate ratio to off where it varies most: the better settings of most patients lie
between 0.45 and 0.85 of the rate when off."""

LENGTHSCALES = ((0.3, 0.25), (0.5, 0.4))
"""In amplitude and log frequency, as shares of the range of the list."""

CONCENTRATIONS_PER_DAY = (0.1, 0.4, 2.0)
"""Size of the negative binomial of one day: wild, ordinary and calm diaries."""

SITE_CORRELATION = 0.5
LEVEL_SD = 1.0
"""Of the log rate when off, around what the first observation says."""

WANDER = (0.5, 60.0)
"""How the rate when off comes and goes, on the logarithm and in days: an assumption, of several the
one with which 90 % intervals held most often (`tests/benchmarks/clinical_quality.py`)."""

OVERHANG = 0.05
"""How far beyond the top of the amplitude range the surface comes back to zero."""

LOG_HAZARD_AT_ZERO, LOG_HAZARD_RISE = -10.0, 5.0
HAZARD_SD, HAZARD_LEVEL_SD = 1.0, 1.5
"""Assumptions on side effects: a bothersome one is told of on one day in 150 at the top of the
range, more or less by a factor of e^1.8 between patients and settings, and hardly any near zero."""


def arch(position: Tensor) -> Tensor:
    """0 at the bottom of a range, 1 near its middle, and little at its top: `M` from 0 to 1.

    Without the fall the prior is most uncertain on the edge of the box, and at the signal of
    seizure counts a search lives there (Dastin-van Rijn and Widge 2025 on boundary avoidance). At
    the bottom, where the device is off, there is nothing that could have an effect.
    """
    return 2 * (position * (1 + OVERHANG - position)).clamp_min(0.0).sqrt() / (1 + OVERHANG)


def plateau(position: Tensor) -> Tensor:
    """0 at the bottom of a range and 1 from its middle on: `M` from 0 to 1."""
    return (2 * position).clamp_max(1.0)


def smooth_surface(encoded: Tensor, amplitude: float, frequency: float) -> Surface:
    """Effects of encoded settings, `M d`, apart from what the arch does."""
    lengthscales = [1.0] * SITE
    lengthscales[AMPLITUDE], lengthscales[LOG_FREQUENCY] = amplitude, frequency
    return Surface(
        numbers=encoded[:, :SITE],
        lengthscales=tuple(lengthscales),
        names=encoded[:, SITE, None],
        correlation=SITE_CORRELATION,
    )


def device_prior(
    encoded: Tensor,
    *,
    concentrations: Sequence[float] = CONCENTRATIONS_PER_DAY,
    wash_in: float = 0.0,
    keeps: Sequence[float] = (1.0,),
    cycle_periods: Sequence[float] = (),
    cycle_sd: float = 0.15,
    wander: tuple[float, float] = (0.0, 1.0),
    lengthscales: Sequence[tuple[float, float]] = LENGTHSCALES,
    avoids_edges: bool = True,
) -> ListPrior:
    """Effects of the settings of a device on the log rate of seizures, zero when off.

    Args:
        encoded: `M d`, settings as `Encoding` gives them.
        concentrations: sizes of the negative binomial for one unit of exposure.
        wash_in: time constant of an effect, in units of the exposure.
        keeps: correlations of the effects with themselves one unit later, a particle each.
        cycle_periods: periods of cycles of the level, in units of the exposure.
        cycle_sd: of each sine and cosine of a cycle, on the log rate.
        wander: standard deviation and time constant of a level that comes and goes.
        lengthscales: in amplitude and log frequency, a surface each.
        avoids_edges: whether effects vary less at the top of the amplitude range.

    """
    height = (arch if avoids_edges else plateau)(encoded[:, AMPLITUDE])
    surfaces = [replace(smooth_surface(encoded, *each), height=height) for each in lengthscales]
    grid = list(product(EFFECT_SDS, range(len(surfaces)), concentrations, keeps))
    columns = [torch.tensor(each, dtype=encoded.dtype) for each in zip(*grid, strict=True)]
    every = torch.ones_like(columns[0])
    return ListPrior(
        mean=encoded.new_zeros(len(grid), len(encoded)),
        covariance=covariance_of(surfaces, columns[1].long(), columns[0].square()),
        dispersion=columns[2],
        keep=columns[3],
        wash_in=every * wash_in,
        level_mean=every * 0,
        level_sd=every * LEVEL_SD,
        level_keep=every,
        cycle_sd=every * cycle_sd,
        log_weight=every * -log(len(grid)),
        cycle_periods=tuple(cycle_periods),
        wander_sd=wander[0],
        wander_keep=exp(-1 / wander[1]),
    )


def side_effect_prior(encoded: Tensor) -> ListPrior:
    """Log hazard per unit of exposure of a bothersome side effect: rises with the amplitude."""
    amplitude = encoded[:, AMPLITUDE]
    every = torch.ones(len(LENGTHSCALES), dtype=encoded.dtype)
    surfaces = [replace(smooth_surface(encoded, *each), height=amplitude) for each in LENGTHSCALES]
    return ListPrior(
        mean=(LOG_HAZARD_RISE * amplitude).expand(len(surfaces), -1),
        covariance=covariance_of(surfaces, torch.arange(len(surfaces)), every * HAZARD_SD**2),
        dispersion=every,
        keep=every,
        wash_in=every * 0,
        level_mean=every * LOG_HAZARD_AT_ZERO,
        level_sd=every * HAZARD_LEVEL_SD,
        level_keep=every,
        cycle_sd=every * 0.1,
        log_weight=every * -log(len(surfaces)),
    )
