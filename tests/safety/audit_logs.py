"""Logs for the tests of the audit log: two patients one by one, or many as groups."""

from dataclasses import replace
from pathlib import Path

from protocols import Setting
from safety import AuditLog, Past, Verdict, group_of, review
from tests.safety.strategies import DAY, propose, small_envelope

ENVELOPE = small_envelope()
WISH = Setting(site=0, amplitude_ua=4999, frequency_hz=50, pulse_width_us=120)


def verdict_of(past: Past, epoch: int) -> Verdict:
    """Return what is decided for a patient who is asked about another site each day."""
    wish = replace(WISH, site=(epoch + past.patient) % 4)
    return review(propose(ENVELOPE, past, wish, epoch * DAY), past, ENVELOPE, epoch * DAY)


def live(log: AuditLog, pasts: list[Past], epoch: int) -> None:
    """Log one epoch of each patient, intents before outcomes; `pasts` go on."""
    intents = []
    for patient, past in enumerate(pasts):
        verdict = verdict_of(past, epoch)
        intents.append(log.intend(verdict, at_s=epoch * DAY))
        pasts[patient] = verdict.past
    for intent in intents:
        log.conclude(intent, at_s=epoch * DAY, stimulation_s=60, charge_uc=7, n_incidents=0)


def live_together(log: AuditLog, pasts: list[Past], epoch: int) -> None:
    """Log one epoch of all patients as a group; `pasts` go on."""
    verdicts = [verdict_of(past, epoch) for past in pasts]
    times, n = [epoch * DAY] * len(pasts), len(pasts)
    number = log.intend_group(group_of(verdicts, times))
    pasts[:] = [verdict.past for verdict in verdicts]
    charges = [7 + index for index in range(n)]
    log.conclude_group(
        number, at_s=times, stimulation_s=[60] * n, charge_uc=charges, n_incidents=[0] * n
    )


def write(path: Path, n_epochs: int = 3, *, durable: bool = False) -> str:
    """Write the log of two patients; return the hash of its last record."""
    pasts = [Past.start(patient) for patient in (0, 1)]
    with AuditLog(path, envelope_hash=ENVELOPE.hash, durable=durable) as log:
        for epoch in range(n_epochs):
            live(log, pasts, epoch)
    return log.head
