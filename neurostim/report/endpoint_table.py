"""The endpoint table of a report: endpoints as rows, arms as columns, and numbered methods."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from neurostim.report.evidence import Evidence
from neurostim.report.words import count, interval, listed, number, p_value

CHAPTERS = {
    "rate_ratio": "Seizures",
    "important_worse": "Who is made worse, or better, than under another arm",
    "gap_in_trial": "What only a simulation can know",
    "unsafe_patients": "Harm and refusals",
    "settings_tried": "Burden",
}
NO_BREAK = "\u00a0"
FALLBACKS = ("Not estimated", "No event")
"""How a method begins that stands in for the endpoint's own."""


def endpoint_rows(evidence: Evidence) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the endpoint table, one cell per arm, and the methods that its notes name.

    One note serves every endpoint of one method; where an arm needed another method, the note says
    so in words. Comparisons with another arm than the reference have rows of their own.
    """
    exceptions: dict[str, dict[str, list[str]]] = {}
    rows = []
    usual = ("", evidence.reference)
    records = evidence.endpoints.to_dict("records")
    for (name, other), found in groupby(
        records,
        key=lambda row: (row["endpoint"], "" if row["against"] in usual else row["against"]),
    ):
        by_arm = {str(row["arm"]): row for row in found}
        first = next(iter(by_arm.values()))
        method = main_method([str(row["method"]) for row in by_arm.values()])
        n = Counter(int(row["n"]) for row in by_arm.values()).most_common(1)[0][0]
        label = f"{first['label']}, against {other}" if other else str(first["label"])
        exceptional = exceptions.setdefault(method, {})
        for stand_in, arms in other_methods(by_arm, method).items():
            exceptional.setdefault(stand_in, []).append(f"“{label}” in {listed(arms)}")
        rows.append(
            {
                "chapter": None if other else CHAPTERS.get(str(name)),
                "label": label,
                "unit": f"{first['unit']}{compared_how(label, by_arm)}",
                "n": count(n),
                "note": 1 + list(exceptions).index(method),
                "cells": [endpoint_cell(by_arm.get(arm), n) for arm in evidence.arms],
            }
        )
    return rows, [note(method, others) for method, others in exceptions.items()]


def compared_how(label: str, by_arm: Mapping[str, Mapping[Any, Any]]) -> str:
    """Return how p was had where the label does not say it, as for the shares of single arms."""
    kinds = {str(row["analysis"]) for row in by_arm.values() if np.isfinite(row["p"])}
    return "".join(f", p {kind}" for kind in sorted(kinds) if kind not in label)


def note(method: str, others: Mapping[str, Sequence[str]]) -> str:
    """Return a method, and in words where another one stood in for it."""
    stand_ins = (f"Except {'; '.join(where)}: {what}" for what, where in others.items())
    return " ".join([method, *stand_ins])


def main_method(methods: Sequence[str]) -> str:
    """Return the method that most arms share, of those that gave what was meant."""
    meant = [method for method in methods if not method.startswith(FALLBACKS)]
    return Counter(meant or methods).most_common(1)[0][0]


def other_methods(by_arm: Mapping[str, Mapping[Any, Any]], method: str) -> dict[str, list[str]]:
    """Return the arms of an endpoint that were estimated in another way, by that way."""
    arms: dict[str, list[str]] = {}
    for arm, row in by_arm.items():
        if row["method"] != method:
            arms.setdefault(str(row["method"]), []).append(arm)
    return arms


def endpoint_cell(row: Mapping[Any, Any] | None, n: int) -> dict[str, str] | None:
    """Return one arm's estimate as text; `n` is what need not be said again."""
    if row is None:
        return None
    unit = str(row["unit"])
    is_known = bool(np.isfinite(row["estimate"]))
    decimals = 0 if unit == "incidents" else None
    asides = []
    if np.isfinite(row["monte_carlo_error"]):
        asides.append(f"±{NO_BREAK}{number(row['monte_carlo_error'], unit)}")
    if np.isfinite(row["p"]):
        error = f" ± {p_value(row['p_error'])}" if row["p_error"] > 0 else ""
        found = (f"p {p_value(row['p'])}{error}", f"adj. {p_value(row['p_adjusted'])}")
        asides += [text.replace(" ", NO_BREAK) for text in found]
    if int(row["n"]) != n:
        asides.append(f"n {count(int(row['n']))}")
    return {
        "estimate": number(row["estimate"], unit, decimals) if is_known else "not estimated",
        "interval": bounds(row["low"], row["high"], unit),
        "aside": ", ".join(asides),
    }


def bounds(low: float, high: float, unit: str) -> str:
    """Return an interval in brackets, nothing where there is none, and one end where it is open."""
    if not np.isfinite(low):
        return ""
    inside = interval(low, high, unit) if np.isfinite(high) else f"{number(low, unit)} or more"
    return f"({inside})"


def endpoint_csv(evidence: Evidence) -> str:
    """Return the endpoint table as it stands, for a spreadsheet."""
    return evidence.endpoints.to_csv(index=False, float_format="%.6g", lineterminator="\n")
