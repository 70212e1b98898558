"""One run at a time in a results folder: a lock that ends with the processes that hold it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protocols import InputError

LOCK = "run.lock"
PATIENCE_S = 2.0
"""How long the workers of a killed run may take to notice that they are orphans."""

RETRY_S = 0.05


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold the folder; gives the open lock file, which children may inherit and so hold too.

    The system lets go of the lock when the last process that has it open ends, however that ends.
    Raises `InputError` when another run holds the folder, `OSError` when nothing can be written.
    """
    path = folder / LOCK
    file = _taken(path, time.monotonic() + PATIENCE_S)
    try:
        yield file
    finally:
        try:
            path.unlink(missing_ok=True)  # while it is held, so that nobody's newer lock is removed
        finally:
            os.close(file)


def _taken(path: Path, until: float) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(file)
                raise InputError(
                    f"{path.parent} is in use by another run: wait until that has ended, or choose "
                    "another folder"
                ) from None
        except OSError:
            os.close(file)
            raise
        os.close(file)
        time.sleep(RETRY_S)


def _is_at(file: int, path: Path) -> bool:
    """Whether the path still names this file: its last holder removes it."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
