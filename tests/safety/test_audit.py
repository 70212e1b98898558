"""The audit log says what was meant before it is done, and shows every later change to it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from protocols import InputError
from safety import AuditLog, LogCheck, Past, anchor_path, group_of, review, verify
from safety.audit_file import MOST_UNANCHORED
from safety.audit_plain import plain
from safety.audit_records import MOST_IN_A_GROUP
from tests.safety.audit_logs import ENVELOPE, WISH, live, live_together, verdict_of, write
from tests.safety.strategies import propose


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("audit") / "log"
    write(path)
    return path.read_bytes()


def check(path: Path, content: bytes) -> LogCheck:
    path.write_bytes(content)
    return verify(path)


def new_log(path: Path, **changes: Any) -> AuditLog:
    return AuditLog(path, **({"envelope_hash": ENVELOPE.hash, "durable": False} | changes))


@pytest.mark.req("SR-21")
def test_a_whole_log_is_whole(tmp_path: Path) -> None:
    head = write(tmp_path / "log")
    result = verify(tmp_path / "log")
    assert (result.n_records, result.n_pending, result.n_missing) == (1 + 3 * 4 + 1, 0, 0)
    assert (result.is_intact, result.is_closed, result.is_anchored) == (True, True, True)
    assert (result.head, result.sentence) == (head, "the log is whole")
    assert result.is_whole


@pytest.mark.req("SR-19")
def test_the_intent_is_in_the_file_before_intend_returns(tmp_path: Path) -> None:
    path = tmp_path / "log"
    past = Past.start(7)
    verdict = review(propose(ENVELOPE, past, WISH, 0), past, ENVELOPE, 0)
    with new_log(path, durable=True, manufacturer_hash="m") as log:
        number = log.intend(verdict, at_s=0)
        record = json.loads(path.read_bytes().splitlines()[-1])
        assert verify(path).n_pending == 1
        assert verify(path).is_anchored
        log.conclude(number, at_s=60, stimulation_s=60, charge_uc=7, n_incidents=1)
        assert verify(path).n_pending == 0
    assert record == {
        "kind": "intent",
        "n": number,
        "previous": record["previous"],
        "envelope": ENVELOPE.hash,
        "manufacturer": "m",
        "patient": 7,
        "at_s": 0,
        "wanted": plain(WISH),
        "delivered": plain(verdict.delivered),
        "ruling": "clamped",
        "findings": [
            [
                "tick",
                "SR-02",
                "amplitude lowered from 4.999 mA to 4 mA: 4.999 mA is not a step of small",
            ]
        ],
        "ramp_s": 134,
        "past": json.loads(json.dumps(plain(verdict.past))),
    }
    assert record["past"]["delivered"]["amplitude_ua"] == 4000


@pytest.mark.req("SR-09")
def test_every_record_names_both_envelopes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with new_log(path, manufacturer_hash="maker") as log:
        live(log, [Past.start(0)], 0)
        log.envelope_changed("narrower", at_s=9, by=())
        log.controller_fault(0, at_s=9, sentence="hung")
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert {record["manufacturer"] for record in records} == {"maker"}
    before, after = [ENVELOPE.hash] * 3, ["narrower"] * 3
    assert [record["envelope"] for record in records] == before + after
    assert verify(path).is_whole


@pytest.mark.req("SR-19")
def test_a_group_is_one_line_by_one_write_and_one_sync(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "log"
    verdicts = [verdict_of(Past.start(patient), 0) for patient in range(100)]
    whole, sizes, synced = os.write, [], []
    with new_log(path, durable=True) as log:
        before = path.stat().st_size
        monkeypatch.setattr(
            os, "write", lambda file, data: sizes.append(len(data)) or whole(file, data)
        )
        monkeypatch.setattr(os, "fsync", synced.append)
        log.intend_group(group_of(verdicts, [0] * 100))
        monkeypatch.undo()
        assert path.stat().st_size - before in sizes  # the other is of the anchor
        assert len(sizes) == 2
        assert len(synced) == 1
        assert verify(path).n_pending == 1
        assert verify(path).is_anchored


@pytest.mark.req("SR-19")
def test_groups_and_single_intents_stand_in_one_log(tmp_path: Path) -> None:
    pasts = [Past.start(patient) for patient in range(5)]
    with new_log(tmp_path / "log") as log:
        for epoch in range(4):
            (live_together if epoch % 2 else live)(log, pasts, epoch)
    result = verify(tmp_path / "log")
    assert result.is_whole
    assert result.n_records == 1 + 2 * 10 + 2 * 2 + 1


@pytest.mark.req("SR-22")
def test_the_same_calls_give_the_same_bytes(tmp_path: Path) -> None:
    for name, durable in (("a", False), ("b", True)):
        write(tmp_path / name, durable=durable)
    for suffix in ("", ".anchor"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_a_durable_log_reaches_the_disk_with_every_record(tmp_path, monkeypatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    write(tmp_path / "quick")
    assert synced == []
    write(tmp_path / "durable", durable=True)
    assert len(synced) == 14


def test_a_log_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path / "log")
    before = (tmp_path / "log").read_bytes()
    with pytest.raises(FileExistsError):
        new_log(tmp_path / "log")
    assert (tmp_path / "log").read_bytes() == before


@pytest.mark.req("SR-21")
def test_a_log_that_was_taken_away_leaves_its_anchor_which_is_noticed(tmp_path: Path) -> None:
    write(tmp_path / "log")
    (tmp_path / "log").unlink()
    with pytest.raises(FileExistsError, match="anchor"):
        new_log(tmp_path / "log")
    assert not (tmp_path / "log").exists()


def test_only_what_is_pending_can_be_concluded(tmp_path: Path) -> None:
    columns = {"at_s": [0], "stimulation_s": [0], "charge_uc": [0], "n_incidents": [0]}
    with new_log(tmp_path / "log") as log:
        number = log.intend(review(None, Past.start(7), ENVELOPE, 0), at_s=0)
        group = log.intend_group(group_of([verdict_of(Past.start(8), 0)], [0]))
        with pytest.raises(ValueError, match="at_s has 2 values: 1 were expected"):
            log.conclude_group(group, **(columns | {"at_s": [0, 1]}))
        log.conclude(number, at_s=0, stimulation_s=0, charge_uc=0, n_incidents=0)
        log.conclude_group(group, **columns)
        for intent in (number, group, 99, 0):
            with pytest.raises(ValueError, match=f"intent = {intent}"):
                log.conclude(intent, at_s=0, stimulation_s=0, charge_uc=0, n_incidents=0)
            with pytest.raises(ValueError, match=f"intent = {intent}"):
                log.conclude_group(intent, **columns)
    assert verify(tmp_path / "log").is_whole


def test_a_group_of_nobody_or_of_too_many_is_refused_before_it_is_written(tmp_path: Path) -> None:
    with new_log(tmp_path / "log") as log:
        for n_patients in (0, MOST_IN_A_GROUP + 1):
            group = group_of([verdict_of(Past.start(0), 0)] * n_patients, [0] * n_patients)
            with pytest.raises(ValueError, match=f"n_patients = {n_patients}"):
                log.intend_group(group)
        assert log.n_records == 1
    assert verify(tmp_path / "log").is_whole


@pytest.mark.req("SR-21")
def test_a_run_that_fails_leaves_its_log_open(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with pytest.raises(RuntimeError), new_log(path):
        raise RuntimeError
    result = verify(path)
    assert (result.n_records, result.is_intact, result.is_closed) == (1, True, False)
    assert result.sentence.startswith("there is no closing record: the anchor vouches for all")


@pytest.mark.req("SR-21")
@pytest.mark.parametrize("durable", [False, True])
def test_the_anchor_lags_by_no_more_than_is_promised(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "log"
    with new_log(path, durable=durable) as log:
        most = 0
        for n in range(MOST_UNANCHORED + 10 if not durable else 10):
            log.controller_fault(0, at_s=n, sentence="hung")
            anchored = json.loads(anchor_path(path).read_bytes())["n_records"]
            most = max(most, log.n_records - anchored)
        assert most == (0 if durable else MOST_UNANCHORED - 1)
        result = verify(path)
        assert result.is_anchored is durable
        if not durable:
            assert result.sentence.endswith("vouches for 257 of the records only")


@pytest.mark.req("SR-21")
def test_what_only_the_anchor_shows(tmp_path: Path, written: bytes) -> None:
    path, lines = tmp_path / "log", written.splitlines(keepends=True)
    write(path)
    kept = anchor_path(path).read_bytes()

    missing = check(path, b"".join(lines[:-3]))
    assert (missing.is_intact, missing.n_missing) == (False, 3)
    assert missing.sentence == (
        "the end is missing: the last 3 of the 14 records that the anchor vouches for"
    )
    nothing = check(path, b"")
    assert (nothing.is_intact, nothing.n_missing) == (False, 14)

    write(tmp_path / "other", 5)
    rewritten = check(path, (tmp_path / "other").read_bytes())
    assert rewritten.sentence.startswith("record 13 is not the one that the anchor vouches for")

    anchor_path(path).unlink()
    unvouched = check(path, written)
    assert (unvouched.is_intact, unvouched.is_whole) == (True, False)
    assert unvouched.sentence == "the log is whole, and no anchor vouches for its end"
    (tmp_path / "elsewhere").write_bytes(kept)
    assert verify(path, tmp_path / "elsewhere").is_whole
    assert not check(path, b"").is_whole


@pytest.mark.req("SR-21")
@pytest.mark.req("SR-28")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff" * 5000,
        b"[" * 900,
        b'{"head":NaN,"n_bytes":1,"n_records":1}\n',
        b'{"head":"a","n_bytes":true,"n_records":1}\n',
        b'{"head":"a","n_bytes":1,"n_records":1.0}\n',
        b'{"head":"a", "n_bytes":1,"n_records":1}\n',
    ],
)
def test_a_damaged_anchor_vouches_for_nothing(tmp_path, written, content: bytes) -> None:
    anchor_path(tmp_path / "log").write_bytes(content)
    result = check(tmp_path / "log", written)
    assert not result.is_whole
    assert "is damaged: the anchor of an audit log was expected" in result.sentence


@pytest.mark.req("SR-21")
def test_an_anchor_from_elsewhere_is_kept_and_moved(tmp_path: Path) -> None:
    anchor = tmp_path / "apart" / "log"
    anchor.parent.mkdir()
    with new_log(tmp_path / "log", anchor=anchor) as log:
        live(log, [Past.start(0)], 0)
    assert not anchor_path(tmp_path / "log").exists()
    assert verify(tmp_path / "log", anchor).is_whole


def test_a_log_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(InputError, match="the audit log cannot be read"):
            verify(path)


def test_values_that_are_no_json_are_not_written(tmp_path: Path) -> None:
    verdict = review(None, Past.start(7), ENVELOPE, 0)
    with new_log(tmp_path / "log") as log:
        with pytest.raises(ValueError, match="not JSON compliant"):
            log.intend(verdict, at_s=float("nan"))  # type: ignore[arg-type]
        assert not log.is_sealed  # nothing was written
        log.intend(verdict, at_s=0)
    assert verify(tmp_path / "log").is_closed
