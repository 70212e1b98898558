"""What the table is measured on: each cohort is simulated once, when a row first asks for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neurostim.validation.clusters import Clusters, clusters
from neurostim.validation.cohorts import Cohorts, TrialDiaries, TrialName
from neurostim.validation.diaries import Diaries
from neurostim.validation.rhythms import (
    FEWEST_SEIZURES,
    Cycles,
    circadian_cycles,
    multidien_cycles,
)

YEAR_DAYS = 365
STEP_DAYS = 360
STEP = 1.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """How many patients, replicates and places."""

    n_community: int
    n_placebo: int
    n_step: int
    n_places: int
    n_cycles: int
    """Patients with enough seizures whose cycles are sought, at most."""
    n_trials: int
    n_long_trials: int
    """Replicates that go on into open-label years."""


QUICK = Sizes(
    n_community=4000,
    n_placebo=5000,
    n_step=1500,
    n_places=7,
    n_cycles=800,
    n_trials=40,
    n_long_trials=8,
)
FULL = Sizes(
    n_community=6000,
    n_placebo=12000,
    n_step=4000,
    n_places=12,
    n_cycles=1500,
    n_trials=200,
    n_long_trials=40,
)


class Samples:
    """The cohorts of one validation and the costly tests on them."""

    def __init__(self, cohorts: Cohorts, *, is_quick: bool, seed: int) -> None:
        self.cohorts = cohorts
        self.is_quick = is_quick
        self.seed = seed
        self.sizes = QUICK if is_quick else FULL

    def seed_of(self, name: str) -> int:
        """Return the seed of one cohort, so that no two share their luck."""
        return int(np.random.SeedSequence([self.seed, *name.encode()]).generate_state(1)[0])

    def rng_of(self, name: str) -> np.random.Generator:
        """Return the generator of one measure, so that no measure moves another's draws."""
        return np.random.default_rng([self.seed, *name.encode()])

    @cached_property
    def community(self) -> Diaries:
        """A year of the community, with times."""
        return self.cohorts.community(
            self.sizes.n_community, YEAR_DAYS, seed=self.seed_of("community"), with_times=True
        )

    @cached_property
    def placebo(self) -> Diaries:
        """The community in a drug trial's placebo arm: 56 days of baseline, 84 of test."""
        return self.cohorts.community(
            self.sizes.n_placebo, 140, seed=self.seed_of("placebo"), expectation_day=56
        )

    def places(self) -> Iterator[tuple[float, Diaries, Diaries]]:
        """Give each base rate with diaries at it, and the same people's at one 10 % higher."""
        for rate in np.geomspace(0.7, 90, self.sizes.n_places):
            before, after = (
                self.cohorts.community(
                    self.sizes.n_step,
                    STEP_DAYS,
                    seed=self.seed_of("step"),
                    written_rate_per_30_days=float(rate * factor),
                )
                for factor in (1.0, STEP)
            )
            yield float(rate), before, after

    @cached_property
    def circadian(self) -> Cycles:
        """The circadian cycles of those who wrote at least 100 seizures."""
        lives = self.community.lives(FEWEST_SEIZURES)[: self.sizes.n_cycles]
        return circadian_cycles(lives, self.rng_of("circadian"))

    @cached_property
    def multidien(self) -> Cycles:
        """The multidien cycles of those who wrote at least 100 seizures."""
        lives = self.community.lives(FEWEST_SEIZURES)[: self.sizes.n_cycles]
        return multidien_cycles(lives, YEAR_DAYS, self.rng_of("multidien"))

    @cached_property
    def clusters(self) -> Clusters:
        """The clusters of everyone in the community who wrote a seizure."""
        return clusters(self.community)

    @cached_property
    def sante(self) -> TrialDiaries:
        """Replicates of SANTE to the end of the blinded phase."""
        return self.trial("sante")

    @cached_property
    def rns(self) -> TrialDiaries:
        """Replicates of the RNS pivotal trial to the end of the blinded phase."""
        return self.trial("rns")

    @cached_property
    def long_sante(self) -> TrialDiaries:
        """Fewer replicates of SANTE, other patients, with five years of stimulation."""
        return self.trial("sante", years=5)

    @cached_property
    def long_rns(self) -> TrialDiaries:
        """Fewer replicates of the RNS pivotal trial, other patients, with two years."""
        return self.trial("rns", years=2)

    def trial(self, name: TrialName, years: int = 0) -> TrialDiaries:
        """Simulate replicates of a trial, with a seed of its own."""
        return self.cohorts.trial(
            name,
            n_replicates=self.sizes.n_long_trials if years else self.sizes.n_trials,
            seed=self.seed_of(f"{name} {years}"),
            years=years,
        )
