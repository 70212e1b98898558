"""One epoch of the loop: ask the controller, pass the gate, live the epoch, remember.

State goes in and comes out; nothing else changes between epochs. The gate is the only way to a
patient: what `live` hands to the patient model is what the verdict says, never what the controller
said.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from neurostim.controllers import Context, Controller
from neurostim.history import History, Integers
from patient_models import Model, Outcome, State
from protocols import OFF, SECONDS_PER_DAY, Observation, Proposal, Setting
from safety import AuditLog, Envelope, Past, Verdict, review


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Patients of one arm between two epochs, with what the gate remembers and what was seen."""

    states: tuple[State, ...]
    pasts: tuple[Past, ...]
    history: History

    @classmethod
    def start(cls, states: Sequence[State]) -> Self:
        """Patients before their first epoch."""
        return cls(
            states=tuple(states),
            pasts=tuple(Past.start(state.patient) for state in states),
            history=History.empty([state.patient for state in states]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a controller came up with for one patient; a fault is why it came up with nothing."""

    setting: object = None
    fault: str = ""

    @property
    def requested(self) -> Setting | None:
        """The wish as a setting, or None when it is none."""
        return self.setting if type(self.setting) is Setting else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """One epoch of one patient with everything that led to it."""

    wish: Wish
    verdict: Verdict
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The safety layer as one arm uses it: the envelope in force and the log of what it decided."""

    envelope: Envelope
    log: AuditLog


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
    if isinstance(proposal, float) and math.isnan(proposal):
        return Wish(fault="NaN was proposed")
    return Wish(setting=proposal)


def live(
    batch: Batch,
    index: Integers,
    wishes: Sequence[Wish],
    days: Sequence[int],
    phase: int,
    model: Model,
    gate: Gate,
) -> tuple[Batch, list[Lived]]:
    """The batch after one more epoch of the patients at `index`, and what that epoch was.

    Each patient is reviewed alone. The intent is in the log before the patient model sees a
    setting, the outcome after it.
    """
    verdicts = [_review(batch, b, wish, gate) for b, wish in zip(index, wishes, strict=True)]
    intents = [
        gate.log.intend(verdict, at_s=batch.states[b].day * SECONDS_PER_DAY)
        for b, verdict in zip(index, verdicts, strict=True)
    ]
    outcomes = model.advance(
        [batch.states[b] for b in index], [verdict.delivered for verdict in verdicts], days
    )
    states, pasts = list(batch.states), list(batch.pasts)
    for b, verdict, intent, outcome in zip(index, verdicts, intents, outcomes, strict=True):
        telemetry = outcome.observation.telemetry
        gate.log.conclude(
            intent,
            at_s=outcome.state.day * SECONDS_PER_DAY,
            stimulation_s=telemetry.stimulation_s,
            charge_uc=telemetry.charge_uc,
            n_incidents=telemetry.n_incidents,
        )
        states[b], pasts[b] = outcome.state, verdict.past
    history = batch.history.append(
        index, phase, [wish.requested for wish in wishes], [o.observation for o in outcomes]
    )
    lived = [
        Lived(wish=wish, verdict=verdict, outcome=outcome)
        for wish, verdict, outcome in zip(wishes, verdicts, outcomes, strict=True)
    ]
    return replace(batch, states=tuple(states), pasts=tuple(pasts), history=history), lived


def observe_off(model: Model, states: Sequence[State], days: int) -> list[Observation]:
    """What each of these people would write in the coming days, with nothing delivered."""
    return [outcome.observation for outcome in model.advance(states, [OFF] * len(states), days)]


def _review(batch: Batch, position: int, wish: Wish, gate: Gate) -> Verdict:
    state, past = batch.states[position], batch.pasts[position]
    now = state.day * SECONDS_PER_DAY
    proposal = Proposal(
        patient=state.patient,
        sequence=past.sequence + 1,
        at_s=now,
        envelope_hash=gate.envelope.hash,
        setting=wish.setting,
    )
    return review(proposal, past, gate.envelope, now)
