"""The audit log says what was meant before it is done, and shows every later change to it."""

import json
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import InputError, Setting
from safety import AuditLog, Past, review, verify
from safety.audit import line_of
from tests.safety.strategies import propose, small_envelope

ENVELOPE = small_envelope()
WISH = Setting(site=0, amplitude_ua=4999, frequency_hz=50, pulse_width_us=120)


def write(path: Path, n_epochs: int = 3, *, durable: bool = False) -> str:
    """Write the log of two patients; return the hash of its last record."""
    pasts = [Past.start(patient) for patient in (0, 1)]
    with AuditLog(path, envelope_hash=ENVELOPE.hash, durable=durable) as log:
        for epoch in range(n_epochs):
            now = epoch * 86_400
            intents = []
            for patient, past in enumerate(pasts):
                wish = replace(WISH, site=(epoch + patient) % 4)
                verdict = review(propose(ENVELOPE, past, wish, now), past, ENVELOPE, now)
                intents.append(log.intend(verdict, at_s=now))
                pasts[patient] = verdict.past
            for intent in intents:
                log.conclude(intent, at_s=now, stimulation_s=60, charge_uc=7, n_incidents=0)
    return log.head


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("audit") / "log"
    write(path)
    return path.read_bytes()


def check(path: Path, content: bytes):
    path.write_bytes(content)
    return verify(path)


@pytest.mark.req("SR-21")
def test_a_whole_log_is_whole(tmp_path: Path) -> None:
    head = write(tmp_path / "log")
    result = verify(tmp_path / "log")
    assert (result.n_records, result.n_pending) == (1 + 3 * 4 + 1, 0)
    assert (result.is_intact, result.is_closed) == (True, True)
    assert (result.head, result.sentence) == (head, "the log is whole")


@pytest.mark.req("SR-19")
def test_the_intent_is_in_the_file_before_intend_returns(tmp_path: Path) -> None:
    path = tmp_path / "log"
    past = Past.start(7)
    verdict = review(propose(ENVELOPE, past, WISH, 0), past, ENVELOPE, 0)
    with AuditLog(path, envelope_hash=ENVELOPE.hash, durable=True) as log:
        number = log.intend(verdict, at_s=0)
        record = json.loads(path.read_bytes().splitlines()[-1])
        assert verify(path).n_pending == 1
        log.conclude(number, at_s=60, stimulation_s=60, charge_uc=7, n_incidents=1)
        assert verify(path).n_pending == 0
    assert record == {
        "kind": "intent",
        "n": number,
        "previous": record["previous"],
        "envelope": ENVELOPE.hash,
        "patient": 7,
        "sequence": 0,
        "at_s": 0,
        "wanted": [0, 4999, 50, 120, 0, 0, "continuous"],
        "delivered": [0, 4000, 50, 120, 0, 0, "continuous"],
        "ruling": "clamped",
        "findings": [
            [
                "tick",
                "SR-02",
                "amplitude lowered from 4.999 mA to 4 mA: 4.999 mA is not a step of small",
            ]
        ],
        "latched": False,
        "ramp_s": 134,
    }


@pytest.mark.req("SR-22")
def test_the_same_calls_give_the_same_bytes(tmp_path: Path) -> None:
    for name, durable in (("a", False), ("b", True)):
        write(tmp_path / name, durable=durable)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_durable_log_reaches_the_disk_with_every_record(tmp_path, monkeypatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    write(tmp_path / "quick")
    assert synced == []
    write(tmp_path / "durable", durable=True)
    assert len(synced) == 14


def test_short_writes_are_completed(tmp_path, monkeypatch) -> None:
    write(tmp_path / "a")
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: whole(file, data[:7]))
    write(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_log_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path / "log")
    before = (tmp_path / "log").read_bytes()
    with pytest.raises(FileExistsError):
        AuditLog(tmp_path / "log", envelope_hash=ENVELOPE.hash, durable=False)
    assert (tmp_path / "log").read_bytes() == before


def test_only_what_is_pending_can_be_concluded(tmp_path: Path) -> None:
    past = Past.start(7)
    verdict = review(None, past, ENVELOPE, 0)
    with AuditLog(tmp_path / "log", envelope_hash=ENVELOPE.hash, durable=False) as log:
        number = log.intend(verdict, at_s=0)
        log.conclude(number, at_s=0, stimulation_s=0, charge_uc=0, n_incidents=0)
        for intent in (number, number + 1, 0):
            with pytest.raises(ValueError, match=f"intent = {intent}"):
                log.conclude(intent, at_s=0, stimulation_s=0, charge_uc=0, n_incidents=0)
    assert verify(tmp_path / "log").is_closed


@pytest.mark.req("SR-21")
def test_a_run_that_fails_leaves_its_log_open(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with pytest.raises(RuntimeError), AuditLog(path, envelope_hash="0", durable=False):
        raise RuntimeError
    result = verify(path)
    assert (result.n_records, result.is_intact, result.is_closed) == (1, True, False)
    assert result.sentence == "there is no closing record: the end may be missing"


@pytest.mark.req("SR-21")
def test_a_log_cut_at_any_byte_is_noticed(tmp_path: Path, written: bytes) -> None:
    ends = [index for index, byte in enumerate(written) if byte == ord("\n")]
    beside = {end + step for end in ends for step in (0, 1)} - {len(written)}
    for length in sorted({*range(0, len(written), 11), *range(400), *beside}):
        result = check(tmp_path / "log", written[:length])
        assert not result.is_closed
        assert result.is_intact is (length == 0 or written[length - 1] == ord("\n"))
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
    write(tmp_path / "other", 2)
    ours = written.splitlines(keepends=True)
    theirs = (tmp_path / "other").read_bytes().splitlines(keepends=True)
    spliced = check(tmp_path / "log", b"".join(ours[:6] + theirs[6:]))
    assert spliced.is_intact is (ours[5] == theirs[5])  # the first epochs are the same
    doubled = check(tmp_path / "log", written + written)
    assert (doubled.is_intact, doubled.n_records) == (False, 14)


def chain(*records: dict[str, object], envelopes: str = "eeee") -> bytes:
    """Return a log of any records at all, chained as they should be."""
    content, head = b"", "0" * 64
    for number, record in enumerate(records):
        line = line_of(record, number, head, envelopes[number])
        content, head = content + line, sha256(line).hexdigest()
    return content


OPEN = {"kind": "open", "schema": 1}
OUTCOME = {"kind": "outcome", "intent": 1, "patient": 0, "at_s": 0} | {
    "stimulation_s": 0,
    "charge_uc": 0,
    "n_incidents": 0,
}


@pytest.mark.req("SR-21")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (chain({"kind": "close"}), "record 0 of kind close is out of place"),
        (chain(OPEN, OPEN), "record 1 of kind open is out of place"),
        (chain(OPEN, {"kind": "close"}, {"kind": "close"}), "record 2 of kind close is out of"),
        (chain(OPEN, OUTCOME), "record 1 concludes what was not intended"),
        (chain(OPEN, {"kind": "close"}, envelopes="ef"), "record 1 names another envelope"),
        (chain(OPEN, {"kind": "close", "extra": 1}), "record 1 is damaged"),
        (chain(OPEN, {"kind": "other"}), "record 1 is damaged"),
        (chain(OPEN, OUTCOME | {"intent": [1]}), "record 1 concludes what was not intended"),
        (chain(OPEN | {"schema": 2}), "record 0 is of schema 2"),
        (b"[]\n", "record 0 is damaged"),
        (b"\xff\n", "record 0 is damaged"),
        (b"[" * 100_000 + b"\n", "record 0 is damaged"),
        (b"9" * 5_000 + b"\n", "record 0 is damaged"),
        (chain(OPEN).replace(b",", b", "), "record 0 is damaged"),
        (chain(OPEN).replace(b'"n":0', b'"n":1'), "record 0 is numbered 1"),
        (chain(OPEN).replace(b"000", b"001", 1), "record 0 does not continue the record before"),
    ],
)
def test_a_well_formed_log_that_makes_no_sense_is_noticed(tmp_path, content, words: str) -> None:
    result = check(tmp_path / "log", content)
    assert not result.is_intact
    assert result.sentence.startswith(words)


def test_an_empty_log_is_an_open_one(tmp_path: Path) -> None:
    assert not check(tmp_path / "log", b"").is_closed


def test_a_log_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the audit log cannot be read"):
        verify(tmp_path / "missing")


def test_values_that_are_no_json_are_not_written(tmp_path: Path) -> None:
    verdict = review(None, Past.start(7), ENVELOPE, 0)
    with AuditLog(tmp_path / "log", envelope_hash=ENVELOPE.hash, durable=False) as log:
        with pytest.raises(ValueError, match="not JSON compliant"):
            log.intend(verdict, at_s=float("nan"))  # type: ignore[arg-type]
        log.intend(verdict, at_s=0)
    assert verify(tmp_path / "log").is_closed
