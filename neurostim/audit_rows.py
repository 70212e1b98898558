"""The records of an audit log as sentences for people, each with its day and its patient."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from protocols import SECONDS_PER_DAY, InputError, Setting
from safety import Decision, Ruling
from safety.audit_plain import restored
from safety.audit_records import OUTCOME_COLUMNS, Record, decisions_of, outcome_columns

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One line for people; `at_s` and `patient` are None where a record is of no time or nobody."""

    at_s: int | None
    patient: int | None
    event: str
    sentence: str
    is_intervention: bool

    @property
    def day(self) -> str:
        """When: the day, with hour and minute unless it is midnight."""
        if self.at_s is None:
            return ""
        day, second = divmod(self.at_s, SECONDS_PER_DAY)
        clock = f"{second // SECONDS_PER_HOUR:02d}:{second // 60 % 60:02d}"
        return f"{day} {clock}" if second else str(day)


class Narrator:
    """Tells records one by one; remembers only who is in the groups that are still pending."""

    def __init__(self) -> None:
        self._groups: dict[int, list[int]] = {}

    def rows(self, record: Record) -> Iterator[AuditRow]:
        """Yield what a sound record says; raise `InputError` for one that makes no sense."""
        kind, number = record["kind"], record["n"]
        if kind in ("intent", "intents"):
            decisions = decisions_of(record)
            if kind == "intents":
                self._groups[number] = [each.patient for each in decisions]
            yield from map(decision_row, decisions)
        elif kind == "outcome":
            row = {
                name: restored(int, record[name], f"record {number}") for name in OUTCOME_COLUMNS
            }
            yield outcome_row(whole(record, "patient"), row)
        elif kind == "outcomes":
            columns = outcome_columns(record)
            for index, patient in enumerate(self._groups.pop(record["intent"])):
                yield outcome_row(
                    patient, {name: column[index] for name, column in columns.items()}
                )
        else:
            yield event_row(record)


def decision_row(decision: Decision) -> AuditRow:
    """Tell one decision with its reasons."""
    is_asked = decision.wanted is not None and decision.wanted != decision.delivered
    instead = f" instead of {decision.wanted}" if is_asked else ""
    ramp = f", ramped over {decision.ramp_s} s" if decision.ramp_s else ""
    reasons = "".join(f"; {sentence} ({of})" for _, of, sentence in decision.findings)
    return AuditRow(
        at_s=decision.at_s,
        patient=decision.patient,
        event=decision.ruling.value,
        sentence=f"{decision.delivered}{instead}{ramp}{reasons}",
        is_intervention=decision.ruling is not Ruling.ACCEPTED,
    )


def outcome_row(patient: int, row: dict[str, int]) -> AuditRow:
    """Tell what a device reported."""
    n_incidents = row["n_incidents"]
    incidents = f", {n_incidents} incidents" if n_incidents else ""
    return AuditRow(
        at_s=row["at_s"],
        patient=patient,
        event="outcome",
        sentence=f"stimulated for {row['stimulation_s']} s, {row['charge_uc']} µC{incidents}",
        is_intervention=n_incidents > 0,
    )


def event_row(record: Record) -> AuditRow:
    """Tell what is neither an intent nor an outcome."""
    kind = record["kind"]
    return AuditRow(
        at_s=whole(record, "at_s") if "at_s" in record else None,
        patient=whole(record, "patient") if "patient" in record else None,
        event=kind.replace("-", " "),
        sentence=event_sentence(record),
        is_intervention=kind not in ("open", "close"),
    )


def event_sentence(record: Record) -> str:
    """Say what happened."""
    kind, envelope = record["kind"], str(record["envelope"])[:12]
    if kind == "adverse-event":
        setting = restored(Setting, record["setting"], f"record {record['n']}, setting")
        return f"grade {whole(record, 'grade')} under {setting}"
    if kind == "acknowledgement":
        return f"{named(record['latch'])} released by {people(record['by'])}"
    if kind == "fault":
        return str(record["sentence"])
    if kind == "envelope-change":
        return f"envelope {envelope} put in force by {people(record['by'])}"
    if kind == "restart":
        n_bytes = whole(record, "n_lost_bytes")
        return "gone on" + (f" after {n_bytes} bytes of a half-written record" if n_bytes else "")
    if kind == "open":
        return f"envelope {envelope}, manufacturer {str(record['manufacturer'])[:12]}"
    return "closed"


def whole(record: Record, name: str) -> int:
    """Return a whole number of a record; raise `InputError` if it is none."""
    value: int = restored(int, record[name], f"record {record['n']}, {name}")
    return value


def named(value: Any) -> str:
    """Return plain fields as a text."""
    if type(value) is not dict:
        raise InputError(f"{value!r:.60}: named fields were expected")
    return ", ".join(f"{name} {each}" for name, each in value.items())


def people(by: Any) -> str:
    """Return people with their roles."""
    if type(by) is not list:
        raise InputError(f"{by!r:.60}: a list of people was expected")
    return " and ".join(named(person) for person in by) or "nobody"
