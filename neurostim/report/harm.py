"""Who got worse, and by how much: by the diary, by the hidden truth, and patient by patient."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from neurostim.report.evidence import Evidence
from neurostim.report.table import Table
from neurostim.report.words import NOT_ESTIMATED, count, interval, number
from protocols.setting import Mode, Setting

N_WORST = 10


def made_worse(evidence: Evidence) -> Table:
    """Return who does worse than under the reference, against the minimal important difference."""
    points = f"{evidence.requests.important_points:g}"
    rows = []
    for arm in evidence.others:
        found = [
            evidence.estimate(name, arm)
            for name in ("important_worse", "important_worse_size", "important_better")
        ]
        truly = evidence.estimate("worse_25_truly", arm)
        size = found[1]
        known = size is not None and np.isfinite(size["estimate"])
        rows.append(
            (
                arm,
                shown(found[0]),
                f"{number(size['estimate'], '%', 0)} points" if size and known else NOT_ESTIMATED,
                shown(found[2]),
                shown(truly),
            )
        )
    return Table(
        label="Who is made worse",
        caption=f"Who is made worse than under {evidence.reference}, the same patient compared, "
        f"against a minimal important difference of {points} points of percent change; share of "
        "patients (95 % interval). A diary is noisy: where an arm does nothing, about as many seem "
        "worse as better. The last column is the hidden truth, against no stimulation.",
        heads=(
            "Arm",
            f"Worse by {points} points or more",
            "By how much, median",
            f"Better by {points} points or more",
            "Truly worse than off by 25 % or more",
        ),
        rows=rows,
    )


def worse(evidence: Evidence) -> list[dict[str, str]]:
    """Return per arm how many patients got worse, by the diary and by the hidden truth."""
    rows = []
    for arm in evidence.arms:
        frame = evidence.of(arm)
        change = true_change(frame)
        harmed = change[change > 0]
        by_diary, by_truth = (
            evidence.estimate(name, arm) for name in ("worse_25", "worse_25_truly")
        )
        rows.append(
            {
                "arm": arm,
                "diary": shown(by_diary),
                "truth": shown(by_truth),
                "any": f"{count(len(harmed))} of {count(int(change.notna().sum()))}",
                "median": f"{number(float(harmed.median()), '%')} %"
                if len(harmed)
                else NOT_ESTIMATED,
                "most": f"{number(float(harmed.max()), '%')} %" if len(harmed) else NOT_ESTIMATED,
            }
        )
    return rows


def true_change(frame: pd.DataFrame) -> pd.Series:
    """Return the true change in rate at the final setting against no stimulation, in percent."""
    off = frame["true_rate_off_per_day"]
    change = 100 * (frame["true_rate_final_per_day"] - off) / off.where(off > 0)
    return change.round(9)  # a difference of the last bit is not a harm


def shown(row: Mapping[str, Any] | None) -> str:
    """Return a share with its interval in one cell."""
    if row is None or not np.isfinite(row["estimate"]):
        return NOT_ESTIMATED
    return f"{number(row['estimate'], '%')} % ({interval(row['low'], row['high'], '%')})"


def worst(evidence: Evidence) -> pd.DataFrame:
    """Return the outcomes of the ten patients whom their final setting truly serves worst.

    Of those who were ever stimulated; with their true `change`, and of equals the one who wrote
    down the greater increase first.
    """
    rows = evidence.treatment
    on = rows[rows["delivered_amplitude_ua"] > 0][["arm", "patient"]].drop_duplicates()
    frame = evidence.outcomes.assign(change=true_change(evidence.outcomes))
    frame = frame[frame["change"].notna()].merge(on, on=["arm", "patient"])
    return frame.sort_values(
        ["change", "percent_change", "arm", "patient"],
        ascending=[False, False, True, True],
        kind="stable",
    ).head(N_WORST)


def worst_patients(evidence: Evidence) -> list[dict[str, str]]:
    """Return the ten worst patients as rows of text."""
    last = evidence.treatment.sort_values("epoch").groupby(["arm", "patient"]).tail(1)
    settings = {(row["arm"], row["patient"]): row for row in last.to_dict("records")}
    return [
        {
            "arm": str(row["arm"]),
            "patient": str(row["patient"]),
            "off": number(28 * row["true_rate_off_per_day"], "", 1),
            "final": number(28 * row["true_rate_final_per_day"], "", 1),
            "change": f"{'+' if row['change'] > 0 else ''}{number(row['change'], '%')}",
            "diary": number(row["percent_change"], "%"),
            "setting": setting_words(settings[row["arm"], row["patient"]]),
        }
        for row in worst(evidence).to_dict("records")
    ]


def setting_words(row: Mapping[Any, Any]) -> str:
    """Return the setting that was delivered in one epoch."""
    names = ("site", "amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms", "off_ms")
    values = {name: int(row[f"delivered_{name}"]) for name in names}
    return str(Setting(**values, mode=Mode(str(row["delivered_mode"]))))
