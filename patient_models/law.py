"""The law of one patient's seizures: what their rate is at every moment.

Seizures are a Cox process. At time t, in days since enrolment, their rate is

    base_rate * G_day * circadian(t) * multidien(t) * exp(effect(t))

where G_day is gamma distributed with mean 1 and drawn anew each day (so that daily counts are
negative binomial), both cycles have mean 1, and effect(t) is the log multiplier due to
stimulation. It is at most `response.MAXIMAL_LOG_HARM`, so that the rate has a bound and thinning
is exact.
"""

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import i0e

from patient_models.arrays import Floats
from patient_models.ranges import check_range
from patient_models.response import MAXIMAL_LOG_HARM, SteadyResponse
from patient_models.side_effects import Tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """One cycle of the seizure rate: exp(strength * cos(phase)) over its mean, I0(strength)."""

    period_days: float
    strength: float
    peak_day: float

    def __post_init__(self) -> None:
        check_range("period_days", self.period_days, above=0)
        check_range("strength", self.strength, lowest=0)
        check_range("peak_day", self.peak_day)

    def descent(self, time_day: ArrayLike) -> Floats:
        """How far the log rate lies below its peak at these times, 0 or more."""
        phase = 2 * pi / self.period_days * (np.asarray(time_day) - self.peak_day)
        return np.asarray(self.strength * (1 - np.cos(phase)))

    def factor(self, time_day: ArrayLike) -> Floats:
        """What the rate is multiplied by at these times; the mean over one period is 1."""
        return self.peak_factor * np.exp(-self.descent(time_day))

    def least_descent(self, day: ArrayLike) -> Floats:
        """A level that `descent` does not go below during each of these days."""
        past_peak = np.asarray(day) + 0.5 - self.peak_day
        from_peak = np.abs(past_peak - self.period_days * np.round(past_peak / self.period_days))
        distance = np.maximum(from_peak - 0.5, 0)
        return np.asarray(self.strength * (1 - np.cos(2 * pi / self.period_days * distance)))

    @property
    def peak_factor(self) -> float:
        """The largest factor: exp(strength) / I0(strength), written so that nothing overflows."""
        return 1 / float(i0e(self.strength))


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """How seizures come without stimulation; `day_shape` is the shape of the gamma factor."""

    base_rate_per_day: float
    day_shape: float
    circadian: Rhythm
    multidien: Rhythm

    def __post_init__(self) -> None:
        check_range("base_rate_per_day", self.base_rate_per_day, above=0)
        check_range("day_shape", self.day_shape, above=0)

    def bound_per_day(self, day: ArrayLike, day_factor: ArrayLike) -> Floats:
        """A rate that is not exceeded on these days of this gamma factor, whatever is delivered."""
        peak = self.base_rate_per_day * self.circadian.peak_factor * self.multidien.peak_factor
        least_descent = self.multidien.least_descent(day)
        return np.asarray(day_factor) * peak * np.exp(MAXIMAL_LOG_HARM - least_descent)

    def rate_per_day(self, time_day: ArrayLike, day_factor: ArrayLike, effect: ArrayLike) -> Floats:
        """The rate at these times, on days with this gamma factor, under this log multiplier."""
        cycles = self.circadian.factor(time_day) * self.multidien.factor(time_day)
        return self.base_rate_per_day * np.asarray(day_factor) * cycles * np.exp(effect)

    def least_effect(self, day: ArrayLike, time_day: ArrayLike, mark: ArrayLike) -> Floats:
        """The log multiplier above which a latent event at this time with this mark is a seizure.

        Thinning calls it one when mark * bound < rate. Base rate and gamma factor cancel, and what
        is left is a level that the effect must exceed: one number per event, alike in every arm.
        """
        above_day = self.multidien.descent(time_day) - self.multidien.least_descent(day)
        return MAXIMAL_LOG_HARM + np.log(mark) + self.circadian.descent(time_day) + above_day


@dataclass(frozen=True, slots=True, kw_only=True)
class DiaryHabits:
    """How a patient keeps a diary: which seizures are written, and which days are missed."""

    writing_probability: float
    missing_probability: float

    def __post_init__(self) -> None:
        check_range("writing_probability", self.writing_probability, lowest=0, highest=1)
        check_range("missing_probability", self.missing_probability, lowest=0, highest=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Everything that is hidden in one patient."""

    background: Background
    response: SteadyResponse
    tolerance: Tolerance
    diary: DiaryHabits


def effect_after(effect: float, target: float, response: SteadyResponse, days: ArrayLike) -> Floats:
    """The log multiplier this many days after it was `effect`, while relaxing towards `target`.

    A benefit that builds up washes in; one that fades is carried over. Which of the two it is
    depends only on the side from which the target is approached, which never changes on the way:
    two epochs of one setting are therefore one long epoch.
    """
    time_constant = response.wash_in_days if target < effect else response.carry_over_days
    return target + (effect - target) * np.exp(-np.asarray(days) / time_constant)
