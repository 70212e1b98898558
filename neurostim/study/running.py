"""Making the parts of a study: on several processes, within a time, and resumed after a stop."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from neurostim.storage import write_whole
from neurostim.study.parts import Part, Sizes
from protocols import InputError

IDENTITY_FILE = "study.json"
PARTS_FOLDER = "parts"

Tick = Callable[[str, int, int], None]
"""Told which part is done, how many are, and of how many."""


def begin(folder: Path, sizes: Sizes, seed: int) -> None:
    """Make or continue a study's folder; `InputError` when another study is in it."""
    identity = json.loads(json.dumps({"seed": seed, "sizes": asdict(sizes)}))
    file = folder / IDENTITY_FILE
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: it is a file, and a folder was expected")
    if file.exists():
        there = _read(file)
        if there != identity:
            raise InputError(
                f"{folder} holds a study of another seed or size: another folder was expected"
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} holds other files: an empty folder was expected")
    (folder / PARTS_FOLDER).mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(identity, indent=1).encode())


def finished(folder: Path, parts: Sequence[Part]) -> dict[str, Any]:
    """What the parts that are done have found, by name."""
    files = {part.name: _file(folder, part) for part in parts}
    return {name: _read(file)["found"] for name, file in files.items() if file.exists()}


def seconds(folder: Path, parts: Sequence[Part]) -> float:
    """Processor seconds that the finished parts took together."""
    files = [_file(folder, part) for part in parts]
    return sum(float(_read(file)["cpu_seconds"]) for file in files if file.exists())


def make(
    parts: Sequence[Part], folder: Path, *, minutes: float, n_workers: int, tick: Tick
) -> None:
    """Make the parts that are missing; after so many minutes none is begun any more."""
    missing = [part for part in parts if not _file(folder, part).exists()]
    n_done = len(parts) - len(missing)
    ends = time.monotonic() + 60 * minutes
    for name in _made(missing, folder, ends, n_workers):
        n_done += 1
        tick(name, n_done, len(parts))


def _made(missing: Sequence[Part], folder: Path, ends: float, n_workers: int) -> Iterator[str]:
    if n_workers == 1:
        for part in missing:
            if time.monotonic() >= ends:
                return
            yield make_one(part, folder)
        return
    waiting = iter(missing)
    with ProcessPoolExecutor(
        n_workers, mp_context=get_context("spawn"), initializer=on_one_thread
    ) as pool:
        at_work: set[Future[str]] = set()
        while True:
            while len(at_work) < n_workers and time.monotonic() < ends:
                if (following := next(waiting, None)) is None:
                    break
                at_work.add(pool.submit(make_one, following, folder))
            if not at_work:
                return
            done, at_work = wait(at_work, return_when=FIRST_COMPLETED)
            for each in done:
                yield _name(each)


def _name(done: Future[str]) -> str:
    try:
        return done.result()
    except BrokenProcessPool:
        raise InputError(
            "a process of the study ended before its time, perhaps for want of memory; the same "
            "command goes on where it stopped, and --workers 1 needs the least"
        ) from None


def on_one_thread() -> None:
    """Keep a process to one thread: there are as many processes as cores."""
    import torch

    torch.set_num_threads(1)


def make_one(part: Part, folder: Path) -> str:
    """Make a part, write what it found whole or not at all, and return its name."""
    began = time.process_time()
    found = part.make()
    taken = {"found": found, "cpu_seconds": round(time.process_time() - began, 1)}
    write_whole(_file(folder, part), json.dumps(taken).encode())
    return part.name


def n_cores() -> int:
    """How many cores this process may use, at most two for a study unless told otherwise."""
    return min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


def _file(folder: Path, part: Part) -> Path:
    return folder / PARTS_FOLDER / f"{part.name}.json"


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{file}: cannot be read ({error}); remove it to make it again") from None
