"""What each patient adds to the sums that the next prior is made of.

Everything is a deviation from what the prior expects, so that a patient who told nothing adds
nothing. The second moment of a patient is of low rank, F' diag(s) F with one row of F for each
observation and particle: its norm, and with that its clipping, needs no M x M table per patient.
"""

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from neurostim.surrogate.filter import Belief, Observed
from neurostim.surrogate.likelihood import Likelihood
from neurostim.surrogate.prior import ListPrior
from neurostim.surrogate.refit import refit

MAX_TABLE_BYTES = 128 * 1024**2
"""Of the rows that the patients of one chunk may take."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Sums over patients of what the prior did not expect; two of them add up."""

    n_patients: Tensor  # a number
    shift: Tensor  # M, of the mean of the effects
    spread: Tensor  # M M, of their second moment around the prior's mean
    level: Tensor  # 2, the same two of the level
    particles: Tensor  # K, of the weights

    def __add__(self, other: Self) -> Self:
        """The sums over both sets of patients."""
        return type(self)(
            **{e.name: getattr(self, e.name) + getattr(other, e.name) for e in fields(self)}
        )

    @classmethod
    def nothing(cls, prior: ListPrior) -> Self:
        """The sums over nobody."""
        m, k = prior.n_settings, prior.n_particles
        zeros = prior.mean.new_zeros
        return cls(
            n_patients=zeros(()),
            shift=zeros(m),
            spread=zeros(m, m),
            level=zeros(2),
            particles=zeros(k),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contributions:
    """What each of B patients adds to `Sums`."""

    shift: Tensor  # B M
    factors: Tensor  # B R M
    signs: Tensor  # B R, weights of the rows of the factors
    level: Tensor  # B 2
    particles: Tensor  # B K

    @property
    def squared_norms(self) -> Tensor:
        """Of all that a patient adds, taken as one long vector, `B`."""
        inner = self.factors @ self.factors.mT * self.signs[:, None, :]  # B R R
        spread = (inner * inner.mT).sum((1, 2))
        flat = (self.shift, self.level, self.particles)
        return sum((each.square().sum(1) for each in flat), spread).clamp_min(0.0)

    def summed(self, scale: Tensor | None = None) -> Sums:
        """The sums over the patients, each scaled, `B`; the number of patients never is."""
        scale = torch.ones_like(self.level[:, 0]) if scale is None else scale
        factors = self.factors.flatten(0, 1)
        signs = (self.signs * scale[:, None]).flatten()
        spread = factors.mT @ (factors * signs[:, None])
        return Sums(
            n_patients=scale.new_tensor(float(len(scale))),
            shift=scale @ self.shift,
            spread=(spread + spread.mT) / 2,
            level=scale @ self.level,
            particles=scale @ self.particles,
        )


def believed(prior: ListPrior, likelihood: Likelihood, observed: Observed) -> Belief:
    """What is believed about patients after all of their n observations, `B n`, at the mode."""
    belief = Belief.start(prior, likelihood, len(observed.index))
    for t in range(observed.index.shape[1]):
        belief = belief.told(observed.column(t))
    return refit(belief)


def contributions(belief: Belief) -> Contributions:
    """The expectation step: posterior moments of the patients, weighted over the particles.

    The particles of the prior share one mean and one covariance, see `hierarchy.shared`.
    """
    prior, weight, n = belief.prior, belief.weight, belief.n_rows
    apart = belief.mean - prior.mean
    rows = belief.rows.buffer[:, :, :n] * belief.row_share()[..., None]
    level = belief.extra_mean[..., 0] - prior.level_mean
    told = belief.extra_rows[..., 0].square().sum(-1)
    moments = torch.stack((level, level.square() - told), dim=-1)  # B K 2
    return Contributions(
        shift=torch.einsum("bk,bkm->bm", weight, apart),
        factors=torch.cat((rows.flatten(1, 2), apart), dim=1),
        signs=torch.cat((-weight[..., None].expand(-1, -1, n).flatten(1), weight), dim=1),
        level=torch.einsum("bk,bkl->bl", weight, moments),
        particles=weight - torch.softmax(prior.log_weight, 0),
    )


def chunks(prior: ListPrior, observed: Observed) -> list[slice]:
    """Slices of patients whose rows together fit into `MAX_TABLE_BYTES`."""
    n_patients, n = observed.index.shape
    per_patient = 8 * prior.n_particles * prior.n_settings * max(n, 1) * 4
    size = max(1, MAX_TABLE_BYTES // per_patient)
    return [slice(start, start + size) for start in range(0, n_patients, size)]


def part(observed: Observed, which: slice | Tensor) -> Observed:
    """The observations of some of the patients."""
    return Observed(**{name: getattr(observed, name)[which] for name in Observed.__slots__})


def summed(prior: ListPrior, likelihood: Likelihood, observed: Observed) -> Sums:
    """The sums over all patients, whose observations are `B n`."""
    total = Sums.nothing(prior)
    for which in chunks(prior, observed):
        belief = believed(prior, likelihood, part(observed, which))
        total = total + contributions(belief).summed()
    return total
