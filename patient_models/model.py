"""The interface that all families of patients share: states go in, outcomes come out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from patient_models.arrays import Booleans, Floats
from patient_models.device_check import Device
from patient_models.enrolment import Enrolment
from patient_models.law import Carried, Parameters
from protocols import Observation, Setting


class Kind(StrEnum):
    """What can happen to a patient during an epoch."""

    SEIZURE = "seizure"
    DIARY_ENTRY = "diary entry"
    MISSED_DAY = "missed day"
    ADVERSE_EVENT = "adverse event"
    END_OF_RAMP = "end of ramp"
    NEW_BATTERY = "new battery"
    MEDICATION_CHANGE = "medication change"
    DROP_OUT = "drop-out"
    END_OF_EPOCH = "end of epoch"


class Event(NamedTuple):
    """Something that happened, at a time in days since enrolment.

    `is_written` belongs to seizures and to adverse events, which are written when they are told of;
    `n_written` to diary entries, `grade` and `side_effect`, the name of its type, to adverse
    events; each is None elsewhere. A named tuple, since a year has a thousand of them and a frozen
    dataclass takes twice as long to make.
    """

    time_day: float
    kind: Kind
    is_written: bool | None = None
    n_written: int | None = None
    grade: int | None = None
    side_effect: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """The implanted device and what it has done since enrolment.

    `battery_used_mj` is what has been drawn from the battery that is in it now.
    """

    device: Device
    n_incidents: int = 0
    stimulation_s: int = 0
    charge_uc: int = 0
    battery_used_mj: int = 0
    n_replacements: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One patient at the start of a day: a plain value, hidden from every controller.

    `carried` is what stimulation so far has left, `pending` the later seizures of chains that have
    begun (when, and whether they are written if the day is recorded), `setting` what ran last.
    """

    patient: int
    seed: int
    parameters: Parameters
    day: int
    carried: Carried
    pending: tuple[tuple[float, bool], ...]
    setting: Setting
    device: DeviceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One epoch of one patient: what was observed, and the truth beside it.

    Only `observation` may reach a controller. `n_seizures` counts all seizures, written or not.
    """

    state: State
    observation: Observation
    n_seizures: int
    events: tuple[Event, ...]


class Model(Protocol):
    """A family of patients; all but `draw` and `advance` are truths, for evaluation only."""

    @property
    def name(self) -> str:
        """The name of the family in designs."""
        ...

    @property
    def summary(self) -> str:
        """One sentence for a person who chooses a family."""
        ...

    def draw(
        self,
        *,
        device: Device,
        seed: int,
        patients: Sequence[int],
        enrolment: Enrolment | None = None,
    ) -> tuple[State, ...]:
        """These patients on day 0 of a trial that enrols them so."""
        ...

    def advance(
        self, states: Sequence[State], settings: Sequence[Setting], days: int | Sequence[int]
    ) -> tuple[Outcome, ...]:
        """One epoch of each patient at a setting, for these days or to a severe side effect."""
        ...

    def rate_off(self, state: State) -> float:
        """True seizures per day in the long run when nothing is stimulated."""
        ...

    def log_multipliers(self, state: State, settings: Sequence[Setting]) -> Floats:
        """The log multiplier of the seizure rate that each setting leads to within months."""
        ...

    def is_unsafe(self, state: State, settings: Sequence[Setting]) -> Booleans:
        """Whether each setting truly gives moderate or worse side effects on too many days."""
        ...
