"""What other distributions add by entry points: a controller, or a family of patients.

    [project.entry-points."neurostim.controllers"]
    mine = "my_package.mine:Mine"

    [project.entry-points."neurostim.patient_models"]
    my-family = "my_package.family:FAMILY"

A name that is shipped already cannot be taken by another distribution. What is added runs in this
process and is trusted as such; `neurostim run --isolated` gives a controller a process of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from protocols.problem import InputError

CONTROLLERS = "neurostim.controllers"
PATIENT_MODELS = "neurostim.patient_models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """What a distribution adds under a name; `value` says where it is: "package.module:object"."""

    name: str
    value: str
    distribution: str
    version: str

    def load(self, attributes: Sequence[str]) -> Any:
        """Import it; `InputError` when that fails, or when it lacks one of these attributes."""
        module, _, path = self.value.partition(":")
        try:
            found: Any = import_module(module)
            for part in filter(None, path.split(".")):
                found = getattr(found, part)
        except Exception as error:
            raise InputError(
                f"{self.name!r} of the distribution {self.distribution} cannot be loaded from "
                f"{self.value} ({type(error).__name__}: {error})"
            ) from None
        missing = [name for name in attributes if not hasattr(found, name)]
        if missing:
            raise InputError(
                f"{self.name!r} of the distribution {self.distribution}: {self.value} lacks "
                f"{', '.join(missing)}"
            )
        return found


def plugins(group: str) -> dict[str, Plugin]:
    """What the installed distributions add to a group, by name, in the order of the names."""
    found = sorted(entry_points(group=group), key=lambda each: each.name)
    return {
        each.name: Plugin(
            name=each.name,
            value=each.value,
            distribution=each.dist.name if each.dist else "?",
            version=each.dist.version if each.dist else "?",
        )
        for each in found
    }
