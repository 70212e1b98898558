"""Reading a log as a chain: how far it is sound, and what is wrong where it stops being so."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from protocols import InputError
from safety.audit_file import (
    BEGINNING,
    LONGEST_LINE,
    Anchor,
    anchor_path,
    open_to_read,
    read_anchor,
)
from safety.audit_records import MOST_IN_A_GROUP, SCHEMA, Record, read_record


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCheck:
    """What is known of a log, and one sentence about it.

    `n_records`: how many records are sound, from the beginning. `n_pending`: intents of single
    patients and of groups that nothing came of. `n_missing`: records that the anchor vouches for
    and that are not there. `is_intact`: no record is damaged, moved, missing or foreign as far as
    chain and anchor tell. `is_closed`: there is a closing record. `is_anchored`: the anchor
    vouches for every record, the last one included.
    """

    n_records: int
    n_pending: int
    n_missing: int
    is_intact: bool
    is_closed: bool
    is_anchored: bool
    head: str
    sentence: str

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged, nothing is missing, and the anchor says so too."""
        return self.is_intact and self.is_closed and self.is_anchored


def verify(path: str | Path, anchor: str | Path | None = None) -> LogCheck:
    """Read a log and say how far it is sound; raise `InputError` if it cannot be read.

    `anchor` is where its anchor is kept, beside the log unless said otherwise. The chain shows
    every change but one to the last record; the anchor shows that one, a missing end and a log
    rewritten as a whole, as far as it had followed: to the last record of a durable or closed log,
    and up to `MOST_UNANCHORED` records less of any other.
    """
    try:
        vouched = read_anchor(anchor_path(path) if anchor is None else Path(anchor))
        problem = ""
    except InputError as error:
        vouched, problem = None, f"; {error}"
    reader = Reader(anchor=vouched)
    for _ in reader.records(path):
        pass
    return reader.result(problem)


@dataclass(slots=True)
class Reader:
    """How far a log has been read and found sound, and what is wrong there."""

    anchor: Anchor | None = None
    n_records: int = 0
    n_bytes: int = 0
    head: str = BEGINNING
    envelope: object = None
    manufacturer: object = None
    kind: object = None
    pending: dict[int, int] = field(default_factory=dict)
    """The patient of each intent that nothing came of yet."""
    pending_groups: dict[int, int] = field(default_factory=dict)
    """The number of patients of each group of intents that nothing came of yet."""
    problem: str = ""

    def records(self, path: str | Path) -> Iterator[Record]:
        """Yield the sound records, in order; raise `InputError` if the file cannot be read.

        Reads one line at a time, so that a long log needs no more memory than a short one.
        """
        try:
            with open_to_read(Path(path)) as file:
                for line in iter(lambda: file.readline(LONGEST_LINE), b""):
                    record = self.take(line)
                    if record is None:
                        return
                    yield record
        except (OSError, ValueError) as error:  # a ValueError: a NUL byte in the name
            raise InputError(f"{path}: the audit log cannot be read: {error}") from error
        if not self.n_records:
            self.problem = "the log is empty"

    def take(self, line: bytes) -> Record | None:
        """Return the next record, or None, with `problem` saying what is wrong with it."""
        record = read_record(line)
        if record is None:
            cut = "cut off" if not line.endswith(b"\n") else "damaged"
            problem = f"is {cut}"
        else:
            problem = self.unchained(record) or self.misplaced(record) or self.unlike_anchor(line)
        if record is None or problem:
            place = f"(line {self.n_records + 1}, from byte {self.n_bytes})"
            self.problem = f"record {self.n_records} {problem} {place}"
            return None
        self.n_records += 1
        self.n_bytes += len(line)
        self.head = sha256(line).hexdigest()
        self.kind, self.envelope = record["kind"], record["envelope"]
        self.manufacturer = record["manufacturer"]
        return record

    def unchained(self, record: Record) -> str:
        """Say how the record fails to continue the one before it, if it does."""
        number, expected = record["n"], self.n_records
        if type(number) is not int or number < expected:
            return f"is numbered {shown(number)}: one was put in, doubled or moved here"
        if number > expected:
            return f"is numbered {shown(number)}: {number - expected} before it were taken out"
        if record["previous"] != self.head:
            return "does not continue the record before it: one of them was changed or is foreign"
        if self.n_records and record["manufacturer"] != self.manufacturer:
            return "names another manufacturer's table"
        before = record["before"] if record["kind"] == "envelope-change" else record["envelope"]
        if self.n_records and before != self.envelope:
            return "names another envelope"
        return ""

    def misplaced(self, record: Record) -> str:
        """Say why such a record cannot stand here, if it cannot; keep count of the intents."""
        kind = record["kind"]
        if self.kind == "close" or (kind == "open") != (self.n_records == 0):
            return f"of kind {kind} is out of place"
        if kind == "intent":
            self.pending[self.n_records] = record["patient"]
        elif kind == "intents":
            return self.misplaced_group(record["n_patients"])
        elif kind in ("outcome", "outcomes"):
            return self.inconclusive(record)
        elif kind == "open" and record["schema"] != SCHEMA:
            return f"is of schema {shown(record['schema'])}: {SCHEMA} was expected"
        return ""

    def misplaced_group(self, n_patients: object) -> str:
        """Say why there is no group of so many, if there is not; keep count of it otherwise."""
        if type(n_patients) is not int or not 1 <= n_patients <= MOST_IN_A_GROUP:
            return f"is of {shown(n_patients)} patients: 1 to {MOST_IN_A_GROUP} were expected"
        self.pending_groups[self.n_records] = n_patients
        return ""

    def inconclusive(self, record: Record) -> str:
        """Say why an outcome concludes nothing, if it does not; the intent is pending no more."""
        intent, is_single = record["intent"], record["kind"] == "outcome"
        pending = self.pending if is_single else self.pending_groups
        whom = record["patient" if is_single else "n_patients"]
        if type(intent) is not int or intent not in pending or pending[intent] != whom:
            return "concludes what was not intended"
        del pending[intent]
        return ""

    def unlike_anchor(self, line: bytes) -> str:
        """Say how the record differs from what the anchor vouches for, if it does."""
        anchor = self.anchor
        if anchor is None or self.n_records + 1 != anchor.n_records:
            return ""
        if sha256(line).hexdigest() == anchor.head and self.n_bytes + len(line) == anchor.n_bytes:
            return ""
        return "is not the one that the anchor vouches for: it, or the whole log, was rewritten"

    @property
    def n_missing(self) -> int:
        """How many records the anchor vouches for that were not found."""
        return max(0, self.anchor.n_records - self.n_records) if self.anchor else 0

    def result(self, without_anchor: str = "") -> LogCheck:
        """Return what was found; `without_anchor` adds why there is no anchor."""
        is_intact = not self.problem and not self.n_missing
        is_closed = is_intact and self.kind == "close"
        return LogCheck(
            n_records=self.n_records,
            n_pending=len(self.pending) + len(self.pending_groups),
            n_missing=self.n_missing,
            is_intact=is_intact,
            is_closed=is_closed,
            is_anchored=is_intact
            and self.anchor is not None
            and self.anchor.n_records == self.n_records,
            head=self.head,
            sentence=self.sentence() + without_anchor,
        )

    def sentence(self) -> str:
        """Say what was found."""
        if self.problem:
            missing = f"; the anchor vouches for {self.n_missing} more" if self.n_missing else ""
            return self.problem + missing
        anchor, is_closed = self.anchor, self.kind == "close"
        if self.n_missing:
            return (
                f"the end is missing: the last {self.n_missing} of the "
                f"{self.n_missing + self.n_records} records that the anchor vouches for"
            )
        whole = "the log is whole" if is_closed else "there is no closing record"
        if anchor is None:
            return f"{whole}, and no anchor vouches for its end"
        if anchor.n_records < self.n_records:
            return f"{whole}, and the anchor vouches for {anchor.n_records} of the records only"
        return whole if is_closed else f"{whole}: the anchor vouches for all that are here"


def shown(value: object) -> str:
    """Return a value of a record as a short text."""
    return repr(value)[:40]
