"""One epoch of the loop: ask the controller, pass the gate, live the epoch, remember.

State goes in and comes out; nothing else changes between epochs. The gate is the only way to a
patient: what `live` hands to the patient model is what the verdict says, never what the controller
said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from neurostim.asking import Wish as Wish
from neurostim.asking import ask as ask
from neurostim.asking import prepare as prepare
from neurostim.clinic import after_epoch
from neurostim.history import History, Integers
from patient_models import Model, Outcome, State
from protocols import OFF, SECONDS_PER_DAY, Observation, Proposal
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
        # An event, a restart or a release between two reviews happens here, and nowhere else.
        end_s = outcome.state.day * SECONDS_PER_DAY
        states[b] = outcome.state
        pasts[b] = after_epoch(verdict.past, gate.envelope, outcome.observation, end_s)
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
