from dataclasses import fields
from typing import Any

import pytest

from protocols import OFF, Observation, Telemetry

TELEMETRY = Telemetry(
    setting=OFF,
    stimulation_s=0,
    charge_uc=0,
    energy_mj=0,
    impedance_ohm=1000,
    battery_permille=1000,
    n_incidents=0,
)
SEEN: dict[str, Any] = {
    "start_day": 0,
    "days": 7,
    "n_seizures": 3,
    "days_recorded": 6,
    "worst_grade": None,
    "telemetry": TELEMETRY,
}


@pytest.mark.parametrize(
    "change",
    [
        {"start_day": -1},
        {"days": 0},
        {"days_recorded": 8},
        {"days_recorded": 0},
        {"n_seizures": None},
        {"n_seizures": -1},
        {"worst_grade": 5},
    ],
)
def test_an_observation_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|missing exactly"):
        Observation(**SEEN | change)


def test_a_missing_diary_is_missing_and_not_zero() -> None:
    observation = Observation(**SEEN | {"n_seizures": None, "days_recorded": 0})
    assert observation.n_seizures is None


def test_the_type_is_closed() -> None:
    assert {field.name for field in fields(Observation)} == set(SEEN)
    assert not hasattr(Observation(**SEEN), "__dict__")
    with pytest.raises(TypeError):
        Observation(**SEEN, info={})
