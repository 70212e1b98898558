"""Many values of one dataclass as columns, and back: one record of the log for many patients.

A field that is a dataclass gives a column for each of its own fields, named by its path. A tuple
gives a column of lengths and the columns of all its items in a row; so does what may be None, of
lengths 0 and 1. What is the same all the way down is written once, other numbers in base 64, and
texts once each, with numbers saying which.
"""

import struct
from binascii import a2b_base64, b2a_base64
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import is_dataclass
from enum import StrEnum
from itertools import chain, islice
from operator import attrgetter
from typing import Any

from protocols import InputError
from safety.audit_plain import constructed, hints_of, maybe, parts_of, restored, shown

Columns = dict[str, list[Any]]
"""Whole numbers, or texts; the length of each follows from the others."""

WIDTHS = ("B", "H", "i", "q")
"""Letters of `struct`: 1 or 2 bytes without sign, 4 or 8 bytes with one, least byte first."""
LARGEST = (2**8 - 1, 2**16 - 1, 2**31 - 1)

LONGEST_COLUMN = 4_000_000
MOST_EACH = 1000


def flattened(name: str, kind: Any, values: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the columns that `values`, each of type `kind`, give, with their names."""
    if (some := maybe(kind)) is not None:
        present = [value for value in values if value is not None]
        yield name, [int(value is not None) for value in values]
        yield from flattened(f"{name}.some", some, present)
    elif parts := parts_of(kind):
        if parts[-1] is not Ellipsis:
            for index, part in enumerate(parts):
                yield from flattened(f"{name}.{index}", part, [value[index] for value in values])
            return
        yield name, list(map(len, values))
        yield from flattened(f"{name}.each", parts[0], list(chain.from_iterable(values)))
    elif is_dataclass(kind):
        for field, each in hints_of(kind).items():  # type: ignore[arg-type]  # a class
            yield from flattened(f"{name}.{field}", each, list(map(attrgetter(field), values)))
    else:
        yield name, list(map(int, values)) if kind is bool else values


def packed(column: list[Any]) -> object:
    """Return a column as JSON: one number, numbers in base 64, or texts and which of them."""
    if not column:
        return []
    first = column[0]
    if isinstance(first, int):
        return first if column.count(first) == len(column) else {"numbers": in_base_64(column)}
    texts = list(dict.fromkeys(column))
    number = {text: index for index, text in enumerate(texts)}
    return {"texts": texts, "which": packed([number[text] for text in column])}


def in_base_64(column: list[int]) -> str:
    """Return the letter of the narrowest width that holds every number, and their bytes."""
    # A width that the first number does not fit is not tried on the others.
    for width in WIDTHS[bisect_left(LARGEST, abs(column[0])) : -1]:
        with suppress(struct.error):
            return width + text_of(struct.pack(f"<{len(column)}{width}", *column))
    return WIDTHS[-1] + text_of(struct.pack(f"<{len(column)}{WIDTHS[-1]}", *column))


def text_of(content: bytes) -> str:
    """Return bytes in base 64."""
    return b2a_base64(content, newline=False).decode("ascii")


class Unpacker:
    """Takes columns apart again; raises `InputError` for what `flattened` and `packed` never give.

    A column that is the same throughout says nothing of its length, so lengths are capped: a short
    record cannot ask for a list that does not fit in memory.
    """

    def __init__(self, columns: Mapping[str, object], where: str) -> None:
        self._columns = columns
        self._where = where
        self._taken: set[str] = set()

    def numbers(self, name: str, length: int) -> list[int]:
        """Return a column of whole numbers."""
        return self._numbers(self._column(name), name, length)

    def texts(self, name: str, length: int) -> list[Any]:
        """Return a column of texts, or of whatever stands in their place."""
        column = self._column(name)
        if not length and column == []:
            return []
        if type(column) is not dict or column.keys() != {"texts", "which"}:
            raise self._problem(name, column, "texts, and which of them")
        texts = column["texts"]
        which = self._numbers(column["which"], name, length)
        if type(texts) is not list or not all(0 <= index < len(texts) for index in which):
            raise self._problem(name, column, "texts, and which of them")
        return [texts[index] for index in which]

    def values(self, name: str, kind: Any, length: int) -> list[Any]:
        """Return the values that were flattened."""
        if (some := maybe(kind)) is not None:
            counts = self._counts(name, length, highest=1)
            present = iter(self.values(f"{name}.some", some, sum(counts)))
            return [next(present) if count else None for count in counts]
        if parts := parts_of(kind):
            if parts[-1] is not Ellipsis:
                each = [self.values(f"{name}.{i}", part, length) for i, part in enumerate(parts)]
                return list(zip(*each, strict=True))
            counts = self._counts(name, length)
            items = iter(self.values(f"{name}.each", parts[0], sum(counts)))
            return [tuple(islice(items, count)) for count in counts]
        if is_dataclass(kind):
            hints = hints_of(kind)  # type: ignore[arg-type]  # a class
            fields = [self.values(f"{name}.{field}", each, length) for field, each in hints.items()]
            rows = zip(*fields, strict=True)
            return [self._made(kind, hints, row, name) for row in rows]  # type: ignore[arg-type]
        if issubclass(kind, StrEnum):
            return [restored(kind, text, self._where) for text in self.texts(name, length)]
        if kind is bool:
            return [bool(count) for count in self._counts(name, length, highest=1)]
        return self.numbers(name, length)

    def check_all_taken(self) -> None:
        """Raise unless every column had a meaning."""
        if unknown := sorted(set(self._columns) - self._taken):
            raise InputError(f"{self._where}: column {shown(unknown[0])} is not known")

    def _column(self, name: str) -> object:
        self._taken.add(name)
        if name not in self._columns:
            raise InputError(f"{self._where}: there is no column {name}")
        return self._columns[name]

    def _numbers(self, column: object, name: str, length: int) -> list[int]:
        if length > LONGEST_COLUMN:
            raise self._problem(name, length, f"a column of up to {LONGEST_COLUMN} values")
        if type(column) is int:
            return [column] * length
        text = column.get("numbers") if type(column) is dict and len(column) == 1 else None
        try:
            if type(text) is str and text[:1] in WIDTHS:
                content = a2b_base64(text[1:], strict_mode=True)
                return list(struct.unpack(f"<{length}{text[0]}", content))
        except (ValueError, struct.error):
            pass
        if column == [] and not length:
            return []
        raise self._problem(name, column, f"{length} whole numbers")

    def _counts(self, name: str, length: int, highest: int = MOST_EACH) -> list[int]:
        counts = self.numbers(name, length)
        if not all(0 <= count <= highest for count in counts):
            raise self._problem(name, counts, f"0 to {highest}")
        return counts

    def _made(self, kind: Callable[..., Any], names: Any, row: tuple[Any, ...], name: str) -> Any:
        items = dict(zip(names, row, strict=True))
        return constructed(lambda: kind(**items), f"{self._where}, {name}")

    def _problem(self, name: str, column: object, expected: str) -> InputError:
        return InputError(f"{self._where}: {name} = {shown(column)}: {expected} was expected")
