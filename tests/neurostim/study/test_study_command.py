"""The page and the command."""

import json
import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from neurostim.command_line import app
from neurostim.study.estimates import over_draws
from neurostim.study.page import curve_file, render
from neurostim.study.parts import QUICK
from neurostim.study.section import worth
from neurostim.study.sections import sections

FIGURES = ("rec 5", "rec 10", "rec 40", "trial 5", "trial 10", "trial 40")
SIZES = replace(QUICK, n_draws=3, curve=(0, 40), hospitals=(4,))


def shares(base, number):
    return {name: base + 0.01 * number + 0.001 * place for place, name in enumerate(FIGURES)}


@pytest.fixture
def found():
    made = {}
    for number in range(3):
        made[f"curve-0-{number}"] = shares(0.3, number)
        made[f"curve-40-{number}"] = shares(0.6 + 0.002 * number, number)
        made[f"gradient-{number}"] = shares(0.7, number) | {"inner steps": 3, "random share": 0.1}
        made[f"hospitals-4-{number}"] = {
            "federated": made[f"curve-40-{number}"],
            "local": shares(0.4, number),
        }
    return made


def test_a_gain_a_loss_and_nothing_are_told_apart():
    assert "helps over" in worth(over_draws([0.1, 0.11, 0.12]), "It", "that")
    assert "does not help, it is worse" in worth(over_draws([-0.1, -0.11, -0.12]), "It", "that")
    assert "cannot be told" in worth(over_draws([-0.1, 0.1, 0.0]), "It", "that")
    assert "cannot be told" in worth(over_draws([0.1]), "It", "that")


def test_each_section_says_what_helps_and_what_does_not(found):
    said = {section.id: section.verdict for section in sections(found, SIZES, 0)}
    assert set(said) == {"curve", "hospitals", "gradient"}
    assert "A prior from 40 earlier patients helps over none: +0.302" in said["curve"]
    assert "Federated over 4 hospitals is within 0.01" in said["hospitals"]
    assert "Sharing sums helps over each of 4 alone" in said["hospitals"]
    assert "does not help, it is worse than the adapted network" in said["gradient"]


def test_a_federation_that_differs_is_said_to(found):
    found["hospitals-4-1"]["federated"] = shares(0.5, 1)
    (section,) = [each for each in sections(found, SIZES, 0) if each.id == "hospitals"]
    assert "not within 0.01 share of pooled" in section.verdict


def test_the_page_fetches_nothing_and_names_its_command_and_seed(found):
    page = render(found, sizes=SIZES, seed=7, n_parts=20, cpu_seconds=90, is_quick=True)
    assert not re.search(r'(src|href)="(?!#)', page)
    assert page.count("neurostim study meta --seed 7 --quick") >= 4
    assert "12 of 20 parts are done" in page
    assert page.count("<svg") == 3
    again = render(found, sizes=SIZES, seed=7, n_parts=20, cpu_seconds=90, is_quick=True)
    assert again == page


def test_the_curve_is_a_file_once_there_are_two_points(found):
    assert curve_file({"curve-0-0": found["curve-0-0"]}, SIZES) is None
    assert curve_file(found, SIZES).startswith(b"<?xml")


def test_without_time_the_command_says_what_is_missing(tmp_path):
    out = tmp_path / "out"
    line = ["study", "meta", "--quick", "--minutes", "0", "--out", str(out), "--workers", "1"]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 0, done.output
    assert "0 of 19 parts are done" in done.output
    assert "Not finished" in (out / "study.html").read_text()
    assert json.loads((out / "study.json").read_text())["seed"] == 0


@pytest.mark.slow
def test_a_quick_study_finds_something_for_every_section(tmp_path):
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["study", "meta", "--quick", "--out", str(out)])
    assert done.exit_code == 0, done.output
    page = (out / "study.html").read_text()
    for name in ("curve", "hospitals", "gradient", "first", "clinical", "landscape", "structure"):
        assert f'<h2 id="{name}">' in page
    assert (out / "study.svg").exists()


def structured(number):
    arms = ("fixed montages", "single contacts", "structure, in stages", "structure, at once")
    return {
        arm: {
            "rec 10": 0.4, "rec 40": 0.5 + 0.1 * place, "trial 40": 0.4, "ceiling": 1.0,
            "rec 40 - fixed": 0.1 * place * (1 + 0.01 * number), "trial 40 - fixed": 0.0,
            "n settings": 30.0,
        }
        for place, arm in enumerate(arms)
    }  # fmt: skip


def landscape_row(number):
    return {
        "kind": "bowl" if number % 2 else "ridge", "is_at_edge": False,
        "good_share": 0.01 * number, "condition_number": 1.0 + number % 5,
        "curvature_amplitude": 1.0, "curvature_frequency": float("nan"),
        "wait": 30.0 - number, "share": 0.5,
    }  # fmt: skip


def test_landscape_structure_and_tuning_have_their_sections():
    made = {f"structure-{number}": structured(number) for number in range(3)}
    made["landscape-reference"] = [landscape_row(number) for number in range(20)]
    confirmation = {"family": "clinical", "n_patients": 9, "value": 0.1, "low": 0.05, "high": 0.15}
    made["tuning"] = {"confirmations": [confirmation], "changes": {"beta": "1.0"}}
    told = {section.id: section for section in sections(made, SIZES, 0)}
    assert set(told) == {"landscape", "structure", "tuning"}
    assert "good share and the wait for a good setting" in told["landscape"].verdict
    assert "(-1.00, -1.000 to -1.000)" in told["landscape"].verdict
    assert "Single contacts helps over fixed montages: +0.101" in told["structure"].verdict
    assert "Tuned (clinical, 9 patients), the arm helps over its default" in told["tuning"].verdict
    page = render(made, sizes=SIZES, seed=0, n_parts=5, cpu_seconds=1, is_quick=False)
    assert "Tuning has not run yet" not in page
    assert page.count("<svg") == 4
