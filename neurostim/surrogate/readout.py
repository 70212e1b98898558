"""What a belief says about each setting: risk, support, and what is left under perturbation."""

from dataclasses import replace

import torch
from torch import Tensor

from neurostim.surrogate.covariance import Covariance, Dense
from neurostim.surrogate.filter import Belief, Rows
from neurostim.surrogate.model import ListModel
from neurostim.surrogate.nearby import Nearby, Smoothed

SUPPORTED_SHARE = 0.95
"""A setting is supported when what was seen has lowered its variance to this share or below."""


def is_supported(model: ListModel) -> Tensor:
    """Whether the data tell anything about a setting, `B M`; what has no variance is known."""
    belief = model.belief
    prior = torch.einsum("bk,km->bm", belief.weight, belief.prior.variance)
    posterior = torch.einsum("bk,bkm->bm", belief.weight, belief.variance)
    return posterior <= SUPPORTED_SHARE * prior


def level_and_effect(belief: Belief) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of level plus effect at each setting, `B M` each."""
    prior, weight, n = belief.prior, belief.weight, belief.n_rows
    means = belief.mean + belief.extra_mean[..., :1]
    level_rows = belief.extra_rows[..., 0]
    seen = (level_rows * belief.row_share())[:, :, None]
    between = (seen @ belief.rows.buffer[:, :, :n])[:, :, 0]
    level = prior.level_sd.square() - level_rows.square().sum(-1)
    variances = (belief.variance + level[..., None] - 2 * between).clamp_min(0.0)
    mean = torch.einsum("bk,bkm->bm", weight, means)
    second = torch.einsum("bk,bkm->bm", weight, variances + means.square())
    return mean, (second - mean.square()).clamp_min(0.0).sqrt()


def smoothed(belief: Belief, nearby: Nearby) -> Belief:
    """The belief about weighted means of effects: what is left when settings are perturbed.

    The result is for reading only: it is not told further observations.
    """
    prior, n = belief.prior, belief.n_rows
    covariance: Covariance
    if isinstance(prior.covariance, Dense):
        weights = nearby.matrix()
        covariance = Dense(weights @ prior.covariance.table @ weights.T)
    else:
        covariance = Smoothed(base=prior.covariance, nearby=nearby)
    rows = nearby.over(belief.rows.buffer[:, :, :n])
    read = replace(prior, mean=nearby.over(prior.mean), covariance=covariance)
    kept = (rows * belief.row_share()[..., None]).square().sum(2)
    return replace(
        belief,
        prior=read,
        mean=nearby.over(belief.mean),
        variance=(read.variance - kept).clamp_min(0.0),
        rows=Rows(rows, n),
    )
