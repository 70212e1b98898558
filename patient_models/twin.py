"""A twin: virtual patients who would have written a diary like a person's, and live on from there.

The posterior over one patient's traits, given counts that were written, by approximate Bayesian
computation with sequential Monte Carlo (Del Moral, Doucet and Jasra 2012, Stat Comput 22:1009). The
law itself is lived through by the cohort engine, and no formula stands in for its likelihood: a
proposed patient is kept when what it writes, under the settings that were delivered, is within a
tolerance of what was written. Alike is judged by what the counts predict of the traits and of the
coming year, as regressed beforehand on patients of the population (Fearnhead and Prangle 2012, J R
Stat Soc B 74:419): one unit of distance is the SD that such a prediction leaves. Traits lie at
uniform numbers, so that in their normal scores the prior is standard normal, and proposals that
keep it (Cotter 2013, Stat Sci 28:424) need no density.

Research software, not a medical device: a twin is a set of simulated patients.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from patient_models.arrays import Counts, Floats
from patient_models.device_check import Device
from patient_models.enrolment import Enrolment
from patient_models.model import State
from patient_models.population import DRUG_RESISTANT, Population
from patient_models.randomness import Purpose, uniforms
from patient_models.seen import Seen
from patient_models.twin_pilot import Pilot, traits_of
from patient_models.twin_search import Search
from patient_models.twin_study import PastSetting, Study, states_of_twin
from protocols import OFF, InputError

Progress = Callable[[float], None]
"""Told which share of the work is done, 0 to 1."""

N_PILOT = 8_000
N_PARTICLES = 400
MOST_ROUNDS = 24
SHARE_OF_PILOT = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What a diary taught about one number: how the population has it, and what is left of that."""

    name: str
    prior_mean: float
    prior_sd: float
    mean: float
    sd: float

    @property
    def share(self) -> float:
        """The share of the population's variance that the diary explains, 0 to 1."""
        return max(0.0, 1 - (self.sd / self.prior_sd) ** 2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Twin:
    """N simulated patients, equally likely, each on the day after the diary ends.

    `fitted`, `N K`, are the counts that each of them wrote in the K intervals of the diary,
    `taught` what was learnt over the population, `tolerance` the largest distance that is left
    between them and the person, in SDs of what a diary leaves open.
    """

    seen: Seen
    particles: tuple[State, ...]
    population: tuple[State, ...]
    fitted: Counts
    taught: tuple[Taught, ...]
    tolerance: float

    def states(self, n: int, seed: int) -> tuple[State, ...]:
        """`n` of the particles, each taken as often as the others or once more."""
        return chosen(self.particles, n, seed)

    def population_states(self, n: int, seed: int) -> tuple[State, ...]:
        """As many of the population, who wrote something else: what is expected without a diary."""
        return chosen(self.population, n, seed)


def fit_twin(
    seen: Seen,
    past_settings: Sequence[PastSetting] = (),
    *,
    device: Device,
    seed: int,
    n_particles: int = N_PARTICLES,
    n_pilot: int = N_PILOT,
    population: Population = DRUG_RESISTANT,
    enrolment: Enrolment | None = None,
    progress: Progress | None = None,
) -> Twin:
    """The twin of a person who wrote this while these settings were delivered.

    Args:
        seen: what was written; days count from its first.
        past_settings: what was delivered on those days, in order; off from then on, and off
            throughout when left out.
        device: the device that the twin lives on with.
        seed: 0 to 2**64 - 1; the same seed gives the same twin.
        n_particles: how many simulated patients the twin is made of.
        n_pilot: how many patients of the population the distance is learned from.
        population: whom the person is thought to be one of.
        enrolment: where the lead is, and what is done and when, in the same days.
        progress: told how much is done.

    Raises `InputError` when the settings do not fit the diary, or the numbers are too small.

    """
    if not 2 <= n_particles <= n_pilot:
        raise InputError(
            f"n_particles = {n_particles}, n_pilot = {n_pilot}: 2 or more particles, and at least "
            "as many in the pilot, were expected"
        )
    tell = progress or (lambda share: None)
    study = Study(
        first_day=tuple(seen.first_day.tolist()),
        n_days=tuple(seen.n_days.tolist()),
        schedule=schedule_of(seen, past_settings),
        n_sites=device.n_sites,
        seed=seed,
        population=population,
        enrolment=enrolment or Enrolment(),
    )
    pilot = pilot_of(study, n_pilot)
    tell(SHARE_OF_PILOT)
    search = Search(study, pilot.near(seen.counts), seen.counts, n_particles)
    for number in range(MOST_ROUNDS):
        if search.is_over:
            break
        search.narrow()
        tell(SHARE_OF_PILOT + (1 - SHARE_OF_PILOT) * (number + 1) / MOST_ROUNDS)
    search.spread()
    tell(1.0)
    return Twin(
        seen=seen,
        particles=states_of_twin(study, search.patients, device, seen.n_missing),
        population=states_of_twin(study, pilot.patients.rows(n_particles), device, None),
        fitted=search.counts,
        taught=taught_by(pilot, search, study),
        tolerance=search.tolerance,
    )


def schedule_of(seen: Seen, past_settings: Sequence[PastSetting]) -> tuple[PastSetting, ...]:
    """The settings through the days of a diary; what is not told of is off."""
    total = sum(each.days for each in past_settings)
    if any(each.days < 1 for each in past_settings) or total > seen.days:
        raise InputError(
            f"past settings of {total} days: settings of one day or more each, and at most the "
            f"{seen.days} days of the diary together, were expected"
        )
    rest = (PastSetting(OFF, seen.days - total),) if total < seen.days else ()
    return (*past_settings, *rest)


@lru_cache(maxsize=2)
def pilot_of(study: Study, n_pilot: int) -> Pilot:
    """Patients of the population through the same days; diaries of one form need it once."""
    return Pilot.lived(study, n_pilot)


def taught_by(pilot: Pilot, search: Search, study: Study) -> tuple[Taught, ...]:
    """What each trait was thought to be, and what is left open."""
    before = pilot.traits
    after = traits_of(search.patients.parameters(study), study)
    return tuple(
        Taught(
            name=name,
            prior_mean=float(before[name].mean()),
            prior_sd=float(before[name].std()),
            mean=float(after[name].mean()),
            sd=float(after[name].std()),
        )
        for name in after
    )


def chosen(states: Sequence[State], n: int, seed: int) -> tuple[State, ...]:
    """`n` states in an order of chance, each as often as the others or once more."""
    order: Floats = uniforms(seed, np.arange(len(states)), 0, Purpose.TWIN)
    ranked = np.argsort(order)
    return tuple(states[ranked[place % len(ranked)]] for place in range(n))
