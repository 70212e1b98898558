"""Try an even spread of settings once each, then keep the one with the fewest seizures."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from neurostim.controllers.controller import Context
from neurostim.controllers.observed import lowest_observed
from neurostim.controllers.options import options
from neurostim.history import Epoch, History
from protocols import Setting


@options
class Grid:
    """Visits `n_settings` of the list in its order, evenly spaced, and settles on the best it saw.

    The luckiest visit wins, as it does in practice when settings are compared one visit each;
    reports show how far that is from the truth.
    """

    summary: ClassVar[str] = "An even spread of settings, one visit each, then the best one seen."

    n_settings: Annotated[int, Field(ge=1)] = 16

    def init(self, context: Context) -> tuple[Setting, ...]:
        """The settings to visit, in the order of the list."""
        on = [setting for setting in context.candidates if not setting.is_off]
        n_settings = min(self.n_settings, len(on))
        return tuple(on[(2 * i + 1) * len(on) // (2 * n_settings)] for i in range(n_settings))

    def propose(
        self, state: tuple[Setting, ...], history: History, allowed: NDArray[np.bool_]
    ) -> tuple[tuple[Setting, ...], Sequence[Setting | None]]:
        """The next unvisited setting, or the best visited one."""
        return state, [_next(state, history.patient(b)) for b in range(history.n_patients)]

    def recommend(
        self, state: tuple[Setting, ...], history: History, allowed: NDArray[np.bool_]
    ) -> tuple[tuple[Setting, ...], Sequence[Setting | None]]:
        """The setting with the fewest seizures a day."""
        return state, lowest_observed(history)


def _next(schedule: tuple[Setting, ...], epochs: tuple[Epoch, ...]) -> Setting | None:
    visits = [epoch for epoch in epochs if epoch.phase == "treatment"]
    if len(visits) < len(schedule):
        return schedule[len(visits)]
    seen = [(e.rate_per_day, i) for i, e in enumerate(visits) if e.rate_per_day is not None]
    return visits[min(seen)[1]].delivered if seen else None
