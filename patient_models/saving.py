"""States as plain dictionaries that JSON can hold, and back, without losing a bit."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from patient_models.device_check import Device
from patient_models.hardware import Hardware
from patient_models.law import (
    Background,
    Carried,
    Course,
    DiaryHabits,
    Parameters,
    Rhythm,
    TimeOfDay,
)
from patient_models.mechanistic import MassResponse
from patient_models.model import DeviceState, State
from patient_models.response import FrequencyMode, Response
from patient_models.side_effects import Tolerance
from protocols import Mode, Setting

DEVICE_COUNTS = tuple(field.name for field in fields(DeviceState) if field.name != "device")


def state_to_dict(state: State) -> dict[str, Any]:
    """A state as nested dictionaries of numbers and text; its envelope as a hash."""
    return {
        "patient": state.patient,
        "seed": state.seed,
        "parameters": asdict(state.parameters),
        "day": state.day,
        "carried": asdict(state.carried),
        "pending": [list(each) for each in state.pending],
        "setting": asdict(state.setting),
        "envelope_sha256": state.device.device.envelope_sha256,
        "device": {name: getattr(state.device, name) for name in DEVICE_COUNTS},
    }


def state_from_dict(saved: Mapping[str, Any], device: Device) -> State:
    """The state that was saved; raises `ValueError` when it was saved under another envelope."""
    if saved["envelope_sha256"] != device.envelope_sha256:
        raise ValueError(
            f"envelope_sha256 = {saved['envelope_sha256']}: {device.envelope_sha256} was expected"
        )
    return State(
        patient=saved["patient"],
        seed=saved["seed"],
        parameters=parameters_from_dict(saved["parameters"]),
        day=saved["day"],
        carried=Carried(**saved["carried"]),
        pending=tuple((time_day, is_noted) for time_day, is_noted in saved["pending"]),
        setting=Setting(**{**saved["setting"], "mode": Mode(saved["setting"]["mode"])}),
        device=DeviceState(device=device, **saved["device"]),
    )


def parameters_from_dict(saved: Mapping[str, Any]) -> Parameters:
    """The parameters of one patient that were saved."""
    background = saved["background"]
    rhythms = {name: Rhythm(**background[name]) for name in ("multidien", "weekly", "annual")}
    time_of_day = TimeOfDay(**background["time_of_day"])
    return Parameters(
        background=Background(**{**background, **rhythms, "time_of_day": time_of_day}),
        response=response_from_dict(saved["response"]),
        tolerance=Tolerance(**with_tuples(saved["tolerance"])),
        diary=DiaryHabits(**saved["diary"]),
        course=Course(**with_tuples(saved["course"])),
        hardware=Hardware(**saved["hardware"]),
    )


def with_tuples(saved: Mapping[str, Any]) -> dict[str, Any]:
    """The same with each list, as JSON has it, as a tuple; columns stay columns."""
    return {key: tuple(each) if isinstance(each, list) else each for key, each in saved.items()}


def response_from_dict(saved: Mapping[str, Any]) -> Response | MassResponse:
    """The response that was saved; which family's it is shows in its fields."""
    if "mass" in saved:
        return MassResponse(**with_tuples(saved))
    modes = {name: FrequencyMode(**saved[name]) for name in ("low_mode", "high_mode")}
    return Response(**{**with_tuples(saved), **modes})
