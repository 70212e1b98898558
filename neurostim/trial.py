"""Running a plan: its shards one after the other, in several processes, or on a cluster."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from platform import machine, python_version, system
from typing import Any

from neurostim.folder_lock import LOCK, locked
from neurostim.plan import Plan
from neurostim.shards import SUBFOLDERS, Shard, Step, is_finished, run_shard, shards
from neurostim.storage import (
    SCHEMA_VERSION,
    digest,
    read_manifest,
    remove_partial,
    write_manifest,
)
from neurostim.workers import run_in_workers
from protocols import InputError

Progress = Callable[[int, int], None]
"""Told how many patient-days are done, and of how many."""

Tell = Callable[[str], None]
"""Told in a sentence what went wrong and was mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a run has come, what an earlier process had finished of it included.

    Days are patient-days. A patient counts as one when lived through in every arm; the speed is
    that of this process since it began.
    """

    n_days: int
    n_days_in_all: int
    n_shards: int
    n_shards_in_all: int
    patients_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """By what a trial is run; nothing here changes a byte of its results.

    `n_workers` is how many processes of this machine share the work. `cluster`, instead, names a
    cluster of Dask.distributed: tcp://HOST:PORT, or local:N for N processes of this machine (in a
    script, that needs `if __name__ == "__main__":`, as multiprocessing does).
    """

    n_workers: int = 1
    cluster: str | None = None
    show: Callable[[Standing], None] | None = None
    tell: Tell = logging.getLogger("neurostim").warning

    def __post_init__(self) -> None:
        if type(self.n_workers) is not int or self.n_workers < 1:
            raise InputError(f"workers = {self.n_workers}: 1 or more was expected")
        if self.cluster is not None and self.n_workers > 1:
            raise InputError(
                f"workers = {self.n_workers} beside cluster = {self.cluster!r}: one of them was "
                "expected"
            )


USUAL_MEANS = Means()


def run(
    plan: Plan,
    folder: Path,
    command: str = "",
    progress: Progress | None = None,
    means: Means = USUAL_MEANS,
) -> None:
    """Run every shard that is not in the folder yet, and write the manifest.

    The bytes are the same however the work is spread, and after any interruption. Raises
    `InputError` when the folder holds another run or something that is no run at all, when another
    process is running in it, or when it cannot be written: then what is finished is kept.
    """
    began = time.monotonic()
    found_manifest(plan, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder) as lock:
            before = claim(plan, folder, command)
            key = digest(plan.identity())
            todo = unfinished(plan, folder, key, means.tell)
            meter = Meter(plan, todo, progress, means.show)
            try:
                for step in steps(plan, todo, folder, key, lock, means):
                    meter.take(step)
            finally:
                remove_partial(folder)
            wall_time_s = round(before["wall_time_s"] + time.monotonic() - began, 3)
            write_manifest(folder, before | {"is_finished": True, "wall_time_s": wall_time_s})
    except OSError as error:
        raise InputError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}): the trial "
            "ended here, what is finished is kept, and the same command goes on from there"
        ) from error


class Meter:
    """Adds up how far the shards have come; one that is begun anew counts from its beginning."""

    def __init__(
        self,
        plan: Plan,
        todo: list[Shard],
        progress: Progress | None,
        show: Callable[[Standing], None] | None,
    ) -> None:
        n_arms, n_days = plan.design.n_lives, plan.design.schedule.end_day
        self._began = time.monotonic()
        self._days_per_patient = n_days * n_arms
        self._total = self._days_per_patient * len(plan.patients)
        self._n_shards = len(plan.blocks()) * n_arms
        self._n_days = self._before = self._total - n_days * sum(len(s.patients) for s in todo)
        self._n_finished = self._n_shards - len(todo)
        self._under_way: dict[Shard, int] = {}
        self._progress, self._show = progress, show
        self._tell()

    def take(self, step: Step) -> None:
        """Count a step, and tell of it."""
        self._under_way[step.shard] = step.days
        if step.is_finished:
            self._n_days += self._under_way.pop(step.shard)
            self._n_finished += 1
        self._tell()

    def _tell(self) -> None:
        n_days = self._n_days + sum(self._under_way.values())
        if self._progress:
            self._progress(n_days, self._total)
        if self._show:
            n_patients = (n_days - self._before) / self._days_per_patient
            self._show(
                Standing(
                    n_days=n_days,
                    n_days_in_all=self._total,
                    n_shards=self._n_finished,
                    n_shards_in_all=self._n_shards,
                    patients_per_s=max(n_patients, 0) / max(time.monotonic() - self._began, 1e-3),
                )
            )


def steps(
    plan: Plan, todo: list[Shard], folder: Path, key: str, lock: int, means: Means
) -> Iterator[Step]:
    """Run these shards by the means asked for; yields how far each has come."""
    if means.cluster is not None:
        from neurostim.cluster import run_on_cluster

        return run_on_cluster(plan, todo, folder, key, means.cluster, means.tell)
    if means.n_workers == 1:
        return run_here(plan, todo, folder, key)
    return run_in_workers(plan, todo, folder, key, means.n_workers, lock, means.tell)


def run_here(plan: Plan, todo: list[Shard], folder: Path, key: str) -> Iterator[Step]:
    """Run these shards in this process, one after the other."""
    with one_torch_thread():
        for shard in todo:
            yield from run_shard(plan, shard, folder, key)


def unfinished(plan: Plan, folder: Path, key: str, tell: Tell) -> list[Shard]:
    """The shards that are yet to be run; of one that is damaged or foreign it is told."""
    todo = []
    for shard in shards(plan):
        try:
            if not is_finished(folder, shard, key):
                todo.append(shard)
        except InputError as error:
            tell(f"{error}; {shard.stem} is computed again")
            todo.append(shard)
    return todo


def found_manifest(plan: Plan, folder: Path) -> dict[str, Any] | None:
    """The manifest of the run that goes on in a folder, None for a run that begins there.

    Raises `InputError` when the folder holds a different run, or something that is none.
    """
    found = read_manifest(folder)
    if found is None:
        if folder.exists() and (not folder.is_dir() or _content_of(folder)):
            raise InputError(
                f"{folder} is there and holds no run of neurostim: an empty folder was expected"
            )
        return None
    for name, value in plan.identity().items():
        if found.get(name) != value:
            raise InputError(
                f"{folder} holds a different run (its {name} is {found.get(name)}, not "
                f"{value}): an empty folder, or the folder of this run, was expected"
            )
    return found


def _content_of(folder: Path) -> list[Path]:
    """What is in a folder, but for what a run leaves that was killed before its manifest."""
    ours = {LOCK, "manifest.json.part", *SUBFOLDERS}
    return [path for path in folder.iterdir() if path.name not in ours or _is_filled(path)]


def _is_filled(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


def claim(plan: Plan, folder: Path, command: str) -> dict[str, Any]:
    """Write the manifest of a run about to start, or find the one this run goes on from."""
    found = found_manifest(plan, folder)
    for name in SUBFOLDERS:
        (folder / name).mkdir(exist_ok=True)
    if found is not None:
        remove_partial(folder)
        return found
    manifest = {
        "schema": SCHEMA_VERSION,
        "is_finished": False,
        **plan.identity(),
        "design": plan.design.model_dump(mode="json"),
        "arm_summaries": {
            arm.name: controller.summary
            for arm, controller in zip(plan.design.arms, plan.controllers, strict=True)
        },
        "envelope_hash": plan.envelope.hash,
        "command": command,
        "files_from": str(plan.folder),
        "deviations": list(plan.deviations),
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
