"""What a window can do, done without one."""

import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurostim.app.jobs import Job
from neurostim.app.session import Session
from protocols import InputError
from safety import Person, Role

CLINICIAN = Person("Dr A", Role.CLINICIAN)
OFFICER = Person("Dr B", Role.SAFETY_OFFICER)


def done(job: Job[Any]) -> Any:
    """The result of a job that went well."""
    assert job.wait(120)
    assert job.error == ""
    return job.result


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session with the sample patient, treated by titration from now on."""
    made = Session(tmp_path / "state")
    done(made.open_sample())
    made.choose_policy("titration")
    yield made
    made.close()


def test_without_a_patient_there_is_a_status_and_a_sentence(tmp_path: Path) -> None:
    session = Session(tmp_path)
    assert session.status().patient == ""
    assert not session.has_patient
    assert not session.autosave()
    with pytest.raises(InputError, match="there is no patient yet"):
        session.timeline()
    session.close()


def test_the_sample_is_shown_and_steps(session: Session) -> None:
    before = session.status()
    assert before.patient == "Sample patient (seed 8)"
    assert (before.day, before.day_text, before.can_step) == (252, "2026-09-14", True)
    done(session.step())
    after = session.status()
    assert after.day == 266
    assert after.can_undo == "a step of titration"
    timeline = session.timeline()
    assert timeline.n_days == 266
    assert timeline.counts.shape == (266,)
    assert timeline.strips[-1].end_day == 266
    recorded = [row[7].split(" of ") for row in timeline.table.rows]
    assert np.isnan(timeline.counts).sum() == sum(int(days) - int(n) for n, days in recorded) > 30
    written = [int(row[6]) for row in timeline.table.rows if row[6] != "missing"]
    assert np.nansum(timeline.counts) == sum(written)


def test_a_new_patient_has_lived_baseline_and_nothing_else(session: Session) -> None:
    done(session.new_virtual(3, label="Somebody else"))
    assert session.status().day == 56
    assert session.status().patient == "Somebody else (seed 3)"
    assert {strip.text for strip in session.timeline().strips} == {"off"}
    with pytest.raises(InputError, match="label = '<b>': up to 80 letters"):
        session.new_virtual(3, label="<b>")
    job = session.new_virtual(-1)
    assert job.wait(60)
    assert job.error == "seed = -1: an integer from 0 to 2**64 - 1 was expected"
    assert session.status().patient == "Somebody else (seed 3)"


def test_undo_and_redo_go_through_frozen_states(session: Session) -> None:
    first = session.timeline()
    done(session.step())
    second = session.timeline()
    assert session.undo() == "a step of titration"
    assert session.timeline().table == first.table
    assert session.status().can_redo == "a step of titration"
    assert session.redo() == "a step of titration"
    assert session.timeline().table == second.table
    assert session.redo() == ""
    session.undo()
    session.choose_policy("fixed")  # another future: the old one cannot be done again
    assert session.status().can_redo == ""
    assert [session.undo() for _ in range(3)] == ["the policy fixed", "the policy titration", ""]


def test_a_step_taken_back_and_taken_again_is_the_same(session: Session) -> None:
    done(session.step())
    first = session.timeline().table
    session.undo()
    done(session.step())
    assert session.timeline().table == first


def test_a_branch_leaves_the_original_untouched(session: Session) -> None:
    original = session.timeline()
    done(session.branch("held", 160, "hold"))
    done(session.branch("stopped", 168, "stop"))
    lines = {line.name: line for line in session.scenarios()}
    assert list(lines) == ["original", "held", "stopped"]
    assert lines["held"].branch_of == "original"
    assert lines["held"].branch_day == 168  # the first visit on or after day 160
    assert lines["stopped"].branch_of == "held"
    assert lines["stopped"].is_current
    assert lines["stopped"].n_days == 252
    assert session.timeline("original").table == original.table
    held, stopped = session.timeline("held"), session.timeline("stopped")
    assert np.array_equal(held.counts[:168], original.counts[:168], equal_nan=True)
    delivered = [strip.text for strip in held.strips if strip.end_day > 168]
    assert len(delivered) == 1
    assert [strip.text for strip in stopped.strips if strip.first_day >= 168] == ["off"]
    session.choose_scenario("held")
    session.remove_scenario("stopped")
    assert session.status().scenario == "held"
    with pytest.raises(InputError, match="original is the original: it stays"):
        session.remove_scenario("original")
    assert session.undo() == "removing stopped"
    assert len(session.scenarios()) == 3


BRANCHES = [
    ("original", 168, "hold", "there is a scenario 'original' already"),
    ("../x", 168, "hold", "scenario = '../x'"),
    ("x", 20, "hold", "day = 20: 56 to 252 was expected"),
    ("x", 168, "pray", "policy 'pray': one of sham, fixed"),
]


@pytest.mark.parametrize(("name", "day", "what", "sentence"), BRANCHES)
def test_a_wrong_branch_is_refused(
    session: Session, name: str, day: int, what: str, sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        session.branch(name, day, what)
    assert str(caught.value).startswith(sentence)
    assert len(session.scenarios()) == 1


def test_a_cancelled_run_keeps_what_was_lived_and_one_undo_takes_it_back(session: Session) -> None:
    before = session.timeline().table
    job = session.run(1_500)
    until = time.monotonic() + 60
    while job.progress.share == 0 and time.monotonic() < until:
        time.sleep(0.001)
    job.cancel()
    assert job.wait(60)
    assert job.state == "cancelled"
    assert 252 < session.status().day < 252 + 1_500
    assert session.undo() == "1500 days of titration"
    assert session.timeline().table == before


def test_while_a_job_runs_nothing_else_changes_the_patient(session: Session) -> None:
    job = session.run(364)
    job.pause()
    with pytest.raises(InputError, match="Living 364 days: wait for it, or cancel it"):
        session.step()
    with pytest.raises(InputError, match="wait for it, or cancel it"):
        session.undo()
    assert session.timeline().n_days == 252  # looking is always possible
    job.cancel()
    job.wait(60)
    assert session.job is None


def test_policies_are_compared_on_one_luck(session: Session) -> None:
    comparison = done(session.compare(["fixed", "titration", "sham"], 140))
    assert [column.policy for column in comparison.columns] == ["fixed", "titration", "sham"]
    timelines = [column.timeline for column in comparison.columns]
    assert {timeline.n_days for timeline in timelines} == {196}
    for timeline in timelines:  # the same days of baseline, and the same days missed
        assert np.array_equal(timeline.counts[:56], timelines[0].counts[:56], equal_nan=True)
        assert np.array_equal(np.isnan(timeline.counts), np.isnan(timelines[0].counts))
    assert comparison.difference.shape == (3, 140)
    assert np.nanmax(np.abs(comparison.difference[0])) == 0
    # What the table says is what the daily counts say.
    written = [timeline.counts[56:] for timeline in timelines]
    for row, counts in zip(comparison.paired.rows, written[1:], strict=True):
        assert row[1] == f"{28 * np.nanmean(counts):.1f}"
        assert row[2] == f"{28 * np.nanmean(counts - written[0]):+.1f}"
    assert comparison.columns[2].time_at.rows == (("off", "140", "100"),)
    assert session.status().day == 252
    with pytest.raises(InputError, match="2 to 4 different policies"):
        session.compare(["fixed", "fixed"])


def test_limits_tighten_at_once_and_loosen_by_two_roles_with_a_reason(session: Session) -> None:
    session.tighten("amplitude_ua", "2", CLINICIAN)
    amplitude = session.limits().limits[0]
    assert (amplitude.in_force, amplitude.manufacturer) == (("2",), ("8",))
    assert amplitude.is_tightened
    done(session.run(56))
    assert session.timeline().strips[-1].amplitude_ma <= 2
    marks = [mark.sentence for mark in session.timeline().marks if mark.kind == "limits"]
    assert marks == ["2026-09-14: Amplitude tightened to 2 mA."]
    with pytest.raises(InputError, match="takes two people in two roles"):
        session.loosen("amplitude_ua", "4", [CLINICIAN], "it helped")
    with pytest.raises(InputError, match="takes two people in two roles"):
        session.loosen("amplitude_ua", "4", [CLINICIAN, Person("Dr B", Role.CLINICIAN)], "so")
    with pytest.raises(InputError, match="takes a reason"):
        session.loosen("amplitude_ua", "4", [CLINICIAN, OFFICER], " ")
    session.loosen("amplitude_ua", "4", [CLINICIAN, OFFICER], "it helped")
    assert session.limits().limits[0].in_force == ("4",)
    assert session.limits().log.rows[-1] == (
        "2026-11-09",
        "Amplitude loosened to 4 mA",
        "Dr A (clinician), Dr B (safety-officer)",
        "it helped",
    )


def test_names_that_no_file_would_hold_are_refused_at_once(session: Session) -> None:
    with pytest.raises(InputError, match="name = '<i>A</i>'"):
        session.tighten("amplitude_ua", "2", Person("<i>A</i>", Role.CLINICIAN))
    assert not session.limits().log.rows


def test_undo_never_loosens(session: Session) -> None:
    session.tighten("sites", "left deep", CLINICIAN)
    while session.undo():
        pass
    sites = next(limit for limit in session.limits().limits if limit.name == "sites")
    assert "left deep" not in sites.in_force
    assert "left deep" in sites.manufacturer


TIGHTENINGS = [
    ("amplitude_ua", "9", "Amplitude = '9': one of 0.5, 1"),
    ("amplitude_ua", "8", "Amplitude: 8 mA changes nothing"),
    ("luck", "1", "limit 'luck': one of amplitude_ua"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), TIGHTENINGS)
def test_a_wrong_tightening_is_refused(
    session: Session, name: str, value: str, sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        session.tighten(name, value, CLINICIAN)
    assert str(caught.value).startswith(sentence)
    assert not session.limits().log.rows


def test_save_and_open_bring_everything_back(session: Session, tmp_path: Path) -> None:
    done(session.branch("held", 160, "hold"))
    session.tighten("amplitude_ua", "3", CLINICIAN)
    done(session.step())
    shown = [session.timeline(name).table for name in ("original", "held")]
    limits, status = session.limits(), session.status()
    assert status.is_changed
    path = session.save(tmp_path / "patient.neurostim.json")
    assert not session.status().is_changed
    assert session.recent() == (path,)
    other = Session(tmp_path / "other")
    done(other.open(path))
    assert [other.timeline(name).table for name in ("original", "held")] == shown
    assert other.limits() == limits
    assert (other.status().scenario, other.status().day) == (status.scenario, status.day)
    assert other.status().notices == ()
    again = other.save(tmp_path / "again.neurostim.json")
    assert again.read_bytes() == path.read_bytes()
    other.close()


def test_a_patient_that_cannot_be_opened_leaves_the_one_there_is(
    session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{}")
    job = session.open(path)
    assert job.wait(60)
    assert job.error == f"{path}: not a patient file: format = 'neurostim patient' was expected"
    assert session.status().patient == "Sample patient (seed 8)"


def test_csv_has_the_rows_of_a_trial(session: Session, tmp_path: Path) -> None:
    done(session.branch("held", 160, "hold"))
    path = session.export_csv(tmp_path / "epochs.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["scenario"] for row in rows} == {"original", "held"}
    assert len(rows) == sum(len(session.timeline(n).table.rows) for n in ("original", "held"))
    assert list(rows[0])[:4] == ["scenario", "arm", "patient", "epoch"]


def test_outcomes_are_those_of_a_trial_that_ended_now(session: Session) -> None:
    table = session.outcomes()
    values = {row[0]: row[1] for row in table.rows}
    counts = session.timeline().counts
    assert values["Baseline rate"] == f"{28 * np.nanmean(counts[:56]):.1f}"
    assert values["Rate in the last days"] == f"{28 * np.nanmean(counts[-84:]):.1f}"
    assert values["Days of treatment"] == "196"


DIARY = "date,seizures\n" + "".join(
    f"2025-{1 + day // 28:02d}-{1 + day % 28:02d},{day % 5 % 3}\n" for day in range(112)
)


def test_a_diary_is_previewed_confirmed_and_shown(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "my diary.csv"
    path.write_text(DIARY)
    preview = session.preview_diary(path)
    assert preview.mapping == {"date": "date", "count": "seizures"}
    assert preview.problem == ""
    assert len(preview.understood.rows) == 1
    wrong = session.preview_diary(path, {"date": "seizures", "count": "date"})
    assert "line 2" in wrong.problem
    done(session.import_diary(path, preview.mapping))
    status, timeline = session.status(), session.timeline()
    assert status.patient == "my diary"
    assert status.is_diary
    assert not status.can_step
    assert timeline.first_date is not None
    assert timeline.first_date.isoformat() == "2025-01-01"
    assert timeline.counts[:3].tolist() == [0, 1, 2]
    assert np.isnan(timeline.counts[28:31]).all()  # the 29th to the 31st were not written
    for deed in (session.step, session.run, session.beliefs, session.outcomes):
        with pytest.raises(InputError, match="no simulated patient stands behind it"):
            deed()
    saved = session.save(tmp_path / "diary.neurostim.json")
    counts = json.loads(saved.read_text())["subject"]["counts"]
    assert len(counts) == 112
    done(session.open(saved))
    assert np.array_equal(session.timeline().counts, timeline.counts, equal_nan=True)


def test_a_file_that_is_no_diary_says_why(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("")
    with pytest.raises(InputError, match="a table with headings was expected"):
        session.preview_diary(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        session.preview_diary(path)
    path.write_text("a,b\n1,2\n")
    assert session.preview_diary(path).problem != ""
