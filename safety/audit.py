"""The audit log: intent before delivery, outcome after, each line chained to the one before."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from protocols import InputError, Setting
from safety.audit_file import LONGEST_LINE, LogFile, anchor_path
from safety.audit_plain import plain
from safety.audit_records import (
    MOST_IN_A_GROUP,
    OUTCOME_COLUMNS,
    SCHEMA,
    Group,
    Record,
    intent_of,
    intents_of,
    line_of,
    outcomes_of,
)
from safety.audit_recovery import Recovered
from safety.verdict import Past, Verdict

LONGEST_SENTENCE = 500


class AuditLog:
    """An append-only log, written record by record; a `with` block that ends closes it.

    The file and its anchor (beside it unless `anchor` names another place) must not exist yet.
    Each record has left this process when the call that wrote it returns; with `durable` it is on
    the disk and the anchor vouches for it. The same calls give the same bytes: nothing of the
    clock, the path or the machine goes in. Every record names the active envelope and the
    manufacturer's, which is the same one unless `manufacturer_hash` says otherwise. A block that
    ends with an exception leaves the log without a closing record, which `verify` reports.

    A record that cannot be written seals the log: the call raises `LogSealedError`, and so does
    every later one. Then nothing may rise; `review_unlogged` says what may be delivered.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        envelope_hash: str,
        durable: bool,
        manufacturer_hash: str | None = None,
        anchor: str | Path | None = None,
    ) -> None:
        anchor = anchor_path(path) if anchor is None else Path(anchor)
        if anchor.exists():
            raise FileExistsError(17, "the anchor of an audit log is here already", str(anchor))
        self._file = LogFile(Path(path), anchor, durable=durable, start=None)
        self._envelope = envelope_hash
        self._manufacturer = envelope_hash if manufacturer_hash is None else manufacturer_hash
        self._pending: dict[int, int] = {}
        self._pending_groups: dict[int, int] = {}
        self._open({"kind": "open", "schema": SCHEMA})

    @classmethod
    def resume(cls, recovered: Recovered, *, at_s: int, durable: bool) -> Self:
        """Go on with a log where it is sound, by a record of the restart.

        A half-written last line is cut off, and the record says how long it was. Intents that
        nothing came of stay pending. Raises `InputError` if going on would hide that records are
        missing or were changed, or if the log was closed.
        """
        if recovered.problem:
            raise InputError(f"{recovered.path} cannot be gone on with: {recovered.problem}")
        self = cls.__new__(cls)
        self._file = LogFile(recovered.path, recovered.anchor, durable=durable, start=recovered.end)
        self._envelope = recovered.envelope
        self._manufacturer = recovered.manufacturer
        self._pending = dict(recovered.pending)
        self._pending_groups = dict(recovered.pending_groups)
        n_lost_bytes = recovered.n_lost_bytes
        self._open({"kind": "restart", "at_s": at_s, "n_lost_bytes": n_lost_bytes})
        return self

    @property
    def n_records(self) -> int:
        """How many records were written."""
        return self._file.n_records

    @property
    def head(self) -> str:
        """The hash of the last record: whoever keeps it can notice a log rewritten as a whole."""
        return self._file.head

    @property
    def is_sealed(self) -> bool:
        """Whether a record could not be written, so that nothing may rise."""
        return self._file.is_sealed

    def intend(self, verdict: Verdict, *, at_s: int) -> int:
        """Write what is about to be delivered and why; return the number to conclude it with."""
        number = self._append(intent_of(verdict, at_s))
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

    def intend_group(self, group: Group) -> int:
        """Write what is about to be delivered to many patients as one record, by one write.

        Returns the number to conclude it with. Raises `ValueError`, before anything is written,
        for no patients or more than `MOST_IN_A_GROUP`.
        """
        if not 1 <= group.n_patients <= MOST_IN_A_GROUP:
            raise ValueError(
                f"n_patients = {group.n_patients}: 1 to {MOST_IN_A_GROUP} were expected"
            )
        number = self._append(intents_of(group))
        self._pending_groups[number] = group.n_patients
        return number

    def conclude_group(
        self,
        intent: int,
        *,
        at_s: list[int],
        stimulation_s: list[int],
        charge_uc: list[int],
        n_incidents: list[int],
    ) -> None:
        """Write what the devices of a group report, as columns in the order of its patients.

        Raises `ValueError` unless the group is pending and the columns are as long as it.
        """
        if intent not in self._pending_groups:
            raise ValueError(f"intent = {intent}: one of {list(self._pending_groups)} was expected")
        given = (at_s, stimulation_s, charge_uc, n_incidents)
        columns = dict(zip(OUTCOME_COLUMNS, given, strict=True))
        n_patients = self._pending_groups[intent]
        for name, column in columns.items():
            if len(column) != n_patients:
                raise ValueError(f"{name} has {len(column)} values: {n_patients} were expected")
        self._append(outcomes_of(intent, columns))
        del self._pending_groups[intent]

    def adverse_event(self, past: Past, *, at_s: int, grade: int, setting: Setting) -> None:
        """Write that an adverse event came under `setting`, and the past that it leaves."""
        event = {"kind": "adverse-event", "at_s": at_s, "grade": grade, "setting": plain(setting)}
        self._append(event | {"patient": past.patient, "past": plain(past)})

    def acknowledged(self, past: Past, *, at_s: int, latch: object, by: Sequence[object]) -> None:
        """Write that people, each with a role, released a latch, and the past that it leaves."""
        event = {"kind": "acknowledgement", "at_s": at_s, "latch": plain(latch)}
        people = [plain(person) for person in by]
        self._append(event | {"by": people, "patient": past.patient, "past": plain(past)})

    def controller_fault(self, patient: int, *, at_s: int, sentence: str) -> None:
        """Write why a controller came up with nothing, in up to `LONGEST_SENTENCE` characters."""
        cut = sentence[:LONGEST_SENTENCE]
        self._append({"kind": "fault", "patient": patient, "at_s": at_s, "sentence": cut})

    def envelope_changed(self, envelope_hash: str, *, at_s: int, by: Sequence[object]) -> None:
        """Write that people put another envelope in force; this and later records name it."""
        before, self._envelope = self._envelope, envelope_hash
        people = [plain(person) for person in by]
        self._append({"kind": "envelope-change", "at_s": at_s, "before": before, "by": people})

    def _open(self, record: Record) -> None:
        try:
            if record["kind"] == "restart":
                self._file.truncate()
            self._append(record)
        except BaseException:
            self._file.close()
            raise

    def _append(self, record: dict[str, Any]) -> int:
        number = self._file.n_records
        line = line_of(record, number, self._file.head, self._envelope, self._manufacturer)
        if len(line) > LONGEST_LINE:
            raise ValueError(f"a record of {len(line)} bytes: up to {LONGEST_LINE} were expected")
        self._file.append(line, is_last=record["kind"] == "close")
        return number

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and not self.is_sealed:
                self._append({"kind": "close"})
        finally:
            self._file.close()
