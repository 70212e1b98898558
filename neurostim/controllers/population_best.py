"""One setting for everybody, chosen from what earlier patients taught."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurostim.controllers.controller import Context
from neurostim.controllers.options import options
from neurostim.history import History
from neurostim.meta.prior_file import read_prior
from neurostim.meta.prior_path import prior_path
from protocols import Setting


@options
class PopulationBest:
    """Proposes the setting with the lowest mean effect over the patients of a learned prior.

    In animals a fixed group setting was hard to beat (Stieve 2023): whatever adapts to the patient
    has to be better than this.
    """

    summary: ClassVar[str] = "The setting that was best for earlier patients on average, for all."

    prior: str

    def init(self, context: Context) -> Setting:
        """The setting, from the file of the prior."""
        learned = read_prior(prior_path(self.prior, context.folder), context.candidates)
        return context.candidates[int(learned.effects.mean[0].argmin())]

    def propose(
        self, state: Setting, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[Setting, Sequence[Setting | None]]:
        """The one setting, for everybody."""
        return state, [state] * history.n_patients

    def recommend(
        self, state: Setting, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[Setting, Sequence[Setting | None]]:
        """The same."""
        return self.propose(state, history, allowed)
