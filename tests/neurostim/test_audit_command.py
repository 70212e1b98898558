"""What people see of an audit log: whether it is whole, and what it says."""

import json
import tracemalloc
from hashlib import sha256
from pathlib import Path

import pytest
from running import Run

from neurostim.audit_rows import Narrator
from safety import AuditLog, Past, anchor_path, verify
from safety.audit_reading import Reader
from safety.audit_records import line_of
from tests.safety.audit_logs import ENVELOPE, live, live_together, write

DAY = 86_400


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    pasts = [Past.start(patient) for patient in range(3)]
    with AuditLog(path, envelope_hash=ENVELOPE.hash, durable=False) as written:
        live(written, pasts, 0)
        live_together(written, pasts, 1)
        written.adverse_event(pasts[1], at_s=DAY + 3661, grade=2, setting=pasts[1].delivered)
        written.controller_fault(2, at_s=2 * DAY, sentence="[red]\x1b[2J\u202ehung\nup")
        written.envelope_changed("f" * 64, at_s=3 * DAY, by=())
    return path


def test_a_whole_log_exits_with_0_and_any_other_with_1(run: Run, log: Path, tmp_path: Path) -> None:
    write(tmp_path / "second")
    code, out, err = run("audit", "verify", str(log), str(tmp_path / "second"))
    assert (code, err) == (0, "")
    assert out.count("the log is whole") == 2
    content = (tmp_path / "second").read_bytes()
    (tmp_path / "second").write_bytes(content[:1000])
    code, out, _ = run("audit", "verify", str(tmp_path / "second"), str(tmp_path / "no"), str(log))
    assert code == 1
    first, second, third = out.splitlines()
    assert first.startswith("not whole")
    assert "is cut off (line 2, from byte" in first
    assert "cannot be read" in second
    assert third.startswith("whole")


def test_json_says_the_same(run: Run, log: Path, tmp_path: Path) -> None:
    code, out, _ = run("audit", "verify", "--json", str(log), str(tmp_path / "no"))
    assert code == 1
    whole, missing = (json.loads(line) for line in out.splitlines())
    assert whole["is_whole"] is True
    assert whole["n_records"] == verify(log).n_records
    assert whole["head"] == verify(log).head
    assert missing["is_whole"] is False
    assert "cannot be read" in missing["sentence"]


def test_an_anchor_elsewhere_is_for_one_log(run: Run, log: Path, tmp_path: Path) -> None:
    anchor = tmp_path / "kept"
    anchor_path(log).rename(anchor)
    assert run("audit", "verify", str(log))[0] == 1
    assert run("audit", "verify", str(log), "--anchor", str(anchor))[0] == 0
    code, _, err = run("audit", "verify", str(log), str(log), "--anchor", str(anchor))
    assert code == 2
    assert "one log was expected" in err
    assert len(err.splitlines()) == 1


def test_show_tells_every_record_and_nothing_steers_the_terminal(run: Run, log: Path) -> None:
    code, out, _ = run("audit", "show", str(log))
    assert code == 0
    assert "grade 2 under" in out
    assert "1 01:01" in out
    assert "put in force by nobody" in " ".join(out.split())
    assert "stimulated for 60 s, 9 µC" in " ".join(out.split())
    assert "\x1b" not in out
    assert "\u202e" not in out
    words = "".join(out.split())
    assert r"[red]\x1b[2J\u202ehung\nup" in words
    assert "the log is whole" in out


def test_show_takes_patient_days_and_interventions(run: Run, log: Path) -> None:
    def events(*options: str) -> list[list[str]]:
        lines = run("audit", "show", str(log), *options)[1].splitlines()[1:-1]
        return [line.split()[:3] for line in lines if line[:11].strip()]

    assert {row[1] for row in events("--patient", "1") if row[1] != "01:01"} == {"1"}
    assert {row[0] for row in events("--from", "1", "--to", "1")} == {"1"}
    assert {row[0] for row in events("--from", "3")} == {"3"}
    assert not any("outcome" in row for row in events("--interventions"))
    assert any("clamped" in row for row in events("--interventions"))


def test_show_stops_where_the_log_stops_being_sound(run: Run, log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:4] + lines[5:]))
    code, out, _ = run("audit", "show", str(log))
    assert code == 1
    assert "record 4 is numbered 5: 1 before it were taken out" in out


def test_a_record_that_makes_no_sense_is_one_sentence(run: Run, tmp_path: Path) -> None:
    first = line_of({"kind": "open", "schema": 2}, 0, "0" * 64, "e", "m")
    fault = {"kind": "fault", "patient": "\x1b[2J", "at_s": [], "sentence": 7}
    path = tmp_path / "log"
    path.write_bytes(first + line_of(fault, 1, sha256(first).hexdigest(), "e", "m"))
    code, _, err = run("audit", "show", str(path))
    assert code == 2
    assert "record 1, at_s = []: int was expected" in err
    assert "\x1b" not in err
    assert len(err.splitlines()) == 1


def test_a_long_log_is_told_in_less_memory_than_it_is_long(tmp_path: Path) -> None:
    def peak(path: Path) -> int:
        narrator, reader = Narrator(), Reader()
        tracemalloc.start()
        n_rows = sum(1 for record in reader.records(path) for _ in narrator.rows(record))
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert n_rows >= reader.n_records
        return memory

    path = tmp_path / "long"
    pasts = [Past.start(patient) for patient in range(2)]
    with AuditLog(path, envelope_hash=ENVELOPE.hash, durable=False) as log:
        for epoch in range(400):
            (live_together if epoch % 2 else live)(log, pasts, epoch)
    assert path.stat().st_size > 500_000
    assert peak(path) < path.stat().st_size / 4
