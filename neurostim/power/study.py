"""A study: scenarios replicated in pieces, each written whole, until the errors are small enough.

A piece is a fixed number of replicates, so that an interrupted study goes on to the same bytes.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from neurostim.power.characteristics import characteristics, check_margin, worst_error
from neurostim.power.pool import Pooled, pooled
from neurostim.power.scenarios import MOST_REPLICATES, Scenario
from neurostim.power.verdicts import verdicts
from neurostim.storage import digest, write_whole
from neurostim.trial import one_torch_thread
from protocols import InputError

PEOPLE_PER_PIECE = 2_000
"""In each arm: this bounds the memory, and is enough for the cohort engine to be at its best."""

FEWEST_PER_ARM, MOST_PER_ARM = 5, 5_000
STATISTICS, KEPT = "statistics", "kept"
KEPT_EPOCHS = [
    "arm", "patient", "replicate", "position", "epoch", "phase", "start_day", "days",
    "delivered_amplitude_ua", "n_seizures", "days_recorded",
]  # fmt: skip

Progress = Callable[[int, int, float], None]
"""Told how many replicates are done, of at most how many, and the worst standard error so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is replicated: sizes per arm, at most how often, and when it is enough.

    It ends when every share of the table has a standard error below `until_error`, or after
    `n_replicates`. `first_replicate` is where the people of the first replicate are.
    """

    scenarios: tuple[Scenario, ...]
    sizes: tuple[int, ...]
    n_replicates: int
    until_error: float | None = None
    margin: float | None = None
    is_kept: bool = False
    first_replicate: int = 0

    def __post_init__(self) -> None:
        for n in self.sizes:
            if not FEWEST_PER_ARM <= n <= MOST_PER_ARM:
                raise InputError(f"n = {n}: {FEWEST_PER_ARM} to {MOST_PER_ARM:,} was expected")
        if not self.sizes or sorted(set(self.sizes)) != list(self.sizes):
            raise InputError(f"n = {list(self.sizes)}: rising sizes, each once, were expected")
        if not 1 <= self.n_replicates <= MOST_REPLICATES:
            raise InputError(
                f"replicates = {self.n_replicates}: 1 to {MOST_REPLICATES:,} was expected"
            )
        if self.until_error is not None and not 0.0005 <= self.until_error <= 0.5:
            raise InputError(
                f"until error = {self.until_error}: a share from 0.0005 to 0.5 was expected"
            )
        labels = [label_of(each) for each in self.scenarios]
        if len(set(labels)) < len(labels):
            raise InputError(f"scenarios {', '.join(labels)}: different names were expected")
        check_margin(self.margin)

    @property
    def per_piece(self) -> int:
        """Replicates of one piece."""
        return max(1, PEOPLE_PER_PIECE // self.sizes[-1])

    def pieces(self) -> list[range]:
        """The replicates of each piece, the last cut off where there are to be no more."""
        first, last = self.first_replicate, self.first_replicate + self.n_replicates
        return [range(k, min(k + self.per_piece, last)) for k in range(first, last, self.per_piece)]

    def identity(self) -> dict[str, Any]:
        """What decides the bytes of a piece."""
        return {
            "scenarios": {
                f"{each.design}: {each.name}": each.plan.identity() for each in self.scenarios
            },
            "is_paired": self.scenarios[0].is_paired,
            "sizes": list(self.sizes),
            "first_replicate": self.first_replicate,
            "is_kept": self.is_kept,
        }


def label_of(scenario: Scenario) -> str:
    """How a scenario of a design is called in tables."""
    return f"{scenario.design}: {scenario.name}"


def run_study(study: Study, folder: Path, progress: Progress | None = None) -> pd.DataFrame:
    """Replicate until it is enough; returns the statistics of every replicate.

    Pieces that the folder holds are read, not computed again. Raises `InputError` when it holds
    another study.
    """
    key = claim(study, folder)
    found: list[pd.DataFrame] = []
    with one_torch_thread():
        for replicates in study.pieces():
            found += [
                piece(study, scenario, replicates, folder, key) for scenario in study.scenarios
            ]
            n_done = replicates.stop - study.first_replicate
            error = worst_error(characteristics(pd.concat(found), study.margin))
            if progress:
                progress(n_done, study.n_replicates, error)
            if study.until_error is not None and error < study.until_error:
                break
    return pd.concat(found, ignore_index=True)


def claim(study: Study, folder: Path) -> str:
    """Say in a folder which study it holds, or find that it holds this one; returns its key."""
    identity = json.loads(json.dumps(study.identity()))
    found = read_study(folder)
    if found is None:
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} holds no study of power: an empty folder was expected")
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(identity, indent=1, sort_keys=True) + "\n"
        write_whole(folder / "study.json", content.encode())
    elif found != identity:
        differing = ", ".join(k for k in identity if found.get(k) != identity[k])
        raise InputError(
            f"{folder} holds a different study (in its {differing}): an empty folder, or the "
            "folder of this study, was expected"
        )
    for name in (STATISTICS, KEPT) if study.is_kept else (STATISTICS,):
        (folder / name).mkdir(exist_ok=True)
    return digest(identity)


def read_study(folder: Path) -> dict[str, Any] | None:
    """Which study a folder holds, or None for none."""
    try:
        found = json.loads((folder / "study.json").read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise InputError(f"{folder / 'study.json'}: damaged: a study was expected") from None
    if not isinstance(found, dict):
        raise InputError(f"{folder / 'study.json'}: damaged: a study was expected")
    return found


def piece(
    study: Study, scenario: Scenario, replicates: range, folder: Path, key: str
) -> pd.DataFrame:
    """The statistics of some replicates: read where they are sound, else computed and written."""
    number = study.scenarios.index(scenario)
    name = f"scenario-{number:02d}-from-{replicates.start:06d}-to-{replicates.stop - 1:06d}.parquet"
    path, kept = folder / STATISTICS / name, folder / KEPT / name
    found = read_rows(path, key)
    if found is not None and (not study.is_kept or read_rows(kept, key) is not None):
        return found
    pool = pooled(scenario, replicates, study.sizes[-1])
    rows = verdicts(scenario, pool, replicates, study.sizes)
    rows.insert(0, "scenario", label_of(scenario))
    try:
        if study.is_kept:
            write_whole(kept, _bytes_of(kept_epochs(pool), key))
        write_whole(path, _bytes_of(rows, key))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}): the study ended here, and the same "
            "command goes on from the last whole piece"
        ) from error
    return rows


def kept_epochs(pool: Pooled) -> pd.DataFrame:
    """The epochs that were lived, and which replicate and position each belongs to."""
    places = pool.outcomes[["arm", "patient", "replicate", "position"]]
    rows = pool.epochs.merge(places, on=["arm", "patient"])[KEPT_EPOCHS]
    return rows.sort_values(["replicate", "arm", "position", "epoch"], ignore_index=True)


def read_rows(path: Path, key: str) -> pd.DataFrame | None:
    """The rows of a piece, or None where it is missing, damaged or of another study."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return None
    if (table.schema.metadata or {}).get(b"study") != key.encode():
        return None
    frame: pd.DataFrame = table.replace_schema_metadata(None).to_pandas()
    return frame


def _bytes_of(rows: pd.DataFrame, key: str) -> bytes:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    file = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({"study": key}), file, compression="zstd")
    return bytes(file.getvalue())


def pieces_kept(folder: Path) -> Iterator[Path]:
    """The files that hold the epochs of replicates, in order."""
    yield from sorted((folder / KEPT).glob("scenario-*.parquet"))
