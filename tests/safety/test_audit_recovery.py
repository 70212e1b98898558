"""After a crash a log is a prefix of what was written, and what is missing is noticed."""

import json
import os
import signal
import subprocess
import sys
import time
from copy import copy
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

import safety
from protocols import InputError
from safety import AuditLog, Past, anchor_path, decisions, group_of, recover, review, verify
from safety.audit_file import read_anchor
from safety.audit_reading import Reader
from safety.audit_records import intent_of, line_of
from safety.events import acknowledge, after_adverse_event, after_restart
from safety.people import Person, Role
from tests.safety.audit_logs import ENVELOPE, live, live_together, verdict_of, write
from tests.safety.strategies import DAY, propose

REPOSITORY = Path(safety.__file__).parents[1]
LIVE = """
import sys
from pathlib import Path
from safety import AuditLog, Past
from tests.safety.audit_logs import ENVELOPE, live, live_together
durable = sys.argv[2] == "durable"
pasts = [Past.start(patient) for patient in range(3)]
with AuditLog(Path(sys.argv[1]), envelope_hash=ENVELOPE.hash, durable=durable) as log:
    print("ready", flush=True)
    for epoch in range(100_000):
        (live_together if epoch % 3 else live)(log, pasts, epoch)
        print(log.n_records, flush=True)
"""


def killed(path: Path, n_epochs: int, delay_s: float, durable: str) -> int:
    """Kill a process that writes a log; return how many records it had said were written."""
    command = [sys.executable, "-c", LIVE, str(path), durable]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        said = [process.stdout.readline() for _ in range(n_epochs)]
        time.sleep(delay_s)  # so that the kill falls at any point of an epoch
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    whole = [line for line in said if line.endswith("\n")]
    return int(whole[-1]) if whole else 1


def kill_often(tmp_path: Path, n_kills: int) -> None:
    luck = Random(5)
    reference = tmp_path / "reference"
    pasts = [Past.start(patient) for patient in range(3)]
    with AuditLog(reference, envelope_hash=ENVELOPE.hash, durable=False) as log:
        for epoch in range(4000):
            (live_together if epoch % 3 else live)(log, pasts, epoch)
    whole = reference.read_bytes()
    for index in range(n_kills):
        path = tmp_path / f"log-{index}"
        durable = "durable" if index % 2 else "quick"
        n_said = killed(path, luck.randrange(30), luck.random() / 500, durable)
        content = path.read_bytes()
        assert whole.startswith(content), "a log is not a prefix of what is written without a kill"
        found = recover(path)
        assert found.problem == ""
        assert found.end.n_records >= n_said
        assert found.end.n_bytes + found.n_lost_bytes == len(content)
        with AuditLog.resume(found, at_s=10**9, durable=False) as log:
            live(log, [Past.start(9)], 0)
        assert verify(path).is_whole
        assert path.read_bytes().startswith(content[: found.end.n_bytes])


@pytest.mark.req("SR-19")
def test_a_log_that_is_killed_is_a_prefix_and_goes_on(tmp_path: Path) -> None:
    kill_often(tmp_path, 10)


@pytest.mark.slow
@pytest.mark.req("SR-19")
def test_a_log_that_is_killed_at_200_points_is_a_prefix_and_goes_on(tmp_path: Path) -> None:
    kill_often(tmp_path, 200)


def long_log(path: Path, n_records: int) -> bytes:
    """Write a log of many short records and some long ones, left open and vouched for."""
    log = AuditLog(path, envelope_hash=ENVELOPE.hash, durable=True)
    past = Past.start(3)
    live(log, [past], 0)
    while log.n_records < n_records:
        log.controller_fault(0, at_s=log.n_records, sentence="x")
    log._file.close()
    return path.read_bytes()


@pytest.mark.req("SR-19")
@pytest.mark.req("SR-21")
def test_a_log_of_1000_records_cut_at_every_byte_is_a_prefix(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda file: None)
    path = tmp_path / "log"
    content = long_log(path, 1000)
    anchor = read_anchor(anchor_path(path))
    reader = Reader(anchor=anchor)
    for line in content.splitlines(keepends=True):
        for length in range(1, len(line)):
            cut = copy(reader)
            assert cut.take(line[:length]) is None
            assert "is cut off" in cut.problem
            assert (cut.n_records, cut.n_bytes) == (reader.n_records, reader.n_bytes)
            assert cut.n_missing == 1000 - reader.n_records
        assert reader.take(line) is not None
    assert reader.result().is_anchored
    luck = Random(2)
    lengths = [*luck.sample(range(1, len(content)), 15), len(content) - 1]
    for length in lengths:
        path.write_bytes(content[:length])
        n_whole = content[:length].count(b"\n")
        result = verify(path)
        assert (result.n_records, result.n_missing) == (n_whole, 1000 - n_whole)
        if n_whole:
            found = recover(path)
            assert found.end.n_records == n_whole
            assert content.startswith(path.read_bytes()[: found.end.n_bytes])
            with pytest.raises(InputError, match="vouches for are missing"):
                AuditLog.resume(found, at_s=0, durable=False)
            assert path.read_bytes() == content[:length]


@pytest.mark.req("SR-19")
@pytest.mark.parametrize("seed", range(20))
def test_bytes_that_never_reached_the_disk_are_a_lost_end(tmp_path, monkeypatch, seed) -> None:
    """A power cut keeps what was synced; of the rest any part, or zeros in its place."""
    path, luck, synced = tmp_path / "log", Random(seed), [0]
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_size))
    stop_at = luck.randrange(2, 30)
    log = AuditLog(path, envelope_hash=ENVELOPE.hash, durable=True)
    pasts = [Past.start(0), Past.start(1)]
    anchors = [anchor_path(path).read_bytes()]
    epoch = 0
    while log.n_records < stop_at:
        (live_together if epoch % 2 else live)(log, pasts, epoch)
        anchors.append(anchor_path(path).read_bytes())
        epoch += 1
    whole = path.read_bytes()
    # The last line was being written when the power went, and its anchor was not moved.
    start = whole[:-1].rindex(b"\n") + 1
    assert start in synced
    torn = bytearray(whole[start : start + luck.randrange(len(whole) - start)])
    if luck.random() < 0.5:
        torn[luck.randrange(len(torn) + 1) :] = b"\0" * luck.randrange(4096)
    path.write_bytes(whole[:start] + bytes(torn))
    anchor = anchor_path(path)
    kept = {"head": sha256(whole[:start].splitlines(keepends=True)[-1]).hexdigest()}
    kept |= {"n_bytes": start, "n_records": log.n_records - 1}
    anchor.write_bytes(json.dumps(kept, separators=(",", ":")).encode() + b"\n")
    found = recover(path)
    assert (found.end.n_bytes, found.n_lost_bytes, found.problem) == (start, len(torn), "")
    with AuditLog.resume(found, at_s=DAY, durable=False) as resumed:
        assert resumed.n_records == found.end.n_records + 1
    assert verify(path).is_whole
    # Where synced bytes were dropped all the same, the anchor says so.
    path.write_bytes(whole[: luck.randrange(1, start)])
    assert verify(path).n_missing > 0


@pytest.mark.req("SR-16")
@pytest.mark.req("SR-19")
def test_recovery_gives_the_last_past_of_each_patient_and_what_is_pending(tmp_path) -> None:
    path = tmp_path / "log"
    pasts = [Past.start(patient) for patient in range(4)]
    log = AuditLog(path, envelope_hash=ENVELOPE.hash, durable=True)
    for epoch in range(5):
        (live_together if epoch % 2 else live)(log, pasts, epoch)
    verdict = verdict_of(pasts[2], 5)
    number = log.intend(verdict, at_s=5 * DAY)
    group = log.intend_group(group_of([verdict_of(pasts[3], 5)], [5 * DAY]))
    log.adverse_event(pasts[1], at_s=5 * DAY, grade=2, setting=pasts[1].delivered)
    found = recover(path)
    expected = [*pasts[:2], verdict.past, verdict_of(pasts[3], 5).past]
    assert found.pasts == dict(enumerate(expected))
    assert (found.pending, found.pending_groups) == ({number: 2}, {group: 1})
    assert found.sentence == f"{log.n_records} records are sound, 2 of them pending"
    with AuditLog.resume(found, at_s=6 * DAY, durable=True) as resumed:
        resumed.conclude(number, at_s=6 * DAY, stimulation_s=0, charge_uc=0, n_incidents=0)
        live(resumed, expected, 6)
    assert verify(path).is_whole
    assert verify(path).n_pending == 1
    assert recover(path).pasts == dict(enumerate(expected))


@pytest.mark.req("SR-16")
@pytest.mark.req("SR-18")
def test_a_latch_survives_the_log_and_only_people_take_it_away(tmp_path: Path) -> None:
    path = tmp_path / "log"
    past = verdict_of(Past.start(1), 0).past
    log = AuditLog(path, envelope_hash=ENVELOPE.hash, durable=True)
    grade = ENVELOPE.adverse_patient_grade
    past = after_adverse_event(past, ENVELOPE, at_s=60, grade=grade, setting=past.delivered)
    log.adverse_event(past, at_s=60, grade=grade, setting=past.delivered)
    found = recover(path)
    again = after_restart(found.pasts[1], 90)
    assert found.pasts[1] == past
    assert again.latched
    assert again.not_tolerated == past.not_tolerated != ()
    by = (Person("A. Berg", Role.CLINICIAN), Person("B. Dal", Role.SAFETY_OFFICER))
    with AuditLog.resume(found, at_s=90, durable=True) as resumed:
        released = acknowledge(again, again.latches[0], by, 120)
        resumed.acknowledged(released, at_s=120, latch=again.latches[0], by=by)
    assert recover(path).pasts[1] == released
    record = json.loads(path.read_bytes().splitlines()[-2])
    assert record["by"][1] == {"name": "B. Dal", "role": "safety-officer"}
    assert verify(path).is_whole


@pytest.mark.req("SR-21")
def test_a_log_is_not_gone_on_with_where_that_would_hide_something(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path)
    whole = path.read_bytes()
    with pytest.raises(InputError, match="the log is closed"):
        AuditLog.resume(recover(path), at_s=0, durable=False)
    lines = whole.splitlines(keepends=True)
    anchor_path(path).unlink()
    for content, words in (
        (b"".join(lines[:5]), "there is no anchor"),
        (b"".join([*lines[:5], lines[6]]), "there is no anchor"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=words):
            AuditLog.resume(recover(path), at_s=0, durable=False)
        assert path.read_bytes() == content
    found = sha256(lines[2]).hexdigest()
    kept = {"head": found, "n_bytes": len(b"".join(lines[:3])), "n_records": 3}
    anchor_path(path).write_text(json.dumps(kept, separators=(",", ":")) + "\n")
    path.write_bytes(b"".join([*lines[:5], lines[6]]))
    with pytest.raises(InputError, match="more than a half-written line is wrong: record 5"):
        AuditLog.resume(recover(path), at_s=0, durable=False)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        recover(path)


@pytest.mark.req("SR-22")
def test_the_log_and_the_envelope_give_the_delivered_settings_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    pasts = [Past.start(patient) for patient in range(6)]
    with AuditLog(path, envelope_hash=ENVELOPE.hash, durable=False) as log:
        for epoch in range(12):
            (live_together if epoch % 2 else live)(log, pasts, epoch)
    again = {patient: Past.start(patient) for patient in range(6)}
    n_clamped = 0
    for each in decisions(path):
        past = again[each.patient]
        verdict = review(propose(ENVELOPE, past, each.wanted, each.at_s), past, ENVELOPE, each.at_s)
        assert (verdict.delivered, verdict.ruling) == (each.delivered, each.ruling)
        assert verdict.past == each.past
        n_clamped += each.findings != ()
        again[each.patient] = verdict.past
    assert n_clamped > 20
    assert again == dict(enumerate(pasts))
    path.write_bytes(path.read_bytes()[:-30])
    told = decisions(path)
    with pytest.raises(InputError, match="is cut off"):
        list(told)


HOSTILE = {
    "a text for a number": ("at_s", "0"),
    "a truth for a number": ("ramp_s", True),
    "a fraction": ("at_s", 0.5),
    "an unknown ruling": ("ruling", "obeyed"),
    "a ruling that is a list": ("ruling", []),
    "a negative amplitude": ("delivered", {"amplitude_ua": -1}),
    "an unknown mode": ("delivered", {"mode": "loud"}),
    "no past": ("past", None),
    "another past": ("past", {"is_latched": False}),
    "findings in pieces": ("findings", [["tick", "SR-02"]]),
}


@pytest.mark.req("SR-28")
@pytest.mark.parametrize(("name", "value"), HOSTILE.values(), ids=HOSTILE)
def test_a_record_that_makes_no_sense_is_one_sentence(tmp_path, name: str, value) -> None:
    record = json.loads(json.dumps(intent_of(verdict_of(Past.start(0), 0), 0)))
    record[name] = record[name] | value if type(value) is dict else value
    path = tmp_path / "log"
    first = line_of({"kind": "open", "schema": 2}, 0, "0" * 64, "e", "m")
    path.write_bytes(first + line_of(record, 1, sha256(first).hexdigest(), "e", "m"))
    assert verify(path).is_intact  # the chain is right
    with pytest.raises(InputError, match="record 1"):
        list(decisions(path))
    if name == "past":
        with pytest.raises(InputError, match="record 1"):
            recover(path)
