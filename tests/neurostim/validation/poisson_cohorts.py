"""Patients whose seizures know neither cycles nor clusters: the null of every measure."""

import numpy as np

from neurostim.validation.cohorts import TrialDiaries
from neurostim.validation.diaries import Diaries
from neurostim.validation.samples import Sizes

SMALL = Sizes(
    n_community=600,
    n_placebo=600,
    n_step=200,
    n_places=2,
    n_cycles=60,
    n_trials=4,
    n_long_trials=2,
)


def from_counts(counts, recorded=None, **times):
    counts = np.asarray(counts)
    recorded = np.ones(counts.shape, dtype=bool) if recorded is None else np.asarray(recorded)
    return Diaries(counts=counts, recorded=recorded, **times)


def from_times(lives, n_days):
    row = np.repeat(np.arange(len(lives)), [len(life) for life in lives])
    time_day = np.concatenate([np.sort(life) for life in lives])
    day = row * n_days + time_day.astype(int)
    counts = np.bincount(day, minlength=len(lives) * n_days).reshape(len(lives), n_days)
    return from_counts(counts, row=row, time_day=time_day)


SIDE_EFFECTS = ("voice alteration", "depression", "memory impairment")


class PoissonCohorts:
    """Log-normal rates with a median of 2.7 per 30 days; treatment removes 40 %, sham nothing."""

    def community(
        self,
        n,
        days,
        *,
        seed,
        with_times=False,
        expectation_day=None,
        written_rate_per_30_days=None,
    ):
        rates = 2.7 * np.exp(1.2 * np.random.default_rng([seed, 0]).standard_normal(n))
        if written_rate_per_30_days is not None:
            rates[:] = written_rate_per_30_days
        if not with_times:
            # A generator of its own for each patient: the same luck in any batch.
            luck = [np.random.default_rng([seed, 1, i]) for i in range(n)]
            rows = zip(luck, rates, strict=True)
            return from_counts([rng.poisson(rate / 30, days) for rng, rate in rows])
        rng = np.random.default_rng([seed, 2])
        return from_times([rng.uniform(0, days, rng.poisson(r * days / 30)) for r in rates], days)

    def trial(self, name, *, n_replicates, seed, years=0):
        n = 30 * n_replicates
        start, end = (140, 224) if name == "rns" else (112, 196)
        days = max(end, 112 + 365 * years)
        rng = np.random.default_rng([seed, 3])
        arm = np.arange(n) % 2
        rates = np.full((n, days), 15 / 28)
        rates[arm == 1, 112:] *= 0.6
        return TrialDiaries(
            diaries=from_counts(rng.poisson(rates)),
            arm=arm,
            n_per_replicate=30,
            baseline_days=84,
            blinded_start_day=start,
            blinded_end_day=end,
            year_end_days=tuple(112 + 365 * year for year in range(1, years + 1)),
            reporters={name: rng.random(n) < 0.1 * arm for name in SIDE_EFFECTS},
        )
