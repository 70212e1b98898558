"""How promising each setting of the list is to try next: `B M` scores."""

from typing import Literal

import numpy as np
import torch
from botorch.acquisition.analytic import LogExpectedImprovement, UpperConfidenceBound
from scipy.special import ndtri
from torch import Tensor

from neurostim.history import Integers
from neurostim.surrogate import Belief, ListModel
from patient_models.randomness import Purpose, uniforms

Acquisition = Literal["upper_confidence_bound", "log_expected_improvement", "thompson"]

SCORE_DECIMALS = 6
"""Scores are rounded and ties fall to the lower index, so that a choice does not flip with the
batch."""

JITTER = 1e-8
"""Added to the prior's variance before it is factorised for drawing from it: off has none."""


def scores(model: ListModel, acquisition: Acquisition, beta: float) -> Tensor:
    """BoTorch's acquisition function over the whole list, `B M`; for Thompson sampling see `draws`.

    Improvement is counted from the best posterior mean among the settings already tried, not from
    the luckiest epoch.
    """
    n_patients = model.belief.n_patients
    points = model.settings[:, None, None].expand(-1, n_patients, -1, -1)  # M B 1 d
    if acquisition == "upper_confidence_bound":
        return UpperConfidenceBound(model, beta=beta**2)(points).T
    return LogExpectedImprovement(model, best_f=best_tried(model))(points).T


def best_tried(model: ListModel) -> Tensor:
    """The best posterior mean among settings told, `B 1`; before the first, the prior's best."""
    observed = model.belief.observed
    at_best = model.list_mean.amax(1, keepdim=True)
    tried = model.list_mean.gather(1, observed.index)
    tried = torch.where(observed.mask, tried, -torch.inf)
    best = torch.cat((torch.full_like(at_best, -torch.inf), tried), 1).amax(1, keepdim=True)
    return torch.where(torch.isfinite(best), best, at_best)


def draws(model: ListModel, seed: int, patients: Integers, n_epochs: Integers) -> Tensor:
    """One draw from each patient's joint posterior over the list, `B M`, for Thompson sampling.

    A posterior covariance is L (I - A'A) L' with L the factor of the prior's and n rows in A, so
    that its root is L (I - Q (1 - sqrt(1 - s^2)) Q') with Q and s^2 from the n x n matrix AA'.
    What is random is addressed by seed, patient and number of epochs, `B` each.
    """
    belief = model.belief
    numbers = np.arange(1 + len(model.settings))
    luck = uniforms(seed, patients[:, None], n_epochs[:, None], Purpose.CONTROLLER, numbers)
    drawn = torch.from_numpy(ndtri(luck[:, 1:])).to(belief.mean)
    chance_of = torch.from_numpy(luck[:, :1]).to(belief.mean)
    particle = (belief.weight.cumsum(1) < chance_of).sum(1).clamp_max(belief.weight.shape[1] - 1)
    out = torch.empty_like(model.list_mean)
    for k in torch.unique(particle).tolist():
        is_k = particle == k
        out[is_k] = _drawn(belief, int(k), is_k, drawn[is_k])
    return model.sign * out


def _drawn(belief: Belief, k: int, is_k: Tensor, normal: Tensor) -> Tensor:
    covariance = belief.prior.covariance[k]
    jitter = JITTER * torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    factor = torch.linalg.cholesky(covariance + jitter)
    share = belief.row_share()[is_k, k]
    rows = belief.rows.buffer[is_k, k, : belief.n_rows] * share[..., None]  # b n M
    inner = torch.linalg.solve_triangular(factor.T, rows, upper=True, left=False)
    square, basis = torch.linalg.eigh(inner @ inner.mT)
    square = square.clamp(0.0, 1.0)
    # Q diag(1 - sqrt(1 - s^2)) Q' with Q = A' basis / s, written without dividing by s twice
    shrink = torch.where(square > 1e-12, (1 - (1 - square).sqrt()) / square.clamp_min(1e-12), 0.5)
    seen = basis.mT @ (inner @ normal[..., None])
    shrunk = normal - (inner.mT @ (basis @ (shrink[..., None] * seen)))[..., 0]
    return belief.mean[is_k, k] + shrunk @ factor.T
