from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from patient_models import TARGETS
from patient_models.doses import doses_of
from patient_models.side_effects import (
    UNSAFE_DAILY_PROBABILITY,
    Tolerance,
    daily_probabilities,
)
from patient_models.targets import SideEffect
from protocols import OFF, SEVERE_GRADE
from tests.patient_models.strategies import GENTLE, parameters, settings

TOLERANCE = Tolerance(site_ua=(3000.0, 2500.0), chronaxie_us=130)


@given(parameters, settings)
def test_probabilities_fall_with_the_grade_and_are_zero_when_off(drawn, setting):
    probabilities = daily_probabilities(drawn.tolerance, setting)
    assert len(probabilities) == 4
    assert all(0 <= probability <= 1 for probability in probabilities)
    assert sorted(probabilities, reverse=True) == list(probabilities)
    assert daily_probabilities(drawn.tolerance, OFF) == (0, 0, 0, 0)


def test_the_tolerated_amplitude_is_where_unsafe_begins():
    at, above = (replace(GENTLE, amplitude_ua=amplitude_ua) for amplitude_ua in (2500, 2501))
    moderate = daily_probabilities(TOLERANCE, at)[1]
    assert moderate == pytest.approx(UNSAFE_DAILY_PROBABILITY)
    below = replace(GENTLE, amplitude_ua=2499)
    assert TOLERANCE.is_unsafe(doses_of((below, above, OFF))).tolist() == [False, True, False]


def test_the_hazard_rises_with_amplitude_pulse_width_frequency_and_duty():
    for name, values in (
        ("amplitude_ua", (1000, 2000, 4000)),
        ("pulse_width_us", (60, 90, 300)),
        ("frequency_hz", (5, 145, 200)),
    ):
        doses = doses_of(tuple(replace(GENTLE, **{name: value}) for value in values))
        assert (np.diff(TOLERANCE.daily_probabilities(doses), axis=0) > 0).all()


def test_sites_differ():
    first, second = (replace(GENTLE, site=site) for site in (0, 1))
    assert daily_probabilities(TOLERANCE, first) < daily_probabilities(TOLERANCE, second)


def test_severe_is_a_tenth_of_moderate_at_low_loads():
    probabilities = daily_probabilities(TOLERANCE, replace(GENTLE, amplitude_ua=1000))
    assert probabilities[SEVERE_GRADE - 1] / probabilities[1] == pytest.approx(0.1, rel=1e-3)


def test_what_is_unsafe_does_not_depend_on_habits():
    used = replace(TOLERANCE, adaptation_share=0.9)
    doses = doses_of((replace(GENTLE, amplitude_ua=2501), OFF))
    assert used.is_unsafe(doses).tolist() == TOLERANCE.is_unsafe(doses).tolist() == [True, False]


def test_a_habit_takes_its_share_of_a_load_and_never_more_than_all():
    used = replace(TOLERANCE, adaptation_share=0.25)
    assert used.felt_load(0.8, 0.0) == 0.8
    assert used.felt_load(0.8, 0.8) == pytest.approx(0.6)
    assert used.felt_load(0.1, 0.8) == 0
    acute, adapted = used.grade_probabilities(np.array([0.8, 0.6]))
    assert (adapted < acute).all()
    assert (used.grade_probabilities(np.zeros(1)) == 0).all()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_types_of_side_effects_have_their_shares(target):
    shares = [each.share for each in target.side_effects]
    index = target.side_effect_at((np.arange(100_000) + 0.5) / 100_000)
    found = np.bincount(index, minlength=len(shares)) / 100_000
    np.testing.assert_allclose(found, shares, atol=2e-5)
    assert len({each.name for each in target.side_effects}) == len(shares)
    assert list(target.grade_ratios) == sorted(target.grade_ratios, reverse=True)


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="side_effects: shares"):
        replace(TARGETS["vagus"], side_effects=(SideEffect(name="cough", share=0.5),))


@pytest.mark.parametrize("site_ua", [(), (0.0,), (float("nan"),)])
def test_a_tolerance_is_positive(site_ua):
    with pytest.raises(ValueError, match="site_ua"):
        Tolerance(site_ua=site_ua, chronaxie_us=130)
