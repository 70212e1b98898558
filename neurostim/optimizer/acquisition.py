"""How promising each setting is to ask next, and which ones their side effects rule out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurostim.controllers import acquisition as named
from neurostim.optimizer.listing import Listing
from neurostim.optimizer.state import State
from neurostim.surrogate.model import ListModel
from neurostim.surrogate.readout import level_and_effect

HARM_BETA = 1.0
"""Standard deviations of the log hazard that its upper bound adds to the mean."""

CHUNK = 256
"""Settings that a user's acquisition function scores at a time."""


def scores(
    model: ListModel,
    acquisition: named.Acquisition | Callable[[ListModel], Any],
    *,
    beta: float,
    seed: int,
    first_subject: int,
    n_asks: int,
) -> Tensor:
    """Scores of the whole list, `B M`."""
    if callable(acquisition):
        return over_list(model, acquisition(model))
    if acquisition == "thompson":
        subjects = first_subject + np.arange(model.belief.n_patients)
        return named.draws(model, seed, subjects, np.full_like(subjects, n_asks))
    return named.scores(model, acquisition, beta)


def over_list(model: ListModel, function: Any) -> Tensor:
    """A BoTorch acquisition function over the list, `B M`."""
    n_subjects = model.belief.n_patients
    points = model.settings[:, None, None].expand(-1, n_subjects, -1, -1)  # M B 1 d
    with torch.no_grad():
        values = [function(each) for each in points.split(CHUNK)]
    return torch.cat(values).reshape(len(model.settings), n_subjects).T


def tolerated(listing: Listing, state: State, limit: float) -> Tensor:
    """Settings that side effects do not rule out, `B M`.

    Ruled out is, for a subject of whom a side effect was told, what is at or above a setting that
    bothered, and what may do so by the upper bound of its hazard. Off never is. When nothing is
    left of a table, what was only ever harmless is. A subject of whom nothing was told is guarded
    by the envelope alone.
    """
    harm = state.harm
    is_in = torch.ones(harm.n_patients, len(listing.settings), dtype=torch.bool)
    if harm.n_rows == 0:
        return is_in
    mean, sd = level_and_effect(harm)
    observed = harm.observed
    is_asked_about = observed.mask.any(1, keepdim=True)
    is_low = mean + HARM_BETA * sd <= np.log(limit) if limit > 0 else torch.zeros_like(is_in)
    is_in &= is_low | ~is_asked_about
    bothered, harmless = ~is_in & False, ~is_in & False
    for b, t in observed.mask.nonzero().tolist():
        index = int(observed.index[b, t])
        if observed.value[b, t] > 0:
            bothered[b] |= listing.at_or_above(index)
        else:
            harmless[b, index] = True
    if listing.is_device:
        is_in[:, 0] = True  # off
    is_in &= ~bothered
    return torch.where(is_in.any(1, keepdim=True), is_in, harmless & ~bothered)
