import numpy as np
import pytest
from validation.poisson_cohorts import from_times

from neurostim.validation.clusters import chance_of_cluster, cluster_figures, clusters


def test_clusters_are_those_of_four_hand_worked_diaries() -> None:
    found = clusters(
        from_times(
            [
                [10.1, 10.3, 10.9, 40.0],  # two within 6 hours, on a day that holds three
                [20.95, 21.05],  # within 6 hours, but either side of midnight
                [5.0, 5.3],  # 7.2 hours apart
                [],  # nothing written: not in the cohort
            ],
            60,
        )
    )
    assert list(found.has_cluster) == [True, True, False]
    assert found.days_of_size.tolist() == [[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert found.rate == pytest.approx([2, 1, 1])
    equal = np.full(3, 1 / 3)
    share, excess, median, upper = found.statistics(equal)
    assert share == pytest.approx(200 / 3)
    assert excess == pytest.approx(200 / 3 - 100 * found.poisson.mean())
    assert (median, upper) == (3, 3)


def test_the_chance_of_a_cluster_is_that_of_uniform_times() -> None:
    rng = np.random.default_rng(1)
    n_draws = 20_000
    for n in (2, 5, 12):
        gaps = np.diff(np.sort(rng.uniform(0, 30, (n_draws, n)), axis=1), axis=1)
        drawn = (gaps <= 0.25).any(axis=1).mean()
        chance = chance_of_cluster(np.array([n]), 30)[0]
        assert chance == pytest.approx(drawn, abs=4 * np.sqrt(0.25 / n_draws))
    assert chance_of_cluster(np.array([1, 10_000]), 365) == pytest.approx([0, 1])


def test_the_weights_bring_the_median_rate_to_one() -> None:
    rng = np.random.default_rng(2)
    rates = 3 * np.exp(rng.standard_normal(1000))
    found = clusters(
        from_times([rng.uniform(0, 365, 1 + rng.poisson(12 * rate)) for rate in rates], 365)
    )
    weights = found.weights(np.ones(1000))
    order = np.argsort(found.rate)
    median = found.rate[order][np.searchsorted(np.cumsum(weights[order]), 0.5)]
    # The nearest patients' rates are 0.1 % or so apart: some lie within 3 % of one.
    assert median == pytest.approx(1, abs=0.03)
    figures = cluster_figures(found, rng)
    excess = figures["D7b"]
    assert excess.value == pytest.approx(0, abs=4 * excess.error)
    assert excess.error < figures["D7a"].error < 4


def test_planted_clusters_are_an_excess() -> None:
    rng = np.random.default_rng(3)
    lives = []
    for rate in 3 * np.exp(rng.standard_normal(800)):
        first = rng.uniform(0, 364, 1 + rng.poisson(6 * rate))
        lives.append(np.concatenate([first, first + 0.01]))
    figures = cluster_figures(clusters(from_times(lives, 365)), rng)
    assert figures["D7a"].value == pytest.approx(100)
    assert figures["D7b"].value > 30
    assert figures["D7c"].value == 2
