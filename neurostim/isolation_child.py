"""The process that a controller runs in: it takes questions and gives answers, and nothing else.

What it says goes through two pipes that no print reaches. It ends when its parent does. Everything
here contains faults; it is no sandbox for code that means harm, which runs as the same user.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from importlib import import_module
from typing import Any, BinaryIO

import pydantic

from neurostim.asking import ask
from neurostim.controllers import Controller, Fault
from neurostim.isolation_messages import (
    LENGTHS,
    MAX_QUESTION_BYTES,
    MAX_SENTENCE_CHARACTERS,
    Proposed,
    Question,
    Start,
    fault_of,
    n_bytes,
    pack,
    pack_answer,
    unpack_question,
    unpack_start,
)
from protocols import InputError
from protocols.design import faults

PR_SET_PDEATHSIG = 1
"""Linux: `man 2 PR_SET_PDEATHSIG`, the signal that a process gets when its parent ends."""

LOOK_FOR_PARENT_S = 0.2
PROCESS_EVENTS = (
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn",
    "subprocess.Popen",
)  # fmt: skip
"""Of https://docs.python.org/3/library/audit_events.html: those that start another process."""


def main(parent: int) -> None:
    """Serve questions until there are no more, or until the process of this id is gone."""
    end_with(parent)
    questions, answers = take_pipes()
    message = next_message(questions)
    if message is None:
        return
    start = unpack_start(message)
    limit_memory(start)
    sys.addaudithook(refuse_processes)
    try:
        controller, state = prepared(start)
    except InputError as error:
        tell(answers, pack("refused", {}, sentence=spoken(str(error))))
        return
    except Exception as error:
        sentence = f"init failed with {type(error).__name__}: {error}"
        tell(answers, pack("failed", {}, sentence=spoken(sentence)))
        return
    tell(answers, pack("ready", {}))
    while message := next_message(questions):
        question = unpack_question(message)
        state, proposals = answer(controller, state, question)
        tell(answers, pack_answer(question.number, proposals))


def end_with(parent: int) -> None:
    """See to it that this process ends with its parent, stopped or busy as it may be.

    The kernel does it on Linux. A thread looks elsewhere, and takes along whatever the controller
    has started in this group.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_FOR_PARENT_S)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=look, daemon=True).start()


def take_pipes() -> tuple[BinaryIO, int]:
    """Where questions come from and answers go; the standard streams lead nowhere from now on."""
    questions, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)
    return os.fdopen(questions, "rb"), answers


def limit_memory(start: Start) -> None:
    """Cap the memory that this process may hold; more is a `MemoryError`.

    A GPU's driver reserves far more address space than it uses: there, data are counted alone.
    """
    import resource

    n_bytes_held = start.memory_mb * 1_000_000
    counted = resource.RLIMIT_AS if start.context.compute == "cpu" else resource.RLIMIT_DATA
    for limit, value in ((counted, n_bytes_held), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(limit)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(limit, (value, value))


def refuse_processes(event: str, arguments: Any) -> None:
    """An audit hook: a controller starts no process that could outlive it."""
    if event in PROCESS_EVENTS:
        raise PermissionError(f"{event}: a controller starts no process")


def prepared(start: Start) -> tuple[Controller, Any]:
    """The controller with its first state; `InputError` names an option that does not fit."""
    module, _, attribute = start.entry.partition(":")
    try:
        found: Any = import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"controller {start.entry!r}: not found ({error})") from None
    try:
        controller: Controller = found(**start.options)
    except pydantic.ValidationError as error:
        raise InputError(faults(error, f"{start.place}.options.")) from None
    return controller, controller.init(start.context)


def answer(controller: Controller, state: Any, question: Question) -> tuple[Any, list[Proposed]]:
    """The next state, and what is proposed or recommended to each patient."""
    history, allowed = question.history, question.allowed
    if question.kind == "propose":
        state, wishes = ask(controller, state, history, allowed)
        return state, [
            wish.requested
            or fault_of(wish.fault or f"a {type(wish.setting).__name__} was proposed, no setting")
            for wish in wishes
        ]
    try:
        state, chosen = controller.recommend(state, history, allowed)
    except Exception as error:
        fault = fault_of(f"{type(error).__name__}: {error}")
        return state, [fault] * history.n_patients
    if len(chosen) != history.n_patients:
        fault = Fault(sentence=f"{len(chosen)} recommended for {history.n_patients} patients")
        return state, [fault] * history.n_patients
    return state, list(chosen)


def next_message(questions: BinaryIO) -> bytes | None:
    """The next whole message, or None when there will be none."""
    lengths = questions.read(LENGTHS.size)
    if len(lengths) != LENGTHS.size:
        return None
    size = n_bytes(lengths, MAX_QUESTION_BYTES)
    body = questions.read(size)
    return lengths + body if len(body) == size else None


def spoken(text: str) -> str:
    """A sentence as it may be sent."""
    return fault_of(text, MAX_SENTENCE_CHARACTERS).sentence


def tell(answers: int, message: bytes) -> None:
    """Write all of a message."""
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(answers, rest) :]
