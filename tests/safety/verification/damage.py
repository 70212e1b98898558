"""Files as an enemy or a bad disk leaves them: real ones with bytes, values and lines changed."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import strategies as st

NUMBER = re.compile(rb"-?[0-9][0-9_]*(\.[0-9]+)?")
VALUES = [
    b"nan", b"inf", b"-inf", b"-1", b"0", b"-0.0", b"1e400", b"9" * 400, b"9223372036854775808",
    b"true", b"null", b"None", b"[]", b"{}", b'""', b'"1000"', b"[[[[[[1]]]]]]", b"1.5", b"0x10",
    b"NaN", b"1979-05-27T07:32:00Z", b'"\\u0000"', b"'''", b'"""', b"\xff\xfe", b"\x00", b"=1+1",
    b'"__import__(\'os\').system(\'true\')"', b"!!python/object/apply:os.system", b"\xed\xa0\x80",
    b"2026-02-30", b"99999-01-01", b"0001-01-01T00:00:00+23:59", b"[" * 3000, b"\xef\xbb\xbf",
]  # fmt: skip
FORBIDDEN = (
    "socket.__new__",
    "socket.bind",
    "socket.connect",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "pickle.find_class",
)
WATCHING: list[bool] = []


class ForbiddenError(BaseException):
    """A file ran code or opened a socket; no `except Exception` may hide it."""


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Raise when something forbidden happens while a parser is watched."""
    if WATCHING and event in FORBIDDEN:
        raise ForbiddenError(f"{event} {arguments}")


sys.addaudithook(refuse)


@contextmanager
def watched() -> Iterator[None]:
    """Let nothing inside run a program, load a pickle or open a socket."""
    WATCHING.append(True)
    try:
        yield
    finally:
        WATCHING.pop()


@st.composite
def damaged(draw: st.DrawFn, files: list[bytes]) -> bytes:
    """Draw one of these files with one to six changes, or any bytes at all."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=300))
    content = draw(st.sampled_from(files))
    for _ in range(draw(st.integers(1, 6))):
        content = draw(st.sampled_from(CHANGES))(draw, content)
    return content


def place(draw: st.DrawFn, content: bytes) -> int:
    """Draw a position, mostly near the beginning of a long file, where its header is."""
    longest = len(content) if draw(st.booleans()) else min(len(content), 2000)
    return draw(st.integers(0, longest))


def flip(draw: st.DrawFn, content: bytes) -> bytes:
    at = place(draw, content)
    return content[:at] + draw(st.binary(min_size=1, max_size=2)) + content[at + 1 :]


def cut(draw: st.DrawFn, content: bytes) -> bytes:
    at = place(draw, content)
    return content[:at] + content[at + draw(st.integers(0, 80)) :]


def end(draw: st.DrawFn, content: bytes) -> bytes:
    return content[: place(draw, content)]


def insert(draw: st.DrawFn, content: bytes) -> bytes:
    at = place(draw, content)
    return content[:at] + draw(st.sampled_from(VALUES)) + content[at:]


def another_value(draw: st.DrawFn, content: bytes) -> bytes:
    """Put something else where a number stands."""
    numbers = [*NUMBER.finditer(content[:20_000])]
    if not numbers:
        return content
    number = draw(st.sampled_from(numbers))
    value = draw(st.sampled_from(VALUES) | st.integers(-9, 10**6).map(lambda n: b"%d" % n))
    return content[: number.start()] + value + content[number.end() :]


def another_line(draw: st.DrawFn, content: bytes) -> bytes:
    """Drop a line, say it twice, put it elsewhere, or put something else behind its `=`."""
    lines = content[:20_000].split(b"\n")
    at = draw(st.integers(0, len(lines) - 1))
    kind = draw(st.integers(0, 3))
    line = lines.pop(at)
    if kind == 1:
        lines[at:at] = [line, line]
    elif kind == 2:
        lines.insert(draw(st.integers(0, len(lines))), line)
    elif kind == 3:
        key, sign, _ = line.partition(b"=" if b"=" in line else b":")
        lines.insert(at, key + sign + draw(st.sampled_from(VALUES)))
    return b"\n".join(lines) + content[20_000:]


CHANGES = (flip, cut, end, insert, another_value, another_value, another_line, another_line)
