"""How a trial passes the gate: wishes in, verdicts out, and both ends of each epoch in the log."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurostim.asking import Wish
from neurostim.history import SETTING_COLUMNS, Integers
from patient_models import Outcome
from protocols import SECONDS_PER_DAY, Proposal
from safety import AuditLog, Envelope, LogSealedError, review_unlogged
from safety.audit_cohort import groups_of
from safety.columns import Pasts, Proposals, Verdicts, column_of, with_others
from safety.columns_review import review_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The safety layer as one arm uses it: the envelope in force and the log of what it decided."""

    envelope: Envelope
    log: AuditLog


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passed:
    """What the gate lets through, and the intents in the log with the rows that each is about.

    `sealed` is why the rest could not be logged; of those rows nothing rises.
    """

    verdicts: Verdicts
    intents: tuple[tuple[list[int], int], ...]
    sealed: LogSealedError | None


def passed(
    gate: Gate, patients: Sequence[int], wishes: Sequence[Wish], pasts: Pasts, now: Integers
) -> Passed:
    """Review a wish for each patient at its own time, and log the intent of each."""
    proposals = _proposals(gate, patients, wishes, pasts, now)
    verdicts = review_columns(proposals, pasts, gate.envelope, now)
    intents, unlogged, sealed = [], [], None
    for rows, group in groups_of(verdicts, now.tolist()):
        try:
            intents.append((rows, gate.log.intend_group(group)))
        except LogSealedError as error:
            unlogged += rows
            sealed = error
    alone = {
        row: review_unlogged(proposals.proposal(row), pasts.past(row), gate.envelope, int(now[row]))
        for row in unlogged
    }
    return Passed(verdicts=with_others(verdicts, alone), intents=tuple(intents), sealed=sealed)


def conclude(
    gate: Gate, intents: Sequence[tuple[list[int], int]], outcomes: Sequence[Outcome]
) -> None:
    """Log what the device of each patient reports."""
    for rows, intent in intents:
        told = [outcomes[row] for row in rows]
        telemetry = [outcome.observation.telemetry for outcome in told]
        gate.log.conclude_group(
            intent,
            at_s=[outcome.state.day * SECONDS_PER_DAY for outcome in told],
            stimulation_s=[each.stimulation_s for each in telemetry],
            charge_uc=[each.charge_uc for each in telemetry],
            n_incidents=[each.n_incidents for each in telemetry],
        )


def _proposals(
    gate: Gate, patients: Sequence[int], wishes: Sequence[Wish], pasts: Pasts, now: Integers
) -> Proposals:
    """What was wished, addressed; a wish that is no column of whole numbers goes as it is."""
    sequence = pasts.sequence + 1
    for row, past in pasts.others.items():
        sequence[row] = past.sequence + 1
    # Many patients are often offered one and the same object: it is read once.
    offered = {id(wish.setting): wish.setting for wish in wishes}
    read = {key: column_of(value) for key, value in offered.items()}
    none = (0,) * len(SETTING_COLUMNS)
    rows = [read[id(wish.setting)] for wish in wishes]
    others: dict[int, object] = {
        row: Proposal(
            patient=patients[row],
            sequence=int(sequence[row]),
            at_s=int(now[row]),
            envelope_hash=gate.envelope.hash,
            setting=wishes[row].setting,
        )
        for row, column in enumerate(rows)
        if column is None
    }
    return Proposals(
        patient=np.array(patients, dtype=np.int64),
        sequence=sequence,
        at_s=now,
        envelope_hash=gate.envelope.hash,
        setting=np.array([row or none for row in rows], dtype=np.int64).T.copy(),
        others=others,
    )
