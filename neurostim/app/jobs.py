"""Work off the calling thread, with progress, remaining time, pause and cancel; without a screen.

Whoever waits asks a job how far it has come, as often as there is somebody to show it to.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Generic, Literal, TypeVar

from protocols import InputError

Result = TypeVar("Result")

WAIT_S = 0.05
DEFECT = "this is a defect of the program and was written to its log: {name}: {error}"


class CancelledError(Exception):
    """The work was cancelled; raised inside it, where it next tells of its progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job has come: a share from 0 to 1, and the seconds that are likely left.

    `remaining_s` is None before there is anything to go by.
    """

    share: float
    remaining_s: float | None
    sentence: str


class Job(Generic[Result]):
    """One piece of work, run by a `Worker`.

    `work` is given the job, and calls `tell` often: there it waits while paused, and there
    `CancelledError` ends it. `error` is a sentence, empty unless the job failed.
    """

    def __init__(
        self,
        title: str,
        work: "Callable[[Job[Result]], Result]",
    ) -> None:
        self.title = title
        self.error = ""
        self.state: Literal["running", "done", "failed", "cancelled"] = "running"
        self.result: Result | None = None
        self._work = work
        self._progress = Progress(share=0.0, remaining_s=None, sentence=title)
        self._lock = Lock()
        self._is_cancelled, self._may_go_on = Event(), Event()
        self._may_go_on.set()
        self._working_s, self._since = 0.0, time.monotonic()
        self._has_ended = Event()

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        with self._lock:
            return self._progress

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state == "running"

    @property
    def is_paused(self) -> bool:
        """Whether it waits to be told to go on."""
        return not self._may_go_on.is_set()

    def pause(self) -> None:
        """Have it wait at its next telling."""
        self._may_go_on.clear()

    def go_on(self) -> None:
        """Let it go on after a pause."""
        self._may_go_on.set()

    def cancel(self) -> None:
        """Have it end at its next telling; what it did is forgotten."""
        self._is_cancelled.set()
        self._may_go_on.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for its end; whether it has ended."""
        return self._has_ended.wait(timeout_s)

    def tell(self, share: float, sentence: str = "") -> None:
        """Say how far the work has come, 0 to 1; raises `CancelledError` when it was cancelled."""
        self._working_s += time.monotonic() - self._since
        while not self._may_go_on.wait(WAIT_S):
            pass
        self._since = time.monotonic()
        if self._is_cancelled.is_set():
            raise CancelledError
        left = self._working_s * (1 - share) / share if share > 0 else None
        with self._lock:
            self._progress = Progress(
                share=share, remaining_s=left, sentence=sentence or self._progress.sentence
            )

    def run(self) -> None:
        """Do the work, on the thread that calls; never raises."""
        self._since = time.monotonic()
        state: Literal["done", "failed", "cancelled"] = "done"
        try:
            self.result = self._work(self)
        except CancelledError:
            state = "cancelled"
        except InputError as error:
            state, self.error = "failed", str(error)
        except Exception as error:
            logging.getLogger("neurostim").exception("%s failed", self.title)
            state, self.error = "failed", DEFECT.format(name=type(error).__name__, error=error)
        self.state = state
        self._has_ended.set()


class Worker:
    """One thread that runs jobs in turn, for as long as it is not stopped.

    It is the same thread from the first job to the last, since Linux ends a controller's process
    with the thread that started it (`man 2 PR_SET_PDEATHSIG`).
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="jobs", daemon=True)
        self._thread.start()

    def start(self, job: Job[Result]) -> Job[Result]:
        """Have a job run as soon as those before it have ended; returns it."""
        self._jobs.put(job)
        return job

    def stop(self) -> None:
        """End the thread once its jobs have ended, and wait for it."""
        self._jobs.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
