import json
import pickle
import subprocess
import sys
from dataclasses import fields, replace
from typing import get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import patient_models
from patient_models import (
    MODELS,
    Device,
    Enrolment,
    Model,
    Outcome,
    State,
    state_from_dict,
    state_to_dict,
    thall_vail,
)
from protocols import OFF, Observation, Setting, Telemetry
from tests.patient_models.strategies import (
    CLINICAL,
    DEVICE,
    ENVELOPE,
    GENTLE,
    SETTINGS,
    settings,
    states,
)

PLAIN = {int, int | None, Setting, Telemetry}


def test_the_house_mark_and_the_families():
    assert patient_models.PART_OF == "neurostim"
    for name, model in MODELS.items():
        typed: Model = model
        assert typed.name == name
        assert typed.summary.endswith(".")


def test_an_observation_has_no_room_for_hidden_truth():
    for closed in (Observation, Telemetry):
        assert set(get_type_hints(closed).values()) <= PLAIN
    assert get_type_hints(Outcome)["observation"] is Observation
    [outcome] = CLINICAL.advance(CLINICAL.draw(device=DEVICE, seed=1, patients=[0]), [GENTLE], 14)
    observation = outcome.observation
    assert type(observation) is Observation
    assert type(observation.telemetry) is Telemetry
    for value in (observation, observation.telemetry):
        assert not hasattr(value, "__dict__")
        assert all(
            type(getattr(value, field.name)) in (int, type(None), Setting, Telemetry)
            for field in fields(value)
        )


def test_patients_are_the_same_in_any_batch_and_order():
    chosen = [SETTINGS[100 * i + 1] for i in range(6)]
    together = CLINICAL.draw(device=DEVICE, seed=3, patients=range(6))
    outcomes = CLINICAL.advance(together, chosen, 30)
    for i in reversed(range(6)):
        alone = CLINICAL.draw(device=DEVICE, seed=3, patients=[i])
        assert alone == together[i : i + 1]
        assert CLINICAL.advance(alone, [chosen[i]], 30) == outcomes[i : i + 1]


def test_days_are_one_number_or_one_each():
    drawn = CLINICAL.draw(device=DEVICE, seed=3, patients=range(3))
    each = CLINICAL.advance(drawn, [OFF] * 3, [7, 14, 14])
    assert [outcome.observation.days for outcome in each] == [7, 14, 14]
    assert each[1:] == CLINICAL.advance(drawn[1:], [OFF] * 2, 14)
    with pytest.raises(ValueError, match="zip"):
        CLINICAL.advance(drawn, [OFF] * 2, 14)


def test_nobody_to_treat():
    assert CLINICAL.draw(device=DEVICE, seed=1, patients=[]) == ()
    assert CLINICAL.advance([], [], 14) == ()


def test_truths_for_evaluation():
    [state] = CLINICAL.draw(device=DEVICE, seed=3, patients=[5])
    multipliers = CLINICAL.log_multipliers(state, SETTINGS)
    assert multipliers.shape == (len(SETTINGS),)
    assert multipliers.dtype == np.float64
    assert multipliers[SETTINGS.index(OFF)] == 0
    unsafe = CLINICAL.is_unsafe(state, SETTINGS)
    assert unsafe.dtype == np.bool_
    assert not unsafe[SETTINGS.index(OFF)]
    assert unsafe.any()
    assert CLINICAL.rate_off(state) == state.parameters.background.base_rate_per_day


def test_real_baselines_change_the_rate_and_nothing_else():
    usual, real = (
        CLINICAL.draw(device=DEVICE, seed=3, patients=range(9), enrolment=enrolment)
        for enrolment in (None, Enrolment(written_rate_per_day=thall_vail()))
    )
    for one, other in zip(usual, real, strict=True):
        assert one.parameters.response == other.parameters.response
        assert one.parameters.diary == other.parameters.diary
    assert [CLINICAL.rate_off(s) for s in usual] != [CLINICAL.rate_off(s) for s in real]


@given(states, settings, st.integers(1, 20))
def test_a_state_survives_json_and_goes_on_as_before(state, setting, days):
    [halfway] = CLINICAL.advance([state], [setting], days)
    saved = json.loads(json.dumps(state_to_dict(halfway.state)))
    restored = state_from_dict(saved, Device.from_toml(ENVELOPE))
    assert restored == halfway.state
    assert CLINICAL.advance([restored], [setting], 14) == CLINICAL.advance(
        [halfway.state], [setting], 14
    )


def test_a_state_can_be_pickled():
    [state] = CLINICAL.draw(device=DEVICE, seed=3, patients=[5])
    assert pickle.loads(pickle.dumps(state)) == state


def test_a_state_is_not_restored_under_another_envelope():
    [state] = CLINICAL.draw(device=DEVICE, seed=3, patients=[5])
    other = Device.from_toml(ENVELOPE.replace("Research profile", "Other profile"))
    with pytest.raises(ValueError, match="envelope_sha256"):
        state_from_dict(state_to_dict(state), other)


def test_a_state_is_a_value():
    [state] = CLINICAL.draw(device=DEVICE, seed=3, patients=[5])
    assert {field.name for field in fields(State)} == {
        "patient",
        "seed",
        "parameters",
        "day",
        "carried",
        "pending",
        "setting",
        "device",
    }
    with pytest.raises(AttributeError):
        state.day = 3
    assert replace(state, day=3) != state


def test_importing_is_light():
    program = "import sys, patient_models; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "pandas", "statsmodels", "safety", "neurostim"} & set(loaded)
