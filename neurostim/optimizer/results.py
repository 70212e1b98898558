"""Checks of what an optimiser is told: a sentence for every mistake, before anything changes."""

from numbers import Real
from typing import Any

import numpy as np

from neurostim.optimizer.listing import Listing
from neurostim.optimizer.state import Result, State
from protocols import BOTHERSOME_GRADE, GRADES, InputError

LARGEST_VALUE = 1e150
LARGEST_COUNT = 1e9
EXPOSURES = (1e-6, 1e10)
"""Between these every rate can be computed with; beyond, another unit was meant."""


def result_of(
    listing: Listing, state: State, told: tuple[Any, Any, Any, Any], *, is_batch: bool
) -> Result:
    """What was told of each subject; raise `InputError` for the first mistake."""
    n = len(state.centre)
    setting, value, exposure, side_effect = told
    if is_batch:
        settings, values = _list("setting", setting, n), _list("value", value, n)
        exposures = [exposure] * n if _is_one(exposure) else _list("exposure", exposure, n)
        harms = [None] * n if side_effect is None else _list("side_effect", side_effect, n)
    else:
        settings, values, exposures, harms = [setting], [value], [exposure], [side_effect]
    is_counts = state.belief.likelihood.name == "counts"
    rows = []
    for b, (s, v, e, h) in enumerate(zip(settings, values, exposures, harms, strict=True)):
        try:
            rows.append(_row(listing, is_counts, s, v, e, h))
        except InputError as error:
            raise InputError(f"subject {b}: {error}" if is_batch else str(error)) from None
    index, has, number, length, harm = zip(*rows, strict=True)
    if not any(has):
        raise InputError("setting: None for every subject; one or more settings were expected")
    return Result(
        index=np.array(index, dtype=np.int64),
        has_setting=np.array(has),
        value=np.array(number, dtype=np.float64),
        exposure=np.array(length, dtype=np.float64),
        harm=np.array(harm, dtype=np.float64),
        pending_before=state.pending,
        n_asks_before=state.n_asks,
    )


def _row(
    listing: Listing, is_counts: bool, setting: Any, value: Any, exposure: Any, harm: Any
) -> tuple[int, bool, float, float, float]:
    if setting is None:
        if value is not None or harm is not None:
            raise InputError(f"value {value!r} comes without a setting: None was expected")
        return 0, False, np.nan, 1.0, np.nan
    index = listing.index_of(setting)
    length = _number("exposure", exposure)
    if length <= 0:
        raise InputError(f"exposure = {length:g}: more than 0 was expected")
    lowest, highest = EXPOSURES
    if not lowest <= length <= highest:
        raise InputError(
            f"exposure = {length:g}: {lowest:g} to {highest:g} was expected; take another unit"
        )
    return index, True, _value(is_counts, value), length, _harm(harm)


def _value(is_counts: bool, value: Any) -> float:
    if value is None:
        return np.nan
    number = _number("value", value)
    if is_counts and (number < 0 or number != int(number)):
        raise InputError(f"value = {number:g}: a count, a whole number from 0, was expected")
    if is_counts and number > LARGEST_COUNT:
        raise InputError(f"value = {number:g}: a count up to {LARGEST_COUNT:g} was expected")
    return number


def _harm(harm: Any) -> float:
    if harm is None:
        return np.nan
    if isinstance(harm, bool | np.bool_):
        return float(harm)
    grade = _number("side_effect", harm)
    if grade not in GRADES:
        raise InputError(
            f"side_effect = {grade:g}: a grade of {list(GRADES)}, True or False was expected"
        )
    return float(grade >= BOTHERSOME_GRADE)


def _number(name: str, value: Any) -> float:
    if isinstance(value, np.ndarray | np.generic) and value.size == 1:
        value = value.item()
    if hasattr(value, "item") and not isinstance(value, Real):  # a tensor of one number
        try:
            value = value.item()
        except (RuntimeError, ValueError):
            raise InputError(f"{name} = {value!r}: one number was expected") from None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(f"{name} = {value!r}: a number was expected")
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not abs(number) <= LARGEST_VALUE:
        raise InputError(f"{name} = {number:g}: a finite number was expected")
    return number


def _is_one(value: Any) -> bool:
    return isinstance(value, Real) or (hasattr(value, "ndim") and value.ndim == 0)


def _list(name: str, values: Any, n: int) -> list[Any]:
    try:
        listed = list(values)
    except TypeError:
        raise InputError(f"{name} = {values!r}: a list of {n} was expected") from None
    if len(listed) != n:
        raise InputError(f"{name} has {len(listed)} entries: one for each of {n} subjects expected")
    return listed
