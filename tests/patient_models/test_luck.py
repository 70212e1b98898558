from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from patient_models.law import MAXIMAL_CHAIN, DiaryHabits
from patient_models.luck import (
    BLOCK_DAYS,
    chain_lengths,
    luck_between,
    luck_of_block,
    memory,
    poisson_quantile,
    wandering_of_block,
)
from tests.patient_models.strategies import STEADY, backgrounds, seeds

HABITS = DiaryHabits(writing_probability=0.5, missing_probability=0.2)
COLUMNS = ("time_day", "least_effect", "is_noted", "risk", "is_recorded", "grade_mark")
marks = st.floats(2**-53, 1 - 2**-53)


@given(st.lists(st.tuples(marks, st.floats(1e-9, 3000)), min_size=1, max_size=20))
def test_poisson_quantiles_agree_with_scipy(pairs):
    mark, mean = np.array(pairs).T
    counts = poisson_quantile(mark, mean)
    # SciPy may be one off where the mark lies on a step within rounding.
    assert (poisson.cdf(counts, mean) >= mark - 1e-9).all()
    assert (poisson.cdf(counts - 1, mean) < mark + 1e-9).all()


def test_a_mean_of_zero_gives_no_event():
    assert poisson_quantile(np.array([0.5, 1 - 2**-53]), np.zeros(2)).tolist() == [0, 0]


@given(marks, st.floats(0.01, 0.65))
def test_chains_are_geometric(mark, probability):
    [length] = chain_lengths(np.array([mark]), probability)
    # One with n or more followers has probability p**n.
    if length < MAXIMAL_CHAIN:
        assert probability ** (length + 1) <= mark * (1 + 1e-9)
        assert mark <= probability**length * (1 + 1e-9)


@given(st.floats(0.05, 0.65), st.floats(0.1, 1))
def test_rescue_makes_later_links_less_probable_and_no_chain_longer(probability, rescue_factor):
    law = replace(STEADY, chain_probability=probability, rescue_factor=rescue_factor)
    mark = (np.arange(20_000) + 0.5) / 20_000
    lengths = chain_lengths(mark, probability, float(law.chain_shortening))
    usual = chain_lengths(mark, probability)
    assert (lengths <= usual).all()
    np.testing.assert_array_equal(lengths[usual < 2], usual[usual < 2])
    for n in (1, 2, 3, 4):
        chance = probability ** min(n, 2) * (probability * rescue_factor) ** max(n - 2, 0)
        assert abs((lengths >= n).mean() - chance) <= 1 / 20_000  # marks lie on a regular grid


def test_nobody_follows_where_there_are_no_chains():
    assert chain_lengths(np.array([0.001, 0.999]), 0.0).tolist() == [0, 0]


def test_memory_forgets_where_it_began():
    rng = np.random.default_rng(1)
    whole = memory(rng.standard_normal(60))
    rng = np.random.default_rng(1)
    later = memory(rng.standard_normal(60)[30:])
    np.testing.assert_allclose(later[20:], whole[50:], atol=1e-15)


def test_the_slow_processes_go_on_from_block_to_block_whatever_is_cached():
    luck_of_block.cache_clear()
    wandering_of_block.cache_clear()
    later = wandering_of_block(5, 3, 4)
    wandering_of_block.cache_clear()
    for block in range(5):
        again = wandering_of_block(5, 3, block)
    for name in ("slow", "drift", "phase", "in_remission"):
        np.testing.assert_array_equal(getattr(later, name), getattr(again, name))
    before = wandering_of_block(5, 3, 3)
    assert before.slow[-1] == again.slow[0]
    assert before.phase[-1] == again.phase[0]


@given(backgrounds, seeds, st.integers(0, 400), st.integers(1, 300), st.integers(1, 100))
def test_a_stretch_of_luck_is_the_same_however_it_is_cut(background, seed, start, days, first):
    whole = luck_between(background, HABITS, seed, 7, start, start + days + first)
    parts = luck_between(background, HABITS, seed, 7, start, start + first).followed_by(
        luck_between(background, HABITS, seed, 7, start + first, start + first + days)
    )
    for name in (*COLUMNS, "first_event"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    assert whole.first_day == start
    assert len(whole.is_recorded) == days + first
    assert whole.first_event[-1] == len(whole.time_day)


def test_parents_lie_in_their_day_and_offspring_follow():
    background = replace(STEADY, chain_probability=0.5)
    luck = luck_between(background, HABITS, 1, 0, 0, 3 * BLOCK_DAYS)
    day = np.repeat(np.arange(3 * BLOCK_DAYS), np.diff(luck.first_event))
    assert (luck.time_day > day).all()
    is_parent = np.append(True, np.diff(luck.least_effect) != 0)
    assert (luck.time_day[is_parent] < day[is_parent] + 1).all()
    assert (np.diff(luck.time_day)[~is_parent[1:]] > 0).all()
    assert 0.4 < (~is_parent).mean() < 0.6
    assert (luck.time_day[~is_parent] > day[~is_parent] + 1).any()


def test_times_are_added_without_rounding():
    luck = luck_between(STEADY, HABITS, 1, 0, 100_000, 100_128)
    now = 100_000.0
    for time_day in luck.time_day.tolist():
        now += time_day - now
        assert now == time_day
