"""Reading a CSV file that a person names: within caps, and every mistake with its line."""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from io import StringIO
from pathlib import Path

from protocols import InputError
from protocols.documents import read_text

LARGEST_FILE_BYTES = 10_000_000
LONGEST_LINE = 10_000
LARGEST_NUMBER = 1_000_000


def rows_of(
    path: Path, columns: Collection[str], delimiter: str = ","
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Line number and row of every line below the header, each with all of `columns`."""
    text = read_text(path, LARGEST_FILE_BYTES)
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LONGEST_LINE:
            raise InputError(f"{path}, line {number}: longer than {LONGEST_LINE} characters")
    reader = csv.DictReader(StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        header = list(reader.fieldnames or ())
        for column in columns:
            if header.count(column) != 1:
                raise InputError(f"{path}, line 1: one column {column!r} was expected")
        n_rows = 0
        for row in reader:
            n_rows += 1
            if None in row or None in row.values():
                raise InputError(
                    f"{path}, line {reader.line_num}: as many fields as in the header were expected"
                )
            yield reader.line_num, row
    except csv.Error as problem:
        raise InputError(
            f"{path}, line {reader.reader.line_num}: not readable as CSV ({problem})"
        ) from None
    if not n_rows:
        raise InputError(f"{path}: one or more lines below the header were expected")


def name_in(path: Path, line: int, column: str, row: Mapping[str, str]) -> str:
    """The name in one field, without the spaces around it."""
    name = row[column].strip()
    if not name:
        raise InputError(
            f"{path}, line {line}: {column} = {shown(row[column])}, a name was expected"
        )
    return name


def whole_number(path: Path, line: int, column: str, value: str, *, lowest: int) -> int:
    """The whole number in one field."""
    text = value.strip()
    if not re.fullmatch("[0-9]{1,7}", text) or not lowest <= int(text) <= LARGEST_NUMBER:
        raise InputError(
            f"{path}, line {line}: {column} = {shown(value)}, "
            f"a whole number from {lowest} to {LARGEST_NUMBER} was expected"
        )
    return int(text)


def shown(value: str) -> str:
    """What was written, short enough for a sentence."""
    return repr(value if len(value) <= 40 else value[:40] + "...")
