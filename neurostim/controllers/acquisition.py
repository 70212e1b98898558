"""How promising each setting of the list is to try next: `B M` scores."""

from typing import Literal

import numpy as np
import torch
from botorch.acquisition.analytic import LogExpectedImprovement, UpperConfidenceBound
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from neurostim.history import Integers
from neurostim.surrogate import Belief, ListModel
from neurostim.surrogate.covariance import LARGEST_TABLE, Computed, Dense
from patient_models.randomness import Purpose, uniforms
from protocols import InputError

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

    What is random is addressed by seed, patient and number of epochs, `B` each. Raises `InputError`
    for a list that is too long for a table and that nothing exact can be drawn over.
    """
    belief = model.belief
    covariance, n_particles = belief.prior.covariance, belief.weight.shape[1]

    def luck(who: NDArray[np.bool_], numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        at = patients[who, None], n_epochs[who, None]
        return uniforms(seed, *at, Purpose.CONTROLLER, numbers)

    chance = torch.from_numpy(luck(np.ones(len(patients), dtype=np.bool_), np.arange(1)))
    chance = chance.to(belief.mean)
    particle = (belief.weight.cumsum(1) < chance).sum(1).clamp_max(n_particles - 1)
    out = torch.empty_like(model.list_mean)
    for k in torch.unique(particle).tolist():
        is_k = particle == k
        if isinstance(covariance, Dense):
            n_numbers, draw = covariance.n_settings, _drawn
        elif isinstance(covariance, Computed):
            n_numbers, draw = covariance.n_numbers(k) + 2 * belief.n_rows, _corrected
        else:
            raise InputError(
                f"thompson: perturbed settings of a list of {covariance.n_settings} cannot be "
                f"drawn: at most {LARGEST_TABLE} settings were expected"
            )
        normal = ndtri(luck(is_k.cpu().numpy(), 1 + np.arange(n_numbers)))
        out[is_k] = draw(belief, int(k), is_k, torch.from_numpy(normal).to(belief.mean))
    return model.sign * out


def _corrected(belief: Belief, k: int, is_k: Tensor, normal: Tensor) -> Tensor:
    """Posterior draws as draws from the prior that are corrected (Matheron's rule).

    The rows V are the covariance of n standard normal numbers z, in which all that was seen is
    whitened, with the effects f, so that a draw of both gives mean + f - V'z. As z depends on f
    through the effects at the settings seen alone, it is drawn given these.
    """
    covariance, n = belief.prior.covariance, belief.n_rows
    assert isinstance(covariance, Computed)
    n_effects = normal.shape[1] - 2 * n
    effects = covariance.drawn(k, normal[:, :n_effects])
    rows = belief.rows.buffer[is_k, k, :n] * belief.row_share()[is_k, k][..., None]  # b n M
    seen = belief.observed.index[is_k]  # b n
    only = torch.tensor([k], device=seen.device)
    between = covariance.of(only).block(seen[:, :, None], seen[:, None])[0]
    identity = torch.eye(n, dtype=normal.dtype, device=normal.device)
    factor = torch.linalg.cholesky(between + JITTER * identity)
    at_seen = effects.gather(1, seen) + JITTER**0.5 * normal[:, n_effects : n_effects + n]
    white = torch.linalg.solve_triangular(factor, at_seen[..., None], upper=False)
    rows_at_seen = rows.gather(2, seen[:, None].expand(-1, n, -1))
    known = torch.linalg.solve_triangular(factor, rows_at_seen.mT, upper=False)  # b n n
    square, basis = torch.linalg.eigh(identity - known.mT @ known)
    rest = basis @ (square.clamp_min(0.0).sqrt() * normal[:, n_effects + n :])[..., None]
    z = known.mT @ white + rest
    return belief.mean[is_k, k] + effects - (rows.mT @ z)[..., 0]


def _drawn(belief: Belief, k: int, is_k: Tensor, normal: Tensor) -> Tensor:
    """Posterior draws by a root of the covariance.

    A posterior covariance is L (I - A'A) L' with L the factor of the prior's and n rows in A, so
    that its root is L (I - Q (1 - sqrt(1 - s^2)) Q') with Q and s^2 from the n x n matrix AA'.
    """
    covariance = belief.prior.table[k]
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
