"""Who is treated: how the traits of patients are distributed, and the drawing of patients.

Patient i of a seed is the same whatever other patients are drawn: each trait has its own address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from patient_models.arrays import Floats
from patient_models.distributions import Beta, Distribution, LogNormal, Mixture, Uniform
from patient_models.law import Background, DiaryHabits, Parameters, Rhythm
from patient_models.randomness import Purpose, uniforms
from patient_models.ranges import check_range
from patient_models.response import FrequencyMode, Response
from patient_models.side_effects import Tolerance

LOWEST_RATE_PER_DAY, HIGHEST_RATE_PER_DAY = 1 / 365, 50.0
"""Assumption: true rates lie between one seizure a year and 50 a day, which bounds the work."""


class Trait(IntEnum):
    """The address of each trait, named as its field in `Population`; numbers never change."""

    WRITTEN_RATE_PER_DAY = 0
    DAY_SHAPE = 1
    CIRCADIAN_STRENGTH = 2
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
    THRESHOLD_UA = 17
    SATURATION_UA = 18
    HARM_MARGIN_UA = 19
    HARM_SCALE_UA = 20
    CHRONAXIE_US = 21
    WASH_IN_DAYS = 22
    CARRY_OVER_DAYS = 23
    TOLERANCE_UA = 24
    SITE_TOLERANCE = 25


SITE_TRAITS = (Trait.SITE_SHARE, Trait.SITE_TOLERANCE)
SITE_BITS = 8
"""Each trait has 2**8 draws: a trait that each site has on its own takes one for each site."""

UNIFORM = Uniform(lowest=0, highest=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Distributions of the traits of patients; every shape without a source is an assumption.

    `written_rate_per_day` is what a patient would write when off, if no day were missed; the true
    rate is that over the probability of writing. `Baselines` of real people are a distribution of
    it too.
    """

    written_rate_per_day: Distribution
    day_shape: Distribution
    circadian_strength: Distribution
    circadian_peak: Distribution
    multidien_strength: Distribution
    multidien_peak: Distribution
    multidien_period_days: Distribution
    writing_probability: Distribution
    missing_probability: Distribution
    efficacy: Distribution
    responding_share: float
    site_share: Distribution
    high_is_better_share: float
    low_centre_hz: Distribution
    high_centre_hz: Distribution
    low_width_octaves: float
    high_width_octaves: float
    worse_mode_weight: Distribution
    threshold_ua: Distribution
    saturation_ua: Distribution
    harm_margin_ua: Distribution
    harm_scale_ua: Distribution
    chronaxie_us: Distribution
    wash_in_days: Distribution
    carry_over_days: Distribution
    tolerance_ua: Distribution
    site_tolerance: Distribution

    def __post_init__(self) -> None:
        for name in ("responding_share", "high_is_better_share"):
            check_range(name, getattr(self, name), lowest=0, highest=1)
        for name in ("low_width_octaves", "high_width_octaves"):
            check_range(name, getattr(self, name), above=0)


DRUG_RESISTANT = Population(
    # Between the baselines of the RNS (10.2 per month, Morrell 2011, Neurology 77:1295) and SANTE
    # (19.5 per month, Fisher 2010, Epilepsia 51:899) trials.
    written_rate_per_day=LogNormal(median=14 / 28, log_sd=0.8, lowest=1 / 365, highest=20.0),
    # At 10 seizures per 30 days a shape of 0.5 adds 10 / (30 * 0.5) to a variance over mean of 1:
    # near the median of 1.75 that CHOCOLATES (Goldenholz and Westover 2023) takes from diaries.
    day_shape=LogNormal(median=0.5, log_sd=0.5, lowest=0.1, highest=5.0),
    # Most patients have a circadian cycle, of very different strengths (Karoly 2018, Lancet Neurol
    # 17:977); 0.7 is a mean resultant length of 0.33.
    circadian_strength=LogNormal(median=0.7, log_sd=0.5, lowest=0.0001, highest=2.0),
    circadian_peak=Uniform(lowest=0, highest=1),
    multidien_strength=LogNormal(median=0.5, log_sd=0.5, lowest=0.0001, highest=1.5),
    multidien_peak=Uniform(lowest=0, highest=1),
    # Modes near 7, 15, 20 and 30 days (Baud 2018, Nat Commun 9:88; Leguia 2021, JAMA Neurol
    # 78:454).
    multidien_period_days=Mixture(
        groups=(
            LogNormal(median=7, log_sd=0.08, lowest=4, highest=45),
            LogNormal(median=15, log_sd=0.08, lowest=4, highest=45),
            LogNormal(median=20, log_sd=0.1, lowest=4, highest=45),
            LogNormal(median=30, log_sd=0.1, lowest=4, highest=45),
        ),
        shares=(0.15, 0.15, 0.35, 0.35),
    ),
    # About half of all seizures are never written, from almost nobody's to everybody's (Hoppe 2007,
    # Arch Neurol 64:1595). The floor of 0.1 bounds the true rate at ten times the written one.
    writing_probability=Beta(a=1.3, b=1.5, lowest=0.1, highest=1),
    missing_probability=Beta(a=1, b=9, lowest=0, highest=1),
    # Tuned so that the best setting of the research envelope cuts the median patient's rate by 50
    # to 60 %, and the best fixed one closes about half of the gap; see tests/patient_models.
    efficacy=LogNormal(median=0.95, log_sd=0.35, lowest=0.1, highest=3.0),
    responding_share=0.95,
    site_share=Uniform(lowest=0, highest=0.9),
    # The better of 5 Hz and 145 Hz differs between patients; how often is an assumption.
    high_is_better_share=0.6,
    low_centre_hz=LogNormal(median=5, log_sd=0.3, lowest=2, highest=20),
    high_centre_hz=LogNormal(median=145, log_sd=0.15, lowest=60, highest=250),
    low_width_octaves=1.0,
    high_width_octaves=0.6,
    worse_mode_weight=Uniform(lowest=0.1, highest=0.9),
    threshold_ua=LogNormal(median=1500, log_sd=0.35, lowest=300, highest=5000),
    saturation_ua=LogNormal(median=800, log_sd=0.3, lowest=200, highest=3000),
    harm_margin_ua=LogNormal(median=3000, log_sd=0.4, lowest=1000, highest=10_000),
    harm_scale_ua=LogNormal(median=3200, log_sd=0.3, lowest=500, highest=8000),
    # Of the order of the chronaxies of myelinated axons (Ranck 1975, Brain Res 98:417).
    chronaxie_us=LogNormal(median=130, log_sd=0.3, lowest=30, highest=500),
    # Assumption until the response is fitted to the trials' months: changes take weeks to show.
    wash_in_days=LogNormal(median=7, log_sd=0.3, lowest=2, highest=30),
    carry_over_days=LogNormal(median=10, log_sd=0.3, lowest=2, highest=40),
    tolerance_ua=LogNormal(median=5500, log_sd=0.3, lowest=1500, highest=20_000),
    site_tolerance=LogNormal(median=1, log_sd=0.2, lowest=0.5, highest=2),
)
"""People who enter device trials."""


def draw(
    population: Population, seed: int, patients: Sequence[int], n_sites: int
) -> tuple[Parameters, ...]:
    """The hidden parameters of these patients, in their order, with `n_sites` sites each.

    Raises `ValueError` for an index outside 32 bits, or a number of sites outside 1 to 256.
    """
    if not 1 <= n_sites <= 1 << SITE_BITS:
        raise ValueError(f"n_sites = {n_sites}: 1 to {1 << SITE_BITS} was expected")
    if not patients:
        return ()
    values = shared_traits(population, seed, patients)
    site_share = population.site_share.quantile(luck(seed, patients, Trait.SITE_SHARE, n_sites))
    site_tolerance = population.site_tolerance.quantile(
        luck(seed, patients, Trait.SITE_TOLERANCE, n_sites)
    )
    return tuple(
        parameters_of(
            population,
            {trait: float(column[row]) for trait, column in values.items()},
            site_share[row],
            site_tolerance[row],
        )
        for row in range(len(patients))
    )


def luck(seed: int, patients: Sequence[int], trait: Trait, n_draws: int) -> Floats:
    """The uniform numbers behind one trait: patients x draws."""
    draws = (int(trait) << SITE_BITS) + np.arange(n_draws)
    return uniforms(seed, np.asarray(patients)[:, np.newaxis], 0, Purpose.TRAITS, draws)


def shared_traits(
    population: Population, seed: int, patients: Sequence[int]
) -> dict[Trait, Floats]:
    """Every trait that a patient has once, a column each; chances stay uniform."""
    columns = {}
    for trait in Trait:
        if trait not in SITE_TRAITS:
            uniform = luck(seed, patients, trait, 1)[:, 0]
            distribution = getattr(population, trait.name.lower(), UNIFORM)
            columns[trait] = distribution.quantile(uniform)
    return columns


def parameters_of(
    population: Population, values: dict[Trait, float], site_share: Floats, site_tolerance: Floats
) -> Parameters:
    """One patient's parameters from the values of their traits."""
    return Parameters(
        background=background_of(values),
        response=response_of(population, values, site_share),
        tolerance=Tolerance(
            site_ua=tuple((values[Trait.TOLERANCE_UA] * site_tolerance).tolist()),
            chronaxie_us=values[Trait.CHRONAXIE_US],
        ),
        diary=DiaryHabits(
            writing_probability=values[Trait.WRITING_PROBABILITY],
            missing_probability=values[Trait.MISSING_PROBABILITY],
        ),
    )


def background_of(values: dict[Trait, float]) -> Background:
    """How this patient's seizures come when nothing is stimulated."""
    true_rate_per_day = values[Trait.WRITTEN_RATE_PER_DAY] / values[Trait.WRITING_PROBABILITY]
    period_days = values[Trait.MULTIDIEN_PERIOD_DAYS]
    return Background(
        base_rate_per_day=min(max(true_rate_per_day, LOWEST_RATE_PER_DAY), HIGHEST_RATE_PER_DAY),
        day_shape=values[Trait.DAY_SHAPE],
        circadian=Rhythm(
            period_days=1.0,
            strength=values[Trait.CIRCADIAN_STRENGTH],
            peak_day=values[Trait.CIRCADIAN_PEAK],
        ),
        multidien=Rhythm(
            period_days=period_days,
            strength=values[Trait.MULTIDIEN_STRENGTH],
            peak_day=values[Trait.MULTIDIEN_PEAK] * period_days,
        ),
    )


def response_of(population: Population, values: dict[Trait, float], site_share: Floats) -> Response:
    """How this patient responds: the best site has the whole efficacy, any other its share."""
    responds = values[Trait.RESPONDING] < population.responding_share
    site_efficacy = values[Trait.EFFICACY] * site_share
    site_efficacy[int(values[Trait.BEST_SITE] * len(site_share))] = values[Trait.EFFICACY]
    high_is_better = values[Trait.HIGH_IS_BETTER] < population.high_is_better_share
    worse_weight = values[Trait.WORSE_MODE_WEIGHT]
    return Response(
        site_efficacy=tuple((site_efficacy * responds).tolist()),
        low_mode=FrequencyMode(
            centre_hz=values[Trait.LOW_CENTRE_HZ],
            width_octaves=population.low_width_octaves,
            weight=worse_weight if high_is_better else 1.0,
        ),
        high_mode=FrequencyMode(
            centre_hz=values[Trait.HIGH_CENTRE_HZ],
            width_octaves=population.high_width_octaves,
            weight=1.0 if high_is_better else worse_weight,
        ),
        threshold_ua=values[Trait.THRESHOLD_UA],
        saturation_ua=values[Trait.SATURATION_UA],
        harm_onset_ua=values[Trait.THRESHOLD_UA] + values[Trait.HARM_MARGIN_UA],
        harm_scale_ua=values[Trait.HARM_SCALE_UA],
        chronaxie_us=values[Trait.CHRONAXIE_US],
        wash_in_days=values[Trait.WASH_IN_DAYS],
        carry_over_days=values[Trait.CARRY_OVER_DAYS],
    )
