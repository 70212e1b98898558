"""Diaries from CSV files: which column is what is proposed, shown, and confirmed by a person."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from neurostim.app.views import NO_ROWS, DiaryPreview, Table
from patient_models.diaries import Diary, Reading, delimiter_of, read_diaries
from protocols import InputError

MOST_ROWS = 8
HEAD_CHARACTERS = 65_536
GUESSES = (
    ("date", re.compile(r"date|day|datum|tag", re.IGNORECASE)),
    ("count", re.compile(r"count|seizure|number|total|anf[aä]ll", re.IGNORECASE)),
    ("patient", re.compile(r"patient|subject|participant|^id$", re.IGNORECASE)),
)
"""How headings that mean a field often read; a person confirms."""


def preview(path: Path, mapping: Mapping[str, str] | None = None) -> DiaryPreview:
    """What a file would be understood as; `InputError` only where it is no table at all."""
    headings, rows = head_of(path)
    chosen = dict(proposed(headings) if mapping is None else mapping)
    understood, problem = NO_ROWS, ""
    try:
        understood = table_of(read_diaries(path, Reading(columns=chosen)))
    except InputError as error:
        problem = str(error)
    return DiaryPreview(
        path=str(path),
        headings=headings,
        rows=rows,
        mapping=chosen,
        understood=understood,
        problem=problem,
    )


def one_diary(path: Path, mapping: Mapping[str, str], patient: str) -> Diary:
    """The diary of the one patient that is meant."""
    diaries = {diary.patient: diary for diary in read_diaries(path, Reading(columns=dict(mapping)))}
    if patient:
        if patient not in diaries:
            raise InputError(f"{path}: patient {patient!r}: one of {_listed(diaries)} was expected")
        return diaries[patient]
    if len(diaries) > 1:
        raise InputError(
            f"{path} holds {len(diaries)} patients ({_listed(diaries)}): one of them was expected"
        )
    return next(iter(diaries.values()))


def head_of(path: Path) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The headings and the first rows, as they stand in the file."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: no file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read(HEAD_CHARACTERS)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: a table in UTF-8 text was expected") from None
    try:
        rows = list(csv.reader(text.splitlines(), delimiter=delimiter_of(path)))
    except csv.Error as error:
        raise InputError(f"{path}: not a table ({error})") from None
    filled = [tuple(row) for row in rows if any(row)]
    if not filled:
        raise InputError(f"{path}: a table with headings was expected, and nothing is there")
    return filled[0], tuple(filled[1 : MOST_ROWS + 1])


def proposed(headings: Sequence[str]) -> dict[str, str]:
    """Which column seems to be what."""
    mapping: dict[str, str] = {}
    for name, pattern in GUESSES:
        for heading in headings:
            if pattern.search(heading) and heading not in mapping.values():
                mapping[name] = heading
                break
    return mapping


def table_of(diaries: Sequence[Diary]) -> Table:
    """What was understood of each diary."""
    rows = tuple(
        (
            diary.patient,
            diary.first.isoformat(),
            diary.last.isoformat(),
            str(len(diary.counts)),
            str(diary.n_missing),
            str(diary.n_seizures),
            f"{28 * diary.n_seizures / len(diary.counts):.1f}",
        )
        for diary in diaries
    )
    return Table(
        columns=(
            "patient", "from", "to", "days recorded", "days missing", "seizures", "per 28 days",
        ),
        rows=rows,
    )  # fmt: skip


def _listed(diaries: Mapping[str, Diary]) -> str:
    names = list(diaries)
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
