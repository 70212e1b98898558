"""The file of a log and its anchor by themselves: when the anchor moves, and what is let go of."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from protocols import OFF, InputError, Setting
from safety import AuditLog, Past, Ruling, group_of, recover, verify
from safety.audit_cohort import accepted, groups_of
from safety.audit_file import (
    BEGINNING,
    MOST_UNANCHORED,
    Anchor,
    LogFile,
    LogSealedError,
    anchor_path,
    content_of,
    encode,
    read_anchor,
)
from safety.audit_reading import Reader, shown
from safety.audit_records import decisions_of, intents_of, line_of, read_record
from safety.columns import Pasts
from tests.safety.audit_logs import ENVELOPE, verdict_of, write
from tests.safety.strategies import propose
from tests.safety.twin import same_by_columns

LINE = b'{"kind":"fault"}\n'


def opened(folder: Path, *, durable: bool = False, start: Anchor | None = None) -> LogFile:
    return LogFile(folder / "log", folder / "anchor", durable=durable, start=start)


def anchored(folder: Path) -> int:
    anchor = read_anchor(folder / "anchor")
    return anchor.n_records if anchor else 0


@pytest.mark.req("SR-19")
def test_the_anchor_follows_the_first_line_then_each_256_and_the_last(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for n_lines in range(1, 2 * MOST_UNANCHORED + 3):
        log.append(LINE)
        steps = (n_lines - 1) // MOST_UNANCHORED
        assert anchored(tmp_path) == 1 + steps * MOST_UNANCHORED
    log.append(LINE, is_last=True)
    assert anchored(tmp_path) == log.n_records == 2 * MOST_UNANCHORED + 3
    log.close()


@pytest.mark.req("SR-19")
def test_a_log_that_goes_on_counts_from_where_it_ended(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for _ in range(3):
        log.append(LINE, is_last=True)
    log.close()
    start = read_anchor(tmp_path / "anchor")
    assert start == Anchor(n_records=3, n_bytes=3 * len(LINE), head=sha256(LINE).hexdigest())
    log = opened(tmp_path, start=start)
    assert (log.n_records, log.head) == (3, start.head)
    for n_lines in range(1, MOST_UNANCHORED + 1):
        log.append(LINE)
        assert anchored(tmp_path) == (3 if n_lines < MOST_UNANCHORED else 3 + MOST_UNANCHORED)
    log.close()


@pytest.mark.req("SR-19")
def test_a_durable_log_is_anchored_with_every_line_and_through_to_the_disk(
    tmp_path: Path, monkeypatch
) -> None:
    flags, original = [], os.open

    def watched(path: object, flag: int, mode: int = 0o777) -> int:
        flags.append(flag)
        return original(path, flag, mode)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", watched)
    for folder, durable in ((tmp_path / "a", True), (tmp_path / "b", False)):
        folder.mkdir()
        log = opened(folder, durable=durable)
        del flags[:]
        log.append(LINE)
        log.append(LINE)
        log.close()
        assert anchored(folder) == (2 if durable else 1)
        synchronous = [bool(flag & os.O_DSYNC) for flag in flags if flag & os.O_WRONLY]
        assert synchronous == ([True, True] if durable else [False])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="files are counted by /proc")
@pytest.mark.req("SR-20")
def test_every_file_is_let_go_of(tmp_path: Path, monkeypatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    write(tmp_path / "whole", durable=True)
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(FileExistsError):
        AuditLog(tmp_path / "whole", envelope_hash="0" * 64, durable=False, anchor=tmp_path / "x")
    monkeypatch.setattr(os, "write", lambda file, line: 0)
    with pytest.raises(LogSealedError, match=r"a write of .* bytes returned 0"):
        AuditLog(tmp_path / "full", envelope_hash="0" * 64, durable=False)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.req("SR-19")
def test_a_file_that_is_there_is_never_begun_again(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(LINE)
    with pytest.raises(FileExistsError):
        opened(tmp_path)
    with pytest.raises(LogSealedError):
        LogFile(tmp_path, tmp_path / "anchor", durable=False, start=Anchor(
            n_records=1, n_bytes=1, head=BEGINNING))  # fmt: skip
    assert (tmp_path / "log").read_bytes() == LINE


def test_what_is_written_is_canonical_and_no_nan() -> None:
    assert encode({"b": [1, "µ"], "a": None}) == '{"a":null,"b":[1,"\\u00b5"]}'
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            encode({"a": number})


@pytest.mark.req("SR-28")
@pytest.mark.parametrize(
    ("n_records", "n_bytes"), [(True, 9), (1, True), (1.0, 9), (1, 9.0), ("1", 9), (1, None)]
)
def test_an_anchor_of_other_than_whole_numbers_is_damaged(
    tmp_path: Path, n_records, n_bytes
) -> None:
    assert content_of(Anchor(n_records=1, n_bytes=9, head="a")) == (
        b'{"head":"a","n_bytes":9,"n_records":1}\n'
    )
    assert content_of(Anchor(n_records=n_records, n_bytes=n_bytes, head="a")) is None
    row = {"head": "a", "n_bytes": n_bytes, "n_records": n_records}
    (tmp_path / "anchor").write_text(encode(row) + "\n")
    with pytest.raises(InputError, match="is damaged: the anchor of an audit log was expected"):
        read_anchor(tmp_path / "anchor")


@pytest.mark.req("SR-28")
@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_a_path_that_there_cannot_be_is_an_input_error(tmp_path: Path, name: str) -> None:
    write(tmp_path / "log")
    with pytest.raises(InputError, match="cannot be read"):
        verify(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        recover(tmp_path / "log", tmp_path / name)
    check = verify(tmp_path / "log", tmp_path / name)
    assert not check.is_whole
    assert "cannot be read" in check.sentence


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
@pytest.mark.req("SR-28")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path / "log")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"cannot be read: .*it is no file"):
        verify(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"cannot be read: .*it is no file"):
        recover(tmp_path / "log", tmp_path / "pipe")
    with pytest.raises(InputError, match=r"cannot be read: .*it is no file"):
        verify(tmp_path)


@pytest.mark.req("SR-21")
def test_an_emptied_log_is_not_intact_with_or_without_its_anchor(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path)
    n_records = verify(path).n_records
    path.write_bytes(b"")
    check = verify(path)
    assert (check.is_intact, check.n_missing) == (False, n_records)
    assert check.sentence == f"the log is empty; the anchor vouches for {n_records} more"
    anchor_path(path).unlink()
    assert not verify(path).is_intact
    assert verify(path).sentence.startswith("the log is empty")
    with pytest.raises(InputError, match="the log is empty"):
        recover(path)


@pytest.mark.req("SR-19")
def test_recovery_says_whether_a_log_was_closed(tmp_path: Path) -> None:
    write(tmp_path / "closed")
    found = recover(tmp_path / "closed")
    assert (found.is_closed, found.problem) == (True, "the log is closed")
    assert found.sentence == "14 records are sound, 0 of them pending; the log is closed"
    with AuditLog(tmp_path / "open", envelope_hash=ENVELOPE.hash, durable=True) as log:
        log.intend(verdict_of(Past.start(0), 0), at_s=0)
        found = recover(tmp_path / "open")
        assert (found.is_closed, found.problem, found.pending) == (False, "", {1: 0})
        assert found.sentence == "2 records are sound, 1 of them pending"


def test_a_value_of_a_record_is_shown_in_forty_characters() -> None:
    assert shown("a" * 60) == f"'{'a' * 39}"
    assert shown(7) == "7"


@pytest.mark.req("SR-21")
def test_a_line_is_read_only_as_it_is_written() -> None:
    line = line_of({"kind": "close"}, 3, "p", "e", "m")
    assert read_record(line) == json.loads(line)
    for other in (line[:-1], line + b" ", b" " + line, line.replace(b":", b": "), b"[1]\n", b"1\n"):
        assert read_record(other) is None
    for record in ({"kind": "open"}, {"kind": 7}, {"kind": "close", "more": 1}, {"n": 1}):
        assert read_record(encode(record).encode() + b"\n") is None


@pytest.mark.req("SR-19")
def test_a_group_wants_pasts_that_hold_what_is_delivered() -> None:
    verdict = verdict_of(Past.start(0), 0)
    assert group_of([verdict], [0]).n_patients == 1
    odd = type(verdict)(
        **{name: getattr(verdict, name) for name in verdict.__dataclass_fields__}
        | {"delivered": OFF}
    )  # fmt: skip
    with pytest.raises(ValueError, match="a verdict's past does not hold what it delivers"):
        group_of([odd], [0])


@pytest.mark.req("SR-19")
def test_groups_of_ordinary_rows_are_those_of_their_verdicts_without_wishes_or_latches() -> None:
    pasts = [Past.start(patient) for patient in range(3)]
    wish = Setting(site=0, amplitude_ua=1000, frequency_hz=50, pulse_width_us=120)
    asked = [propose(ENVELOPE, past, wish, 0) for past in pasts]
    found = same_by_columns(asked, Pasts.of(pasts), ENVELOPE, [0, 0, 0])
    ((rows, group),) = groups_of(found, [0, 0, 0])
    assert rows == [0, 1, 2]
    assert group == group_of([found.verdict(row) for row in rows], [0, 0, 0])
    columns = accepted(found.pasts, [0, 0, 0], [1, 2, 3])
    assert set(columns) == set(group.columns)
    assert [columns["past.latches"], columns["wanted"], columns["ramp_s"]] == [
        [0] * 3,
        [],
        [1, 2, 3],
    ]
    told = decisions_of(json.loads(encode(intents_of(group) | {"n": 1})))
    assert [each.ruling for each in told] == [Ruling.ACCEPTED] * 3
    assert [each.findings for each in told] == [()] * 3


@pytest.mark.req("SR-21")
def test_a_reader_takes_lines_one_by_one_and_stops_at_the_first_that_is_wrong(
    tmp_path: Path,
) -> None:
    write(tmp_path / "log")
    lines = (tmp_path / "log").read_bytes().splitlines(keepends=True)
    reader = Reader()
    for line in lines[:3]:
        assert reader.take(line) == json.loads(line)
    assert (reader.n_records, reader.n_bytes) == (3, sum(map(len, lines[:3])))
    assert reader.take(lines[4]) is None
    assert reader.problem == (
        f"record 3 is numbered 4: 1 before it were taken out (line 4, from byte {reader.n_bytes})"
    )
    cut = Reader()
    assert cut.take(lines[0][:-1]) is None
    assert cut.problem == "record 0 is cut off (line 1, from byte 0)"
