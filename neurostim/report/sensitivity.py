"""How the main comparisons change when the rows are read otherwise: part 10 of a report.

Each analysis is the primary one on other rows or patients. What the rows of one run cannot show,
such as a prior that does not fit, is said with the command that would show it.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from neurostim.estimates import Estimate
from neurostim.important_differences import paired_change
from neurostim.outcomes import COMPLETE_SHARE, MONTH_DAYS, outcomes
from neurostim.rank_tests import shift
from neurostim.rate_ratios import rate_ratio, rate_ratio_robust
from neurostim.report.evidence import Evidence
from neurostim.report.subgroups import RISE, by_drift
from neurostim.report.table import Table
from neurostim.report.words import NOT_ESTIMATED, count, interval, number

Outcomes = Callable[[Evidence], pd.DataFrame]


class Reading(NamedTuple):
    """One way of reading the rows: what it is called, what it does, and the outcomes it gives."""

    name: str
    words: str
    outcomes: Outcomes


def true_counts(evidence: Evidence) -> pd.DataFrame:
    """Return the outcomes if every seizure had been written down, on every day."""
    rows = evidence.epochs
    return read(
        evidence, rows.assign(n_seizures=rows["true_n_seizures"], days_recorded=rows["days"])
    )


def complete_cases(evidence: Evidence) -> pd.DataFrame:
    """Return the outcomes of those who kept a diary on most days of both windows."""
    rows = evidence.outcomes
    is_complete = pd.Series(True, rows.index)
    for window in ("baseline", "evaluation"):
        days = rows[f"calendar_days_{window}"]
        is_complete &= (days > 0) & (rows[f"days_{window}"] >= COMPLETE_SHARE * days)
    return rows[is_complete]


def worst_missing(evidence: Evidence) -> pd.DataFrame:
    """Return the outcomes if treated arms had their baseline rate on all days without a diary."""
    rows = evidence.outcomes.copy()
    is_treated = rows["arm"] != evidence.reference
    missing = (rows["calendar_days_evaluation"] - rows["days_evaluation"]).clip(lower=0)
    missing = missing.where(is_treated & rows["baseline_rate_28"].notna(), 0)
    written = rows["n_evaluation"].astype("Float64").fillna(0).astype(float)
    n = written + missing * (rows["baseline_rate_28"].fillna(0) / 28)
    days = rows["days_evaluation"] + missing
    rows["n_evaluation"] = n.round().where(days > 0)
    rows["days_evaluation"] = days
    rows["evaluation_rate_28"] = 28 * n / days.where(days > 0)
    baseline = rows["baseline_rate_28"].where(rows["baseline_rate_28"] > 0)
    rows["percent_change"] = 100 * (rows["evaluation_rate_28"] - baseline) / baseline
    return rows


def without_dropouts(evidence: Evidence) -> pd.DataFrame:
    """Return the outcomes of those whose diary reaches the evaluation window's end in every arm."""
    rows = evidence.treatment
    ends = (rows["start_day"] + rows["days"]).where(rows["days_recorded"] > 0, 0)
    last = rows.assign(end=ends).groupby(["arm", "patient"], as_index=False)["end"].max()
    due = evidence.treatment_start + int(evidence.schedule["treatment_days"])
    gone = last.loc[last["end"] <= due - MONTH_DAYS, "patient"]
    return evidence.outcomes[~evidence.outcomes["patient"].isin(gone)]


def steady(evidence: Evidence) -> pd.DataFrame:
    """Return the outcomes of those whose rate did not drift within baseline, by the diary."""
    drift = by_drift(evidence)
    names = set(drift.index[drift == "1|steady"])
    return evidence.outcomes[evidence.outcomes["patient"].isin(names)]


def read(evidence: Evidence, epochs: pd.DataFrame) -> pd.DataFrame:
    """Return the outcomes of other rows."""
    return outcomes(epochs, evidence.patients, evidence.schedule)


READINGS = (
    Reading("As planned", "the primary analysis", lambda evidence: evidence.outcomes),
    Reading(
        "Under-reporting and missing days undone",
        "true seizures on all days, which only a simulation has",
        true_counts,
    ),
    Reading(
        "Complete diaries only",
        f"patients with {100 * COMPLETE_SHARE:.0f} % of the days of both windows recorded",
        complete_cases,
    ),
    Reading(
        "Missing days at the worst",
        "in every arm but the reference, evaluation days without a diary count at the patient's "
        "baseline rate",
        worst_missing,
    ),
    Reading(
        "Without early drop-outs",
        "patients whose diary reaches the last 28 days of treatment in every arm",
        without_dropouts,
    ),
    Reading(
        "Without drift",
        f"patients whose diary changed by a factor below {RISE:g} between the halves of baseline",
        steady,
    ),
)


def sensitivity(evidence: Evidence) -> Table | None:
    """Return the main comparisons under every reading; None where nothing is compared."""
    if not evidence.is_compared:
        return None
    within = "Paired difference, points" if evidence.is_paired else "Shift, points"
    return Table(
        label="Sensitivity",
        caption="The primary comparison when the rows are read otherwise: the rate ratio "
        f"(unpaired) against {evidence.reference} and the difference in percent change, each with "
        "its 95 % interval. n: patients of both arms.",
        heads=("Reading", "Arm", "n", "Rate ratio", within),
        rows=list(sensitivity_rows(evidence)),
        words=frozenset({1}),
    )


def sensitivity_rows(evidence: Evidence) -> Iterator[tuple[str, ...]]:
    """Yield one row per reading and arm, the name of the reading on its first row only."""
    compare = paired_change if evidence.is_paired else shift
    for reading in READINGS:
        frame = reading.outcomes(evidence)
        name = f"{reading.name}: {reading.words}"
        for arm in evidence.others:
            one, other = (frame[frame["arm"] == each] for each in (arm, evidence.reference))
            ratio, difference = rate_ratio(one, other), compare(one, other)
            yield name, arm, count(ratio.n), told(ratio, "ratio"), told(difference, "%")
            name = ""
    name = "Robust errors: Poisson regression with sandwich errors instead of a negative binomial"
    for arm in evidence.others:
        ratio = rate_ratio_robust(evidence.of(arm), evidence.of(evidence.reference))
        yield name, arm, count(ratio.n), told(ratio, "ratio"), NOT_ESTIMATED
        name = ""


def told(found: Estimate, unit: str) -> str:
    """Return an estimate with its interval, or a dash."""
    if not np.isfinite(found.estimate):
        return NOT_ESTIMATED
    text = number(found.estimate, unit)
    if np.isfinite(found.low):
        text += f" ({interval(found.low, found.high, unit)})"
    return text


def not_in_these_rows(evidence: Evidence) -> list[tuple[str, str]]:
    """Return what one run cannot show, each with the command that shows it."""
    command = str(evidence.manifest.get("command", ""))
    if not command:
        return []
    model = str((evidence.design.get("population") or {}).get("model", ""))
    other = "mechanistic" if model != "mechanistic" else "clinical"
    return [
        (
            f"A prior or a model that does not fit: the same design on the {other} family of "
            "patients, then both runs side by side with neurostim compare.",
            f"{command} --set population.model={other}",
        ),
        ("Other patients: the same design from another seed.", reseeded(command)),
    ]


def reseeded(command: str) -> str:
    """Return the command with the next seed."""
    words = command.split(" ")
    if "--seed" not in words[:-1]:
        return f"{command} --seed 1"
    place = words.index("--seed") + 1
    seed = int(words[place]) + 1 if words[place].isdigit() else 1
    return " ".join([*words[:place], str(seed), *words[place + 1 :]])
