from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wrapcauchy

from patient_models.law import (
    IMPLANT_DAYS,
    PLACEBO_DAYS,
    RISK_TILT,
    Carried,
    Course,
    DiaryHabits,
    Rhythm,
    TimeOfDay,
    carried_after,
    log_multiplier,
    relaxed,
)
from patient_models.response import MAXIMAL_LOG_HARM, steady_of
from tests.patient_models.strategies import GENTLE, STEADY, patient_zero

RESPONSE = patient_zero().parameters.response
levels = st.floats(-1, 3)
spans = st.integers(1, 400)


@given(st.floats(2, 60), st.floats(0, 5), st.floats(0, 60))
def test_a_rhythm_has_mean_one_over_its_period(period_days, strength, peak_day):
    rhythm = Rhythm(period_days=period_days, strength=strength, peak_day=peak_day)
    times = (np.arange(4096) + 0.5) * period_days / 4096
    factor = np.exp(rhythm.log_factor(times))
    assert factor.mean() == pytest.approx(1, rel=1e-9)
    assert float(np.exp(rhythm.log_factor(peak_day))) >= factor.max() * (1 - 1e-12)


@pytest.mark.parametrize("concentration", [0.0, 0.3, 0.75])
def test_times_of_day_are_wrapped_cauchy(concentration):
    law = TimeOfDay(concentration=concentration, peak=0.25)
    times = law.quantile((np.arange(20_000) + 0.5) / 20_000)
    assert ((times >= 0) & (times < 1)).all()
    resultant = np.exp(2j * np.pi * times).mean()
    assert abs(resultant) == pytest.approx(concentration, abs=1e-3)
    if concentration:
        assert np.angle(resultant) / (2 * np.pi) == pytest.approx(0.25, abs=1e-6)
        quarter = wrapcauchy.cdf(np.pi / 2, concentration)  # from the peak to a quarter day later
        assert ((times - 0.25) % 1 < 0.25).mean() == pytest.approx(quarter, abs=1e-3)


@given(levels, levels, st.floats(0, 1), st.floats(-4, 4), st.floats(-3, 3), st.floats(0, 9))
def test_nothing_more_than_doubles_the_rate(high, low, progress, risk, other, harm):
    carried = Carried(high=high, low=low, progress=progress)
    assert log_multiplier(carried, harm, 2.0, np.array(risk), other) <= MAXIMAL_LOG_HARM


def test_risk_tilts_the_modes_against_each_other():
    high, low = Carried(high=1.0), Carried(low=1.0)
    calm, risky = np.array([-20.0, 20.0])
    assert log_multiplier(high, 0, 0, calm, 0) == pytest.approx(-1 - RISK_TILT)
    assert log_multiplier(high, 0, 0, risky, 0) == pytest.approx(-1 + RISK_TILT)
    assert log_multiplier(low, 0, 0, risky, 0) == pytest.approx(-1 - RISK_TILT)
    assert log_multiplier(Carried(high=0.5, low=0.5), 0, 0, risky, 0) == pytest.approx(-1)


def test_years_of_stimulation_make_a_benefit_grow_and_leave_harm_alone():
    assert log_multiplier(Carried(high=0.4, progress=0.5), 0, 2.0, np.zeros(()), 0) == (
        pytest.approx(-0.8)
    )
    assert log_multiplier(Carried(high=-0.4, progress=0.5), 0, 2.0, np.zeros(()), 0) == (
        pytest.approx(0.4)
    )


def test_a_benefit_washes_in_and_is_carried_over():
    assert float(relaxed(0.0, 1.0, 7, 14, 7)) == pytest.approx(1 - np.exp(-1))
    assert float(relaxed(1.0, 0.0, 7, 14, 14)) == pytest.approx(np.exp(-1))
    assert float(relaxed(0.3, 0.3, 7, 14, 5)) == 0.3


@given(levels, levels, st.floats(0, 1), st.floats(0, 3), st.floats(0, 3), spans, spans)
def test_two_epochs_of_one_setting_are_one_long_epoch(
    high, low, progress, habituated, load, first, second
):
    carried = Carried(high=high, low=low, progress=progress, habituated=habituated)
    steady = steady_of(RESPONSE, GENTLE)
    halfway = carried_after(carried, steady, load, RESPONSE, first)
    whole = carried_after(carried, steady, load, RESPONSE, first + second)
    both = carried_after(halfway, steady, load, RESPONSE, second)
    for name in ("high", "low", "progress", "habituated"):
        assert getattr(both, name) == pytest.approx(getattr(whole, name), abs=1e-12)


def test_expectation_builds_up_and_surgery_fades():
    course = Course(placebo=-0.2, implant=-0.5, expectation_day=10, implant_day=10)
    before, at, later, long = course.log_effect([5.0, 10.0, 10 + PLACEBO_DAYS, 1e6])
    assert before == at == 0
    faded = -0.5 * np.exp(-PLACEBO_DAYS / IMPLANT_DAYS)
    assert later == pytest.approx(-0.2 * (1 - np.exp(-1)) + faded)
    assert long == pytest.approx(-0.2)
    assert (Course(placebo=-0.2, implant=-0.5).log_effect([0.0, 99.0]) == 0).all()


def test_medication_multiplies_the_rate_from_its_midnight_on():
    course = Course(
        placebo=-0.2,
        implant=-0.5,
        expectation_day=5,
        implant_day=5,
        medication_day=(10.0, 30.0),
        medication_log_jump=(-0.4, 0.1),
    )
    without = replace(course, medication_day=(), medication_log_jump=())
    times = [4.0, 9.5, 10.0, 10.5, 29.5, 30.5, 1e6]
    found = course.log_effect(times) - without.log_effect(times)
    np.testing.assert_allclose(found, [0, 0, -0.4, -0.4, -0.4, -0.3, -0.3], atol=1e-12)


@pytest.mark.parametrize(
    ("days", "jumps"), [((3.0,), ()), ((5.0, 3.0), (0.1, 0.1)), ((3.0,), (float("nan"),))]
)
def test_medication_changes_are_in_order_and_each_does_something(days, jumps):
    with pytest.raises(ValueError, match="medication_"):
        Course(placebo=0, implant=0, medication_day=days, medication_log_jump=jumps)


@given(st.floats(0, 0.9), st.floats(0.05, 1))
def test_chains_are_as_long_as_their_links_make_them(probability, rescue_factor):
    law = replace(STEADY, chain_probability=probability, rescue_factor=rescue_factor)
    # The chance that a chain has another link: p, p, then p q from the third seizure on.
    link = np.full(2000, probability * rescue_factor)
    link[:2] = probability
    expected = 1 + np.cumprod(link).sum()
    assert law.seizures_per_chain == pytest.approx(expected, rel=1e-9)
    assert law.parents_per_day * expected == pytest.approx(law.base_rate_per_day, rel=1e-9)


def test_a_worse_side_effect_is_told_of_more_surely():
    habits = DiaryHabits(
        writing_probability=1, missing_probability=0, reporting_probability=np.array([0.0, 0.4, 1])
    )
    by_grade = habits.reporting_by_grade
    np.testing.assert_allclose(by_grade[1], [0, 0.4, 0.64, 1, 1])
    assert (np.diff(by_grade, axis=1) >= 0).all()
    assert (by_grade[:, 3:] == 1).all()


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), np.array([1.0, -1.0])])
def test_a_rate_is_positive_and_finite(value):
    with pytest.raises(ValueError, match="base_rate_per_day"):
        replace(STEADY, base_rate_per_day=value)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), np.array([0.5, float("nan")])])
def test_a_probability_lies_between_0_and_1(value):
    with pytest.raises(ValueError, match="writing_probability"):
        DiaryHabits(writing_probability=value, missing_probability=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fast_log_sd", -1),
        ("slow_log_sd", float("nan")),
        ("chain_probability", 1.0),
        ("rescue_factor", 0.0),
        ("rescue_factor", 1.1),
    ],
)
def test_an_impossible_background_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} = "):
        replace(STEADY, **{name: value})
