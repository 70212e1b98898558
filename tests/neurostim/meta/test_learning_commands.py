"""`learn` and `federate` from the command line, on a design small enough for the fast tier."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from running import Run

from neurostim.history import PHASES
from neurostim.learning.cohort import DELIVERED, cohort_of_rows
from neurostim.learning.fit import RECIPES, Recipe
from neurostim.learning.hospital import _spent
from neurostim.learning.judgement import Judged
from neurostim.learning.learn import _best, learn_from_results, training_plan
from neurostim.meta.prior_file import load_prior
from neurostim.results import load, run_trial
from protocols import OFF, InputError

SMALL = {
    "settings.site": [0, 1],
    "settings.amplitude_ua": [2000, 4000],
    "settings.frequency_hz": [5, 145],
    "schedule.baseline_days": 28,
}
FLAGS = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
RANDOM_ARM = SMALL | {
    "schedule.treatment_days": 84,
    "schedule.evaluation_days": 28,
    "arms": [{"name": "sham", "controller": "sham"}, {"name": "random", "controller": "random"}],
}


def candidates() -> tuple[object, ...]:
    return training_plan("demo", n_patients=5, n_epochs=2, seed=0, changes=SMALL).candidates


def test_learning_from_a_design_ends_in_a_table_and_a_prior(run: Run, tmp_path: Path) -> None:
    arguments = ["learn", "demo", "--patients", "10", "--epochs", "3", "--seed", "3", *FLAGS]
    code, out, _ = run(*arguments, "--out", "one.safetensors")
    assert code == 0
    for word in ("10 patients", "learned", "generic", "(chosen)", "First settings to try", "gap"):
        assert word in out, out
    found = load_prior(tmp_path / "one.safetensors", candidates())
    assert found.about["cohort"]["n_epochs"] == 3
    assert found.about["held_out"]["n_patients"] == 2
    assert len(found.about["recipes"]) == 6
    run(*arguments, "--out", "two.safetensors")
    assert Path("one.safetensors").read_bytes() == Path("two.safetensors").read_bytes()


def test_learning_from_a_finished_run_needs_no_truth(run: Run) -> None:
    run_trial("demo", n_patients=12, overrides=RANDOM_ARM, out="done")
    code, out, _ = run("learn", "demo", "--from", "done", *FLAGS)
    assert code == 0
    assert "12 patients" in out
    assert "fewer were predicted" in " ".join(out.split())
    assert Path("prior.safetensors").exists()


def test_rows_of_imported_patients_teach_what_the_run_itself_teaches(tmp_path: Path) -> None:
    result = run_trial("demo", n_patients=12, overrides=RANDOM_ARM, out=tmp_path / "done")
    rows = result.epochs()
    kept = [
        name for name in rows
        if name.startswith("delivered_")
        or name in ("patient", "start_day", "days", "n_seizures", "days_recorded", "worst_grade",
                    "phase")
    ]  # fmt: skip
    rows[rows["arm"] == "random"][kept].to_csv(tmp_path / "rows.csv", index=False)
    found = [
        learn_from_results(
            "demo", [source], tmp_path / f"{source.stem}.safetensors", arm=None, seed=0,
            changes=SMALL, recipes=(Recipe(n_pseudo=10, n_rounds=2),), step=lambda *_: None,
        )
        for source in (tmp_path / "done", tmp_path / "rows.csv")
    ]  # fmt: skip
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("patient,date,count\n1,2020-01-01,0\n", ["start_day is missing", "what was delivered"]),
        ("", ["not a readable CSV"]),
        (
            "patient,start_day,days,n_seizures,delivered_site,delivered_amplitude_ua,"
            "delivered_frequency_hz,delivered_pulse_width_us\n1,0,-3,2,0,2000,5,90\n",
            ["line 2", "days = -3"],
        ),
        (
            "patient,start_day,days,n_seizures,delivered_site,delivered_amplitude_ua,"
            "delivered_frequency_hz,delivered_pulse_width_us\n1,0,7,2.5,0,2000,5,90\n",
            ["line 2", "n_seizures = 2.5"],
        ),
        (
            "patient,start_day,days,n_seizures,delivered_site,delivered_amplitude_ua,"
            "delivered_frequency_hz,delivered_pulse_width_us,worst_grade\n1,0,7,2,0,2000,5,90,bad\n",
            ["line 2", "worst_grade = bad"],
        ),
        (
            "patient,start_day,days,n_seizures,delivered_site,delivered_amplitude_ua,"
            "delivered_frequency_hz,delivered_pulse_width_us,phase\n1,0,7,2,0,2000,5,90,holiday\n",
            ["line 2", "phase = holiday"],
        ),
        (
            "patient,start_day,days,n_seizures,delivered_site,delivered_amplitude_ua,"
            "delivered_frequency_hz,delivered_pulse_width_us,delivered_mode\n1,0,7,2,0,2000,5,90,foo\n",
            ["line 2", "delivered_mode = foo"],
        ),
        (
            "patient,start_day,days,n_seizures,delivered_site,delivered_amplitude_ua,"
            "delivered_frequency_hz,delivered_pulse_width_us,days_recorded\n1,0,7,2,0,2000,5,90,9\n",
            ["line 2", "days_recorded = 9"],
        ),
        (
            "patient,start_day,days,n_seizures,delivered_site,delivered_amplitude_ua,"
            "delivered_frequency_hz,delivered_pulse_width_us\n1,0,0,2,0,2000,5,90\n",
            ["line 2", "days = 0"],
        ),
        (
            "patient,start_day,days,n_seizures,delivered_site,delivered_amplitude_ua,"
            "delivered_frequency_hz,delivered_pulse_width_us\n",
            ["one line or more"],
        ),
        (
            "patient,start_day,days,n_seizures,delivered_site,delivered_amplitude_ua,"
            "delivered_frequency_hz,delivered_pulse_width_us\n1,0,1e30,2,0,2000,5,90\n",
            ["line 2", "days = 1e+30"],
        ),
    ],
)
def test_rows_that_cannot_teach_are_one_sentence(run: Run, text: str, words: list[str]) -> None:
    Path("rows.csv").write_text(text, encoding="utf-8")
    code, _, err = run("learn", "demo", "--from", "rows.csv", *FLAGS)
    assert code == 2
    assert len(err.strip().splitlines()) == 1, err
    for word in ("rows.csv", *words):
        assert word in err, err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("learn", "demo", "--patients", "3"), "--patients 3: 5 or more"),
        (("learn", "demo", "--arm", "x"), "--arm x without --from"),
        (("learn", "demo", "--out", f"{__file__}/p.st"), "is a file, and a folder was expected"),
        (("learn", "demo", "--patients", "1"), "--patients 1: 5 or more"),
        (("learn", "demo", "--wash-in-days", "inf"), "--wash-in-days inf"),
        (("learn", "demo", "--from", "rows.csv", "--wash-in-days", "inf"), "--wash-in-days inf"),
        (("learn", "demo", "--from", "rows.csv"), "rows.csv"),
        (("federate", "summarise", "x", "--out", "y", "--wash-in-days", "inf"), "--wash-in-days"),
        (("federate", "summarise", "x", "--out", "y", "--clip", "nan"), "--clip nan"),
        (
            ("federate", "summarise", "x", "--out", "y", "--clip", "1", "--noise-multiplier",
             "1e-200"),
            "--noise-multiplier 1e-200",
        ),
        (("federate", "combine", "x", "--pseudo-patients", "inf"), "--pseudo-patients inf"),
    ],
)  # fmt: skip
def test_a_bad_number_is_one_sentence(run: Run, arguments: tuple[str, ...], words: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert len(err.strip().splitlines()) == 1, err
    assert words in err
    assert not list(Path().iterdir())


def test_days_of_recovery_washout_and_open_label_pass_and_teach_nothing() -> None:
    setting = dict.fromkeys(DELIVERED[:-1], 0) | {DELIVERED[-1]: "continuous"}
    rows = pd.DataFrame(
        [
            {"patient": 1, "phase": phase, "start_day": 28 * t, "days": 28, "n_seizures": 9,
             "days_recorded": 28, "worst_grade": 0} | setting
            for t, phase in enumerate(PHASES)
        ]
    )  # fmt: skip
    people = cohort_of_rows(rows, (OFF,))
    for each in (people.effects, people.side_effects):
        assert each.mask.tolist() == [[p in ("baseline", "treatment") for p in PHASES]]
        assert each.is_epoch.all()


def test_a_hospital_needs_no_file_that_an_arm_named(run: Run, tmp_path: Path) -> None:
    """A run's priors lie beside its design, which is elsewhere or gone."""
    run_trial("demo", n_patients=10, overrides=RANDOM_ARM, out="h1")
    manifest = json.loads((tmp_path / "h1" / "manifest.json").read_text(encoding="utf-8"))
    manifest["design"]["arms"][0] |= {
        "controller": "gp",
        "options": {"prior": "gone.safetensors"},
    }
    (tmp_path / "h1" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    code, _, err = run("federate", "summarise", "h1", "--out", "a.st")
    assert code == 0, err
    manifest["envelope_hash"] = "0" * 64
    (tmp_path / "h1" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    code, _, err = run("federate", "summarise", "h1", "--out", "b.st")
    assert code == 2
    assert "not the one that this run was made with" in err


@pytest.mark.parametrize(
    ("about", "spent"),
    [
        ({}, 0.25),
        ({"how": "learned", "cohort": {"design": "demo"}}, 0.25),
        ({"how": "learned", "cohort": {"design": "demo", "from": ["diary"]}}, None),
        ({"how": "federated", "round": 1, "mu_squared": 0.5}, 0.75),
        ({"how": "federated", "round": 1, "mu_squared": None}, None),
    ],
)
def test_a_budget_counts_what_the_prior_was_learned_from(
    about: dict[str, object], spent: float | None
) -> None:
    assert _spent(about, 2.0) == spent
    assert _spent(about, None) is None


def test_two_hospitals_learn_together_in_two_rounds(run: Run) -> None:
    for seed in (1, 2):
        run_trial("demo", n_patients=10, overrides=RANDOM_ARM, out=f"h{seed}", seed=seed)
    prior: list[str] = []
    for number in (1, 2):
        for seed in (1, 2):
            code, out, err = run(
                "federate", "summarise", f"h{seed}", "--out", f"{number}-{seed}.st", "--clip", "5",
                "--noise-multiplier", "20", *prior,
            )  # fmt: skip
            assert code == 0, err
            assert f"10 patients for round {number}" in out
            assert "epsilon = " in out
        sums = [f"{number}-1.st", f"{number}-2.st"]
        code, out, _ = run("federate", "combine", *sums, "--out", f"prior-{number}.st")
        assert code == 0
        assert "20 patients of 2 hospitals" in out
        prior = ["--prior", f"prior-{number}.st"]
    found = load_prior("prior-2.st", candidates())
    assert found.about["round"] == 2
    assert found.about["mu_squared"] == pytest.approx(2 / 400)
    code, _, err = run("federate", "combine", *sums, "--out", "prior-1.st")
    assert code == 2
    assert "prior-1.st is there already" in err
    code, _, err = run("federate", "combine", "1-1.st", "2-2.st")
    assert code == 2
    assert "do not belong to one round" in err
    code, _, err = run("federate", "summarise", "h1", "--out", "x.st", "--min-patients", "11")
    assert code == 2
    assert "10 patients: at least 11" in err
    assert not Path("x.st").exists()


def test_a_prior_of_another_list_is_refused_in_a_round(run: Run, tmp_path: Path) -> None:
    run_trial("demo", n_patients=10, overrides=RANDOM_ARM, out="h1")
    run("federate", "summarise", "h1", "--out", "a.st")
    run("federate", "combine", "a.st", "--out", "p.st")
    other = RANDOM_ARM | {"settings.site": [0]}
    run_trial("demo", n_patients=10, overrides=other, out="h2")
    code, _, err = run("federate", "summarise", "h2", "--prior", "p.st", "--out", "b.st")
    assert code == 2
    assert "9 settings" in err
    assert load(tmp_path / "h2") is not None


def test_few_patients_and_epochs_are_refused() -> None:
    for numbers in ({"n_patients": 4, "n_epochs": 9}, {"n_patients": 9, "n_epochs": 1}):
        with pytest.raises(InputError, match="or more were expected"):
            training_plan("demo", seed=0, changes={}, **numbers)


def test_another_recipe_is_chosen_when_it_is_clearly_better() -> None:
    usual, other = RECIPES[:2]

    def judged(value: float, error: float) -> Judged:
        return Judged(value=value, standard_error=error, n_patients=40)

    assert _best({usual: judged(0.40, 0.07), other: judged(0.46, 0.07)}) == usual
    assert _best({usual: judged(0.40, 0.07), other: judged(0.48, 0.07)}) == other
    assert _best({usual: judged(math.nan, math.nan), other: judged(0.4, 0.1)}) == usual
