"""A hidden side-effect surface beside the frozen reference population, for learned limits.

An epoch is two weeks. Each patient has at each site a threshold: the amplitude at which a
bothersome side effect comes on 1 % of days, as the clinical family calls unsafe. It is

    0.70 + site + person + person's site - slope * (log-frequency - 0.5), at least 0.25,

with 0.05, 0, -0.05, 0 for the four sites, N(0, 0.08) per person, N(0, 0.06) per site of a person,
and a slope of N(0.10, 0.04) per person: thresholds of one person agree, and high frequencies are
borne less well. The daily hazard rises by a factor e for each `width` of amplitude, uniform from
0.06 to 0.12 per person, so that a report is nearly certain in no epoch and possible in all: the
threshold is only seen through noise. All numbers are assumptions. The mean threshold was lowered
from 0.85 to 0.70 after first runs, so that without limits about one patient in five has an unsafe
evaluation, while the best safe settings still close 98 % of the gap; only the arm without limits
and the oracle were used for that, on patients of seed 5.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from neurostim.study.reference_population import N_SITES, SETTINGS, TRAIT, Floats, Ints, Patients
from patient_models.randomness import uniforms

EPOCH_DAYS = 14.0
UNSAFE_DAILY_PROBABILITY = 0.01
HAZARD_AT_THRESHOLD = -float(np.log1p(-UNSAFE_DAILY_PROBABILITY))
SITE_OFFSETS = np.array([0.05, 0.0, -0.05, 0.0])
LOWEST_THRESHOLD = 0.25
# Purposes of addressed randomness beside those of the reference population; its traits are few.
FELT, TOLD = 94, 95
FIRST_TRAIT = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class SideEffects:
    """What the patients of a reference population bear, and what they tell of it."""

    seed: int
    ids: Ints  # n
    threshold: Floats  # n x M, amplitudes
    width: Floats  # n, amplitude over which the hazard rises by a factor e
    falls_from_epoch: int | None = None
    fall: float = 0.0  # of all thresholds from that epoch on
    told_share: float = 1.0  # of epochs with a side effect, the others pass as free of it

    def daily_hazard(self, epoch: int) -> Floats:
        """Of a bothersome side effect at each setting, `n x M`; none at amplitude 0."""
        has_fallen = self.falls_from_epoch is not None and epoch >= self.falls_from_epoch
        threshold = self.threshold - (self.fall if has_fallen else 0.0)
        above = (SETTINGS[:, 0] - threshold) / self.width[:, None]
        return np.where(SETTINGS[:, 0] > 0, HAZARD_AT_THRESHOLD * np.exp(above), 0.0)

    def is_unsafe(self, epoch: int) -> np.ndarray:
        """Where a bothersome side effect is to be expected on more than 1 % of days, `n x M`."""
        return np.asarray(self.daily_hazard(epoch) > HAZARD_AT_THRESHOLD)

    def reports(self, index: Ints, epoch: int) -> np.ndarray:
        """Whether each patient told of one in this epoch at this setting, `n`."""
        hazard = EPOCH_DAYS * self.daily_hazard(epoch)[np.arange(len(index)), index]
        felt, told = (uniforms(self.seed, self.ids, epoch, each) for each in (FELT, TOLD))
        return np.asarray((felt < -np.expm1(-hazard)) & (told < self.told_share))

    def shifted(self, by: float) -> "SideEffects":
        """The same people, all of whose thresholds are so much lower."""
        return replace(self, threshold=self.threshold - by)


def side_effects_of(patients: Patients) -> SideEffects:
    """What these patients bear."""
    ids, seed = patients.ids, patients.seed

    def normal(first: int, columns: int) -> Floats:
        address = np.arange(first, first + columns)
        return np.asarray(ndtri(uniforms(seed, ids[:, None], 0, TRAIT, address)))

    person, sites, slope = normal(FIRST_TRAIT, 1), normal(FIRST_TRAIT + 1, N_SITES), normal(950, 1)
    width = 0.06 + 0.06 * uniforms(seed, ids, 0, TRAIT, 951)
    site, pitch = SETTINGS[:, 2].astype(int), SETTINGS[:, 1] - 0.5
    threshold = (
        0.70
        + (SITE_OFFSETS + 0.08 * person + 0.06 * sites)[:, site]
        - (0.10 + 0.04 * slope) * pitch
    )
    return SideEffects(
        seed=seed,
        ids=ids,
        threshold=np.maximum(threshold, LOWEST_THRESHOLD),
        width=width,
    )
