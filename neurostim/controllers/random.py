"""A setting drawn at random at every visit: what any cleverer search has to beat."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurostim.controllers.controller import Context
from neurostim.controllers.observed import lowest_observed
from neurostim.controllers.options import options
from neurostim.history import History
from patient_models.randomness import Purpose, uniforms
from protocols import Setting


@options
class Random:
    """Draws uniformly from the allowed settings, off left out, anew at every visit."""

    summary: ClassVar[str] = "A setting drawn uniformly from the list at every visit."

    def init(self, context: Context) -> Context:
        """The list and the seed."""
        return context

    def propose(
        self, state: Context, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[Context, Sequence[Setting | None]]:
        """One draw per patient, addressed by seed, patient and number of the epoch."""
        return state, draw_settings(state.candidates, state.seed, history, allowed)

    def recommend(
        self, state: Context, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[Context, Sequence[Setting | None]]:
        """The setting with the fewest seizures a day."""
        return state, lowest_observed(history)


def draw_settings(
    candidates: tuple[Setting, ...], seed: int, history: History, allowed: NDArray[np.bool_]
) -> list[Setting | None]:
    """An allowed setting that is on for each patient, each as likely as any other."""
    luck = uniforms(seed, history.patients, history.n_epochs, Purpose.CONTROLLER, 0)
    return [_pick(candidates, choices, float(u)) for choices, u in zip(allowed, luck, strict=True)]


def _pick(
    candidates: tuple[Setting, ...], choices: NDArray[np.bool_], luck: float
) -> Setting | None:
    positions = [i for i in np.flatnonzero(choices) if not candidates[i].is_off]
    return candidates[positions[int(luck * len(positions))]] if positions else None
