"""Where patients to learn from lie: results folders, and files of rows."""

import hashlib
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurostim.history import PHASES
from neurostim.learning.cohort import DELIVERED
from neurostim.results import load
from neurostim.storage import MANIFEST
from protocols import GRADES, InputError, Mode
from protocols.documents import read_text

LARGEST_FILE_BYTES = 100_000_000
LONGEST_DAYS = 36_525
"""Of one epoch: a century."""


def rows_from(sources: Sequence[Path], arm: str | None) -> pd.DataFrame:
    """The epochs of several cohorts under one another; names get the cohort's number."""
    tables = []
    for number, source in enumerate(sources):
        if source.is_dir() and not (source / MANIFEST).exists() and (source / "diary.csv").exists():
            rows = read_rows(source / "diary.csv")
        elif source.suffix == ".csv":
            rows = read_rows(source)
        else:
            rows = arm_of(load(source).epochs(), arm)
        name = rows["patient"].astype(str)
        tables.append(rows.assign(patient=f"{number}/" + name))
    return pd.concat(tables, ignore_index=True)


def arm_of(epochs: pd.DataFrame, arm: str | None) -> pd.DataFrame:
    """The rows of one arm, that with the most different settings unless one is named."""
    arms = list(epochs["arm"].unique())
    if arm is not None and arm not in arms:
        raise InputError(f"--arm {arm}: one of {', '.join(arms)} was expected")
    n_different = epochs.drop_duplicates(["arm", *DELIVERED])["arm"].value_counts()
    return epochs[epochs["arm"] == (arm or n_different.reindex(arms).idxmax())]


def read_rows(path: Path) -> pd.DataFrame:
    """Epochs of imported patients, one a line; settings in the columns of a results table."""
    text = read_text(path, LARGEST_FILE_BYTES)
    try:
        rows = pd.read_csv(StringIO(text))
    except ValueError as error:
        raise InputError(f"{path}: not a readable CSV file ({error})") from None
    needed = ["patient", "start_day", "days", "n_seizures", *DELIVERED[:4]]
    missing = [name for name in needed if name not in rows]
    if not missing and rows.empty:
        raise InputError(f"{path}: one line or more was expected under its headings")
    if missing:
        raise InputError(
            f"{path}: the column {missing[0]} is missing; learning needs a line per epoch with "
            f"{', '.join(needed)}, since a diary alone does not say what was delivered"
        )
    defaults: dict[str, Any] = {
        "days_recorded": rows["days"],
        "worst_grade": np.nan,
        "phase": "treatment",
        "delivered_on_ms": 0,
        "delivered_off_ms": 0,
        "delivered_mode": Mode.CONTINUOUS.value,
    }
    for name, value in defaults.items():
        if name not in rows:
            rows[name] = value
    for name in ("start_day", "days", "days_recorded", *DELIVERED[:-1]):
        values = pd.to_numeric(rows[name], errors="coerce")
        wrong = ~((values >= 0) & (values < 2**31)) | (values % 1 != 0)
        if wrong.any():
            line = int(wrong.to_numpy().argmax())
            raise InputError(
                f"{path}, line {line + 2}: {name} = {rows[name].iloc[line]}: "
                "a whole number from 0 up was expected"
            )
        rows[name] = values.astype("int64")
    counts = pd.to_numeric(rows["n_seizures"], errors="coerce")
    wrong = rows["n_seizures"].notna() & (~(counts >= 0) | (counts % 1 != 0))
    if wrong.any():
        line = int(wrong.to_numpy().argmax())
        raise InputError(
            f"{path}, line {line + 2}: n_seizures = {rows['n_seizures'].iloc[line]}: "
            "a whole number from 0 up, or nothing, was expected"
        )
    grades = pd.to_numeric(rows["worst_grade"], errors="coerce")
    checks = (
        ("worst_grade", rows["worst_grade"].isna() | grades.isin(list(GRADES)), list(GRADES)),
        ("phase", rows["phase"].isin(PHASES), PHASES),
        ("delivered_mode", rows["delivered_mode"].isin(list(Mode)), list(Mode)),
        ("days_recorded", rows["days_recorded"] <= rows["days"], ["no more than days"]),
        ("days", (rows["days"] > 0) & (rows["days"] <= LONGEST_DAYS), [f"1 to {LONGEST_DAYS}"]),
    )
    for name, is_good, expected in checks:
        if not is_good.all():
            line = int((~is_good).to_numpy().argmax())
            raise InputError(
                f"{path}, line {line + 2}: {name} = {rows[name].iloc[line]}: "
                f"{' or '.join(map(str, expected))} was expected"
            )
    return rows.assign(n_seizures=counts, worst_grade=grades)


def fingerprint(source: Path) -> dict[str, Any]:
    """What says which cohort a source is."""
    if (source / MANIFEST).exists():
        manifest = load(source).manifest
        return {name: manifest[name] for name in ("fingerprint", "seed")}
    file = source / "diary.csv" if source.is_dir() else source
    return {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
