"""How long the audit log takes: a group of patients as columns, and a patient alone.

    python tests/benchmarks/audit_speed.py [--patients 10000] [--epochs 6]

CPU time of one thread, the least over the epochs, in µs for each patient and epoch; research
profile, random deliverable settings a week apart, on a file that is not synced.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from protocols import Proposal
from safety import AuditLog, Past, Verdict, group_of, load_envelope, recover, review, verify

WEEK_S = 7 * 86_400
Timings = dict[str, float]


def timed(name: str, timings: Timings, n: int, call: Callable[..., Any], *of: Any) -> Any:
    """Return what `call` returns of `of`; keep the least time it took for each of `n`."""
    before = time.process_time()
    result = call(*of)
    taken = (time.process_time() - before) / n * 1e6
    timings[name] = min(taken, timings.get(name, taken))
    return result


def intend_each(log: AuditLog, verdicts: list[Verdict], now: int) -> None:
    """Log each verdict as a record of its own."""
    for verdict in verdicts:
        log.intend(verdict, at_s=now)


def measure(n_patients: int, n_epochs: int, folder: Path) -> Timings:
    """Return the times of every step."""
    envelope, luck, timings = load_envelope("research"), Random(1), Timings()
    candidates = [*envelope.space]
    pasts = [Past.start(patient) for patient in range(n_patients)]
    path, alone = folder / "groups", folder / "alone"
    with (
        AuditLog(path, envelope_hash=envelope.hash, durable=False) as log,
        AuditLog(alone, envelope_hash=envelope.hash, durable=False) as single,
    ):
        for epoch in range(n_epochs):
            now = epoch * WEEK_S
            verdicts = []
            for past in pasts:
                proposal = Proposal(
                    patient=past.patient,
                    sequence=past.sequence + 1,
                    at_s=now,
                    envelope_hash=envelope.hash,
                    setting=luck.choice(candidates),
                )
                verdicts.append(review(proposal, past, envelope, now))
            pasts = [verdict.past for verdict in verdicts]
            times = [now] * n_patients
            group = timed("group_of", timings, n_patients, group_of, verdicts, times)
            number = timed("intend_group", timings, n_patients, log.intend_group, group)
            columns = {
                "at_s": times,
                "stimulation_s": [600 + index % 7 for index in range(n_patients)],
                "charge_uc": [1000 * index for index in range(n_patients)],
                "n_incidents": [0] * n_patients,
            }
            conclude = partial(log.conclude_group, number, **columns)
            timed("conclude_group", timings, n_patients, conclude)
            timed("intend", timings, n_patients, intend_each, single, verdicts, now)
    n_rows = n_patients * n_epochs
    check = timed("verify", timings, n_rows, verify, path)
    found = timed("recover", timings, n_rows, recover, path)
    assert check.is_whole
    assert found.pasts == {past.patient: past for past in pasts}
    timings["bytes in the file"] = path.stat().st_size / n_rows
    return timings


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        for name, value in measure(options.patients, options.epochs, Path(folder)).items():
            print(f"{name:20}{value:8.2f}")


if __name__ == "__main__":
    main()
