"""Controllers and families of other distributions, found by their entry points."""

import pytest

from neurostim.controllers import controller_class, controller_names
from neurostim.plan import make_plan
from neurostim.results import run_trial
from patient_models import model_named, model_names
from protocols import InputError
from protocols.design import load_design

CONTROLLER = """
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Second:
    summary: ClassVar[str] = "Always the second setting of the list."
    place: int = 1

    def init(self, context):
        return context.candidates[self.place]

    def propose(self, state, history, allowed):
        return state, [state] * history.n_patients

    recommend = propose


class Lacking:
    summary = "Lacks what a controller has."
"""

FAMILY = """
from patient_models.clinical import Clinical

FAMILY = Clinical(name="twice", summary="Clinical patients by another name.")
"""

ENTRY_POINTS = """
[neurostim.controllers]
second = others_controller:Second
fixed = others_controller:Second
lacking = others_controller:Lacking
absent = others_controller:Absent
broken = others_broken:Second

[neurostim.patient_models]
twice = others_family:FAMILY
clinical = others_family:FAMILY
"""


@pytest.fixture(autouse=True)
def other_distribution(tmp_path, monkeypatch):
    (tmp_path / "others_controller.py").write_text(CONTROLLER)
    (tmp_path / "others_family.py").write_text(FAMILY)
    (tmp_path / "others_broken.py").write_text("1 / 0\n")
    folder = tmp_path / "others-2.5.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 2.5\n")
    (folder / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


SMALL = {
    "population.n_patients": 2,
    "schedule.baseline_days": 14,
    "schedule.treatment_days": 28,
    "schedule.evaluation_days": 14,
    "arms": [
        {"name": "sham", "controller": "sham"},
        {"name": "second", "controller": "second", "options": {"place": 2}},
    ],
}


def test_what_is_added_is_listed_and_found():
    assert "second" in controller_names()
    assert controller_names().count("fixed") == 1
    assert controller_class("second").summary == "Always the second setting of the list."
    assert "twice" in model_names()
    assert model_names().count("clinical") == 1
    assert model_named("twice").name == "twice"


def test_a_shipped_name_cannot_be_taken():
    assert controller_class("fixed").__module__ == "neurostim.controllers.fixed"
    assert model_named("clinical").name == "clinical"


@pytest.mark.parametrize("is_isolated", [False, True])
def test_a_trial_runs_with_them_and_says_which_version(tmp_path, is_isolated):
    changes = SMALL | {"population.model": "twice"}
    out = tmp_path / "run"
    result = run_trial(
        "demo", seed=1, overrides=changes, out=out, is_isolated=is_isolated, compute="cpu"
    )
    assert result.manifest["versions"]["others"] == "2.5"
    treated = result.epochs().query("arm == 'second' and phase == 'treatment'")
    wanted = make_plan(load_design("demo"), seed=1, compute="cpu").candidates[2]
    assert (treated["fault"] == "").all()
    assert (treated["requested_amplitude_ua"] == wanted.amplitude_ua).all()
    assert (treated["requested_frequency_hz"] == wanted.frequency_hz).all()


def test_a_trial_without_them_does_not_name_them():
    plan = make_plan(load_design("demo"), seed=1, compute="cpu")
    assert "others" not in plan.identity()["versions"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("lacking", "'lacking' of the distribution others: .* lacks init, propose, recommend"),
        ("absent", r"'absent' of the distribution others cannot be loaded .*AttributeError"),
        ("broken", r"'broken' of the distribution others cannot be loaded .*ZeroDivisionError"),
        ("unknown", "controller 'unknown': one of sham, .*, second was expected"),
    ],
)
def test_what_is_broken_is_a_sentence(name, sentence):
    with pytest.raises(InputError, match=sentence):
        controller_class(name)


def test_an_unknown_family_is_a_sentence():
    with pytest.raises(InputError, match=r"population.model: model 'x': one of clinical, .*twice"):
        make_plan(load_design("demo", {"population.model": "x"}), seed=1)
