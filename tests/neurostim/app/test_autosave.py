"""A killed app loses at most what it was doing, and reopens where it was."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurostim.app.folders import AUTOSAVE, SessionFolder, recent_files, remember
from neurostim.app.session import Session
from protocols import InputError

DRIVER = Path(__file__).with_name("autosave_driver.py")
N_STEPS = 3


def test_what_a_killed_app_was_doing_is_recovered(tmp_path: Path) -> None:
    command = [sys.executable, str(DRIVER), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        days = [int(process.stdout.readline()) for _ in range(N_STEPS)]
        process.send_signal(signal.SIGKILL)
        told = [int(line) for line in process.stdout]
    last = max([*days, *told])
    session = Session(tmp_path)
    assert session.can_recover
    job = session.recover()
    assert job.wait(60)
    assert job.error == ""
    status = session.status()
    # What was told of had been saved; a step that was under way may have been, too.
    assert last <= status.day <= last + 14
    assert (status.scenario, status.policy) == ("held", "hold")
    assert status.is_changed
    assert session.limits().limits[0].in_force == ("3",)
    assert len(session.scenarios()) == 2
    assert not session.can_recover
    session.close()
    assert len(list(tmp_path.glob(f"sessions/*/{AUTOSAVE}"))) == 1  # that of the recovered session


def test_an_autosave_that_is_no_patient_file_is_put_aside(tmp_path: Path) -> None:
    left = tmp_path / "sessions" / "20260101-000000-1"
    left.mkdir(parents=True)
    (left / AUTOSAVE).write_text("half a fi")
    session = Session(tmp_path)
    job = session.recover()
    assert job.wait(60)
    assert "not a patient file" in job.error
    assert not session.can_recover
    assert [path.suffix for path in left.iterdir()] == [".unreadable"]
    with pytest.raises(InputError, match="no earlier session left anything"):
        session.recover()
    session.close()


def test_a_living_session_is_not_recovered(tmp_path: Path) -> None:
    first, second = SessionFolder(tmp_path), SessionFolder(tmp_path)
    first.autosave.write_text("work")
    assert second.left_behind() == []
    first.leave()
    assert second.left_behind() == [first.autosave]
    second.leave()


def test_unsaved_work_is_written_by_itself(tmp_path: Path) -> None:
    session = Session(tmp_path, autosave_s=0.05)
    session.open_sample().wait()
    assert not list(tmp_path.glob(f"sessions/*/{AUTOSAVE}"))  # nothing was done yet
    session.choose_policy("fixed")
    (saved,) = tmp_path.glob(f"sessions/*/{AUTOSAVE}")
    saved.unlink()
    kept = session._desk.kept
    assert kept is not None
    kept.forget_saved()
    kept._autosaved = None  # as after a write that failed
    until = time.monotonic() + 20
    while not saved.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert saved.exists()
    session.save(tmp_path / "mine.json")
    assert not saved.exists()  # a person's file has it all
    session.close()
    assert not saved.exists()


def test_recent_files_are_those_that_are_there_the_newest_first(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.json" for n in range(12)]
    for path in paths:
        path.write_text("{}")
        remember(tmp_path, path)
    remember(tmp_path, paths[5])
    paths[11].unlink()
    expected = [paths[5], *(paths[n] for n in (10, 9, 8, 7, 6, 4, 3, 2))]
    assert list(recent_files(tmp_path)) == expected


@pytest.mark.parametrize("text", ["", "{}", "[1, null]", "[" * 10_000])
def test_a_list_of_recent_files_that_is_none_is_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "recent.json").write_text(text)
    assert recent_files(tmp_path) == ()


def test_another_patient_does_not_cost_the_work_on_the_one_before(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.open_sample().wait()
    session.new_virtual(1).wait()
    assert session.recent() == ()  # the sample was only looked at
    session.choose_policy("fixed")
    session.open_sample().wait()
    (left,) = session.recent()
    session.close()
    again = Session(tmp_path)
    assert again.open(left).wait(60)
    assert (again.status().patient, again.status().policy) == ("Virtual patient (seed 1)", "fixed")
    again.close()
