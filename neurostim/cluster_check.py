"""Whether a cluster can do our work: who its workers are, and one small shard done by each of them.

The same shard is done here, too, so that it is seen and not assumed that the bytes are the same.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neurostim.cluster import connected, differences_of
from neurostim.cluster_task import identity, parcel_of, run_task
from neurostim.plan import make_plan
from neurostim.shards import shards
from neurostim.storage import digest
from protocols import InputError
from protocols.design import load_design

if TYPE_CHECKING:
    from distributed import Client

TEST_SHARD = {
    "population.n_patients": 2,
    "schedule.baseline_days": 28,
    "schedule.treatment_days": 56,
    "schedule.evaluation_days": 28,
}
TEST_ARM = 4
"""The demonstration's Gaussian process, whose arithmetic would show a difference first."""

PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCheck:
    """What was found of one worker; `wrong` is a sentence, empty where it can do our work."""

    address: str
    host: str
    n_threads: int
    memory_gb: float | None
    round_trip_ms: float | None
    shard_s: float | None
    wrong: str


def check_workers(address: str) -> Iterator[WorkerCheck]:
    """Look at each worker in turn; `InputError` when there is no cluster."""
    with connected(address) as client:
        wrong = differences_of(client)
        expected = None
        for worker, about in client.scheduler_info(n_workers=-1)["workers"].items():
            if wrong.get(worker):
                yield check_of(worker, about, wrong=wrong[worker])
                continue
            if expected is None:
                expected = _shard_here()
            yield _tried(client, worker, about, expected)


def check_of(
    address: str,
    about: dict[str, Any],
    *,
    wrong: str,
    round_trip_ms: float | None = None,
    shard_s: float | None = None,
) -> WorkerCheck:
    """What is known of a worker, given what its scheduler says about it."""
    return WorkerCheck(
        address=address,
        host=str(about.get("host", "")),
        n_threads=int(about["nthreads"]),
        memory_gb=about["memory_limit"] / 1e9 if about.get("memory_limit") else None,
        round_trip_ms=round_trip_ms,
        shard_s=shard_s,
        wrong=wrong,
    )


def _tried(
    client: "Client", worker: str, about: dict[str, Any], expected: dict[str, bytes]
) -> WorkerCheck:
    """A worker after a question and a shard; whatever goes wrong there is what is wrong with it."""
    plan, key, shard = _test_plan()
    try:
        began = time.monotonic()
        client.submit(len, (), workers=[worker], pure=False).result(timeout=PATIENCE_S)
        round_trip_ms = 1e3 * (time.monotonic() - began)
        began = time.monotonic()
        parcel = parcel_of(plan, key)
        found = client.submit(
            run_task, identity(), parcel, shard, workers=[worker], pure=False
        ).result(timeout=PATIENCE_S)
        shard_s = time.monotonic() - began
    except InputError as error:
        return check_of(worker, about, wrong=str(error))
    except Exception as error:  # whatever another machine may answer
        return check_of(worker, about, wrong=f"{type(error).__name__}: {error}")
    differing = [name for name in expected if found.get(name) != expected[name]]
    wrong = f"{differing[0]} has other bytes than here" if differing else ""
    return check_of(worker, about, wrong=wrong, round_trip_ms=round_trip_ms, shard_s=shard_s)


def _test_plan() -> tuple[Any, str, Any]:
    plan = make_plan(load_design("demo", TEST_SHARD), seed=1, compute="cpu", is_isolated=False)
    return plan, digest(plan.identity()), shards(plan)[TEST_ARM]


def _shard_here() -> dict[str, bytes]:
    plan, key, shard = _test_plan()
    return run_task(identity(), parcel_of(plan, key), shard)
