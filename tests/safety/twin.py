"""The gate by columns beside the gate itself: the same questions to both, and every answer."""

from collections.abc import Sequence

import numpy as np

from protocols import Proposal
from safety import Envelope, Past, Verdict, review
from safety.columns import Pasts, Proposals, Verdicts, column_of
from safety.columns_review import review_columns

ADDRESS = ("patient", "sequence", "at_s")


def columns_of(asked: Sequence[object], envelope_hash: str) -> Proposals:
    """Return proposals as columns where they are whole numbers for one envelope."""
    columns = {name: np.zeros(len(asked), dtype=np.int64) for name in ADDRESS}
    setting = np.zeros((7, len(asked)), dtype=np.int64)
    others = {}
    for row, each in enumerate(asked):
        column = column_of(each.setting) if type(each) is Proposal else None
        if column is None or not is_plain(each, envelope_hash):
            others[row] = each
            continue
        setting[:, row] = column
        for name in ADDRESS:
            columns[name][row] = getattr(each, name)
    return Proposals(**columns, envelope_hash=envelope_hash, setting=setting, others=others)


def is_plain(asked: Proposal, envelope_hash: str) -> bool:
    """Whether the address of a proposal fits columns."""
    numbers = [getattr(asked, name) for name in ADDRESS]
    is_whole = all(type(number) is int and abs(number) < 2**63 for number in numbers)
    return is_whole and type(asked.envelope_hash) is str and asked.envelope_hash == envelope_hash


def same_by_columns(
    asked: Sequence[object], pasts: Pasts, envelope: Envelope, now: Sequence[int]
) -> Verdicts:
    """Return the verdicts by columns after comparing each of them with `review`'s."""
    found = review_columns(
        columns_of(asked, envelope.hash), pasts, envelope, np.array(now, dtype=np.int64)
    )
    settings = found.settings()
    for row, each in enumerate(asked):
        expected = review(each, pasts.past(row), envelope, now[row])
        assert found.verdict(row) == expected, (each, pasts.past(row))
        assert found.pasts.past(row) == expected.past
        assert settings[row] == expected.delivered
    return found


def verdicts_of(found: Verdicts) -> list[Verdict]:
    """Return every verdict."""
    return [found.verdict(row) for row in range(found.pasts.n_rows)]


def started(n_patients: int) -> Pasts:
    """Return the pasts of patients who have never been stimulated."""
    return Pasts.of([Past.start(patient) for patient in range(n_patients)])
