"""What an optimiser says about its subjects: a recommendation, whether to stop, and why."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from neurostim.controllers.acquisition import SCORE_DECIMALS
from neurostim.optimizer.listing import Listing
from neurostim.optimizer.spreading import is_little_known
from neurostim.optimizer.state import State
from neurostim.surrogate.contrast import benefit, response
from neurostim.surrogate.model import ListModel
from neurostim.surrogate.readout import is_supported

TAIL = 0.05
"""On either side of an interval of 90 %."""

FEWEST_RESULTS = 10
"""Nothing is said about stopping before a subject has given this many."""

Stop: TypeAlias = Literal["converged", "neutral"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The setting with the best posterior mean among those that the data tell something about.

    `expected` and `interval` (90 %) are of the response: a rate per unit of exposure for counts.
    `improvement` and its interval are over `reference` and positive when better: in the unit of the
    values, or for counts the share of the reference's rate that is saved (or gained).
    """

    setting: Any
    expected: float
    interval: tuple[float, float]
    improvement: float
    improvement_interval: tuple[float, float]
    probability_of_improvement: float
    reference: Any
    n_told: int  # results about this setting itself
    is_supported: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was learnt, and why the next setting is what it is."""

    n_told: int
    recommended: Any  # None when nothing is allowed
    runner_up: Any  # None when no other setting is allowed
    probability_over_runner_up: float | None
    next_setting: Any  # None when nothing may be asked
    intent: Literal["explore", "exploit"]
    signal_to_noise: float | None  # of the surface over the list; None for counts
    n_avoided: int  # settings that are left out, known unsafe or by their side effects
    would_change: str


def best_of(scores: Tensor, mask: Tensor) -> Tensor:
    """The place of the best score where the mask is true, the first of equals, `B`.

    What has no score, or one of minus infinity, comes last among them.
    """
    rounded = torch.round(scores, decimals=SCORE_DECIMALS)
    lowest = torch.finfo(rounded.dtype).min
    finite = rounded.nan_to_num(nan=lowest, posinf=torch.inf, neginf=lowest)
    return torch.where(mask, finite, -torch.inf).argmax(1)


def eligible(state: State, model: ListModel, allowed: Tensor) -> tuple[Tensor, Tensor]:
    """Settings that may be recommended, and those of them that the data support, `B M` each.

    Without a supported one those that were told stand in, and without any of them all that are
    allowed; when nothing is allowed, nothing may be recommended.
    """
    observed = state.belief.observed
    was_told = torch.zeros_like(allowed)
    for t in range(observed.index.shape[1]):
        was_told[torch.arange(len(allowed)), observed.index[:, t]] |= observed.mask[:, t]
    has_told = was_told.any(1, keepdim=True)
    supported = ((is_supported(model) & has_told) | was_told) & allowed
    return torch.where(supported.any(1, keepdim=True), supported, allowed), supported


def recommendations(
    listing: Listing, fitted: State, sign: float, allowed: Tensor, reference: int
) -> list[Recommendation | None]:
    """One for each subject to whom anything is allowed, from a state that was refitted."""
    model = ListModel(fitted.belief, listing.features, sign)
    choices, supported = eligible(fitted, model, allowed)
    place = best_of(model.list_mean, choices)
    subject = torch.arange(len(place))
    gains = benefit(fitted.belief, sign, torch.full_like(place, reference))
    gain = type(gains)(
        weight=gains.weight,
        mean=gains.mean[subject, :, place],
        variance=gains.variance[subject, :, place],
    )
    level = response(fitted.belief, place)
    is_same = place == reference
    better = [gain.expected(), gain.quantile(TAIL), gain.quantile(1 - TAIL)]
    values = [level.expected(), level.quantile(TAIL), level.quantile(1 - TAIL)]
    below = gain.below(torch.zeros_like(better[0]))
    answers: list[Recommendation | None] = []
    for b, m in enumerate(place.tolist()):
        if not choices[b, m]:
            answers.append(None)
            continue
        improvement, low, high = (_improvement(fitted, sign, float(each[b]), b) for each in better)
        expected, lowest, highest = (_value(fitted, float(each[b]), b) for each in values)
        answers.append(
            Recommendation(
                setting=listing.settings[m],
                expected=expected,
                interval=(lowest, highest),
                improvement=improvement,
                improvement_interval=(low, high),
                probability_of_improvement=0.0 if is_same[b] else 1 - float(below[b]),
                reference="average of the list" if reference < 0 else listing.settings[reference],
                n_told=fitted.n_at(b, m),
                is_supported=bool(supported[b, m]),
            )
        )
    return answers


def _value(state: State, latent: float, subject: int) -> float:
    if state.belief.likelihood.name == "counts":
        return float(torch.tensor(latent).clamp_max(700.0).double().exp())
    return float(state.centre[subject] + state.spread[subject] * latent)


def _improvement(state: State, sign: float, benefit: float, subject: int) -> float:
    if state.belief.likelihood.name == "counts":
        return sign * float(torch.expm1(torch.tensor(sign * benefit).double().clamp_max(700.0)))
    return float(state.spread[subject]) * benefit


def stops(
    listing: Listing,
    fitted: State,
    sign: float,
    allowed: Tensor,
    reference: int,
    tolerance: float,
) -> list[Stop | None]:
    """Whether each subject may stop (see `Optimizer.should_stop`), from a refitted state."""
    model = ListModel(fitted.belief, listing.features, sign)
    place = best_of(model.list_mean, eligible(fitted, model, allowed)[0])

    def most_to_gain(over: Tensor) -> Tensor:
        gain = benefit(fitted.belief, sign, over).gain()
        return torch.where(allowed, gain, 0.0).amax(1)

    over_reference = most_to_gain(torch.full_like(place, reference)) < tolerance
    over_recommended = (most_to_gain(place) < tolerance) & ~is_little_known(model)
    answers: list[Stop | None] = []
    for b, n_told in enumerate(fitted.n_told):
        if n_told < FEWEST_RESULTS:
            answers.append(None)
        elif over_reference[b]:
            answers.append("neutral")
        else:
            answers.append("converged" if over_recommended[b] else None)
    return answers


def explanations(
    listing: Listing, fitted: State, sign: float, allowed: Tensor, asked: list[int | None]
) -> list[Explanation]:
    """One for each subject, from a state that was refitted and what would be asked next."""
    model = ListModel(fitted.belief, listing.features, sign)
    choices, _ = eligible(fitted, model, allowed)
    place = best_of(model.list_mean, choices)
    subject = torch.arange(len(place))
    others = choices.clone()
    others[subject, place] = False
    rest = allowed.clone()
    rest[subject, place] = False
    others = torch.where(others.any(1, keepdim=True), others, rest)
    second = best_of(model.list_mean, others)
    gains = benefit(fitted.belief, sign, second)
    over = 1 - gains.below(torch.zeros_like(gains.expected()))[subject, place]
    answers = []
    for b, (m, other, ask) in enumerate(zip(place.tolist(), second.tolist(), asked, strict=True)):
        is_exploit = ask is None or ask == m
        has_second = bool(others[b, other])
        answers.append(
            Explanation(
                n_told=int(fitted.n_told[b]),
                recommended=listing.settings[m] if choices[b, m] else None,
                runner_up=listing.settings[other] if has_second else None,
                probability_over_runner_up=float(over[b]) if has_second else None,
                next_setting=None if ask is None else listing.settings[ask],
                intent="exploit" if is_exploit else "explore",
                signal_to_noise=_signal_to_noise(fitted, b),
                n_avoided=int((~allowed[b]).sum()),
                would_change=_would_change(fitted, model, sign, b, m, other)
                if has_second
                else "nothing: no other setting is allowed",
            )
        )
    return answers


def _signal_to_noise(state: State, subject: int) -> float | None:
    belief = state.belief
    if belief.likelihood.name == "counts":
        return None
    average = belief.prior.covariance.average()
    between = (belief.prior.variance.mean(1) - average.mean(1)).clamp_min(0.0)
    ratio = between.sqrt() / belief.prior.dispersion
    return float((belief.weight[subject] * ratio).sum())


def _would_change(
    state: State, model: ListModel, sign: float, subject: int, first: int, second: int
) -> str:
    gap = float(model.list_mean[subject, first] - model.list_mean[subject, second])
    amount = abs(_improvement(state, sign, gap, subject))
    unit = "of its rate" if state.belief.likelihood.name == "counts" else "in the response"
    size = f"{amount:.0%}" if state.belief.likelihood.name == "counts" else f"{amount:.3g}"
    return f"the runner-up is chosen once it is expected to be {size} {unit} better than now"
