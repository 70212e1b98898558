"""Shards, each a block of patients in one arm: what they are called, running one, and its seal.

A seal is a small file, written after all others of a shard, that names the run and the SHA-256 of
each of them. A shard without a seal does not exist; one whose files differ from it is damaged.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from neurostim.course import run_arm
from neurostim.loop import Gate
from neurostim.plan import Plan
from neurostim.rows import Row, epoch_row, number_epochs, patient_row, truth_of
from neurostim.storage import EPOCHS, PATIENTS, sync, table_bytes, table_of, write_whole
from protocols import InputError
from safety import AuditLog, LogSealedError, anchor_path

SUBFOLDERS = ("audit", "epochs", "patients", "seals")
LARGEST_SEAL_BYTES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A block of patients in one of their lives: the unit of work.

    Patients of a paired design have a life in each arm, and `arm` says which. In other designs
    they have one, numbered 0, and the rows say which arm they were in.
    """

    block: int
    arm: int
    patients: tuple[int, ...]

    @property
    def stem(self) -> str:
        """What the shard's files are called."""
        return stem_of(self.block, self.arm)


class Step(NamedTuple):
    """How far the work on a shard has come: patient-days so far, and whether its seal is there."""

    shard: Shard
    days: int
    is_finished: bool = False


def stem_of(block: int, arm: int) -> str:
    """What the files of a shard are called."""
    return f"block-{block:05d}-arm-{arm:02d}"


def shards(plan: Plan) -> list[Shard]:
    """All shards of a plan; the arms of a block follow each other, since they share its luck."""
    return [
        Shard(block=block, arm=arm, patients=patients)
        for block, patients in enumerate(plan.blocks())
        for arm in range(plan.design.n_lives)
    ]


def epochs_name(block: int, arm: int) -> str:
    """Where in a results folder the rows of a shard are."""
    return f"epochs/{stem_of(block, arm)}.parquet"


def patients_name(block: int) -> str:
    """Where in a results folder the truth about the patients of a block is."""
    return f"patients/block-{block:05d}.parquet"


def audit_name(block: int, arm: int) -> str:
    """Where in a results folder what the gate decided in a shard is."""
    return f"audit/{stem_of(block, arm)}.jsonl"


def seal_path(folder: Path, block: int, arm: int) -> Path:
    """Where the seal of a shard is."""
    return folder / "seals" / f"{stem_of(block, arm)}.json"


def names_of(block: int, arm: int) -> list[str]:
    """The files of a shard but its seal; the first arm of a block writes who its patients are."""
    audit = audit_name(block, arm)
    names = [audit, str(anchor_path(audit)), epochs_name(block, arm)]
    return [*names, patients_name(block)] if arm == 0 else names


def run_shard(plan: Plan, shard: Shard, folder: Path, key: str) -> Iterator[Step]:
    """Run one shard and write its files, its seal last; yields how far it has come.

    Raises `InputError` when the audit log cannot be written, `OSError` when another file cannot;
    then the shard has no seal.
    """
    seal_path(folder, shard.block, shard.arm).unlink(missing_ok=True)
    states = plan.model.draw(
        device=plan.device,
        seed=plan.seed,
        patients=list(shard.patients),
        enrolment=plan.enrolment,
    )
    truths = [truth_of(plan.model, state, plan.candidates) for state in states]
    if shard.arm == 0:
        table = [patient_row(s.patient, t) for s, t in zip(states, truths, strict=True)]
        write_whole(folder / patients_name(shard.block), table_bytes(table, PATIENTS, key))
    log_path = folder / audit_name(shard.block, shard.arm)
    for path in (log_path, anchor_path(log_path)):  # of a shard that was cut off, without a seal
        path.unlink(missing_ok=True)
    rows: list[Row] = []
    days = 0
    try:
        with AuditLog(log_path, envelope_hash=plan.envelope.hash, durable=False) as log:
            gate = Gate(envelope=plan.envelope, log=log)
            for phase, arms, positions, lived in run_arm(plan, shard.arm, states, gate):
                for b, arm, each in zip(positions, arms, lived, strict=True):
                    rows.append(epoch_row(plan.design.arms[arm].name, phase, each, truths[b]))
                    days += each.outcome.observation.days
                yield Step(shard, days)
    except LogSealedError as error:
        raise InputError(
            f"{log_path} cannot be written ({error.strerror}): the trial ended here, and the same "
            "command goes on from the last whole block once there is room"
        ) from error
    rows.sort(key=lambda row: (row["patient"], row["start_day"]))
    content = table_bytes(number_epochs(rows), EPOCHS, key)
    write_whole(folder / epochs_name(shard.block, shard.arm), content)
    write_seal(folder, shard, key)
    yield Step(shard, days, is_finished=True)


def write_seal(folder: Path, shard: Shard, key: str) -> None:
    """Seal the files of a shard, all of which are on the disk by then."""
    sums = {}
    for name in names_of(shard.block, shard.arm):
        sync(folder / name)
        sums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    sync(folder / "audit")
    content = _seal_content(key, shard.stem, sums)
    write_whole(seal_path(folder, shard.block, shard.arm), content)


def _seal_content(key: str, stem: str, sums: Mapping[str, str]) -> bytes:
    return json.dumps({"run": key, "shard": stem, "sha256": sums}, indent=1).encode() + b"\n"


def read_seal(folder: Path, block: int, arm: int, key: str) -> dict[str, str] | None:
    """The SHA-256 of each file of a shard, or None where the shard is not finished.

    Raises `InputError` when the seal is damaged, or belongs to another run or shard.
    """
    path = seal_path(folder, block, arm)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_SEAL_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        seal = json.loads(content)
        run, stem, sums = seal["run"], seal["shard"], seal["sha256"]
    except (ValueError, RecursionError, TypeError, KeyError):
        raise InputError(f"{path}: damaged: the seal of a shard was expected") from None
    if (run, stem) != (key, stem_of(block, arm)):
        raise InputError(f"{path}: the seal of {stem!r} of another run, or of another shard")
    is_as_written = content == _seal_content(run, stem, sums)
    if not isinstance(sums, dict) or list(sums) != names_of(block, arm) or not is_as_written:
        raise InputError(f"{path}: damaged: it should name {', '.join(names_of(block, arm))}")
    return sums


def sealed_content(folder: Path, name: str, sha256: str) -> bytes:
    """The content of a sealed file; `InputError` when it is not the content that was sealed."""
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise InputError(f"{folder / name}: cannot be read ({error.strerror})") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{folder / name}: damaged: its content is not what was written")
    return content


def is_finished(folder: Path, shard: Shard, key: str) -> bool:
    """Whether a shard is there and sound; `InputError` says what is wrong with one that is not."""
    sums = read_seal(folder, shard.block, shard.arm, key)
    for name, sha256 in (sums or {}).items():
        sealed_content(folder, name, sha256)
    return sums is not None


def sealed_tables(
    folder: Path, n_blocks: int, n_arms: int, key: str
) -> list[tuple[pa.Table, list[pa.Table]]]:
    """The patients and, arm by arm, the epochs of every block that all arms have finished.

    Raises `InputError` for a table that is not what was sealed.
    """
    tables = []
    for block in range(n_blocks):
        seals = [read_seal(folder, block, arm, key) for arm in range(n_arms)]
        whole = [seal for seal in seals if seal is not None]
        if len(whole) < n_arms:
            continue
        patients = sealed_table(folder, patients_name(block), whole[0], PATIENTS)
        epochs = [
            sealed_table(folder, epochs_name(block, arm), seal, EPOCHS)
            for arm, seal in enumerate(whole)
        ]
        tables.append((patients, epochs))
    return tables


def sealed_table(folder: Path, name: str, sums: Mapping[str, str], schema: pa.Schema) -> pa.Table:
    """One table of a sealed shard."""
    return table_of(sealed_content(folder, name, sums[name]), schema, folder / name)
