"""What sections of the page are made of: sentences that say so when nothing helps, and tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neurostim.report.drawing import Drawing
from neurostim.study.estimates import Interval, over_draws
from neurostim.study.parts import Sizes

Found = Mapping[str, Any]

SHOWN = ("rec 5", "rec 10", "rec 40", "trial 40")
HEADINGS = {
    "rec 5": "recommended at 5",
    "rec 10": "recommended at 10",
    "rec 40": "recommended at 40",
    "trial 40": "in trial, 40 epochs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A table of a section: each row begins with its name."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the page."""

    id: str
    title: str
    verdict: str
    how: str
    numbers: Numbers
    drawings: tuple[Drawing, ...]


def draws_of(found: Found, prefix: str, sizes: Sizes) -> dict[int, Any]:
    """What the finished draws of a part found, by their number."""
    names = {number: f"{prefix}-{number}" for number in range(sizes.n_draws)}
    return {number: found[name] for number, name in names.items() if name in found}


def column(rows: Mapping[int, Mapping[str, float]], name: str) -> Interval:
    """One figure over draws."""
    return over_draws([row[name] for row in rows.values()])


def paired(
    left: Mapping[int, Mapping[str, float]], right: Mapping[int, Mapping[str, float]], name: str
) -> Interval:
    """The difference of a figure over the draws that both have."""
    common = [number for number in left if number in right]
    return over_draws([left[each][name] - right[each][name] for each in common] or [float("nan")])


def worth(difference: Interval, what: str, than: str, unit: str = "in trial over 40 epochs") -> str:
    """A difference in words, that says so when nothing was gained."""
    figure = f"{difference.value:+.3f} share of the gap {unit}, 95 % {interval_words(difference)}"
    if not difference.excludes_zero:
        return f"{what} cannot be told from {than} by these draws: {figure}."
    if difference.value > 0:
        return f"{what} helps over {than}: {figure}."
    return f"{what} does not help, it is worse than {than}: {figure}."


def interval_words(interval: Interval) -> str:
    """The ends of an interval, or that there are none."""
    if interval.low != interval.low:
        return "no interval from one draw"
    return f"{interval.low:+.3f} to {interval.high:+.3f}"
