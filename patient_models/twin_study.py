"""What a twin is searched among: patients who live the days of a diary with its settings."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from patient_models.arrays import Booleans, Counts, Floats
from patient_models.cohort import Cohort
from patient_models.cohort_engine import advance
from patient_models.device_check import Device
from patient_models.distributions import Beta
from patient_models.enrolment import Enrolment
from patient_models.law import Carried, Parameters
from patient_models.model import DeviceState, State
from patient_models.population import Population, Trait, columns_of, row_of, uniforms_of
from patient_models.randomness import Purpose, uniforms
from patient_models.seen import Seen
from protocols import Setting

MISSING_DRAW = 1 << 20
"""The address of the chance of missing a day, beyond those of proposals."""


@dataclass(frozen=True, slots=True)
class PastSetting:
    """A setting that was delivered for so many days; those of a diary follow each other."""

    setting: Setting
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """All that a search is about but the counts: intervals, settings, and whom to draw from."""

    first_day: tuple[int, ...]
    n_days: tuple[int, ...]
    schedule: tuple[PastSetting, ...]
    n_sites: int
    seed: int
    population: Population
    enrolment: Enrolment

    @property
    def days(self) -> int:
        """The days of the diary."""
        return self.first_day[-1] + self.n_days[-1]

    @property
    def breaks(self) -> tuple[int, ...]:
        """The days on which the setting changed."""
        ends = np.cumsum([each.days for each in self.schedule])
        return tuple(int(day) for day in ends[:-1])

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Each setting but off that was delivered, once."""
        return tuple({each.setting: None for each in self.schedule if not each.setting.is_off})

    def seen(self, counts: Counts) -> Seen:
        """Counts, `K`, in the intervals of the diary."""
        return Seen(first_day=np.array(self.first_day), n_days=np.array(self.n_days), counts=counts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patients:
    """N simulated patients: where their traits lie, and the numbers that address their luck."""

    numbers: Counts
    uniform: dict[Trait, Floats]

    @classmethod
    def of_population(cls, study: Study, n: int) -> Self:
        """The first patients of the study's seed."""
        return cls(numbers=np.arange(n), uniform=uniforms_of(study.seed, range(n), study.n_sites))

    def rows(self, index: Counts | int) -> Self:
        """These patients, or the first so many."""
        if isinstance(index, int):
            index = np.arange(index)
        uniform = {trait: each[index] for trait, each in self.uniform.items()}
        return replace(self, numbers=self.numbers[index], uniform=uniform)

    def with_rows(self, is_other: Booleans, others: Self) -> Self:
        """The same with `others` in the places where they are meant, `N`."""
        uniform = {
            trait: np.where(is_other[:, None], others.uniform[trait], each)
            for trait, each in self.uniform.items()
        }
        numbers = np.where(is_other, others.numbers, self.numbers)
        return replace(self, numbers=numbers, uniform=uniform)

    def parameters(self, study: Study) -> Parameters:
        """Their hidden parameters as columns; no day goes missing and nobody leaves."""
        columns = columns_of(study.population, self.uniform, study.enrolment)
        nothing = np.zeros(len(self.numbers))
        diary = replace(columns.diary, missing_probability=nothing, dropout_day=None)
        return replace(columns, diary=diary)

    def lived(self, study: Study, more_days: int = 0) -> tuple[Cohort, Counts, Counts]:
        """Their lives through the diary: who they are then, its counts `N K`, and days after it.

        The third, `N more_days`, is what they write afterwards with the last setting going on.
        """
        cohort = Cohort.begin(
            self.parameters(study), seed=study.seed, patients=self.numbers.tolist()
        )
        written = []
        for each in study.schedule:
            cohort, lives = advance(cohort, each.setting, each.days)
            written.append(lives.written)
        before = study.seen(np.zeros(len(study.n_days), dtype=np.int64))
        counts = before.of_lives(np.concatenate(written, axis=1))
        if not more_days:
            return cohort, counts, np.zeros((len(counts), 0), dtype=np.int64)
        _, later = advance(cohort, study.schedule[-1].setting, more_days)
        return cohort, counts, later.written.astype(np.int64)


def states_of_twin(
    study: Study, patients: Patients, device: Device, n_missing: int | None
) -> tuple[State, ...]:
    """These patients at the end of the diary, as the event engine takes them.

    How often a day is missed is drawn from what the diary's missing days leave of the population's
    distribution, or from that itself when nothing was seen.
    """
    cohort, _, _ = patients.lived(study)
    diary = replace(
        cohort.parameters.diary, missing_probability=_missing(study, patients, n_missing)
    )
    parameters = replace(cohort.parameters, diary=diary)
    carried = cohort.carried
    later: list[list[tuple[float, bool]]] = [[] for _ in patients.numbers]
    pending = cohort.pending
    for row, time_day, is_noted in zip(
        pending.row.tolist(), pending.time_day.tolist(), pending.is_noted.tolist(), strict=True
    ):
        later[row].append((time_day, is_noted))
    return tuple(
        State(
            patient=int(number),
            seed=study.seed,
            parameters=row_of(parameters, row),
            day=study.days,
            carried=Carried(
                high=float(np.asarray(carried.high)[row]),
                low=float(np.asarray(carried.low)[row]),
                progress=float(np.asarray(carried.progress)[row]),
                habituated=float(np.asarray(carried.habituated)[row]),
            ),
            pending=tuple(sorted(later[row])),
            setting=study.schedule[-1].setting,
            device=DeviceState(device=device),
        )
        for row, number in enumerate(patients.numbers)
    )


def _missing(study: Study, patients: Patients, n_missing: int | None) -> Floats:
    """The chance of missing a day: a Beta prior meets a binomial, so that the rest is exact."""
    prior = study.population.missing_probability
    uniform = uniforms(study.seed, patients.numbers, 0, Purpose.TWIN, MISSING_DRAW)
    if n_missing is None or not isinstance(prior, Beta) or (prior.lowest, prior.highest) != (0, 1):
        return prior.quantile(uniform)
    n_recorded = study.days - n_missing
    return replace(prior, a=prior.a + n_missing, b=prior.b + n_recorded).quantile(uniform)
