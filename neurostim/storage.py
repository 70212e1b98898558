"""Results on disk: Parquet shards, and a manifest that says which run they belong to."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
PARTIAL_PATTERNS = (f"*{PARTIAL_SUFFIX}", f"*/*{PARTIAL_SUFFIX}", "audit/*.anchor.new")


def _setting_fields(prefix: str, nullable: bool) -> list[pa.Field]:
    return [
        pa.field(f"{prefix}_{name}", pa.string() if name == "mode" else pa.int32(), nullable)
        for name in SETTING_COLUMNS
    ]


LANDSCAPE = (
    "good_share",
    "curvature_amplitude",
    "curvature_frequency",
    "steepest",
    "flattest",
)
EPOCHS = pa.schema(
    [
        pa.field("arm", pa.string(), nullable=False),
        pa.field("patient", pa.int32(), nullable=False),
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("phase", pa.string(), nullable=False),
        pa.field("start_day", pa.int32(), nullable=False),
        pa.field("days", pa.int32(), nullable=False),
        pa.field("is_visit", pa.bool_(), nullable=False),
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
        *(pa.field(f"true_{name}", pa.float64(), nullable=False) for name in LANDSCAPE),
        pa.field("true_kind", pa.string(), nullable=False),
        pa.field("true_is_at_edge", pa.bool_(), nullable=False),
    ]
)
"""One row per patient: the truth that comparisons are judged by."""


def table_bytes(rows: Sequence[Mapping[str, Any]], schema: pa.Schema, key: str) -> bytes:
    """These rows as a Parquet file; `key` says which run they belong to."""
    table = pa.Table.from_pylist(list(rows), schema=schema.with_metadata({"run": key}))
    file = pa.BufferOutputStream()
    pq.write_table(table, file, compression="zstd")
    return bytes(file.getvalue())


def table_of(content: bytes, schema: pa.Schema, place: Path) -> pa.Table:
    """The table in a Parquet file's bytes; `InputError` when they are none of this schema."""
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{place}: not a readable table ({str(error).splitlines()[0]})") from None
    if not table.schema.equals(schema):
        raise InputError(f"{place}: a table with other columns than this program writes")
    return table


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and through to the disk; its folder must be there.

    Raises `OSError` and leaves what was there before.
    """
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """See to it that a file's content, or the names in a folder, are on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def remove_partial(folder: Path) -> None:
    """Remove what a process that was cut off had begun to write."""
    for pattern in PARTIAL_PATTERNS:
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest whole or not at all."""
    write_whole(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())


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
