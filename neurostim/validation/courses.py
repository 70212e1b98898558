"""Figures of the device trials: the change from baseline, month by month and year by year."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from neurostim.report.drawing import WIDE, Drawing
from neurostim.report.svg import ARM_COLOURS, GRID, INK, MUTED, inline_svg
from neurostim.report.words import number
from neurostim.validation.cohorts import TrialDiaries
from neurostim.validation.diaries import Floats
from neurostim.validation.monthly_gee import MONTH_DAYS
from neurostim.validation.samples import Samples
from neurostim.validation.table import Row
from neurostim.validation.trials import arm_medians, percent_changes

ARM_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": ARM_COLOURS[0], "linestyle": (0, (4, 2)), "marker": "o"},
    {"color": ARM_COLOURS[1], "linestyle": "-", "marker": "s"},
)
PUBLISHED_LOOK: dict[str, Any] = {
    "color": ARM_COLOURS[2],
    "marker": "D",
    "linestyle": "none",
    "markersize": 6,
}


def sante_course(samples: Samples, rows: Mapping[str, Row]) -> Drawing:
    """Draw SANTE: the last blinded month is the published comparison."""
    trial = samples.sante
    starts = month_starts(trial)
    return course(
        "sante",
        "SANTE (D10 and held-out years)",
        trial,
        rows,
        blinded=[("D10b", starts[-1]), ("D10c", starts[-1])],
        years=[(year, f"SANTE-{year}y") for year in (1, 2, 5)],
        caption="Published: Fisher 2010 and Salanova 2015.",
    )


def rns_course(samples: Samples, rows: Mapping[str, Row]) -> Drawing:
    """Draw the RNS pivotal trial: its GEE covers all three blinded months."""
    trial = samples.rns
    middle = month_starts(trial)[-2]
    return course(
        "rns",
        "RNS pivotal trial (D11 and held-out years)",
        trial,
        rows,
        blinded=[("D11b", middle), ("D11c", middle)],
        years=[(year, f"RNS-{year}y") for year in (1, 2)],
        caption="Published: Morrell 2011 and Heck 2014. The published blinded figures are the "
        "trial's GEE over all three months; ours by the same GEE are the hollow circles, and lie "
        "above the medians because patients with many seizures weigh more in a mean.",
    )


def month_starts(trial: TrialDiaries) -> list[int]:
    """Return the first day of each 28-day month from implant to the end of blinding."""
    return list(range(trial.baseline_days, trial.blinded_end_day, MONTH_DAYS))


def monthly_medians(trial: TrialDiaries) -> Floats:
    """Return (M, n_replicates, 2) median change of control and active arm, month by month."""
    return np.stack(
        [
            arm_medians(
                trial,
                percent_changes(trial.diaries, trial.baseline_days, first, first + MONTH_DAYS),
            )
            for first in month_starts(trial)
        ]
    )


def course(
    name: str,
    title: str,
    trial: TrialDiaries,
    rows: Mapping[str, Row],
    *,
    blinded: Sequence[tuple[str, int]],
    years: Sequence[tuple[int, str]],
    caption: str,
) -> Drawing:
    """Draw one trial: months of both arms on the left, open-label years on the right."""
    figure = Figure((WIDE, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [3, 2]})
    draw_months(left, trial)
    draw_published(left, trial, rows, blinded, is_gee=name == "rns")
    known = [(year, rows[id]) for year, id in years if id in rows and isfinite(rows[id].value)]
    draw_years(right, known)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower left", ncols=4, columnspacing=1.4, handlelength=3.2
    )
    phrases = [
        f"{rows[id].target.what.removesuffix(', %')} {number(rows[id].value, decimals=1)} %, "
        f"published {rows[id].target.published} %"
        for id in [*(id for id, _ in blinded), *(id for _, id in years)]
        if id in rows
    ]
    return Drawing(
        name=name,
        title=title,
        svg=inline_svg(figure, name, f"Change from baseline over time. {'; '.join(phrases)}."),
        caption=f"Left: median change in each arm by 28-day month, mean over {trial.n_replicates} "
        f"replicates of {trial.n_per_replicate} patients; bands hold 80 % of replicates, which is "
        "how far one trial of that size scatters. Right: both arms on stimulation; bars are 95 % "
        f"Monte Carlo intervals. {caption}",
    )


def draw_months(axes: Axes, trial: TrialDiaries) -> None:
    """Draw both arms by month, with the scatter of single trials."""
    medians = monthly_medians(trial)
    middle = np.array(month_starts(trial)) - trial.baseline_days + MONTH_DAYS / 2
    axes.axvspan(
        trial.blinded_start_day - trial.baseline_days,
        trial.blinded_end_day - trial.baseline_days,
        color=GRID,
        alpha=0.45,
        linewidth=0,
    )
    axes.axhline(0, color=MUTED, linewidth=0.7)
    for arm, label in ((1, "active"), (0, "control")):
        low, high = np.quantile(medians[:, :, arm], [0.1, 0.9], axis=1)
        look = ARM_LOOKS[arm]
        axes.fill_between(middle, low, high, color=look["color"], alpha=0.12, linewidth=0)
        axes.plot(middle, medians[:, :, arm].mean(axis=1), label=label, **look)
    axes.set_xlim(0, trial.blinded_end_day - trial.baseline_days)
    axes.xaxis.set_major_locator(FixedLocator(list(range(0, 200, MONTH_DAYS))))
    axes.set_xlabel("days since implant (shaded: blinded evaluation)")
    axes.set_ylabel("median change from baseline, %")
    axes.grid(axis="y")


def draw_published(
    axes: Axes,
    trial: TrialDiaries,
    rows: Mapping[str, Row],
    blinded: Sequence[tuple[str, int]],
    *,
    is_gee: bool,
) -> None:
    """Mark the published figure of each arm, and ours where a month's median is no match for it."""
    label: str | None = "published"
    ours: str | None = "ours by GEE"
    for id, first in blinded:
        if id not in rows:
            continue
        x = first - trial.baseline_days + MONTH_DAYS / 2
        axes.plot([x], published([rows[id]]), label=label, **PUBLISHED_LOOK)
        if is_gee:
            axes.plot(
                [x], [rows[id].value], "o", color=INK, fillstyle="none", markersize=7, label=ours
            )
        label = ours = None


def draw_years(axes: Axes, known: Sequence[tuple[int, Row]]) -> None:
    """Draw the open-label years with what was published."""
    axes.axhline(0, color=MUTED, linewidth=0.7)
    if known:
        years = [year for year, _ in known]
        axes.errorbar(
            years,
            [row.value for _, row in known],
            yerr=[1.96 * row.error for _, row in known],
            capsize=3,
            **ARM_LOOKS[1],
        )
        axes.plot(years, published([row for _, row in known]), **PUBLISHED_LOOK)
        axes.set_xlim(0.5, max(years) + 0.5)
        axes.xaxis.set_major_locator(FixedLocator(years))
    axes.set_xlabel("years since switched on (held out)")
    axes.grid(axis="y")


def published(rows: Sequence[Row]) -> Floats:
    """Return the published figures, NaN where there is no one number."""
    return np.array([row.target.published_value for row in rows], dtype=np.float64)
