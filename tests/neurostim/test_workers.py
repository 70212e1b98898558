"""Several processes give the same bytes as one, lose no shard when they die, leave no orphan."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_trial import N_SHARDS, content_of, run_small

from neurostim import workers
from neurostim.trial import Means, Standing
from protocols import InputError

RUN = (
    "import sys; from pathlib import Path\n"
    "from small_trial import run_small; from neurostim.trial import Means\n"
    "run_small(Path(sys.argv[1]), means=Means(n_workers=2))"
)  # no guard: workers import nobody's main module


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workers") / "run"
    run_small(folder)
    return folder


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the workers that are started, in their order."""
    pids: list[int] = []
    plain = subprocess.Popen

    def popen(*arguments: object, **options: object) -> "subprocess.Popen[bytes]":
        process = plain(*arguments, **options)  # type: ignore[call-overload]
        pids.append(process.pid)
        return process  # type: ignore[no-any-return]

    monkeypatch.setattr(workers.subprocess, "Popen", popen)
    return pids


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_two_workers_write_the_same_bytes_and_one_that_is_killed_is_replaced(
    finished: Path, tmp_path: Path, started: list[int]
) -> None:
    told: list[str] = []
    shown: list[Standing] = []

    def show(standing: Standing) -> None:
        shown.append(standing)
        if standing.n_days > 0 and len(started) == 2:
            os.kill(started[1], signal.SIGKILL)

    run_small(tmp_path / "run", means=Means(n_workers=2, tell=told.append, show=show))
    assert content_of(tmp_path / "run") == content_of(finished)
    [sentence] = told
    assert sentence.startswith("A worker was killed by SIGKILL; another one does block-")
    assert len(started) == 3
    assert not any(map(is_there, started))
    last = shown[-1]
    assert (last.n_shards, last.n_days) == (N_SHARDS, last.n_days_in_all)
    assert last.patients_per_s > 0
    assert all(0 <= each.n_days <= each.n_days_in_all for each in shown)


def test_a_shard_that_kills_whoever_takes_it_is_named(tmp_path: Path, started: list[int]) -> None:
    def kill(standing: Standing) -> None:
        if started:
            os.kill(started[-1], signal.SIGKILL)

    means = Means(n_workers=2, tell=lambda sentence: None, show=kill)
    with pytest.raises(InputError, match=r"block-\d{5}-arm-\d\d: 3 workers died over it"):
        run_small(tmp_path / "run", means=means)
    assert not any(map(is_there, started))
    assert not [*(tmp_path / "run").rglob("*.part")]


def children_of(pid: int) -> list[int]:
    """The workers that a process has started, by what the system says."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


def wait_until(is_so: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for orphans in /proc")
def test_a_killed_parent_leaves_no_orphan_and_loses_no_shard(
    finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)], env=environment, text=True
    ) as process:
        wait_until(lambda: bool([*folder.glob("seals/*.json")]), process)
        children = children_of(process.pid)
        process.kill()
    sealed = [*folder.glob("seals/*.json")]
    assert len(children) == 2
    deadline = time.monotonic() + 2
    while any(map(is_there, children)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    before = {path: path.stat().st_mtime_ns for path in sealed}
    run_small(folder)
    assert content_of(folder) == content_of(finished)
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for orphans in /proc")
def test_ctrl_c_ends_every_worker_and_keeps_what_is_finished(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "neurostim", "run", "demo", "--patients", "400"]
    with subprocess.Popen(
        [*command, "--workers", "2", "--out", "here"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        wait_until(lambda: bool([*(tmp_path / "here").glob("seals/*.json")]), process)
        children = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.startswith("Stopped. What is finished is in here")
    assert "Traceback" not in err
    assert not any(map(is_there, children))
    assert not [*(tmp_path / "here").rglob("*.part"), *(tmp_path / "here").rglob("run.lock")]


@pytest.mark.slow
def test_a_folder_that_is_gone_for_a_worker_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def spoil(standing: Standing) -> None:
        for path in folder.glob("epochs"):
            path.rename(folder / "gone")

    with pytest.raises(InputError, match="No such file or directory"):
        run_small(folder, means=Means(n_workers=2, show=spoil))


def test_what_means_cannot_be_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="workers = 0: 1 or more"):
        Means(n_workers=0)
    with pytest.raises(InputError, match="one of them was expected"):
        Means(n_workers=2, cluster="local:2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert workers.gpus_for("cuda", 2) == [0, 1]
    assert workers.gpu_environment(1) == {"CUDA_VISIBLE_DEVICES": "5"}
    with pytest.raises(InputError, match="workers = 3 with compute = 'cuda': at most one for each"):
        workers.gpus_for("cuda", 3)
