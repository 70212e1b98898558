"""The figure of the ten worst patients: what each wrote down, and what was delivered meanwhile."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurostim.report.drawing import WIDE, Drawing
from neurostim.report.evidence import Evidence
from neurostim.report.harm import worst
from neurostim.report.over_time import last_day
from neurostim.report.svg import INK, LEVEL_COLOURS, MUTED, inline_svg
from neurostim.report.words import number, short

COLUMNS = 2


def timelines(evidence: Evidence) -> Drawing | None:
    """Draw the worst patients one by one; None where nobody was stimulated."""
    people = worst(evidence)
    if not len(people):
        return None
    n_rows = -(-len(people) // COLUMNS)
    # Fixed margins in inches: twenty axes laid out by constraints take most of a report's time.
    height = 0.8 + 1.12 * n_rows
    figure = Figure((WIDE, height))
    margins = {
        "left": 0.6 / WIDE,
        "right": 1 - 0.3 / WIDE,
        "bottom": 0.5 / height,
        "top": 1 - 0.3 / height,
        "hspace": 0.5,
        "wspace": 0.16,
    }
    panels = figure.subplots(n_rows, COLUMNS, sharex=True, squeeze=False, gridspec_kw=margins)
    spoken = []
    for axes, person in zip(panels.flat, people.to_dict("records"), strict=False):
        rows = evidence.epochs[
            (evidence.epochs["arm"] == person["arm"])
            & (evidence.epochs["patient"] == person["patient"])
        ]
        draw_timeline(axes, evidence, rows)
        change = signed(person["change"])
        axes.set_title(f"{short(person['arm'], 16)}, patient {person['patient']}: {change} %")
        spoken.append(f"{person['arm']} patient {person['patient']} {change} %")
    for axes in panels.flat[len(people) :]:
        axes.set_visible(False)
    for axes in panels[-1]:
        axes.set_xlabel("day")
    figure.supylabel("seizures per 28 days", x=0.01, fontsize=8.5, color=MUTED)
    return Drawing(
        name="timelines",
        title="The ten worst, one by one",
        svg=inline_svg(
            figure,
            "timelines",
            "Diary rate and amplitude over time of the patients with the worst true change at the "
            f"final setting: {'; '.join(spoken)}.",
        ),
        caption="Dark steps: seizures per 28 recorded days, epoch by epoch, by the diary (gaps: "
        "no diary). Shaded: the amplitude delivered, on the right-hand scale in mA. The vertical "
        "line is the beginning of treatment. The figure in each title is the true change of the "
        "steady rate at the final setting over no stimulation; below 0 nobody is harmed.",
    )


def draw_timeline(axes: Axes, evidence: Evidence, rows: pd.DataFrame) -> None:
    """Draw one patient's rate as steps, over the amplitude as an area."""
    rows = rows.sort_values("start_day")
    days = rows["days_recorded"].to_numpy(dtype=float)
    counts = rows["n_seizures"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(days > 0, 28 * counts / days, np.nan)
    start = rows["start_day"].to_numpy(dtype=float)
    edges = np.append(start, start[-1] + float(rows["days"].iloc[-1]))
    amplitude = rows["delivered_amplitude_ua"].to_numpy(dtype=float) / 1000
    right = axes.twinx()
    right.stairs(amplitude, edges, fill=True, color=LEVEL_COLOURS[2], alpha=0.75, linewidth=0)
    right.set_ylim(0, max(1.0, 1.15 * float(amplitude.max())))
    right.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    right.tick_params(length=2, labelsize=7.5)
    right.spines[:].set_visible(False)
    axes.set_zorder(right.get_zorder() + 1)
    axes.axvline(evidence.treatment_start, color=MUTED, linewidth=0.8)
    axes.stairs(rate, edges, baseline=None, color=INK, linewidth=1.2)
    axes.set_xlim(0, last_day(evidence))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.tick_params(length=2, labelsize=7.5)


def signed(value: float) -> str:
    """Return a change in percent with its sign."""
    return f"{'+' if value > 0 else ''}{number(value, '%')}"
