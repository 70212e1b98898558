"""Jobs: progress, pause, cancel, and errors as sentences."""

import threading
from collections.abc import Iterator

import pytest

from neurostim.app.jobs import Job, Progress, Worker
from protocols import InputError

PATIENCE_S = 20.0


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.stop()


def test_jobs_run_in_turn_on_one_other_thread(worker: Worker) -> None:
    jobs = [Job(f"job {n}", lambda job: threading.get_ident()) for n in range(3)]
    for job in jobs:
        worker.start(job)
    assert all(job.wait(PATIENCE_S) for job in jobs)
    threads = {job.result for job in jobs}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_progress_is_told_with_what_is_left(worker: Worker) -> None:
    seen: list[Progress] = []

    def work(job: Job[str]) -> str:
        for n in range(1, 5):
            job.tell(n / 4, f"part {n}")
            seen.append(job.progress)
        return "done"

    job = Job("four parts", work)
    assert job.progress == Progress(share=0.0, remaining_s=None, sentence="four parts")
    assert worker.start(job).wait(PATIENCE_S)
    assert (job.state, job.result, job.error) == ("done", "done", "")
    assert [each.share for each in seen] == [0.25, 0.5, 0.75, 1.0]
    assert [each.sentence for each in seen] == ["part 1", "part 2", "part 3", "part 4"]
    assert seen[-1].remaining_s == 0
    assert seen[0].remaining_s is not None
    assert seen[0].remaining_s >= 0


def test_a_paused_job_waits_and_goes_on(worker: Worker) -> None:
    reached = threading.Event()
    job: Job[int] = Job("count", lambda job: (job.tell(0.5), reached.set(), 1)[2])
    job.pause()
    worker.start(job)
    assert not reached.wait(0.3)
    assert job.is_running
    assert job.is_paused
    job.go_on()
    assert job.wait(PATIENCE_S)
    assert job.result == 1


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_cancelled_job_ends_where_it_next_tells(worker: Worker, is_paused: bool) -> None:
    begun = threading.Event()

    def work(job: Job[None]) -> None:
        while True:
            begun.set()
            job.tell(0.0)

    job = Job("for ever", work)
    worker.start(job)
    assert begun.wait(PATIENCE_S)
    if is_paused:
        job.pause()
    job.cancel()
    assert job.wait(PATIENCE_S)
    assert (job.state, job.result, job.error) == ("cancelled", None, "")


def test_a_mistake_is_its_sentence_and_a_defect_says_so(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    def mistaken(job: Job[None]) -> None:
        raise InputError("day = -1: 0 or more was expected")

    def broken(job: Job[None]) -> None:
        raise ZeroDivisionError("division by zero")

    first, second = worker.start(Job("one", mistaken)), worker.start(Job("two", broken))
    assert second.wait(PATIENCE_S)
    assert (first.state, first.error) == ("failed", "day = -1: 0 or more was expected")
    assert second.state == "failed"
    assert "ZeroDivisionError: division by zero" in second.error
    assert "Traceback" not in second.error
    assert "two failed" in caplog.text
