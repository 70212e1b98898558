"""The same seed gives the same bytes, however the work is cut, and after any interruption."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import neurostim
from neurostim.plan import make_plan
from neurostim.storage import digest
from protocols import InputError
from protocols.design import load_design
from safety import decisions, verify

SHORT = {
    "schedule.baseline_days": 28,
    "schedule.treatment_days": 56,
    "schedule.evaluation_days": 28,
    "settings.frequency_hz": [5, 145],
}


def run(out: Path | None = None, **changes: object) -> neurostim.Result:
    arguments: dict[str, object] = {"n_patients": 12, "seed": 3, "block_size": 5} | changes
    return neurostim.run_trial("demo", out=out, overrides=SHORT, compute="cpu", **arguments)  # type: ignore[arg-type]


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = sorted(folder.rglob("*.parquet")) + sorted(folder.rglob("*.jsonl"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial") / "run"
    run(folder)
    return folder


def test_another_process_writes_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    code = (
        "import neurostim; neurostim.run_trial('demo', n_patients=12, seed=3, block_size=5, "
        f"compute='cpu', overrides={SHORT!r}, out={str(tmp_path / 'again')!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    again = bytes_of(tmp_path / "again")
    assert len(again) == 3 + 2 * 3 * 5
    assert again == bytes_of(finished)


@pytest.mark.parametrize("block_size", [1, 7, 60])
def test_the_size_of_the_batch_changes_nothing(finished: Path, block_size: int) -> None:
    order = ["arm", "patient", "epoch"]
    expected = neurostim.load(finished).epochs().sort_values(order, ignore_index=True)
    found = run(block_size=block_size).epochs().sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_exact=False, rtol=0, atol=1e-9)


def test_more_patients_leave_the_first_ones_alone(finished: Path) -> None:
    few = run(n_patients=4).epochs()
    many = neurostim.load(finished).epochs()
    same = many[many["patient"] < 4].sort_values(["arm", "patient", "epoch"], ignore_index=True)
    pd.testing.assert_frame_equal(
        few.sort_values(["arm", "patient", "epoch"], ignore_index=True), same, rtol=0, atol=1e-9
    )


def test_another_seed_is_another_trial(finished: Path) -> None:
    assert not run(seed=4).epochs().equals(neurostim.load(finished).epochs())


def test_a_run_that_was_cut_off_ends_in_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    class CutOffError(Exception):
        pass

    def cut(done: int, total: int) -> None:
        if done > 0.6 * total:
            raise CutOffError

    with pytest.raises(CutOffError):
        run(folder, progress=cut)
    partial = neurostim.load(folder)
    assert not partial.manifest["is_finished"]
    assert 0 < partial.epochs()["patient"].nunique() < 12
    run(folder)
    assert bytes_of(folder) == bytes_of(finished)
    assert neurostim.load(folder).manifest["is_finished"]


def test_a_damaged_shard_is_computed_again(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run(folder)
    damaged = sorted((folder / "epochs").iterdir())[3]
    damaged.write_bytes(damaged.read_bytes()[:-7])
    run(folder)
    assert bytes_of(folder) == bytes_of(finished)


def test_arms_share_the_baseline_and_its_luck(finished: Path) -> None:
    epochs = neurostim.load(finished).epochs()
    baseline = epochs[epochs["phase"] == "baseline"].drop(columns=["arm"])
    key = ["patient", "epoch"]
    arms = [
        frame.sort_values(key, ignore_index=True) for _, frame in baseline.groupby(epochs["arm"])
    ]
    for other in arms[1:]:
        pd.testing.assert_frame_equal(other, arms[0])


def test_every_patient_lives_through_every_day_once(finished: Path) -> None:
    epochs = neurostim.load(finished).epochs()
    for _, life in epochs.groupby(["arm", "patient"]):
        ordered = life.sort_values("epoch")
        assert ordered["epoch"].tolist() == list(range(len(ordered)))
        ends = (ordered["start_day"] + ordered["days"]).tolist()
        assert ordered["start_day"].tolist() == [0, *ends[:-1]]
        assert ends[-1] == 84
        assert (ordered[ordered["phase"] == "baseline"]["delivered_amplitude_ua"] == 0).all()


def test_the_device_counts_no_incident_and_every_change_has_its_reason(finished: Path) -> None:
    epochs = neurostim.load(finished).epochs()
    assert epochs["n_incidents"].sum() == 0
    is_changed = epochs["ruling"] != "accepted"
    assert (epochs.loc[is_changed, "findings"] != "").all()
    assert (epochs.loc[~is_changed, "findings"] == "").all()


def test_every_audit_log_verifies_and_tells_what_the_table_tells(finished: Path) -> None:
    logs = sorted((finished / "audit").glob("*.jsonl"))
    assert len(logs) == 3 * 5
    n_decisions = 0
    for log in logs:
        check = verify(log)
        assert check.is_whole, check.sentence
        assert check.n_pending == 0
        n_decisions += len([*decisions(log)])
    assert n_decisions == len(neurostim.load(finished).epochs())


def test_the_manifest_says_what_was_run(finished: Path) -> None:
    manifest = neurostim.load(finished).manifest
    assert manifest["seed"] == 3
    assert manifest["design"]["population"]["n_patients"] == 12
    assert manifest["versions"]["neurostim"] == neurostim.__version__
    assert "--seed 3" in manifest["command"]
    assert len(manifest["fingerprint"]) == len(digest({}))


def test_a_different_run_is_not_overwritten(finished: Path) -> None:
    before = bytes_of(finished)
    with pytest.raises(InputError, match="holds a different run"):
        run(finished, seed=4)
    with pytest.raises(InputError, match="holds a different run"):
        run(finished, n_patients=13)
    assert bytes_of(finished) == before


def test_a_folder_that_is_no_run_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not touch")
    with pytest.raises(InputError, match="holds no run"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: next((folder / "epochs").iterdir()).write_bytes(b"PAR1"), "damaged"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "not a manifest"),
        (lambda folder: (folder / "manifest.json").write_text('{"schema": 99}'), "of schema 1"),
        (lambda folder: (folder / "manifest.json").write_text('{"schema": 1}'), "lacks 'design'"),
    ],
)
def test_spoiled_results_are_one_sentence(
    finished: Path, tmp_path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    spoil(folder)
    with pytest.raises(InputError, match=sentence) as caught:
        neurostim.load(folder)
    assert len(str(caught.value).splitlines()) == 1


def test_a_manifest_with_a_spoiled_design_names_the_key(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    text = (folder / "manifest.json").read_text(encoding="utf-8")
    spoiled = text.replace('"epoch_days": 14', '"epoch_days": -14')
    (folder / "manifest.json").write_text(spoiled, encoding="utf-8")
    with pytest.raises(InputError, match=r"design\.schedule\.epoch_days = -14"):
        neurostim.load(folder)


def test_a_folder_without_results_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results here"):
        neurostim.load(tmp_path)


@pytest.fixture(scope="module")
def sante() -> neurostim.Result:
    shorter = {"schedule.open_label_days": 56, "kind": "paired"}
    return neurostim.run_trial("sante", n_patients=15, seed=2, compute="cpu", overrides=shorter)


def test_only_the_eligible_are_enrolled(sante: neurostim.Result) -> None:
    epochs = sante.epochs()
    baseline = epochs[epochs["phase"] == "baseline"].groupby(["arm", "patient"])
    rates = 28 * baseline["n_seizures"].sum() / baseline["days_recorded"].sum()
    assert len(rates) == 30
    assert (rates >= 6).all()
    enrolled = sorted(epochs["patient"].unique())
    assert enrolled != list(range(15))  # some who were screened were not eligible
    plan = make_plan(load_design("sante", {"population.n_patients": 15}), seed=2, compute="cpu")
    assert list(plan.patients) == enrolled
    more = make_plan(load_design("sante", {"population.n_patients": 25}), seed=2, compute="cpu")
    assert more.patients[:15] == plan.patients


def test_nobody_eligible_is_one_sentence() -> None:
    rare = {"population.rates.median_per_28_days": 0.03, "population.rates.log_sd": 0.0}
    with pytest.raises(InputError, match="of 2020 people screened only 0 were eligible"):
        make_plan(load_design("sante", {**rare, "population.n_patients": 20}), seed=2)


def test_recovery_is_off_and_open_label_is_the_same_for_all(sante: neurostim.Result) -> None:
    epochs = sante.epochs()
    spans = epochs.groupby("phase")["start_day"].agg(["min", "max"])
    assert spans.loc["recovery", "min"] == 84
    assert spans.loc["treatment", "min"] == 112
    assert spans.loc["open label", "min"] == 196
    for arm, phase, is_on in (
        ("active", "recovery", False),
        ("active", "treatment", True),
        ("control", "treatment", False),
        ("control", "open label", True),
        ("active", "open label", True),
    ):
        rows = epochs[(epochs["arm"] == arm) & (epochs["phase"] == phase)]
        assert ((rows["delivered_amplitude_ua"] > 0) == is_on).all()
    assert epochs["n_incidents"].sum() == 0


def test_an_unknown_target_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"population\.target = 'moon'"):
        make_plan(load_design("demo", {"population.target": "moon"}), seed=1)
