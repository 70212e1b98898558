"""A log that cannot be written is sealed: nothing rises, every stop goes through."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import OFF
from safety import AuditLog, LogSealedError, Past, recover, review, review_unlogged, verify
from safety.rise import is_rise, rise_to
from tests.safety.audit_logs import ENVELOPE, WISH, live, verdict_of
from tests.safety.strategies import DAY, propose, settings_of, small_envelope

Write = Callable[[int, bytes], int]
WRITE = os.write


def failing(number: int) -> Write:
    def write(file: int, line: bytes) -> int:
        raise OSError(number, os.strerror(number))

    return write


def cut(n_bytes: int, number: int) -> Write:
    """Return a write that takes a few bytes once and then fails."""
    calls = iter(range(2))

    def write(file: int, line: bytes) -> int:
        if next(calls, 1):
            raise OSError(number, os.strerror(number))
        return WRITE(file, line[:n_bytes])

    return write


def lying(more: int) -> Write:
    return lambda file, line: WRITE(file, line) + more


WRITES = {
    "no space": failing(errno.ENOSPC),
    "input or output error": failing(errno.EIO),
    "interrupted": failing(errno.EINTR),
    "read-only": failing(errno.EROFS),
    "quota": failing(errno.EDQUOT),
    "nothing written": lambda file, line: 0,
    "less than nothing": lambda file, line: -1,
    "more than given": lying(1),
    "written but said to be short": lying(-1),
    "not written and said to be": lambda file, line: len(line),
    "half written and said to be whole": lambda file, line: WRITE(file, line[:9]) - 9 + len(line),
    "written by another as well": lambda file, line: WRITE(file, line) * 0 + WRITE(file, line),
}
CUTS = [(n, number) for n in (1, 40, 400) for number in (errno.ENOSPC, errno.EIO)]


def fail_at(path: Path, monkeypatch, name: str, fault: object, *, durable: bool) -> bytes:
    """Log one epoch, fail in the next; return the file as it was before, once all is checked."""
    pasts = [Past.start(0)]
    with AuditLog(path, envelope_hash=ENVELOPE.hash, durable=durable) as log:
        live(log, pasts, 0)
        before = path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fault)
            with pytest.raises(LogSealedError) as caught:
                log.intend(verdict_of(pasts[0], 1), at_s=DAY)
        assert caught.value.filename == str(path)
        assert caught.value.strerror
        assert log.is_sealed
        after = path.read_bytes()
        with pytest.raises(LogSealedError, match="sealed"):
            log.controller_fault(0, at_s=DAY, sentence="the file system works again")
        assert path.read_bytes() == after
    assert path.read_bytes() == after  # and no closing record after a half-written line
    assert after.startswith(before)
    return before


@pytest.mark.req("SR-20")
@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("fault", WRITES.values(), ids=WRITES)
def test_a_write_that_fails_in_any_way_seals_the_log(tmp_path, monkeypatch, fault, durable) -> None:
    path = tmp_path / "log"
    before = fail_at(path, monkeypatch, "write", fault, durable=durable)
    assert not verify(path).is_whole
    found = recover(path)
    assert path.read_bytes()[: len(before)] == before
    assert found.end.n_bytes >= len(before)


@pytest.mark.req("SR-20")
@pytest.mark.parametrize(("n_bytes", "number"), CUTS)
def test_a_line_that_is_cut_is_repaired_to_a_prefix(tmp_path, monkeypatch, n_bytes, number) -> None:
    path = tmp_path / "log"
    before = fail_at(path, monkeypatch, "write", cut(n_bytes, number), durable=True)
    found = recover(path)
    assert (found.end.n_bytes, found.n_lost_bytes) == (len(before), n_bytes)
    with AuditLog.resume(found, at_s=DAY, durable=True) as log:
        live(log, [found.pasts[0]], 1)
    assert path.read_bytes().startswith(before)
    assert verify(path).is_whole


@pytest.mark.req("SR-20")
@pytest.mark.parametrize("name", ["fsync", "replace", "open", "fstat"])
def test_a_sync_or_an_anchor_that_fails_seals_the_log(tmp_path, monkeypatch, name: str) -> None:
    def fault(*arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    fail_at(tmp_path / "log", monkeypatch, name, fault, durable=True)


@pytest.mark.req("SR-20")
def test_an_interruption_half_way_seals_the_log(tmp_path, monkeypatch) -> None:
    def interrupted(file: int, line: bytes) -> int:
        WRITE(file, line[:20])
        raise KeyboardInterrupt

    with AuditLog(tmp_path / "log", envelope_hash=ENVELOPE.hash, durable=False) as log:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", interrupted)
            with pytest.raises(KeyboardInterrupt):
                log.controller_fault(0, at_s=0, sentence="hung")
        assert log.is_sealed


@pytest.mark.req("SR-20")
def test_short_writes_are_completed(tmp_path, monkeypatch) -> None:
    for name, size in (("a", 10**9), ("b", 7)):
        with monkeypatch.context() as patch:
            short = size
            log = AuditLog(tmp_path / name, envelope_hash=ENVELOPE.hash, durable=False)
            patch.setattr(os, "write", lambda file, line, size=short: WRITE(file, line[:size]))
            for n in range(3):
                log.controller_fault(n, at_s=0, sentence="hung")
        with log:
            pass
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert verify(tmp_path / "b").is_whole


@pytest.mark.req("SR-20")
def test_a_log_that_cannot_be_opened_says_so(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(LogSealedError, match="No such file"):
        AuditLog(tmp_path / "no" / "log", envelope_hash="e", durable=False)
    monkeypatch.setattr(os, "write", failing(errno.ENOSPC))
    with pytest.raises(LogSealedError, match="No space left"):
        AuditLog(tmp_path / "log", envelope_hash="e", durable=False)


@pytest.mark.req("SR-20")
@pytest.mark.req("SR-11")
@settings(max_examples=300)
@given(data=st.data())
def test_without_a_log_nothing_rises_and_a_stop_and_a_decrease_go_through(data) -> None:
    wishes = [data.draw(settings_of(ENVELOPE)) for _ in range(2)]
    past = Past.start(7)
    past = review(propose(ENVELOPE, past, wishes[0], 0), past, ENVELOPE, 0).past
    now = 8 * DAY
    proposal = propose(ENVELOPE, past, wishes[1], now)
    usual = review(proposal, past, ENVELOPE, now)
    verdict = review_unlogged(proposal, past, ENVELOPE, now)
    assert not is_rise(rise_to(verdict.delivered, past.delivered, ENVELOPE, now))
    if not is_rise(rise_to(usual.delivered, past.delivered, ENVELOPE, now)):
        assert verdict == usual
    else:
        assert verdict.delivered in (past.delivered, OFF)

    stop = review_unlogged(propose(ENVELOPE, past, OFF, now), past, ENVELOPE, now)
    assert stop.delivered == OFF
    if past.delivered.amplitude_ua > ENVELOPE.amplitude_ua[0]:
        less = replace(past.delivered, amplitude_ua=ENVELOPE.amplitude_ua[0])
        lowered = review_unlogged(propose(ENVELOPE, past, less, now), past, ENVELOPE, now)
        assert lowered.delivered == less


@pytest.mark.req("SR-20")
def test_without_a_log_what_is_no_longer_permitted_ends() -> None:
    past = replace(Past.start(7), delivered=replace(WISH, amplitude_ua=8000, site=1))
    narrower = small_envelope(sites=(0, 2))
    wish = replace(WISH, amplitude_ua=1000)
    verdict = review_unlogged(propose(narrower, past, wish, 0), past, narrower, 0)
    assert verdict.delivered == OFF
