"""The audit log: intent before delivery, outcome after, each line chained to the one before."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from protocols import InputError, Setting
from safety.verdict import Verdict

SCHEMA = 1
BEGINNING = "0" * 64
"""What the first record gives as the hash of the one before it."""

LONGEST_LINE = 1_000_000
Record = dict[str, object]

encode: Callable[[object], str] = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


class AuditLog:
    """An append-only log, written line by line; a `with` block that ends writes its closing record.

    The file must not exist yet. Each record has left this process when the call that wrote it
    returns; with `durable` it is also on the disk. The same calls give the same bytes: nothing of
    the clock, the path or the machine goes in. A block that ends with an exception leaves the log
    without a closing record, which `verify` reports. Whoever keeps `head` can notice even a log
    rewritten as a whole.
    """

    def __init__(self, path: str | Path, *, envelope_hash: str, durable: bool) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self._file = os.open(path, flags, 0o644)
        self._durable = durable
        self._envelope_hash = envelope_hash
        self._pending: dict[int, int] = {}
        self.n_records = 0
        self.head = BEGINNING
        self._append({"kind": "open", "schema": SCHEMA})

    def intend(self, verdict: Verdict, *, at_s: int) -> int:
        """Write what is about to be delivered and why; return the number to conclude it with."""
        number = self.n_records
        self._append(
            {
                "kind": "intent",
                "patient": verdict.past.patient,
                "sequence": verdict.past.sequence,
                "at_s": at_s,
                "wanted": verdict.wanted and setting_row(verdict.wanted),
                "delivered": setting_row(verdict.delivered),
                "ruling": verdict.ruling,
                "findings": [[f.rule, f.requirement, f.sentence] for f in verdict.findings],
                "latched": verdict.past.latched,
                "ramp_s": verdict.ramp_s,
            }
        )
        self._pending[number] = verdict.past.patient
        return number

    def conclude(
        self, intent: int, *, at_s: int, stimulation_s: int, charge_uc: int, n_incidents: int
    ) -> None:
        """Write what the device reports of an intent; raise `ValueError` unless it is pending."""
        if intent not in self._pending:
            raise ValueError(f"intent = {intent}: one of {list(self._pending)} was expected")
        self._append(
            {
                "kind": "outcome",
                "intent": intent,
                "patient": self._pending[intent],
                "at_s": at_s,
                "stimulation_s": stimulation_s,
                "charge_uc": charge_uc,
                "n_incidents": n_incidents,
            }
        )
        del self._pending[intent]

    def _append(self, record: Record) -> None:
        line = line_of(record, self.n_records, self.head, self._envelope_hash)
        write_all(self._file, line)
        if self._durable:
            os.fsync(self._file)
        self.n_records += 1
        self.head = sha256(line).hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._append({"kind": "close"})
        finally:
            os.close(self._file)


def line_of(record: Record, number: int, previous: str, envelope_hash: str) -> bytes:
    """Return a record as the bytes of its line, canonical and chained to the one before."""
    chained = record | {"n": number, "previous": previous, "envelope": envelope_hash}
    return encode(chained).encode() + b"\n"


def write_all(file: int, line: bytes) -> None:
    """Write the whole line, however few bytes a single write takes."""
    while line:  # a write may be short
        line = line[os.write(file, line) :]


def setting_row(setting: Setting) -> list[object]:
    """Return a setting as a row: site, µA, Hz, µs, ms on, ms off, mode."""
    return [
        setting.site,
        setting.amplitude_ua,
        setting.frequency_hz,
        setting.pulse_width_us,
        setting.on_ms,
        setting.off_ms,
        setting.mode,
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCheck:
    """What is known of a log: how many records are sound, and one sentence.

    `is_intact` is false where a record is damaged, moved, missing or foreign; `is_closed` is false
    where the closing record is missing, and then an unknown number of last records may be missing
    too. `n_pending` counts the intents that nothing came of.
    """

    n_records: int
    n_pending: int
    is_intact: bool
    is_closed: bool
    head: str
    sentence: str


def verify(path: str | Path) -> LogCheck:
    """Read a log and say how far it is sound; raise `InputError` if it cannot be read."""
    reader = Reader()
    try:
        with Path(path).open("rb") as file:
            for line in iter(lambda: file.readline(LONGEST_LINE), b""):
                if problem := reader.take(line):
                    return reader.result(f"record {reader.n_records} {problem}", is_intact=False)
    except OSError as error:
        raise InputError(f"{path}: the audit log cannot be read: {error}") from error
    if reader.kind == "close":
        return reader.result("the log is whole", is_intact=True)
    return reader.result("there is no closing record: the end may be missing", is_intact=True)


@dataclass(slots=True)
class Reader:
    """How far a log has been read and found sound."""

    n_records: int = 0
    head: str = BEGINNING
    envelope: object = None
    kind: object = None
    pending: set[int] = field(default_factory=set)

    def take(self, line: bytes) -> str | None:
        """Accept the next line, or say what is wrong with it."""
        record = read_record(line)
        if record is None:
            return "is damaged"
        if problem := self.unchained(record) or self.misplaced(record):
            return problem
        self.n_records += 1
        self.head = sha256(line).hexdigest()
        self.kind, self.envelope = record["kind"], record["envelope"]
        return None

    def unchained(self, record: Record) -> str | None:
        """Say how the record fails to continue the one before it, if it does."""
        if record["n"] != self.n_records:
            return f"is numbered {record['n']}"
        if record["previous"] != self.head:
            return "does not continue the record before it"
        if self.n_records and record["envelope"] != self.envelope:
            return "names another envelope"
        return None

    def misplaced(self, record: Record) -> str | None:
        """Say why such a record cannot stand here, if it cannot; keep count of the intents."""
        kind = record["kind"]
        if self.kind == "close" or (kind == "open") != (self.n_records == 0):
            return f"of kind {kind} is out of place"
        if kind == "intent":
            self.pending.add(self.n_records)
        elif kind == "outcome":
            intent = record["intent"]
            if type(intent) is not int or intent not in self.pending:
                return "concludes what was not intended"
            self.pending.remove(intent)
        elif kind == "open" and record["schema"] != SCHEMA:
            return f"is of schema {record['schema']}"
        return None

    def result(self, sentence: str, *, is_intact: bool) -> LogCheck:
        """Return what was found."""
        return LogCheck(
            n_records=self.n_records,
            n_pending=len(self.pending),
            is_intact=is_intact,
            is_closed=is_intact and self.kind == "close",
            head=self.head,
            sentence=sentence,
        )


def read_record(line: bytes) -> Record | None:
    """Return the record of a line, or None unless it is, byte for byte, what this module writes."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if type(record) is not dict or record.keys() != KEYS.get(str(record.get("kind"))):
        return None
    return record if encode(record).encode() + b"\n" == line else None


CHAINED = {"kind", "n", "previous", "envelope"}
KEYS = {
    "open": CHAINED | {"schema"},
    "intent": CHAINED
    | {
        "patient",
        "sequence",
        "at_s",
        "wanted",
        "delivered",
        "ruling",
        "findings",
        "latched",
        "ramp_s",
    },
    "outcome": CHAINED | {"intent", "patient", "at_s", "stimulation_s", "charge_uc", "n_incidents"},
    "close": CHAINED,
}
