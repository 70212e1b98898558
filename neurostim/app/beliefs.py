"""What a policy believes of one patient, in numbers.

This reads; it delivers nothing. The proposal itself comes from the controller in its own process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from neurostim.app.engine import Engine
from neurostim.app.life import Life, LimitChange
from neurostim.app.views import (
    Floats,
    Interval,
)
from neurostim.controllers import build_controller
from neurostim.controllers.explanation import DAYS, TAIL, Explanation, explain
from neurostim.controllers.gp import GaussianProcess
from neurostim.surrogate import Belief, refit
from neurostim.surrogate.contrast import Mixture, benefit, response
from protocols import Setting
from protocols.design import Arm

READER = Arm(name="gp", controller="gp")
"""Reads what was seen where the policy itself keeps no belief."""

FEWER_SEIZURES = -1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Read:
    """A belief about M candidates in numbers, each `M`: percent change of the rate against off.

    `is_own` is whether the policy itself believes it; otherwise a Gaussian process read what was
    seen. `rate_at` gives written seizures per 28 days at a place on the list.
    """

    candidates: tuple[Setting, ...]
    mean: Floats
    sd: Floats
    low: Floats
    middle: Floats
    high: Floats
    rate_at: Callable[[int], Interval]
    improves: Floats
    is_permitted: Any
    is_tolerated: Any
    explanation: Explanation
    is_own: bool


class Reader:
    """Reads beliefs; keeps what was prepared from one reading to the next."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._known: dict[str, tuple[GaussianProcess, Any]] = {}

    def read(self, life: Life, policy: Arm, changes: Sequence[LimitChange]) -> Read:
        """What is believed of every candidate after this life."""
        arm = policy
        built = build_controller(policy.controller, policy.options, f"policies.{policy.name}")
        is_own = isinstance(built, GaussianProcess)
        if not is_own:
            arm, built = READER, build_controller(READER.controller, {}, "reader")
        assert isinstance(built, GaussianProcess)
        key = arm.model_dump_json()
        if key not in self._known:
            self._known[key] = (built, built.init(self.engine.plan.context))
        controller, state = self._known[key]
        history = life.batch.history
        permitted = self.engine.allowed(self.engine.chain(changes).active)
        explanation = explain(controller, state, history, permitted[None])[0]
        with torch.no_grad():
            _, told = state.beliefs.after(history)
            belief = controller.as_delivered(state.tables, refit(told.effects))
            gain = benefit(belief, FEWER_SEIZURES, torch.zeros(1, dtype=torch.long))
            mean, sd = percent_moments(gain)
            quantiles = [_percent(gain.quantile(share)) for share in (1 - TAIL, 0.5, TAIL)]
            improves = (1 - gain.below(torch.zeros_like(gain.mean[:, 0])))[0].numpy()
        return Read(
            candidates=state.tables.candidates,
            mean=mean,
            sd=sd,
            low=quantiles[0],
            middle=quantiles[1],
            high=quantiles[2],
            rate_at=partial(_rate_at, belief),
            improves=improves,
            is_permitted=permitted,
            is_tolerated=controller.is_tolerated(state.tables, told)[0],
            explanation=explanation,
            is_own=is_own,
        )


def _rate_at(belief: Belief, place: int) -> Interval:
    """Written seizures per 28 days at a place on the list."""
    with torch.no_grad():
        rate = response(belief, torch.tensor([place]))
        low, middle, high = (
            float(DAYS * rate.quantile(share)[0].exp()) for share in (TAIL, 0.5, 1 - TAIL)
        )
    return Interval(middle=middle, low=low, high=high)


def _percent(gain: torch.Tensor) -> Floats:
    values: Floats = (100 * torch.expm1(-gain[0])).cpu().numpy()
    return values


def percent_moments(gain: Mixture) -> tuple[Floats, Floats]:
    """Mean and SD of the percent change of the rate, from the mixture of log-normals, `M` each."""
    weight = gain.weight[0][:, None]
    mean, variance = gain.mean[0], gain.variance[0]
    first = (weight * torch.exp(-mean + variance / 2)).sum(0)
    second = (weight * torch.exp(-2 * mean + 2 * variance)).sum(0)
    sd = (second - first.square()).clamp_min(0).sqrt()
    return (100 * (first - 1)).cpu().numpy(), (100 * sd).cpu().numpy()
