"""The course of one arm: which phase a patient is in, who is asked, and until which day."""

from collections.abc import Iterator, Sequence

import numpy as np

from neurostim.controllers.sham import Sham
from neurostim.history import BASELINE, OPEN_LABEL, RECOVERY, TREATMENT, Integers
from neurostim.loop import Batch, Gate, Lived, ask, live, prepare
from neurostim.plan import Plan
from patient_models import State


def run_arm(
    plan: Plan, arm: int, states: Sequence[State], gate: Gate
) -> Iterator[tuple[int, Integers, list[Lived]]]:
    """Live through the whole schedule; yields phase, positions of the patients and their epochs.

    Patients whose epoch ended early are asked again at once, so the batch falls out of step: each
    turn holds those who have not reached the end of the phase.
    """
    schedule = plan.design.schedule
    batch = Batch.start(states)
    names = [each.name for each in plan.design.arms]
    late = arm if schedule.open_label_arm is None else names.index(schedule.open_label_arm)
    phases = (
        (BASELINE, Sham(), schedule.baseline_days),
        (RECOVERY, Sham(), schedule.treatment_start_day),
        (TREATMENT, plan.asked[arm], schedule.treatment_end_day),
        (OPEN_LABEL, plan.asked[late], schedule.end_day),
    )
    for phase, chosen, end_day in phases:
        controller, memory = prepare(chosen, plan.context)
        while (index := _before(batch.states, end_day)).size:
            days = [min(schedule.epoch_days, end_day - batch.states[b].day) for b in index]
            allowed = np.ones((len(index), len(plan.candidates)), dtype=np.bool_)
            memory, wishes = ask(controller, memory, batch.history.rows(index), allowed)
            batch, lived = live(batch, index, wishes, days, phase, plan.model, gate)
            yield phase, index, lived


def _before(states: Sequence[State], end_day: int) -> Integers:
    return np.flatnonzero([state.day < end_day for state in states])
