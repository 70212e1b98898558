"""What can be tuned of an arm, and the space of all choices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor

from neurostim.controllers import build_controller
from neurostim.controllers.gp import LEARNED_BETA, USUAL_BETA, GaussianProcess, RandomThenPosterior
from protocols import InputError
from protocols.design import Arm, Design

Choice = tuple[int, ...]
"""The place of a value for each knob of a space."""

EPOCH_DAYS = "epoch_days"
"""The one knob that is the trial's and not the controller's."""

NUMBERS: dict[str, tuple[Any, ...]] = {
    "beta": (0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0),
    "dwell_epochs": (1, 2, 3, 4),
    "discarded_days": (0, 7, 14, 28),
    "amplitude_step": (1, 2),
    "frequency_step": (1, 2, 3),
    "perturbed_ticks": (0, 1, 2),
    "limit_beta": (0.0, 1.0, 2.0, 3.0),
    "unsafe_probability": (0.003, 0.01, 0.03),
    "wash_in_days": (0.0, 9.0, 18.0, 36.0),
    "wander_sd": (0.0, 0.25, 0.5, 0.8),
    "generic_share": (0.0, 0.05, 0.1, 0.2, 0.4),
    "n_anchors": (0, 1, 2, 3),
}
NAMES: dict[str, tuple[Any, ...]] = {
    "acquisition": ("upper_confidence_bound", "log_expected_improvement", "thompson"),
    "keeps_per_week": ((1.0,), (1.0, 0.98, 0.94)),
    "cycle_days": ((), (28.0,)),
    "surfaces": ("both", "rough", "smooth"),
    "avoids_edges": (True, False),
    "is_limited": (False, True),
}
USED_ONLY_WITH: dict[str, tuple[str, tuple[Any, ...]]] = {
    "beta": ("acquisition", ("upper_confidence_bound",)),
    "limit_beta": ("is_limited", (True,)),
    "unsafe_probability": ("is_limited", (True,)),
}
WITHOUT_PRIOR = ("wash_in_days", "wander_sd", "cycle_days", "surfaces", "avoids_edges")
"""A learned prior brings its own, so that these do something only without one."""

WITH_PRIOR = ("generic_share", "n_anchors")
EPOCH_LENGTHS = (7, 14, 21, 28, 42)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One thing to tune: its values, and the place of the one that the design has.

    A knob with `needs` does something only where another knob has one of some values; elsewhere it
    stays at its usual place, so that two choices that act alike are one.
    """

    name: str
    values: tuple[Any, ...]
    usual: int
    is_ordered: bool
    needs: tuple[str, tuple[Any, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """All choices over some knobs."""

    knobs: tuple[Knob, ...]
    place: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        places = {knob.name: number for number, knob in enumerate(self.knobs)}
        object.__setattr__(self, "place", places)

    @property
    def usual(self) -> Choice:
        """What the design has."""
        return tuple(knob.usual for knob in self.knobs)

    @property
    def n_combinations(self) -> int:
        """Of values, those that act alike included."""
        return prod(len(knob.values) for knob in self.knobs)

    def is_active(self, choice: Choice, knob: Knob) -> bool:
        """Whether a knob does something in this choice."""
        if knob.needs is None or knob.needs[0] not in self.place:
            return True
        parent = self.knobs[self.place[knob.needs[0]]]
        value = parent.values[choice[self.place[parent.name]]]
        return value in knob.needs[1] and self.is_active(choice, parent)

    def canonical(self, choice: Sequence[int]) -> Choice:
        """The same choice with every knob that does nothing in its usual place."""
        whole = tuple(choice)
        return tuple(
            place if self.is_active(whole, knob) else knob.usual
            for place, knob in zip(whole, self.knobs, strict=True)
        )

    def drawn(self, n: int, seed: int, changed_share: float = 1.0) -> list[Choice]:
        """The first `n` choices of a scrambled Sobol sequence, canonical; some may be the same.

        A knob is left in its usual place unless it is among the `changed_share` that are drawn.
        """
        d = len(self.knobs)
        engine = torch.quasirandom.SobolEngine(2 * d, scramble=True, seed=seed)
        sizes = torch.tensor([len(knob.values) for knob in self.knobs], dtype=torch.float64)
        luck = engine.draw(n, dtype=torch.float64)
        usual = torch.tensor(self.usual)
        places = torch.where(luck[:, d:] < changed_share, (luck[:, :d] * sizes).long(), usual)
        return [self.canonical(row) for row in places.tolist()]

    def neighbours(self, choice: Choice) -> Iterator[Choice]:
        """The choices that differ in one knob, canonical."""
        for number, knob in enumerate(self.knobs):
            for place in range(len(knob.values)):
                if place != choice[number] and self.is_active(choice, knob):
                    yield self.canonical((*choice[:number], place, *choice[number + 1 :]))

    def values(self, choice: Choice) -> dict[str, Any]:
        """The values of a choice, by the knobs' names."""
        pairs = zip(self.knobs, choice, strict=True)
        return {knob.name: knob.values[place] for knob, place in pairs}

    def changes(self, choice: Choice) -> dict[str, Any]:
        """The values in which a choice differs from what the design has."""
        return {
            knob.name: knob.values[place]
            for knob, place in zip(self.knobs, choice, strict=True)
            if place != knob.usual
        }

    def encoded(self, choices: Sequence[Choice]) -> Tensor:
        """`N d`: the position from 0 to 1 of an ordered knob's value, the number of a named one."""
        rows = [
            [
                place / max(len(knob.values) - 1, 1) if knob.is_ordered else place
                for knob, place in zip(self.knobs, choice, strict=True)
            ]
            for choice in choices
        ]
        return torch.tensor(rows, dtype=torch.float64).reshape(len(choices), len(self.knobs))

    @property
    def named(self) -> list[int]:
        """Which columns of `encoded` are numbers of names."""
        return [number for number, knob in enumerate(self.knobs) if not knob.is_ordered]


def space_of(design: Design, arm: Arm, priors: Sequence[str] = ()) -> Space:
    """The knobs of an arm; `InputError` when it is of no kind that can be tuned.

    A prior is a knob when the arm has one, or when `priors` offers others.
    """
    controller = build_controller(arm.controller, arm.options, f"arms.{arm.name}")
    if not isinstance(controller, GaussianProcess) or isinstance(controller, RandomThenPosterior):
        raise InputError(
            f"arms.{arm.name}: controller {arm.controller!r} has no knobs to tune: one of gp, "
            "gp-safe, gp-drifting and thompson was expected"
        )
    offered = tuple(dict.fromkeys([controller.prior, *priors, None]))
    if offered == (None,):
        offered = ()
    learned = tuple(each for each in offered if each is not None)
    knobs = [_epochs(design), *_rises(design, controller)]
    if offered:
        knobs.append(
            Knob(name="prior", values=offered, usual=offered.index(controller.prior),
                 is_ordered=False)
        )  # fmt: skip
    for name, usual_values in (NUMBERS | NAMES).items():
        needs = USED_ONLY_WITH.get(name)
        if name in WITH_PRIOR + WITHOUT_PRIOR:
            if not learned and name in WITH_PRIOR:
                continue
            needs = ("prior", learned if name in WITH_PRIOR else (None,)) if offered else None
        now = getattr(controller, name)
        if name == "beta" and now is None:
            now = USUAL_BETA if controller.prior is None else LEARNED_BETA
        knobs.append(_knob(name, usual_values, now, name in NUMBERS, needs))
    return Space(knobs=tuple(knobs))


def _knob(
    name: str,
    values: tuple[Any, ...],
    now: Any,
    is_ordered: bool,
    needs: tuple[str, tuple[Any, ...]] | None = None,
) -> Knob:
    """A knob whose values hold the present one."""
    if now not in values:
        values = tuple(sorted((*values, now))) if is_ordered else (*values, now)
    return Knob(
        name=name, values=values, usual=values.index(now), is_ordered=is_ordered, needs=needs
    )


def _epochs(design: Design) -> Knob:
    schedule = design.schedule
    fitting = tuple(days for days in EPOCH_LENGTHS if days <= schedule.evaluation_days)
    return _knob(EPOCH_DAYS, fitting, schedule.epoch_days, True)


def _rises(design: Design, controller: GaussianProcess) -> Iterator[Knob]:
    """By how much an amplitude may rise at a visit: one tick, two, or as the gate allows."""
    ticks = design.settings.amplitude_ua
    if len(ticks) < 2:
        return
    step = min(high - low for low, high in pairwise(ticks))
    numbers = sorted({step, 2 * step} | {each for each in [controller.largest_rise_ua] if each})
    values = (*numbers, None)
    yield Knob(
        name="largest_rise_ua",
        values=values,
        usual=values.index(controller.largest_rise_ua),
        is_ordered=True,
    )
