"""What a study will cost, measured on a few of its people beforehand."""

import time
from dataclasses import dataclass

from neurostim.power.pool import pooled
from neurostim.power.study import PEOPLE_PER_PIECE, Study
from neurostim.power.verdicts import verdicts
from neurostim.trial import one_torch_thread

FEW = 16
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of a whole study, when no error stops it earlier; memory is that of the rows of a piece.

    `most_minutes` is with every exact test of shares computed anew; those that were met before are
    remembered, and `minutes` is with all of them remembered.
    """

    n_replicates: int
    n_patients: int
    patient_years: float
    minutes: float
    most_minutes: float
    memory_mb: float


def cost_of(study: Study) -> Cost:
    """Measure each scenario on two replicates of a few people, and multiply."""
    largest = study.sizes[-1]
    few = min(FEW, largest)
    seconds, exact_seconds, n_bytes, years, n_patients = 0.0, 0.0, 0.0, 0.0, 0
    replicates = range(study.first_replicate, study.first_replicate + 2)
    with one_torch_thread():
        for scenario in study.scenarios:
            n_arms = len(scenario.arms)
            pooled(scenario, replicates[:1], few)  # what is only loaded once
            began = time.perf_counter()
            pool = pooled(scenario, replicates, few)
            lived = time.perf_counter()
            verdicts(scenario, pool, replicates, (few,))
            tested = time.perf_counter()
            people = n_arms * largest * study.n_replicates
            seconds += (lived - began) / (2 * few * n_arms) * people
            verdicts(scenario, pool, replicates, (few,))
            again = time.perf_counter() - tested
            n_tested = study.n_replicates * len(study.sizes)
            seconds += again / 2 * n_tested
            exact_seconds += max(0.0, tested - lived - again) / 2 * n_tested
            size = pool.epochs.memory_usage(deep=True).sum() / (2 * few * n_arms)
            n_bytes = max(n_bytes, size * n_arms * max(PEOPLE_PER_PIECE, largest))
            years += people * scenario.plan.design.schedule.treatment_end_day / DAYS_PER_YEAR
            n_patients += people if not scenario.is_paired else people // n_arms
    return Cost(
        n_replicates=study.n_replicates * len(study.scenarios),
        n_patients=n_patients,
        patient_years=years,
        minutes=seconds / 60,
        most_minutes=(seconds + exact_seconds) / 60,
        memory_mb=n_bytes / 1e6,
    )
