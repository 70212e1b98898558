"""A learned prior with a share of generic particles, for patients unlike those it knows."""

from dataclasses import replace

import torch
from torch import Tensor

from neurostim.surrogate.generic import device_prior
from neurostim.surrogate.prior import ListPrior

GENERIC_SHARE = 0.1
LEAST_WEIGHT = 0.01
"""Of all particles together; each one costs time at every decision."""


def mixed(learned: ListPrior, generic: ListPrior, share: float = GENERIC_SHARE) -> ListPrior:
    """Both sets of particles, with this total weight on the generic ones.

    A generic particle takes the learned level, so that the two differ in what they say of effects
    and the evidence is about nothing else. Where its dispersion is also a learned one, it is as
    likely a priori as it was learned to be. The rarest generic particles are left out, and the
    others have the whole share.
    """
    if share <= 0:
        return learned
    is_same = generic.dispersion[:, None] == learned.dispersion
    known = torch.where(is_same, learned.log_weight, -torch.inf).logsumexp(1)
    every = torch.ones_like(generic.keep)
    aligned = replace(
        generic,
        level_mean=every * learned.level_mean[0],
        level_sd=torch.maximum(generic.level_sd, learned.level_sd[0]),
        wash_in=every * learned.wash_in[0],
        cycle_sd=every * learned.cycle_sd[0],
        log_weight=generic.log_weight + torch.where(is_same.any(1), known, 0.0),
    )
    return learned.mixed_with(pruned(aligned, LEAST_WEIGHT / share), share)


def mixed_for_device(
    learned: ListPrior, encoded: Tensor, share: float = GENERIC_SHARE
) -> ListPrior:
    """The same for a device's list, `M d`, with generic particles at the learned dispersions."""
    generic = device_prior(
        encoded,
        concentrations=learned.dispersion.tolist(),
        wash_in=float(learned.wash_in[0]),
        cycle_periods=learned.cycle_periods,
    )
    wandering = replace(generic, wander_sd=learned.wander_sd, wander_keep=learned.wander_keep)
    return mixed(learned, wandering, share)


def pruned(prior: ListPrior, least: float = LEAST_WEIGHT) -> ListPrior:
    """The particles of at least this weight; when there is none, the heaviest."""
    weight = torch.softmax(prior.log_weight, 0)
    keep = weight >= min(least, float(weight.max()) * (1 - 1e-9))
    return replace(prior.of(keep), log_weight=torch.log_softmax(prior.log_weight[keep], 0))
