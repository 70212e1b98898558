"""Every kind of change to a log is noticed: bytes, lines, ends, splices, odd records."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety import AuditLog, LogCheck, Past, anchor_path, verify
from safety.audit_records import line_of
from tests.safety.audit_logs import ENVELOPE, live, write


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("audit") / "log"
    write(path)
    return path.read_bytes()


def check(path: Path, content: bytes) -> LogCheck:
    path.write_bytes(content)
    return verify(path)


@pytest.mark.req("SR-21")
def test_a_log_cut_at_any_byte_is_noticed(tmp_path: Path, written: bytes) -> None:
    ends = [index for index, byte in enumerate(written) if byte == ord("\n")]
    beside = {end + step for end in ends for step in (0, 1)} - {len(written)}
    for length in sorted({*range(0, len(written), 11), *range(400), *beside}):
        result = check(tmp_path / "log", written[:length])
        assert not result.is_closed
        assert result.is_intact is written[:length].endswith(b"\n")
        assert result.n_records == written[:length].count(b"\n")


@pytest.mark.req("SR-21")
def test_any_changed_byte_is_noticed(tmp_path: Path, written: bytes) -> None:
    for index in range(0, len(written), 7):
        changed = bytes([written[index] ^ 1])
        result = check(tmp_path / "log", written[:index] + changed + written[index + 1 :])
        assert not result.is_intact
        assert not result.is_closed
        assert "record" in result.sentence


@pytest.mark.req("SR-21")
def test_any_changed_byte_of_an_open_log_is_noticed_by_its_anchor(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with AuditLog(path, envelope_hash=ENVELOPE.hash, durable=True) as log:
        live(log, [Past.start(0)], 0)
        content = path.read_bytes()
        assert verify(path).is_anchored
    kept = json.dumps(
        {"head": sha256(content.splitlines(keepends=True)[-1]).hexdigest()}
        | {"n_bytes": len(content), "n_records": 3},
        separators=(",", ":"),
    )
    anchor_path(path).write_text(kept + "\n", encoding="ascii")  # as it was before the end
    assert check(path, content).is_anchored
    for index in range(len(content)):
        changed = bytes([content[index] ^ 1])
        assert not check(path, content[:index] + changed + content[index + 1 :]).is_intact


@pytest.mark.req("SR-21")
@settings(max_examples=300)
@given(data=st.data())
def test_lines_moved_deleted_doubled_or_swapped_are_noticed(
    tmp_path_factory, written, data
) -> None:
    lines = written.splitlines(keepends=True)
    index = data.draw(st.integers(0, len(lines) - 1))
    line = lines.pop(index)
    place = data.draw(st.integers(0, len(lines)))
    copies = data.draw(st.integers(0, 2))
    lines[place:place] = [line] * copies
    content = b"".join(lines)
    if content == written:
        return
    result = check(tmp_path_factory.getbasetemp() / "moved", content)
    assert not (result.is_intact and result.is_closed)
    if copies or index < len(lines):
        assert not result.is_intact


@pytest.mark.req("SR-21")
def test_a_splice_of_two_logs_is_noticed(tmp_path: Path, written: bytes) -> None:
    path = tmp_path / "log"
    write(tmp_path / "other", 2)
    ours = written.splitlines(keepends=True)
    theirs = (tmp_path / "other").read_bytes().splitlines(keepends=True)
    write(path)
    for place in range(1, len(theirs)):
        spliced = b"".join(ours[:place] + theirs[place:])
        assert not check(path, spliced).is_intact  # the first epochs are the same: the anchor
    doubled = check(path, written + written)
    assert (doubled.is_intact, doubled.n_records) == (False, 14)


def chain(*records: dict[str, object], envelopes: str = "eeee", manufacturers="mmmm") -> bytes:
    """Return a log of any records at all, chained as they should be."""
    content, head = b"", "0" * 64
    for number, record in enumerate(records):
        line = line_of(record, number, head, envelopes[number], manufacturers[number])
        content, head = content + line, sha256(line).hexdigest()
    return content


OPEN = {"kind": "open", "schema": 2}
CLOSE = {"kind": "close"}
OUTCOME = {"kind": "outcome", "intent": 1, "patient": 0, "at_s": 0} | {
    "stimulation_s": 0,
    "charge_uc": 0,
    "n_incidents": 0,
}
GROUP = {"kind": "intents", "n_patients": 2, "columns": {}}
OUTCOMES = {"kind": "outcomes", "intent": 1, "n_patients": 2, "columns": {}}
CHANGE = {"kind": "envelope-change", "at_s": 0, "before": "e", "by": []}


@pytest.mark.req("SR-21")
@pytest.mark.req("SR-28")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (chain(CLOSE), "record 0 of kind close is out of place"),
        (chain(OPEN, OPEN), "record 1 of kind open is out of place"),
        (chain(OPEN, CLOSE, CLOSE), "record 2 of kind close is out of place"),
        (chain(OPEN, OUTCOME), "record 1 concludes what was not intended"),
        (chain(OPEN, OUTCOME | {"patient": None}), "record 1 concludes what was not intended"),
        (chain(OPEN, GROUP, OUTCOME), "record 2 concludes what was not intended"),
        (chain(OPEN, GROUP, OUTCOMES | {"n_patients": 3}), "record 2 concludes what was not"),
        (chain(OPEN, GROUP, OUTCOMES, OUTCOMES), "record 3 concludes what was not intended"),
        (chain(OPEN, GROUP | {"n_patients": 0}), "record 1 is of 0 patients: 1 to 100000"),
        (chain(OPEN, GROUP | {"n_patients": 10**9}), "record 1 is of 1000000000 patients"),
        (chain(OPEN, GROUP | {"n_patients": True}), "record 1 is of True patients"),
        (chain(OPEN, CLOSE, envelopes="ef"), "record 1 names another envelope"),
        (chain(OPEN, CHANGE, envelopes="ee") + b"{}\n", "record 2 is damaged"),
        (chain(OPEN, CHANGE, CLOSE, envelopes="efe"), "record 2 names another envelope"),
        (chain(OPEN, CHANGE | {"before": "f"}, envelopes="ef"), "record 1 names another envelope"),
        (chain(OPEN, CLOSE, manufacturers="mn"), "record 1 names another manufacturer's table"),
        (chain(OPEN, CLOSE | {"extra": 1}), "record 1 is damaged"),
        (chain(OPEN, {"kind": "other"}), "record 1 is damaged"),
        (chain(OPEN, {"kind": ["open"]}), "record 1 is damaged"),
        (chain(OPEN, OUTCOME | {"intent": [1]}), "record 1 concludes what was not intended"),
        (chain(OPEN | {"schema": 1}), "record 0 is of schema 1: 2 was expected"),
        (b"[]\n", "record 0 is damaged (line 1, from byte 0)"),
        (b"\xff\n", "record 0 is damaged"),
        (b"[" * 100_000 + b"\n", "record 0 is damaged"),
        (b"9" * 5_000 + b"\n", "record 0 is damaged"),
        (chain(OPEN).replace(b'"schema":2', b'"schema":NaN'), "record 0 is damaged"),
        (chain(OPEN).replace(b'"schema":2', b'"schema":1e999'), "record 0 is damaged"),
        (chain(OPEN)[:-1] + b"\0" * 4096, "record 0 is cut off (line 1, from byte 0)"),
        (chain(OPEN).replace(b",", b", "), "record 0 is damaged"),
        (chain(OPEN).replace(b'"n":0', b'"n":1'), "record 0 is numbered 1: 1 before it were taken"),
        (chain(OPEN).replace(b'"n":0', b'"n":-1'), "record 0 is numbered -1: one was put in"),
        (chain(OPEN).replace(b'"n":0', b'"n":"0"'), "record 0 is numbered '0'"),
        (chain(OPEN).replace(b"000", b"001", 1), "record 0 does not continue the record before"),
    ],
)
def test_a_well_formed_log_that_makes_no_sense_is_noticed(tmp_path, content, words: str) -> None:
    result = check(tmp_path / "log", content)
    assert not result.is_intact
    assert result.sentence.startswith(words)
