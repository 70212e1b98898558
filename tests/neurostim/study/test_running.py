"""Parts are made once, in time, and resumed after a stop."""

import json
import os
from functools import partial

import pytest

from neurostim.study.parts import QUICK, USUAL, Part, parts
from neurostim.study.running import begin, finished, make, seconds
from protocols import InputError


def counted(file, value):
    """Leave a mark for every call."""
    with file.open("a") as marks:
        marks.write(value)
    return {"value": value}


@pytest.fixture
def work(tmp_path):
    marks = tmp_path / "marks"
    made = [Part(name=name, make=partial(counted, marks, name)) for name in "abc"]
    begin(tmp_path / "out", QUICK, 0)
    return made, tmp_path / "out", marks


def nothing(name, done, total):
    """Hear no progress."""


def test_a_study_goes_on_where_it_stopped(work):
    made, out, marks = work
    make(made[:1], out, minutes=1, n_workers=1, tick=nothing)
    told = []
    make(made, out, minutes=1, n_workers=1, tick=lambda *each: told.append(each))
    assert marks.read_text() == "abc"
    assert told == [("b", 2, 3), ("c", 3, 3)]
    assert finished(out, made) == {name: {"value": name} for name in "abc"}
    assert seconds(out, made) >= 0


def test_two_processes_make_the_same(work):
    made, out, marks = work
    make(made, out, minutes=1, n_workers=2, tick=nothing)
    assert sorted(marks.read_text()) == ["a", "b", "c"]
    assert finished(out, made) == {name: {"value": name} for name in "abc"}


def test_a_process_that_dies_is_a_sentence(work):
    _, out, _ = work
    with pytest.raises(InputError, match="the same command goes on"):
        make([Part(name="d", make=os.abort)], out, minutes=1, n_workers=2, tick=nothing)


def test_nothing_is_begun_when_the_time_has_passed(work):
    made, out, marks = work
    make(made, out, minutes=0, n_workers=1, tick=nothing)
    assert not marks.exists()
    assert finished(out, made) == {}


def test_another_seed_or_size_needs_another_folder(work):
    _, out, _ = work
    begin(out, QUICK, 0)
    for sizes, seed in ((QUICK, 1), (USUAL, 0)):
        with pytest.raises(InputError, match="another seed or size"):
            begin(out, sizes, seed)


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        begin(tmp_path, QUICK, 0)
    with pytest.raises(InputError, match="it is a file"):
        begin(tmp_path / "notes.txt", QUICK, 0)


def test_a_broken_part_is_a_sentence(work):
    made, out, _ = work
    (out / "parts" / "a.json").write_text("{")
    with pytest.raises(InputError, match="remove it to make it again"):
        finished(out, made)


@pytest.mark.parametrize("sizes", [QUICK, USUAL])
def test_every_part_has_a_name_of_its_own_and_can_be_sent_to_a_process(sizes):
    planned = list(parts(sizes, 0))
    assert len({part.name for part in planned}) == len(planned)
    assert all(isinstance(part.make, partial) and part.make.func.__module__ for part in planned)
    json.dumps([part.name for part in planned])
