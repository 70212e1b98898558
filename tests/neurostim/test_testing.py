"""Every family passes the conformance suite, and a broken one fails it by the name of its fault."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest

from neurostim.testing import CHECKS, ConformanceError, check_patient_model
from patient_models import MODELS, Model, Outcome, State
from protocols import Observation, Setting

SOUND = MODELS["clinical"]
Change = Callable[[Sequence[State], tuple[Outcome, ...]], Sequence[Outcome]]


@pytest.mark.parametrize("name", MODELS)
def test_every_family_conforms(name: str) -> None:
    assert check_patient_model(MODELS[name]) == list(CHECKS)


@dataclass(frozen=True)
class Broken:
    """The clinical family with one method or its outcomes spoiled."""

    methods: dict[str, Any]
    change: Change | None = None

    def __getattr__(self, name: str) -> Any:
        return self.methods.get(name) or getattr(SOUND, name)

    def advance(
        self, states: Sequence[State], settings: Sequence[Setting], days: Any
    ) -> tuple[Outcome, ...]:
        outcomes = SOUND.advance(states, settings, days)
        return tuple(self.change(states, outcomes)) if self.change else outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class Gossip(Observation):
    """An observation with the truth in it."""

    true_rate_per_day: float


def observed(outcome: Outcome, **changes: Any) -> Outcome:
    return replace(outcome, observation=replace(outcome.observation, **changes))


def leak(states: Sequence[State], outcomes: tuple[Outcome, ...]) -> list[Outcome]:
    seen = [{f.name: getattr(o.observation, f.name) for f in fields(Observation)} for o in outcomes]
    rates = [SOUND.rate_off(state) for state in states]
    return [
        replace(outcome, observation=Gossip(**values, true_rate_per_day=rate))
        for outcome, values, rate in zip(outcomes, seen, rates, strict=True)
    ]


def consume(states: Sequence[State], outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    np.random.random()
    return outcomes


def consume_python(states: Sequence[State], outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    random.random()
    return outcomes


def depend_on_the_batch(states: Sequence[State], outcomes: tuple[Outcome, ...]) -> list[Outcome]:
    return [replace(outcome, n_seizures=outcome.n_seizures + len(states)) for outcome in outcomes]


def remember() -> Change:
    calls = iter(range(10**9))

    def change(states: Sequence[State], outcomes: tuple[Outcome, ...]) -> list[Outcome]:
        call = next(calls)
        is_late = call >= 27  # 3 epochs of 8 patients together, and of each alone
        return [replace(o, n_seizures=o.n_seizures + (call if is_late else 0)) for o in outcomes]

    return change


def write_what_never_was(states: Sequence[State], outcomes: tuple[Outcome, ...]) -> list[Outcome]:
    return [
        observed(o, n_seizures=o.n_seizures + 1) if o.observation.days_recorded else o
        for o in outcomes
    ]


def lose_a_day(states: Sequence[State], outcomes: tuple[Outcome, ...]) -> list[Outcome]:
    return [replace(o, state=replace(o.state, day=o.state.day + 1, pending=())) for o in outcomes]


def deny_incidents(states: Sequence[State], outcomes: tuple[Outcome, ...]) -> list[Outcome]:
    return [
        observed(o, telemetry=replace(o.observation.telemetry, n_incidents=0)) for o in outcomes
    ]


def negative_rate(state: State) -> float:
    return -1.0


def effect_when_off(state: State, settings: Sequence[Setting]) -> Any:
    return SOUND.log_multipliers(state, settings) + 0.1


def unsafe_off(state: State, settings: Sequence[Setting]) -> Any:
    return np.ones(len(settings), dtype=np.bool_)


def ignore_the_seed(**options: Any) -> tuple[State, ...]:
    return SOUND.draw(**options | {"seed": 1})


def clones(**options: Any) -> tuple[State, ...]:
    drawn = SOUND.draw(**options)
    first = SOUND.draw(**options | {"patients": [0]})[0]
    return tuple(replace(s, parameters=first.parameters) for s in drawn)


def nobody(**options: Any) -> tuple[State, ...]:
    raise RuntimeError("no patients today")


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (Broken({}, leak), "observations hold no truth"),
        (Broken({}, write_what_never_was), "observations hold no truth"),
        (Broken({}, consume), "leaves shared randomness alone"),
        (Broken({}, consume_python), "leaves shared randomness alone"),
        (Broken({}, depend_on_the_batch), "same in any batch"),
        (Broken({}, remember()), "advances without side effects"),
        (Broken({}, lose_a_day), "time passes as observed"),
        (Broken({}, deny_incidents), "the device refuses what it must"),
        (Broken({"rate_off": negative_rate}), "rates are rates"),
        (Broken({"log_multipliers": effect_when_off}), "rates are rates"),
        (Broken({"is_unsafe": unsafe_off}), "unsafe settings are told apart"),
        (Broken({"draw": ignore_the_seed}), "seeds differ"),
        (Broken({"draw": clones}), "what happens varies"),
        (Broken({"draw": nobody}), "same in any batch"),
    ],
)
def test_a_broken_family_fails_by_name(broken: Model, check: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_patient_model(broken)
    assert caught.value.check == check
    assert str(caught.value).startswith(check)
    assert len(str(caught.value)) > len(check) + 10


def test_the_null_family_has_nothing_to_find() -> None:
    from neurostim.plan import make_plan
    from protocols.design import load_design

    plan = make_plan(load_design("demo", {"population.model": "null"}), seed=1, compute="cpu")
    null = MODELS["null"]
    states = null.draw(device=plan.device, seed=1, patients=range(50), enrolment=plan.enrolment)
    assert all((null.log_multipliers(s, plan.candidates) == 0).all() for s in states)
    assert any(null.is_unsafe(s, plan.candidates).any() for s in states)
