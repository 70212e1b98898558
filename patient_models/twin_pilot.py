"""What a diary tells, learned beforehand from patients of the population who kept one."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from patient_models.arrays import Counts, Floats
from patient_models.doses import doses_of
from patient_models.law import Parameters
from patient_models.seen import features
from patient_models.twin_study import Patients, Study

AHEAD_DAYS = (28, 84, 364)
"""Over so many days ahead a diary should tell what will be written."""

RIDGE = 1e-3
NEAR_SHARE = 0.2
LEAST_NEAR = 400


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pilot:
    """Patients of the population, the counts they wrote, and what a diary should tell of them.

    `counts` are `N K`, `targets` `N T`: traits, and the logs of what is written afterwards.
    """

    study: Study
    patients: Patients
    counts: Counts
    traits: dict[str, Floats]
    targets: Floats

    @classmethod
    def lived(cls, study: Study, n: int) -> Self:
        """`n` patients through the days of a diary and the year after."""
        patients = Patients.of_population(study, n)
        cohort, counts, later = patients.lived(study, max(AHEAD_DAYS))
        traits = traits_of(cohort.parameters, study)
        ahead = [np.log(later[:, :days].sum(1) + 0.5) for days in AHEAD_DAYS]
        targets = np.stack([*traits.values(), *ahead], axis=1)
        return cls(study=study, patients=patients, counts=counts, traits=traits, targets=targets)

    def near(self, counts: Counts) -> "Telling":
        """What counts like these, `K`, tell: learned from all, then from those who are near."""
        rough = Telling.learned(self, np.arange(len(self.counts)))
        distances = rough.distances(self.counts, counts)
        n_near = min(len(distances), max(LEAST_NEAR, int(NEAR_SHARE * len(distances))))
        return Telling.learned(self, np.argsort(distances, kind="stable")[:n_near])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Telling:
    """Predictions of the targets from counts by ridge regression, and the SD that each leaves."""

    pilot: Pilot
    centre: Floats
    scale: Floats
    weights: Floats
    left_sd: Floats

    @classmethod
    def learned(cls, pilot: Pilot, rows: Counts) -> Self:
        """Learned from these rows of the pilot."""
        raw = features(pilot.study.seen(pilot.counts[0]), pilot.counts[rows], pilot.study.breaks)
        targets = pilot.targets[rows]
        telling = cls(
            pilot=pilot,
            centre=raw.mean(0),
            scale=raw.std(0) + 1e-9,
            weights=np.empty(0),
            left_sd=np.empty(0),
        )
        x = telling.expanded(raw)
        penalty = RIDGE * len(x) * np.eye(x.shape[1])
        penalty[0, 0] = 0
        weights = np.asarray(np.linalg.solve(x.T @ x + penalty, x.T @ targets), dtype=np.float64)
        left_sd = (targets - x @ weights).std(0)
        return replace(telling, weights=weights, left_sd=left_sd)

    def expanded(self, raw: Floats) -> Floats:
        """One, the standardised features and their squares; far ones are drawn in."""
        z = np.clip((raw - self.centre) / self.scale, -5, 5)
        return np.concatenate((np.ones((len(z), 1)), z, np.square(z) - 1), axis=1)

    def predicted(self, counts: Counts) -> Floats:
        """What each row of counts, `N K`, leads to expect of the targets, in SDs left: `N T`."""
        study = self.pilot.study
        raw = features(study.seen(counts[0]), counts, study.breaks)
        return np.asarray(self.expanded(raw) @ self.weights / self.left_sd)

    def distances(self, counts: Counts, wanted: Counts) -> Floats:
        """How far each row of counts is from those wanted, `K`: a root mean square over targets."""
        gap = self.predicted(counts) - self.predicted(wanted[None])
        return np.asarray(np.sqrt(np.square(gap).mean(1)))


def traits_of(parameters: Parameters, study: Study) -> dict[str, Floats]:
    """What a diary can teach about patients, by name: numbers whose distribution is no oddity."""
    background = parameters.background
    writing = np.asarray(parameters.diary.writing_probability)
    traits = {
        "log of the written rate per day": np.log(background.base_rate_per_day * writing),
        "log SD from day to day": np.asarray(background.fast_log_sd),
        "log SD from month to month": np.asarray(background.slow_log_sd),
        "chance of another seizure in a chain": np.asarray(background.chain_probability),
        "strength of the multidien cycle": np.asarray(background.multidien.strength),
    }
    if study.settings:
        for setting in study.settings:
            doses = doses_of((setting,) * len(writing))
            steady = parameters.response.steady(doses)
            traits[f"log effect of {setting}"] = np.asarray(steady.log_multiplier)
    return traits
