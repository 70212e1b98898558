"""The command line: what a person sees, and that a mistake is one sentence and exit code 2."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from running import Run

DEMO = Path(__file__).parents[2] / "protocols" / "designs" / "demo.toml"
TINY = [
    "--patients", "4",
    "--set", "schedule.treatment_days=28",
    "--set", "schedule.evaluation_days=28",
    "--set", "settings.frequency_hz=[5, 145]",
]  # fmt: skip


def refused(run: Run, arguments: Sequence[str], *words: str) -> None:
    """Exit code 2, one sentence on stderr with these words, no traceback, nothing written."""
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("neurostim: ")
    assert len(err.splitlines()) == 1, err
    assert "Traceback" not in err
    for word in words:
        assert word in err, err
    assert not Path("runs").exists()


def test_a_run_prints_its_endpoints_and_goes_on_to_a_report(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("run", "demo", "--seed", "2", "--out", "here", *TINY)
    assert code == 0
    for word in ("sham", "titration", "gp", "Device incidents: 0", "not a medical device"):
        assert word in out
    code, out, _ = run("report", "here")
    assert code == 0
    assert "report.html" in out
    page = (tmp_path / "here" / "report.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert "simulated" in page


@pytest.mark.parametrize(
    ("topic", "word"),
    [("designs", "demo"), ("controllers", "gp"), ("devices", "vns-like"), ("models", "clinical")],
)
def test_list_names_what_there_is(run: Run, topic: str, word: str) -> None:
    code, out, _ = run("list", topic)
    assert code == 0
    assert word in out


def test_doctor_finds_nothing_wrong(run: Run) -> None:
    code, out, _ = run("doctor")
    assert code == 0
    assert "wrong" not in out


def test_doctor_says_what_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurostim.doctor.KNOWN_ANSWER", (0, 0, 0, 0))
    code, out, _ = run("doctor")
    assert code == 1
    assert "wrong" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nope"], ["'nope'", "demo"]),
        (["run", "nope.toml"], ["nope.toml", "cannot be read"]),
        (["run", "demo", "--patients", "0"], ["population.n_patients", "0"]),
        (["run", "demo", "--patients", "-5"], ["population.n_patients", "-5"]),
        (["run", "demo", "--seed", "-1"], ["seed = -1"]),
        (["run", "demo", "--set", "arms.gp.controller=oracle"], ["'oracle'", "titration"]),
        (["run", "demo", "--set", "arms.gp.options.beta=0"], ["arms.gp.options.beta", "0"]),
        (["run", "demo", "--set", "population.model=martian"], ["'martian'", "clinical"]),
        (["run", "demo", "--set", "device.envelope=pacemaker"], ["pacemaker", "research"]),
        (["run", "demo", "--set", "settings.site=[0, 9]"], ["settings.site = 9", "0, 1, 2, 3"]),
        (["run", "demo", "--set", "settings.amplitude_ua=[1234]"], ["amplitude_ua = 1234"]),
        (
            ["run", "demo", "--set", 'settings.cycles=[{mode="responsive", on_ms=9, off_ms=9}]'],
            ["mode = 'responsive'", "continuous, cycling"],
        ),
        (
            ["run", "demo", "--set", 'settings.cycles=[{mode="cycling", on_ms=9, off_ms=60000}]'],
            ["settings.cycles: on_ms = 9"],
        ),
        (["run", "demo", "--set", "settings.amplitude_ua=[2000, 1000]"], ["2000 to 1000"]),
        (["run", "demo", "--set", "population.baselines=epil.csv"], ["epil.csv"]),
        (["run", "demo", "--set", "population.baselines=epil"], ["population.baselines = 'epil'"]),
        (["run", "demo", "--set", "schedule.epoch_days=nan"], ["schedule.epoch_days = nan"]),
        (["run", "demo", "--set", "schedule.week_days=7"], ["schedule.week_days = 7"]),
        (["run", "demo", "--set", "epoch"], ["--set epoch", "key=value"]),
        (["report", "nowhere"], ["nowhere", "no results"]),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, arguments: list[str], words: list[str]) -> None:
    refused(run, arguments, *words)


def test_a_gpu_that_is_not_there_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    refused(run, ["run", "demo", "--compute", "cuda"], "compute = 'cuda'", "GPU")


def test_duplicate_keys_name_their_line(run: Run, tmp_path: Path) -> None:
    text = DEMO.read_text(encoding="utf-8")
    (tmp_path / "twice.toml").write_text(text.replace("[device]", '[device]\nenvelope = "x"'))
    refused(run, ["run", "twice.toml"], "twice.toml", "not valid TOML", "line")


def test_text_where_a_count_belongs_names_its_line(run: Run, tmp_path: Path) -> None:
    rows = "patient,period,days,count\nann,1,56,12\nbob,1,56,many\n"
    (tmp_path / "own.csv").write_text(rows, encoding="utf-8")
    change = "population.baselines=own.csv"
    refused(run, ["run", "demo", "--set", change], "own.csv", "line 3", "many")


def test_a_design_finds_its_files_beside_itself(run: Run, tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    rows = "patient,period,days,count\nann,1,56,12\nbob,1,56,40\n"
    (study / "own.csv").write_text(rows, encoding="utf-8")
    text = DEMO.read_text(encoding="utf-8").replace('"thall-vail"', '"own.csv"')
    (study / "own.toml").write_text(text, encoding="utf-8")
    code, _, err = run("run", "study/own.toml", *TINY, "--out", "here")
    assert (code, err) == (0, err)
    assert (tmp_path / "here" / "manifest.json").exists()


def test_an_output_folder_with_another_run_is_left_alone(run: Run, tmp_path: Path) -> None:
    assert run("run", "demo", "--out", "here", *TINY)[0] == 0
    before = {p: p.read_bytes() for p in (tmp_path / "here").rglob("*") if p.is_file()}
    refused(run, ["run", "demo", "--out", "here", "--seed", "9", *TINY], "different run", "seed")
    after = {p: p.read_bytes() for p in (tmp_path / "here").rglob("*") if p.is_file()}
    assert after == before


def test_an_output_path_that_is_a_file_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "here").write_text("a file")
    refused(run, ["run", "demo", "--out", "here", *TINY], "here")
    assert (tmp_path / "here").read_text() == "a file"


def test_a_folder_that_cannot_be_made_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    refused(run, ["run", "demo", "--out", "file/run", *TINY], "file")


def test_a_diary_is_shown_first_and_written_when_asked(run: Run, tmp_path: Path) -> None:
    rows = "who,day,n\nann,2026-01-01,1\nann,2026-01-03,2\n[red]bob[/],2026-01-01,5\n"
    (tmp_path / "own.csv").write_text(rows, encoding="utf-8")
    mapping = "date=day,count=n,patient=who"
    code, out, _ = run("import", "own.csv", "--map", mapping)
    assert code == 0
    assert "[red]bob[/]" in out
    assert "Nothing was written" in out
    code, out, _ = run("import", "own.csv", "--map", mapping, "--out", "mine")
    assert code == 0
    assert (tmp_path / "mine" / "diary.csv").read_text().splitlines()[1] == "ann,2026-01-01,1"
    change = "population.baselines=mine/baselines.csv"
    assert run("run", "demo", "--out", "here", "--set", change, *TINY)[0] == 0
    code, _, err = run("import", "own.csv", "--map", mapping, "--out", "mine")
    assert code == 2
    assert "diary.csv is there already" in err


@pytest.mark.parametrize(
    ("mapping", "words"),
    [("date", ["--map date"]), ("date=day,date=n", ["twice"]), ("date=when", ["line 1", "'when'"])],
)
def test_a_bad_mapping_is_one_sentence(
    run: Run, tmp_path: Path, mapping: str, words: list[str]
) -> None:
    (tmp_path / "own.csv").write_text("day,n\n2026-01-01,1\n", encoding="utf-8")
    refused(run, ["import", "own.csv", "--map", mapping], *words)


def test_an_interrupted_run_keeps_what_is_finished(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "neurostim",
        "run",
        "demo",
        "--patients",
        "400",
        "--out",
        "here",
    ]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job, and whoever it starts, is deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "here").rglob("*.parquet")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=180)
    assert process.returncode == 130
    assert out.startswith("Stopped. What is finished is in here")
    assert "Traceback" not in err
    assert not list((tmp_path / "here").rglob("*.part"))
    assert '"is_finished": false' in (tmp_path / "here" / "manifest.json").read_text()


def test_validate_prints_writes_and_judges(run: Run) -> None:
    code, out, _ = run("validate", "D4", "--quick", "--json", "table.json", "--html", "page.html")
    assert code == 0
    assert "1 of 1 judged figures" in out
    [row] = json.loads(Path("table.json").read_text())
    assert row["id"] == "D4"
    assert row["band"][0] <= row["value"] <= row["band"][1]
    assert row["passed"] is True
    assert "not a medical device" in Path("page.html").read_text()


def test_validate_refuses_what_it_does_not_know(run: Run) -> None:
    refused(run, ["validate", "D99", "--quick"], "rows = D99", "D12")
    refused(run, ["validate", "--family", "martian"], "family = 'martian'", "clinical")


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "neurostim", "run", "nope"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("neurostim: 'nope'")
    assert done.stdout == ""
    assert shutil.which("neurostim", path=Path(sys.executable).parent)
