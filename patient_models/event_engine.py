"""The event engine: one patient in continuous time, with each thing that happens a SimPy event.

Small processes run side by side: seizures, side effects, the device's ramp and the diary. The diary
ends the epoch, at its last midnight or at the midnight after a severe side effect.
"""

from collections.abc import Generator, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simpy import Environment, Timeout

from patient_models.arrays import Booleans, Counts, Floats
from patient_models.delivery import lived, ramp_end_day
from patient_models.device_check import delivered
from patient_models.law import Carried, carried_after, log_multiplier
from patient_models.luck import Luck, luck_between, on_grid
from patient_models.model import Event, Kind, Outcome, State
from patient_models.randomness import Purpose, uniforms
from patient_models.response import Steady, steady_of
from patient_models.side_effects import daily_probabilities
from protocols import SEVERE_GRADE, Observation, Setting, Telemetry

Process = Generator[Timeout, None, None]


class Epoch:
    """A window on one patient: what happens is written into it while the clock runs."""

    def __init__(self, start_day: int, days: int) -> None:
        self.clock = Environment(initial_time=start_day)
        self.start_day = start_day
        self.stop_day = start_day + days
        self.events: list[Event] = []
        self.n_seizures = 0
        self.n_written = 0
        self.n_written_today = 0
        self.days_recorded = 0
        self.worst_grade_today = 0
        self.worst_grade: int | None = None

    def seizures(self, times_day: Floats, are_written: Booleans) -> Process:
        """Seizures come, and some of them are written down."""
        now: float = self.start_day  # an epoch spends most of its time here
        timeout, note, seizure = self.clock.timeout, self.events.append, Kind.SEIZURE
        for time_day, is_written in pairs(times_day, are_written):
            yield timeout(time_day - now)
            now = time_day
            note(Event(time_day, seizure, is_written))
            self.n_seizures += 1
            self.n_written_today += is_written

    def side_effects(self, times_day: Floats, grades: Counts) -> Process:
        """Side effects come, at most one a day."""
        for time_day, grade in pairs(times_day, grades):
            yield self.until(time_day)
            self.events.append(Event(time_day, Kind.ADVERSE_EVENT, grade=grade))
            self.worst_grade_today = grade

    def ramp(self, end_day: float) -> Process:
        """The device goes from the setting before to this one, unless it is that already."""
        if end_day > self.start_day:
            yield self.until(end_day)
            self.events.append(Event(end_day, Kind.END_OF_RAMP))

    def diary(self, are_recorded: Booleans) -> Process:
        """Each midnight the day is recorded or missed, until the epoch is over."""
        timeout = self.clock.timeout
        for midnight, is_recorded in enumerate(are_recorded.tolist(), start=self.start_day + 1):
            yield timeout(1)
            self.close_day(midnight, is_recorded)
            if self.worst_grade_today >= SEVERE_GRADE:
                break
            self.n_written_today = self.worst_grade_today = 0
        self.stop_day = midnight
        self.events.append(Event(midnight, Kind.END_OF_EPOCH))

    def until(self, time_day: float) -> Timeout:
        """The event of the clock reaching this time; see `luck` for why nothing is rounded."""
        return self.clock.timeout(time_day - self.clock.now)

    def close_day(self, midnight: int, is_recorded: bool) -> None:
        """What the day leaves behind; a severe side effect is reported even on a missed day."""
        if is_recorded:
            self.days_recorded += 1
            self.n_written += self.n_written_today
            entry = Event(midnight, Kind.DIARY_ENTRY, None, self.n_written_today)
        else:
            entry = Event(midnight, Kind.MISSED_DAY)
        self.events.append(entry)
        if is_recorded or self.worst_grade_today >= SEVERE_GRADE:
            self.worst_grade = max(self.worst_grade or 0, self.worst_grade_today)

    def observation(self, telemetry: Telemetry) -> Observation:
        """What the diary and the device tell of this epoch."""
        return Observation(
            start_day=self.start_day,
            days=self.days,
            n_seizures=self.n_written if self.days_recorded else None,
            days_recorded=self.days_recorded,
            worst_grade=self.worst_grade,
            telemetry=telemetry,
        )

    @property
    def days(self) -> int:
        """How long the epoch is, or turned out to be."""
        return self.stop_day - self.start_day


def advance(state: State, setting: Setting, days: int) -> Outcome:
    """One epoch of one patient at a setting, of this many days or until a severe side effect."""
    if days < 1:
        raise ValueError(f"days = {days}: 1 or more was expected")
    setting, n_incidents = delivered(state.device.device, setting)
    response = state.parameters.response
    steady = steady_of(response, setting)
    epoch = Epoch(state.day, days)
    pending = live(epoch, state, setting, steady)
    device, telemetry, new_batteries = lived(
        state.device, state.parameters.hardware, setting, state.day, epoch.days, n_incidents
    )
    if new_batteries:
        epoch.events.extend(Event(midnight, Kind.NEW_BATTERY) for midnight in new_batteries)
        epoch.events.sort(key=happens_at)
    carried = carried_after(state.carried, steady, response, epoch.days)
    return Outcome(
        state=State(
            patient=state.patient,
            seed=state.seed,
            parameters=state.parameters,
            day=epoch.stop_day,
            carried=Carried(
                high=np.asarray(carried.high).item(),
                low=np.asarray(carried.low).item(),
                progress=np.asarray(carried.progress).item(),
            ),
            pending=pending,
            setting=setting,
            device=device,
        ),
        observation=epoch.observation(telemetry),
        n_seizures=epoch.n_seizures,
        events=tuple(epoch.events),
    )


def live(
    epoch: Epoch, state: State, setting: Setting, steady: Steady
) -> tuple[tuple[float, bool], ...]:
    """Run one epoch: of all that luck holds ready, what happens under this setting.

    Returns the later seizures of chains that began before the epoch ended.
    """
    parameters = state.parameters
    luck = luck_between(
        parameters.background,
        parameters.diary,
        state.seed,
        state.patient,
        epoch.start_day,
        epoch.stop_day,
    )
    noon = np.arange(epoch.start_day, epoch.stop_day) + 0.5
    effect = log_multiplier(
        carried_after(state.carried, steady, parameters.response, noon - state.day),
        steady.harm,
        parameters.response.progression,
        luck.risk,
        parameters.course.log_effect(noon),
    )
    parent_day = np.repeat(np.arange(epoch.days), np.diff(luck.first_event))
    is_seizure = effect[parent_day] > luck.least_effect
    from_before = np.array(state.pending, dtype=np.float64).reshape(-1, 2)
    began_day = np.concatenate((np.full(len(from_before), -1), parent_day[is_seizure]))
    time_day = np.concatenate((from_before[:, 0], luck.time_day[is_seizure]))
    is_noted = np.concatenate((from_before[:, 1] > 0, luck.is_noted[is_seizure]))
    order = np.argsort(time_day, kind="stable")
    began_day, time_day, is_noted = began_day[order], time_day[order], is_noted[order]
    n_now = int(np.searchsorted(time_day, epoch.stop_day))
    day = time_day[:n_now].astype(np.int64) - epoch.start_day
    grades = grades_of(luck, daily_probabilities(parameters.tolerance, setting))
    felt_days = epoch.start_day + np.flatnonzero(grades)
    felt_mark = uniforms(state.seed, state.patient, felt_days, Purpose.SIDE_EFFECT)
    start = epoch.clock.process
    start(epoch.ramp(ramp_end_day(state.device.device, state.setting, setting, epoch.start_day)))
    start(epoch.seizures(time_day[:n_now], is_noted[:n_now] & luck.is_recorded[day]))
    start(epoch.side_effects(felt_days + on_grid(felt_mark), grades[grades > 0]))
    epoch.clock.run(until=start(epoch.diary(luck.is_recorded)))
    is_pending = (began_day < epoch.days) & (time_day >= epoch.stop_day)
    return tuple(zip(time_day[is_pending].tolist(), is_noted[is_pending].tolist(), strict=True))


def happens_at(event: Event) -> tuple[float, bool]:
    """The order of events: by time, the end of an epoch after all else of its midnight."""
    return event.time_day, event.kind is Kind.END_OF_EPOCH


def pairs(times_day: Floats, marks: NDArray[Any]) -> Iterable[tuple[float, Any]]:
    """Times and their marks as plain Python numbers."""
    return zip(times_day.tolist(), marks.tolist(), strict=True)


def grades_of(luck: Luck, probabilities: tuple[float, ...]) -> Counts:
    """The worst side effect of each day, given the probabilities of at least each grade."""
    return np.asarray((luck.grade_mark[:, np.newaxis] < np.asarray(probabilities)).sum(axis=1))
