"""A controller's process as we see it: started, asked within a deadline, ended and waited for."""

import json
import os
import signal
import subprocess
import sys
import time
import weakref
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Self

from neurostim.isolation_messages import LENGTHS, GarbledError, n_bytes

KEPT_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "DYLD_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PATH",
    "TMPDIR",
    "TZ",
)
"""All that a controller's process gets to know of our environment."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""As in a shard of a trial, so that sums are added in the same order."""

BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from neurostim.isolation_child import main; main(int(sys.argv[1]))"
)
CHUNK = 2**20
END_S = 0.5
"""How long we wait for the kernel to take a killed process away."""


class SilentError(Exception):
    """A controller's process gave no answer that can be used; the sentence says why."""


class Process:
    """One process, with a pipe to it and a pipe from it.

    It leads a session of its own: a Ctrl-C at our terminal is not meant for it, and what it starts
    ends with it. It inherits neither open files nor our environment.
    """

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self.pid = child.pid
        self._to, self._from = child.stdin.fileno(), child.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        # Also when we are forgotten, or our own process comes to its end.
        self._end = weakref.finalize(self, _end, child, os.getpid())

    @classmethod
    def started(cls) -> Self:
        """A new process that waits to be told what to run; `OSError` when there can be none."""
        path = json.dumps([os.path.abspath(entry) for entry in sys.path])
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        return cls(
            subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", BOOT, str(os.getpid()), path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd=os.sep,
                env=kept | ONE_THREAD,
                start_new_session=True,
            )
        )

    @property
    def is_waiting(self) -> bool:
        """Whether the process is there and has said nothing that it was not asked."""
        if not self._end.alive:
            return False
        with DefaultSelector() as selector:
            selector.register(self._from, EVENT_READ)
            return not selector.select(0)

    def exchange(self, message: bytes, deadline_s: float, most: int) -> bytes:
        """Send a message, and return the one that comes back, of at most so many bytes.

        Raises `SilentError` when none does within the deadline or what comes is no message; the
        process is ended then, as on any other exception.
        """
        until = time.monotonic() + deadline_s
        try:
            self._send(message, until)
            return self._receive(until, most)
        except (GarbledError, EOFError, OSError) as error:
            self.end()
            raise SilentError(_why(error, deadline_s)) from None
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Kill the process, with all of its group, and wait for it."""
        self._end()

    def _send(self, message: bytes, until: float) -> None:
        rest = memoryview(message)
        with DefaultSelector() as selector:
            selector.register(self._to, EVENT_WRITE)
            while rest:
                _wait(selector, until)
                try:
                    rest = rest[os.write(self._to, rest[:CHUNK]) :]
                except BlockingIOError:
                    continue

    def _receive(self, until: float, most: int) -> bytes:
        received = bytearray()
        size = None
        with DefaultSelector() as selector:
            selector.register(self._from, EVENT_READ)
            while size is None or len(received) < size:
                _wait(selector, until)
                chunk = os.read(self._from, CHUNK)
                if not chunk:
                    raise EOFError
                received += chunk
                if size is None and len(received) >= LENGTHS.size:
                    size = LENGTHS.size + n_bytes(bytes(received[: LENGTHS.size]), most)
        if len(received) > size:
            raise GarbledError("something follows it")
        return bytes(received)


def _why(error: Exception, deadline_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {deadline_s:g} s; its process was ended"
    if isinstance(error, GarbledError):
        return f"the answer is garbled: {error}; its process was ended"
    return "its process ended without an answer"


def _wait(selector: DefaultSelector, until: float) -> None:
    left = until - time.monotonic()
    if left <= 0 or not selector.select(left):
        raise TimeoutError


def _end(child: "subprocess.Popen[bytes]", owner: int) -> None:
    if os.getpid() != owner:  # in a fork of the process that the child belongs to
        return
    # Before the process is waited for, so that its number cannot be another's by now.
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # gone; macOS refuses when it waits to be reaped
        child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe:
            pipe.close()
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:  # held in the kernel: it dies, and is waited for, later
        return
