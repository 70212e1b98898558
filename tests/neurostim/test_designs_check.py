"""`neurostim design check` on bad designs: one for each rule, and one with many faults at once."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from neurostim.command_line import app
from neurostim.design_check import Remark, check_design
from protocols import InputError
from protocols.design import design_names, design_text, load_design

DEMO, _ = design_text("demo")
RUNNER = CliRunner()

# For each rule: what is replaced in the design "demo", by what, a piece that stands on the line
# that must be blamed, and a piece of the sentence.
BAD = {
    "syntax": ("n_patients = 60", "n_patients = 6O", "6O", "not valid TOML"),
    "twice": ("n_patients = 60", "n_patients = 60\nn_patients = 61", "= 61", "not valid TOML"),
    "unknown key": ("epoch_days = 14", "epoch_day = 14", "epoch_day =", "epoch_days was perhaps"),
    "unknown table": ("[device]", "[devise]\n[device]", "[devise]", "device was perhaps meant"),
    "missing key": ("treatment_days = 364\n", "", "[schedule]", "treatment_days is missing"),
    "type": ("epoch_days = 14", 'epoch_days = "14"', "epoch_days =", "valid integer"),
    "range": ("n_patients = 60", "n_patients = 0", "n_patients = 0", "greater than or equal to 1"),
    "not finite": (
        'baselines = "thall-vail"', "least_per_28_days = nan", "= nan", "a finite number",
    ),
    "window": (
        "evaluation_days = 84", "evaluation_days = 365", "= 365", "longer than treatment_days",
    ),
    "open label": (
        "epoch_days = 14", "open_label_days = 28\nepoch_days = 14", "open_label_days = 28",
        "come together or not at all",
    ),
    "periods": (
        'baseline_days = 56', 'period_days = 100\nbaseline_days = 56', "period_days = 100",
        "two or more periods of 100 days",
    ),
    "kind": ('kind = "paired"', 'kind = "n-of-1"', "[schedule]", "needs schedule.period_days"),
    "sequences": ('kind = "paired"', 'sequences = [["sham", "gp"]]', "sequences =", "no sequences"),
    "two sources": (
        'model = "clinical"', 'rates = { median_per_28_days = 9.0, log_sd = 1 }',
        "rates =", "one was expected",
    ),
    "eligibility": (
        'model = "clinical"', "least_per_28_days = 9\nmost_per_28_days = 4", "most_per", "is below",
    ),
    "recorded days": (
        'model = "clinical"', "least_days_recorded = 99", "least_days_recorded", "is more than",
    ),
    "model": ('model = "clinical"', 'model = "clinic"', '"clinic"', "clinical, mechanistic, null"),
    "target": ("n_patients = 60", 'n_patients = 60\ntarget = "brain"', '"brain"', "focus, vagus"),
    "device": ('envelope = "research"', 'envelope = "mine"', '"mine"', "device.envelope"),
    "ticks": ("site = [0, 1, 2, 3]", "site = [\n0,\n7]", "7]", "envelope research has 0, 1, 2, 3"),
    "order": ("amplitude_ua = [1000, 2000", "amplitude_ua = [2000, 1000", "[2000", "2000 to 1000"),
    "mode": (
        "[schedule]",
        'cycles = [{ mode = "responsive", on_ms = 10_000, off_ms = 60_000 }]\n[schedule]',
        "responsive", "the envelope research has continuous, cycling",
    ),
    "reference": ('reference = "sham"', 'reference = "off"', '"off"', "one of the arms"),
    "two arms": ('name = "random"', 'name = "titration"', 'name = "titration"', "two arms"),
    "controller": ('controller = "gp"', 'controller = "go"', '"go"', "controller 'go': one of"),
    "option": (
        'controller = "gp"', 'controller = "gp"\noptions.wash_in = 3.0', "options.wash_in",
        "wash_in_days was perhaps meant",
    ),
    "option value": (
        'controller = "gp"', 'controller = "gp"\noptions.beta = -1.0', "options.beta",
        "greater than 0",
    ),
    "setting": ("frequency_hz = 145, pulse", "frequency_hz = 144, pulse", "= 144", "deliverable"),
    "prior": (
        'controller = "gp"', 'controller = "gp"\noptions.prior = "nobody"', "options.prior",
        "'nobody'",
    ),
    "prior that does not fit": (
        'controller = "gp"', 'controller = "gp"\noptions.prior = "demo"', "options.prior", "prior",
    ),
    "allocation": (
        'controller = "gp"', 'controller = "gp"\nallocation = 2', "allocation", "only a parallel",
    ),
}  # fmt: skip


def remarks_on(text: str, tmp_path: Path) -> list[Remark]:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    return check_design(path)


@pytest.mark.parametrize("rule", BAD)
def test_each_rule_gives_its_line_and_a_sentence(rule: str, tmp_path: Path) -> None:
    before, after, blamed, said = BAD[rule]
    text = DEMO
    if rule == "sequences":
        text = text.replace(before, f"{after}\n{before}")
    elif rule == "prior that does not fit":
        text = text.replace("[1000, 2000, 3000", "[1500, 2000, 3000").replace(before, after)
    else:
        assert before in text
        text = text.replace(before, after, 1) if rule != "two arms" else text.replace(before, after)
    faults = [each for each in remarks_on(text, tmp_path) if not each.is_warning]
    assert len(faults) == 1, faults
    assert said in faults[0].sentence
    lines = [number for number, line in enumerate(text.split("\n"), 1) if blamed in line]
    assert faults[0].line == lines[-1]


def test_many_faults_are_said_at_once(tmp_path: Path) -> None:
    text = DEMO
    used = [
        "unknown key", "type", "range", "unknown table", "model", "device", "reference", "two arms",
        "controller", "target",
    ]  # fmt: skip
    text = text.replace("baseline_days = 56", 'baseline_days = "56"')
    for rule in used:
        before, after, _, _ = BAD[rule]
        if rule not in ("type", "target"):
            assert before in text
            text = text.replace(before, after, 1)
    text = text.replace("n_patients = 0", 'n_patients = 0\ntarget = "brain"')
    text = text.replace('title = "', 'title == "')
    faults = [each for each in remarks_on(text, tmp_path) if not each.is_warning]
    assert len(faults) == len(used) + 1  # and the line that is no TOML
    for rule in used:
        assert any(BAD[rule][3] in each.sentence for each in faults), rule
    assert [each.line for each in faults] == sorted(each.line for each in faults)


def test_what_follows_from_a_fault_is_not_said(tmp_path: Path) -> None:
    text = DEMO.replace("treatment_days = 364", "treatment_days = 0")
    text = text.replace('reference = "sham"', 'reference = "Sham!"')
    assert len([r for r in remarks_on(text, tmp_path) if not r.is_warning]) == 2


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[estimand]", "[x]", "there is no [estimand]"),
        ('controller = "sham"', 'controller = "random"', "no arm is sham"),
        ("n_patients = 60", "n_patients = 8", "fewer than 20"),
        ("evaluation_days = 84", "evaluation_days = 14", "schedule.evaluation_days = 14"),
        ("baseline_days = 56", "baseline_days = 14", "schedule.baseline_days = 14"),
        ("epoch_days = 14", "epoch_days = 84", "4 visits for an arm that adapts"),
    ],
)
def test_what_is_worth_a_second_thought_is_a_warning(
    before: str, after: str, said: str, tmp_path: Path
) -> None:
    text = DEMO.replace(before, after)
    if after == "[x]":
        text = re.sub(r"\[x\].*?\n\n", "", text, flags=re.DOTALL)
    remarks = remarks_on(text, tmp_path)
    assert [each.is_warning for each in remarks] == [True]
    assert said in remarks[0].sentence


@pytest.mark.parametrize("name", design_names())
def test_no_shipped_design_has_a_fault_or_lacks_an_estimand(name: str) -> None:
    remarks = check_design(name)
    assert not [each for each in remarks if not each.is_warning]
    assert load_design(name).estimand is not None


def test_the_command_exits_with_two_and_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(DEMO.replace("n_patients = 60", "n_patients = 0"), encoding="utf-8")
    result = RUNNER.invoke(app, ["design", "check", str(path)])
    line = DEMO[: DEMO.index("n_patients")].count("\n") + 1
    assert result.exit_code == 2
    assert f"bad.toml, line {line}: population.n_patients = 0" in result.output


def test_a_new_design_is_valid_and_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert RUNNER.invoke(app, ["design", "new", "mine", "--out", str(path)]).exit_code == 0
    assert check_design(path) == []
    assert load_design(path).name == "mine"
    again = RUNNER.invoke(app, ["design", "new", "mine", "--out", str(path)])
    assert isinstance(again.exception, InputError)
    badly = RUNNER.invoke(app, ["design", "new", "Not A Name"])
    assert isinstance(badly.exception, InputError)


@pytest.mark.parametrize(
    "text", ["", "[[arms]]\n", "arms = 5\nschedule = []\n", "[a.b]\nc = [1,\n"]
)
def test_whatever_the_text_there_is_an_answer(text: str, tmp_path: Path) -> None:
    assert remarks_on(text, tmp_path)


def test_lists_of_a_document_are_accepted_for_options_that_are_tuples(tmp_path: Path) -> None:
    options = "options.keeps_per_week = [1.0, 0.9]\noptions.cycle_days = [7, 28.5]"
    text = DEMO.replace('controller = "gp"', f'controller = "gp"\n{options}')
    assert remarks_on(text, tmp_path) == []
