"""A BoTorch model of the log rate ratio to off, one per patient, all fitted at once."""

from dataclasses import dataclass
from typing import Any

import torch
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from linear_operator import to_linear_operator
from torch import Tensor

from neurostim.surrogate.kernel import EffectKernel
from neurostim.surrogate.laplace import laplace

INTERCEPT_SD = 1.0
"""Prior standard deviation of the log rate when off, around the patient's own mean rate."""

MIN_VARIANCE = 1e-9
"""Added to every variance, since off has none and GPyTorch warns below 1e-10."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What B patients wrote down in up to n epochs each."""

    counts: Tensor  # B n
    days: Tensor  # B n, recorded days, the exposure
    mask: Tensor  # B n, whether there is a count
    index: Tensor  # B n, which row of the settings was on
    mixing: Tensor  # B n n, how much of each epoch's setting an epoch shows
    settings: Tensor  # U d, every setting that was on for anybody, encoded


class EffectModel(Model):
    """Posterior over h(x), the log of (rate at setting x / rate when off), for B patients.

    The log rate of epoch t is b + sum_s mixing[t, s] h(x_s), with an intercept b per patient and a
    Gaussian process h; counts are negative binomial. Each particle of the kernel is fitted by
    Laplace's approximation, and the mixture over particles, weighted by evidence, is matched by a
    Gaussian.
    """

    def __init__(self, kernel: EffectKernel, data: Counts) -> None:
        super().__init__()
        self.kernel = kernel
        self.data = data
        particles = kernel.particles
        at = data.index
        table = kernel.table(data.settings, data.settings)  # K U U
        self.between = table[:, at[:, :, None], at[:, None, :]].movedim(0, 1)  # B K n n
        mixed = data.mixing[:, None]  # B 1 n n
        covariance = mixed @ self.between @ mixed.mT + INTERCEPT_SD**2
        total = torch.where(data.mask, data.counts, 0.0).sum(-1, keepdim=True)
        exposure = torch.where(data.mask, data.days, 0.0)
        log_rate = torch.log((total + 0.5) / exposure.sum(-1, keepdim=True).clamp_min(1.0))
        days = exposure.clamp_min(1.0)
        size = particles.concentration_per_day.to(days.device)[:, None] * days[:, None]  # B K n
        self.fit = laplace(
            covariance,
            data.counts[:, None].expand_as(size),
            (log_rate + days.log())[:, None].expand_as(size),
            size,
            data.mask[:, None].expand_as(size),
        )
        self.weights = torch.softmax(self.fit.log_evidence, dim=-1)  # B K

    @property
    def num_outputs(self) -> int:
        """One: the effect."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """B, one model per patient."""
        return torch.Size([self.data.counts.shape[0]])

    def posterior(
        self,
        X: Tensor,  # noqa: N803 BoTorch's name
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any = None,
    ) -> GPyTorchPosterior:
        """Joint posterior of q settings that all patients share.

        Args:
            X: encoded settings, `N B q d`, expanded from `N 1 q d`: every patient gets the same N
                lists of q, which is what makes a whole batch one product of tables.
            output_indices: accepted for BoTorch's sake; there is one output.
            observation_noise: must be False: the effect is not observed by itself.
            posterior_transform: applied to the posterior when given.

        Returns:
            A posterior of batch shape `N B`, over q points.

        """
        if observation_noise is not False:
            raise ValueError("observation_noise: the effect is a rate ratio, it has no noise model")
        n_patients = self.batch_shape[0]
        is_shared = (
            X.dim() == 4 and X.shape[1] == n_patients and (n_patients == 1 or not X.stride(1))
        )
        if not is_shared:
            raise ValueError(
                f"X has shape {tuple(X.shape)}, strides {X.stride()}: N x 1 x q x d, expanded to "
                f"N x {n_patients} x q x d, was expected"
            )
        n_lists, _, n_joint, _ = X.shape
        mean, covariance = self._moments(X[:, 0].flatten(0, 1), n_lists, n_joint)
        # Off has no variance: a lazy covariance is not factorised before somebody samples from it.
        distribution = MultivariateNormal(mean, to_linear_operator(covariance))
        posterior = GPyTorchPosterior(distribution)
        return posterior if posterior_transform is None else posterior_transform(posterior)

    def means_when_tried(self) -> Tensor:
        """Posterior mean of the effect of each epoch's own setting, `B n`."""
        pulled = self.data.mixing[:, None].mT @ self.fit.gradient[..., None]
        means = (self.between @ pulled)[..., 0]  # B K n
        return torch.einsum("bk,bkn->bn", self.weights, means)

    def _moments(self, points: Tensor, n_lists: int, n_joint: int) -> tuple[Tensor, Tensor]:
        """Mean `N B q` and covariance `N B q q` of the mixture over particles."""
        fit, data = self.fit, self.data
        cross = self.kernel.table(data.settings, points)[:, data.index].movedim(0, 1)  # B K n P
        cross = data.mixing[:, None] @ cross
        means = (cross.mT @ fit.gradient[..., None])[..., 0]  # B K P
        scaled = fit.root_precision[..., None] * cross
        explained = torch.linalg.solve_triangular(fit.cholesky, scaled, upper=False)  # B K n P
        lists = points.reshape(n_lists, n_joint, -1)
        prior = self.kernel.table(lists, lists).movedim(1, 0)  # K N q q
        blocks = explained.unflatten(-1, (n_lists, n_joint))  # B K n N q
        covariances = prior - torch.einsum("bknlq,bknlr->bklqr", blocks, blocks)
        by_list = means.unflatten(-1, (n_lists, n_joint))  # B K N q
        mean = torch.einsum("bk,bklq->lbq", self.weights, by_list)
        apart = by_list - mean.movedim(1, 0)[:, None]
        spread = covariances + apart[..., :, None] * apart[..., None, :]
        covariance = torch.einsum("bk,bklqr->lbqr", self.weights, spread)
        floor = MIN_VARIANCE * torch.eye(n_joint, dtype=mean.dtype, device=mean.device)
        return mean, covariance + floor
