"""The pool: the people of many replicates live through their arms at once.

An arm whose controller delivers one setting throughout is lived by the cohort engine, where the
family of patients has columns; every other arm is lived epoch by epoch through the gate. Both give
the same people the same luck, with one difference: in the cohort engine a severe side effect ends
no epoch early.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from neurostim.controllers.fixed import Fixed
from neurostim.controllers.sham import Sham
from neurostim.course import phases_of, run_arm
from neurostim.history import PHASES
from neurostim.loop import Gate, observe_off
from neurostim.outcomes import outcomes
from neurostim.plan import Plan
from neurostim.power.scenarios import PEOPLE_PER_ARM, Scenario
from neurostim.rows import epoch_row, truth_of
from patient_models import Device, Enrolment, State
from patient_models.cohort import Cohort, Lives
from patient_models.cohort_engine import advance
from patient_models.law import Parameters
from protocols import OFF, InputError, Setting
from safety import AuditLog

Numbers = npt.NDArray[np.int64]

PLAIN = {
    **{f"{kind}_{field}": 0 for kind in ("requested", "delivered") for field in
       ("site", "amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms", "off_ms")},
    "requested_mode": "continuous", "delivered_mode": "continuous", "ruling": "accepted",
    "rules": "", "worst_grade": 0, "charge_uc": 0, "energy_mj": 0, "battery_permille": 1000,
    "n_incidents": 0, "true_rate_per_day": 1.0, "true_is_unsafe": False,
}  # fmt: skip
"""Columns of an epoch that no test of the diary reads, where the cohort engine lived it."""


@runtime_checkable
class HasColumns(Protocol):
    """A family of patients that the cohort engine can live."""

    def draw_columns(
        self, *, seed: int, patients: Sequence[int], n_sites: int, enrolment: Enrolment | None
    ) -> Parameters:
        """The hidden parameters of these patients as columns."""

    def draw(
        self, *, device: Device, seed: int, patients: Sequence[int], enrolment: Enrolment | None
    ) -> tuple[State, ...]:
        """These patients on day 0."""


class Pooled:
    """What the people of some replicates wrote: their epochs, and an outcome row for each.

    `outcomes` has the columns replicate and position, from 0, beside arm and patient.
    """

    def __init__(self, epochs: pd.DataFrame, rows: pd.DataFrame) -> None:
        self.epochs = epochs
        self.outcomes = rows


def pooled(scenario: Scenario, replicates: Sequence[int], n_per_arm: int) -> Pooled:
    """Live `n_per_arm` people in each arm of these replicates.

    Raises `InputError` when too few of those screened are eligible.
    """
    people: dict[int, Numbers] = {}
    frames = []
    for arm, name in enumerate(scenario.arms):
        if arm == 0 or not scenario.is_paired:
            starts = [scenario.first_person(replicate, arm) for replicate in replicates]
            enrolled = enrolled_people(scenario.plan, starts, n_per_arm)
        people[arm] = enrolled.ravel()
        frames.append(arm_epochs(scenario.plan, arm, people[arm]).assign(arm=name))
    epochs = pd.concat(frames, ignore_index=True)
    truth = pd.DataFrame({"patient": np.unique(np.concatenate(list(people.values())))})
    truth = truth.assign(true_rate_off_per_day=1.0, true_rate_best_per_day=1.0)
    schedule = scenario.plan.design.schedule.model_dump()
    rows = outcomes(epochs, truth, schedule).set_index(["arm", "patient"])
    places = pd.DataFrame(
        {
            "arm": np.repeat(scenario.arms, len(replicates) * n_per_arm),
            "patient": np.concatenate([people[arm] for arm in range(len(scenario.arms))]),
            "replicate": np.tile(np.repeat(replicates, n_per_arm), len(scenario.arms)),
            "position": np.tile(np.arange(n_per_arm), len(scenario.arms) * len(replicates)),
        }
    )
    return Pooled(epochs, places.join(rows, on=["arm", "patient"]))


def enrolled_people(plan: Plan, starts: Sequence[int], n_per_arm: int) -> Numbers:
    """The first eligible people from each of these addresses on: addresses x `n_per_arm`."""
    if not plan.design.population.is_screened and n_per_arm <= PEOPLE_PER_ARM:
        return np.add.outer(np.array(starts, dtype=np.int64), np.arange(n_per_arm))
    found: list[list[int]] = [[] for _ in starts]
    screened = 0
    while short := [k for k, each in enumerate(found) if len(each) < n_per_arm]:
        missing = max(n_per_arm - len(found[k]) for k in short)
        n_more = min(missing + missing // 4 + 8, PEOPLE_PER_ARM - screened)
        if n_more < 1:
            raise InputError(
                f"n = {n_per_arm}: of {PEOPLE_PER_ARM:,} people screened for one arm only "
                f"{n_per_arm - missing} were eligible; a smaller n was expected"
            )
        people = np.concatenate([starts[k] + screened + np.arange(n_more) for k in short])
        is_in = is_eligible(plan, people).reshape(len(short), n_more)
        for k, row, each in zip(short, is_in, people.reshape(len(short), n_more), strict=True):
            found[k] += each[row].tolist()
        screened += n_more
    return np.array([each[:n_per_arm] for each in found], dtype=np.int64)


def is_eligible(plan: Plan, people: Numbers) -> npt.NDArray[np.bool_]:
    """Whether the baseline of each of these people is one that the trial enrols."""
    days, population = plan.design.schedule.baseline_days, plan.design.population
    if isinstance(plan.model, HasColumns):
        _, lives = advance(cohort_of(plan, plan.model, people), OFF, days)
        written, recorded = lives.written.sum(axis=1), lives.is_recorded.sum(axis=1)
    else:
        states = plan.model.draw(
            device=plan.device, seed=plan.seed, patients=people.tolist(), enrolment=plan.enrolment
        )
        seen = observe_off(plan.model, states, days)
        written = np.array([each.n_seizures or 0 for each in seen])
        recorded = np.array([each.days_recorded for each in seen])
    per_28_days = 28 * written.astype(float) / np.maximum(recorded, 1)
    most = np.inf if population.most_per_28_days is None else population.most_per_28_days
    is_within = (per_28_days >= population.least_per_28_days) & (per_28_days <= most)
    eligible: npt.NDArray[np.bool_] = is_within & (recorded >= population.least_days_recorded)
    return eligible


def arm_epochs(plan: Plan, arm: int, people: Numbers) -> pd.DataFrame:
    """The epochs of these people in an arm, a row each, without the arm's name."""
    controller = plan.controllers[arm]
    if isinstance(controller, (Sham, Fixed)) and isinstance(plan.model, HasColumns):
        return constant_epochs(plan, cohort_of(plan, plan.model, people), controller)
    return looped_epochs(plan, arm, people)


def cohort_of(plan: Plan, family: HasColumns, people: Numbers) -> Cohort:
    """These people on day 0, as columns."""
    columns = family.draw_columns(
        seed=plan.seed,
        patients=people.tolist(),
        n_sites=plan.device.n_sites,
        enrolment=plan.enrolment,
    )
    return Cohort.begin(columns, seed=plan.seed, patients=people.tolist())


def constant_epochs(plan: Plan, cohort: Cohort, controller: Sham | Fixed) -> pd.DataFrame:
    """What a cohort writes whose setting never changes in treatment."""
    schedule = plan.design.schedule
    treated = controller.setting if isinstance(controller, Fixed) else OFF
    parts = []
    for phase, setting, end_day in phases_of(schedule, OFF, treated, treated):
        if end_day > cohort.day:
            cohort, lives = advance(cohort, setting, end_day - cohort.day)
            parts += list(_epochs(cohort.patients, lives, schedule.epoch_days, phase, setting))
    frame = pd.concat(parts, ignore_index=True)
    frame["epoch"] = frame.groupby("patient", sort=False).cumcount()
    return frame


def _epochs(
    people: Numbers, lives: Lives, epoch_days: int, phase: int, setting: Setting
) -> Iterator[pd.DataFrame]:
    """Yield each epoch of a phase, with a row for each person."""
    n_days = lives.written.shape[1]
    for first in range(0, n_days, epoch_days):
        window = slice(first, min(first + epoch_days, n_days))
        recorded = lives.is_recorded[:, window].sum(axis=1)
        written = pd.array(lives.written[:, window].sum(axis=1).astype(np.int64), dtype="Int64")
        written[recorded == 0] = pd.NA
        plain = {**PLAIN, "delivered_amplitude_ua": setting.amplitude_ua}
        yield pd.DataFrame(
            {
                "patient": people,
                "phase": PHASES[phase],
                "start_day": lives.first_day + first,
                "days": window.stop - window.start,
                "n_seizures": written,
                "days_recorded": recorded.astype(np.int64),
                **plain,
            }
        )


def looped_epochs(plan: Plan, arm: int, people: Numbers) -> pd.DataFrame:
    """What people write whose controller decides epoch by epoch, through the gate."""
    states = plan.model.draw(
        device=plan.device, seed=plan.seed, patients=people.tolist(), enrolment=plan.enrolment
    )
    truths = [truth_of(plan.model, state, plan.candidates) for state in states]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gate.jsonl"
        with AuditLog(path, envelope_hash=plan.envelope.hash, durable=False) as log:
            gate = Gate(envelope=plan.envelope, log=log)
            for phase, _, positions, lived in run_arm(plan, arm, states, gate):
                for b, each in zip(positions, lived, strict=True):
                    rows.append(epoch_row("", phase, each, truths[b]))
    frame = pd.DataFrame(rows).sort_values(["patient", "start_day"], kind="stable")
    frame["n_seizures"] = frame["n_seizures"].astype("Int64")
    frame["epoch"] = frame.groupby("patient", sort=False).cumcount()
    return frame.reset_index(drop=True)
