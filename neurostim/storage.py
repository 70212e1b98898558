"""Results on disk: Parquet shards, and a manifest that says which run they belong to."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from neurostim.history import SETTING_COLUMNS
from protocols import InputError
from protocols.documents import read_text

SCHEMA_VERSION = 1
LARGEST_MANIFEST_BYTES = 10_000_000
MANIFEST = "manifest.json"
MANIFEST_KEYS = ("design", "fingerprint", "is_finished", "seed", "versions", "wall_time_s")
PARTIAL_SUFFIX = ".part"


def _setting_fields(prefix: str, nullable: bool) -> list[pa.Field]:
    return [
        pa.field(f"{prefix}_{name}", pa.string() if name == "mode" else pa.int32(), nullable)
        for name in SETTING_COLUMNS
    ]


EPOCHS = pa.schema(
    [
        pa.field("arm", pa.string(), nullable=False),
        pa.field("patient", pa.int32(), nullable=False),
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("phase", pa.string(), nullable=False),
        pa.field("start_day", pa.int32(), nullable=False),
        pa.field("days", pa.int32(), nullable=False),
        *_setting_fields("requested", nullable=True),
        *_setting_fields("delivered", nullable=False),
        pa.field("ruling", pa.string(), nullable=False),
        pa.field("rules", pa.string(), nullable=False),
        pa.field("findings", pa.string(), nullable=False),
        pa.field("fault", pa.string(), nullable=False),
        pa.field("n_seizures", pa.int32()),
        pa.field("days_recorded", pa.int32(), nullable=False),
        pa.field("worst_grade", pa.int32()),
        pa.field("stimulation_s", pa.int64(), nullable=False),
        pa.field("charge_uc", pa.int64(), nullable=False),
        pa.field("energy_mj", pa.int64(), nullable=False),
        pa.field("impedance_ohm", pa.int32(), nullable=False),
        pa.field("battery_permille", pa.int32(), nullable=False),
        pa.field("n_incidents", pa.int32(), nullable=False),
        pa.field("true_n_seizures", pa.int32(), nullable=False),
        pa.field("true_rate_per_day", pa.float64(), nullable=False),
        pa.field("true_is_unsafe", pa.bool_(), nullable=False),
    ]
)
"""One row per arm, patient and epoch; columns that begin with true_ are hidden from controllers."""

PATIENTS = pa.schema(
    [
        pa.field("patient", pa.int32(), nullable=False),
        pa.field("true_rate_off_per_day", pa.float64(), nullable=False),
        pa.field("true_rate_best_per_day", pa.float64(), nullable=False),
        *_setting_fields("best", nullable=False),
    ]
)
"""One row per patient: the truth that comparisons are judged by."""


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema, key: str) -> None:
    """Write a Parquet file whole or not at all; `key` says which run it belongs to."""
    table = pa.Table.from_pylist(list(rows), schema=schema.with_metadata({"run": key}))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + PARTIAL_SUFFIX)
    pq.write_table(table, partial, compression="zstd")
    os.replace(partial, path)


def is_table_of(path: Path, key: str) -> bool:
    """Whether a readable Parquet file of this run is there."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return False
    return bool(metadata.get(b"run") == key.encode())


def read_tables(paths: Sequence[Path]) -> pa.Table:
    """The rows of several Parquet files of one schema, in the order of the paths."""
    return pa.concat_tables([_read_table(path) for path in paths])


def _read_table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: not a readable table ({str(error).splitlines()[0]}); the same run again "
            "computes it anew"
        ) from None


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / (MANIFEST + PARTIAL_SUFFIX)
    partial.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, folder / MANIFEST)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a results folder, or None where there is none."""
    path = folder / MANIFEST
    if not os.path.exists(path):
        return None
    try:
        manifest = json.loads(read_text(path, LARGEST_MANIFEST_BYTES))
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: not a manifest of neurostim ({error})") from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA_VERSION:
        raise InputError(f"{path}: not a manifest of schema {SCHEMA_VERSION}")
    missing = [key for key in MANIFEST_KEYS if key not in manifest]
    if missing:
        raise InputError(f"{path}: the manifest lacks {missing[0]!r}")
    return manifest


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, independent of key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
