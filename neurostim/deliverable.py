"""Which settings of the list the gate would let through right now, asked without touching anything.

What a device can do as such is a property of the envelope. What it may do next also depends on the
patient: on what runs now, on how much rose lately, on latches and lock-outs.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurostim.history import Integers, setting_row
from protocols import Setting
from safety import Envelope, Ruling
from safety.columns import Pasts, Proposals
from safety.columns_review import review_columns


def deliverable_now(
    candidates: Sequence[Setting], pasts: Pasts, envelope: Envelope, now: Integers
) -> NDArray[np.bool_]:
    """Whether each of M settings would be delivered as it stands to each of B patients, `B M`.

    `now` is each patient's time in seconds. The verdicts asked for here are forgotten.
    """
    n_patients, n_settings = pasts.n_rows, len(candidates)
    rows = np.repeat(np.arange(n_patients), n_settings)
    asked = pasts.rows(rows)
    sequence = asked.sequence + 1
    for row, past in asked.others.items():
        sequence[row] = past.sequence + 1
    wanted = np.array([setting_row(each) for each in candidates], dtype=np.int64).T
    verdicts = review_columns(
        Proposals(
            patient=_patients(asked),
            sequence=sequence,
            at_s=now[rows],
            envelope_hash=envelope.hash,
            setting=np.tile(wanted, n_patients),
        ),
        asked,
        envelope,
        now[rows],
    )
    allowed = np.ones(len(rows), dtype=np.bool_)
    for row, verdict in verdicts.others.items():
        is_as_wanted = verdict.delivered == candidates[row % n_settings]
        allowed[row] = verdict.ruling is Ruling.ACCEPTED and is_as_wanted
    return allowed.reshape(n_patients, n_settings)


def _patients(pasts: Pasts) -> Integers:
    patients = pasts.patient.copy()
    for row, past in pasts.others.items():
        patients[row] = past.patient
    return patients
