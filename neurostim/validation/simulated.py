"""The cohorts of validation as our own patients live them, on the cohort engine.

Nobody here is tuned to a row: one population and one law, and of each trial only whom it recruited.
Every setting is one of a shipped design, and a design's list holds what the gate would deliver
unchanged, nothing else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from neurostim.controllers.fixed import Fixed
from neurostim.plan import Plan, make_plan
from neurostim.validation.cohorts import TrialDiaries, TrialName
from neurostim.validation.diaries import MONTH_DAYS, Booleans, Counts, Diaries
from neurostim.validation.samples import YEAR_DAYS
from patient_models import MODELS, TARGETS, Clinical, Enrolment, Mechanistic
from patient_models.cohort import Cohort, Lives
from patient_models.cohort_engine import advance
from patient_models.distributions import Distribution, LogNormal
from patient_models.population import COMMUNITY_RATE
from patient_models.targets import Target
from protocols import OFF, InputError, Setting
from protocols.design import load_design

BLINDED_DAYS = 84
"""All four trials judge three blinded months; RNS has a month of setting up before them."""

SCREENED_AT_A_TIME = 2048
FAMILIES = (Clinical, Mechanistic)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCohorts:
    """Diaries of a family's people."""

    family: Clinical | Mechanistic

    def community(
        self,
        n: int,
        days: int,
        *,
        seed: int,
        with_times: bool = False,
        expectation_day: float | None = None,
        written_rate_per_30_days: float | None = None,
    ) -> Diaries:
        """Return the diaries of n people of the community, nobody stimulated."""
        rates: Distribution = COMMUNITY_RATE
        if written_rate_per_30_days is not None:
            median = written_rate_per_30_days / MONTH_DAYS
            rates = LogNormal(median=median, log_sd=0, lowest=median, highest=median)
        enrolment = Enrolment(
            written_rate_per_day=rates,
            expectation_day=None if expectation_day is None else int(expectation_day),
        )
        cohort = self._enrol(seed, range(n), 1, enrolment)
        return diaries_of([advance(cohort, OFF, days, with_times=with_times)[1]])

    def trial(
        self, name: TrialName, *, n_replicates: int, seed: int, years: int = 0
    ) -> TrialDiaries:
        """Return the patients enrolled on their observed baseline, with `years` of open label."""
        design = load_design(name)
        plan = make_plan(load_design(name, {"population.n_patients": 1}), seed=seed, compute="cpu")
        schedule, n = design.schedule, design.population.n_patients * n_replicates
        enrolled = np.fromiter(self._eligible(plan), dtype=np.int64, count=n)
        cohort = self._enrolled(plan, enrolled)
        arm = 1 - np.arange(n) % 2
        control, active = settings_of(plan)
        late = control if schedule.open_label_arm == design.analysis.reference else active
        last_day = schedule.treatment_start_day + years * YEAR_DAYS
        phases = (
            ([OFF] * n, schedule.treatment_start_day),
            ([active if each else control for each in arm], schedule.treatment_days),
            ([late] * n, max(0, last_day - schedule.treatment_end_day)),
        )
        lives: list[Lives] = []
        for settings, days in phases:
            if days:
                is_blinded = len(lives) == 1
                cohort, lived = advance(cohort, settings, days, with_side_effects=is_blinded)
                lives.append(lived)
        return TrialDiaries(
            diaries=diaries_of(lives),
            arm=arm,
            n_per_replicate=design.population.n_patients,
            baseline_days=schedule.baseline_days,
            blinded_start_day=schedule.treatment_end_day - BLINDED_DAYS,
            blinded_end_day=schedule.treatment_end_day,
            year_end_days=tuple(
                schedule.treatment_start_day + YEAR_DAYS * (year + 1) for year in range(years)
            ),
            reporters=reporters_of(lives[1], TARGETS[plan.enrolment.target]),
        )

    def _enrol(
        self, seed: int, patients: Sequence[int], n_sites: int, enrolment: Enrolment
    ) -> Cohort:
        columns = self.family.draw_columns(
            seed=seed, patients=patients, n_sites=n_sites, enrolment=enrolment
        )
        return Cohort.begin(columns, seed=seed, patients=patients)

    def _enrolled(self, plan: Plan, patients: Counts) -> Cohort:
        return self._enrol(plan.seed, patients.tolist(), plan.device.n_sites, plan.enrolment)

    def _eligible(self, plan: Plan) -> Iterator[int]:
        """Screen people in order of their index; yields the eligible ones."""
        first = 0
        while True:
            people = np.arange(first, first + SCREENED_AT_A_TIME)
            days = plan.design.schedule.baseline_days
            baseline = diaries_of([advance(self._enrolled(plan, people), OFF, days)[1]])
            per_28_days = np.nan_to_num(28 * baseline.rates())
            least = plan.design.population.least_per_28_days
            yield from people[per_28_days >= least].tolist()
            first += SCREENED_AT_A_TIME


def settings_of(plan: Plan) -> tuple[Setting, Setting]:
    """The setting of the control arm and that of the active one."""
    chosen = {
        arm.name: controller.setting if isinstance(controller, Fixed) else OFF
        for arm, controller in zip(plan.design.arms, plan.controllers, strict=True)
    }
    control = chosen.pop(plan.design.analysis.reference)
    [active] = chosen.values()
    return control, active


def reporters_of(lives: Lives, target: Target) -> dict[str, Booleans]:
    """Who told of each type of side effect on the blinded days that end these lives."""
    blinded = slice(-BLINDED_DAYS, None)
    assert lives.side_effect is not None
    side_effect, is_told = lives.side_effect[:, blinded], lives.reported_grade[:, blinded] > 0
    return {
        each.name: (is_told & (side_effect == number)).any(axis=1)
        for number, each in enumerate(target.side_effects, start=1)
    }


def diaries_of(lives: list[Lives]) -> Diaries:
    """What was written in stretches that follow each other; times of a single one, if kept."""
    row, time_day, is_written = lives[0].row, lives[0].time_day, lives[0].is_written
    has_times = len(lives) == 1 and row is not None and time_day is not None
    return Diaries(
        counts=np.concatenate([each.written for each in lives], axis=1).astype(np.int32),
        recorded=np.concatenate([each.is_recorded for each in lives], axis=1),
        row=row[is_written] if has_times and row is not None else None,
        time_day=time_day[is_written] if has_times and time_day is not None else None,
    )


def simulated_cohorts(family: str) -> SimulatedCohorts:
    """The cohorts of a family of patients; raises `InputError` for one without columns."""
    model = MODELS.get(family)
    if not isinstance(model, FAMILIES):
        known = [name for name, each in MODELS.items() if isinstance(each, FAMILIES)]
        raise InputError(f"family = {family!r}: one of {', '.join(known)} was expected")
    return SimulatedCohorts(family=model)
