import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gamma, poisson

from patient_models.law import DiaryHabits
from patient_models.luck import BLOCK_DAYS, gamma_factor, luck_between, poisson_quantile
from tests.patient_models.strategies import STEADY, backgrounds, seeds

HABITS = DiaryHabits(writing_probability=0.5, missing_probability=0.2)
COLUMNS = ("time_day", "least_effect", "is_written", "is_recorded", "grade_mark", "side_effect_day")
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


@given(marks, st.floats(0.1, 20))
def test_gamma_factors_agree_with_scipy(mark, shape):
    factor = gamma_factor(np.array([mark]), shape)
    assert factor[0] == pytest.approx(gamma.ppf(mark, shape, scale=1 / shape), rel=1e-9)


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


def test_events_lie_in_their_day_in_order_of_time():
    luck = luck_between(STEADY, HABITS, 1, 0, 0, 3 * BLOCK_DAYS)
    day = np.repeat(np.arange(3 * BLOCK_DAYS), np.diff(luck.first_event))
    assert (np.floor(luck.time_day) == day).all()
    assert (luck.time_day > day).all()
    assert (np.diff(luck.time_day) >= 0).all()


def test_times_are_added_without_rounding():
    luck = luck_between(STEADY, HABITS, 1, 0, 100_000, 100_128)
    now = 100_000.0
    for time_day in luck.time_day.tolist():
        now += time_day - now
        assert now == time_day


def test_nothing_is_written_on_a_missed_day():
    luck = luck_between(STEADY, HABITS, 1, 0, 0, 1000)
    day = luck.time_day.astype(int)
    assert not luck.is_written[~luck.is_recorded[day]].any()
