"""The ways of choosing the next setting; adding one is a file and a line here."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from neurostim.controllers.controller import Context as Context
from neurostim.controllers.controller import Controller as Controller
from neurostim.controllers.controller import Fault as Fault
from protocols import InputError
from protocols.design import faults

CONTROLLERS: dict[str, str | type[Controller]] = {
    "sham": "neurostim.controllers.sham:Sham",
    "fixed": "neurostim.controllers.fixed:Fixed",
    "population-best": "neurostim.controllers.population_best:PopulationBest",
    "titration": "neurostim.controllers.titration:Titration",
    "coordinate": "neurostim.controllers.coordinate:CoordinateSearch",
    "random": "neurostim.controllers.random:Random",
    "grid": "neurostim.controllers.grid:Grid",
    "sobol": "neurostim.controllers.sobol:Sobol",
    "random-posterior": "neurostim.controllers.gp:RandomThenPosterior",
    "gp": "neurostim.controllers.gp:GaussianProcess",
    "gp-safe": "neurostim.controllers.gp:SafeGaussianProcess",
    "gp-drifting": "neurostim.controllers.gp:DriftingGaussianProcess",
    "thompson": "neurostim.controllers.gp:Thompson",
}
"""Classes, or where to import them from: what needs torch is imported when it is used."""


def controller_class(name: str) -> type[Controller]:
    """The controller of this name; `InputError` lists the known ones."""
    if name not in CONTROLLERS:
        raise InputError(f"controller {name!r}: one of {', '.join(CONTROLLERS)} was expected")
    entry = CONTROLLERS[name]
    if not isinstance(entry, str):
        return entry
    module, _, attribute = entry.partition(":")
    found: type[Controller] = getattr(import_module(module), attribute)
    return found


def build_controller(name: str, options: Mapping[str, Any], place: str) -> Controller:
    """A controller with its options; `InputError` names the option, its value, and the `place`."""
    try:
        return controller_class(name)(**options)
    except ValidationError as error:
        raise InputError(faults(error, f"{place}.options.")) from None
