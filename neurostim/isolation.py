"""A controller in a process of its own, so that whatever it does, its patients are held in time.

What a person is treated by is asked in this way, and so is every design for a single patient:

    controller, state = prepare(isolate(arm), context)
    state, wishes = ask(controller, state, history, allowed)  # of neurostim.asking, as ever
    state.close()

A controller that raises, hangs, eats memory, dies, is stopped, floods its pipe or answers garbage
leads to a fault for each patient that was asked about, at the latest a second after the deadline.
Its process is then killed and waited for; the next question starts another one, which learns from
the history what the lost one knew. So only controllers that answer from the history, whose state is
no more than a shortcut, may be run here; all those that are shipped do.

Linux ends such a process with the thread that started it, too: whoever asks from threads should
keep one thread for it, or the process is started anew at every question.

This contains faults. It is no sandbox: the process runs as the same user, and can read and write
what that user can. What it forks behind Python's back ends with it, but outlives us when we are
killed.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurostim.controllers import CONTROLLERS, Context, controller_entry
from neurostim.history import History
from neurostim.isolation_messages import (
    MAX_ANSWER_BYTES,
    GarbledError,
    Proposed,
    Question,
    Start,
    check_ready,
    fault_of,
    max_answer_bytes,
    pack_question,
    pack_start,
    unpack_answer,
)
from neurostim.isolation_process import Process, SilentError
from protocols import InputError
from protocols.design import Arm

DEADLINE_S = 30.0
START_S = 120.0
"""Loading PyTorch takes seconds, and longer on a busy machine."""

MEMORY_MB = 6_000
MAX_RESTARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolated:
    """Asks a controller that runs in a process of its own.

    `name` is that of a shipped controller, or where one is, as "package.module:Class". A question
    may take `deadline_s`, and starting the process `start_s` more. It may hold `memory_mb` (in
    millions of bytes; on macOS the system does not enforce it). After `max_restarts` restarts that
    faults made necessary no other one is made, and every question's answer is a fault. `place` is
    how sentences about wrong options begin.

    Raises `InputError` for an unknown name, options that JSON cannot hold, or a limit that is none.
    """

    summary: ClassVar[str] = "A controller in a process of its own."

    name: str
    options: Mapping[str, Any]
    deadline_s: float
    memory_mb: int
    start_s: float = START_S
    max_restarts: int = MAX_RESTARTS
    place: str = "controller"

    def __post_init__(self) -> None:
        for limit in ("deadline_s", "start_s"):
            value = getattr(self, limit)
            if type(value) not in (int, float) or not 0 < value < math.inf:
                raise InputError(f"{limit} = {value!r}: a number above 0 was expected")
        for limit, least in (("memory_mb", 1), ("max_restarts", 0)):
            value = getattr(self, limit)
            if type(value) is not int or value < least:
                raise InputError(f"{limit} = {value!r}: a whole number from {least} was expected")
        try:
            json.dumps(dict(self.options))
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(
                f"{self.place}.options: what JSON can hold was expected ({error})"
            ) from None
        _ = self.entry

    @property
    def entry(self) -> str:
        """Where the controller is, as "package.module:Class"."""
        if self.name not in CONTROLLERS and ":" in self.name:
            return self.name
        entry = controller_entry(self.name)
        return entry if isinstance(entry, str) else f"{entry.__module__}:{entry.__qualname__}"

    def init(self, context: Context) -> "Companion":
        """A started process; `InputError` when the options do not fit.

        Any other failure is a fault of the first question, which tries again.
        """
        companion = Companion(self, context)
        companion.start()
        return companion

    def propose(
        self, state: "Companion", history: History, allowed: NDArray[np.bool_]
    ) -> tuple["Companion", Sequence[Proposed]]:
        """What the controller proposes; faults when its process fails. Never raises for that."""
        return state, state.ask("propose", history, allowed)

    def recommend(
        self, state: "Companion", history: History, allowed: NDArray[np.bool_]
    ) -> tuple["Companion", Sequence[Proposed]]:
        """What the controller recommends; faults when its process fails. Never raises for that."""
        return state, state.ask("recommend", history, allowed)


class Companion:
    """The process of an isolated controller through its restarts; one question at a time.

    It ends when it is closed, when nobody refers to it any more, and with our own process.
    """

    def __init__(self, isolated: Isolated, context: Context) -> None:
        self._isolated = isolated
        self._start = Start(
            entry=isolated.entry,
            options=isolated.options,
            place=isolated.place,
            memory_mb=isolated.memory_mb,
            context=context,
        )
        self._process: Process | None = None
        self._n_faults = 0
        self._n_asked = 0

    @property
    def pid(self) -> int | None:
        """The number of the process, or None when there is none at present."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process; `InputError` when the options do not fit."""
        try:
            self._ready()
        except SilentError:
            self._failed()

    def ask(self, kind: str, history: History, allowed: NDArray[np.bool_]) -> list[Proposed]:
        """One proposal for each patient, or for each the same fault."""
        self._n_asked += 1
        question = Question(kind=kind, number=self._n_asked, history=history, allowed=allowed)
        n_patients = history.n_patients
        try:
            answer = self._ready().exchange(
                pack_question(question), self._isolated.deadline_s, max_answer_bytes(n_patients)
            )
            return unpack_answer(answer, self._n_asked, n_patients)
        except GarbledError as error:
            fault = fault_of(f"the answer is garbled: {error}; its process was ended")
        except (SilentError, InputError) as error:
            fault = fault_of(str(error))
        self._failed()
        return [fault] * n_patients

    def close(self) -> None:
        """End the process and wait for it; another question would start it again."""
        if self._process:
            self._process.end()
            self._process = None

    def _failed(self) -> None:
        self.close()
        self._n_faults += 1

    def _ready(self) -> Process:
        """The process, started anew when there is none that waits for a question."""
        if self._process and self._process.is_waiting:
            return self._process
        self.close()
        if self._n_faults > self._isolated.max_restarts:
            raise SilentError(f"it was restarted {self._isolated.max_restarts} times, no more")
        try:
            self._process = Process.started()
            check_ready(
                self._process.exchange(
                    pack_start(self._start), self._isolated.start_s, MAX_ANSWER_BYTES
                )
            )
        except GarbledError as error:
            raise SilentError(f"it did not start: the answer is garbled: {error}") from None
        except (SilentError, OSError, RuntimeError) as error:
            raise SilentError(f"it did not start: {error}") from None
        return self._process


def isolate(arm: Arm) -> Isolated:
    """An arm's controller in a process of its own, with the limits that a person's visit needs."""
    return Isolated(
        name=arm.controller,
        options=arm.options,
        deadline_s=DEADLINE_S,
        memory_mb=MEMORY_MB,
        place=f"arms.{arm.name}",
    )
