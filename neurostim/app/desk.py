"""Where a session's work lies: the patient it holds, the one job that runs, and its folder."""

from collections.abc import Callable
from pathlib import Path
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from neurostim.app.folders import SessionFolder, remember
from neurostim.app.jobs import Job, Worker
from protocols import InputError

if TYPE_CHECKING:
    from neurostim.app.keeping import Keeper

NO_PATIENT = "there is no patient yet: open the sample, a file or a diary first"
NO_FUTURE = (
    "an imported diary tells what happened, and no simulated patient stands behind it: ask for its "
    "futures instead"
)

Result = TypeVar("Result")


class Desk:
    """Holds a patient, and has one job at a time work on it; saves by itself in between."""

    def __init__(self, home: Path, autosave_s: float) -> None:
        self.kept: Keeper | None = None
        self._home, self._autosave_s = home, autosave_s
        self._lock = RLock()
        self._folder: SessionFolder | None = None
        self._worker: Worker | None = None
        self._job: Job[Any] | None = None
        self._is_changing = False
        self._is_closed = Event()

    @property
    def folder(self) -> SessionFolder:
        """The session's folder, made when it is first needed."""
        with self._lock:
            if self._folder is None:
                self._folder = SessionFolder(self._home)
                Thread(target=self._keep_saving, name="autosave", daemon=True).start()
            return self._folder

    @property
    def job(self) -> Job[Any] | None:
        """The job that runs, None when none does."""
        return self._job if self._job is not None and self._job.is_running else None

    def keeper(self, is_living: bool = False) -> "Keeper":
        """The patient there is; where `is_living`, one that can live on."""
        if self.kept is None:
            raise InputError(NO_PATIENT)
        if is_living and self.kept.now.subject.counts:
            raise InputError(NO_FUTURE)
        return self.kept

    def editable(self, is_living: bool = False) -> "Keeper":
        """The same, where nothing runs that changes it."""
        job = self.job
        if job is not None and self._is_changing:
            raise InputError(f"{job.title}: wait for it, or cancel it")
        return self.keeper(is_living)

    def take(self, kept: "Keeper") -> None:
        """Make this the session's patient.

        What was changed of the one before, and is in no file, is put aside among the recent files.
        """
        before, self.kept = self.kept, kept
        if before is not None:
            if before.is_changed:
                remember(self._home, before.put_aside())
            before.engine.close()

    def start(
        self, title: str, work: Callable[[Job[Result]], Result], changes: bool = True
    ) -> Job[Result]:
        """Have this done; `InputError` while anything else is. `changes` is of the patient."""
        with self._lock:
            if (running := self.job) is not None:
                raise InputError(f"{running.title}: wait for it, or cancel it")
            job = Job(title, work)
            self._job, self._is_changing = job, changes
            self._worker = self._worker or Worker()
            return self._worker.start(job)

    def close(self) -> None:
        """End what runs, save what is not saved, and leave the folder."""
        if self._job is not None:
            self._job.cancel()
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        self._is_closed.set()
        if self.kept is not None:
            self.kept.autosave()
            self.kept.engine.close()
            self.kept = None
        if self._folder is not None:
            self._folder.leave()
            self._folder = None

    def _keep_saving(self) -> None:
        while not self._is_closed.wait(self._autosave_s):
            kept = self.kept
            if kept is None:
                continue
            try:
                kept.autosave()
            except InputError as error:
                kept.notices = (f"Not saved: {error}",)
