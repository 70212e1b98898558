"""Results are what was written, whole: whatever was spoiled is named, and computed again."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_trial import N_SHARDS, content_of, plan_of_small, run_small

import neurostim
from neurostim import folder_lock
from neurostim.folder_lock import LOCK, locked
from neurostim.results import resume_trial
from neurostim.shards import is_finished, shards
from neurostim.storage import digest
from neurostim.trial import Means
from protocols import InputError

EPOCHS = "epochs/block-00001-arm-02.parquet"
OTHER_EPOCHS = "epochs/block-00002-arm-02.parquet"
PATIENTS = "patients/block-00001.parquet"
AUDIT = "audit/block-00001-arm-02.jsonl"
SEAL = "seals/block-00001-arm-02.json"
OTHER_SEAL = "seals/block-00002-arm-02.json"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("integrity") / "run"
    run_small(folder)
    return folder


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("integrity") / "other"
    run_small(folder, seed=4)
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


def mended(folder: Path) -> list[str]:
    """Go on with the run, and return what was told."""
    told: list[str] = []
    run_small(folder, means=Means(tell=told.append))
    return told


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        (EPOCHS, flip),
        (EPOCHS, cut),
        (EPOCHS, Path.unlink),
        (PATIENTS, flip),
        (SEAL, cut),
        (SEAL, lambda path: path.write_text("[" * 100_000)),
        (SEAL, lambda path: path.write_text('{"run": 1, "shard": 2, "sha256": 3}')),
        (SEAL, lambda path: shutil.copy(path.parents[1] / OTHER_SEAL, path)),
        (EPOCHS, lambda path: shutil.copy(path.parents[1] / OTHER_EPOCHS, path)),
    ],
)
def test_a_spoiled_table_is_named_never_loaded_and_computed_again(
    finished: Path, folder: Path, name: str, spoil: Callable[[Path], object]
) -> None:
    spoil(folder / name)
    with pytest.raises(InputError, match=Path(name).name) as caught:
        neurostim.load(folder)
    assert "the same run again computes it anew" in str(caught.value)
    [sentence] = mended(folder)
    assert name in sentence
    assert sentence.endswith("is computed again")
    assert content_of(folder) == content_of(finished)
    assert mended(folder) == []


@pytest.mark.parametrize("name", [AUDIT, f"{AUDIT}.anchor"])
@pytest.mark.parametrize("spoil", [flip, cut, Path.unlink])
def test_a_spoiled_audit_log_is_named_and_written_again(
    finished: Path, folder: Path, name: str, spoil: Callable[[Path], object]
) -> None:
    spoil(folder / name)
    [sentence] = mended(folder)
    assert name in sentence
    assert content_of(folder) == content_of(finished)


def test_a_shard_of_another_run_is_named_and_computed_again(
    finished: Path, folder: Path, foreign: Path
) -> None:
    for name in (EPOCHS, AUDIT, f"{AUDIT}.anchor", SEAL):
        shutil.copy(foreign / name, folder / name)
    with pytest.raises(InputError, match="of another run"):
        neurostim.load(folder)
    [sentence] = mended(folder)
    assert SEAL in sentence
    assert content_of(folder) == content_of(finished)


def test_no_flipped_bit_goes_unnoticed(folder: Path) -> None:
    plan = plan_of_small()
    key = digest(plan.identity())
    chance = random.Random(20)
    for shard in shards(plan):
        files = [path for path in folder.rglob(f"{shard.stem}*") if path.is_file()]
        assert len(files) == 4
        for path in files:
            content = path.read_bytes()
            spoiled = bytearray(content)
            spoiled[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            path.write_bytes(spoiled)
            with pytest.raises(InputError):
                is_finished(folder, shard, key)
            path.write_bytes(content)
            assert is_finished(folder, shard, key)


def test_a_finished_run_that_lost_blocks_is_not_loaded_as_a_smaller_one(folder: Path) -> None:
    (folder / SEAL).unlink()
    with pytest.raises(InputError, match="1 of 3 blocks of patients are gone"):
        neurostim.load(folder)


@pytest.mark.parametrize("n_good", [0, 1, 7, 40])
def test_a_full_disk_is_one_sentence_and_loses_nothing(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_good: int
) -> None:
    folder = tmp_path / "run"
    calls = iter(range(1000))

    def sync(file: int) -> None:
        if next(calls) >= n_good:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("neurostim.storage.os.fsync", sync)
        with pytest.raises(InputError, match="No space left on device") as caught:
            run_small(folder)
    assert len(str(caught.value).splitlines()) == 1
    assert not [*folder.rglob("*.part"), *folder.rglob(LOCK)]
    sealed = {path: path.stat().st_mtime_ns for path in folder.glob("seals/*")}
    run_small(folder)
    assert content_of(folder) == content_of(finished)
    assert all(path.stat().st_mtime_ns == before for path, before in sealed.items())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_really_full_is_one_sentence(finished: Path, small_disk: Path) -> None:
    folder = small_disk / "run"
    with pytest.raises(InputError, match="No space left on device"):
        run_small(folder)
    assert not [*folder.rglob("*.part")]
    n_sealed = len([*folder.glob("seals/*")])
    assert 0 < n_sealed < N_SHARDS
    subprocess.run(["mount", "-o", "remount,size=10m", str(small_disk)], check=True)
    assert mended(folder) == []
    assert content_of(folder) == content_of(finished)


def test_a_folder_that_may_not_be_written_is_one_sentence(folder: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=10m", str(small_disk)], check=True)
    shutil.copytree(folder, small_disk / "run")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputError, match="Read-only file system"):
        run_small(small_disk / "run")
    assert len(neurostim.load(small_disk / "run").patients()) == 6


def test_a_folder_that_vanishes_is_one_sentence_and_is_not_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def vanish(done: int, total: int) -> None:
        if done > total / 2:
            shutil.rmtree(folder, ignore_errors=True)

    with pytest.raises(InputError, match="No such file or directory"):
        run_small(folder, progress=vanish)
    assert not folder.exists()


def test_what_a_killed_process_had_begun_to_write_is_removed(finished: Path, folder: Path) -> None:
    for name in ("manifest.json.part", f"{EPOCHS}.part", f"{SEAL}.part", f"{AUDIT}.anchor.new"):
        (folder / name).write_bytes(b"half")
    (folder / LOCK).touch()
    assert mended(folder) == []
    assert content_of(folder) == content_of(finished)


def test_a_run_that_was_killed_before_its_manifest_begins_anew(
    finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    (folder / "seals").mkdir(parents=True)
    (folder / "manifest.json.part").write_text("{")
    run_small(folder)
    assert content_of(folder) == content_of(finished)


def test_a_second_run_in_one_folder_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "PATIENCE_S", 0.1)
    before = content_of(folder)
    with locked(folder), pytest.raises(InputError, match="in use by another run"):
        run_small(folder)
    assert content_of(folder) == before


def test_a_lock_dies_with_its_owner(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from neurostim.folder_lock import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        owner.kill()
    assert mended(folder) == []
    assert not (folder / LOCK).exists()


def test_a_run_goes_on_from_its_folder_alone(finished: Path, folder: Path) -> None:
    (folder / SEAL).unlink()
    resume_trial(folder)
    assert content_of(folder) == content_of(finished)
    with pytest.raises(InputError, match="no results here"):
        resume_trial(folder / "epochs")


RUN = (
    "import sys; from pathlib import Path; from small_trial import run_small\n"
    "from neurostim.trial import Means\n"
    "if __name__ == '__main__':\n"
    "    means = Means(n_workers=int(sys.argv[2]), tell=lambda sentence: None)\n"
    "    run_small(Path(sys.argv[1]), means=means)"
)


def killed_at(folder: Path, n_sealed: int, later_s: float, n_workers: int) -> None:
    """Run until so many shards are sealed and a moment longer, then kill without a warning."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), str(n_workers)], env=environment
    ) as process:
        deadline = time.monotonic() + 120
        while len([*folder.glob("seals/*.json")]) < n_sealed and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(later_s)
        process.send_signal(signal.SIGKILL)


def killed_again_and_again(finished: Path, folder: Path, n_kills: int, n_workers: int) -> None:
    chance = random.Random(n_kills)
    for kill in range(n_kills):
        killed_at(folder, kill * N_SHARDS // n_kills, chance.uniform(0, 0.1), n_workers)
    told: list[str] = []
    run_small(folder, means=Means(tell=told.append))
    assert content_of(folder) == content_of(finished)
    assert told == []


def test_a_run_killed_three_times_ends_in_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    killed_again_and_again(finished, tmp_path / "run", n_kills=3, n_workers=1)


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [1, 3])
def test_a_run_killed_twenty_times_ends_in_the_same_bytes(
    finished: Path, tmp_path: Path, n_workers: int
) -> None:
    killed_again_and_again(finished, tmp_path / "run", n_kills=20, n_workers=n_workers)


def test_the_command_line_goes_on_from_a_folder_and_tells_what_it_mends(
    finished: Path, folder: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    flip(folder / EPOCHS)
    code, out, err = run("run", "--resume", str(folder), "--csv", "csv")
    assert code == 0
    assert len((Path("csv") / "patients.csv").read_text().splitlines()) == 1 + 6
    assert "Device incidents: 0" in out
    assert err.startswith("neurostim: ")
    assert f"{EPOCHS}: damaged" in err
    assert content_of(folder) == content_of(finished)
    for arguments, words in (
        (["run"], "nothing to run"),
        (["run", "demo", "--resume", str(folder)], "--resume"),
        (["run", "--resume", "nowhere"], "no results here"),
        (["run", "demo", "--workers", "0"], "workers = 0: 1 or more was expected"),
        (["run", "demo", "--block-size", "0"], "block_size = 0: 1 or more was expected"),
    ):
        code, _, err = run(*arguments)
        assert code == 2
        assert words in err
        assert len(err.splitlines()) == 1


def test_tables_are_written_as_csv_on_request(
    finished: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, _ = run("export", str(finished), "--csv", "csv")
    assert code == 0
    assert "outcomes.csv" in out
    epochs = (Path("csv") / "epochs.csv").read_text(encoding="utf-8").splitlines()
    assert len(epochs) == 1 + len(neurostim.load(finished).epochs())
    assert len((Path("csv") / "patients.csv").read_text().splitlines()) == 1 + 6
    assert (Path("csv") / "endpoints.csv").read_text().startswith("arm,")
    (tmp_path / "file").touch()
    code, _, err = run("export", str(finished), "--csv", "file/csv")
    assert code == 2
    assert len(err.splitlines()) == 1
