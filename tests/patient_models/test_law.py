from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_models.doses import doses_of
from patient_models.law import DiaryHabits, Rhythm, effect_after
from patient_models.population import DRUG_RESISTANT, draw
from patient_models.response import MAXIMAL_LOG_HARM
from tests.patient_models.strategies import SETTINGS, STEADY, backgrounds, days, patient_zero

RESPONSE = patient_zero().parameters.response


@given(st.floats(2, 60), st.floats(0, 5), st.floats(0, 60))
def test_a_rhythm_has_mean_one_over_its_period(period_days, strength, peak_day):
    rhythm = Rhythm(period_days=period_days, strength=strength, peak_day=peak_day)
    times = (np.arange(4096) + 0.5) * period_days / 4096
    assert rhythm.factor(times).mean() == pytest.approx(1, rel=1e-9)
    assert float(rhythm.factor(peak_day)) == pytest.approx(rhythm.peak_factor)
    assert (rhythm.factor(times) <= rhythm.peak_factor * (1 + 1e-12)).all()


@given(st.floats(2, 60), st.floats(0, 5), st.floats(0, 60), days)
def test_the_least_descent_of_a_day_is_not_undercut_within_it(period, strength, peak_day, day):
    rhythm = Rhythm(period_days=period, strength=strength, peak_day=peak_day)
    descent = rhythm.descent(day + np.linspace(0, 1, 500))
    assert float(rhythm.least_descent(day)) <= descent.min() + 1e-9
    assert float(rhythm.least_descent(day)) == pytest.approx(descent.min(), abs=0.1)


@given(backgrounds, days, st.floats(0, 20), st.floats(-3, MAXIMAL_LOG_HARM))
def test_no_moment_exceeds_the_bound_of_its_day(background, day, day_factor, effect):
    times = day + np.linspace(0, 1, 200)
    rate = background.rate_per_day(times, day_factor, effect)
    assert (rate <= background.bound_per_day(day, day_factor) * (1 + 1e-9)).all()


def test_no_drawn_patient_exceeds_the_bound_under_any_setting():
    rng = np.random.default_rng(1)
    for parameters in draw(DRUG_RESISTANT, 5, range(2000), 4):
        some = rng.choice(len(SETTINGS), 8)
        worst = parameters.response.steady_effects(doses_of(tuple(SETTINGS[i] for i in some))).max()
        assert worst <= MAXIMAL_LOG_HARM
        day = int(rng.integers(0, 4000))
        background = parameters.background
        rate = background.rate_per_day(day + rng.random(20), 1.7, worst)
        assert (rate <= background.bound_per_day(day, 1.7) * (1 + 1e-12)).all()


@given(backgrounds, days, st.floats(1e-6, 1 - 1e-6), st.floats(0, 1), st.floats(-3, 0.69))
def test_the_least_effect_says_the_same_as_thinning(background, day, mark, hour, effect):
    time_day = day + hour
    thinned = background.rate_per_day(time_day, 2.5, effect) / background.bound_per_day(day, 2.5)
    level = background.least_effect(day, time_day, mark)
    if abs(mark / thinned - 1) > 1e-9:
        assert (mark < thinned) == (effect > level)


def test_an_effect_washes_in_and_is_carried_over():
    washed_in = effect_after(0.0, -1.0, RESPONSE, 7)
    assert float(washed_in) == pytest.approx(-(1 - np.exp(-1)))
    assert float(effect_after(-1.0, 0.0, RESPONSE, 14)) == pytest.approx(-np.exp(-1))
    assert float(effect_after(-0.3, -0.3, RESPONSE, 5)) == -0.3


@given(st.floats(-3, 0.69), st.floats(-3, 0.69), st.integers(1, 60), st.integers(1, 60))
def test_two_epochs_of_one_setting_are_one_long_epoch(effect, target, first, second):
    halfway = float(effect_after(effect, target, RESPONSE, first))
    assert float(effect_after(halfway, target, RESPONSE, second)) == pytest.approx(
        float(effect_after(effect, target, RESPONSE, first + second)), abs=1e-12
    )


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_rate_is_positive_and_finite(value):
    with pytest.raises(ValueError, match="base_rate_per_day"):
        replace(STEADY, base_rate_per_day=value)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_probability_lies_between_0_and_1(value):
    with pytest.raises(ValueError, match="writing_probability"):
        DiaryHabits(writing_probability=value, missing_probability=0)
