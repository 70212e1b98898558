"""Shards on a cluster of Dask.distributed, whose workers need share no disk with us.

Dask has no authentication of its own: whoever reaches a scheduler can run code on its workers. A
cluster that we start listens on this machine alone.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurostim.cluster_task import Parcel, differences, identity, parcel_of, run_task
from neurostim.isolation_process import ONE_THREAD
from neurostim.plan import Plan
from neurostim.shards import Shard, Step, write_seal
from neurostim.storage import write_whole
from neurostim.workers import gpu_environment, gpus_for
from protocols import InputError

if TYPE_CHECKING:
    from distributed import Client, Future

LOOPBACK = "127.0.0.1"
LOCAL = "local:"
PATIENCE_S = 60.0
"""How long a scheduler may be gone, or without workers, before a run says so and ends."""

CONNECT_S = 10.0
LOOK_S = 0.5
SHARDS_PER_THREAD = 2
"""Shards at or before each thread: one at work and one that waits, so that none is idle."""

ABSENT = "a cluster needs Dask.distributed, which is not installed: pip install neurostim[cluster]"


@contextmanager
def scheduler_of(where: str, compute: str = "cpu") -> Iterator[str]:
    """The address of the scheduler of a cluster: one that runs, or `local:N` for one of our own.

    Raises `InputError` when it is no address, or when Dask.distributed is not installed.
    """
    try:
        import distributed
    except ImportError:
        raise InputError(ABSENT) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if not where.startswith(LOCAL):
        if not where.startswith(("tcp://", "tls://")):
            raise InputError(f"cluster = {where!r}: tcp://HOST:PORT or local:N was expected")
        yield where
        return
    text = where.removeprefix(LOCAL)
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"cluster = {where!r}: local:N with N of 1 or more was expected")
    alone = {"host": LOOPBACK, "dashboard": False, "dashboard_address": f"{LOOPBACK}:0"}
    worker = alone | {"nthreads": 1, "memory_limit": 0, "silence_logs": logging.CRITICAL}
    gpus = gpus_for(compute, int(text))
    with distributed.SpecCluster(
        scheduler={
            "cls": distributed.Scheduler,
            "options": alone | {"port": 0},
        },
        workers={
            n: {
                "cls": distributed.Nanny,
                "options": worker | {"env": ONE_THREAD | gpu_environment(gpu)},
            }
            for n, gpu in enumerate(gpus)
        },
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster.scheduler_address


def run_on_cluster(
    plan: Plan,
    todo: Sequence[Shard],
    folder: Path,
    key: str,
    where: str,
    tell: Callable[[str], None],
) -> Iterator[Step]:
    """Run these shards on a cluster, and write what comes back; yields each that is finished.

    Outlives workers that die and a scheduler that is gone for a while. Raises `InputError` when a
    worker is not like us, when a shard cannot be run, or when the scheduler stays away.
    """
    parcel = parcel_of(plan, key)
    waiting = deque(todo)
    with scheduler_of(where, plan.compute) as address:
        tell(notice_of(address))
        while waiting:
            with connected(address) as client:
                refuse_others(client)
                yield from _served(client, waiting, parcel, plan, folder, key)
            if waiting:
                tell(f"The scheduler at {address} was lost; what it had is done again")


def notice_of(address: str) -> str:
    """Who can reach a cluster, as a sentence."""
    host = address.partition("://")[2].rpartition(":")[0]
    if host in (LOOPBACK, "localhost", "[::1]"):
        return f"The cluster at {address} is reached from this machine alone"
    return f"Whoever reaches {address} can run programs on its workers: Dask has no authentication"


@contextmanager
def connected(address: str) -> "Iterator[Client]":
    """A client of a scheduler that has a worker; waits for both for a while."""
    import distributed

    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
            break
        except (OSError, TimeoutError, ValueError) as error:
            if time.monotonic() > until or isinstance(error, ValueError):
                raise InputError(
                    f"{address}: no scheduler of Dask.distributed answers there; what is finished "
                    "is kept, and the same command goes on from there"
                ) from None
            time.sleep(LOOK_S)
    try:
        while not client.scheduler_info()["workers"]:
            if time.monotonic() > until:
                raise InputError(f"{address}: the scheduler has no workers")
            time.sleep(LOOK_S)
        yield client
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=CONNECT_S)


def refuse_others(client: "Client") -> None:
    """Raise `InputError` when a worker has other versions than we have; none of our code runs."""
    for worker, wrong in differences_of(client).items():
        if wrong:
            raise InputError(f"worker {worker}: {wrong}")


def differences_of(client: "Client") -> dict[str, str]:
    """In what each worker differs from us, as a part of a sentence; empty where in nothing."""
    ours = {name: value for name, value in identity().items() if name != "code"}
    packages = [name for name in ours if name not in ("Python", "processor")]
    found: Any = client.get_versions(packages=packages)
    wrong = {}
    for worker, theirs in found["workers"].items():
        host = theirs["host"]
        python = ".".join(host["python"].split(".")[:2])
        has = {"Python": python, "processor": host["machine"], **theirs["packages"]}
        wrong[worker] = differences(ours, has)
    return wrong


def _served(
    client: "Client", waiting: deque[Shard], parcel: Parcel, plan: Plan, folder: Path, key: str
) -> Iterator[Step]:
    """Shards of the queue, until it is empty or the scheduler is lost; then the rest is in it."""
    desk = Desk(client, parcel, key)
    under_way: dict[Future[Any], Shard] = {}
    try:
        while waiting or under_way:
            while waiting and len(under_way) < desk.n_wanted():
                under_way[desk.hand_in(waiting[0])] = waiting[0]
                waiting.popleft()
            desk.wait()
            for future in [each for each in under_way if each.status != "pending"]:
                shard = under_way[future]
                files = files_of(future, shard)
                del under_way[future]
                if files is None:
                    waiting.appendleft(shard)
                    continue
                for name, content in files.items():
                    write_whole(folder / name, content)
                write_seal(folder, shard, key)
                n_days = plan.design.schedule.end_day * len(shard.patients)
                yield Step(shard, n_days, is_finished=True)
            if client.status != "running":
                return
    except LostError:
        return
    finally:
        waiting.extendleft(under_way.values())
        for future in under_way:
            future.release()


class LostError(Exception):
    """The scheduler does not answer any more."""


class Desk:
    """Where shards are handed in to a cluster; the parcel that all need is with the workers."""

    def __init__(self, client: "Client", parcel: Parcel, key: str) -> None:
        self._client, self._parcel, self._key = client, parcel, key
        self._driver = identity()
        self._news = threading.Event()
        self._placed: Future[Any] | None = None
        self._n_handed_in = 0

    def n_wanted(self) -> int:
        """How many shards are to be at the cluster at one time."""
        try:
            return SHARDS_PER_THREAD * max(1, sum(self._client.nthreads().values()))
        except Exception as error:  # of many kinds, when the connection breaks
            raise LostError from error

    def hand_in(self, shard: Shard) -> "Future[Any]":
        """Give a shard to the cluster."""
        self._n_handed_in += 1
        name = f"{shard.stem}-{self._key[:12]}-{self._client.id}-{self._n_handed_in}"
        try:
            if self._placed is None or self._placed.status != "finished":
                [self._placed] = self._client.scatter([self._parcel], broadcast=True)
            future = self._client.submit(
                run_task, self._driver, self._placed, shard, key=name, pure=False
            )
        except Exception as error:  # of many kinds, when the connection breaks
            raise LostError from error
        future.add_done_callback(lambda _: self._news.set())
        return future

    def wait(self) -> None:
        """Wait for a shard to be done, or for a moment."""
        self._news.wait(LOOK_S)
        self._news.clear()


def files_of(future: "Future[Any]", shard: Shard) -> dict[str, bytes] | None:
    """What came back, None where it was lost; raises why a shard could not be run."""
    from distributed import KilledWorker

    if future.status != "finished":
        error = future.exception() if future.status == "error" else None
        if isinstance(error, KilledWorker):
            raise InputError(
                f"{shard.stem}: {error.allowed_failures + 1} workers died over it (is there enough "
                "memory?); what is finished is kept"
            )
        if isinstance(error, InputError | OSError):
            raise error
        if error is not None:
            raise InputError(
                f"{shard.stem}: the cluster could not run it ({type(error).__name__}: {error})"
            ) from error
        return None
    files: dict[str, bytes] = future.result()
    return files
