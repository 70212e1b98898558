"""Change one thing at a time and keep what helps: the search people do by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from neurostim.controllers.controller import Context
from neurostim.controllers.observed import lowest_observed
from neurostim.controllers.options import options
from neurostim.history import Epoch, History
from protocols import Setting

FIELDS = ("site", "amplitude_ua", "frequency_hz")


@options
class CoordinateSearch:
    """Goes through sites, amplitudes and frequencies in turn, `n_values` of each, one visit each.

    It starts in the middle of the list. After each round over one field the value with the fewest
    seizures a day is kept, and when all fields had their round the first one's turn comes again.
    """

    summary: ClassVar[str] = "Varies site, amplitude and frequency in turn and keeps the best seen."

    n_values: Annotated[int, Field(ge=2)] = 4

    def init(self, context: Context) -> tuple[Setting, ...]:
        """The settings of the list that are on."""
        return tuple(setting for setting in context.candidates if not setting.is_off)

    def propose(
        self, state: tuple[Setting, ...], history: History, allowed: NDArray[np.bool_]
    ) -> tuple[tuple[Setting, ...], Sequence[Setting | None]]:
        """The next value of the field whose turn it is."""
        return state, [self._next(state, history.patient(b)) for b in range(history.n_patients)]

    def recommend(
        self, state: tuple[Setting, ...], history: History, allowed: NDArray[np.bool_]
    ) -> tuple[tuple[Setting, ...], Sequence[Setting | None]]:
        """The setting with the fewest seizures a day."""
        return state, lowest_observed(history)

    def _next(self, listed: tuple[Setting, ...], epochs: tuple[Epoch, ...]) -> Setting | None:
        if not listed:
            return None
        visits = [epoch for epoch in epochs if epoch.phase in ("treatment", "open label")]
        at = self._middle(listed)
        n_seen = 0
        while True:
            for field in FIELDS:
                tries = self._round(listed, at, field)
                seen = visits[n_seen : n_seen + len(tries)]
                if len(seen) < len(tries):
                    return tries[len(seen)]
                rates = [
                    (epoch.rate_per_day, i)
                    for i, epoch in enumerate(seen)
                    if epoch.rate_per_day is not None
                ]
                at = tries[min(rates)[1]] if rates else at
                n_seen += len(tries)

    def _middle(self, listed: tuple[Setting, ...]) -> Setting:
        chosen = listed
        for field in FIELDS:
            values = sorted({getattr(setting, field) for setting in chosen})
            middle = values[(len(values) - 1) // 2]
            chosen = tuple(s for s in chosen if getattr(s, field) == middle)
        return chosen[0]

    def _round(self, listed: tuple[Setting, ...], at: Setting, field: str) -> list[Setting]:
        """An even spread of values of one field, with all the others as they are."""
        values = sorted({getattr(setting, field) for setting in listed})
        n_values = min(self.n_values, len(values))
        spread = [values[(2 * i + 1) * len(values) // (2 * n_values)] for i in range(n_values)]
        changed: list[dict[str, Any]] = [{field: value} for value in spread]
        tries = [replace(at, **change) for change in changed]
        return [setting for setting in tries if setting in listed] or [at]
