"""Several processes of this machine that take shards; one that dies is replaced."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from neurostim.isolation_process import ONE_THREAD
from neurostim.plan import Plan
from neurostim.shards import Shard, Step
from protocols import InputError

BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    "from neurostim.worker_process import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
MOST_DEATHS = 3
"""How many workers may die over one shard before the trial says so and ends."""


class Worker:
    """One process with a connection to it, and the shard that it is at."""

    def __init__(self, plan: Plan, folder: Path, key: str, lock: int, gpu: int | None) -> None:
        """Start it; it holds the folder's lock too, so that the lock outlives us if it does."""
        ours, theirs = socket.socketpair()
        path = json.dumps([os.path.abspath(entry) for entry in sys.path])
        with theirs:
            self.gpu = gpu
            self._process = subprocess.Popen(
                [sys.executable, "-c", BOOT, str(os.getpid()), str(theirs.fileno()), path],
                stdin=subprocess.DEVNULL,
                env=os.environ | ONE_THREAD | gpu_environment(gpu),
                pass_fds=(theirs.fileno(), lock),
                start_new_session=True,  # a Ctrl-C at our terminal is for us
            )
        self.connection = Connection(ours.detach())
        self.shard: Shard | None = None
        self._tell_nothing_if_dead((plan, folder.absolute(), key))

    def begin(self, shard: Shard) -> None:
        """Give it a shard."""
        self.shard = shard
        self._tell_nothing_if_dead(shard)

    def _tell_nothing_if_dead(self, message: object) -> None:
        """Send; a worker that is gone is noticed when it is listened to."""
        try:
            self.connection.send(message)
        except OSError:
            return

    def end(self) -> str:
        """Kill it with whatever it has started, wait for it, and say how it had ended."""
        code = self._process.poll()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()
        code = self._process.wait() if code is None else code
        self.connection.close()
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def run_in_workers(
    plan: Plan,
    todo: Sequence[Shard],
    folder: Path,
    key: str,
    n_workers: int,
    lock: int,
    tell: Callable[[str], None],
) -> Iterator[Step]:
    """Run these shards in so many processes; yields how far each has come.

    Raises `InputError` when a shard cannot be run, or when too many workers died over it.
    """
    waiting = deque(todo)
    deaths: Counter[Shard] = Counter()
    gpus = gpus_for(plan.compute, n_workers)
    workers: list[Worker] = []
    try:
        for gpu in gpus[: len(todo)]:
            workers.append(Worker(plan, folder, key, lock, gpu))
        while waiting or any(worker.shard for worker in workers):
            for worker in workers:
                if worker.shard is None and waiting:
                    worker.begin(waiting.popleft())
            busy = {each.connection: each for each in workers if each.shard}
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]  # these are the connections
                shard = worker.shard
                assert shard is not None
                step = answer(worker)
                if step is None:
                    how = worker.end()
                    deaths[shard] += 1
                    if deaths[shard] >= MOST_DEATHS:
                        raise InputError(
                            f"{shard.stem}: {MOST_DEATHS} workers died over it, the last one {how} "
                            "(is there enough memory?); what is finished is kept"
                        )
                    tell(f"A worker was {how}; another one does {shard.stem} again")
                    waiting.appendleft(shard)
                    workers[workers.index(worker)] = Worker(plan, folder, key, lock, worker.gpu)
                    step = Step(shard, 0)
                elif step.is_finished:
                    worker.shard = None
                yield step
    finally:
        for worker in workers:
            worker.end()


def answer(worker: Worker) -> Step | None:
    """What a worker says next, None when it is dead; raises what it could not do."""
    try:
        message = worker.connection.recv()
    except (EOFError, OSError):
        return None
    if isinstance(message, Exception):
        raise message
    step: Step = message
    return step


def gpus_for(compute: str, n_workers: int) -> list[int | None]:
    """Which GPU each worker has to itself; `InputError` when there are more workers than GPUs."""
    if compute != "cuda":
        return [None] * n_workers
    n_gpus = len(visible_gpus())
    if n_workers > n_gpus:
        raise InputError(
            f"workers = {n_workers} with compute = 'cuda': at most one for each of the {n_gpus} "
            "GPUs of this machine was expected"
        )
    return list(range(n_workers))


def gpu_environment(gpu: int | None) -> dict[str, str]:
    """The environment of a process that has one of our GPUs to itself, or needs none."""
    return {} if gpu is None else {"CUDA_VISIBLE_DEVICES": visible_gpus()[gpu]}


def visible_gpus() -> list[str]:
    """The names by which CUDA's environment calls the GPUs that this process may use."""
    if named := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return named.split(",")
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]
