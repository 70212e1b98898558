"""The side effects of the patients of a cohort, on tensors; see `side_effects`.

Few days have one. A mark that is too high for the largest hazard of a stretch of days is set aside
at once, and only the days that are left are looked at one by one.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from patient_models.arrays import Counts, Floats
from patient_models.cohort import Cohort
from patient_models.cohort_columns import Columns, places, taken
from patient_models.randomness import Purpose
from patient_models.side_effects import ADAPTATION_DAYS, HAZARD_AT_TOLERANCE, LOAD_EXPONENT
from patient_models.targets import TARGETS
from patient_models.tensor_randomness import uniform, words
from protocols import SEVERE_GRADE

MARGIN = 1 + 1e-9
"""How far above the largest hazard a mark must lie to be set aside: far more than rounding."""


class Felt(NamedTuple):
    """Flat tensors with an element per day with a side effect; a cell is a day of a patient."""

    cell: Tensor
    grade: Tensor
    reported_grade: Tensor
    side_effect: Tensor


class SideEffects:
    """What the patients of a chunk feel during an epoch, each at a load of their own."""

    def __init__(self, cohort: Cohort, load: Floats, columns: Columns) -> None:
        tolerance, column = cohort.parameters.tolerance, columns.column
        self.seed, self.start_day = cohort.seed, cohort.day
        self.columns = columns
        self.load = column(load)
        self.habit = column(cohort.carried.habituated) - self.load
        self.adaptation = column(tolerance.adaptation_share)
        # patients x grades from 0 up
        self.reporting = column(cohort.parameters.diary.reporting_by_grade)
        target = TARGETS[tolerance.target]
        self.grade_ratios = target.grade_ratios
        self.edges = torch.tensor(target.side_effect_edges, device=columns.device)
        self.is_nothing = not np.any(load)

    def hazard(self, load: Tensor, habit: Tensor, share: Tensor, since: Tensor) -> Tensor:
        """The hazard of a moderate side effect so many days after the start of the epoch."""
        habituated = torch.exp(-since / ADAPTATION_DAYS).mul(habit).add_(load)
        felt = habituated.mul_(share).neg_().add_(load).clamp_(min=0)
        return felt.pow_(LOAD_EXPONENT).mul_(HAZARD_AT_TOLERANCE)

    def on(self, days: Counts, mark: Tensor, is_recorded: Tensor) -> Felt:
        """Those of these days, given their marks and whether they are recorded: days x patients."""
        columns, n_patients = self.columns, mark.shape[1]
        since = columns.days(days + 0.5 - self.start_day)
        # A habit only grows or only fades within an epoch: the largest hazard is at either end.
        ends = self.hazard(self.load, self.habit, self.adaptation, since[[0, -1]]).amax(dim=0)
        highest = ends.mul_(-max(self.grade_ratios) * MARGIN).expm1_().neg_()
        cell = places((mark < highest).flatten())
        row, day = cell % n_patients, cell.div(n_patients, rounding_mode="floor")
        hazard = self.hazard(
            taken(self.load, row),
            taken(self.habit, row),
            taken(self.adaptation, row),
            taken(since[:, 0], day),
        )
        mark = taken(mark.flatten(), cell)
        grade = torch.zeros_like(cell)
        for ratio in self.grade_ratios:
            grade.add_(mark < (hazard * -ratio).expm1_().neg_())
        felt = places(grade)
        cell, row, day, grade = (taken(each, felt) for each in (cell, row, day, grade))
        _, _, type_word, reported_word = words(
            self.seed,
            taken(columns.patient, row),
            taken(columns.days(days)[:, 0], day),
            Purpose.SIDE_EFFECT,
        )
        is_told = uniform(reported_word) < self.reporting[row, grade]
        is_told &= taken(is_recorded.flatten(), cell) | (grade >= SEVERE_GRADE)
        return Felt(
            cell=cell,
            grade=grade,
            reported_grade=grade * is_told,
            side_effect=1 + torch.bucketize(uniform(type_word), self.edges, right=True),
        )
