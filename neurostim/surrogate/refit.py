"""The joint mode of all observations: what the filter approximates one at a time.

Newton's iteration of Rasmussen and Williams (2006), Algorithm 3.1, for the posteriors of all
patients and particles at once. It works with I + W^1/2 K W^1/2, whose eigenvalues are 1 or more, so
that no jitter is needed and an entry without a value is simply one with W = 0.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from neurostim.surrogate.filter import Belief, Rows, extras_at, share_carried
from neurostim.surrogate.likelihood import Likelihood

N_NEWTON_STEPS = 20
"""Fixed, so that no patient's result depends on how fast another one converges."""

LARGEST_STEP = 2.0
LARGEST_RESIDUAL = 1e-6
"""A mode that is further than this from its own equation is not used."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mode:
    """A Gaussian approximation around the joint mode, shapes `... n`."""

    gradient: Tensor  # of the log likelihood; the latents are at mean + covariance @ gradient
    root_precision: Tensor
    cholesky: Tensor  # of I + W^1/2 K W^1/2, `... n n`
    log_evidence: Tensor  # `...`
    is_found: Tensor  # `...`, bool


def mode_of(
    likelihood: Likelihood,
    covariance: Tensor,
    mean: Tensor,
    value: Tensor,
    exposure: Tensor,
    dispersion: Tensor,
    mask: Tensor,
) -> Mode:
    """Approximate the posterior of latents N(mean, covariance) given a value of each.

    Args:
        likelihood: how each value came from its latent.
        covariance: `... n n`.
        mean: `... n`.
        value: `... n`, anything where the mask is false.
        exposure: the same.
        dispersion: broadcast to `... n`.
        mask: `... n`, whether there is a value.

    """
    value = torch.where(mask, value, 0.0)
    exposure = torch.where(mask, exposure, 1.0)

    def slopes(f: Tensor) -> tuple[Tensor, Tensor]:
        gradient, precision = likelihood.slopes(mean + f, value, exposure, dispersion)
        return torch.where(mask, gradient, 0.0), torch.where(mask, precision, 0.0)

    f = torch.zeros_like(mean)
    for _ in range(N_NEWTON_STEPS):
        gradient, precision = slopes(f)
        root = precision.sqrt()
        b = precision * f + gradient
        inner = _solved(_factor(covariance, root)[0], root * _product(covariance, b))
        step = _product(covariance, b - root * inner) - f
        f = f + step.clamp(-LARGEST_STEP, LARGEST_STEP)
    gradient, precision = slopes(f)
    root = precision.sqrt()
    cholesky, is_sound = _factor(covariance, root)
    log_density = likelihood.log_density(mean + f, value, exposure, dispersion)
    residual = (_product(covariance, gradient) - f).abs().amax(-1)
    log_evidence = (
        torch.where(mask, log_density, 0.0).sum(-1)
        - 0.5 * (gradient * f).sum(-1)
        - cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    )
    return Mode(
        gradient=gradient,
        root_precision=root,
        cholesky=cholesky,
        log_evidence=log_evidence,
        is_found=is_sound & (residual < LARGEST_RESIDUAL) & torch.isfinite(log_evidence),
    )


def refit(belief: Belief) -> Belief:
    """The belief at the joint mode of everything observed; a patient whose mode fails keeps it."""
    if belief.n_rows == 0:
        return belief
    prior, observed = belief.prior, belief.observed
    x = observed.index  # B n
    day, weights, carried = mixtures(belief)
    age = (day[:, :, None] - day[:, None, :]).abs()[:, None]  # B 1 n n
    effects = prior.covariance.block(x[:, :, None], x[:, None]).movedim(0, 1)  # B K n n
    effects = effects * prior.keep[:, None, None] ** age
    extra = extras_at(prior, observed.at_day)  # B n E
    cycles = extra[:, None, :, prior.n_levels :] * prior.cycle_sd[:, None, None]
    level_variance = prior.extra_variance[:, : prior.n_levels]  # K n_levels
    levels = prior.levels_kept(age[:, 0]).movedim(-2, 1) * level_variance[:, None, None]
    mixed = weights @ effects
    covariance = mixed @ weights.mT + levels.sum(-1) + cycles @ cycles.mT
    mean = (weights @ prior.mean[:, x].movedim(0, 1)[..., None])[..., 0]
    mode = mode_of(
        belief.likelihood,
        covariance,
        mean + belief.level_start[..., None],
        observed.value[:, None].expand_as(mean),
        observed.exposure[:, None].expand_as(mean),
        prior.dispersion[:, None],
        usable(belief)[:, None].expand_as(mean),
    )
    to_now = (belief.day[:, None] - day)[:, None]  # B 1 n
    kept = prior.keep[:, None] ** to_now
    to_list = (weights * kept[:, :, None]) @ prior.covariance.columns(x).movedim(0, 1)  # B K n M
    to_levels = prior.levels_kept(to_now[:, 0]).movedim(-2, 1) * level_variance[:, None]
    to_cycles = cycles * prior.cycle_sd[:, None, None]
    to_extra = torch.cat((to_levels, to_cycles), dim=-1)
    to_carried = (mixed @ carried[..., None])[..., 0]
    carried_start = (carried * prior.mean[:, x].movedim(0, 1)).sum(-1)

    def explained(cross: Tensor) -> Tensor:
        scaled = mode.root_precision[..., None] * cross
        return torch.linalg.solve_triangular(mode.cholesky, scaled, upper=False)

    pull = mode.gradient[:, :, None]  # B K 1 n
    rows = explained(to_list)
    extra_mean = torch.zeros_like(belief.extra_mean)
    extra_mean[..., 0] = belief.level_start
    log_weight = torch.log_softmax(prior.log_weight, 0) + mode.log_evidence
    is_found = mode.is_found.all(1)
    fitted = replace(
        belief,
        mean=prior.mean + (pull @ to_list)[:, :, 0],
        variance=(prior.variance - rows.square().sum(2)).clamp_min(0.0),
        rows=Rows(rows, belief.n_rows),
        row_day=belief.day[:, None].expand_as(belief.row_day),
        extra_mean=extra_mean + (pull @ to_extra)[:, :, 0],
        extra_rows=explained(to_extra),
        carried_mean=carried_start + (pull @ to_carried[..., None])[:, :, 0, 0],
        carried_rows=explained(to_carried[..., None])[..., 0],
        log_weight=log_weight - log_weight.logsumexp(1, keepdim=True),
    )
    return fitted if bool(is_found.all()) else chosen(fitted, belief, is_found)


def chosen(first: Belief, second: Belief, is_first: Tensor) -> Belief:
    """The first belief for some patients and the second for the others."""
    n = first.n_rows
    parts: dict[str, Any] = {
        name: torch.where(
            is_first.view(-1, *[1] * (getattr(first, name).dim() - 1)),
            getattr(first, name),
            getattr(second, name),
        )
        for name in REFITTED
    }
    is_row = is_first[:, None, None, None]
    rows = torch.where(is_row, first.rows.buffer[:, :, :n], second.rows.buffer[:, :, :n])
    return replace(second, rows=Rows(rows, n), **parts)


REFITTED = (
    "mean",
    "variance",
    "row_day",
    "extra_mean",
    "extra_rows",
    "carried_mean",
    "carried_rows",
    "log_weight",
)


def usable(belief: Belief) -> Tensor:
    """Which observations tell anything, `B n`."""
    observed = belief.observed
    return observed.mask & (observed.exposure > 0) & torch.isfinite(observed.value)


def mixtures(belief: Belief) -> tuple[Tensor, Tensor, Tensor]:
    """When each observation began, `B n`; which effects it mixed, `B K n n`; what is carried now.

    The last, `B K n`, says how much of the effect of each epoch's setting is left.
    """
    prior, observed = belief.prior, belief.observed
    n = belief.n_rows
    passed = torch.where(observed.is_epoch, observed.days, 0.0)
    day = passed.cumsum(1) - passed
    shape = (belief.n_patients, prior.n_particles, n)
    carried = passed.new_zeros(shape)
    rows = []
    for t in range(n):
        in_mean, at_end = share_carried(observed.days[:, t], prior.wash_in)
        at_end = torch.where(observed.is_epoch[:, t, None], at_end, 1.0)
        own = torch.zeros_like(carried)
        own[..., t] = 1
        rows.append(own * (1 - in_mean)[..., None] + carried * in_mean[..., None])
        carried = own * (1 - at_end)[..., None] + carried * at_end[..., None]
    return day, torch.stack(rows, dim=2), carried


def _factor(covariance: Tensor, root: Tensor) -> tuple[Tensor, Tensor]:
    identity = torch.eye(root.shape[-1], dtype=root.dtype, device=root.device)
    matrix = identity + root[..., :, None] * covariance * root[..., None, :]
    is_finite = torch.isfinite(matrix).all(-1).all(-1)
    cholesky, info = torch.linalg.cholesky_ex(
        torch.where(is_finite[..., None, None], matrix, identity)
    )
    return cholesky, is_finite & (info == 0)


def _product(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None])[..., 0]


def _solved(cholesky: Tensor, vector: Tensor) -> Tensor:
    return torch.cholesky_solve(vector[..., None], cholesky)[..., 0]
