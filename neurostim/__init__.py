"""Closed-loop neurostimulation for drug-resistant epilepsy, in simulation.

Research software, not a medical device: patients are simulated, nothing here talks to hardware, and
nothing it prints is meant for a decision about a person.

    import neurostim

    result = neurostim.run_trial("demo", n_patients=60, seed=1)
    result.endpoints()
    result.report("report.html")
"""

from importlib import import_module
from importlib.abc import InspectLoader
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurostim.optimizer import Optimizer as Optimizer
    from neurostim.results import Result as Result
    from neurostim.results import load as load
    from neurostim.results import run_trial as run_trial

__version__ = version("neurostim")

_HOMES = {
    "InputError": "protocols",
    "Optimizer": "neurostim.optimizer",
    "Result": "neurostim.results",
    "load": "neurostim.results",
    "run_trial": "neurostim.results",
}
"""The public names and where they live: imported when used, so that help answers at once."""

__all__ = ["InputError", "Optimizer", "Result", "load", "run_trial"]


def _check_siblings() -> None:
    """Raise `ImportError` when another distribution's package stands where one of ours belongs.

    A distribution on the package index also installs a top-level `safety`; whichever was installed
    last wins, and a safety layer that is not ours must never be used by mistake. The marker is
    read, not imported: nothing of a foreign package runs.
    """
    for name in ("protocols", "safety", "patient_models"):
        spec = find_spec(name)
        loader = spec.loader if spec else None
        source = loader.get_source(name) if isinstance(loader, InspectLoader) else None
        if 'PART_OF = "neurostim"' not in (source or ""):
            raise ImportError(
                f"the package {name!r} ({spec.origin if spec else 'not found'}) does not belong to "
                "neurostim: another distribution may have installed it. Install neurostim in a "
                "virtual environment of its own."
            )


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neurostim' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


_check_siblings()
