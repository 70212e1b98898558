"""The first settings to try: few of which one suits nearly everybody."""

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from neurostim.surrogate.prior import ListPrior
from patient_models.randomness import Purpose, uniforms

N_ANCHORS = 3
N_SAMPLES = 512


def anchors(effects: Tensor, n: int = N_ANCHORS) -> tuple[int, ...]:
    """Places on the list such that the mean over patients of the best of them is lowest.

    Greedy: each setting is chosen given those before it, which for a sum of minima comes within
    1 - 1/e of the best choice (Nemhauser, Wolsey and Fisher 1978).

    Args:
        effects: `N M`, of patients, low is good; posterior means, or samples of a prior.
        n: how many settings, fewer when one more would help nobody.

    """
    best = effects.new_zeros(len(effects))  # off has no effect
    chosen: list[int] = []
    for _ in range(n):
        means = torch.minimum(best[:, None], effects).mean(0)
        place = int(means.argmin())
        if chosen and not means[place] < best.mean():
            break
        chosen.append(place)
        best = torch.minimum(best, effects[:, place])
    return tuple(chosen)


def sampled_effects(prior: ListPrior, n: int = N_SAMPLES) -> Tensor:
    """Effects of patients whom a learned prior expects, `n M`, always the same ones.

    For hospitals that share sums: what the patients' own posteriors are does not leave them.
    """
    values, vectors = torch.linalg.eigh(prior.table[0])
    root = vectors * values.clamp_min(0.0).sqrt()
    person, number = np.arange(n)[:, None], np.arange(len(values))
    luck = ndtri(uniforms(0, person, 0, Purpose.CONTROLLER, number))
    return prior.mean[0] + torch.from_numpy(luck).to(root) @ root.mT
