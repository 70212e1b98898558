import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from neurostim.command_line import app
from neurostim.report.comparison import (
    Run,
    against_first,
    comparable,
    comparison,
    differences,
    lost_arms,
    way_words,
    why_unpaired,
)
from neurostim.report.evidence import evidence_of
from neurostim.requests import USUAL
from protocols import InputError
from tests.neurostim.fabricated_trial import ARMS, Trial, fabricate
from tests.neurostim.test_report import HOSTILE, Page

TWO = [ARMS[0], ARMS[4]]


def run_of(name: str, trial: Trial, **changes: object) -> Run:
    manifest = copy.deepcopy(trial.manifest) | changes
    return Run(name=name, evidence=evidence_of(trial.epochs, trial.patients, manifest))


def with_gp_as_sham(trial: Trial) -> Trial:
    """Another run of the same patients, in which the arm called gp did nothing."""
    sham = trial.epochs[trial.epochs["arm"] == "sham"]
    others = trial.epochs[trial.epochs["arm"] != "gp"]
    manifest = copy.deepcopy(trial.manifest)
    manifest["design"]["arms"][1]["controller"] = "sham"
    rows = [*others.to_dict("records"), *sham.assign(arm="gp").to_dict("records")]
    epochs = type(trial.epochs)(rows).astype(trial.epochs.dtypes)
    return Trial(epochs, trial.patients, manifest)


@pytest.fixture(scope="module")
def trial() -> Trial:
    return fabricate(12, arms=TWO)


@pytest.fixture(scope="module")
def first(trial: Trial) -> Run:
    return run_of("first", trial)


@pytest.fixture(scope="module")
def idle(trial: Trial) -> Run:
    return run_of("idle", with_gp_as_sham(trial))


@pytest.fixture(scope="module")
def reseeded(first: Run) -> Run:
    return run_of("reseeded", fabricate(12, seed=8, arms=TWO), seed=8)


def test_the_same_patients_are_compared_within_them(first: Run, idle: Run) -> None:
    assert why_unpaired(first, idle) == []
    assert way_words(first, idle).startswith("paired: 12 patients")
    table = against_first(first, idle, "gp", USUAL).set_index(["endpoint", "arm"])
    row = table.loc[("paired_difference", "idle")]
    one, other = (
        run.evidence.of("gp").set_index("patient")["percent_change"] for run in (idle, first)
    )
    assert row["estimate"] == pytest.approx(float((one - other).median()))
    assert (row["against"], row["analysis"]) == ("first", "paired")


def test_other_patients_are_compared_as_different_people(first: Run, reseeded: Run) -> None:
    assert why_unpaired(first, reseeded) == ["their seeds differ"]
    assert way_words(first, reseeded).startswith("unpaired, as different people, since their seeds")
    table = against_first(first, reseeded, "gp", USUAL)
    assert set(table["analysis"]) == {"one arm", "unpaired"}
    row = table.set_index(["endpoint", "arm"]).loc[("shift", "reseeded")]
    one, other = (
        run.evidence.of("gp")["percent_change"].dropna().to_numpy() for run in (reseeded, first)
    )
    assert row["estimate"] == pytest.approx(float(np.median(np.subtract.outer(one, other))))


def test_the_same_seed_with_other_people_is_not_paired(first: Run, reseeded: Run) -> None:
    manifest = dict(reseeded.manifest, seed=7)
    other = replace(reseeded, evidence=replace(reseeded.evidence, manifest=manifest))
    assert why_unpaired(first, other) == ["no patient has the same true rate in both"]
    population = {"model": "event", "n_patients": 99, "baselines": "other"}
    design = dict(first.manifest["design"], population=population)
    manifest = dict(first.manifest, design=design)
    other = replace(first, evidence=replace(first.evidence, manifest=manifest))
    assert why_unpaired(first, other) == ["their populations differ (baselines)"]


def test_what_differs_is_listed_and_nothing_else(first: Run, idle: Run, reseeded: Run) -> None:
    assert differences([first, first]).rows == []
    assert differences([first, idle]).rows == [("design.arms.gp.controller", "gp", "sham")]
    assert differences([first, reseeded]).rows == [("seed", "7", "8")]


def test_a_page_holds_every_run_and_arm_and_is_escaped(
    first: Run, idle: Run, reseeded: Run
) -> None:
    runs = [first, replace(idle, name=HOSTILE), reseeded]
    text = comparison(runs)
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    page = Page(text)
    words = page.words
    assert "3 runs side by side" in words
    assert "Arm sham" in words
    assert "Arm gp" in words
    assert HOSTILE in "".join(page.text)
    assert "Difference in percent change, paired" in words
    assert next(each for tag, each in page.tags if tag == "svg")["role"] == "img"


def test_what_cannot_be_compared_is_refused(first: Run, trial: Trial) -> None:
    with pytest.raises(InputError, match="1 run to compare"):
        comparable([first])
    unfinished = run_of("half", trial, is_finished=False)
    with pytest.raises(InputError, match="half: this run is not finished"):
        comparable([first, unfinished])
    design = copy.deepcopy(first.manifest["design"])
    design["schedule"]["evaluation_days"] = 56
    shorter = run_of("shorter", trial, design=design)
    with pytest.raises(InputError, match="first the last 84 days and shorter the last 56 days"):
        comparable([first, shorter])
    fixed = run_of("fixed", fabricate(4, arms=ARMS[1:2]))
    with pytest.raises(InputError, match="no arm is in every run"):
        comparable([first, fixed])
    assert comparable([first, first]) == ["sham", "gp"]
    assert lost_arms([first, fixed], []) == (
        "Left out, since not every run has them: sham (only in first), gp (only in first) and "
        "fixed (only in fixed)."
    )


def test_the_command_refuses_one_folder_twice(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["compare", str(tmp_path), str(tmp_path)])
    assert isinstance(found.exception, InputError)
    assert "the same folder twice" in str(found.exception)
