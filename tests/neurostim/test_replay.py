"""A log says enough to decide everything again: review by review, event by event, the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neurostim.plan import Plan, make_plan
from neurostim.trial import run
from protocols import Proposal, Setting
from protocols.design import Design, load_design
from safety import (
    Envelope,
    Latch,
    Past,
    Person,
    Ruling,
    acknowledge,
    after_adverse_event,
    review,
)
from safety.audit_plain import restored
from safety.audit_reading import Reader
from safety.audit_records import Decision, decisions_of, rows_of_findings

DAY = 86_400


def plan_of(design: str, **changes: int) -> Plan:
    """A shipped design for a few patients, under an envelope with some limits changed."""
    raw = load_design(design).model_dump(mode="json")
    raw["population"]["n_patients"] = 4
    raw["schedule"] |= {"baseline_days": 28, "treatment_days": 112, "evaluation_days": 28}
    plan = make_plan(
        Design.model_validate(raw), seed=5, compute="cpu", block_size=3, is_isolated=False
    )
    return replace(plan, envelope=plan.envelope.replaced(**changes))


def again(past: Past, told: Decision, envelope: Envelope) -> None:
    """Decide once more, from the past before and what was wanted."""
    asked = Proposal(
        patient=told.patient,
        sequence=past.sequence + 1,
        at_s=told.at_s,
        envelope_hash=envelope.hash,
        setting=told.wanted,
    )
    verdict = review(asked, past, envelope, told.at_s)
    assert (verdict.delivered, verdict.wanted) == (told.delivered, told.wanted)
    assert (verdict.ruling, verdict.ramp_s) == (told.ruling, told.ramp_s)
    assert (verdict.past, rows_of_findings(verdict)) == (told.past, told.findings)


def after(past: Past, record: dict[str, Any], envelope: Envelope) -> Past:
    """Let what happened happen once more."""
    where, at_s = f"record {record['n']}", record["at_s"]
    if record["kind"] == "adverse-event":
        setting = restored(Setting, record["setting"], where)
        grade = record["grade"]
        return after_adverse_event(past, envelope, at_s=at_s, grade=grade, setting=setting)
    people = restored(tuple[Person, ...], record["by"], where)
    return acknowledge(past, restored(Latch, record["latch"], where), people, at_s)


def replayed(path: Path, envelope: Envelope) -> dict[str, int]:
    """Replay one log; return how many records there were of each kind, and rulings."""
    pasts: dict[int, Past] = {}
    counts: dict[str, int] = {}
    reader = Reader()
    for record in reader.records(path):
        kind = record["kind"]
        counts[kind] = counts.get(kind, 0) + 1
        if kind in ("intent", "intents"):
            for told in decisions_of(record):
                again(pasts.get(told.patient, Past.start(told.patient)), told, envelope)
                pasts[told.patient] = told.past
                counts[told.ruling] = counts.get(told.ruling, 0) + 1
        elif kind in ("adverse-event", "acknowledgement"):
            past = after(pasts[record["patient"]], record, envelope)
            assert past == restored(Past, record["past"], "past")
            pasts[record["patient"]] = past
    assert reader.kind == "close"
    return counts


@pytest.mark.req("SR-22")
def test_a_shipped_design_is_decided_again_from_its_logs(tmp_path: Path) -> None:
    plan = plan_of("demo")
    run(plan, tmp_path / "run")
    logs = sorted((tmp_path / "run" / "audit").glob("*.jsonl"))
    counts = [replayed(path, plan.envelope) for path in logs]
    assert sum(each.get(Ruling.ACCEPTED, 0) for each in counts) > 100


@pytest.mark.req("SR-22")
@pytest.mark.req("SR-16")
def test_clamps_latches_events_and_releases_are_decided_again(tmp_path: Path) -> None:
    plan = plan_of(
        "demo",
        rise_window_s=40 * DAY,
        rise_amplitude_ua=3000,
        step_amplitude_ua=2000,
        adverse_site_grade=1,
        adverse_patient_grade=2,
        lockout_s=30 * DAY,
        max_contact_current_ua=5000,
    )
    run(plan, tmp_path / "run")
    logs = sorted((tmp_path / "run" / "audit").glob("*.jsonl"))
    counts = [replayed(path, plan.envelope) for path in logs]
    for kind in (Ruling.CLAMPED, Ruling.STOPPED, "adverse-event", "acknowledgement"):
        assert sum(each.get(kind, 0) for each in counts) > 0, kind
    other = plan.envelope.replaced(max_contact_current_ua=1000)
    with pytest.raises(AssertionError):
        [replayed(path, other) for path in logs]
