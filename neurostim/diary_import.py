"""Importing diaries: what was understood, shown first, and two plain files that designs can use."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from patient_models.diaries import Diary
from protocols import InputError

DAYS = "diary.csv"
BASELINES = "baselines.csv"


def parse_mapping(text: str) -> dict[str, str]:
    """`date=Day,count=GTC+focal` as a mapping; `InputError` when a part is no key=column."""
    mapping = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, column = part.partition("=")
        if not equals or not column.strip():
            raise InputError(f"--map {part}: date=COLUMN, count=COLUMN or patient=COLUMN expected")
        if name.strip() in mapping:
            raise InputError(f"--map {name.strip()}: this is mapped twice")
        mapping[name.strip()] = column.strip()
    return mapping


def write_diaries(folder: Path, diaries: Sequence[Diary]) -> None:
    """Write the recorded days, and the periods that `population.baselines` reads.

    Raises `InputError` when one of the files is there already: nothing is overwritten.
    """
    for name in (DAYS, BASELINES):
        if (folder / name).exists():
            raise InputError(f"{folder / name} is there already: another folder was expected")
    folder.mkdir(parents=True, exist_ok=True)
    days = (
        (diary.patient, day.isoformat(), count)
        for diary in diaries
        for day, count in sorted(diary.counts.items())
    )
    periods = ((diary.patient, *period) for diary in diaries for period in diary.periods())
    _write(folder / DAYS, ("patient", "date", "count"), days)
    _write(folder / BASELINES, ("patient", "period", "days", "count"), periods)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
