"""Running a plan shard by shard, each a block of patients in one arm, written whole or not."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from platform import machine, python_version, system
from typing import Any

from neurostim.course import run_arm
from neurostim.loop import Gate
from neurostim.plan import Plan
from neurostim.rows import Row, epoch_row, number_epochs, patient_row, truth_of
from neurostim.storage import (
    EPOCHS,
    PATIENTS,
    SCHEMA_VERSION,
    digest,
    is_table_of,
    read_manifest,
    write_manifest,
    write_table,
)
from protocols import InputError
from safety import AuditLog, LogSealedError, anchor_path

Progress = Callable[[int, int], None]
"""Told how many patient-days are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A block of patients in one arm: the unit of work."""

    block: int
    arm: int
    patients: tuple[int, ...]

    @property
    def stem(self) -> str:
        """What the shard's files are called."""
        return f"block-{self.block:05d}-arm-{self.arm:02d}"


def shards(plan: Plan) -> list[Shard]:
    """All shards of a plan; the arms of a block follow each other, since they share its luck."""
    return [
        Shard(block=block, arm=arm, patients=patients)
        for block, patients in enumerate(plan.blocks())
        for arm in range(len(plan.design.arms))
    ]


def run(plan: Plan, folder: Path, command: str = "", progress: Progress | None = None) -> None:
    """Run every shard that is not in the folder yet, and write the manifest.

    Raises `InputError` when the folder holds another run, or something that is no run at all.
    """
    began = time.monotonic()
    before = claim(plan, folder, command)
    key = digest(plan.identity())
    n_days = plan.design.schedule.end_day
    total = n_days * plan.design.population.n_patients * len(plan.design.arms)
    done = 0
    with one_torch_thread():
        for shard in shards(plan):
            if not is_finished(folder, shard, key):
                for days in run_shard(plan, shard, folder, key):
                    if progress:
                        progress(done + days, total)
            done += n_days * len(shard.patients)
            if progress:
                progress(done, total)
    wall_time_s = before["wall_time_s"] + time.monotonic() - began
    write_manifest(folder, before | {"is_finished": True, "wall_time_s": round(wall_time_s, 3)})


def is_finished(folder: Path, shard: Shard, key: str) -> bool:
    """Whether a shard's tables are there, readable, and of this run."""
    has_patients = shard.arm != 0 or is_table_of(patients_path(folder, shard.block), key)
    return has_patients and is_table_of(epochs_path(folder, shard), key)


def claim(plan: Plan, folder: Path, command: str) -> dict[str, Any]:
    """Write the manifest of a run about to start, or find the one this run goes on from."""
    identity = plan.identity()
    found = read_manifest(folder)
    if found is not None:
        for name, value in identity.items():
            if found.get(name) != value:
                raise InputError(
                    f"{folder} holds a different run (its {name} is {found.get(name)}, not "
                    f"{value}): an empty folder, or the folder of this run, was expected"
                )
        return found
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} is there and holds no run of neurostim: an empty folder was expected"
        )
    manifest = {
        "schema": SCHEMA_VERSION,
        "is_finished": False,
        **identity,
        "design": plan.design.model_dump(mode="json"),
        "arm_summaries": {
            arm.name: controller.summary
            for arm, controller in zip(plan.design.arms, plan.controllers, strict=True)
        },
        "envelope_hash": plan.envelope.hash,
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{system()} {machine()}, Python {python_version()}",
        "wall_time_s": 0.0,
    }
    write_manifest(folder, manifest)
    return manifest


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """One thread for each shard, so that sums are added in one order wherever it runs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def epochs_path(folder: Path, shard: Shard) -> Path:
    """Where the rows of a shard are."""
    return folder / "epochs" / f"{shard.stem}.parquet"


def patients_path(folder: Path, block: int) -> Path:
    """Where the truth about the patients of a block is."""
    return folder / "patients" / f"block-{block:05d}.parquet"


def audit_path(folder: Path, shard: Shard) -> Path:
    """Where what the gate decided in a shard is."""
    return folder / "audit" / f"{shard.stem}.jsonl"


def run_shard(plan: Plan, shard: Shard, folder: Path, key: str) -> Iterator[int]:
    """Run one shard and write its files; yields how many patient-days are done as it goes.

    Raises `InputError` when the audit log cannot be written; then the shard has no rows.
    """
    states = plan.model.draw(
        device=plan.device,
        seed=plan.seed,
        patients=list(shard.patients),
        enrolment=plan.enrolment,
    )
    truths = [truth_of(plan.model, state, plan.candidates) for state in states]
    if shard.arm == 0:
        table = [patient_row(s.patient, t) for s, t in zip(states, truths, strict=True)]
        write_table(patients_path(folder, shard.block), table, PATIENTS, key)
    log_path = audit_path(folder, shard)
    log_path.parent.mkdir(exist_ok=True)
    for path in (log_path, anchor_path(log_path)):  # of a shard that was cut off, without rows
        path.unlink(missing_ok=True)
    rows: list[Row] = []
    days = 0
    try:
        with AuditLog(log_path, envelope_hash=plan.envelope.hash, durable=False) as log:
            gate = Gate(envelope=plan.envelope, log=log)
            for phase, positions, lived in run_arm(plan, shard.arm, states, gate):
                for b, each in zip(positions, lived, strict=True):
                    rows.append(epoch_row(plan.design.arms[shard.arm].name, phase, each, truths[b]))
                    days += each.outcome.observation.days
                yield days
    except LogSealedError as error:
        raise InputError(
            f"{log_path} cannot be written ({error.strerror}): the trial ended here, and the same "
            "command goes on from the last whole block once there is room"
        ) from error
    rows.sort(key=lambda row: (row["patient"], row["start_day"]))
    write_table(epochs_path(folder, shard), number_epochs(rows), EPOCHS, key)
