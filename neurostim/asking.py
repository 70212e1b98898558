"""Asking a controller what it wants for each patient; whatever it does, the answer is a wish.

Nothing here knows patients or the safety layer: a controller is asked in the same way in a process
of its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurostim.controllers import Context, Controller, Fault
from neurostim.history import History
from protocols import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a controller came up with for one patient; a fault is why it came up with nothing.

    Between visits nobody is asked, and the wish is that what was delivered last stays.
    """

    setting: object = None
    fault: str = ""
    is_visit: bool = True

    @property
    def requested(self) -> Setting | None:
        """The wish as a setting, or None when it is none."""
        return self.setting if type(self.setting) is Setting else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprepared:
    """Stands in for a controller whose `init` failed: every question fails with the same reason."""

    summary: ClassVar[str] = "A controller that could not be prepared."

    reason: str

    def init(self, context: Context) -> None:
        """Nothing to prepare."""

    def propose(
        self, state: None, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[None, Sequence[Setting | None]]:
        """Raise, so that the failure takes the one way that failures take."""
        raise RuntimeError(self.reason)

    def recommend(
        self, state: None, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[None, Sequence[Setting | None]]:
        """Raise, as `propose` does."""
        raise RuntimeError(self.reason)


def prepare(controller: Controller, context: Context) -> tuple[Controller, Any]:
    """A controller with its first state."""
    try:
        return controller, controller.init(context)
    except Exception as error:
        return Unprepared(reason=f"init failed with {type(error).__name__}: {error}"), None


def ask(
    controller: Controller, state: Any, history: History, allowed: NDArray[np.bool_]
) -> tuple[Any, list[Wish]]:
    """What the controller wants for each patient; a failure of any kind is a wish for nothing.

    When the batch raises, its patients are asked for one by one, so that one patient's data cannot
    take the others' settings away.
    """
    try:
        after, proposals = controller.propose(state, history, allowed)
        return after, _wishes(proposals, history.n_patients)
    except Exception as error:
        if history.n_patients == 1:
            return state, [Wish(fault=f"{type(error).__name__}: {error}"[:200])]
    alone = (np.array([b]) for b in range(history.n_patients))
    return state, [ask(controller, state, history.rows(b), allowed[b])[1][0] for b in alone]


def _wishes(proposals: Sequence[object], n_patients: int) -> list[Wish]:
    if len(proposals) != n_patients:
        raise ValueError(f"{len(proposals)} proposals for {n_patients} patients")
    return [_wish(proposal) for proposal in proposals]


def _wish(proposal: object) -> Wish:
    if proposal is None:
        return Wish(fault="nothing was proposed")
    if type(proposal) is Fault:
        return Wish(fault=proposal.sentence)
    if isinstance(proposal, float) and math.isnan(proposal):
        return Wish(fault="NaN was proposed")
    return Wish(setting=proposal)
