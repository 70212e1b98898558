"""Ragged patients of a known hierarchical Gaussian process, with values or counts."""

import numpy as np
import torch

from neurostim.meta.contributions import part
from neurostim.surrogate.covariance import Dense
from neurostim.surrogate.filter import Observed
from neurostim.surrogate.prior import ListPrior

POSITIONS = np.linspace(0, 1, 12)
TRUE_MEAN = -0.8 * np.exp(-(((POSITIONS - 0.6) / 0.2) ** 2))
TRUE_COVARIANCE = 0.25 * np.exp(-(((POSITIONS[:, None] - POSITIONS) / 0.3) ** 2) / 2)
LEVEL_MEAN, LEVEL_SD = 1.5, 0.6
NOISE_SDS = (0.3, 0.8)


def generic(dispersions: tuple[float, ...] = NOISE_SDS) -> ListPrior:
    """A smooth prior with zero mean, one particle for each dispersion."""
    every = torch.ones(len(dispersions), dtype=torch.float64)
    apart = np.abs(POSITIONS[:, None] - POSITIONS)
    table = torch.from_numpy(0.5 * np.exp(-apart / 0.3))
    return ListPrior(
        mean=torch.zeros(len(every), len(POSITIONS), dtype=torch.float64),
        covariance=Dense(table.expand(len(every), -1, -1)),
        dispersion=torch.tensor(dispersions, dtype=torch.float64),
        keep=every,
        wash_in=every * 0,
        level_mean=every,
        level_sd=every,
        level_keep=every,
        cycle_sd=every * 0.1,
        log_weight=-every * np.log(len(every)),
    )


def cohort(seed: int, n_patients: int, n_epochs: int, has_counts: bool = False) -> Observed:
    """Patients who wrote 0 to `n_epochs` values each, `B n`."""
    draw = np.random.default_rng(seed)
    effects = draw.multivariate_normal(TRUE_MEAN, TRUE_COVARIANCE, n_patients)
    level = draw.normal(LEVEL_MEAN, LEVEL_SD, n_patients)
    noise = draw.choice(NOISE_SDS, n_patients)
    index = draw.integers(0, len(POSITIONS), (n_patients, n_epochs))
    latent = level[:, None] + np.take_along_axis(effects, index, 1)
    exposure = draw.uniform(0.5, 2.0, index.shape)
    value = (
        draw.poisson(np.exp(latent) * exposure).astype(np.float64)
        if has_counts
        else latent + draw.normal(size=index.shape) * noise[:, None] / np.sqrt(exposure)
    )
    is_seen = draw.uniform(size=index.shape) < draw.uniform(size=n_patients)[:, None]
    every = torch.ones(index.shape, dtype=torch.float64)
    return Observed(
        index=torch.from_numpy(index),
        value=torch.from_numpy(np.where(is_seen, value, np.nan)),
        exposure=torch.from_numpy(exposure),
        days=every,
        at_day=every.cumsum(1),
        mask=torch.from_numpy(is_seen),
        is_epoch=every > 0,
    )


def hospitals(observed: Observed, sizes: tuple[int, ...]) -> list[Observed]:
    """The patients in groups of these sizes, one after the other."""
    ends = np.cumsum(sizes)
    return [part(observed, slice(e - s, e)) for s, e in zip(sizes, ends, strict=True)]
