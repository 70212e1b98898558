"""What stands in a log: one line of canonical JSON for each record, of a few kinds."""

import json
from dataclasses import dataclass
from typing import Any

from protocols import Setting
from safety.audit_columns import Columns, Unpacker, flattened, packed
from safety.audit_file import encode
from safety.audit_plain import hints_of, plain, restored
from safety.verdict import Past, Ruling, Verdict

SCHEMA = 2
MOST_IN_A_GROUP = 100_000

Record = dict[str, Any]
FindingRow = tuple[str, str, str]
"""The rule, the requirement it serves, and the sentence."""

CHAINED = {"kind", "n", "previous", "envelope", "manufacturer"}
KEYS = {
    "open": CHAINED | {"schema"},
    "intent": CHAINED
    | {"patient", "at_s", "wanted", "delivered", "ruling", "findings", "ramp_s", "past"},
    "outcome": CHAINED | {"intent", "patient", "at_s", "stimulation_s", "charge_uc", "n_incidents"},
    "intents": CHAINED | {"n_patients", "columns"},
    "outcomes": CHAINED | {"intent", "n_patients", "columns"},
    "adverse-event": CHAINED | {"patient", "at_s", "grade", "setting", "past"},
    "acknowledgement": CHAINED | {"patient", "at_s", "latch", "by", "past"},
    "fault": CHAINED | {"patient", "at_s", "sentence"},
    "envelope-change": CHAINED | {"at_s", "before", "by"},
    "restart": CHAINED | {"at_s", "n_lost_bytes"},
    "close": CHAINED,
}
"""The kinds of record and what each says."""

OUTCOME_COLUMNS = ("at_s", "stimulation_s", "charge_uc", "n_incidents")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What is about to be delivered to many patients, as columns that `group_of` explains."""

    n_patients: int
    columns: Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one intent said, whether it stood alone or in a group."""

    patient: int
    at_s: int
    wanted: Setting | None
    delivered: Setting
    ruling: Ruling
    findings: tuple[FindingRow, ...]
    ramp_s: int
    past: Past


def line_of(record: Record, number: int, previous: str, envelope: str, manufacturer: str) -> bytes:
    """Return a record as the bytes of its line, canonical and chained to the one before."""
    chained = {"n": number, "previous": previous, "envelope": envelope}
    return encode(record | chained | {"manufacturer": manufacturer}).encode() + b"\n"


def read_record(line: bytes) -> Record | None:
    """Return the record of a line, or None unless it is, byte for byte, what is written for one."""
    try:
        record = json.loads(line)
        is_canonical = encode(record).encode() + b"\n" == line
    except (ValueError, RecursionError):
        return None
    if not is_canonical or type(record) is not dict or type(record.get("kind")) is not str:
        return None
    return record if record.keys() == KEYS.get(record["kind"]) else None


def rows_of_findings(verdict: Verdict) -> tuple[FindingRow, ...]:
    """Return each finding as a row."""
    return tuple((str(f.rule), f.requirement, f.sentence) for f in verdict.findings)


def intent_of(verdict: Verdict, at_s: int) -> Record:
    """Return the record of what is about to be delivered and why."""
    return {
        "kind": "intent",
        "patient": verdict.past.patient,
        "at_s": at_s,
        "wanted": plain(verdict.wanted),
        "delivered": plain(verdict.delivered),
        "ruling": verdict.ruling,
        "findings": rows_of_findings(verdict),
        "ramp_s": verdict.ramp_s,
        "past": plain(verdict.past),
    }


def group_of(verdicts: list[Verdict], at_s: list[int]) -> Group:
    """Return the columns of one epoch of many patients, each at its own time.

    `at_s`, `ramp_s`: whole numbers. `ruling`: texts. `findings`: for each patient the tuple of its
    `FindingRow`s. `past`, and under it each field, its setting being what is delivered. `wanted`:
    only of those whose ruling is not accepted, since the others' is what is delivered.
    """
    rulings = [verdict.ruling for verdict in verdicts]
    delivered = [verdict.delivered for verdict in verdicts]
    if delivered != [verdict.past.delivered for verdict in verdicts]:
        raise ValueError("a verdict's past does not hold what it delivers")
    wanted = [
        verdict.wanted
        for verdict, ruling in zip(verdicts, rulings, strict=True)
        if ruling is not Ruling.ACCEPTED
    ]
    columns: Columns = {
        "at_s": at_s,
        "ramp_s": [verdict.ramp_s for verdict in verdicts],
        "ruling": rulings,
        "findings": [each.findings and rows_of_findings(each) for each in verdicts],
    }
    columns.update(flattened("past", Past, [verdict.past for verdict in verdicts]))
    columns.update(flattened("wanted", hints_of(Verdict)["wanted"], wanted))
    return Group(n_patients=len(verdicts), columns=columns)


def intents_of(group: Group) -> Record:
    """Return the record of a group."""
    columns = {name: packed(column) for name, column in group.columns.items()}
    return {"kind": "intents", "n_patients": group.n_patients, "columns": columns}


def outcomes_of(intent: int, columns: Columns) -> Record:
    """Return the record of what the devices of a group report."""
    packed_columns = {name: packed(column) for name, column in columns.items()}
    n_patients = len(columns["at_s"])
    return {
        "kind": "outcomes",
        "intent": intent,
        "n_patients": n_patients,
        "columns": packed_columns,
    }


def decisions_of(record: Record) -> list[Decision]:
    """Return what an intent or a group of them said; raise `InputError` if it makes no sense."""
    where = f"record {record['n']}"
    if record["kind"] == "intent":
        fields = {name: record[name] for name in hints_of(Decision)}
        return [restored(Decision, fields, where)]
    n_patients = record["n_patients"]
    unpacker = unpacker_of(record)
    rulings = unpacker.values("ruling", Ruling, n_patients)
    pasts = unpacker.values("past", Past, n_patients)
    n_wanted = sum(ruling is not Ruling.ACCEPTED for ruling in rulings)
    wanted = iter(unpacker.values("wanted", hints_of(Verdict)["wanted"], n_wanted))
    findings = [
        restored(tuple[FindingRow, ...], each, where)
        for each in unpacker.texts("findings", n_patients)
    ]
    times, ramps = unpacker.numbers("at_s", n_patients), unpacker.numbers("ramp_s", n_patients)
    unpacker.check_all_taken()
    rows = zip(pasts, times, rulings, findings, ramps, strict=True)
    return [
        Decision(
            patient=past.patient,
            at_s=at_s,
            wanted=past.delivered if ruling is Ruling.ACCEPTED else next(wanted),
            delivered=past.delivered,
            ruling=ruling,
            findings=found,
            ramp_s=ramp_s,
            past=past,
        )
        for past, at_s, ruling, found, ramp_s in rows
    ]


def outcome_columns(record: Record) -> dict[str, list[int]]:
    """Return what the devices of a group reported; raise `InputError` if it makes no sense."""
    unpacker = unpacker_of(record)
    columns = {name: unpacker.numbers(name, record["n_patients"]) for name in OUTCOME_COLUMNS}
    unpacker.check_all_taken()
    return columns


def unpacker_of(record: Record) -> Unpacker:
    """Return what takes the columns of a group apart."""
    columns = record["columns"]
    return Unpacker(columns if type(columns) is dict else {}, f"record {record['n']}")
