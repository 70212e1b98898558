"""Our own patients as cohorts: the trials are those of the shipped designs."""

import numpy as np
import pytest

from neurostim.plan import make_plan
from neurostim.validation.simulated import simulated_cohorts
from protocols import InputError
from protocols.design import load_design

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


@pytest.mark.parametrize(
    ("name", "day"), [("sante", 196), ("rns", 224), ("vns-e03", 182), ("vns-e05", 182)]
)
def test_drugs_change_and_people_leave_from_the_end_of_the_blinded_phase_on(name, day) -> None:
    plan = make_plan(load_design(name, {"population.n_patients": 1}), seed=1, compute="cpu")
    assert plan.enrolment.medication_from_day == plan.enrolment.attrition_from_day == day
    closed = {"schedule.open_label_days": 0, "schedule.open_label_arm": None}
    plan = make_plan(
        load_design(name, {"population.n_patients": 1} | closed), seed=1, compute="cpu"
    )
    assert plan.enrolment.medication_from_day is plan.enrolment.attrition_from_day is None


def test_open_label_years_go_on_where_the_blinded_months_ended() -> None:
    short = COHORTS.trial("sante", n_replicates=1, seed=5)
    long = COHORTS.trial("sante", n_replicates=1, seed=5, years=1)
    assert long.year_end_days == (112 + 365,)
    assert long.diaries.n_days == 112 + 365
    np.testing.assert_array_equal(long.diaries.counts[:, :196], short.diaries.counts)


def test_each_trial_tells_who_told_of_what_and_who_left_and_only_after_the_blinded_phase() -> None:
    trial = COHORTS.trial("vns-e05", n_replicates=1, seed=5, years=2)
    told = trial.reporters["voice alteration"]
    assert told[trial.arm == 1].mean() > told[trial.arm == 0].mean()
    assert set(trial.reporters) == {"voice alteration", "paraesthesia", "cough", "dyspnoea"}
    is_silent = ~trial.diaries.recorded[:, -84:].any(axis=1)
    # 5 % a year from the end of the blinded phase on, to 84 days before the end.
    expected = 1 - np.exp(-0.05 * (98 + 730 - 84 - 182) / 365)
    n = len(is_silent)
    assert is_silent.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / n))
    assert trial.diaries.recorded[:, :182].any(axis=1).all()


def test_all_families_have_cohorts_and_the_null_one_responds_to_nothing() -> None:
    by_family = {}
    for family in ("clinical", "mechanistic", "null"):
        trial = simulated_cohorts(family).trial("sante", n_replicates=1, seed=5)
        active = trial.arm == 1
        by_family[family] = trial.diaries.counts[:, 112:][active].sum()
    assert len(set(by_family.values())) == 3
    assert by_family["null"] > by_family["clinical"]


def test_a_family_that_is_none_is_one_sentence() -> None:
    with pytest.raises(InputError, match="family = 'martian': one of clinical, mechanistic, null"):
        simulated_cohorts("martian")
