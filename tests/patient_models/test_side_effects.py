from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from patient_models.doses import doses_of
from patient_models.side_effects import (
    UNSAFE_DAILY_PROBABILITY,
    Tolerance,
    daily_probabilities,
)
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


@pytest.mark.parametrize("site_ua", [(), (0.0,), (float("nan"),)])
def test_a_tolerance_is_positive(site_ua):
    with pytest.raises(ValueError, match="site_ua"):
        Tolerance(site_ua=site_ua, chronaxie_us=130)
