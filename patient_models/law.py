"""The law of one patient's seizures; `docs/law.md` tells it in words, with sources.

Seizures come in chains. The first of a chain, its parent, comes on day d at the rate

    base_rate * (1 - p) * exp(L_d + E_d)

where p is the probability that a seizure is followed by another of its chain, L_d the log intensity
of the day (memory, cycles, drift, remission), of which the exponential has mean 1 but for
remission, and E_d the log multiplier of that day due to surgery, expectation and stimulation. E_d
is at most `MAXIMAL_LOG_HARM`, so that thinning is exact. Each field may be a number, for one
patient, or a column with one row per patient: both engines use the same formulas.
"""

from dataclasses import dataclass
from math import log, pi

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import i0e

from patient_models.arrays import Floats, Number
from patient_models.hardware import Hardware
from patient_models.ranges import check_range
from patient_models.response import MAXIMAL_LOG_HARM, Steady, SteadyResponse
from patient_models.side_effects import Tolerance

MAXIMAL_PARENTS_PER_DAY = 300.0
"""Assumption: more chains than this on one day are status epilepticus, which is not simulated."""

WEEK_DAYS = 7
FAST_DAYS = 0.5
"""Time constant of day-to-day memory: an assumption; counts correlate at lag 1 (Tharayil 2017)."""

SLOW_DAYS = 30.0
DRIFT_DAYS = 730.0
DRIFT_LOG_SD = 0.30
"""Assumptions: how far the level of a diary wanders within months and within years."""

PHASE_NOISE = 0.30
"""Assumption: a multidien cycle gains a random phase of this SD, in radians, per cycle."""

REMISSION_PER_YEAR = 0.05
"""Remission of drug-resistant epilepsy (Callaghan 2007, Ann Neurol 62:382; Choi 2008)."""

RELAPSE_PER_YEAR = 0.60
"""Most who remit relapse (Choi 2011, Epilepsia 52:1115); the rate itself is an assumption."""

LOG_REMISSION = log(0.02)
"""Assumption: what is left of the rate in remission."""

OFFSPRING_DAYS = 0.25
"""Assumption: the mean time to the next seizure of a chain, 6 hours."""

MAXIMAL_CHAIN = 40
PLACEBO_DAYS = 14.0
IMPLANT_DAYS = 60.0
"""Assumptions: how fast expectation builds up, and the effect of surgery fades."""

PROGRESSION_DAYS = 1100.0
FADING_DAYS = 120.0
"""Assumptions: benefit goes on growing over years on, and that growth is lost in months off."""

RISK_TILT = 0.30
"""Assumption: how much more the low mode does in a high-risk state, and the high mode in a low."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """One cycle of the rate: exp(strength * cos(phase)) over its mean, I0(strength)."""

    period_days: Number
    strength: Number
    peak_day: Number

    def __post_init__(self) -> None:
        check_range("period_days", self.period_days, above=0)
        check_range("strength", self.strength, lowest=0)
        check_range("peak_day", self.peak_day)

    def log_factor(self, time_day: ArrayLike, phase: ArrayLike = 0.0) -> Floats:
        """The log of what the rate is multiplied by; `phase` is what the cycle has gained, rad."""
        angle = 2 * pi / self.period_days * (np.asarray(time_day) - self.peak_day)
        return np.asarray(self.strength * np.cos(angle + np.asarray(phase)) - self.log_mean)

    @property
    def log_mean(self) -> Floats:
        """The log of I0(strength), written so that nothing overflows."""
        return np.asarray(np.log(i0e(self.strength)) + self.strength)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOfDay:
    """When within a day parents come: wrapped Cauchy of this mean resultant length."""

    concentration: Number
    peak: Number

    def __post_init__(self) -> None:
        check_range("concentration", self.concentration, lowest=0, highest=0.99)
        check_range("peak", self.peak, lowest=0, highest=1)

    def quantile(self, uniform: Floats) -> Floats:
        """The time of day for each uniform number, 0 to 1, once around from half a day off."""
        narrowing = (1 - self.concentration) / (1 + self.concentration)
        angle = 2 * np.arctan(narrowing * np.tan(pi * (uniform - 0.5)))
        time_of_day = (self.peak + angle / (2 * pi)) % 1.0
        return np.where(time_of_day < 1, time_of_day, 0.0)  # a tiny negative rounds up to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """How seizures come when nothing is done about them."""

    base_rate_per_day: Number
    fast_log_sd: Number
    slow_log_sd: Number
    time_of_day: TimeOfDay
    multidien: Rhythm
    weekly: Rhythm
    annual: Rhythm
    chain_probability: Number

    def __post_init__(self) -> None:
        check_range("base_rate_per_day", self.base_rate_per_day, above=0)
        check_range("fast_log_sd", self.fast_log_sd, lowest=0)
        check_range("slow_log_sd", self.slow_log_sd, lowest=0)
        check_range("chain_probability", self.chain_probability, lowest=0, highest=0.9)

    @property
    def parents_per_day(self) -> Number:
        """Chains per day in the long run: each has 1 / (1 - p) seizures in the mean."""
        return self.base_rate_per_day * (1 - self.chain_probability)

    @property
    def risk_sd(self) -> Floats:
        """The standard deviation of the slow and multidien parts of the log intensity."""
        variance = np.square(self.slow_log_sd) + np.square(self.multidien.strength) / 2
        return np.sqrt(variance + 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiaryHabits:
    """How a patient keeps a diary: which seizures are written, and which days are missed."""

    writing_probability: Number
    missing_probability: Number

    def __post_init__(self) -> None:
        check_range("writing_probability", self.writing_probability, lowest=0, highest=1)
        check_range("missing_probability", self.missing_probability, lowest=0, highest=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is done to a patient beside stimulation, as log multipliers and the days they begin.

    A day of None means long ago or never.
    """

    placebo: Number
    implant: Number
    expectation_day: int | None = None
    implant_day: int | None = None

    def __post_init__(self) -> None:
        check_range("placebo", self.placebo)
        check_range("implant", self.implant)

    def log_effect(self, time_day: ArrayLike) -> Floats:
        """The log multiplier of expectation and surgery at these times."""
        time_day = np.asarray(time_day, dtype=np.float64)
        effect = np.zeros_like(time_day)
        if self.expectation_day is not None:
            since = np.maximum(time_day - self.expectation_day, 0)
            effect = effect - self.placebo * np.expm1(-since / PLACEBO_DAYS)
        if self.implant_day is not None:
            since = time_day - self.implant_day
            fading = np.exp(-np.maximum(since, 0) / IMPLANT_DAYS)
            effect = effect + np.where(since > 0, self.implant * fading, 0.0)
        return effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Everything that is hidden in one patient, or in each row of columns of patients."""

    background: Background
    response: SteadyResponse
    tolerance: Tolerance
    diary: DiaryHabits
    course: Course
    hardware: Hardware


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What stimulation so far leaves in a patient at midnight.

    `high` and `low` are the log reductions that each mode has built up, `progress` the share of the
    years-long growth that has been reached.
    """

    high: Number = 0.0
    low: Number = 0.0
    progress: Number = 0.0


def relaxed(
    value: Number, target: ArrayLike, growing: Number, fading: Number, days: ArrayLike
) -> Floats:
    """A value this many days later, on its way to `target` with one of two time constants.

    Which one depends only on the side from which the target is approached, and that never changes
    on the way: two epochs of one setting are therefore one long epoch.
    """
    target = np.asarray(target, dtype=np.float64)
    is_growing = np.sign(target) * (target - value) > 0
    time_constant = np.where(is_growing, growing, fading)
    return np.asarray(target + (value - target) * np.exp(-np.asarray(days) / time_constant))


def log_multiplier(
    carried: Carried, harm: Number, progression: Number, risk: Floats, other: Floats
) -> Floats:
    """The log multiplier E of each day; `risk` is the state of risk in SDs, `other` the course."""
    tilt = RISK_TILT * np.tanh(risk)
    benefit = carried.high * (1 - tilt) + carried.low * (1 + tilt)
    grown = np.where(benefit > 0, benefit * (1 + progression * carried.progress), benefit)
    return np.minimum(other - grown + harm, MAXIMAL_LOG_HARM)


def carried_after(
    carried: Carried, steady: Steady, response: SteadyResponse, days: ArrayLike
) -> Carried:
    """What is carried this many days later under a setting with these steady levels."""
    growing, fading = response.wash_in_days, response.carry_over_days
    return Carried(
        high=relaxed(carried.high, steady.high, growing, fading, days),
        low=relaxed(carried.low, steady.low, growing, fading, days),
        progress=relaxed(carried.progress, steady.is_on, PROGRESSION_DAYS, FADING_DAYS, days),
    )
