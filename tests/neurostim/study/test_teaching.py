"""Pooled, federated and local priors, and who is in which draw."""

import numpy as np
import pytest
import torch

from neurostim.study.reference_population import N_SITES, SETTINGS
from neurostim.study.teaching import (
    Draw,
    federated,
    first_settings,
    hand_set,
    hospitals_of,
    judged,
    learning_curve,
    past_of,
    pooled,
    usual_mix,
)


@pytest.fixture(scope="module")
def people():
    return Draw(seed=0, number=0, n_tested=3)


def test_hospitals_have_everybody_once(people):
    past = past_of(people.earlier(7))
    parts = hospitals_of(past, 3)
    assert [len(part.index) for part in parts] == [3, 2, 2]
    rows = torch.cat([part.value for part in parts])
    assert sorted(rows.tolist()) == sorted(past.value.tolist())


def test_federated_equals_pooled_whoever_has_which_patients(people):
    past = past_of(people.earlier(6))
    together = pooled(past, n_rounds=2)
    apart = federated(hospitals_of(past, 3), n_rounds=2)
    assert torch.allclose(apart.mean, together.mean, atol=1e-10)
    assert torch.allclose(apart.table[0], together.table[0], atol=1e-10)
    assert torch.allclose(apart.level_mean, together.level_mean, atol=1e-10)
    assert torch.allclose(apart.log_weight, together.log_weight, atol=1e-10)


def test_a_hospital_by_itself_learns_something_else(people):
    past = past_of(people.earlier(6))
    alone = pooled(hospitals_of(past, 3)[0], n_rounds=1)
    assert not torch.allclose(alone.mean, pooled(past, n_rounds=1).mean, atol=1e-3)


def test_nobody_is_in_two_draws_nor_in_the_past_and_the_test_of_one():
    draws = [Draw(seed=seed, number=number, n_tested=2) for seed in (0, 1) for number in (0, 1)]
    cohorts = [c for d in draws for c in (d.earlier(2), d.validation(2), d.tested())]
    assert len({cohort.seed for cohort in cohorts}) == 12
    assert len({round(float(cohort.base_rate[0]), 9) for cohort in cohorts}) == 12


def test_more_earlier_patients_include_the_fewer(people):
    assert np.array_equal(people.earlier(5).log_rate[:2], people.earlier(2).log_rate)


def test_settings_by_hand_are_in_the_middle_of_different_sites():
    chosen = SETTINGS[list(hand_set())]
    assert len(set(chosen[:, 2])) == len(chosen) <= N_SITES
    assert np.all(np.abs(chosen[:, :2] - 0.5) < 0.1)


def test_a_generic_share_is_mixed_in(people):
    prior = pooled(past_of(people.earlier(4)), n_rounds=1)
    mix = usual_mix(prior)
    weight = torch.softmax(mix.log_weight, 0)
    assert float(weight[prior.n_particles :].sum()) == pytest.approx(0.1)


class Best:
    """Delivers each patient's best setting, which no controller knows."""

    def __init__(self, patients):
        self.best = patients.best

    def propose(self, counts, indices):
        return self.best

    def recommend(self, counts, indices):
        return self.best


def test_whoever_delivers_the_best_closes_the_whole_gap(people):
    patients = people.tested()
    figures = judged(Best(patients), patients)
    assert set(figures) == {"rec 5", "rec 10", "rec 40", "trial 5", "trial 10", "trial 40"}
    assert all(value == pytest.approx(1) for value in figures.values())


def test_without_earlier_patients_the_curve_starts_at_the_generic_prior(people, monkeypatch):
    monkeypatch.setattr("neurostim.study.teaching.pooled", None)  # nothing is learned
    assert learning_curve(people, 0)["rec 40"] <= 1


def test_first_settings_are_judged_with_and_without_a_prior(people):
    found = first_settings(people, 4)
    assert set(found) == {
        f"{prior} prior, {first}"
        for prior in ("learned", "generic")
        for first in ("none", "by hand", "learned")
    }
    assert found["generic prior, by hand"]["trial 5"] != found["generic prior, none"]["trial 5"]
