"""How much better settings are than a reference: exact differences, particle by particle."""

from dataclasses import dataclass

import torch
from torch import Tensor

from neurostim.surrogate.filter import Belief

N_BISECTIONS = 60
NORMAL = torch.distributions.Normal(0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """A mixture over particles of normal distributions: weights `B K`, the others `B K ...`."""

    weight: Tensor
    mean: Tensor
    variance: Tensor

    def _weighted(self, values: Tensor) -> Tensor:
        weight = self.weight.reshape(*self.weight.shape, *[1] * (values.dim() - 2))
        return (weight * values).sum(1)

    def expected(self) -> Tensor:
        """The mean, `B ...`."""
        return self._weighted(self.mean)

    def below(self, value: Tensor) -> Tensor:
        """Probability of less than this, `B ...`."""
        sd = self.variance.clamp_min(1e-18).sqrt()
        return self._weighted(NORMAL.cdf((value[:, None] - self.mean) / sd))

    def gain(self) -> Tensor:
        """Expected positive part, `B ...`."""
        sd = self.variance.clamp_min(1e-18).sqrt()
        z = self.mean / sd
        return self._weighted(sd * (z * NORMAL.cdf(z) + NORMAL.log_prob(z).exp()))

    def quantile(self, share: float) -> Tensor:
        """By bisection, `B ...`."""
        sd = self.variance.sqrt()
        low, high = (self.mean - 8 * sd).amin(1), (self.mean + 8 * sd).amax(1)
        for _ in range(N_BISECTIONS):
            middle = (low + high) / 2
            is_low = self.below(middle) < share
            low, high = torch.where(is_low, middle, low), torch.where(is_low, high, middle)
        return (low + high) / 2


def benefit(belief: Belief, sign: float, reference: Tensor) -> Mixture:
    """Benefit of every setting over a reference, `B K M`.

    Args:
        belief: about B subjects and M settings.
        sign: -1 when small values are good, 1 when large ones are.
        reference: `B`, a place on the list, or -1 for the average of the whole list.

    """
    prior, n = belief.prior, belief.n_rows
    subject = torch.arange(belief.n_patients)
    is_place = (reference >= 0)[:, None, None]
    place = reference.clamp_min(0)

    def at_reference(of_place: Tensor, average: Tensor) -> Tensor:
        return torch.where(is_place, of_place, average)

    rows = belief.rows.buffer[:, :, :n] * belief.row_share()[..., None]  # B K n M
    row = at_reference(rows[subject, :, :, place], rows.mean(-1))  # B K n
    column = prior.covariance.columns(place).transpose(0, 1)  # B K M
    if not bool(is_place.all()):
        column = at_reference(column, prior.covariance.average()[None])
    between = column - (row[:, :, None] @ rows)[:, :, 0]
    own = torch.where(is_place[..., 0], between[subject, :, place], between.mean(-1))[..., None]
    center = at_reference(
        belief.mean[subject, :, place][..., None], belief.mean.mean(-1, keepdim=True)
    )
    return Mixture(
        weight=belief.weight,
        mean=sign * (belief.mean - center),
        variance=(belief.variance + own - 2 * between).clamp_min(0.0),
    )


def response(belief: Belief, place: Tensor) -> Mixture:
    """Level plus effect at a place on the list, `B K`."""
    prior, n = belief.prior, belief.n_rows
    subject = torch.arange(belief.n_patients)
    level = belief.extra_rows[..., 0]  # B K n
    rows = belief.rows.buffer[subject, :, :n, place] * belief.row_share()
    level_variance = prior.level_sd.square() - level.square().sum(-1)
    variance = belief.variance[subject, :, place] + level_variance - 2 * (level * rows).sum(-1)
    return Mixture(
        weight=belief.weight,
        mean=belief.mean[subject, :, place] + belief.extra_mean[..., 0],
        variance=variance.clamp_min(0.0),
    )
