"""Landscapes of the reference population, on a surface whose curvature is known."""

import numpy as np
import pytest

from neurostim.study.hardness import (
    kinds,
    predictions,
    reference_rows,
    reference_settings,
    spread,
)
from neurostim.study.reference_population import N_SETTINGS, SETTINGS, Patients


def test_the_reference_list_keeps_its_order_and_its_spans():
    settings = reference_settings()
    assert len(set(settings)) == N_SETTINGS
    amplitude = np.array([setting.amplitude_ua for setting in settings], dtype=float)
    frequency = np.log([setting.frequency_hz for setting in settings])
    for column, unit in ((amplitude, SETTINGS[:, 0]), (frequency, SETTINGS[:, 1])):
        scaled = (column - column.min()) / (column.max() - column.min())
        assert scaled == pytest.approx(unit, abs=1e-4)


@pytest.fixture(scope="module")
def bowls():
    """Two patients with the same bowl of curvatures 12 and 3 at site 2, and one without effect."""
    amplitude, frequency, site = SETTINGS.T
    bowl = -1 + 6 * (amplitude - 6 / 11) ** 2 + 1.5 * (frequency - 5 / 9) ** 2
    log = np.where(site == 2, bowl, 0.5)
    return Patients(
        seed=3,
        ids=np.arange(3),
        base_rate=np.full(3, 8.0),
        log_rate=np.log(8.0) + np.stack((log, log, np.full(N_SETTINGS, 0.1))),
        dispersion=np.full(3, 4.0),
    )


def test_a_quadratic_bowl_has_its_own_curvature_and_condition_number(bowls):
    rows = reference_rows(bowls)
    assert [row["kind"] for row in rows] == ["bowl", "bowl", "none"]
    assert rows[0]["curvature_amplitude"] == pytest.approx(12, rel=1e-3)
    assert rows[0]["curvature_frequency"] == pytest.approx(3, rel=1e-3)
    assert rows[0]["condition_number"] == pytest.approx(4, rel=1e-3)
    assert kinds(rows) == {"bowl": 2, "none": 1}
    assert spread(rows) == pytest.approx((4, 4, 4), rel=1e-3)
    assert rows[0]["share"] <= 1


def test_predictions_leave_out_patients_with_nothing_to_find():
    rows = [
        {
            "kind": "bowl" if n < 8 else "none",
            "is_at_edge": False,
            "good_share": float(n),
            "condition_number": float("inf") if n == 7 else 10.0 - n,
            "curvature_amplitude": 1.0,
            "curvature_frequency": float("nan"),
            "wait": float("inf") if n == 0 else 20.0 - n,
            "share": 0.1 * n,
        }
        for n in range(10)
    ]
    found = predictions(rows, seed=1)
    assert found["good_share"]["wait"].n == 8
    assert found["good_share"]["wait"].value == pytest.approx(-1)
    assert found["good_share"]["share"].value == pytest.approx(1)
    assert found["curvature_frequency"]["wait"].n == 0
