"""The law of one patient's seizures; `docs/law.md` tells it in words, with sources.

Seizures come in chains. The first of a chain, its parent, comes on day d at the rate

    base_rate / m * exp(L_d + E_d)

where m is the mean number of seizures of a chain, L_d the log intensity
of the day (memory, cycles, drift, remission), of which the exponential has mean 1 but for
remission, and E_d the log multiplier of that day due to surgery, expectation and stimulation. E_d
is at most `MAXIMAL_LOG_HARM`, so that thinning is exact. Each field may be a number, for one
patient, or a column with one row per patient: both engines use the same formulas.

Rescue medication, in those who have it, is taken at the third seizure of a chain: every later link
is that much less probable, so that chains are shorter and more of them make up the same rate.
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
from patient_models.side_effects import ADAPTATION_DAYS, Tolerance

MAXIMAL_PARENTS_PER_DAY = 300.0
"""Assumption: more chains than this on one day are status epilepticus, which is not simulated."""

TINY_PROBABILITY = 1e-300
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
N_BEFORE_RESCUE = 3
"""Assumption: the seizure of a chain at which rescue medication is taken."""

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
    rescue_factor: Number = 1.0

    def __post_init__(self) -> None:
        check_range("base_rate_per_day", self.base_rate_per_day, above=0)
        check_range("fast_log_sd", self.fast_log_sd, lowest=0)
        check_range("slow_log_sd", self.slow_log_sd, lowest=0)
        check_range("chain_probability", self.chain_probability, lowest=0, highest=0.9)
        check_range("rescue_factor", self.rescue_factor, above=0, highest=1)

    @property
    def seizures_per_chain(self) -> Number:
        """The mean length of a chain: the first three links are p, those after rescue p q.

        1 + p + p^2 + p^2 (p q) + p^2 (p q)^2 + ...
        """
        p, q = self.chain_probability, self.rescue_factor
        return 1 + p + p**2 / (1 - p * q)

    @property
    def parents_per_day(self) -> Number:
        """Chains per day in the long run."""
        return self.base_rate_per_day / self.seizures_per_chain

    @property
    def chain_shortening(self) -> Floats:
        """The share by which rescue shortens what of a chain comes after it; see `luck`."""
        log_chain = np.log(np.maximum(self.chain_probability, TINY_PROBABILITY))
        log_factor = np.log(self.rescue_factor)
        return np.asarray(log_factor / (log_chain + log_factor))

    @property
    def risk_sd(self) -> Floats:
        """The standard deviation of the slow and multidien parts of the log intensity."""
        variance = np.square(self.slow_log_sd) + np.square(self.multidien.strength) / 2
        return np.sqrt(variance + 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiaryHabits:
    """How a patient keeps a diary: which seizures are written, and which days are missed.

    `reporting_probability` is that of telling of a mild side effect; a moderate one is told unless
    it would be kept back twice, and from severe up the clinic always hears of it. From
    `dropout_day` on no day is recorded; None is never.
    """

    writing_probability: Number
    missing_probability: Number
    reporting_probability: Number = 1.0
    dropout_day: Number | None = None

    def __post_init__(self) -> None:
        check_range("writing_probability", self.writing_probability, lowest=0, highest=1)
        check_range("missing_probability", self.missing_probability, lowest=0, highest=1)
        check_range("reporting_probability", self.reporting_probability, lowest=0, highest=1)
        if self.dropout_day is not None:
            check_range("dropout_day", self.dropout_day, lowest=0)

    @property
    def reporting_by_grade(self) -> Floats:
        """The probability that a side effect is told of, by its grade from 0 up, the last axis."""
        mild = np.asarray(self.reporting_probability)
        never, always = np.zeros_like(mild), np.ones_like(mild)
        return np.stack([never, mild, 1 - (1 - mild) ** 2, always, always], axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is done to a patient beside stimulation, as log multipliers and the days they begin.

    A day of None means long ago or never. Medication changes at the midnights `medication_day`, in
    order, and each change multiplies the rate by exp of its `medication_log_jump` from then on; of
    columns of patients these are patients x changes.
    """

    placebo: Number
    implant: Number
    expectation_day: int | None = None
    implant_day: int | None = None
    medication_day: tuple[float, ...] | Floats = ()
    medication_log_jump: tuple[float, ...] | Floats = ()

    def __post_init__(self) -> None:
        check_range("placebo", self.placebo)
        check_range("implant", self.implant)
        days, jumps = np.asarray(self.medication_day), np.asarray(self.medication_log_jump)
        check_range("medication_day", days, lowest=0)
        check_range("medication_log_jump", jumps)
        if days.shape != jumps.shape or (np.diff(days) < 0).any():
            raise ValueError(
                f"medication_day = {self.medication_day}: days in order, with one of "
                f"medication_log_jump = {self.medication_log_jump} each, were expected"
            )

    def log_effect(self, time_day: ArrayLike) -> Floats:
        """The log multiplier of expectation, surgery and medication at these times."""
        time_day = np.asarray(time_day, dtype=np.float64)
        effect = self.placebo * self.expectation(time_day) + self.implant * self.healing(time_day)
        if len(self.medication_day):
            jumps = np.concatenate(([0.0], np.cumsum(self.medication_log_jump)))
            n_changes = np.searchsorted(self.medication_day, time_day, side="right")
            effect = effect + jumps[n_changes]
        return np.asarray(effect)

    def expectation(self, time_day: Floats) -> Floats:
        """The share of expectation that has built up, 0 before it begins."""
        if self.expectation_day is None:
            return np.zeros_like(time_day)
        return -np.expm1(-np.maximum(time_day - self.expectation_day, 0) / PLACEBO_DAYS)

    def healing(self, time_day: Floats) -> Floats:
        """The share that is left of the effect of surgery, 0 before it."""
        if self.implant_day is None:
            return np.zeros_like(time_day)
        since = time_day - self.implant_day
        return np.where(since > 0, np.exp(-np.maximum(since, 0) / IMPLANT_DAYS), 0.0)


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
    years-long growth that has been reached, `habituated` the load that has become a habit.
    """

    high: Number = 0.0
    low: Number = 0.0
    progress: Number = 0.0
    habituated: Number = 0.0


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
    carried: Carried, steady: Steady, load: Number, response: SteadyResponse, days: ArrayLike
) -> Carried:
    """What is carried this many days later under a setting with these steady levels and load."""
    growing, fading = response.wash_in_days, response.carry_over_days
    return Carried(
        high=relaxed(carried.high, steady.high, growing, fading, days),
        low=relaxed(carried.low, steady.low, growing, fading, days),
        progress=relaxed(carried.progress, steady.is_on, PROGRESSION_DAYS, FADING_DAYS, days),
        habituated=relaxed(carried.habituated, load, ADAPTATION_DAYS, ADAPTATION_DAYS, days),
    )
