"""A table as the page sets it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of texts under heads; the first column names the row.

    `label` is what a screen reader announces, `caption` stands over the table, and `words` are the
    positions of the columns, from 0, that hold words and not numbers.
    """

    label: str
    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: frozenset[int] = frozenset()
