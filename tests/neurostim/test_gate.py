"""How a trial passes the gate: the same rows by columns or one by one, and a log that is full."""

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neurostim import gate as gate_module
from neurostim.asking import Wish
from neurostim.gate import Gate, passed
from neurostim.history import Integers
from neurostim.plan import Plan, make_plan
from neurostim.trial import run
from protocols import OFF, InputError, Setting
from protocols.design import Design, load_design
from safety import (
    AuditLog,
    Envelope,
    Past,
    Rule,
    Ruling,
    decisions,
    load_envelope,
    review,
    verify,
)
from safety.audit_file import LogFile
from safety.columns import Pasts, Proposals, Verdicts, with_others

GOOD = Setting(site=0, amplitude_ua=2000, frequency_hz=145, pulse_width_us=90)
DAY = 86_400


def one_by_one(proposals: Proposals, pasts: Pasts, envelope: Envelope, now: Integers) -> Verdicts:
    rows = range(pasts.n_rows)
    none = Verdicts(
        delivered=np.zeros((7, len(rows)), dtype=np.int64),
        ramp_s=np.zeros(len(rows), dtype=np.int64),
        others={},
        pasts=pasts,
    )
    return with_others(
        none,
        {
            row: review(proposals.proposal(row), pasts.past(row), envelope, int(now[row]))
            for row in rows
        },
    )


def strict_plan(block_size: int) -> Plan:
    """A short trial under an envelope in which latches, clamps and lock-outs are common."""
    raw = load_design("demo").model_dump(mode="json")
    raw["population"]["n_patients"] = 12
    raw["arms"] = [arm for arm in raw["arms"] if arm["controller"] in ("titration", "random")]
    raw["analysis"]["reference"] = "titration"
    raw["schedule"] |= {"baseline_days": 28, "treatment_days": 168, "evaluation_days": 28}
    plan = make_plan(
        Design.model_validate(raw), seed=5, compute="cpu", block_size=block_size, is_isolated=False
    )
    strict = plan.envelope.replaced(
        rise_window_s=40 * DAY,
        rise_amplitude_ua=3000,
        rise_charge_nc_per_s=60_000,
        step_amplitude_ua=2000,
        adverse_site_grade=1,
        adverse_patient_grade=2,
        lockout_s=30 * DAY,
        max_contact_current_ua=5000,
    )
    return replace(plan, envelope=strict)


def tables_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "epochs").iterdir())}


def epochs_of(folder: Path) -> pd.DataFrame:
    tables = [pd.read_parquet(path) for path in sorted((folder / "epochs").iterdir())]
    return pd.concat(tables).sort_values(["arm", "patient", "epoch"], ignore_index=True)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strict") / "run"
    run(strict_plan(5), folder)
    return folder


@pytest.mark.req("SR-06")
def test_a_trial_by_columns_has_the_bytes_of_one_reviewed_patient_by_patient(
    strict: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = epochs_of(strict)
    met = set(";".join(epochs["rules"]).split(";"))
    assert {"latched", "site-latched", "lockout", "step", "contact-current"} <= met
    monkeypatch.setattr(gate_module, "review_columns", one_by_one)
    run(strict_plan(5), tmp_path / "alone")
    assert tables_of(tmp_path / "alone") == tables_of(strict)


@pytest.mark.req("SR-06")
@pytest.mark.parametrize("block_size", [1, 12])
def test_the_size_of_the_block_changes_no_row(
    strict: Path, tmp_path: Path, block_size: int
) -> None:
    run(strict_plan(block_size), tmp_path / "other")
    pd.testing.assert_frame_equal(epochs_of(tmp_path / "other"), epochs_of(strict))


@pytest.mark.req("SR-19")
def test_the_log_says_of_every_epoch_what_the_table_says(strict: Path) -> None:
    epochs = epochs_of(strict)
    said = []
    for path in sorted((strict / "audit").glob("*.jsonl")):
        assert verify(path).is_whole
        arm = pd.read_parquet(strict / "epochs" / f"{path.stem}.parquet")["arm"].iloc[0]
        said += [
            (arm, each.patient, each.at_s // DAY, each.delivered.amplitude_ua, str(each.ruling))
            for each in decisions(path)
        ]
    columns = ["arm", "patient", "start_day", "delivered_amplitude_ua", "ruling"]
    assert sorted(said) == sorted(epochs[columns].itertuples(index=False, name=None))


@pytest.mark.req("SR-16")
def test_every_latch_and_every_release_is_in_the_log(strict: Path) -> None:
    text = "".join(path.read_text() for path in (strict / "audit").glob("*.jsonl"))
    n_harmed = (epochs_of(strict)["worst_grade"] >= 1).sum()
    assert n_harmed > 0
    assert text.count('"kind":"adverse-event"') == n_harmed
    assert text.count('"kind":"acknowledgement"') > 0


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A disk that takes so many more lines, the one number of the list; less than 0 is any."""
    left, write = [-1], LogFile._write

    def written(file: LogFile, line: bytes) -> None:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        write(file, line)

    monkeypatch.setattr(LogFile, "_write", written)
    return left


@pytest.mark.req("SR-20")
def test_while_nothing_can_be_logged_nothing_rises_and_stops_are_done(
    tmp_path: Path, full_disk: list[int]
) -> None:
    envelope = load_envelope("research")
    wishes = [
        replace(GOOD, amplitude_ua=3000),
        replace(GOOD, amplitude_ua=1000),
        OFF,
        GOOD,
        float("nan"),
    ]
    pasts = Pasts.of([replace(Past.start(row), delivered=GOOD) for row in range(5)])
    with AuditLog(tmp_path / "log", envelope_hash=envelope.hash, durable=False) as log:
        full_disk[0] = 0
        gate, asked = Gate(envelope=envelope, log=log), [Wish(setting=each) for each in wishes]
        through = passed(gate, range(5), asked, pasts, np.full(5, DAY, dtype=np.int64))
    assert through.verdicts.settings() == [GOOD, wishes[1], OFF, GOOD, GOOD]
    assert through.intents == ()
    assert through.sealed is not None


@pytest.mark.req("SR-20")
def test_what_was_logged_before_the_disk_was_full_is_delivered_as_logged(
    tmp_path: Path, full_disk: list[int]
) -> None:
    envelope = load_envelope("research")
    more = replace(GOOD, amplitude_ua=3000)
    pasts = Pasts.of([replace(Past.start(row), delivered=GOOD) for row in range(3)])
    with AuditLog(tmp_path / "log", envelope_hash=envelope.hash, durable=False) as log:
        full_disk[0] = 1  # the group of those reviewed alone comes first
        wishes = [Wish(setting=each) for each in (more, replace(more, amplitude_ua=3050), more)]
        through = passed(Gate(envelope=envelope, log=log), range(3), wishes, pasts, np.full(3, DAY))
        assert through.verdicts.settings() == [GOOD, more, GOOD]
        assert through.verdicts.verdict(1).ruling is Ruling.CLAMPED
        assert through.verdicts.verdict(1).findings[0].rule is Rule.TICK
        assert [rows for rows, _ in through.intents] == [[1]]
        assert log.is_sealed
    assert [each.delivered for each in decisions(tmp_path / "log")] == [more]


@pytest.mark.req("SR-20")
@pytest.mark.parametrize("n_lines", [0, 1, 4, 7])
def test_a_full_disk_ends_the_trial_in_one_sentence_and_loses_nothing(
    strict: Path, tmp_path: Path, full_disk: list[int], n_lines: int
) -> None:
    full_disk[0] = n_lines
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        run(strict_plan(5), tmp_path / "run")
    assert not list((tmp_path / "run").glob("epochs/*"))
    full_disk[0] = -1
    run(strict_plan(5), tmp_path / "run")
    assert tables_of(tmp_path / "run") == tables_of(strict)
