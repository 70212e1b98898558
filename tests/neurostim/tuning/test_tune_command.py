"""`neurostim tune` from a design to a tuned one: interrupted or not, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from running import Run

import neurostim.tuning.tune as tuning_module
from neurostim.plan import make_plan
from neurostim.tuning.difference import Measured
from neurostim.tuning.page import render
from neurostim.tuning.record import TRAINING, open_log
from neurostim.tuning.search import Asked, Known
from neurostim.tuning.tune import Confirmation, Request, Tuning, prepared, tune
from neurostim.tuning.writing import check_runs, inline, text_of, verdict
from protocols import InputError
from protocols.design import load_design
from protocols.documents import parse_toml

DESIGN = """
name = "small"
title = "A \\"small\\" trial"
question = "Two\\nlines?"
[population]
n_patients = 4
baselines = "thall-vail"
[device]
envelope = "research"
[settings]
site = [0, 1]
amplitude_ua = [1000, 2000, 3000]
frequency_hz = [5, 145]
pulse_width_us = [90]
[schedule]
baseline_days = 28
treatment_days = 70
epoch_days = 14
evaluation_days = 28
[analysis]
reference = "sham"
[[arms]]
name = "sham"
controller = "sham"
[[arms]]
name = "gp"
controller = "gp"
options.beta = 2.0
"""
BUDGET = 11


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("design") / "small.toml"
    path.write_text(DESIGN)
    return path


def request_of(design: Path, budget: int = BUDGET) -> Request:
    return Request(design=str(design), n_training=8, n_validation=8, budget=budget, seed=4)


def quietly(known: Known, asked: Asked | None) -> None:
    pass


@pytest.fixture(scope="module")
def whole(design: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tuning, Path]:
    log = tmp_path_factory.mktemp("whole") / "tuned.jsonl"
    return tune(request_of(design), log, quietly), log


def test_a_kill_changes_no_byte(design: Path, whole: tuple[Tuning, Path], tmp_path: Path) -> None:
    done, log = whole
    killed = tmp_path / "tuned.jsonl"

    def kill_after(n: int) -> None:
        def show(known: Known, asked: Asked | None) -> None:
            if len(known.lives) == n:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            tune(request_of(design), killed, show)

    kill_after(3)
    with killed.open("a") as file:
        file.write('{"on":"training","choi')
    kill_after(19)
    again = tune(request_of(design), killed, quietly)
    assert killed.read_bytes() == log.read_bytes()
    assert text_of(again) == text_of(done)
    assert render(again) == render(done)


def test_a_finished_tuning_evaluates_nothing_again(
    design: Path, whole: tuple[Tuning, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, log = whole
    before = log.read_bytes()
    monkeypatch.setattr(tuning_module, "evaluate", None)
    tune(request_of(design), log, quietly)
    assert log.read_bytes() == before


def test_the_tuned_design_loads_runs_and_says_how_it_was_found(
    whole: tuple[Tuning, Path], tmp_path: Path
) -> None:
    done, _ = whole
    check_runs(done)
    out = tmp_path / "tuned.toml"
    out.write_text(text_of(done))
    found = load_design(out)
    assert found.question == "Two\nlines?"
    assert [arm.name for arm in found.arms] == ["sham", "gp"]
    values = done.known.space.values(done.chosen)
    controller = make_plan(found, seed=1, compute="cpu").controllers[1]
    assert found.schedule.epoch_days == values.pop("epoch_days")
    assert {name: getattr(controller, name) for name in values} == values
    text = out.read_text()
    for words in (
        "seed 4", f"budget of {BUDGET} whole trials", "8 training patients",
        done.design.fingerprint(), "On 8 clinical patients", "On 8 mechanistic patients",
    ):  # fmt: skip
        assert words in text


def test_the_default_tuned_to_itself_is_the_design_as_it_was(whole: tuple[Tuning, Path]) -> None:
    done, _ = whole
    kept = replace(done, chosen=done.known.space.usual)
    found = parse_toml(text_of(kept), "tuned")
    assert found == parse_toml(DESIGN, "small") | {"population": found["population"]}
    assert "Nothing that was tried is better than the default" in text_of(kept)


def test_nobody_is_both_tuned_and_confirmed_on(whole: tuple[Tuning, Path]) -> None:
    _, log = whole
    people: dict[bool, set[int]] = {True: set(), False: set()}
    for line in log.read_text().splitlines()[1:]:
        row = json.loads(line)
        people[row["on"] == TRAINING] |= set(row["lives"]["patients"])
    assert len(people[True]) == len(people[False]) == 8
    assert not people[True] & people[False]


def test_choices_live_with_the_same_luck_in_any_batch(design: Path) -> None:
    _, ground, space = prepared(request_of(design))
    choice = space.drawn(5, 3)[4]
    together = ground.lived(space.changes(choice), ground.training)
    parts = [ground.lived(space.changes(choice), each)
             for each in (ground.training[:3], ground.training[3:])]  # fmt: skip
    assert parts[0].and_those(parts[1]) == together


def test_the_report_says_what_was_not_worth_tuning(whole: tuple[Tuning, Path]) -> None:
    done, _ = whole
    page = render(done)
    for words in (
        "Confirmation on patients that were not tuned on", "The Pareto front", "Main effects",
        "mechanistic, 8 patients", done.design.fingerprint(),
    ):  # fmt: skip
        assert words in page
    assert "ot worth tuning" in page or "Of no knob it is known" in page
    assert "<script" not in page


def test_another_tunings_log_is_refused(design: Path, whole: tuple[Tuning, Path]) -> None:
    _, log = whole
    other = Request(design=str(design), n_training=8, n_validation=9, budget=BUDGET, seed=4)
    with pytest.raises(InputError, match=r"log of another tuning \(fingerprint, n_validation"):
        tune(other, log, quietly)


def test_a_damaged_log_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"what":"neurostim tune"}\n[1]\n')
    with pytest.raises(InputError, match="line 2: not a line of a tuning's log"):
        open_log(path, {"what": "neurostim tune"})
    path.write_text('{"what":"neurostim tune"}\n{"on":"training"}\n')
    with pytest.raises(InputError, match="line 2: not an evaluation"):
        open_log(path, {"what": "neurostim tune"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--budget", "1"], "--budget 1: 4 to 100,000 whole trials were expected"),
        (["nowhere"], "'nowhere' is neither a design"),
        (["demo", "--arm", "sham"], "arms.sham: controller 'sham' has no knobs"),
        (["demo", "--patients", "2"], "--patients 2: 8 or more"),
        (["demo", "--out", "tuned.txt"], "--out tuned.txt: a .toml file"),
        (["crossover"], "a paired or parallel design was expected"),
        (["demo", "--prior", "nobody"], "prior = 'nobody'"),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, arguments: list[str], words: str) -> None:
    code, _, said = run("tune", *arguments)
    assert (code, words in said) == (2, True), said
    assert "Traceback" not in said
    assert not list(Path().iterdir())


def test_what_is_there_is_not_overwritten(run: Run) -> None:
    Path("tuned.toml").write_text("mine")
    code, _, said = run("tune", "demo")
    assert code == 2
    assert "tuned.toml is there already" in said


def test_values_are_written_as_toml() -> None:
    value = {"a b": [1, 2.5, True, 'x"\n\u00e9\x7f', {"inner": []}], "none": {}}
    assert parse_toml(f"value = {inline(value)}", "text")["value"] == value


def confirmed(family: str, share: float, unsafe: float) -> Confirmation:
    """Twenty patients who differ in share and unsafe days by this much, with errors of 0.1."""
    found = Measured(
        values=np.array([share, unsafe, 0.0]), covariance=0.01 * np.eye(3), n_patients=20
    )
    return Confirmation(family=family, n_patients=20, usual=found, tuned=found, difference=found)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([(0.5, 0.0), (0.0, 0.0)], "This helped on the validation patients, and is not known"),
        ([(0.1, 0.0), (0.0, 0.0)], "This did not help: on the validation patients the share is"),
        ([(0.1, 0.5), (0.0, 0.0)], "and there is more unsafe days on the first patients."),
        ([(0.5, 0.0), (0.0, 0.5)], "at a price: more unsafe days on the second patients."),
        ([(0.5, 0.0), (-0.5, 0.5)], "a smaller share of the gap and more unsafe days on the sec"),
    ],
)
def test_the_verdict_says_when_it_does_not_help(
    whole: tuple[Tuning, Path], found: list[tuple[float, float]], words: str
) -> None:
    done, _ = whole
    space = done.known.space
    changed = next(each for each in space.drawn(9, 1) if each != space.usual)
    confirmations = tuple(
        confirmed(name, *each) for name, each in zip(("first", "second"), found, strict=True)
    )
    said = verdict(replace(done, chosen=changed, confirmations=confirmations))
    assert words in said
