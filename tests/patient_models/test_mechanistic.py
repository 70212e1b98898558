"""A response that came out of a simulated neural mass, and the table that it came in."""

import json
from dataclasses import replace

import numpy as np
import pytest

import neurostim
from patient_models import MODELS, state_from_dict, state_to_dict
from patient_models.bistable import AMPLITUDES, FREQUENCIES_HZ, MASSES, seizures_per_s, write_table
from patient_models.mechanistic import MassResponse, log_rate_ratio, tables
from patient_models.response import MAXIMAL_LOG_HARM
from protocols import OFF, Setting
from tests.patient_models.strategies import DEVICE, SETTINGS

FAMILY = MODELS["mechanistic"]
SECONDS = 40 * 200


def entry(mass, amplitude, frequency_hz):
    return float(log_rate_ratio(mass, np.array([amplitude]), np.array([frequency_hz]))[0])


@pytest.mark.parametrize(
    ("mass", "amplitude", "frequency_hz"), [("slow", 2.0, 80), ("fast", 4.0, 20)]
)
def test_an_entry_of_the_shipped_table_is_what_the_mass_does(mass, amplitude, frequency_hz):
    rest, driven = seizures_per_s(
        MASSES[mass], np.array([0.0, amplitude]), np.array([1.0, float(frequency_hz)])
    )
    # Counts are close to Poisson; the table's own entry has the same error as the one made here.
    error = np.sqrt(2 * (1 / (rest * SECONDS) + 1 / (driven * SECONDS)))
    assert np.log(driven / rest) == pytest.approx(
        entry(mass, amplitude, frequency_hz), abs=4 * error
    )


@pytest.mark.slow
def test_the_script_makes_the_shipped_table(tmp_path):
    from importlib.resources import files

    write_table(tmp_path / "table.csv")
    shipped = files("patient_models").joinpath("bistable.csv").read_text(encoding="utf-8")
    assert (tmp_path / "table.csv").read_text(encoding="utf-8") == shipped


def test_the_surface_has_the_features_that_no_formula_gave_it():
    # Entries near 0 have a standard error of about 0.04, so 0.25 is six of them.
    for mass in MASSES:
        below_threshold = [entry(mass, 0.5, f) for f in FREQUENCIES_HZ]
        assert np.abs(below_threshold).max() < 0.25
        assert entry(mass, 2.0, 2) > -0.25  # below the threshold in frequency
        assert entry(mass, 2.0, 80) < -0.8
    assert entry("slow", 8.0, 6) > 0.4  # near the mass's own frequency
    assert entry("slow", 8.0, 125) > 1  # the window has closed
    assert entry("slow", 2.0, 125) < -1  # and was open


def test_the_table_is_whole_and_level_beyond_its_edges():
    for mass, table in tables().items():
        assert table.values.shape == (len(AMPLITUDES), len(FREQUENCIES_HZ))
        assert (table.values[0] == 0).all()
        assert entry(mass, 50.0, 5_000.0) == entry(mass, AMPLITUDES[-1], FREQUENCIES_HZ[-1])


def test_effects_are_bounded_and_off_has_none():
    states = FAMILY.draw(device=DEVICE, seed=3, patients=range(200))
    effects = np.array([FAMILY.log_multipliers(state, (OFF, *SETTINGS)) for state in states])
    assert (effects[:, 0] == 0).all()
    assert effects.max() == pytest.approx(MAXIMAL_LOG_HARM)
    assert effects.min() >= np.log(1 - 0.95) - 1e-9
    assert len({state.parameters.response.mass for state in states}) == len(MASSES)


def test_patients_are_those_of_the_clinical_family_but_for_the_response():
    ours = FAMILY.draw(device=DEVICE, seed=3, patients=range(5))
    theirs = MODELS["clinical"].draw(device=DEVICE, seed=3, patients=range(5))
    for mine, other in zip(ours, theirs, strict=True):
        response = other.parameters.response
        assert replace(mine, parameters=replace(mine.parameters, response=response)) == other


def test_a_state_is_saved_and_resumed():
    [state] = FAMILY.draw(device=DEVICE, seed=3, patients=[7])
    setting = Setting(site=0, amplitude_ua=3000, frequency_hz=100, pulse_width_us=90)
    [outcome] = FAMILY.advance([state], [setting], 20)
    saved = json.loads(json.dumps(state_to_dict(outcome.state)))
    assert state_from_dict(saved, DEVICE) == outcome.state


@pytest.mark.parametrize(
    "change", [{"mass": "none"}, {"recruitment_ua": 0}, {"leak_scale": -1}, {"reach": 1.5}]
)
def test_impossible_parameters_are_named(change):
    sound = {
        "mass": "slow", "site_coupling": (1.0,), "recruitment_ua": 1000.0, "leak_scale": 1.0,
        "reach": 0.8, "chronaxie_us": 130.0, "wash_in_days": 7.0, "carry_over_days": 10.0,
        "progression": 0.0, "sensitivity": 0.8,
    }  # fmt: skip
    with pytest.raises(ValueError, match=next(iter(change))):
        MassResponse(**sound | change)


def test_a_trial_runs_on_the_family():
    short = {"schedule.treatment_days": 28, "schedule.evaluation_days": 28}
    result = neurostim.run_trial(
        "demo", n_patients=3, seed=1, overrides={**short, "population.model": "mechanistic"}
    )
    assert result.epochs()["n_incidents"].sum() == 0
