"""A Dask cluster gives the same bytes as one process, whatever dies in it, or it says why not."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_trial import N_SHARDS, SHORT, content_of, plan_of_small, run_small

from neurostim import cluster, cluster_task
from neurostim.cluster import connected, notice_of, scheduler_of
from neurostim.cluster_task import differences, identity, parcel_of, run_task
from neurostim.plan import make_plan
from neurostim.shards import shards
from neurostim.trial import Means, Standing
from protocols import InputError
from protocols.design import load_design

pytest.importorskip("distributed")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster") / "run"
    run_small(folder)
    return folder


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with scheduler_of("local:2") as scheduler:
        yield scheduler


def test_a_cluster_writes_the_same_bytes(finished: Path, tmp_path: Path, address: str) -> None:
    told: list[str] = []
    run_small(tmp_path / "run", means=Means(cluster=address, tell=told.append))
    assert content_of(tmp_path / "run") == content_of(finished)
    assert told == [notice_of(address)]


@pytest.mark.slow
def test_a_cluster_of_three_writes_the_same_bytes_though_workers_are_killed(
    finished: Path, tmp_path: Path
) -> None:
    killed: list[int] = []
    with scheduler_of("local:3") as scheduler:
        with connected(scheduler) as client:
            client.wait_for_workers(3, timeout=60)
            pids = list(client.run(os.getpid).values())
        assert len(set(pids)) == 3

        def show(standing: Standing) -> None:
            if standing.n_shards in (2, 4) and len(killed) < standing.n_shards / 2:
                killed.append(pids.pop())
                os.kill(killed[-1], signal.SIGKILL)

        run_small(tmp_path / "run", means=Means(cluster=scheduler, show=show, tell=print))
    assert len(killed) == 2
    assert content_of(tmp_path / "run") == content_of(finished)


@pytest.mark.skipif(sys.platform != "linux", reason="reads what listens from /proc")
def test_a_cluster_of_our_own_is_reached_from_this_machine_alone(address: str) -> None:
    with connected(address) as client:
        pids = [os.getpid(), *client.run(os.getpid).values()]
    links = [link for pid in pids for link in Path(f"/proc/{pid}/fd").iterdir()]
    ours = {os.readlink(link) for link in links if os.path.lexists(link)}
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    listening = [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in ours]
    assert len(listening) >= 3
    assert {each.partition(":")[0] for each in listening} == {"0100007F"}


def test_a_cluster_is_looked_at_before_work_is_given_to_it(run: Run, address: str) -> None:
    code, out, err = run("cluster-check", address)
    assert (code, err) == (0, "")
    assert "from this machine alone" in out
    assert out.count(" ok ") == 2
    assert "torch" in out


def test_a_worker_with_other_versions_is_refused(
    finished: Path, tmp_path: Path, address: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = identity()
    monkeypatch.setattr(cluster, "identity", lambda: ours | {"torch": "1.0", "Python": "2.7"})
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    words = rf"worker tcp.*: Python {here} instead of 2.7, torch {ours['torch']} instead of 1.0"
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / "seals/block-00001-arm-02.json").unlink()
    with pytest.raises(InputError, match=words.replace("+", r"\+")):
        run_small(folder, means=Means(cluster=address, tell=lambda sentence: None))
    code, out, _ = run("cluster-check", address)
    assert code == 1
    assert "instead of 2.7" in out


def test_a_worker_with_other_code_refuses_the_shard_itself() -> None:
    plan = plan_of_small()
    shard = shards(plan)[0]
    with pytest.raises(InputError, match=r"worker on .*: code \w+ instead of other"):
        run_task(identity() | {"code": "other"}, parcel_of(plan, "key"), shard)
    assert differences({"numpy": "2"}, {"numpy": None}) == "numpy absent instead of 2"
    assert differences({"numpy": "2", "code": "x"}, {"numpy": "2"}) == ""


def test_a_prior_beside_the_design_travels_with_the_shards(tmp_path: Path) -> None:

    shipped = Path(cluster_task.prior_path("demo", Path()))
    (tmp_path / "study").mkdir()
    shutil.copy(shipped, tmp_path / "study" / "own.safetensors")
    change = {"arms.learned.options.prior": "own.safetensors", "population.n_patients": 2}
    ticks = {"settings.frequency_hz": [2, 5, 10, 20, 50, 100, 130, 145, 180, 200]}
    design = load_design("learned", SHORT | change | ticks)
    plan = make_plan(design, seed=1, compute="cpu", folder=tmp_path / "study")
    shard = shards(plan)[4]
    parcel = parcel_of(plan, "key")
    expected = run_task(identity(), parcel, shard)
    shutil.rmtree(tmp_path / "study")
    cluster_task._unpacked.cache_clear()
    assert run_task(identity(), parcel, shard) == expected
    cluster_task._unpacked.cache_clear()
    parcel = replace(parcel, files={})
    with pytest.raises(InputError, match=r"worker on .*own\.safetensors"):
        run_task(identity(), parcel, shard)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("moon", "tcp://HOST:PORT or local:N was expected"),
        ("local:0", "N of 1 or more"),
        ("local:two", "N of 1 or more"),
        ("tcp://nowhere", "no scheduler"),
        ("tcp://127.0.0.1:1", "no scheduler of Dask.distributed answers there"),
    ],
)
def test_an_address_that_is_none_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, where: str, words: str
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE_S", 0.2)
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    code, _, err = run("cluster-check", where)
    assert code == 2
    assert words in err
    assert len(err.splitlines()) == 1


def test_who_can_reach_a_cluster_is_said() -> None:
    assert "from this machine alone" in notice_of("tcp://127.0.0.1:8786")
    assert "no authentication" in notice_of("tcp://10.0.0.7:8786")


def test_without_the_library_it_is_said_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = run("cluster-check", "local:1")
    assert code == 2
    assert "pip install neurostim[cluster]" in err


@pytest.mark.slow
def test_a_scheduler_that_is_killed_and_comes_back_loses_nothing(
    finished: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def start() -> list["subprocess.Popen[bytes]"]:
        commands = (
            ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port),
             "--no-dashboard"],
            ["distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"],
        )  # fmt: skip
        return [
            subprocess.Popen(
                [sys.executable, "-m", *command],
                env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True,
            )
            for command in commands
        ]  # fmt: skip

    def end(processes: list["subprocess.Popen[bytes]"]) -> None:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    told: list[str] = []
    processes = start()
    restarts = []

    def show(standing: Standing) -> None:
        nonlocal processes
        if standing.n_shards == N_SHARDS // 3 and not restarts:
            restarts.append(standing)
            end(processes)
            time.sleep(0.5)
            processes = start()

    try:
        run_small(tmp_path / "run", means=Means(cluster=address, tell=told.append, show=show))
    finally:
        end(processes)
    assert restarts
    assert told == [
        notice_of(address), f"The scheduler at {address} was lost; what it had is done again"
    ]  # fmt: skip
    assert content_of(tmp_path / "run") == content_of(finished)
