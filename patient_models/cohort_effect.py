"""What is done to the patients of a cohort: the log multiplier of `law` on tensors."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from patient_models.arrays import Counts, Floats, Number
from patient_models.cohort import Cohort
from patient_models.cohort_columns import Columns, places, taken
from patient_models.law import FADING_DAYS, PROGRESSION_DAYS, RISK_TILT, Course
from patient_models.response import MAXIMAL_LOG_HARM, Steady


class Effect:
    """What is done to the patients of a chunk: the log multiplier of `law`, epoch after epoch."""

    def __init__(self, cohort: Cohort, steady: Steady, columns: Columns) -> None:
        parameters, carried, column = cohort.parameters, cohort.carried, columns.column
        response = parameters.response
        self.start_day = cohort.day
        self.columns = columns
        self.course = parameters.course
        self.placebo, self.implant = column(self.course.placebo), column(self.course.implant)
        self.medication = Medication(self.course, columns)
        growing, fading = response.wash_in_days, response.carry_over_days
        self.high = Approach(carried.high, steady.high, growing, fading, column)
        self.low = Approach(carried.low, steady.low, growing, fading, column)
        self.progress = Approach(
            carried.progress, steady.is_on, PROGRESSION_DAYS, FADING_DAYS, column
        )
        self.harm = column(steady.harm)
        self.progression = column(response.progression)
        self.risk_sd = column(parameters.background.risk_sd)
        acting = (carried.high, carried.low, steady.high, steady.low, steady.harm)
        self.is_nothing = not any(np.any(each) for each in acting)

    def share(self, days: Counts, swing: Tensor) -> Tensor:
        """The share of latent chains that are seizures: days x patients.

        `swing` is the part of the log intensity that the state of risk is made of.
        """
        noon: Floats = days + np.float64(0.5)
        effect = self.medication.log_effect(noon)
        effect.addcmul_(self.columns.days(self.course.expectation(noon)), self.placebo)
        effect.addcmul_(self.columns.days(self.course.healing(noon)), self.implant)
        if not self.is_nothing:
            tilt = torch.tanh(swing / self.risk_sd).mul_(RISK_TILT)
            since = self.columns.days(noon - self.start_day)
            benefit = self.high.at(since).mul_(1 - tilt).add_(self.low.at(since).mul_(1 + tilt))
            growth = self.progress.at(since).mul_(self.progression).add_(1)
            effect.sub_(torch.where(benefit > 0, benefit * growth, benefit)).add_(self.harm)
        return effect.clamp_(max=MAXIMAL_LOG_HARM).sub_(MAXIMAL_LOG_HARM).exp_()


class Approach:
    """A value of each patient on its way to another; see `law.relaxed`."""

    def __init__(
        self,
        value: Number,
        target: ArrayLike,
        growing: Number,
        fading: Number,
        column: Callable[[ArrayLike], Tensor],
    ) -> None:
        self.target = column(target)
        self.distance = column(value) - self.target
        is_growing = torch.sign(self.target) * self.distance < 0
        self.days = torch.where(is_growing, column(growing), column(fading))

    def at(self, since: Tensor) -> Tensor:
        """The value so many days later: days x patients."""
        return torch.exp(-since / self.days).mul_(self.distance).add_(self.target)


class Medication:
    """The medication changes of the patients of a chunk; see `law.Course`."""

    def __init__(self, course: Course, columns: Columns) -> None:
        self.n_patients = len(columns.patient)
        self.columns = columns
        self.is_there = bool(np.size(course.medication_day))
        if self.is_there:
            jumps = np.cumsum(course.medication_log_jump, axis=1)
            self.change_day = columns.column(course.medication_day)  # patients x changes
            # patients x (1 + changes): the level after so many changes
            self.level = columns.column(np.pad(jumps, ((0, 0), (1, 0))))

    def log_effect(self, noon: Floats) -> Tensor:
        """The log multiplier of all changes until then: days x patients, new."""
        if not self.is_there:
            zero = torch.zeros(1, dtype=torch.float64, device=self.columns.device)
            return zero.repeat(len(noon), self.n_patients)
        first, last = ((self.change_day <= each).sum(dim=1) for each in (noon[0], noon[-1]))
        effect = self.level.gather(1, first[:, None])[:, 0].repeat(len(noon), 1)
        # Hardly anybody's drugs change within a few weeks: only theirs are followed day by day.
        changed = places(first != last)
        if len(changed):
            time_day = self.columns.days(noon)[:, :, None]  # days x 1 x 1
            n_changes = (taken(self.change_day, changed) <= time_day).sum(dim=2)
            level = taken(self.level, changed).gather(1, n_changes.T)  # changed patients x days
            effect[:, changed] = level.T
        return effect
