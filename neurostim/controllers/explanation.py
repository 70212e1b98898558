"""Why a Gaussian process proposes what it proposes: what was learnt, as data, for each patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from neurostim.controllers.beliefs import places_of
from neurostim.controllers.gp import GaussianProcess, Known
from neurostim.history import History, setting_row
from neurostim.surrogate import ListModel, refit
from neurostim.surrogate.contrast import Mixture, benefit, response
from protocols import Setting

TAIL = 0.05
"""On either side of an interval of 90 %."""

DAYS = 28
FEWER_SEIZURES = -1.0  # the sign of what is good


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """What is believed of one setting: medians, with intervals of 90 %.

    `rate_per_28_days` is of what is written in a diary, `reduction` the share of the rate when off
    that is saved.
    """

    setting: Setting
    rate_per_28_days: float
    rate_interval: tuple[float, float]
    reduction: float
    reduction_interval: tuple[float, float]
    probability_of_improvement: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was learnt of a patient, and why the next setting is what it is.

    `margin` is what would change the recommendation: the share of the rate by which the runner-up
    is expected to be worse. `n_left_out` counts the settings that the gate would deliver and the
    controller does not try, for their side effects.
    """

    n_told: int  # epochs
    n_dropped: int  # of them that could not be used
    recommended: Believed | None
    runner_up: Setting | None
    probability_over_runner_up: float | None
    margin: float | None
    proposed: Setting | None
    intent: Literal["explore", "exploit", "hold"]
    n_left_out: int


def explain(
    controller: GaussianProcess, state: Known, history: History, allowed: NDArray[np.bool_]
) -> list[Explanation]:
    """One explanation for each patient of `history`; `allowed` is `B M`, as for `propose`."""
    state, recommended = controller.recommend(state, history, allowed)
    state, proposed = controller.propose(state, history, allowed)
    tables = state.tables
    _, told = state.beliefs.after(history)
    tolerated = allowed & controller.is_tolerated(tables, told)
    with torch.no_grad():
        belief = controller.as_delivered(tables, refit(told.effects))
        mean = ListModel(belief, tables.encoded).list_mean
        best = _places(state, recommended)
        others = torch.from_numpy(tolerated.copy()).to(mean.device)
        others[torch.arange(len(best)), best] = False
        second = torch.where(others, mean, -torch.inf).argmax(1)
        over_off = _at(benefit(belief, FEWER_SEIZURES, torch.zeros_like(best)), best)
        over_second = _at(benefit(belief, FEWER_SEIZURES, second), best)
        rate = response(belief, best)
        better = 1 - over_second.below(torch.zeros_like(mean[:, 0]))
        gap = 1 - torch.exp(-over_second.expected())
        beliefs = _believed(recommended, rate, over_off)
    found = []
    for b, choice in enumerate(recommended):
        has_second = choice is not None and bool(others[b].any())
        found.append(
            Explanation(
                n_told=int(history.n_epochs[b]),
                n_dropped=int(belief.n_dropped[b]),
                recommended=beliefs[b],
                runner_up=tables.candidates[int(second[b])] if has_second else None,
                probability_over_runner_up=float(better[b]) if has_second else None,
                margin=max(0.0, float(gap[b])) if has_second else None,
                proposed=proposed[b],
                intent=_intent(proposed[b], choice),
                n_left_out=int((allowed[b] & ~tolerated[b]).sum()),
            )
        )
    return found


def _believed(
    settings: Sequence[Setting | None], rate: Mixture, gain: Mixture
) -> list[Believed | None]:
    rates = [DAYS * torch.exp(rate.quantile(share)) for share in (0.5, TAIL, 1 - TAIL)]
    saved = [1 - torch.exp(-gain.quantile(share)) for share in (0.5, TAIL, 1 - TAIL)]
    improves = 1 - gain.below(torch.zeros_like(rates[0]))
    found: list[Believed | None] = []
    for b, setting in enumerate(settings):
        if setting is None:
            found.append(None)
            continue
        middle, low, high = (float(each[b]) for each in rates)
        less, least, most = (float(each[b]) for each in saved)
        found.append(
            Believed(
                setting=setting,
                rate_per_28_days=middle,
                rate_interval=(low, high),
                reduction=0.0 if setting.is_off else less,
                reduction_interval=(0.0, 0.0) if setting.is_off else (least, most),
                probability_of_improvement=0.0 if setting.is_off else float(improves[b]),
            )
        )
    return found


def _places(state: Known, settings: Sequence[Setting | None]) -> torch.Tensor:
    """Where on the list the settings are, `B`; nothing counts as off, and is not shown."""
    off = state.tables.candidates[0]
    rows = np.array([setting_row(setting or off) for setting in settings])
    return torch.from_numpy(places_of(state.tables, rows)).to(state.tables.device)


def _at(gains: Mixture, place: torch.Tensor) -> Mixture:
    """Of a mixture about every setting, `B K M`, what it says of one, `B K`."""
    subject = torch.arange(len(place))
    return Mixture(
        weight=gains.weight,
        mean=gains.mean[subject, :, place],
        variance=gains.variance[subject, :, place],
    )


def _intent(
    proposed: Setting | None, recommended: Setting | None
) -> Literal["explore", "exploit", "hold"]:
    if proposed is None:
        return "hold"
    return "exploit" if proposed == recommended else "explore"
