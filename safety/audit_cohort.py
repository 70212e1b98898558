"""What the log says of one epoch of many patients, made of columns where they are ordinary."""

from dataclasses import fields
from functools import cache

from protocols.setting import INTEGER_FIELDS
from safety.audit_columns import Columns, flattened
from safety.audit_plain import hints_of
from safety.audit_records import Group, group_of
from safety.columns import KINDS, MODES, NUMBERS, Lists, Pasts, Verdicts
from safety.verdict import Past, Ruling, Verdict


def groups_of(verdicts: Verdicts, at_s: list[int]) -> list[tuple[list[int], Group]]:
    """Return the groups of one epoch, each with its rows: those reviewed alone, and the ordinary.

    `group_of` makes the same of the same verdicts. `at_s` is the time of each row.
    """
    groups = []
    if verdicts.others:
        rows, alone = list(verdicts.others), list(verdicts.others.values())
        groups.append((rows, group_of(alone, [at_s[row] for row in rows])))
    ordinary = verdicts.ordinary
    if ordinary.size:
        rows = ordinary.tolist()
        ramp_s = verdicts.ramp_s[ordinary].tolist()
        columns = accepted(verdicts.pasts.rows(ordinary), [at_s[row] for row in rows], ramp_s)
        groups.append((rows, Group(n_patients=len(rows), columns=columns)))
    return groups


def accepted(pasts: Pasts, at_s: list[int], ramp_s: list[int]) -> Columns:
    """Return the columns of `group_of` for patients whose proposals were all accepted."""
    n_rows = pasts.n_rows
    columns: Columns = {
        "at_s": at_s,
        "ramp_s": ramp_s,
        "ruling": [Ruling.ACCEPTED] * n_rows,
        "findings": [()] * n_rows,
    }
    for name in NUMBERS:
        columns[f"past.{name}"] = getattr(pasts, name).tolist()
    *numbers, modes = pasts.delivered.tolist()
    for name, column in zip(INTEGER_FIELDS, numbers, strict=True):
        columns[f"past.delivered.{name}"] = column
    columns["past.delivered.mode"] = [MODES[mode] for mode in modes]
    for name, kind in KINDS.items():
        lists: Lists = getattr(pasts, name)
        columns[f"past.{name}"] = lists.n.tolist()
        items = lists.in_a_row()
        for index, each in enumerate(fields(kind)):
            columns[f"past.{name}.each.{each.name}"] = items[:, index].tolist()
    return columns | without_items() | {"past.latches": [0] * n_rows}


@cache
def without_items() -> Columns:
    """Return the columns of no latch, and of no wish apart from what is delivered."""
    columns = dict(flattened("past.latches", hints_of(Past)["latches"], []))
    columns.update(flattened("wanted", hints_of(Verdict)["wanted"], []))
    return columns
