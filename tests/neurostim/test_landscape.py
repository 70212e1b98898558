"""Curvature at a patient's best setting, on surfaces whose curvature is known."""

import numpy as np
import pytest

from neurostim.landscape import landscape_of
from protocols import OFF, Setting

AMPLITUDES = tuple(range(1000, 5001, 500))
FREQUENCIES = (10, 20, 40, 80, 160)


def surface(log_rate, sites=(0,)):
    """True rates on a list, given the log rate over scaled amplitude, log frequency and site."""
    rates = {OFF: 1.0}
    for site in sites:
        for a in AMPLITUDES:
            for f in FREQUENCIES:
                setting = Setting(site=site, amplitude_ua=a, frequency_hz=f, pulse_width_us=90)
                x, y = (a - 1000) / 4000, np.log(f / 10) / np.log(16)
                rates[setting] = float(np.exp(log_rate(x, y, site)))
    return rates


def test_a_quadratic_bowl_has_its_own_curvature():
    found = landscape_of(surface(lambda x, y, _: -1 + 6 * (x - 0.5) ** 2 + 1.5 * (y - 0.5) ** 2))
    assert found.kind == "bowl"
    assert found.curvature_amplitude == pytest.approx(12)
    assert found.curvature_frequency == pytest.approx(3)
    assert (found.steepest, found.flattest) == pytest.approx((12, 3))
    assert found.condition_number == pytest.approx(4)
    assert not found.is_at_edge


def test_a_tilted_valley_is_a_ridge_whatever_the_axes_say():
    found = landscape_of(surface(lambda x, y, _: -1 + 4 * (x - y) ** 2))
    assert found.curvature_amplitude == pytest.approx(8)
    assert found.flattest == pytest.approx(0, abs=1e-9)
    assert found.kind == "ridge"
    assert found.condition_number == float("inf") or found.condition_number > 1e6


def test_the_best_at_an_end_of_the_list_is_said_to_be_there():
    found = landscape_of(surface(lambda x, y, _: -x + 0.5 * (y - 0.5) ** 2))
    assert found.is_at_edge
    assert found.curvature_amplitude == pytest.approx(0, abs=1e-9)


def test_a_saddle_at_an_edge_is_one():
    found = landscape_of(surface(lambda x, y, _: -1 - 2 * x**2 + 3 * (y - 0.5) ** 2))
    assert found.kind == "saddle"
    assert found.flattest == pytest.approx(-4)
    assert found.steepest == pytest.approx(6)


def test_good_settings_have_a_rate_within_a_tenth_of_the_best():
    found = landscape_of(surface(lambda x, y, site: -1.0 if site else -0.95 * (x >= 0.5), (0, 1)))
    # 45 settings at site 1 are the best, and 25 of 45 at site 0 have exp(0.05) times that rate.
    assert found.good_share == pytest.approx((45 + 25) / 90)


def test_nothing_is_good_where_off_is_as_good():
    found = landscape_of(surface(lambda x, y, _: -0.05 + 0.1 * (x - 0.5) ** 2 + 0.1 * y**2))
    assert found.good_share == 0
    assert found.kind == "bowl"


def test_without_any_benefit_there_is_no_landscape():
    found = landscape_of(surface(lambda x, y, _: x * y))
    assert found.kind == "none"
    assert found.good_share == 0
    assert np.isnan(found.condition_number)


def test_one_frequency_makes_a_line():
    rates = {
        setting: rate
        for setting, rate in surface(lambda x, y, _: -1 + 6 * (x - 0.5) ** 2).items()
        if setting.frequency_hz in (0, 40)
    }
    found = landscape_of(rates)
    assert found.kind == "line"
    assert found.curvature_amplitude == pytest.approx(12)
    assert np.isnan(found.curvature_frequency)


def test_a_hole_in_the_list_is_no_point():
    whole = surface(lambda x, y, _: -1 + 6 * (x - 0.5) ** 2 + 1.5 * (y - 0.5) ** 2 + x * y)
    without = dict(list(whole.items()))
    del without[Setting(site=0, amplitude_ua=3500, frequency_hz=80, pulse_width_us=90)]
    assert landscape_of(without).flattest == pytest.approx(landscape_of(whole).flattest)
