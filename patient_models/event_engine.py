"""The event engine: one patient in continuous time, with each thing that happens a SimPy event.

Small processes run side by side: seizures, side effects, the device's ramp, turns of life and the
diary. The diary ends the epoch, at its last midnight or at the midnight after a severe side effect:
the device stays in a patient who has dropped out, and so does whoever must turn it down.
"""

from collections.abc import Generator, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simpy import Environment, Timeout

from patient_models.arrays import Booleans, Floats
from patient_models.delivery import lived, ramp_end_day
from patient_models.device_check import delivered
from patient_models.law import Carried, Parameters, carried_after, log_multiplier
from patient_models.luck import Luck, luck_between, on_grid
from patient_models.model import Event, Kind, Outcome, State
from patient_models.randomness import Purpose, quads
from patient_models.response import Steady, steady_of
from patient_models.side_effects import load_of
from patient_models.targets import TARGETS
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
        self.reported_grade_today = 0
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

    def happenings(self, events: Iterable[Event]) -> Process:
        """What was decided at enrolment comes, or side effects do, at most one a day."""
        for event in events:
            yield self.until(event.time_day)
            self.events.append(event)
            if event.grade is not None:
                self.worst_grade_today = event.grade
                self.reported_grade_today = event.grade if event.is_written else 0

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
            self.n_written_today = self.worst_grade_today = self.reported_grade_today = 0
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
            self.worst_grade = max(self.worst_grade or 0, self.reported_grade_today)

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
    steady, load = steady_of(response, setting), load_of(state.parameters.tolerance, setting)
    epoch = Epoch(state.day, days)
    pending = live(epoch, state, setting, steady, load)
    device, telemetry, new_batteries = lived(
        state.device, state.parameters.hardware, setting, state.day, epoch.days, n_incidents
    )
    if new_batteries:
        epoch.events.extend(Event(midnight, Kind.NEW_BATTERY) for midnight in new_batteries)
        epoch.events.sort(key=happens_at)
    carried = carried_after(state.carried, steady, load, response, epoch.days)
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
                habituated=np.asarray(carried.habituated).item(),
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
    epoch: Epoch, state: State, setting: Setting, steady: Steady, load: float
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
    carried = carried_after(state.carried, steady, load, parameters.response, noon - state.day)
    effect = log_multiplier(
        carried,
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
    start = epoch.clock.process
    start(epoch.ramp(ramp_end_day(state.device.device, state.setting, setting, epoch.start_day)))
    start(epoch.seizures(time_day[:n_now], is_noted[:n_now] & luck.is_recorded[day]))
    for happenings in (
        side_effects(state, luck, load, np.asarray(carried.habituated)),
        turns(state.parameters, epoch.start_day, epoch.stop_day),
    ):
        if happenings:
            start(epoch.happenings(happenings))
    epoch.clock.run(until=start(epoch.diary(luck.is_recorded)))
    is_pending = (began_day < epoch.days) & (time_day >= epoch.stop_day)
    return tuple(zip(time_day[is_pending].tolist(), is_noted[is_pending].tolist(), strict=True))


def happens_at(event: Event) -> tuple[float, bool]:
    """The order of events: by time, the end of an epoch after all else of its midnight."""
    return event.time_day, event.kind is Kind.END_OF_EPOCH


def pairs(times_day: Floats, marks: NDArray[Any]) -> Iterable[tuple[float, Any]]:
    """Times and their marks as plain Python numbers."""
    return zip(times_day.tolist(), marks.tolist(), strict=True)


def side_effects(state: State, luck: Luck, load: float, habituated: Floats) -> list[Event]:
    """The worst side effect of each day under a load, given the habit of each day."""
    if load == 0:
        return []
    tolerance = state.parameters.tolerance
    probabilities = tolerance.grade_probabilities(tolerance.felt_load(load, habituated))
    grades = (luck.grade_mark[:, np.newaxis] < probabilities).sum(axis=1)
    felt = np.flatnonzero(grades)
    days, grades = luck.first_day + felt, grades[felt]
    marks = quads(state.seed, state.patient, days, Purpose.SIDE_EFFECT)
    time_mark, _, type_mark, reported_mark = marks
    target = TARGETS[tolerance.target]
    is_told = reported_mark < state.parameters.diary.reporting_by_grade[grades]
    is_reported = is_told & (luck.is_recorded[felt] | (grades >= SEVERE_GRADE))
    return [
        Event(time_day, Kind.ADVERSE_EVENT, reported, None, grade, target.side_effects[i].name)
        for time_day, reported, grade, i in zip(
            (days + on_grid(time_mark)).tolist(),
            is_reported.tolist(),
            grades.tolist(),
            target.side_effect_at(type_mark).tolist(),
            strict=True,
        )
    ]


def turns(parameters: Parameters, start_day: int, stop_day: int) -> list[Event]:
    """What happens at midnights after `start_day`, to `stop_day`, as was decided at enrolment."""
    events = [
        Event(midnight, Kind.MEDICATION_CHANGE)
        for midnight in parameters.course.medication_day
        if start_day < midnight <= stop_day
    ]
    dropout_day = parameters.diary.dropout_day
    if dropout_day is not None and start_day < dropout_day <= stop_day:
        events.append(Event(float(dropout_day), Kind.DROP_OUT))
        events.sort(key=happens_at)
    return events
