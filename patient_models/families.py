"""The families of patients by name: those shipped here, and those that other distributions add."""

from patient_models.clinical import Clinical
from patient_models.mechanistic import Mechanistic
from patient_models.model import Model
from patient_models.null import NULL
from protocols import InputError
from protocols.plugins import PATIENT_MODELS, plugins

MODELS: dict[str, Model] = {
    "clinical": Clinical(),
    "mechanistic": Mechanistic(),
    "null": NULL,
}

PROMISED = ("name", "summary", "draw", "advance", "rate_off", "log_multipliers", "is_unsafe")
"""What a family has; `neurostim.testing.check_patient_model` checks how it must behave."""


def model_names() -> list[str]:
    """All families that can be named in a design."""
    return [*MODELS, *(name for name in plugins(PATIENT_MODELS) if name not in MODELS)]


def model_named(name: str) -> Model:
    """The family of this name; `InputError` lists the known ones, or says why one is broken."""
    if name in MODELS:
        return MODELS[name]
    added = plugins(PATIENT_MODELS)
    if name not in added:
        raise InputError(f"model {name!r}: one of {', '.join(model_names())} was expected")
    family: Model = added[name].load(PROMISED)
    return family
