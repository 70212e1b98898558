"""Who is treated: how the traits of patients are distributed, and the drawing of patients.

Patient i of a seed is the same whatever other patients are drawn: each trait has its own address.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from scipy.special import expit

from patient_models.arrays import Floats
from patient_models.distributions import (
    Beta,
    Distribution,
    Exponential,
    LogitNormal,
    LogNormal,
    Mixture,
    Normal,
    Uniform,
)
from patient_models.doses import REFERENCE_PULSE_WIDTH_US
from patient_models.enrolment import Enrolment
from patient_models.hardware import YEAR_DAYS, Hardware
from patient_models.law import (
    WEEK_DAYS,
    Background,
    Course,
    DiaryHabits,
    Parameters,
    Rhythm,
    TimeOfDay,
)
from patient_models.randomness import Purpose, uniforms
from patient_models.ranges import check_range
from patient_models.response import FrequencyMode, Response
from patient_models.side_effects import Tolerance
from patient_models.targets import TARGETS

LOWEST_RATE_PER_DAY, HIGHEST_RATE_PER_DAY = 1 / 1000, 50.0
"""Assumption: true rates lie between one seizure in three years and 50 a day."""

REFERENCE_RATE_PER_DAY = 16 / 30
"""A unit: the true rate at which the variances below are stated."""

FAST_VARIANCE, FAST_EXPONENT = 1.4, 0.25
SLOW_VARIANCE, SLOW_EXPONENT = 0.07, 0.55
LARGEST_VARIANCE = 6.0
"""Squared coefficients of variation of the day-to-day and month-to-month factors, which fall with
the rate; fitted to the L-relationship (Goldenholz 2018, Ann Clin Transl Neurol 5:166) and to the
dispersion of diaries (CHOCOLATES, Goldenholz and Westover 2023, Epilepsia)."""

CHAIN_SLOPE, LARGEST_CHAIN_PROBABILITY = 0.9, 0.65
"""Clusters grow with the rate: fitted to the same line, and to the share of people with clusters
(Detyniecki 2010, Epilepsia 51:2544)."""


class Trait(IntEnum):
    """The address of each trait, named as its field in `Population`; numbers never change."""

    WRITTEN_RATE_PER_DAY = 0
    VARIABILITY = 1
    CIRCADIAN_CONCENTRATION = 2
    CIRCADIAN_PEAK = 3
    MULTIDIEN_STRENGTH = 4
    MULTIDIEN_PEAK = 5
    MULTIDIEN_PERIOD_DAYS = 6
    WRITING_PROBABILITY = 7
    MISSING_PROBABILITY = 8
    EFFICACY = 9
    RESPONDING = 10
    SITE_SHARE = 11
    BEST_SITE = 12
    LOW_CENTRE_HZ = 13
    HIGH_CENTRE_HZ = 14
    WORSE_MODE_WEIGHT = 15
    HIGH_IS_BETTER = 16
    THRESHOLD_SHARE = 17
    WELL_PLACED = 18
    HARM_ONSET = 19
    PLACEBO = 20
    CHRONAXIE_US = 21
    WASH_IN_DAYS = 22
    CARRY_OVER_DAYS = 23
    TOLERANCE_SHARE = 24
    SITE_TOLERANCE = 25
    IMPLANT = 26
    MULTIDIEN_PRESENT = 27
    WEEKLY_PRESENT = 28
    WEEKLY_STRENGTH = 29
    WEEKLY_PEAK = 30
    ANNUAL_PRESENT = 31
    ANNUAL_STRENGTH = 32
    ANNUAL_PEAK = 33
    CHAIN_TENDENCY = 34
    PROGRESSION = 35
    TOLERANT = 36
    SENSITIVITY = 37
    IMPEDANCE_OHM = 38
    ACUTE_SHARE = 39
    SETTLING_DAYS = 40
    DRIFT_PER_YEAR = 41
    FALSE_ALARMS_PER_DAY = 42
    RESCUE_PRESENT = 43
    MEDICATION_WAIT_DAYS = 44
    MEDICATION_LOG_JUMP = 45
    DROPOUT_WAIT_DAYS = 46
    ADAPTATION_SHARE = 47
    REPORTING_PROBABILITY = 48


SITE_TRAITS = (Trait.SITE_SHARE, Trait.SITE_TOLERANCE)
MEDICATION_TRAITS = (Trait.MEDICATION_WAIT_DAYS, Trait.MEDICATION_LOG_JUMP)
N_MEDICATION_CHANGES = 16
"""No patient has more changes than this, which come within 45 years in the mean."""

SITE_BITS = 8
"""Each trait has 2**8 draws: a trait that each site has on its own takes one for each site."""

UNIFORM = Uniform(lowest=0, highest=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Distributions of the traits of patients; every shape without a source is an assumption.

    `written_rate_per_day` is what a patient would write when off, if no day were missed; the true
    rate is that over the probability of writing. Thresholds and tolerances are shares of the
    target's nominal dose, and harm begins at a multiple of the threshold.
    """

    written_rate_per_day: Distribution
    variability: Distribution
    circadian_concentration: Distribution
    circadian_peak: Distribution
    multidien_share: float
    multidien_strength: Distribution
    multidien_peak: Distribution
    multidien_period_days: Distribution
    weekly_share: float
    weekly_strength: Distribution
    weekly_peak: Distribution
    annual_share: float
    annual_strength: Distribution
    annual_peak: Distribution
    chain_tendency: Distribution
    writing_probability: Distribution
    missing_probability: Distribution
    placebo: Distribution
    implant: Distribution
    efficacy: Distribution
    non_responding_share: float
    worse_share: float
    worse_efficacy: float
    well_placed_share: float
    misplaced_efficacy: float
    site_share: Distribution
    high_is_better_share: float
    low_centre_hz: Distribution
    low_width_octaves: float
    worse_mode_weight: Distribution
    threshold_share: Distribution
    saturation: float
    harm_onset: Distribution
    harm_scale: float
    chronaxie_us: Distribution
    wash_in_days: Distribution
    carry_over_days: Distribution
    progression: Distribution
    tolerant_share: float
    tolerant_progression: float
    sensitivity: Distribution
    tolerance_share: Distribution
    site_tolerance: Distribution
    impedance_ohm: Distribution
    acute_share: Distribution
    settling_days: Distribution
    drift_per_year: Distribution
    false_alarms_per_day: Distribution
    rescue_share: float
    rescue_factor: float
    medication_wait_days: Distribution
    medication_log_jump: Distribution
    dropout_wait_days: Distribution
    adaptation_share: Distribution
    reporting_probability: Distribution

    def __post_init__(self) -> None:
        for name in SHARES:
            check_range(name, getattr(self, name), lowest=0, highest=1)
        for name in ("low_width_octaves", "saturation", "harm_scale", "rescue_factor"):
            check_range(name, getattr(self, name), above=0)


SHARES = (
    "multidien_share",
    "weekly_share",
    "annual_share",
    "non_responding_share",
    "worse_share",
    "well_placed_share",
    "misplaced_efficacy",
    "high_is_better_share",
    "tolerant_share",
    "rescue_share",
    "rescue_factor",
)

COMMUNITY_RATE = LogNormal(median=2.80 / 30, log_sd=1.25, lowest=0.03 / 30, highest=20.0)
"""Everyone with a diary: fitted to a median of 2.7 per 30 days (Ferastraoaru 2018, Epilepsia Open
3:364) and to the share above 4."""

DRUG_RESISTANT = Population(
    # Between the baselines of the RNS (10.2 per month, Morrell 2011, Neurology 77:1295) and SANTE
    # (19.5 per month, Fisher 2010, Epilepsia 51:899) trials.
    written_rate_per_day=LogNormal(median=14 / 28, log_sd=0.8, lowest=1 / 365, highest=20.0),
    # How far both variances differ between patients of one rate: an assumption.
    variability=LogNormal(median=1, log_sd=0.25, lowest=0.1, highest=10),
    # 80 to 92 % of patients have a circadian cycle, of very different strengths (Karoly 2018,
    # Lancet Neurol 17:977; Leguia 2021, JAMA Neurol 78:454).
    circadian_concentration=LogitNormal(median=0.30, logit_sd=0.65, highest=0.75),
    circadian_peak=UNIFORM,
    # 60 % have a significant multidien cycle (Leguia 2021), and no test finds all; modes near 7,
    # 15, 20 and 30 days (Baud 2018, Nat Commun 9:88). Strengths are fitted to that share.
    multidien_share=0.75,
    multidien_strength=LogNormal(median=0.85, log_sd=0.35, lowest=0.0001, highest=1.6),
    multidien_peak=UNIFORM,
    multidien_period_days=Mixture(
        groups=(
            LogNormal(median=7, log_sd=0.09, lowest=4, highest=45),
            LogNormal(median=15, log_sd=0.09, lowest=4, highest=45),
            LogNormal(median=20, log_sd=0.09, lowest=4, highest=45),
            LogNormal(median=30, log_sd=0.09, lowest=4, highest=45),
        ),
        shares=(0.12, 0.15, 0.28, 0.45),
    ),
    # 7 to 39 % are called weekly, depending on the test (Karoly 2018).
    weekly_share=0.20,
    weekly_strength=LogNormal(median=0.25, log_sd=0.3, lowest=0.0001, highest=1.5),
    weekly_peak=UNIFORM,
    # 12 % have an annual cycle (Leguia 2021).
    annual_share=0.15,
    annual_strength=LogNormal(median=0.35, log_sd=0.3, lowest=0.0001, highest=1.5),
    annual_peak=UNIFORM,
    # The logit of the chance of another seizure in the chain; fitted to Detyniecki 2010.
    chain_tendency=Normal(mean=-0.45, sd=0.8),
    # About half of all seizures are never written, from almost nobody's to everybody's (Hoppe 2007,
    # Arch Neurol 64:1595). The floor of 0.1 bounds the true rate at ten times the written one.
    writing_probability=Beta(a=1.3, b=1.5, lowest=0.1, highest=1),
    missing_probability=Beta(a=1, b=19, lowest=0, highest=1),
    # Placebo and implant together are 5 to 10 points beside regression to the mean in SANTE's
    # control arm, and the dip after surgery in the sham arm of the RNS trial (Morrell 2011).
    placebo=Normal(mean=-0.05, sd=0.12),
    implant=Normal(mean=-0.40, sd=0.20),
    # One number for all trials, fitted to the active arms of SANTE and RNS together.
    efficacy=LogNormal(median=1.0, log_sd=0.5, lowest=0.1, highest=4.0),
    non_responding_share=0.10,
    worse_share=0.05,
    worse_efficacy=-0.25,
    # Well against badly placed leads differ by 10 to 25 points of median reduction.
    well_placed_share=0.75,
    misplaced_efficacy=0.35,
    site_share=Uniform(lowest=0, highest=0.9),
    # The better of 5 Hz and 145 Hz differs between patients; how often is an assumption.
    high_is_better_share=0.65,
    low_centre_hz=LogNormal(median=5, log_sd=0.1, lowest=2, highest=20),
    low_width_octaves=1.0,
    worse_mode_weight=Uniform(lowest=0.2, highest=0.9),
    threshold_share=LogNormal(median=0.55, log_sd=0.35, lowest=0.1, highest=2.0),
    saturation=0.5,
    harm_onset=LogNormal(median=3.5, log_sd=0.25, lowest=1.5, highest=10),
    harm_scale=2.0,
    # Of the order of the chronaxies of myelinated axons (Ranck 1975, Brain Res 98:417).
    chronaxie_us=LogNormal(median=130, log_sd=0.3, lowest=30, highest=500),
    # Changes of setting take weeks to show, and effects weeks to fade.
    wash_in_days=LogNormal(median=18, log_sd=0.3, lowest=5, highest=60),
    carry_over_days=LogNormal(median=25, log_sd=0.3, lowest=5, highest=90),
    # Benefit keeps growing from the blinded months to year 7 in both trials; a few habituate.
    progression=LogNormal(median=2.2, log_sd=0.4, lowest=0.2, highest=8.0),
    tolerant_share=0.10,
    tolerant_progression=-0.5,
    sensitivity=Beta(a=2, b=1.5, lowest=0.5, highest=1),
    tolerance_share=LogNormal(median=2.0, log_sd=0.3, lowest=0.5, highest=8),
    site_tolerance=LogNormal(median=1, log_sd=0.2, lowest=0.5, highest=2),
    # Contacts settle near 1 kOhm within months (Wong 2018, Tremor Other Hyperkinet Mov 8:542), and
    # most fall slowly over the years (Satzer 2014); the acute part is an assumption.
    impedance_ohm=LogNormal(median=1000, log_sd=0.25, lowest=400, highest=2500),
    acute_share=Uniform(lowest=-0.35, highest=0.10),
    settling_days=LogNormal(median=21, log_sd=0.5, lowest=5, highest=90),
    drift_per_year=Uniform(lowest=-0.23, highest=0.09),
    # Assumption: hundreds to 2,000 a day, mostly discharges between seizures.
    false_alarms_per_day=LogNormal(median=700, log_sd=0.8, lowest=20, highest=4000),
    # How many take it is an assumption. After intranasal midazolam 37 % had another seizure within
    # six hours, after placebo 58 % (Detyniecki 2019, Epilepsia 60:1797).
    rescue_share=0.30,
    rescue_factor=0.64,
    # Assumption: a change of drugs in three years in the mean. That it seldom helps, as third and
    # later regimens do (Chen 2018, JAMA Neurol 75:279), is known; by how much is an assumption.
    medication_wait_days=Exponential(mean=YEAR_DAYS / 0.35),
    medication_log_jump=Normal(mean=-0.05, sd=0.25),
    # Assumption: 5 % a year, which SANTE bounds: 110 were implanted and 75 left at 5 years
    # (Salanova 2015, Neurology 84:1017).
    dropout_wait_days=Exponential(mean=YEAR_DAYS / 0.05),
    # Voice alteration by the vagus fell from 62 % at 3 months to 55 % at a year and 19 % at 5 years
    # (Ben-Menachem 2015, Eur J Neurol 22:1260; also Morris and Mueller 1999); that a quarter of a
    # load is no longer felt is an assumption.
    adaptation_share=Beta(a=2, b=6, lowest=0, highest=1),
    # Assumption: half of all mild side effects are told of.
    reporting_probability=Beta(a=2, b=2, lowest=0, highest=1),
)
"""People who enter device trials."""


def draw(
    population: Population,
    seed: int,
    patients: Sequence[int],
    n_sites: int,
    enrolment: Enrolment | None = None,
) -> tuple[Parameters, ...]:
    """The hidden parameters of these patients, in their order, with `n_sites` sites each.

    Raises `ValueError` for an index outside 32 bits, or a number of sites outside 1 to 256.
    """
    if not patients:
        return ()
    columns = draw_columns(population, seed, patients, n_sites, enrolment)
    return tuple(row_of(columns, row) for row in range(len(patients)))


def draw_columns(
    population: Population,
    seed: int,
    patients: Sequence[int],
    n_sites: int,
    enrolment: Enrolment | None = None,
) -> Parameters:
    """The same as columns, one row per patient."""
    return columns_of(population, uniforms_of(seed, patients, n_sites), enrolment)


def uniforms_of(seed: int, patients: Sequence[int], n_sites: int) -> dict[Trait, Floats]:
    """The uniform numbers behind each trait of these patients: patients x draws."""
    if not 1 <= n_sites <= 1 << SITE_BITS:
        raise ValueError(f"n_sites = {n_sites}: 1 to {1 << SITE_BITS} was expected")
    return {trait: luck(seed, patients, trait, n_draws_of(trait, n_sites)) for trait in Trait}


def columns_of(
    population: Population, uniforms: Mapping[Trait, Floats], enrolment: Enrolment | None = None
) -> Parameters:
    """The patients whose traits lie at these uniform numbers, as `uniforms_of` gives them."""
    enrolment = enrolment or Enrolment()
    if enrolment.written_rate_per_day is not None:
        population = replace(population, written_rate_per_day=enrolment.written_rate_per_day)
    values: dict[Trait, Floats] = {
        trait: value_of(population, trait, uniform)
        for trait, uniform in uniforms.items()
        if trait is not Trait.HIGH_CENTRE_HZ
    }
    target = TARGETS[enrolment.target]
    values[Trait.HIGH_CENTRE_HZ] = target.high_centre_hz.quantile(
        uniforms[Trait.HIGH_CENTRE_HZ][:, 0]
    )
    return Parameters(
        background=background_of(population, values),
        response=response_of(population, values, enrolment),
        tolerance=Tolerance(
            site_ua=nominal_ua(values, enrolment)[:, np.newaxis]
            * values[Trait.TOLERANCE_SHARE][:, np.newaxis]
            * target.tolerance_factor
            * values[Trait.SITE_TOLERANCE],
            chronaxie_us=values[Trait.CHRONAXIE_US],
            adaptation_share=values[Trait.ADAPTATION_SHARE],
            target=enrolment.target,
        ),
        diary=DiaryHabits(
            writing_probability=values[Trait.WRITING_PROBABILITY],
            missing_probability=values[Trait.MISSING_PROBABILITY],
            reporting_probability=values[Trait.REPORTING_PROBABILITY],
            dropout_day=midnights(enrolment.attrition_from_day, values[Trait.DROPOUT_WAIT_DAYS]),
        ),
        course=course_of(values, enrolment),
        hardware=Hardware(
            impedance_ohm=values[Trait.IMPEDANCE_OHM],
            acute_share=values[Trait.ACUTE_SHARE],
            settling_days=values[Trait.SETTLING_DAYS],
            drift_per_year=values[Trait.DRIFT_PER_YEAR],
            false_alarms_per_day=values[Trait.FALSE_ALARMS_PER_DAY],
            implant_day=enrolment.implant_day,
        ),
    )


def course_of(values: dict[Trait, Floats], enrolment: Enrolment) -> Course:
    """What is done to these patients beside stimulation."""
    waits = np.cumsum(values[Trait.MEDICATION_WAIT_DAYS], axis=1)
    medication_day = midnights(enrolment.medication_from_day, waits)
    jumps = values[Trait.MEDICATION_LOG_JUMP]
    return Course(
        placebo=values[Trait.PLACEBO],
        implant=values[Trait.IMPLANT] * TARGETS[enrolment.target].implant_share,
        expectation_day=enrolment.expectation_day,
        implant_day=enrolment.implant_day,
        medication_day=() if medication_day is None else medication_day,
        medication_log_jump=() if medication_day is None else jumps,
    )


def midnights(from_day: int | None, wait_days: Floats) -> Floats | None:
    """The midnight that follows each wait from a day on; None where nothing is waited for."""
    return None if from_day is None else from_day + 1 + np.floor(wait_days)


def row_of(columns: Any, row: int) -> Any:
    """One row of columns of parameters, as plain numbers and tuples."""
    if isinstance(columns, np.ndarray):
        return columns[row].item() if columns.ndim == 1 else tuple(columns[row].tolist())
    if not is_dataclass(columns) or isinstance(columns, type):
        return columns
    parts = {each.name: row_of(getattr(columns, each.name), row) for each in fields(columns)}
    return type(columns)(**parts)


def luck(seed: int, patients: Sequence[int], trait: int, n_draws: int) -> Floats:
    """The uniform numbers behind one trait: patients x draws."""
    draws = (int(trait) << SITE_BITS) + np.arange(n_draws)
    rows = np.asarray(patients, dtype=np.int64)[:, np.newaxis]
    return uniforms(seed, rows, 0, Purpose.TRAITS, draws)


def value_of(population: Population, trait: Trait, uniform: Floats) -> Floats:
    """One trait at these numbers, a column for each draw if there are several; chances stay."""
    values: Floats = getattr(population, trait.name.lower(), UNIFORM).quantile(uniform)
    return values if trait in SITE_TRAITS + MEDICATION_TRAITS else values[:, 0]


def n_draws_of(trait: Trait, n_sites: int) -> int:
    """How many numbers a patient has of one trait."""
    if trait in MEDICATION_TRAITS:
        return N_MEDICATION_CHANGES
    return n_sites if trait in SITE_TRAITS else 1


def background_of(population: Population, values: dict[Trait, Floats]) -> Background:
    """How these patients' seizures come when nothing is stimulated."""
    rate_per_day = np.clip(
        values[Trait.WRITTEN_RATE_PER_DAY] / values[Trait.WRITING_PROBABILITY],
        LOWEST_RATE_PER_DAY,
        HIGHEST_RATE_PER_DAY,
    )
    relative_rate = rate_per_day / REFERENCE_RATE_PER_DAY
    period_days = values[Trait.MULTIDIEN_PERIOD_DAYS]
    logit = values[Trait.CHAIN_TENDENCY] + CHAIN_SLOPE * np.log(relative_rate)
    has_multidien = values[Trait.MULTIDIEN_PRESENT] < population.multidien_share
    has_weekly = values[Trait.WEEKLY_PRESENT] < population.weekly_share
    has_annual = values[Trait.ANNUAL_PRESENT] < population.annual_share
    has_rescue = values[Trait.RESCUE_PRESENT] < population.rescue_share
    every = np.ones_like(rate_per_day)
    return Background(
        base_rate_per_day=rate_per_day,
        fast_log_sd=log_sd(
            FAST_VARIANCE * relative_rate**-FAST_EXPONENT * values[Trait.VARIABILITY]
        ),
        slow_log_sd=log_sd(
            SLOW_VARIANCE * relative_rate**-SLOW_EXPONENT * values[Trait.VARIABILITY]
        ),
        time_of_day=TimeOfDay(
            concentration=values[Trait.CIRCADIAN_CONCENTRATION], peak=values[Trait.CIRCADIAN_PEAK]
        ),
        multidien=Rhythm(
            period_days=period_days,
            strength=values[Trait.MULTIDIEN_STRENGTH] * has_multidien,
            peak_day=values[Trait.MULTIDIEN_PEAK] * period_days,
        ),
        weekly=Rhythm(
            period_days=every * WEEK_DAYS,
            strength=values[Trait.WEEKLY_STRENGTH] * has_weekly,
            peak_day=values[Trait.WEEKLY_PEAK] * WEEK_DAYS,
        ),
        annual=Rhythm(
            period_days=every * YEAR_DAYS,
            strength=values[Trait.ANNUAL_STRENGTH] * has_annual,
            peak_day=values[Trait.ANNUAL_PEAK] * YEAR_DAYS,
        ),
        chain_probability=LARGEST_CHAIN_PROBABILITY * expit(logit),
        rescue_factor=np.where(has_rescue, population.rescue_factor, 1.0),
    )


def log_sd(variance: Floats) -> Floats:
    """The SD of a log-normal factor whose squared coefficient of variation saturates smoothly."""
    return np.sqrt(np.log1p(variance / (1 + variance / LARGEST_VARIANCE)))


def nominal_ua(values: dict[Trait, Floats], enrolment: Enrolment) -> Floats:
    """The target's nominal dose in each patient, as an equivalent amplitude, see `Doses`."""
    target = TARGETS[enrolment.target]
    chronaxie_us = values[Trait.CHRONAXIE_US]
    at_reference = 1 + chronaxie_us / REFERENCE_PULSE_WIDTH_US
    at_nominal = 1 + chronaxie_us / target.nominal_pulse_width_us
    return np.asarray(target.nominal_ua * at_reference / at_nominal)


def response_of(
    population: Population, values: dict[Trait, Floats], enrolment: Enrolment
) -> Response:
    """How these patients respond to stimulation."""
    target = TARGETS[enrolment.target]
    high_is_better = values[Trait.HIGH_IS_BETTER] < population.high_is_better_share
    worse_weight = values[Trait.WORSE_MODE_WEIGHT]
    threshold_ua = values[Trait.THRESHOLD_SHARE] * nominal_ua(values, enrolment)
    is_tolerant = values[Trait.TOLERANT] < population.tolerant_share
    every = np.ones_like(threshold_ua)
    return Response(
        site_efficacy=target.efficacy_share * site_efficacy(population, values),
        low_mode=FrequencyMode(
            centre_hz=values[Trait.LOW_CENTRE_HZ],
            width_octaves=every * population.low_width_octaves,
            weight=np.where(high_is_better, worse_weight, 1.0),
        ),
        high_mode=FrequencyMode(
            centre_hz=values[Trait.HIGH_CENTRE_HZ],
            width_octaves=every * target.high_width_octaves,
            weight=np.where(high_is_better, 1.0, worse_weight),
        ),
        threshold_ua=threshold_ua,
        saturation_ua=population.saturation * threshold_ua,
        harm_onset_ua=values[Trait.HARM_ONSET] * threshold_ua,
        harm_scale_ua=population.harm_scale * threshold_ua,
        chronaxie_us=values[Trait.CHRONAXIE_US],
        wash_in_days=values[Trait.WASH_IN_DAYS],
        carry_over_days=values[Trait.CARRY_OVER_DAYS],
        progression=np.where(
            is_tolerant, population.tolerant_progression, values[Trait.PROGRESSION]
        ),
        sensitivity=values[Trait.SENSITIVITY],
    )


def site_efficacy(population: Population, values: dict[Trait, Floats]) -> Floats:
    """What each site can do: patients x sites.

    Site 0 is where the lead was meant to act. In a well placed lead it is the best; in a misplaced
    one it does little, and one of the others, where there are any, is the best.
    """
    efficacy, chance = values[Trait.EFFICACY], values[Trait.RESPONDING]
    responds = chance >= population.non_responding_share
    is_worse = chance > 1 - population.worse_share
    efficacy = np.where(is_worse, population.worse_efficacy * efficacy, efficacy * responds)
    share = values[Trait.SITE_SHARE].copy()
    n_sites = share.shape[1]
    is_well_placed = values[Trait.WELL_PLACED] < population.well_placed_share
    if n_sites > 1:
        other = 1 + (values[Trait.BEST_SITE] * (n_sites - 1)).astype(np.int64)
        rows = np.arange(len(share))
        share[rows, other] = np.where(is_well_placed, share[rows, other], 1.0)
    share[:, 0] = np.where(is_well_placed, 1.0, population.misplaced_efficacy)
    return np.asarray(efficacy[:, np.newaxis] * share)
