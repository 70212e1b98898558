"""Operating characteristics: what trials of this kind would find, or what this size could."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from neurostim.report.evidence import Evidence
from neurostim.report.supplements import operating_rows
from neurostim.report.table import Table
from neurostim.report.words import NOT_ESTIMATED, count, interval, number

POWER, LEVEL = 0.8, 0.05
REACH = float(stats.norm.ppf(1 - LEVEL / 2) + stats.norm.ppf(POWER))
"""Standard errors from 1 at which a two-sided test at 5 % finds an effect in 80 % of trials."""
ERROR_WANTED = 0.05
MOST_ROWS = 200


def operating_table(operating: Mapping[str, Any]) -> Table:
    """Return operating characteristics as they were written, one column per key."""
    rows = operating_rows(operating)
    keys = list(dict.fromkeys(key for row in rows for key in row))
    keys = [key for key in keys if not all(isinstance(row.get(key), list | dict) for row in rows)]
    words = {
        order
        for order, key in enumerate(keys)
        if any(isinstance(row.get(key), str) for row in rows)
    }
    left = len(rows) - MOST_ROWS
    more = f" The first {MOST_ROWS} rows; the file has {count(left)} more." if left > 0 else ""
    return Table(
        label="Operating characteristics",
        caption="By simulated trials, as neurostim power wrote them; error is the Monte Carlo "
        f"standard error of the share of trials that reject.{more}",
        heads=[str(key).replace("_", " ") for key in keys],
        rows=[[cell(row.get(key)) for key in keys] for row in rows[:MOST_ROWS]],
        words=frozenset(words),
    )


def operating_facts(operating: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the single values of operating characteristics, and which designs they are of."""
    designs = operating.get("designs")
    named = designs if isinstance(designs, Mapping) else {}
    return [
        (f"Design {name}", f"fingerprint {design.get('fingerprint', NOT_ESTIMATED)}")
        for name, design in named.items()
        if isinstance(design, Mapping)
    ] + [
        (str(key).replace("_", " ").capitalize(), cell(value))
        for key, value in operating.items()
        if isinstance(value, str | int | float)
    ]


def cell(value: Any) -> str:
    """Return one value as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−") if math.isfinite(value) else NOT_ESTIMATED
    return NOT_ESTIMATED if value is None else str(value)


def reach(evidence: Evidence) -> Table | None:
    """Return what a parallel trial of this size could find; None where nothing is compared."""
    if not evidence.is_compared:
        return None
    rows = []
    for arm in evidence.others:
        row = evidence.estimate("rate_ratio", arm)
        if row is None or not np.isfinite(row["monte_carlo_error"]):
            rows.append((arm, *[NOT_ESTIMATED] * 5))
            continue
        error = float(row["monte_carlo_error"] / row["estimate"])
        n = int(row["n"])
        paired = evidence.estimate("paired_difference", arm)
        rows.append(
            (
                arm,
                count(n),
                number(float(row["monte_carlo_error"]), "ratio"),
                interval(math.exp(-REACH * error), math.exp(REACH * error), "ratio"),
                count(math.ceil(n * (error / ERROR_WANTED) ** 2)),
                number(paired["monte_carlo_error"], "%") if paired else NOT_ESTIMATED,
            )
        )
    return Table(
        label="What this size could find",
        caption="What a parallel trial of this size could find, from the standard errors of this "
        "run (a normal approximation of the log rate ratio; no trial was repeated for it).",
        heads=(
            "Arm",
            "Patients of both arms",
            "Monte Carlo error of the rate ratio",
            "Found in 80 % of trials: a rate ratio outside",
            f"Patients for an error of {100 * ERROR_WANTED:g} %",
            "Monte Carlo error of the paired difference, points",
        ),
        rows=rows,
    )
