"""The file of a log and its anchor: whole lines, each after the one before it, or nothing more."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from errno import EINVAL, EIO
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from protocols import InputError

BEGINNING = "0" * 64
"""What the first record gives as the hash of the one before it."""

LONGEST_LINE = 1 << 25
LONGEST_ANCHOR = 1000
MOST_UNANCHORED = 256
"""How many records a log that is not durable writes before its anchor follows."""

encode: Callable[[object], str] = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


class LogSealedError(OSError):
    """The log cannot be written: nothing may rise, and a stop or a decrease still goes through.

    Whoever catches it asks `review_unlogged` what may be delivered. The log is sealed: it takes no
    further record, ever, since one that follows a half-written line could not be read.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """How far a log had come: kept apart from it, so that what is missing at its end is noticed."""

    n_records: int
    n_bytes: int
    head: str


def anchor_path(path: str | Path) -> Path:
    """Return where the anchor of a log is kept unless another place is named."""
    return Path(f"{path}.anchor")


def open_to_read(path: Path) -> BinaryIO:
    """Open a file; raise `OSError` for what is none: a pipe would be waited for without end."""
    if path.exists() and not path.is_file():
        raise OSError(EINVAL, "it is no file", str(path))
    return path.open("rb")


def read_anchor(path: Path) -> Anchor | None:
    """Return the anchor in a file, None where there is no file; raise `InputError` for others."""
    try:
        with open_to_read(path) as file:
            content = file.read(LONGEST_ANCHOR)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # a ValueError: a NUL byte in the name
        raise InputError(f"{path}: the anchor cannot be read: {error}") from error
    try:
        row = json.loads(content)
        anchor = Anchor(n_records=row["n_records"], n_bytes=row["n_bytes"], head=row["head"])
    except (ValueError, RecursionError, TypeError, KeyError):
        anchor = None
    if anchor is None or content_of(anchor) != content:
        raise InputError(f"{path} is damaged: the anchor of an audit log was expected")
    return anchor


def content_of(anchor: Anchor) -> bytes | None:
    """Return an anchor as the bytes of its file, None for one that is never written."""
    if type(anchor.n_records) is not int or type(anchor.n_bytes) is not int:
        return None
    row = {"n_records": anchor.n_records, "n_bytes": anchor.n_bytes, "head": str(anchor.head)}
    return encode(row).encode() + b"\n"


class LogFile:
    """Appends lines, chains them, and moves the anchor after them.

    A line is in the file when `append` returns; with `durable` it is on the disk, and the anchor
    vouches for it. Otherwise the anchor follows after the first line, after every
    `MOST_UNANCHORED` and after the last. The anchor is
    replaced as a whole, and only after its line, so that it never vouches for what is not there.
    Any failure to write (an error, a write of nothing, a file longer or shorter than what was
    written, an interruption half-way) seals the file.
    """

    def __init__(self, path: Path, anchor: Path, *, durable: bool, start: Anchor | None) -> None:
        """Open a log that must not exist, or go on at the end `start` of one that does."""
        new = os.O_CREAT | os.O_EXCL if start is None else 0
        self.path = path
        self.n_records = start.n_records if start else 0
        self.head = start.head if start else BEGINNING
        self._anchor = anchor
        self._durable = durable
        self._n_bytes = start.n_bytes if start else 0
        self._n_unanchored = 0
        self._is_sealed = False
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | new, 0o644)
        except FileExistsError:
            raise
        except OSError as error:
            raise LogSealedError(error.errno, error.strerror, str(path)) from error

    @property
    def is_sealed(self) -> bool:
        """Whether a record could not be written, so that no other ever will be."""
        return self._is_sealed

    def append(self, line: bytes, *, is_last: bool = False) -> None:
        """Write a line and move the anchor as promised; raise `LogSealedError` if either fails."""
        if self._is_sealed:
            raise LogSealedError(EIO, "sealed after a record that could not be written", self.path)
        self._is_sealed = True  # until the whole line is there, whatever interrupts this
        try:
            self._write(line)
            self.n_records += 1
            self.head = sha256(line).hexdigest()
            self._n_unanchored += 1
            is_due = self._n_unanchored >= MOST_UNANCHORED or self.n_records == 1
            if self._durable or is_last or is_due:
                self._move_anchor()
        except OSError as error:
            reason = error.strerror or str(error)
            raise LogSealedError(error.errno or EIO, reason, str(self.path)) from error
        self._is_sealed = False

    def truncate(self) -> None:
        """Cut off what follows the last whole line; raise `LogSealedError` if it fails."""
        try:
            os.ftruncate(self._file, self._n_bytes)
        except OSError as error:
            self._is_sealed = True
            raise LogSealedError(error.errno, error.strerror, str(self.path)) from error

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _write(self, line: bytes) -> None:
        self._n_bytes += len(line)
        while line:  # a write may be short
            n_written = os.write(self._file, line)
            if not 0 < n_written <= len(line):
                raise OSError(EIO, f"a write of {len(line)} bytes returned {n_written}")
            line = line[n_written:]
        if self._durable:
            os.fsync(self._file)
        n_bytes = os.fstat(self._file).st_size
        if n_bytes != self._n_bytes:
            raise OSError(EIO, f"{self._n_bytes} bytes were written, and the file has {n_bytes}")

    def _move_anchor(self) -> None:
        anchor = Anchor(n_records=self.n_records, n_bytes=self._n_bytes, head=self.head)
        beside = f"{self._anchor}.new"
        # Written through where the system can do so: an anchor lost is one that lags, not a wrong
        # one, but a name must not come to stand for an empty file.
        synchronous = getattr(os, "O_DSYNC", 0) if self._durable else 0
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | synchronous, 0o644)
        try:
            content = content_of(anchor) or b""
            if os.write(file, content) != len(content):
                raise OSError(EIO, f"{beside} was not written as a whole")
        finally:
            os.close(file)
        os.replace(beside, self._anchor)
        self._n_unanchored = 0
