"""The parameters of some patients of a cohort as tensors, and what is done with such columns.

Days are rows and patients columns, so that one day of all patients is contiguous.
"""

from collections.abc import Callable
from math import pi
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from patient_models.cohort import Cohort
from patient_models.law import PHASE_NOISE, WEEK_DAYS, Rhythm


class Columns:
    """The parameters of the patients of a chunk, as tensors with one element per patient."""

    def __init__(self, cohort: Cohort, rows: slice) -> None:
        self.rows = rows
        self.device = torch.device(cohort.compute)
        background, diary = cohort.parameters.background, cohort.parameters.diary
        self.patient = torch.tensor(cohort.patients[rows], device=self.device)
        self.index = torch.arange(len(self.patient), device=self.device)
        rhythms = (background.multidien, background.weekly, background.annual)
        self.log_parents = self.column(
            np.log(background.parents_per_day)
            - np.square(background.fast_log_sd) / 2
            - sum(rhythm.log_mean for rhythm in rhythms)
        )
        self.fast_sd = self.column(background.fast_log_sd)
        self.slow_sd = self.column(background.slow_log_sd)
        self.multidien, self.weekly, self.annual = (Cycle(each, self.column) for each in rhythms)
        noise = PHASE_NOISE * np.sqrt(WEEK_DAYS / background.multidien.period_days)
        self.phase_noise = self.column(noise)
        concentration = background.time_of_day.concentration
        self.narrowing = self.column((1 - concentration) / (1 + concentration))
        self.peak = self.column(background.time_of_day.peak)
        self.log_chain = self.column(background.chain_probability).log_()
        self.chain_shortening = self.column(background.chain_shortening)
        self.writing = self.column(diary.writing_probability)
        self.missing = self.column(diary.missing_probability)
        dropout_day = diary.dropout_day
        self.dropout_day = None if dropout_day is None else self.column(dropout_day)

    def column(self, values: ArrayLike) -> Tensor:
        """These patients' part of a column of the cohort, or one number for all of them."""
        values = np.asarray(values, dtype=np.float64)
        part = values[self.rows] if values.ndim else np.full(len(self.patient), values)
        return torch.tensor(part, device=self.device)

    def days(self, values: NDArray[Any]) -> Tensor:
        """Something that each day has: days x 1, to be spread over patients."""
        return torch.tensor(values, device=self.device)[:, None]

    def time_of_day(self, mark: Tensor, row: Tensor) -> Tensor:
        """When in their day parents come; see `law.TimeOfDay`."""
        tangent = mark.sub_(0.5).mul_(pi).tan_().mul_(taken(self.narrowing, row))
        time_of_day = tangent.atan_().mul_(2).div_(2 * pi).add_(taken(self.peak, row))
        time_of_day = time_of_day.remainder_(1.0)
        return torch.where(time_of_day < 1, time_of_day, 0.0)


class Cycle:
    """One rhythm of the patients of a chunk."""

    def __init__(self, rhythm: Rhythm, column: Callable[[ArrayLike], Tensor]) -> None:
        self.is_there = bool(np.any(np.asarray(rhythm.strength) > 0))
        self.strength = column(rhythm.strength)
        self.speed = column(2 * pi / np.asarray(rhythm.period_days))
        self.peak_day = column(rhythm.peak_day)

    def add_to(self, level: Tensor, noon: Tensor, phase: Tensor | None = None) -> None:
        """Add strength * cos(phase) to a log intensity, days x patients."""
        if self.is_there:
            angle = (noon - self.peak_day).mul_(self.speed)
            angle = angle if phase is None else angle.add_(phase)
            level.addcmul_(angle.cos_(), self.strength)


def places(is_kept: Tensor) -> Tensor:
    """Where a flat tensor is not 0."""
    return torch.nonzero(is_kept)[:, 0]


def taken(values: Tensor, index: Tensor) -> Tensor:
    """The values at these places; twice as fast as indexing."""
    return values.index_select(0, index)
