"""The log of a tuning: a header and a line of JSON for each evaluation, written as they come."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurostim.tuning.ground import Lives
from neurostim.tuning.knobs import Choice
from protocols import InputError

Key = tuple[str, Choice, int]
"""Whose patients (`TRAINING` or what a confirmation is called), which choice, and which rung."""

TRAINING = "training"
LARGEST_LOG_BYTES = 1_000_000_000


@dataclass(slots=True)
class Log:
    """What has been evaluated, in its order; a line is in the file before the next is begun."""

    path: Path
    lives: dict[Key, Lives] = field(default_factory=dict)

    def add(self, key: Key, lives: Lives) -> None:
        """Remember one evaluation, on disk first."""
        patients, choice, rung = key
        row = {"on": patients, "choice": list(choice), "rung": rung, "lives": lives.plain()}
        _append(self.path, row)
        self.lives[key] = lives

    @property
    def training(self) -> dict[tuple[Choice, int], Lives]:
        """The evaluations on training patients, by choice and rung."""
        return {key[1:]: lives for key, lives in self.lives.items() if key[0] == TRAINING}


def open_log(path: Path, identity: Mapping[str, Any]) -> Log:
    """Begin a log, or go on with one; a line that a kill cut off is dropped.

    Raises `InputError` when the file is the log of another tuning, or none.
    """
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _append(path, dict(identity))
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None
        return Log(path)
    rows = _whole_rows(path)
    if not rows:
        path.unlink()
        return open_log(path, identity)
    if rows[0] != json.loads(json.dumps(dict(identity))):
        raise InputError(
            f"{path} is the log of another tuning ({_differences(rows[0], identity)}): "
            "another --out was expected, or the same command"
        )
    log = Log(path)
    try:
        for row in rows[1:]:
            key = (str(row["on"]), tuple(map(int, row["choice"])), int(row["rung"]))
            log.lives[key] = Lives.of(row["lives"])
    except (KeyError, TypeError, ValueError) as error:
        number = len(log.lives) + 2
        raise InputError(f"{path}, line {number}: not an evaluation ({error})") from None
    return log


def _whole_rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a log that are whole; what comes after them is cut off."""
    try:
        if path.stat().st_size > LARGEST_LOG_BYTES:
            raise InputError(f"{path}: at most {LARGEST_LOG_BYTES:,} bytes were expected")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    end = content.rfind(b"\n") + 1
    rows = []
    for number, line in enumerate(content[:end].splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: not a line of a tuning's log")
        rows.append(row)
    if end < len(content):
        os.truncate(path, end)
    return rows


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    names = [name for name in wanted if found.get(name) != json.loads(json.dumps(wanted[name]))]
    return ", ".join(names) or "other keys"


def _append(path: Path, row: Mapping[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, separators=(",", ":")) + "\n")
        file.flush()
        os.fsync(file.fileno())
