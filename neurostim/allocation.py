"""Who is given which arm: permuted blocks, drawn from the seed and nothing else."""

import numpy as np

from neurostim.history import Integers
from patient_models.randomness import Purpose, uniforms
from protocols.design import Design


def allocated(design: Design, seed: int, positions: Integers) -> Integers:
    """The arm of each period, by its place in the design, `N P`, for patients of a trial.

    Arms of a parallel design and sequences of a crossover one come in permuted blocks that hold
    each once (an arm as often as its `allocation`), so that groups stay of a size throughout. In
    an n-of-1 design each cycle of each patient is a permutation of the arms.

    Args:
        design: parallel, crossover or n-of-1.
        seed: of the trial.
        positions: the order in which these patients were enrolled, from 0, `N`.

    """
    if design.kind == "n-of-1":
        n_cycles = design.schedule.n_periods // len(design.arms)
        cycles = [_order(seed, positions, cycle, len(design.arms)) for cycle in range(n_cycles)]
        return np.concatenate(cycles, axis=1)
    if design.kind == "crossover":
        names = [arm.name for arm in design.arms]
        choices = [[names.index(name) for name in each] for each in design.sequences]
    else:
        choices = [[place] for place, arm in enumerate(design.arms) for _ in range(arm.allocation)]
    order = _order(seed, positions // len(choices), 0, len(choices))
    chosen = order[np.arange(len(positions)), positions % len(choices)]
    return np.array(choices)[chosen]


def _order(seed: int, addresses: Integers, time: int, n: int) -> Integers:
    """A permutation of `n` things at each address, `N n`."""
    luck = uniforms(seed, addresses[:, None], time, Purpose.ALLOCATION, np.arange(n))
    return np.argsort(luck, axis=1, kind="stable")
