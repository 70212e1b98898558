"""What a clinician does: start low, step up at each visit until seizures halve, step back on harm.

The rule is the ordinary one of stimulation clinics, written down: raise the amplitude in small
steps at programming visits, hold it where the patient responds, lower it one step when a side
effect bothers the patient, and try another place when the amplitude that is tolerated does not
help. It is the honest baseline that an optimiser has to beat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from neurostim.controllers.controller import Context
from neurostim.controllers.options import options
from neurostim.history import Epoch, History
from protocols import BOTHERSOME_GRADE, OFF, Setting


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps of one site, from the lowest amplitude to the highest."""

    steps: tuple[Setting, ...]


@options
class Titration:
    """Steps up one amplitude a visit until the written rate has fallen by `target_reduction`.

    A visit is due every `visit_days`; an epoch that a side effect ended is a visit too. A side
    effect of grade 2 or more lowers the amplitude by one step, and that site is never again raised
    to where it happened. When the highest tolerated step of a site has had its visit without
    response, the next site is tried from its first step; when all were tried, the step with the
    lowest rate is kept.
    """

    summary: ClassVar[str] = (
        "A clinician's rule: step the amplitude up at each visit until seizures halve, step back "
        "on side effects, then try the next site."
    )

    frequency_hz: Annotated[int, Field(ge=1)] = 145
    visit_days: Annotated[int, Field(ge=1)] = 28
    target_reduction: Annotated[float, Field(gt=0, lt=1)] = 0.5

    def init(self, context: Context) -> tuple[Ladder, ...]:
        """One ladder per site, at the listed frequency nearest to `frequency_hz`."""
        on = [setting for setting in context.candidates if not setting.is_off]
        if not on:
            return ()
        nearest = min({s.frequency_hz for s in on}, key=lambda f: (abs(f - self.frequency_hz), f))
        first = min(s.pulse_width_us for s in on), min((s.mode, s.on_ms, s.off_ms) for s in on)
        ladders = []
        for site in sorted({s.site for s in on}):
            steps = [
                s
                for s in on
                if (s.site, s.frequency_hz) == (site, nearest)
                and (s.pulse_width_us, (s.mode, s.on_ms, s.off_ms)) == first
            ]
            ladders.append(Ladder(tuple(sorted(steps, key=lambda s: s.amplitude_ua))))
        return tuple(ladder for ladder in ladders if ladder.steps)

    def propose(
        self, state: tuple[Ladder, ...], history: History, allowed: NDArray[np.bool_]
    ) -> tuple[tuple[Ladder, ...], Sequence[Setting | None]]:
        """Each patient's next step, read off that patient's own history."""
        return state, [self._next(state, history.patient(b)) for b in range(history.n_patients)]

    def recommend(
        self, state: tuple[Ladder, ...], history: History, allowed: NDArray[np.bool_]
    ) -> tuple[tuple[Ladder, ...], Sequence[Setting | None]]:
        """The step that comes next is the one to stay on."""
        return self.propose(state, history, allowed)

    def _next(self, ladders: tuple[Ladder, ...], epochs: tuple[Epoch, ...]) -> Setting:
        course = [epoch for epoch in epochs if epoch.phase == "treatment"]
        goal = self._goal(epochs)
        at = _Place(ladder=0, step=0)
        visit: list[Epoch] = []
        tried: list[tuple[float, _Place]] = []
        for epoch in course:
            visit.append(epoch)
            bothered = (epoch.worst_grade or 0) >= BOTHERSOME_GRADE
            if not bothered and sum(e.days for e in visit) < self.visit_days:
                continue
            rate = _rate(visit)
            visit = []
            if bothered:
                tried = [(r, p) for r, p in tried if not p.is_at_or_above(at)]
                at = at.lowered()
            elif rate is not None and not at.is_settled:
                tried.append((rate, at))
                at = at if goal is not None and rate <= goal else at.raised(ladders, tried)
        return at.setting(ladders)

    def _goal(self, epochs: tuple[Epoch, ...]) -> float | None:
        baseline = _rate([epoch for epoch in epochs if epoch.phase == "baseline"])
        return None if baseline is None else baseline * (1 - self.target_reduction)


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """Where on the ladders a patient stands; a step of -1 is off."""

    ladder: int
    step: int
    is_capped: bool = False  # a side effect above this step: no higher on this ladder
    is_settled: bool = False  # every ladder was tried

    def is_at_or_above(self, other: "_Place") -> bool:
        return self.ladder == other.ladder and self.step >= other.step

    def lowered(self) -> "_Place":
        return _Place(self.ladder, max(self.step - 1, -1), True, self.is_settled)

    def raised(self, ladders: tuple[Ladder, ...], tried: list[tuple[float, "_Place"]]) -> "_Place":
        if not self.is_capped and self.step + 1 < len(ladders[self.ladder].steps):
            return _Place(self.ladder, self.step + 1)
        if self.ladder + 1 < len(ladders):
            return _Place(self.ladder + 1, 0)
        _, best = min(tried)
        return _Place(best.ladder, best.step, best.is_capped, True)

    def setting(self, ladders: tuple[Ladder, ...]) -> Setting:
        if not ladders or self.step < 0:
            return OFF
        return ladders[self.ladder].steps[self.step]


def _rate(epochs: list[Epoch]) -> float | None:
    days = sum(epoch.days_recorded for epoch in epochs)
    return sum(epoch.n_seizures or 0 for epoch in epochs) / days if days else None
