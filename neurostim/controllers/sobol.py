"""A low-discrepancy walk over the list, then the best one seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import qmc

from neurostim.controllers.controller import Context
from neurostim.controllers.observed import lowest_observed
from neurostim.controllers.options import options
from neurostim.history import TREATMENT, History
from protocols import Setting


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walk:
    """The settings in the order of their visits."""

    visits: tuple[Setting, ...]


@options
class Sobol:
    """Visits `n_settings` of the list that a Sobol sequence spreads evenly, then the best seen."""

    summary: ClassVar[str] = "A low-discrepancy spread of settings, then the best one seen."

    n_settings: Annotated[int, Field(ge=1)] = 16

    def init(self, context: Context) -> Walk:
        """The walk, scrambled by the seed: the same for every patient of the arm."""
        on = [setting for setting in context.candidates if not setting.is_off]
        if not on:
            return Walk(visits=())
        rows = np.array([(s.site, s.amplitude_ua, np.log(max(s.frequency_hz, 1))) for s in on])
        place = np.empty_like(rows)
        for column in range(rows.shape[1]):
            values, rank = np.unique(rows[:, column], return_inverse=True)
            place[:, column] = (rank + 0.5) / len(values)
        engine = qmc.Sobol(d=rows.shape[1], rng=np.random.default_rng(context.seed))
        n_points = 1 << (min(self.n_settings, len(on)) - 1).bit_length()
        visits: list[int] = []
        for point in engine.random(n_points)[: min(self.n_settings, len(on))]:
            away = np.abs(place - point).sum(axis=1)
            away[visits] = np.inf
            visits.append(int(away.argmin()))
        return Walk(visits=tuple(on[i] for i in visits))

    def propose(
        self, state: Walk, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[Walk, Sequence[Setting | None]]:
        """The next visit of each patient, or the best setting seen."""
        n_visits = (history.is_epoch & (history.phase >= TREATMENT)).sum(axis=1)
        best = lowest_observed(history)
        return state, [
            state.visits[n] if n < len(state.visits) else best[b] for b, n in enumerate(n_visits)
        ]

    def recommend(
        self, state: Walk, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[Walk, Sequence[Setting | None]]:
        """The setting with the fewest seizures a day."""
        return state, lowest_observed(history)
