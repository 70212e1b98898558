"""What a log still says after a crash: its sound beginning, what is pending, the pasts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from protocols import InputError
from safety.audit_file import Anchor, anchor_path, read_anchor
from safety.audit_plain import restored
from safety.audit_reading import Reader
from safety.audit_records import Decision, Record, decisions_of, unpacker_of
from safety.verdict import Past


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """The sound beginning of a log, whole records only, and what is known beyond it.

    `pending` holds the patient of each intent, and `pending_groups` the number of patients of each
    group, that nothing came of: whether they were delivered is not known. `pasts` holds the last
    `Past` of each patient, from before what was pending or running when the log ended: pass it
    through `after_restart`. `n_lost_bytes` follow the beginning in the file; `n_missing` records
    are vouched for by the anchor and not there. `problem` says why the log cannot be gone on with,
    and is empty when it can.
    """

    path: Path
    anchor: Path
    end: Anchor
    envelope: str
    manufacturer: str
    pending: dict[int, int]
    pending_groups: dict[int, int]
    pasts: dict[int, Past]
    n_lost_bytes: int
    n_missing: int
    is_closed: bool
    problem: str

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        n_pending = len(self.pending) + len(self.pending_groups)
        found = f"{self.end.n_records} records are sound, {n_pending} of them pending"
        lost = f"; the last {self.n_lost_bytes} bytes are lost" if self.n_lost_bytes else ""
        return f"{found}{lost}" + (f"; {self.problem}" if self.problem else "")


def recover(path: str | Path, anchor: str | Path | None = None) -> Recovered:
    """Read the sound beginning of a log, changing nothing; raise `InputError` if there is none."""
    path = Path(path)
    anchor = anchor_path(path) if anchor is None else Path(anchor)
    reader = Reader(anchor=read_anchor(anchor))
    latest: dict[int, tuple[Record, int]] = {}
    for record in reader.records(path):
        for index, patient in enumerate(patients_of(record)):
            latest[patient] = record, index
    if not reader.n_records:
        raise InputError(f"{path}: {reader.problem or 'the audit log is empty'}")
    return Recovered(
        path=path,
        anchor=anchor,
        end=Anchor(n_records=reader.n_records, n_bytes=reader.n_bytes, head=reader.head),
        envelope=str(reader.envelope),
        manufacturer=str(reader.manufacturer),
        pending=reader.pending,
        pending_groups=reader.pending_groups,
        pasts=pasts_of(latest),
        n_lost_bytes=path.stat().st_size - reader.n_bytes,
        n_missing=reader.n_missing,
        is_closed=reader.kind == "close",
        problem=why_not_resumed(path, reader),
    )


def patients_of(record: Record) -> list[int]:
    """Return the patients whose past a record holds."""
    if record["kind"] == "intents":
        return unpacker_of(record).numbers("past.patient", record["n_patients"])
    return [restored(int, record["patient"], place_of(record))] if "past" in record else []


def pasts_of(latest: Mapping[int, tuple[Record, int]]) -> dict[int, Past]:
    """Return the past at each place; a group is taken apart once."""
    groups: dict[int, list[Decision]] = {}
    pasts: dict[int, Past] = {}
    for patient, (record, index) in latest.items():
        if record["kind"] == "intents":
            if record["n"] not in groups:
                groups[record["n"]] = decisions_of(record)
            pasts[patient] = groups[record["n"]][index].past
        else:
            pasts[patient] = restored(Past, record["past"], f"{place_of(record)}, past")
    return pasts


def place_of(record: Record) -> str:
    """Return where a record stands."""
    return f"record {record['n']}"


def why_not_resumed(path: Path, reader: Reader) -> str:
    """Say why nothing may be written after this, if so: it would hide what is missing or wrong."""
    if reader.kind == "close" and not reader.problem:
        return "the log is closed"
    if reader.n_missing:
        return f"the last {reader.n_missing} records that the anchor vouches for are missing"
    if reader.anchor is None and reader.n_records > 1:
        return "there is no anchor to tell whether records are missing"
    with path.open("rb") as file:
        file.seek(reader.n_bytes)
        is_torn = all(b"\n" not in block for block in iter(lambda: file.read(1 << 20), b""))
    return "" if is_torn else f"more than a half-written line is wrong: {reader.problem}"


def decisions(path: str | Path, anchor: str | Path | None = None) -> Iterator[Decision]:
    """Yield what was decided for each patient, in the order of the log.

    Raises `InputError` where the log stops being sound, after the last decision before that.
    """
    reader = Reader(anchor=read_anchor(anchor_path(path) if anchor is None else Path(anchor)))
    for record in reader.records(path):
        if record["kind"] in ("intent", "intents"):
            yield from decisions_of(record)
    if reader.problem or reader.n_missing:
        raise InputError(f"{path}: {reader.sentence()}")
