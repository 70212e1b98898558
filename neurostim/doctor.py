"""Whether this installation can be trusted: what is there, in which version, and does it answer."""

from collections.abc import Callable
from dataclasses import dataclass
from platform import python_version
from typing import Any

import numpy as np

from neurostim.plan import versions
from patient_models.randomness import philox
from protocols import OFF, Proposal
from protocols.design import design_names, load_design
from safety import Past, envelope_names, load_envelope, review

KNOWN_ANSWER = (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
"""Philox-4x32-10 of counter 0 and key 0, from the authors' file of known answers (Random123)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    is_good: bool
    found: str


def check_all() -> list[Check]:
    """Look at everything; a check that raises is a check that failed."""
    return [_checked(name, look) for name, look in CHECKS.items()]


def _checked(name: str, look: Callable[[], tuple[bool, str]]) -> Check:
    try:
        is_good, found = look()
    except Exception as error:
        is_good, found = False, f"{type(error).__name__}: {error}"
    return Check(name=name, is_good=is_good, found=found)


def _python() -> tuple[bool, str]:
    return True, python_version()


def _packages() -> tuple[bool, str]:
    return True, ", ".join(f"{name} {number}" for name, number in versions().items())


def _generator() -> tuple[bool, str]:
    zero = np.zeros(1, dtype=np.uint64)
    words = tuple(int(word[0]) for word in philox([zero, zero, zero, zero], (0, 0)))
    return words == KNOWN_ANSWER, "Philox-4x32-10 gives its published answer for counter 0, key 0"


def _envelopes() -> tuple[bool, str]:
    stops = [_stop(name) for name in envelope_names()]
    return all(stops), f"{', '.join(envelope_names())}: each loads, and its gate honours a stop"


def _stop(name: str) -> bool:
    envelope = load_envelope(name)
    proposal: Any = Proposal(
        patient=0, sequence=0, at_s=0, envelope_hash=envelope.hash, setting=OFF
    )
    return review(proposal, Past.start(0), envelope, 0).delivered == OFF


def _designs() -> tuple[bool, str]:
    names = design_names()
    for name in names:
        load_design(name)
    return bool(names), f"{', '.join(names)}: each is valid"


def _compute() -> tuple[bool, str]:
    import torch

    if torch.cuda.is_available():
        return True, f"cuda: {torch.cuda.get_device_name(0)}"
    return True, f"cpu, {torch.get_num_threads()} threads; no GPU was found, and none is needed"


CHECKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "Python": _python,
    "packages": _packages,
    "random numbers": _generator,
    "envelopes": _envelopes,
    "designs": _designs,
    "compute": _compute,
}
