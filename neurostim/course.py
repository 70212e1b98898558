"""The course of a life: which phase a patient is in, who is asked, and until which day."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from neurostim.allocation import allocated
from neurostim.controllers.sham import Sham
from neurostim.history import (
    BASELINE,
    OPEN_LABEL,
    RECOVERY,
    TREATMENT,
    WASHOUT,
    History,
    Integers,
    row_setting,
)
from neurostim.loop import Batch, Gate, Lived, Wish, ask, live, prepare
from neurostim.plan import Plan
from patient_models import State
from patient_models.randomness import Purpose, uniforms
from protocols.design import Design, Schedule

Asked = TypeVar("Asked")
NOBODY = -1
"""Who is asked while everybody is off."""


class Stage(NamedTuple):
    """A stretch of days in which each patient is treated in one way.

    Of each patient, `asked` is the place of the arm whose controller is asked, or `NOBODY`, and
    `arms` the place of the arm that the days count for.
    """

    phase: int
    start_day: int
    end_day: int
    asked: Integers
    arms: Integers


def run_arm(
    plan: Plan, arm: int, states: Sequence[State], gate: Gate
) -> Iterator[tuple[int, Integers, Integers, list[Lived]]]:
    """Live through the whole schedule; yields phase, arms, positions and epochs of patients.

    Patients whose epoch ended early are asked again at once, so the batch falls out of step: each
    turn holds those who have not reached the end of the phase. Those who are in one arm are asked
    for together.

    Args:
        plan: the trial.
        arm: which of the arms everybody lives in a paired design; any in others.
        states: of the patients, in the order in which they were enrolled.
        gate: the way to them.

    """
    batch = Batch.start(states)
    asked = plan.asked
    for stage in stages(plan.design, arms_of(plan, arm, states)):
        for place in np.unique(stage.asked):
            chosen = Sham() if place == NOBODY else asked[place]
            controller, memory = prepare(chosen, plan.context)
            members = np.flatnonzero(stage.asked == place)
            while (index := _before(batch.states, members, stage.end_day)).size:
                here = [batch.states[b].day for b in index]
                days = [min(plan.design.schedule.epoch_days, stage.end_day - day) for day in here]
                history = batch.history.rows(index)
                is_visit = visited(plan, stage, history, np.array(here))
                visitors = np.flatnonzero(is_visit)
                fresh: list[Wish] = []
                if visitors.size:
                    allowed = np.ones((visitors.size, len(plan.candidates)), dtype=np.bool_)
                    memory, fresh = ask(controller, memory, history.rows(visitors), allowed)
                asked_for = dict(zip(visitors.tolist(), fresh, strict=True))
                wishes = [asked_for.get(b) or stays(history, b) for b in range(len(index))]
                batch, lived = live(batch, index, wishes, days, stage.phase, plan.model, gate)
                yield stage.phase, stage.arms[index], index, lived


def arms_of(plan: Plan, arm: int, states: Sequence[State]) -> Integers:
    """The place of the arm that each patient lives in each period, `B P`."""
    if plan.design.kind == "paired":
        return np.full((len(states), 1), arm, dtype=np.int64)
    numbers = [state.patient for state in states]
    return allocated(plan.design, plan.seed, np.searchsorted(plan.patients, numbers))


def stages(design: Design, arms: Integers) -> Iterator[Stage]:
    """The stages of patients who live these arms, `B P`, one after the other."""
    schedule = design.schedule
    nobody = np.full(len(arms), NOBODY, dtype=np.int64)
    late = arms[:, -1]
    if schedule.open_label_arm is not None:
        names = [each.name for each in design.arms]
        late = np.full(len(arms), names.index(schedule.open_label_arm), dtype=np.int64)
    start_day = 0
    for phase, asked, end_day in phases_of(schedule, nobody, arms[:, 0], late):
        if phase == TREATMENT and schedule.period_days is not None:
            yield from _periods(schedule, schedule.period_days, arms)
        elif start_day < end_day:
            counted = arms[:, -1] if phase == OPEN_LABEL else arms[:, 0]
            yield Stage(phase, start_day, end_day, asked, counted)
        start_day = end_day


def _periods(schedule: Schedule, period_days: int, arms: Integers) -> Iterator[Stage]:
    """The periods of treatment; the days of a wash-out count for the arm before it."""
    nobody = np.full(len(arms), NOBODY, dtype=np.int64)
    day = schedule.treatment_start_day
    for period in range(schedule.n_periods):
        if period and schedule.washout_days:
            end_day = day + schedule.washout_days
            yield Stage(WASHOUT, day, end_day, nobody, arms[:, period - 1])
            day = end_day
        yield Stage(TREATMENT, day, day + period_days, arms[:, period], arms[:, period])
        day += period_days


def phases_of(
    schedule: Schedule, off: Asked, treated: Asked, late: Asked
) -> tuple[tuple[int, Asked, int], ...]:
    """Each phase in order: its number, who is asked in it, and the first day after it."""
    return (
        (BASELINE, off, schedule.baseline_days),
        (RECOVERY, off, schedule.treatment_start_day),
        (TREATMENT, treated, schedule.treatment_end_day),
        (OPEN_LABEL, late, schedule.end_day),
    )


def visited(plan: Plan, stage: Stage, history: History, now: Integers) -> NDArray[np.bool_]:
    """Whether each patient is seen on this day, so that the setting may change.

    Args:
        plan: the trial.
        stage: where the patients are.
        history: of these patients, `B T`.
        now: the day on which each one's next epoch begins, `B`.

    """
    visits, epoch_days = plan.design.visits, plan.design.schedule.epoch_days
    is_first = now == stage.start_day
    if is_first.all():
        return is_first
    everyone, last = np.arange(len(now)), history.n_epochs - 1
    before = np.where(is_first, now, history.start_day[everyone, last])
    is_early = now - before < epoch_days

    def n_due(days: Integers) -> Integers:
        elapsed = days - stage.start_day
        if visits.days:
            return np.searchsorted(visits.days, elapsed, side="right")
        return elapsed // (visits.every_epochs * epoch_days)

    luck = uniforms(plan.seed, history.patients, now, Purpose.VISIT)
    is_kept = (n_due(now) > n_due(before)) & (luck >= visits.missed_probability)
    return is_first | is_early | is_kept


def stays(history: History, b: int) -> Wish:
    """The wish that what was delivered to a patient last stays."""
    last = history.delivered[b, history.n_epochs[b] - 1]
    return Wish(setting=row_setting(last), is_visit=False)


def _before(states: Sequence[State], members: Integers, end_day: int) -> Integers:
    return members[[states[b].day < end_day for b in members]]
