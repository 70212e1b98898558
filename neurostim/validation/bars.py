"""A figure, its error and its band on one small line, as positions that the page draws."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from neurostim.validation.table import Row

WIDTH = 150.0
MARGIN = 0.08


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """Positions from 0 to WIDTH; what is not known is None."""

    band: tuple[float, float]
    error: tuple[float, float]
    """Two Monte Carlo errors either side."""
    value: float
    published: float | None
    reference: float | None


def bar(row: Row) -> Bar | None:
    """Return the bar of a row, or None where there is no figure or no band."""
    low, high = row.target.band
    spread = (row.value - 2 * row.error, row.value + 2 * row.error)
    marks = (row.target.published_value, row.target.reference_value)
    known = list(finite((low, high, row.value, *spread, *marks)))
    if not isfinite(row.value) or not (isfinite(low) or isfinite(high)):
        return None
    span = (max(known) - min(known)) or max(0.1 * abs(row.value), 1.0)
    first = min(known) - MARGIN * span
    scale = WIDTH / (span * (1 + 2 * MARGIN))

    def place(value: float) -> float:
        return round(min(max((value - first) * scale, 0.0), WIDTH), 1)

    published, reference = (None if mark is None else place(mark) for mark in marks)
    return Bar(
        band=(place(low), place(high)),
        error=(place(spread[0]), place(spread[1])),
        value=place(row.value),
        published=published,
        reference=reference,
    )


def finite(values: Iterable[float | None]) -> Iterable[float]:
    """Return the values that are finite numbers."""
    return (value for value in values if value is not None and isfinite(value))
