"""Between two epochs: who is latched stays off for a whole one, and the log says who released."""

from dataclasses import replace
from pathlib import Path

import pytest

from neurostim.clinic import SIMULATED_PEOPLE, after_epoch
from protocols import OFF, Observation, Setting
from protocols.observation import Telemetry
from safety import AuditLog, Latch, LogSealedError, NotTolerated, Past, Rule, load_envelope, review
from safety.audit_reading import Reader
from safety.columns import Pasts
from safety.people import check_two_roles

ENVELOPE = load_envelope("research").replaced(adverse_site_grade=2, adverse_patient_grade=3)
LOW = Setting(site=1, amplitude_ua=1000, frequency_hz=50, pulse_width_us=120)
DAY = 86_400
SITE, WHOLE = Latch(1, Rule.ADVERSE_EVENT, 0), Latch(None, Rule.DEFECT, 0)


def told(grade: int | None, setting: Setting = LOW) -> Observation:
    telemetry = Telemetry(
        setting=setting,
        stimulation_s=1,
        charge_uc=1,
        energy_mj=1,
        impedance_ohm=1000,
        battery_permille=1000,
        n_incidents=0,
    )
    return Observation(
        start_day=0,
        days=7,
        n_seizures=1,
        days_recorded=7,
        worst_grade=grade,
        telemetry=telemetry,
    )


def clinic(path: Path, pasts: list[Past], grades: list[int | None]) -> list[Past]:
    """Return the pasts after an epoch of these grades; each patient's ended at another second."""
    with AuditLog(path, envelope_hash=ENVELOPE.hash, durable=False) as log:
        times = [7 * DAY + row for row in range(len(pasts))]
        observations = [told(grade) for grade in grades]
        after = after_epoch(Pasts.of(pasts), ENVELOPE, log, observations, times)
    return [after.past(row) for row in range(len(pasts))]


def records(path: Path) -> list[dict]:
    return [record for record in Reader().records(path) if record["kind"] not in ("open", "close")]


def ran(patient: int, *latches: Latch) -> Past:
    return replace(Past.start(patient), delivered=OFF if latches else LOW, latches=latches)


@pytest.mark.req("SR-16")
def test_an_event_latches_its_patient_alone_and_is_logged(tmp_path: Path) -> None:
    pasts = [ran(patient) for patient in range(5)]
    after = clinic(tmp_path / "log", pasts, [None, 0, 1, 2, 3])
    assert after[:3] == pasts[:3]
    for row, site in ((3, 1), (4, None)):
        assert after[row].latches == (Latch(site, Rule.ADVERSE_EVENT, 7 * DAY + row),)
        assert after[row].not_tolerated == (NotTolerated(1, 120, 1000),)
        assert after[row].lockout_until_s == 7 * DAY + row + ENVELOPE.lockout_s
    told_of = [(each["kind"], each["patient"], each["grade"]) for each in records(tmp_path / "log")]
    assert told_of == [("adverse-event", 3, 2), ("adverse-event", 4, 3)]


@pytest.mark.req("SR-16")
def test_a_latch_is_released_by_two_people_after_the_epoch_and_the_log_says_so(
    tmp_path: Path,
) -> None:
    check_two_roles(SIMULATED_PEOPLE, "releasing")
    after = clinic(tmp_path / "log", [ran(0), ran(1, SITE, WHOLE), ran(2, SITE)], [0, 0, 0])
    assert [past.latches for past in after] == [(), (), ()]
    assert after[0] == ran(0)
    assert after[1] == replace(ran(1), delivered=OFF, at_s=7 * DAY + 1)
    rows = records(tmp_path / "log")
    assert [(each["kind"], each["patient"]) for each in rows] == [
        ("acknowledgement", 1),
        ("acknowledgement", 1),
        ("acknowledgement", 2),
    ]
    for row in rows:
        assert row["by"] == [
            {"name": "simulated clinician", "role": "clinician"},
            {"name": "simulated safety officer", "role": "safety-officer"},
        ]
    assert [row["latch"]["rule"] for row in rows] == ["adverse-event", "defect", "adverse-event"]
    assert len(rows[0]["past"]["latches"]) == 1


@pytest.mark.req("SR-16")
def test_a_new_event_latches_again_at_once(tmp_path: Path) -> None:
    (after,) = clinic(tmp_path / "log", [ran(0, SITE)], [3])
    assert after.latches == (Latch(None, Rule.ADVERSE_EVENT, 7 * DAY),)
    kinds = [each["kind"] for each in records(tmp_path / "log")]
    assert kinds == ["acknowledgement", "adverse-event"]
    verdict = review(None, after, ENVELOPE, 7 * DAY)
    assert verdict.delivered == OFF


@pytest.mark.req("SR-16")
@pytest.mark.parametrize(("site", "patient", "least"), [(2, 3, 2), (4, 1, 1), (4, 4, 4)])
def test_the_least_grade_that_changes_anything_is_that_of_the_envelope(
    tmp_path: Path, site: int, patient: int, least: int
) -> None:
    envelope = ENVELOPE.replaced(adverse_site_grade=site, adverse_patient_grade=patient)
    for grade in range(5):
        path = tmp_path / f"log{grade}"
        with AuditLog(path, envelope_hash=envelope.hash, durable=False) as log:
            after = after_epoch(Pasts.of([ran(0)]), envelope, log, [told(grade)], [DAY])
        assert bool(after.past(0).latches) is (grade >= least)
        assert bool(records(path)) is (grade >= least)


@pytest.mark.req("SR-20")
def test_what_cannot_be_logged_is_not_released(tmp_path: Path, monkeypatch) -> None:
    before = Pasts.of([ran(0, SITE)])
    with AuditLog(tmp_path / "log", envelope_hash=ENVELOPE.hash, durable=False) as log:
        monkeypatch.setattr("safety.audit_file.os.write", lambda file, line: 0)
        with pytest.raises(LogSealedError):
            after_epoch(before, ENVELOPE, log, [told(0)], [DAY])
        monkeypatch.undo()
    assert before.past(0).latches == (SITE,)
