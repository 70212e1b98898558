"""Continuous results kept so that another scale costs one pass over the list, however many.

What is certain does not depend on the values. The rows of V are those of the inverse Cholesky
factor L of the covariance of the values times their covariance with the list, and the mean is
V'z with Lz the values. Lz = (y - c) / s is linear in y: with the solutions for y and for ones kept,
another average c and spread s need no other solve.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from neurostim.surrogate.filter import Belief


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whitened:
    """Solutions of Lz = y and of Lz = 1 for n results of B subjects under K particles."""

    anchor: Tensor  # B, the first value, away from which values are taken; NaN before it
    value: Tensor  # B K n
    one: Tensor  # B K n
    log_scale: Tensor  # B K n, logarithm of the diagonal of L

    @classmethod
    def start(cls, n_subjects: int, n_particles: int) -> Self:
        """Before the first result."""
        none = torch.zeros(n_subjects, n_particles, 0, dtype=torch.float64)
        anchor = torch.full((n_subjects,), torch.nan, dtype=torch.float64)
        return cls(anchor=anchor, value=none, one=none, log_scale=none)

    def told(self, belief: Belief, value: Tensor) -> Self:
        """With one more result of each subject, `B`, which is the last row of a belief.

        A row holds at later settings what is below the diagonal of L, and at its own setting
        q = v / sqrt(v + noise), which gives the variance v and so the diagonal.
        """
        observed, n = belief.observed, belief.n_rows - 1
        subject = torch.arange(belief.n_patients)
        mask = observed.mask[:, n]
        rows = belief.rows.buffer[subject, :, : n + 1, observed.index[:, n]]  # B K n+1
        seen = rows + belief.extra_rows[..., 0]
        noise = belief.prior.dispersion.square() / observed.exposure[:, n, None]  # B K
        square = seen[..., n].square()
        scale = ((square + (square.square() + 4 * square * noise).sqrt()) / 2 + noise).sqrt()
        anchor = torch.where(torch.isnan(self.anchor) & mask, value, self.anchor)
        away = torch.where(mask, value - anchor, 0.0)[:, None]

        def and_next(solved: Tensor, right: Tensor) -> Tensor:
            new = (right - (seen[..., :n] * solved).sum(-1)) / scale
            return torch.cat((solved, torch.where(mask[:, None], new, 0.0)[..., None]), dim=-1)

        log_scale = torch.where(mask[:, None], scale.log(), 0.0)[..., None]
        return replace(
            self,
            anchor=anchor,
            value=and_next(self.value, away),
            one=and_next(self.one, torch.ones_like(away)),
            log_scale=torch.cat((self.log_scale, log_scale), dim=-1),
        )

    def standardised(self, belief: Belief, centre: Tensor, spread: Tensor) -> Belief:
        """The belief that the same results would have led to on another scale, `B` each."""
        prior, n = belief.prior, belief.n_rows
        shift = (self.anchor.nan_to_num() - centre)[:, None] - spread[:, None] * belief.level_start
        z = (self.value + shift[..., None] * self.one) / spread[:, None, None]
        density = (z.square() / 2 + self.log_scale).sum(-1)
        log_weight = torch.log_softmax(prior.log_weight, 0) - density
        extra_mean = belief.extra_mean.clone()
        extra_mean[..., 0] = belief.level_start + (belief.extra_rows[..., 0] * z).sum(-1)
        return replace(
            belief,
            mean=prior.mean + (z[:, :, None] @ belief.rows.buffer[:, :, :n])[:, :, 0],
            extra_mean=extra_mean,
            log_weight=torch.log_softmax(log_weight, dim=1),
        )
