"""What a patient lived through in one scenario, as frozen values that can be kept and branched."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, Self

import numpy as np

from neurostim.loop import Batch, Gate, Lived, Wish, live
from patient_models import Model, State
from protocols import Setting
from protocols.design import Arm, Design
from safety import Chain, Person


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turn:
    """One epoch, and where it left the patient; `n_changes` of the limits were in force.

    `asked_days` is how long it was to be, had no event ended it.
    """

    phase: int
    asked_days: int
    lived: Lived
    after: Batch
    n_changes: int

    @property
    def first_day(self) -> int:
        """The day on which it began."""
        return self.lived.outcome.observation.start_day

    @property
    def end_day(self) -> int:
        """The first day after it."""
        return self.lived.outcome.state.day


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Life:
    """One patient from the first day on, turn by turn."""

    start: Batch
    turns: tuple[Turn, ...] = ()

    @classmethod
    def of(cls, state: State) -> Self:
        """Nothing lived yet."""
        return cls(start=Batch.start([state]))

    @property
    def batch(self) -> Batch:
        """The patient as of now."""
        return self.turns[-1].after if self.turns else self.start

    @property
    def day(self) -> int:
        """The day that comes next."""
        return self.batch.states[0].day

    @property
    def delivered(self) -> Setting | None:
        """What was delivered last, None before the first turn."""
        return self.turns[-1].lived.delivered if self.turns else None

    def until(self, day: int) -> Self:
        """The turns that had ended by the first visit on or after this day."""
        kept = next((n for n, turn in enumerate(self.turns) if turn.first_day >= day), None)
        return self if kept is None else replace(self, turns=self.turns[:kept])

    def after(
        self, wish: Wish, *, days: int, phase: int, model: Model, gate: Gate, n_changes: int
    ) -> Self:
        """One more turn, by what was wished for and what the gate lets through."""
        batch, lived = live(self.batch, np.array([0]), [wish], [days], phase, model, gate)
        turn = Turn(phase=phase, asked_days=days, lived=lived[0], after=batch, n_changes=n_changes)
        return replace(self, turns=(*self.turns, turn))


class Origin(StrEnum):
    """Where a patient comes from."""

    VIRTUAL = "virtual"
    SAMPLE = "sample"
    DIARY = "diary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who is looked at: a virtual patient of a design and a seed, or a person's diary.

    `counts` holds the diary's recorded days by ISO date, and is empty for virtual patients.
    """

    label: str
    origin: Origin
    design: Design
    seed: int
    first_date: date | None
    counts: Mapping[date, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChange:
    """One change of the limits, and the chain of envelopes that it led to.

    `value` is in the envelope's own units, or the name of what is no longer permitted.
    """

    name: str
    value: str
    is_loosening: bool
    by: tuple[Person, ...]
    reason: str
    day: int
    chain: Chain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenario:
    """A named life under one policy; a branch shares its first turns with what it left."""

    name: str
    policy: Arm
    life: Life
    branch_of: str | None = None
    branch_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workspace:
    """Everything that undo takes back or brings back; `what` is the deed that led here."""

    subject: Subject
    scenarios: tuple[Scenario, ...]
    current: int
    what: str

    @property
    def scenario(self) -> Scenario:
        """The current scenario."""
        return self.scenarios[self.current]

    def with_scenario(self, what: str, **changes: Any) -> Self:
        """The same with some fields of the current scenario replaced."""
        scenarios = list(self.scenarios)
        scenarios[self.current] = replace(self.scenario, **changes)
        return replace(self, scenarios=tuple(scenarios), what=what)
