"""One epoch of the loop: ask the controller, pass the gate, live the epoch, remember.

State goes in and comes out; nothing else changes between epochs. The gate is the only way to a
patient: what `live` hands to the patient model is what the verdict says, never what the controller
said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from neurostim.asking import Wish as Wish
from neurostim.asking import ask as ask
from neurostim.asking import prepare as prepare
from neurostim.clinic import after_epoch
from neurostim.gate import Gate as Gate
from neurostim.gate import conclude, passed
from neurostim.history import History, Integers
from patient_models import Model, Outcome, State
from protocols import OFF, SECONDS_PER_DAY, Observation, Setting
from safety import Finding, Past, Ruling
from safety.columns import Pasts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Patients of one arm between two epochs, with what the gate remembers and what was seen."""

    states: tuple[State, ...]
    pasts: Pasts
    history: History

    @classmethod
    def start(cls, states: Sequence[State]) -> Self:
        """Patients before their first epoch."""
        return cls(
            states=tuple(states),
            pasts=Pasts.of([Past.start(state.patient) for state in states]),
            history=History.empty([state.patient for state in states]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """One epoch of one patient with everything that led to it."""

    wish: Wish
    delivered: Setting
    ruling: Ruling
    findings: tuple[Finding, ...]
    outcome: Outcome


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

    Each patient is reviewed apart from the others. The intent is in the log before the patient
    model sees a setting, the outcome after it. Raises `LogSealedError` when the log cannot be
    written: where no intent is written, the epoch is lived with nothing that rises.
    """
    living = [batch.states[b] for b in index]
    now = np.array([state.day for state in living], dtype=np.int64) * SECONDS_PER_DAY
    patients = [state.patient for state in living]
    through = passed(gate, patients, wishes, batch.pasts.rows(index), now)
    outcomes = model.advance(living, through.verdicts.settings(), days)
    if through.sealed is not None:
        raise through.sealed
    conclude(gate, through.intents, outcomes)
    observations = [outcome.observation for outcome in outcomes]
    # An event, a restart or a release between two reviews happens here, and nowhere else.
    ends_s = [outcome.state.day * SECONDS_PER_DAY for outcome in outcomes]
    pasts = after_epoch(through.verdicts.pasts, gate.envelope, gate.log, observations, ends_s)
    states = list(batch.states)
    for b, outcome in zip(index, outcomes, strict=True):
        states[b] = outcome.state
    requested = [wish.requested for wish in wishes]
    after = replace(
        batch,
        states=tuple(states),
        pasts=batch.pasts.with_rows(index, pasts),
        history=batch.history.append(index, phase, requested, observations),
    )
    others = map(through.verdicts.others.get, range(len(index)))
    return after, [
        Lived(
            wish=wish,
            delivered=setting,
            ruling=alone.ruling if alone else Ruling.ACCEPTED,
            findings=alone.findings if alone else (),
            outcome=outcome,
        )
        for wish, setting, alone, outcome in zip(
            wishes, through.verdicts.settings(), others, outcomes, strict=True
        )
    ]


def observe_off(model: Model, states: Sequence[State], days: int) -> list[Observation]:
    """What each of these people would write in the coming days, with nothing delivered."""
    return [outcome.observation for outcome in model.advance(states, [OFF] * len(states), days)]
