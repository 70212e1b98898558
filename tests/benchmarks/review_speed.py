"""How fast the gate is by columns and one by one, with some unusual rows; one core.

python tests/benchmarks/review_speed.py --patients 10000
"""

import argparse
import time
from random import Random

import numpy as np

from protocols import Proposal, Setting
from safety import Envelope, Past, deliverable, load_envelope, review
from safety.columns import Pasts, Proposals, column_of
from safety.columns_review import review_columns

WEEK_S = 7 * 86_400


def settings_of(envelope: Envelope, n: int) -> list[Setting]:
    """Return so many of the settings that the envelope permits."""
    return Random(1).sample(deliverable(envelope.space, envelope), n)


def by_columns(
    envelope: Envelope, settings: list[Setting], n_patients: int, n_epochs: int, share: float
) -> tuple[float, float]:
    """Return the fewest seconds of one epoch, and the share of its rows that went one by one.

    Unusual rows want an amplitude between two ticks, so that it is clamped.
    """
    luck = np.random.default_rng(2)
    candidates = np.array([column_of(setting) for setting in settings], dtype=np.int64).T
    pasts = Pasts.of([Past.start(patient) for patient in range(n_patients)])
    seconds, n_alone = [], 0
    for epoch in range(n_epochs):
        setting = candidates[:, luck.integers(0, candidates.shape[1], n_patients)]
        setting[1] += luck.random(n_patients) < share
        now = np.full(n_patients, epoch * WEEK_S)
        proposals = Proposals(
            patient=pasts.patient,
            sequence=pasts.sequence + 1,
            at_s=now,
            envelope_hash=envelope.hash,
            setting=setting,
        )
        began = time.perf_counter()
        verdicts = review_columns(proposals, pasts, envelope, now)
        seconds.append(time.perf_counter() - began)
        pasts, n_alone = verdicts.pasts, n_alone + len(verdicts.others)
    return min(seconds[2:]), n_alone / (n_patients * n_epochs)


def one_by_one(envelope: Envelope, settings: list[Setting], n_patients: int) -> float:
    """Return the fewest seconds of one epoch, reviewed patient by patient."""
    luck = Random(2)
    pasts, seconds = [Past.start(patient) for patient in range(n_patients)], []
    for epoch in range(4):
        now = epoch * WEEK_S
        asked = [
            Proposal(
                patient=past.patient,
                sequence=past.sequence + 1,
                at_s=now,
                envelope_hash=envelope.hash,
                setting=luck.choice(settings),
            )
            for past in pasts
        ]
        began = time.perf_counter()
        verdicts = [
            review(each, past, envelope, now) for each, past in zip(asked, pasts, strict=True)
        ]
        seconds.append(time.perf_counter() - began)
        pasts = [verdict.past for verdict in verdicts]
    return min(seconds[2:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--envelope", default="research")
    options = parser.parse_args()
    envelope = load_envelope(options.envelope)
    settings = settings_of(envelope, 1000)
    print(f"{options.patients} patients, {envelope.name}: reviews per second, alone")
    for share in (0.0, 0.01, 0.1):
        seconds, alone = by_columns(envelope, settings, options.patients, options.epochs, share)
        print(f"columns, {share:4.0%} unusual {options.patients / seconds:12,.0f}  {alone:6.2%}")
    seconds = one_by_one(envelope, settings, options.patients)
    print(f"one by one              {options.patients / seconds:12,.0f}")


if __name__ == "__main__":
    main()
