"""The addressed randomness of `randomness`, and a quantile of `luck`, on tensors of any device.

Words of 32 bits are held in int64: a product wraps there, which leaves its 64 bits as they are.
"""

import torch
from torch import Tensor

from patient_models.randomness import MULTIPLIERS, N_ROUNDS, WEYL_STEPS, WORD, Purpose

FIRST_MULTIPLIER, SECOND_MULTIPLIER = (int(each) for each in MULTIPLIERS)

HEAVY_MEAN = 24.0
"""From this mean on a Poisson count is looked for around its middle, below it from 0 up."""

SEARCH_STEPS = (1, 3, 6, 12, 24, 50)
"""How many counts to try before those that are found are set aside; no light count is above 96."""

WIDTH = 2
"""The Cornish-Fisher expansion is at most 1 off for heavy means and marks from 2**-33 up."""


def words(
    seed: int, patient: Tensor, time: Tensor, purpose: Purpose, draw: Tensor | None = None
) -> list[Tensor]:
    """Four random words at each of these addresses, broadcast against each other.

    Addresses are not checked here: those of patients were when the patients were drawn.
    """
    nothing = torch.zeros(1, dtype=torch.int64, device=patient.device)
    c0, c1, c2, c3 = patient, time, nothing + int(purpose), nothing if draw is None else draw
    for i in range(N_ROUNDS):
        left, right = c0 * FIRST_MULTIPLIER, c2 * SECOND_MULTIPLIER
        key0, key1 = ((seed >> 32 * j) + i * WEYL_STEPS[j] & WORD for j in range(2))
        # The new c1 and c3 are whole products, since the next round masks what they are mixed into.
        c0, c1, c2, c3 = mixed(right, c1, key0), right, mixed(left, c3, key1), left
    return [c0, c1 & WORD, c2, c3 & WORD]


def mixed(product: Tensor, word: Tensor, key: int) -> Tensor:
    """The upper half of each product, mixed with a word and a key."""
    upper = product >> 32
    upper = upper.bitwise_xor_(word) if upper.shape == word.shape else upper ^ word
    return upper.bitwise_xor_(key).bitwise_and_(WORD)


def uniform(word: Tensor) -> Tensor:
    """Words as uniform numbers, to 32 bits, strictly between 0 and 1."""
    return word.to(torch.float64).add_(0.5).mul_(2.0**-32)


def poisson_quantile(mark: Tensor, mean: Tensor) -> Tensor:
    """The Poisson count below which a share `mark` lies, for each mark and its mean; both flat."""
    is_heavy = mean >= HEAVY_MEAN
    counts = light_quantile(mark, torch.where(is_heavy, 0.0, mean))
    heavy = torch.nonzero(is_heavy)[:, 0]
    if len(heavy):
        counts[heavy] = heavy_quantile(mark[heavy], mean[heavy])
    return counts


def light_quantile(mark: Tensor, mean: Tensor) -> Tensor:
    """The same for light means, from 0 up, over fewer and fewer that are not yet found."""
    probability = torch.exp(-mean)
    below = probability.clone()
    counts = (below < mark).to(torch.float64)
    left, found, n_tried = torch.arange(len(mark), device=mark.device), counts, 0
    for n_steps in SEARCH_STEPS:
        for count in range(n_tried + 1, n_tried + 1 + n_steps):
            probability.mul_(mean).div_(count)
            is_more = below.add_(probability) < mark
            found.add_(is_more)
        n_tried += n_steps
        if found is not counts:
            counts.index_add_(0, left, found)
        still = torch.nonzero(is_more)[:, 0]
        if not len(still):
            break
        left, mark, mean, probability, below = (
            x.index_select(0, still) for x in (left, mark, mean, probability, below)
        )
        found = torch.zeros_like(mark)
    return counts.to(torch.int64)


def heavy_quantile(mark: Tensor, mean: Tensor) -> Tensor:
    """The same for heavy means, around the count that a normal mark with two corrections gives.

    Torch's incomplete gamma function is good to 4e-10, which bounds how often a count may be off.
    """
    normal, spread = torch.special.ndtri(mark), torch.sqrt(mean)
    guess = mean + spread * normal + (normal**2 - 1) / 6 + (normal - normal**3) / (72 * spread)
    lowest = torch.floor(guess + 0.5) - WIDTH
    log_mean = torch.log(mean)
    below = torch.special.gammaincc(lowest + 1, mean)
    counts: Tensor = lowest + (below < mark)
    for step in range(1, 2 * WIDTH):
        count = lowest + step
        below = below + torch.exp(count * log_mean - mean - torch.lgamma(count + 1))
        counts += below < mark
    return counts.to(torch.int64)
