"""What an optimiser knows between two calls: a value, so that undoing is going back to an old one.

Continuous responses come in any units. The filter sees them standardised by each subject's average
and spread; whenever these change, everything told so far is standardised again and the belief
follows, exactly (`whitening`). Counts have no units, but a subject's level starts from the average
rate in the same way. A prior that the user brought is about the values as they are told, and
nothing is standardised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurostim.optimizer.whitening import Whitened
from neurostim.surrogate.filter import Belief, Observed
from neurostim.surrogate.refit import chosen, refit

Floats = NDArray[np.float64]
Pending = tuple[tuple[int, ...], ...]

LARGEST_DRIFT = 0.5
"""Of the average log rate, until the level of a subject's counts starts from the new one."""

SMALLEST_SPREAD = float(np.finfo(np.float64).tiny)
ABSOLUTE_TO_SD = float(np.sqrt(np.pi / 2))
"""The mean absolute deviation, which one wild value moves less, times this is the SD."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """One result of each of B subjects, or none where the value is NaN."""

    index: NDArray[np.int64]  # B, 0 where there is no setting
    value: Floats  # B
    exposure: Floats  # B
    has_setting: NDArray[np.bool_]  # B
    harm: Floats  # B: 1 when a bothersome side effect came, 0 when not, NaN when not known
    pending_before: Pending
    n_asks_before: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """Beliefs about B subjects, and what they were asked and have not answered yet."""

    belief: Belief
    harm: Belief
    whitened: Whitened  # of continuous responses that are standardised
    is_standardised: bool
    told: tuple[Result, ...]
    centre: Floats  # B
    spread: Floats  # B
    pending: Pending
    n_asks: int = 0

    @property
    def n_told(self) -> NDArray[np.int64]:
        """How many results each subject has given, `B`."""
        if not self.told:
            return np.zeros(len(self.centre), dtype=np.int64)
        return np.asarray(np.isfinite(self.values()).sum(axis=1))

    def values(self) -> Floats:
        """Every value as it was told, `B n`."""
        return np.stack([each.value for each in self.told], axis=1)

    def n_at(self, subject: int, index: int) -> int:
        """How many results a subject has given about one setting."""
        return sum(
            bool(each.index[subject] == index and np.isfinite(each.value[subject]))
            for each in self.told
        )


def after(state: State, result: Result) -> State:
    """The state once a result was told; its scale follows when it has drifted."""
    told = replace(
        state,
        told=(*state.told, result),
        pending=tuple(
            without(asked, int(index)) if has else asked
            for asked, index, has in zip(
                state.pending, result.index, result.has_setting, strict=True
            )
        ),
        harm=harm_after(state, result),
    )
    if not state.is_standardised or state.belief.likelihood.name == "counts":
        return rescaled(replace(told, belief=told_of(state, result, result.value)))
    centre, spread = scales(told)
    now = replace(told, centre=centre, spread=spread)
    belief = told_of(state, result, scaled(now, result.value))
    whitened = state.whitened.told(belief, torch.from_numpy(result.value))
    return with_scales(replace(now, belief=belief, whitened=whitened), centre, spread)


def with_pending(state: State, pending: Pending, n_asks: int) -> State:
    """The state with other settings pending."""
    return replace(state, pending=pending, n_asks=n_asks)


def with_asked(state: State, asked: Sequence[int | None]) -> State:
    """The state with one more setting of each subject pending."""
    pending = tuple(
        before if m is None else (*before, m)
        for before, m in zip(state.pending, asked, strict=True)
    )
    return with_pending(state, pending, state.n_asks + 1)


def replayed(state: State, told: Sequence[Result]) -> State:
    """The state after the same results in the same order."""
    for result in told:
        state = after(with_pending(state, result.pending_before, result.n_asks_before), result)
    return state


def told_of(state: State, result: Result, value: Floats) -> Belief:
    """The belief after a result, whose values are scaled already."""
    return state.belief.told(observed(state, result, value))


def harm_after(state: State, result: Result) -> Belief:
    """What is believed about side effects; without any told, nothing is learnt about them."""
    if np.isnan(result.harm).all():
        return state.harm
    return state.harm.told(observed(state, result, result.harm))


def without(asked: tuple[int, ...], index: int) -> tuple[int, ...]:
    """What is still pending once a setting, perhaps one of them, was answered."""
    if index not in asked:
        return asked
    place = asked.index(index)
    return asked[:place] + asked[place + 1 :]


def scaled(state: State, value: Floats) -> Floats:
    """Values as the filter sees them, `B` or `B n`."""
    if state.belief.likelihood.name == "counts" or not state.is_standardised:
        return value
    return ((value.T - state.centre) / state.spread).T


def observed(state: State, result: Result, value: Floats) -> Observed:
    """One observation of each subject for a filter; time passes by exposure."""
    exposure = torch.from_numpy(result.exposure)
    is_epoch = torch.from_numpy(result.has_setting)
    return Observed(
        index=torch.from_numpy(result.index),
        value=torch.from_numpy(np.nan_to_num(value)),
        exposure=exposure,
        days=exposure,
        at_day=state.belief.day + exposure / 2,
        mask=is_epoch & torch.from_numpy(np.isfinite(value)),
        is_epoch=is_epoch,
    )


def rescaled(state: State) -> State:
    """The state in which counts start from a level that fits, where it has drifted far."""
    if not state.is_standardised:
        return state
    centre, spread = scales(state)
    has_drifted = np.abs(centre - state.centre) > LARGEST_DRIFT
    if not has_drifted.any():
        return state
    state = with_scales(state, np.where(has_drifted, centre, state.centre), spread)
    fitted = refit(state.belief.of(torch.from_numpy(np.flatnonzero(has_drifted))))
    return replace(state, belief=with_parts(state.belief, fitted, torch.from_numpy(has_drifted)))


def with_parts(belief: Belief, fitted: Belief, is_new: Tensor) -> Belief:
    """A belief in which some subjects' parts come from one about these alone."""
    place = (is_new.long().cumsum(0) - 1).clamp_min(0)
    return chosen(fitted.of(place), belief, is_new)


def with_scales(state: State, centre: Floats, spread: Floats) -> State:
    """The state with other scales, `B` each.

    The belief about continuous responses follows; that about counts is to be refitted.
    """
    state = replace(state, centre=centre, spread=spread)
    belief = state.belief
    if belief.likelihood.name == "counts":
        start = torch.from_numpy(centre)[:, None].expand_as(belief.level_start)
        return replace(state, belief=replace(belief, level_start=start.clone()))
    value = torch.from_numpy(np.nan_to_num(scaled(state, state.values())))
    belief = replace(belief, observed=replace(belief.observed, value=value))
    scale = torch.from_numpy(centre), torch.from_numpy(spread)
    return replace(state, belief=state.whitened.standardised(belief, *scale))


def refitted(state: State) -> State:
    """The state at the joint mode of everything told: the order of telling is forgotten."""
    if not state.told:
        return state
    if state.is_standardised:
        state = with_scales(state, *scales(state))
        if state.belief.likelihood.name != "counts":
            return state  # exact already
    return replace(state, belief=refit(state.belief))


def scales(state: State) -> tuple[Floats, Floats]:
    """Average and spread of each subject's values, `B` each; of counts, the log rate and 1."""
    values = state.values()
    index, exposure = (
        np.stack([getattr(each, name) for each in state.told], axis=1)
        for name in ("index", "exposure")
    )
    pairs = []
    for b, is_told in enumerate(np.isfinite(values)):
        told = values[b, is_told]
        if not len(told):
            pairs.append((0.0, 1.0))
        elif state.belief.likelihood.name == "counts":
            rate = (told.sum() + 0.5) / exposure[b, is_told].sum()
            pairs.append((float(np.log(rate)), 1.0))
        else:
            pairs.append(scale_of(told, index[b, is_told]))
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


def scale_of(values: Floats, index: NDArray[np.int64]) -> tuple[float, float]:
    """Average and spread of continuous values, `n` each, in which every setting counts once.

    Otherwise a search that stays where it is would see its own noise as the whole spread, and
    believe ever less in the rest of the surface.
    """
    order = np.lexsort((values, index))  # neither overflow nor the order of telling matters
    values, index = values[order], index[order]
    largest = float(np.abs(values).max()) or 1.0
    unit = values / largest
    _, which, n_at = np.unique(index, return_inverse=True, return_counts=True)
    weight = 1 / n_at[which] / len(n_at)
    centre = float((weight * unit).sum())
    spread = ABSOLUTE_TO_SD * float((weight * np.abs(unit - centre)).sum())
    if len(values) > 1:
        spread *= float(np.sqrt(len(values) / (len(values) - 1)))
    if spread < 1e-12:  # one value, or all the same
        spread = 1.0
    return centre * largest, max(spread * largest, SMALLEST_SPREAD)


def imagined(state: State) -> Belief:
    """The belief as if each pending setting had answered what is expected of it.

    The means stay and the variances shrink (Desautels et al. 2014, GP-BUCB), so that a second ask
    goes elsewhere.
    """
    belief, exposure = state.belief, usual_exposure(state)
    for turn in range(max(len(asked) for asked in state.pending)):
        has = np.array([turn < len(asked) for asked in state.pending])
        index = np.array([asked[turn] if turn < len(asked) else 0 for asked in state.pending])
        place = torch.from_numpy(index)
        latent = _expected(belief, place)
        is_counts = belief.likelihood.name == "counts"
        fantasy = Result(
            index=index,
            value=exposure * latent.exp().numpy() if is_counts else latent.numpy(),
            exposure=exposure,
            has_setting=has,
            harm=np.full(len(has), np.nan),
            pending_before=state.pending,
            n_asks_before=state.n_asks,
        )
        told = belief.told(observed(state, fantasy, fantasy.value))
        belief = replace(
            told,
            mean=belief.mean,
            extra_mean=belief.extra_mean,
            log_weight=belief.log_weight,
        )
    return belief


def usual_exposure(state: State) -> Floats:
    """Mean exposure of each subject's results, `B`; one unit before the first."""
    usual = np.ones(len(state.centre))
    if state.told:
        has = np.stack([each.has_setting for each in state.told], axis=1)
        exposure = np.stack([each.exposure for each in state.told], axis=1)
        total = np.where(has, exposure, 0.0).sum(axis=1)
        usual = np.where(has.any(axis=1), total / np.maximum(has.sum(axis=1), 1), 1.0)
    return usual


def _expected(belief: Belief, place: Tensor) -> Tensor:
    """Expected latent value of each subject at a setting, `B`."""
    subject = torch.arange(belief.n_patients)
    latent = belief.mean[subject, :, place] + belief.extra_mean[..., 0]
    return (belief.weight * latent).sum(1).clamp(-20.0, 20.0)
