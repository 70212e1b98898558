"""A controller that does to its process whatever can be done, one kind of fault for each patient.

Not a test: the process of an isolated controller imports it from here.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurostim.controllers import Context
from neurostim.history import History
from neurostim.isolation_messages import LENGTHS, pack, pack_answer
from protocols import OFF, InputError, Setting

HEALTHY = 0
GOOD = Setting(site=0, amplitude_ua=2000, frequency_hz=145, pulse_width_us=90)


def write_everywhere(content: bytes) -> None:
    """To every open file, the pipe that answers go through among them."""
    for descriptor in range(64):
        try:
            os.write(descriptor, content)
        except OSError:
            continue


def hang() -> None:
    time.sleep(3600)


def spin() -> None:
    while True:
        pass


def match_forever() -> None:
    """Python holds its lock all the while: no other thread of the process can run."""
    re.match(r"(a+)+$", "a" * 64 + "b")


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def drip() -> None:
    write_everywhere(LENGTHS.pack(500, 400))
    while True:
        write_everywhere(b" ")
        time.sleep(0.05)


def fork_behind_the_hook() -> None:
    """Leaves a second process that knows nothing of the first one's end."""
    ctypes.CDLL(None).fork()
    hang()


def eat_memory() -> None:
    eaten = []
    while True:
        eaten.append(bytes(50_000_000))


def raise_deeply() -> None:
    raise ZeroDivisionError("a poisoned diary\x1b[31m\n")


def leave() -> None:
    sys.exit("enough")


def vanish() -> None:
    os._exit(0)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash() -> None:
    ctypes.string_at(0)


def close_everything() -> None:
    os.closerange(0, 64)
    hang()


def flood() -> None:
    while True:
        write_everywhere(bytes(2**20))


def announce_too_much() -> None:
    write_everywhere(LENGTHS.pack(2**40, 8))
    hang()


def nest_deeply() -> None:
    text = b"[" * 50_000
    write_everywhere(LENGTHS.pack(len(text), len(text)) + text)
    hang()


def answer_another_question() -> None:
    write_everywhere(pack_answer(77_777, [GOOD]))
    hang()


def be_ready_again() -> None:
    write_everywhere(pack("ready", {}))
    hang()


def fork() -> None:
    os.fork()


def run_a_program() -> None:
    subprocess.run([sys.executable, "-c", "import time; time.sleep(3600)"], check=True)


FAULTS = {
    hang: "no answer within",
    spin: "no answer within",
    match_forever: "no answer within",
    stop: "no answer within",
    drip: "no answer within",
    fork_behind_the_hook: "no answer within",
    eat_memory: "MemoryError",
    raise_deeply: "ZeroDivisionError: a poisoned diary [31m ",
    leave: "ended without an answer",
    vanish: "ended without an answer",
    kill: "ended without an answer",
    crash: "ended without an answer",
    close_everything: "ended without an answer",
    flood: "garbled",
    announce_too_much: "garbled",
    nest_deeply: "garbled",
    answer_another_question: "garbled",
    be_ready_again: "garbled",
    fork: "PermissionError: os.fork",
    run_a_program: "PermissionError: subprocess.Popen",
}
"""What a patient's number stands for, counted from 1, and what the fault then says."""


@dataclass(frozen=True)
class Faulty:
    """Proposes `GOOD`, but for the patients that stand for a fault."""

    summary: ClassVar[str] = "Breaks on purpose."

    in_init: str = ""

    def init(self, context: Context) -> int:
        if self.in_init == "refuse":
            raise InputError("in_init = refuse: something else was expected")
        if self.in_init:
            {fault.__name__: fault for fault in FAULTS}[self.in_init]()
        return 0

    def propose(
        self, state: int, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[int, Sequence[Any]]:
        for patient in history.patients:
            if patient != HEALTHY:
                list(FAULTS)[patient - 1]()
        return state + 1, [GOOD] * history.n_patients

    def recommend(
        self, state: int, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[int, Sequence[Any]]:
        self.propose(state, history, allowed)
        return state, [None] * history.n_patients


class Odd(Faulty):
    """Proposes, in turn, what is no setting, and prints a lot meanwhile."""

    def propose(
        self, state: int, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[int, Sequence[Any]]:
        print("x" * 200_000, flush=True)
        print("y" * 200_000, flush=True, file=sys.stderr)
        huge = Setting(site=0, amplitude_ua=2**70, frequency_hz=145, pulse_width_us=90)
        return state, [GOOD, None, float("nan"), "2 mA", OFF, huge]


class Curious(Faulty):
    """Tells what it finds of the process that it belongs to."""

    def propose(
        self, state: int, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[int, Sequence[Any]]:
        found = []
        for descriptor in range(64):
            try:
                os.fstat(descriptor)
            except OSError:
                continue
            found.append(descriptor)
        raise RuntimeError(f"{len(found)} open, {sorted(os.environ)}")


class Counting(Faulty):
    """Gives its state away as an amplitude, to show when a process was started anew."""

    def propose(
        self, state: int, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[int, Sequence[Any]]:
        amplitude_ua = 1000 + state
        super().propose(state, history, allowed)
        setting = Setting(site=0, amplitude_ua=amplitude_ua, frequency_hz=145, pulse_width_us=90)
        return state + 1, [setting] * history.n_patients


class Hanging(Faulty):
    """Never answers."""

    def propose(
        self, state: int, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[int, Sequence[Any]]:
        hang()
        return state, []
