"""Main effects: what each knob does on average over the others, by the outer model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurostim.tuning.knobs import Choice, Knob, Space
from neurostim.tuning.outer_model import OuterModel
from neurostim.tuning.search import NEAR_SHARE, Known

N_AVERAGED = 64
DRAWN_SEED = 20_260
Z = 1.96

WORTHWHILE = 0.02
"""A share of the gap: what is smaller is not worth a knob's attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueEffect:
    """What a value does against the usual one, in the objective's unit, and its error."""

    value: Any
    difference: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KnobEffect:
    """The main effect of a knob.

    `variance_share` is how much of the model's variance over choices its main effect explains
    (a first-order Sobol index).
    """

    knob: Knob
    values: tuple[ValueEffect, ...]
    variance_share: float

    @property
    def usual(self) -> Any:
        """The value of the design."""
        return self.knob.values[self.knob.usual]

    @property
    def best(self) -> ValueEffect:
        """The value other than the usual with the largest lower limit."""
        return max(self.values, key=lambda each: each.difference - Z * each.error)

    @property
    def verdict(self) -> str:
        """Whether changing the knob is worth while by its main effect, in words."""
        if self.best.difference - Z * self.best.error > 0:
            return "worth tuning"
        if all(each.difference + Z * each.error < WORTHWHILE for each in self.values):
            return "not worth tuning"
        return "not known"


def main_effects(known: Known, model: OuterModel) -> list[KnobEffect]:
    """The effect of every knob that has a choice, the largest first.

    Averages are over choices near the design, in which each of the other knobs is changed with
    the chance `NEAR_SHARE`, and over those in which the knob does something. Errors are those of
    the model's joint posterior.
    """
    space = known.space
    around = space.drawn(N_AVERAGED, DRAWN_SEED, NEAR_SHARE)
    mean, _ = model.posterior(list(dict.fromkeys(around)))
    total = float(mean.var())
    found = [_effect(space, model, around, number, total) for number in range(len(space.knobs))]
    return sorted((each for each in found if each.values), key=lambda each: -each.variance_share)


def _effect(
    space: Space, model: OuterModel, around: Sequence[Choice], number: int, total: float
) -> KnobEffect:
    knob = space.knobs[number]
    awake = [awakened(space, choice, knob) for choice in around]

    def at(place: int) -> list[Choice]:
        moved = [(*choice[:number], place, *choice[number + 1 :]) for choice in awake]
        return [space.canonical(choice) for choice in moved]

    n, values, means = len(awake), [], []
    for place in range(len(knob.values)):
        mean, covariance = model.posterior([*at(place), *at(knob.usual)])
        means.append(float(mean[:n].mean()))
        if place != knob.usual:
            weights = np.repeat([1 / n, -1 / n], n)
            variance = weights @ covariance.numpy() @ weights
            values.append(
                ValueEffect(
                    value=knob.values[place],
                    difference=float(weights @ mean.numpy()),
                    error=float(np.sqrt(max(variance, 0.0))),
                )
            )
    explained = float(np.var(means)) / total if total > 0 else 0.0
    return KnobEffect(knob=knob, values=tuple(values), variance_share=min(explained, 1.0))


def awakened(space: Space, choice: Choice, knob: Knob) -> Choice:
    """The same choice with the knobs that another one needs where it does something."""
    if knob.needs is None or knob.needs[0] not in space.place:
        return choice
    place = space.place[knob.needs[0]]
    parent = space.knobs[place]
    choice = awakened(space, choice, parent)
    if parent.values[choice[place]] in knob.needs[1]:
        return choice
    wanted = parent.values.index(knob.needs[1][0])
    return (*choice[:place], wanted, *choice[place + 1 :])
