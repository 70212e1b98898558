"""What may lie beside a trial's rows: operating characteristics, and a validation of its patients.

Both are files that other commands write; where one is absent, the report says which command it is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocols import InputError
from protocols.documents import read_text

OPERATING, VALIDATION = "operating.json", "validation.json"
LARGEST_BYTES = 10_000_000
VALIDATION_KEYS = ("id", "what", "value", "error", "band", "passed", "published", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplements:
    """What `neurostim power` and `neurostim validate --json` wrote, where it is there.

    `validated` says in words when the patients were held against the published figures.
    """

    operating: Mapping[str, Any] | None = None
    validation: Sequence[Mapping[str, Any]] | None = None
    validated: str = ""


NONE = Supplements()


def supplements_in(
    folder: Path, operating: Path | None = None, validation: Path | None = None
) -> Supplements:
    """Read what lies in a results folder, or the files that are named instead.

    Raises `InputError` for a file that is named and absent, or holds something else.
    """
    operating_file = operating or folder / OPERATING
    validation_file = validation or folder / VALIDATION
    found = Supplements()
    if operating is not None or operating_file.exists():
        found = Supplements(operating=read_operating(operating_file))
    if validation is None and not validation_file.exists():
        return found
    return Supplements(
        operating=found.operating,
        validation=read_validation(validation_file),
        validated=f"as {validation_file.name} records it",
    )


def read_operating(path: Path) -> Mapping[str, Any]:
    """Read operating characteristics: an object with one list of rows, each a flat object."""
    value = read_json(path)
    if not isinstance(value, Mapping) or not operating_rows(value):
        raise InputError(f"{path}: operating characteristics with a list of rows were expected")
    return value


def operating_rows(operating: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the rows of operating characteristics: the first list of objects in the file."""
    for value in operating.values():
        if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
            return value
    return []


def read_validation(path: Path) -> Sequence[Mapping[str, Any]]:
    """Read the rows that `neurostim validate --json` wrote."""
    value = read_json(path)
    is_table = isinstance(value, list) and all(
        isinstance(row, Mapping) and set(VALIDATION_KEYS) <= row.keys() for row in value
    )
    if not is_table or not value:
        raise InputError(f"{path}: rows that `neurostim validate --json` wrote were expected")
    return list(value)


def read_json(path: Path) -> Any:
    """Read a JSON file; `InputError` when there is none."""
    try:
        return json.loads(read_text(path, LARGEST_BYTES))
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
