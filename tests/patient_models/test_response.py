from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from patient_models.doses import doses_of
from patient_models.population import DRUG_RESISTANT, draw, draw_columns
from patient_models.response import HALF_DUTY, MAXIMAL_LOG_HARM, RESPONSIVE_DUTY, steady_of
from protocols import OFF, Cycle, Mode, ParameterSpace, Setting
from tests.patient_models.strategies import (
    DEVICE,
    GENTLE,
    SETTINGS,
    parameters,
    patient_zero,
    settings,
)

RESPONSE = patient_zero().parameters.response


def steady_effect(response, setting):
    """The log multiplier that one setting leads to."""
    return float(steady_of(response, setting).log_multiplier[0])


def effects(response, **changes):
    """The steady effect along one field of the gentle setting."""
    [(name, values)] = changes.items()
    return response.steady(
        doses_of(tuple(replace(GENTLE, **{name: v}) for v in values))
    ).log_multiplier


@given(parameters, settings)
def test_any_setting_has_a_bounded_effect_and_off_none(drawn, setting):
    effect = steady_effect(drawn.response, setting)
    assert -8.0 <= effect <= MAXIMAL_LOG_HARM
    if setting.is_off:
        assert effect == 0.0
    assert steady_effect(drawn.response, OFF) == 0.0


@pytest.mark.parametrize("name", ["frequency_hz", "pulse_width_us"])
def test_no_pulses_have_no_effect(name):
    assert steady_effect(RESPONSE, replace(GENTLE, **{name: 0})) == 0.0


def test_threshold_saturation_and_harm_along_the_amplitude():
    effect = effects(RESPONSE, amplitude_ua=range(250, 40_001, 250))
    assert (effect[:4] == 0).all()  # up to the threshold of 1 mA
    assert (np.diff(effect[3:16]) < 0).all()
    assert abs(effect[19] - effect[15]) < 0.01  # saturated from 4 mA on
    assert effect.argmin() < 30
    assert (np.diff(effect[30:]) >= 0).all()
    assert effect[-1] == pytest.approx(MAXIMAL_LOG_HARM)


def test_two_modes_in_frequency():
    low, between, high = effects(RESPONSE, frequency_hz=(5, 25, 145))
    assert high < low < between < 0
    assert low / high == pytest.approx(0.6, rel=1e-3)


def test_a_longer_pulse_counts_like_a_greater_amplitude():
    doses = doses_of(tuple(replace(GENTLE, pulse_width_us=width) for width in (60, 90, 10**9)))
    short, reference, endless = doses.equivalent_ua(chronaxie_us=130)
    assert reference == pytest.approx(2500)
    assert endless == pytest.approx(2500 * (1 + 130 / 90), rel=1e-6)
    assert short == pytest.approx(2500 * (1 + 130 / 90) / (1 + 130 / 60))


def test_cycling_keeps_most_of_the_benefit():
    cycling = replace(GENTLE, mode=Mode.CYCLING, on_ms=60_000, off_ms=300_000)
    ratio = steady_effect(RESPONSE, cycling) / steady_effect(RESPONSE, GENTLE)
    assert ratio == pytest.approx(1.05 * (1 / 6) / (1 / 6 + HALF_DUTY))


def test_a_responsive_device_acts_by_what_it_detects():
    responsive = replace(GENTLE, mode=Mode.RESPONSIVE, on_ms=100, off_ms=60_000)
    duty = RESPONSIVE_DUTY * RESPONSE.sensitivity
    ratio = steady_effect(RESPONSE, responsive) / steady_effect(RESPONSE, GENTLE)
    assert ratio == pytest.approx(1.05 * duty / (duty + HALF_DUTY))


def test_one_setting_alone_or_among_many():
    together = RESPONSE.steady(doses_of(SETTINGS)).log_multiplier
    assert steady_effect(RESPONSE, SETTINGS[777]) == together[777]


@pytest.fixture(scope="module")
def cuts():
    """Share of seizures cut in 1,000 patients by every setting of a list in the envelope."""
    space = ParameterSpace(
        site=tuple(range(DEVICE.n_sites)),
        amplitude_ua=tuple(sorted(DEVICE.amplitude_ua)),
        frequency_hz=tuple(sorted(DEVICE.frequency_hz)),
        pulse_width_us=(90,),
        cycles=(Cycle(),),
    )
    doses = doses_of(space.settings())
    patients = draw(DRUG_RESISTANT, 1, range(1000), DEVICE.n_sites)
    return 1 - np.exp([each.response.steady(doses).log_multiplier for each in patients])


def test_the_best_setting_cuts_the_median_patient_by_50_to_60_percent(cuts):
    assert 0.50 <= np.median(cuts.max(axis=1)) <= 0.60


def test_the_best_fixed_setting_closes_about_half_of_the_gap(cuts):
    assert 0.40 <= cuts.mean(axis=0).max() / cuts.max(axis=1).mean() <= 0.60


def test_some_are_not_helped_by_anything(cuts):
    # A tenth does not respond and a twentieth is made worse; the standard error is binomial.
    share = (cuts.max(axis=1) <= 0).mean()
    assert share == pytest.approx(0.15, abs=4 * np.sqrt(0.15 * 0.85 / 1000))


def test_the_largest_amplitude_harms_most_patients(cuts):
    largest = Setting(site=0, amplitude_ua=8000, frequency_hz=145, pulse_width_us=90)
    patients = draw(DRUG_RESISTANT, 1, range(500), DEVICE.n_sites)
    harmed = [steady_effect(each.response, largest) > 0 for each in patients]
    assert np.mean(harmed) > 0.5


def test_columns_of_patients_respond_as_each_alone():
    columns = draw_columns(DRUG_RESISTANT, 3, range(50), 4).response
    given = [SETTINGS[37 * i % len(SETTINGS)] for i in range(50)]
    together = columns.steady(doses_of(given)).log_multiplier
    people = draw(DRUG_RESISTANT, 3, range(50), 4)
    alone = [steady_effect(p.response, s) for p, s in zip(people, given, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-14)
