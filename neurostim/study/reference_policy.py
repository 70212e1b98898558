"""Treating the reference population by a bound under a prior, and learning that prior."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from neurostim.learning.fit import at_level
from neurostim.meta.hierarchy import learned, shared
from neurostim.study.reference_population import SETTINGS, Ints, draw, random_history
from neurostim.surrogate.filter import Belief, Observed
from neurostim.surrogate.likelihood import NegativeBinomial
from neurostim.surrogate.prior import ListPrior
from neurostim.surrogate.refit import refit

COUNTS = NegativeBinomial()
LEARNED_ON, LEARNED_SEED, TESTED_SEED = 200, 77, 1
N_EPOCHS_LEARNED = 30
DISPERSIONS = (1.0, 2.0, 4.0, 8.0, 16.0)
GENERIC_DISPERSIONS = (2.0, 6.0)
BETA = 2.0
"""Standard deviations of the bound by which a setting is chosen."""


def encoded() -> torch.Tensor:
    """The reference list as a device's settings are encoded."""
    amplitude, frequency, site = torch.from_numpy(SETTINGS).T
    nothing = torch.zeros_like(site)
    return torch.stack((amplitude, frequency, nothing, nothing + 1, site), dim=1)


def observed_of(indices: Ints, counts: Ints, first: int = 0) -> Observed:
    """Epochs of one unit of time each, `n x T`, the first of them with this number."""
    index = torch.from_numpy(np.asarray(indices))
    every = torch.ones(index.shape, dtype=torch.float64)
    return Observed(
        index=index,
        value=torch.from_numpy(np.asarray(counts)).double(),
        exposure=every,
        days=every,
        at_day=every.cumsum(1) + first - 0.5,
        mask=every > 0,
        is_epoch=every > 0,
    )


@dataclass(slots=True, kw_only=True)
class Bound:
    """The lower confidence bound under a prior; a first count stands in for an unknown level."""

    prior: ListPrior
    knows_level: bool = True
    first_tried: tuple[int, ...] = ()
    belief: Belief | None = None

    def propose(self, counts: Ints, indices: Ints) -> Ints:
        """The setting with the lowest bound, after the first ones to try."""
        n, t = counts.shape
        if t < len(self.first_tried):
            return np.full(n, self.first_tried[t])
        return np.asarray(self.bounds(counts, indices).argmin(1))

    def bounds(self, counts: Ints, indices: Ints) -> torch.Tensor:
        """The lower bound of each effect, `n M`."""
        mean, variance = self._moments(self._absorbed(counts, indices))
        return mean - BETA * variance.sqrt()

    def recommend(self, counts: Ints, indices: Ints) -> Ints:
        """The setting with the lowest posterior mean."""
        return np.asarray(self.beliefs(counts, indices)[0].argmin(1))

    def beliefs(self, counts: Ints, indices: Ints) -> tuple[torch.Tensor, torch.Tensor]:
        """Posterior means and variances of the effects, `n M`."""
        return self._moments(refit(self._absorbed(counts, indices)))

    def _absorbed(self, counts: Ints, indices: Ints) -> Belief:
        n, t = counts.shape
        if self.belief is None or (t and not self.belief.n_rows):
            is_new = not self.knows_level and t > 0
            level = torch.from_numpy(np.log(counts[:, 0] + 0.5)) if is_new else None
            self.belief = Belief.start(self.prior, COUNTS, n, level)
        for each in range(self.belief.n_rows, t):
            seen = observed_of(indices[:, each : each + 1], counts[:, each : each + 1], each)
            self.belief = self.belief.told(seen.column(0))
        return self.belief

    @staticmethod
    def _moments(belief: Belief) -> tuple[torch.Tensor, torch.Tensor]:
        weight = belief.weight
        mean = torch.einsum("bk,bkm->bm", weight, belief.mean)
        second = torch.einsum("bk,bkm->bm", weight, belief.variance + belief.mean.square())
        return mean, (second - mean.square()).clamp_min(0.0)


def learned_prior(generic: ListPrior, n_rounds: int, n_pseudo: float) -> tuple[ListPrior, Observed]:
    """The prior, and what it was learned on."""
    history = observed_of(*random_history(draw(LEARNED_SEED, LEARNED_ON), N_EPOCHS_LEARNED))
    start = at_level(shared(generic, DISPERSIONS), history)
    rounds = learned(start, COUNTS, history, n_pseudo=n_pseudo)
    return next(islice(rounds, n_rounds - 1, None)), history
