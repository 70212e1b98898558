"""The ways of choosing the next setting; adding one is a file and a line here.

Another distribution adds one by an entry point: see `protocols.plugins`.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from neurostim.controllers.controller import Context as Context
from neurostim.controllers.controller import Controller as Controller
from neurostim.controllers.controller import Fault as Fault
from protocols import InputError
from protocols.design import faults
from protocols.plugins import CONTROLLERS as PLUGIN_GROUP
from protocols.plugins import plugins

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


PROMISED = ("summary", "init", "propose", "recommend")


def controller_names() -> list[str]:
    """All controllers that can be named in a design: shipped, or added by other distributions."""
    added = plugins(PLUGIN_GROUP)
    return [*CONTROLLERS, *(name for name in added if name not in CONTROLLERS)]


def controller_entry(name: str) -> str | type[Controller]:
    """A controller's class, or where it is; `InputError` lists the known names."""
    if name in CONTROLLERS:
        return CONTROLLERS[name]
    added = plugins(PLUGIN_GROUP)
    if name not in added:
        raise InputError(
            f"controller {name!r}: one of {', '.join(controller_names())} was expected"
        )
    return added[name].value


def controller_class(name: str) -> type[Controller]:
    """The controller of this name; `InputError` lists the known ones, or says why one is broken."""
    entry = controller_entry(name)
    if not isinstance(entry, str):
        return entry
    if name not in CONTROLLERS:
        added: type[Controller] = plugins(PLUGIN_GROUP)[name].load(PROMISED)
        return added
    module, _, attribute = entry.partition(":")
    found: type[Controller] = getattr(import_module(module), attribute)
    return found


def build_controller(name: str, options: Mapping[str, Any], place: str) -> Controller:
    """A controller with its options; `InputError` names the option, its value, and the `place`."""
    try:
        return controller_of(name, options)
    except ValidationError as error:
        raise InputError(faults(error, f"{place}.options.")) from None


def controller_of(name: str, options: Mapping[str, Any]) -> Controller:
    """A controller with its options as a document has them; raises pydantic's `ValidationError`."""
    return controller_class(name)(**{key: _as_tuple(value) for key, value in options.items()})


def _as_tuple(value: Any) -> Any:
    """A value of a document, in which there are lists only, as options have it: in tuples."""
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
