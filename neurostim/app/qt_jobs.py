"""The session's jobs, watched from the interface thread: one at a time, the next one waits."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer

from neurostim.app.jobs import Job
from protocols import InputError

WATCH_MS = 40

Made = Callable[[], Job[Any]]
Answer = Callable[[Job[Any]], None]


class Watch(QObject):
    """Asks a running job how far it is, and answers its end; nothing crosses threads by signal.

    `progressed` is called with the job while it runs, `ended` with it when it has, `refused` with
    a sentence when what waited could not be started. Work that is
    only for show (`is_background`) gives way to what a person asks for.
    """

    def __init__(
        self,
        parent: QObject,
        progressed: Answer,
        ended: Answer,
        refused: Callable[[str], None],
    ) -> None:
        super().__init__(parent)
        self.job: Job[Any] | None = None
        self.is_background = False
        self._answer: Answer | None = None
        self._next: tuple[Made, Answer, bool] | None = None
        self._progressed, self._ended, self._refused = progressed, ended, refused
        self._timer = QTimer(self)
        self._timer.setInterval(WATCH_MS)
        self._timer.timeout.connect(self.look)

    @property
    def is_busy(self) -> bool:
        """Whether something runs that a person asked for."""
        return self.job is not None and not self.is_background

    def start(self, make: Made, answer: Answer, *, is_background: bool = False) -> None:
        """Start a job, now or when the one that runs has ended; the last one to wait counts.

        Raises `InputError` as `make` does, where it is called now.
        """
        if self.job is None:
            self.is_background = is_background
            self.job, self._answer = make(), answer
            self._timer.start()
            self._progressed(self.job)
            return
        self._next = (make, answer, is_background)
        if self.is_background:
            self.job.cancel()

    def look(self) -> None:
        """Tell of the progress, or of the end and then start what waits."""
        job, answer = self.job, self._answer
        if job is None:
            self._timer.stop()
            return
        if job.is_running:
            self._progressed(job)
            return
        self.job = self._answer = None
        self._timer.stop()
        waiting, self._next = self._next, None
        if answer is not None and waiting is None:
            answer(job)
        self._ended(job)
        if waiting is not None:
            make, answer, is_background = waiting
            try:
                self.start(make, answer, is_background=is_background)
            except InputError as error:
                self._refused(str(error))

    def stop(self) -> None:
        """Have what runs end, and watch no longer."""
        self._timer.stop()
        self._next = None
        if self.job is not None:
            self.job.cancel()
