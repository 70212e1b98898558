"""Scenarios: designs under named assumptions, made ready, and where each replicate's people are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurostim.plan import Plan, make_plan
from protocols import InputError
from protocols.design import load_design
from protocols.documents import parse_overrides

PEOPLE_PER_ARM = 10_000
"""Addresses of the people that one arm of one replicate may screen."""

MOST_REPLICATES = 100_000
NO_OPEN_LABEL = {"schedule.open_label_days": 0, "schedule.open_label_arm": None}
"""Nothing that is tested is seen after treatment."""

KINDS = ("paired", "parallel")
"""Designs in which a patient lives one arm from the first day of treatment to the last."""

NULL = {"population.model": "null"}
"""The clinical family in which stimulation changes no seizure rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A design under one assumption, ready to be replicated.

    When `is_paired` every arm treats the same people; otherwise each arm has people of its own.
    `fingerprint` is that of the design with the scenario's changes, its open label included.
    """

    name: str
    design: str
    fingerprint: str
    plan: Plan
    is_paired: bool

    @property
    def arms(self) -> tuple[str, ...]:
        """The names of the arms, in the order of the design."""
        return tuple(arm.name for arm in self.plan.design.arms)

    @property
    def reference(self) -> str:
        """The arm that the others are compared with."""
        return self.plan.design.analysis.reference

    def first_person(self, replicate: int, arm: int) -> int:
        """The address at which an arm of a replicate begins to screen people."""
        side = 0 if self.is_paired else arm
        return (replicate * len(self.arms) + side) * PEOPLE_PER_ARM


def make_scenario(
    design: str, name: str, changes: Mapping[str, Any], *, seed: int, is_paired: bool
) -> Scenario:
    """Read a design by name or path with changes, and make it ready.

    Replicates have as many patients in each arm, whatever the allocation of the design.

    Raises `InputError` for what is unknown or does not fit, and for a design without two arms one
    of which is the reference.
    """
    small = {"population.n_patients": 2}  # who is simulated is chosen replicate by replicate
    read = load_design(design, {**changes, **NO_OPEN_LABEL, **small})
    if read.kind not in KINDS:
        raise InputError(f"{design}: kind = {read.kind!r}: {' or '.join(KINDS)} was expected")
    if len(read.arms) < 2:
        raise InputError(f"{design}: one arm; power needs two or more")
    folder = Path(design).parent if Path(design).suffix == ".toml" else Path()
    # Each arm's people are drawn here, so that to the plan everybody lives the arm that is asked.
    read = read.model_copy(update={"kind": "paired"})
    plan = make_plan(read, seed=seed, compute="cpu", is_isolated=False, folder=folder)
    return Scenario(
        name=name,
        design=read.name,
        fingerprint=load_design(design, changes).fingerprint(),
        plan=plan,
        is_paired=is_paired,
    )


def parse_scenarios(words: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The changes that belong to each scenario's name, from words such as mild:key=value.

    A name that stands in several words gathers their changes; without words there is one scenario,
    "as designed", without changes.
    """
    gathered: dict[str, list[str]] = {}
    for word in words:
        name, colon, change = word.partition(":")
        if not name or not colon or "=" not in change:
            raise InputError(f"scenario {word!r}: NAME:KEY=VALUE was expected")
        gathered.setdefault(name, []).append(change)
    parsed = {name: dict(parse_overrides(changes)) for name, changes in gathered.items()}
    return parsed or {"as designed": {}}
