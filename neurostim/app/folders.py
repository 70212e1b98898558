"""Where the app keeps what it needs between two starts: recent files, audit logs, autosaves.

Each session has a folder of its own, and holds its lock while it lives: an autosave in a folder
that nobody holds is what a killed session left.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from neurostim.folder_lock import LOCK, locked
from protocols import InputError
from protocols.documents import read_text

AUTOSAVE = "autosave.neurostim.json"
RECENT = "recent.json"
MOST_RECENT = 10
MAX_RECENT_BYTES = 100_000


def user_folder() -> Path:
    """Where a program keeps its state on this system."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "neurostim"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "neurostim"
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "neurostim"


class SessionFolder:
    """The folder of one session, held until it is left."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._held = ExitStack()
        stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self.path = home / "sessions" / stamp
        number = 1
        while self.path.exists():
            number += 1
            self.path = home / "sessions" / f"{stamp}-{number}"
        try:
            self.path.mkdir(parents=True)
            self._held.enter_context(locked(self.path))
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}): a folder for audit logs and "
                "autosaves was expected"
            ) from None

    @property
    def autosave(self) -> Path:
        """Where this session's work is saved without being asked."""
        return self.path / AUTOSAVE

    def left_behind(self) -> list[Path]:
        """The autosaves of sessions that were killed, the newest first."""
        found = self._home.glob(f"sessions/*/{AUTOSAVE}")
        left = [path for path in found if path.parent != self.path and not _is_held(path.parent)]
        return sorted(left, key=lambda path: path.stat().st_mtime, reverse=True)

    def leave(self) -> None:
        """Let go of the folder; what is in it stays."""
        self._held.close()


def _is_held(folder: Path) -> bool:
    """Whether a living session holds a folder, asked without waiting."""
    import fcntl

    try:
        file = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def recent_files(home: Path) -> tuple[Path, ...]:
    """The patient files that were opened or saved last and are still there, the newest first."""
    try:
        names = json.loads(read_text(home / RECENT, MAX_RECENT_BYTES))
    except (InputError, ValueError, RecursionError):
        return ()
    if not isinstance(names, list):
        return ()
    paths = [Path(name) for name in names[:MOST_RECENT] if isinstance(name, str)]
    return tuple(path for path in paths if os.path.isfile(path))


def remember(home: Path, path: Path) -> None:
    """Put a file first among the recent ones; a list that cannot be written is done without."""
    path = path.absolute()
    others: Sequence[Path] = [each for each in recent_files(home) if each != path]
    names = [str(each) for each in (path, *others)][:MOST_RECENT]
    from neurostim.storage import write_whole

    try:
        home.mkdir(parents=True, exist_ok=True)
        write_whole(home / RECENT, (json.dumps(names, indent=1) + "\n").encode())
    except OSError:
        return
