"""Who lives which arm, when settings may change, and who is enrolled, in whole small trials."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import neurostim
from neurostim.allocation import allocated
from neurostim.plan import is_eligible, make_plan
from protocols import OFF, Observation, Telemetry
from protocols.design import Design, Population, deviations, load_design

CHEAP = {
    "arms.adaptive.controller": "random",
    "arms.adaptive.options": {},
    "schedule.baseline_days": 28,
    "population.least_days_recorded": 14,
}
CROSSED = {
    **CHEAP,
    "schedule.treatment_days": 98,
    "schedule.period_days": 42,
    "schedule.washout_days": 14,
    "schedule.evaluation_days": 28,
}


def run(name: str, changes: dict[str, object], **more: object) -> neurostim.Result:
    arguments: dict[str, object] = {"seed": 5, "compute": "cpu", "is_isolated": False} | more
    return neurostim.run_trial(name, overrides=changes, **arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def parallel() -> neurostim.Result:
    short = {"schedule.treatment_days": 112, "schedule.evaluation_days": 28}
    often = {"visits.missed_probability": 0.4}
    return run("adaptive-against-titration", {**CHEAP, **short, **often}, n_patients=20)


@pytest.fixture(scope="module")
def crossover() -> neurostim.Result:
    return run("crossover", CROSSED, n_patients=8)


@pytest.fixture(scope="module")
def n_of_1() -> neurostim.Result:
    return run("n-of-1", {})


def design_with(name: str, **changes: object) -> Design:
    return load_design(name, {key.replace("__", "."): value for key, value in changes.items()})


def test_permuted_blocks_keep_groups_of_their_size_throughout() -> None:
    design = design_with("adaptive-against-titration")  # 1 to 2 to 2
    arms = allocated(design, 3, np.arange(500))
    assert arms.shape == (500, 1)
    for start in range(0, 500, 5):
        counts = np.bincount(arms[start : start + 5, 0], minlength=3)
        assert counts.tolist() == [1, 2, 2]
    assert len({tuple(arms[start : start + 5, 0]) for start in range(0, 500, 5)}) > 10
    some = np.array([7, 3, 402])
    assert (allocated(design, 3, some) == arms[some]).all()
    assert not (allocated(design, 4, np.arange(500)) == arms).all()


def test_every_cycle_of_an_n_of_1_trial_holds_each_arm_once() -> None:
    arms = allocated(design_with("n-of-1"), 3, np.arange(200)).reshape(200, 3, 2)
    assert (np.sort(arms, axis=2) == [0, 1]).all()
    first = arms[:, :, 0].ravel()
    # 600 fair coins: a standard error of 0.02, five of which are allowed.
    assert abs(first.mean() - 0.5) < 5 * np.sqrt(0.25 / first.size)


def test_each_patient_of_a_parallel_trial_lives_one_arm(parallel: neurostim.Result) -> None:
    epochs = parallel.epochs()
    assert (epochs.groupby("patient")["arm"].nunique() == 1).all()
    sizes = epochs.groupby("arm")["patient"].nunique()
    assert sizes.to_dict() == {"sham": 4, "titration": 8, "adaptive": 8}
    table = parallel.endpoints()
    compared = table[table["against"] != ""]
    paired = compared[compared["analysis"] == "paired"]
    assert paired["estimate"].isna().all()
    assert paired["method"].str.contains("lived one arm only").all()
    assert compared.loc[compared["endpoint"] == "rr50", "analysis"].eq("unpaired").all()
    assert compared.loc[compared["endpoint"] == "rr50", "p"].notna().all()


def test_between_visits_the_setting_stays(parallel: neurostim.Result) -> None:
    epochs = parallel.epochs().sort_values(["patient", "epoch"])
    random = epochs[epochs["arm"] == "adaptive"]
    fields = [name for name in random if name.startswith("delivered_")]
    before = random.groupby("patient")[fields].shift()
    stays = ~random["is_visit"]
    assert stays.any()
    # What the gate changed, a side effect's latch for example, is no wish to change.
    plain = stays & (random["ruling"] == "accepted")
    assert (random.loc[plain, fields] == before[plain]).all(axis=None)
    treated = random[random["phase"] == "treatment"]
    days = treated["start_day"] - 28
    length = treated.groupby("patient")["days"].shift()
    early = length.notna() & (length < 14)
    assert treated.loc[(days == 0) | early, "is_visit"].all()
    assert not treated.loc[(days % 28 == 14) & ~early, "is_visit"].any()
    due = treated[(days % 28 == 0) & (days > 0) & ~early]["is_visit"]
    # 0.6 of those that are due are kept: binomial, within four standard errors.
    assert abs(due.mean() - 0.6) < 4 * np.sqrt(0.24 / len(due))


def test_visits_on_given_days() -> None:
    changes = {**CHEAP, "schedule.treatment_days": 84, "schedule.evaluation_days": 28}
    days = {"visits.every_epochs": 1, "visits.missed_probability": 0.0, "visits.days": [7, 42]}
    epochs = run("adaptive-against-titration", {**changes, **days}, n_patients=5).epochs()
    whole = epochs[(epochs["phase"] == "treatment") & (epochs["arm"] == "sham")]
    assert sorted(whole.loc[whole["is_visit"], "start_day"] - 28) == [0, 14, 42]


def test_a_crossover_gives_each_patient_one_sequence(crossover: neurostim.Result) -> None:
    epochs = crossover.epochs()
    treated = epochs[epochs["phase"] == "treatment"]
    first = (
        treated[treated["start_day"] < 28 + 42].groupby("patient")["arm"].agg(["first", "nunique"])
    )
    last = (
        treated[treated["start_day"] >= 28 + 56].groupby("patient")["arm"].agg(["first", "nunique"])
    )
    assert (first["nunique"] == 1).all()
    assert (last["nunique"] == 1).all()
    assert (first["first"] != last["first"]).all()
    assert first["first"].value_counts().to_dict() == {"sham": 4, "adaptive": 4}
    between = epochs[epochs["phase"] == "wash-out"]
    assert (between["delivered_amplitude_ua"] == 0).all()
    assert between.groupby("patient")["days"].sum().eq(14).all()
    assert treated.groupby("patient")["days"].sum().eq(84).all()


def test_outcomes_of_a_crossover_are_those_of_the_periods(crossover: neurostim.Result) -> None:
    epochs, found = crossover.epochs(), crossover._outcomes.set_index(["arm", "patient"])
    assert found.index.is_unique
    assert len(found) == 16
    for (arm, patient), row in found.iterrows():
        own = epochs[(epochs["patient"] == patient) & (epochs["phase"] == "treatment")]
        own = own[own["arm"] == arm]
        start = own["start_day"].min()
        window = own[own["start_day"] >= start + 14]
        assert row["n_evaluation"] == window["n_seizures"].sum()
        period = 1 if start == 28 else 2
        assert row[f"n_period_{period}"] == row["n_evaluation"]
        assert pd.isna(row[f"n_period_{3 - period}"])
        baseline = epochs[(epochs["patient"] == patient) & (epochs["phase"] == "baseline")]
        assert row["n_baseline"] == baseline["n_seizures"].sum()
        assert row["treatment_days"] == 42


def test_patients_of_a_crossover_are_the_same_in_any_shard(
    crossover: neurostim.Result, tmp_path: Path
) -> None:
    order = ["patient", "epoch"]
    whole = crossover.epochs().sort_values(order, ignore_index=True)
    parts = run("crossover", CROSSED, n_patients=8, block_size=3, out=tmp_path / "run").epochs()
    pd.testing.assert_frame_equal(whole, parts.sort_values(order, ignore_index=True))


def test_one_patient_lives_both_arms_in_every_cycle(n_of_1: neurostim.Result) -> None:
    epochs = n_of_1.epochs()
    treated = epochs[epochs["phase"] == "treatment"]
    period = (treated["start_day"] - 56) // 56
    arms = treated.groupby(period)["arm"].agg(["first", "nunique"])
    assert (arms["nunique"] == 1).all()
    assert [sorted(arms["first"][k : k + 2]) for k in (0, 2, 4)] == [["fixed", "sham"]] * 3
    table = n_of_1.endpoints().set_index("endpoint")
    ratio = table.loc["rate_ratio"]
    assert ratio["analysis"] == "within patient"
    assert ratio["low"] < ratio["estimate"] < ratio["high"]
    assert "rate_ratio_likelihood" not in table.index  # it takes periods for different people


def test_who_is_enrolled_is_within_the_range_of_the_observed_baseline() -> None:
    population = design_with(
        "crossover", population__most_per_28_days=20.0, population__n_patients=15
    )
    plan = make_plan(population, seed=9, compute="cpu")
    wider = design_with("crossover", population__n_patients=15)
    everyone = make_plan(wider, seed=9, compute="cpu").patients
    assert len(plan.patients) == 15
    assert plan.patients != everyone
    assert set(plan.patients) & set(everyone)


@pytest.mark.parametrize(
    ("n_seizures", "days", "is_in"),
    [
        (8, 56, True),
        (7, 56, False),
        (40, 56, True),
        (41, 56, False),
        (6, 41, False),
        (None, 0, False),
    ],
)
def test_eligibility_either_side_of_each_limit(
    n_seizures: int | None, days: int, is_in: bool
) -> None:
    population = Population(
        n_patients=1, least_per_28_days=4.0, most_per_28_days=20.0, least_days_recorded=42
    )
    seen = Observation(
        start_day=0,
        days=56,
        n_seizures=n_seizures,
        days_recorded=days,
        worst_grade=None,
        telemetry=Telemetry(
            setting=OFF,
            stimulation_s=0,
            charge_uc=0,
            energy_mj=0,
            impedance_ohm=1000,
            battery_permille=1000,
            n_incidents=0,
        ),
    )
    assert is_eligible(population, seen) == is_in


def test_what_a_run_changes_of_its_design_is_in_the_manifest(n_of_1: neurostim.Result) -> None:
    assert n_of_1.manifest["deviations"] == []
    assert n_of_1.manifest["design"]["estimand"]["summary"].startswith("Rate ratio")
    changed = {"population.n_patients": 12, "schedule.recovery_days": 7, "visits.every_epochs": 2}
    assert deviations("demo", changed) == [
        "population.n_patients: 60 in the design, 12 in this run",
        "schedule.recovery_days: left out in the design, 7 in this run",
        "visits.every_epochs: left out in the design, 2 in this run",
    ]
    assert deviations("demo", {"population.n_patients": 60}) == []
