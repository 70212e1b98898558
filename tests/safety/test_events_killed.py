"""An adverse event that was logged outlives a kill: latched, locked out, and never tolerated."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import safety
from protocols import OFF, Setting
from safety import (
    AuditLog,
    Past,
    Rule,
    after_adverse_event,
    after_restart,
    decisions,
    recover,
    review,
    verify,
)
from safety.rise import start_for
from tests.safety.strategies import DAY, propose, small_envelope
from tests.safety.verification.sizes import rounds

REPOSITORY = Path(safety.__file__).parents[1]
ENVELOPE = small_envelope()
EACH = 200
"""How many events a process logs before it may be killed."""

LIVE = """
import json, sys
from tests.safety.test_events_killed import fall_ill
fall_ill(sys.argv[1], int(sys.argv[2]), lambda event: print(json.dumps(event), flush=True))
"""


def fall_ill(path: str, seed: int, tell) -> None:
    """Deliver to one patient after another, let each fall ill, and tell of it once it is logged."""
    luck, log = Random(seed), AuditLog(path, envelope_hash=ENVELOPE.hash, durable=False)
    tell(None)
    for patient in range(100 * EACH):
        wish = Setting(
            site=luck.randrange(3),
            amplitude_ua=luck.choice(ENVELOPE.amplitude_ua),
            frequency_hz=5,
            pulse_width_us=luck.choice(ENVELOPE.pulse_width_us),
        )
        past, at_s = Past.start(patient), patient * 60
        verdict = review(propose(ENVELOPE, past, wish, at_s), past, ENVELOPE, at_s)
        log.intend(verdict, at_s=at_s)
        grade, setting = luck.randint(2, 4), verdict.delivered
        past = after_adverse_event(verdict.past, ENVELOPE, at_s=at_s, grade=grade, setting=setting)
        log.adverse_event(past, at_s=at_s, grade=grade, setting=setting)
        tell([patient, grade, setting.site, setting.pulse_width_us, setting.amplitude_ua])


def killed(path: Path, seed: int, n_events: int) -> list[list[int]]:
    """Kill a process after so many events; return those that it said were logged."""
    command = [sys.executable, "-c", LIVE, str(path), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "null\n"
        lines = [process.stdout.readline() for _ in range(n_events)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    return [json.loads(line) for line in lines if line.endswith("\n")]


def check_survived(past: Past, told: list[int]) -> None:
    """Check what is left of one event, and that no proposal takes it away."""
    patient, grade, site, width_us, amplitude_ua = told
    where = site if grade < ENVELOPE.adverse_patient_grade else None
    assert [(latch.site, latch.rule) for latch in past.latches] == [(where, Rule.ADVERSE_EVENT)]
    (lowest,) = past.not_tolerated
    assert (lowest.site, lowest.pulse_width_us, lowest.amplitude_ua) == (
        site,
        width_us,
        amplitude_ua,
    )
    restarted = after_restart(past, past.at_s + 5)
    assert restarted.delivered == OFF
    assert restarted.latches == past.latches
    harmful = Setting(site=site, amplitude_ua=amplitude_ua, frequency_hz=5, pulse_width_us=width_us)
    for now in (restarted.at_s, restarted.lockout_until_s - 1, restarted.lockout_until_s + 9 * DAY):
        verdict = review(propose(ENVELOPE, restarted, harmful, now), restarted, ENVELOPE, now)
        assert verdict.delivered == OFF
        assert verdict.past.latches == past.latches
        elsewhere = replace(harmful, site=(site + 1) % 3)
        other = review(propose(ENVELOPE, restarted, elsewhere, now), restarted, ENVELOPE, now)
        is_free = where is not None and now >= restarted.lockout_until_s
        assert other.delivered == (elsewhere if is_free else OFF)
    released = replace(restarted, latches=(), delivered=replace(harmful, amplitude_ua=500))
    assert start_for(harmful, released, ENVELOPE) == OFF
    assert patient == past.patient


def kill(folder: Path, seed: int) -> int:
    """Kill one process somewhere, recover, and check every event it told of; return how many."""
    path = folder / f"log-{seed}"
    told = killed(path, seed, EACH + Random(seed).randrange(EACH // 4))
    found = recover(path)
    assert found.problem == ""
    for event in told:
        check_survived(found.pasts[event[0]], event)
    with AuditLog.resume(found, at_s=found.end.n_records * 60, durable=False):
        pass
    assert verify(path).is_whole
    assert len(list(decisions(path))) >= len(told)
    path.unlink()
    return len(told)


@pytest.mark.req("SR-16")
def test_every_event_of_a_process_that_is_killed_is_still_latched(tmp_path: Path) -> None:
    assert kill(tmp_path, seed=1) >= EACH


@pytest.mark.slow
@pytest.mark.req("SR-16")
def test_10_000_events_outlive_kills(tmp_path: Path) -> None:
    for number in rounds("adverse events", each=EACH):
        assert kill(tmp_path, seed=1000 + number) >= EACH
