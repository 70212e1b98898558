"""The tables of a report, as rows of text that the page sets."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from neurostim.report.answer import failed, rule_counts
from neurostim.report.evidence import Evidence
from neurostim.report.words import (
    NOT_ESTIMATED,
    count,
    duration,
    interval,
    number,
    option_words,
    percent_of,
)
from protocols.observation import GRADES


def arms(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what each arm does: its controller's own summary, where the manifest has it."""
    described = {str(arm["name"]): arm for arm in evidence.design["arms"]}
    summaries = evidence.manifest.get("arm_summaries") or {}
    rows = []
    for name in evidence.arms:
        arm = described.get(name, {})
        rows.append(
            {
                "name": name,
                "controller": str(arm.get("controller", name)),
                "words": str(summaries.get(name, "")),
                "options": option_words(arm.get("options") or {}),
                "is_reference": name == evidence.reference,
            }
        )
    return rows


def findings(evidence: Evidence) -> list[dict[str, Any]]:
    """Return per rule in how many treatment epochs of each arm it was named, with an example."""
    rows = evidence.treatment
    counts = {arm: rule_counts(rows.loc[rows["arm"] == arm, "rules"]) for arm in evidence.arms}
    rules = sorted({rule for found in counts.values() for rule in found})
    return [
        {
            "rule": rule,
            "counts": [count(counts[arm][rule]) for arm in evidence.arms],
            "example": example(rows, rule),
        }
        for rule in rules
    ]


def example(rows: pd.DataFrame, rule: str) -> str:
    """Return the first finding written where a rule is named, alone where that can be had."""
    texts = rows["rules"].fillna("").astype(str)
    alone = rows.loc[texts == rule, "findings"]
    named = rows.loc[texts.str.split(";").map(lambda parts: rule in parts), "findings"]
    for found in (alone, named):
        if len(found):
            return str(found.iloc[0])
    return ""


def faults(evidence: Evidence) -> list[dict[str, str]] | None:
    """Return the arms whose controller failed, how often, and why first; None when unrecorded."""
    if "fault" not in evidence.epochs.columns:
        return None
    rows = []
    for arm in evidence.arms:
        treated = evidence.treatment[evidence.treatment["arm"] == arm]
        found = failed(treated).sort_values(["start_day", "patient"], kind="stable")
        if len(found):
            n_others = found["fault"].nunique() - 1
            rows.append(
                {
                    "arm": arm,
                    "n": f"{count(len(found))} of {count(len(treated))}",
                    "share": percent_of(len(found), len(treated)),
                    "patients": count(found["patient"].nunique()),
                    "reason": str(found["fault"].iloc[0]),
                    "others": f"and {count(n_others)} other" if n_others else "",
                }
            )
    return rows


def adverse(evidence: Evidence) -> dict[str, Any]:
    """Return in how many treatment epochs each grade was the worst reported."""
    rows = evidence.treatment
    body = []
    for arm in evidence.arms:
        grade = rows.loc[rows["arm"] == arm, "worst_grade"]
        cells = [int((grade == level).sum()) for level in GRADES]
        body.append(
            {
                "arm": arm,
                "cells": [count(cell) for cell in [*cells, int(grade.isna().sum())]],
                "total": count(len(grade)),
            }
        )
    return {"heads": [*GRADES.values(), "not reported"], "rows": body}


def charges(evidence: Evidence) -> list[dict[str, str]]:
    """Return what was delivered per patient-day: the mean with its interval, median and most."""
    rows = []
    for arm in evidence.arms:
        frame = evidence.of(arm)
        row = evidence.estimate("charge", arm)
        per_day = (frame["charge_c"] / frame["treatment_days"].replace(0, np.nan)).dropna()
        treated = evidence.treatment[evidence.treatment["arm"] == arm]
        n_days = max(1, int(treated["days"].sum()))
        hours = treated["stimulation_s"].sum() / 3600 / n_days
        energy_j = treated["energy_mj"].sum() / 1000 / n_days
        rows.append(
            {
                "arm": arm,
                "mean": number(row["estimate"]) if row else NOT_ESTIMATED,
                "interval": interval(row["low"], row["high"]) if row else NOT_ESTIMATED,
                "median": number(float(per_day.median()) if len(per_day) else float("nan")),
                "most": number(float(per_day.max()) if len(per_day) else float("nan")),
                "hours": number(float(hours), "", 1),
                "energy": number(float(energy_j), "", 1),
            }
        )
    return rows


def flow(evidence: Evidence) -> list[dict[str, str]]:
    """Return how many patients and epochs each arm had, and what is missing of them."""
    rows = []
    for arm in evidence.arms:
        frame = evidence.of(arm)
        epochs = evidence.epochs[evidence.epochs["arm"] == arm]
        n_days, n_recorded = int(epochs["days"].sum()), int(epochs["days_recorded"].sum())
        rows.append(
            {
                "arm": arm,
                "patients": count(len(frame)),
                "no_baseline": count(int((frame["n_baseline"].fillna(0) == 0).sum())),
                "evaluated": count(int((frame["days_evaluation"] > 0).sum())),
                "changed": count(int(frame["percent_change"].notna().sum())),
                "epochs": count(len(epochs)),
                "early": count(n_early(evidence, epochs)),
                "missing": percent_of(n_days - n_recorded, n_days),
            }
        )
    return rows


def n_early(evidence: Evidence, epochs: pd.DataFrame) -> int:
    """Return how many epochs ended before their planned length, each patient's last ones aside."""
    is_short = epochs["days"] < int(evidence.schedule["epoch_days"])
    ends = epochs["start_day"] + epochs["days"]
    phase_ends = ends.groupby([epochs["patient"], epochs["phase"]]).transform("max")
    return int((is_short & (ends < phase_ends)).sum())


def baseline(evidence: Evidence) -> list[dict[str, str]]:
    """Return who the patients are, from the diary at baseline and from the hidden truth."""
    one_arm = evidence.of(
        evidence.reference if evidence.reference in evidence.arms else evidence.arms[0]
    )
    off, best = one_arm["true_rate_off_per_day"], one_arm["true_rate_best_per_day"]
    reachable = 100 * (off - best) / off.where(off > 0)
    n_responsive = int((off > best).sum())
    diaries = {arm: quartiles(evidence.of(arm)["baseline_rate_28"]) for arm in evidence.arms}
    if len(set(diaries.values())) == 1:
        diaries = {"every arm": next(iter(diaries.values()))}
    rows = [
        {"what": f"Seizures per 28 days at baseline, by the diary, {arm}", "value": value}
        for arm, value in diaries.items()
    ]
    return [
        {"what": "Patients", "value": count(len(one_arm))},
        *rows,
        {"what": "True seizures per 28 days without stimulation", "value": quartiles(28 * off)},
        {
            "what": "Largest true reduction that a setting can give, %",
            "value": quartiles(reachable),
        },
        {
            "what": "Patients whom some setting helps",
            "value": f"{count(n_responsive)} ({percent_of(n_responsive, len(one_arm))})",
        },
    ]


def quartiles(values: pd.Series) -> str:
    """Return the median with the quartiles."""
    known = values.dropna().astype(float)
    if not len(known):
        return NOT_ESTIMATED
    low, middle, high = (float(known.quantile(share)) for share in (0.25, 0.5, 0.75))
    return f"{number(middle, '%')} ({interval(low, high, '%')})"


ISOLATION: dict[bool | None, str] = {
    True: "each in a process of its own, within deadlines",
    False: "in the process of the trial",
}
"""How controllers ran; older manifests do not say."""


def identity(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what identifies this run, and lets it be run again."""
    return list(identity_rows(manifest))


def identity_rows(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each known fact of the manifest with its name."""
    design = manifest["design"]
    population, device = design.get("population", {}), design.get("device", {})
    facts = {
        "Design": design.get("name"),
        "Design fingerprint": manifest.get("fingerprint"),
        "Seed": manifest.get("seed"),
        "Patient model": population.get("model"),
        "Baselines": population.get("baselines"),
        "Device envelope": device.get("envelope"),
        "Envelope hash": manifest.get("envelope_hash"),
        "Machine": manifest.get("machine"),
        "Computed on": manifest.get("compute"),
        "Controllers": ISOLATION.get(manifest.get("is_isolated")),
        "Created": manifest.get("created"),
    }
    for name, value in facts.items():
        if value is not None:
            yield name, str(value)
    if manifest.get("wall_time_s") is not None:
        yield "Wall time", duration(float(manifest["wall_time_s"]))
    versions = manifest.get("versions") or {}
    yield "Versions", ", ".join(f"{name} {version}" for name, version in versions.items())
