"""Our own patients as cohorts: the trials are those of the shipped designs."""

import numpy as np
import pytest

from neurostim.validation.simulated import simulated_cohorts
from protocols import InputError

COHORTS = simulated_cohorts("clinical")


def test_a_community_is_the_same_in_any_size_and_has_times_on_demand() -> None:
    small = COHORTS.community(5, 100, seed=3, with_times=True)
    large = COHORTS.community(12, 100, seed=3)
    np.testing.assert_array_equal(small.counts, large.counts[:5])
    row, time_day = small.times()
    assert len(row) == small.counts.sum()
    assert time_day.max() < 100
    assert large.row is None


def test_expectation_changes_nothing_before_it_begins() -> None:
    usual = COHORTS.community(50, 140, seed=3)
    placebo = COHORTS.community(50, 140, seed=3, expectation_day=56)
    np.testing.assert_array_equal(usual.counts[:, :56], placebo.counts[:, :56])
    assert (usual.counts[:, 56:] != placebo.counts[:, 56:]).any()


@pytest.mark.parametrize(
    ("name", "n", "blinded"),
    [
        ("sante", 109, (112, 196)),
        ("rns", 191, (140, 224)),
        ("vns-e03", 114, (98, 182)),
        ("vns-e05", 199, (98, 182)),
    ],
)
def test_a_trial_is_that_of_its_design(name, n, blinded):
    trial = COHORTS.trial(name, n_replicates=2, seed=5)
    assert trial.n_per_replicate == n
    assert trial.n_replicates == 2
    assert (trial.blinded_start_day, trial.blinded_end_day) == blinded
    assert trial.diaries.n_days == blinded[1]
    least = {"sante": 6, "rns": 3, "vns-e03": 6, "vns-e05": 6}[name]
    assert (28 * trial.diaries.rates(0, 84) >= least).all()
    assert abs(trial.arm.mean() - 0.5) < 0.01


def test_open_label_years_go_on_where_the_blinded_months_ended() -> None:
    short = COHORTS.trial("sante", n_replicates=1, seed=5)
    long = COHORTS.trial("sante", n_replicates=1, seed=5, years=1)
    assert long.year_end_days == (112 + 365,)
    assert long.diaries.n_days == 112 + 365
    np.testing.assert_array_equal(long.diaries.counts[:, :196], short.diaries.counts)


def test_a_family_without_a_population_is_one_sentence() -> None:
    with pytest.raises(InputError, match="family = 'mechanistic': one of clinical, null"):
        simulated_cohorts("mechanistic")
