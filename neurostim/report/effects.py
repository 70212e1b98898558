"""The figures of what the arms did to seizures, patient by patient and all together."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter

from neurostim.report.drawing import (
    PANEL,
    WIDE,
    Drawing,
    arm_colour,
    known_estimates,
    legend_below,
    look,
    spelt,
)
from neurostim.report.evidence import Evidence
from neurostim.report.svg import GRID, INK, MUTED, inline_svg
from neurostim.report.words import count, interval, number, p_value, short

Array = npt.NDArray[np.float64]
HIGHEST_CHANGE = 150.0
MOST_CURVE_POINTS = 200
MOST_PAIRS = 150
RATIO_TICKS = (0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10)


def main_result(evidence: Evidence) -> Drawing:
    """Draw the change from baseline and the rate ratio of each arm, with their numbers."""
    arms = evidence.arms
    figure = Figure((WIDE, 1.15 + 0.36 * len(arms)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1))
    draw_forest(left, evidence, "percent_change", arms)
    left.set_title("Median change from baseline")
    left.set_xlabel("percent change (below 0: fewer seizures)")
    left.axvline(0, color=MUTED, linewidth=0.8)
    draw_forest(right, evidence, "rate_ratio", evidence.others)
    right.set_title(f"Rate ratio against {short(evidence.reference)}")
    right.set_xlabel("rate ratio (below 1: fewer seizures)")
    right.axvline(1, color=MUTED, linewidth=0.8)
    as_ratio_axis(right)
    left.set_yticks(range(len(arms)), [short(arm) for arm in arms])
    left.set_ylim(len(arms) - 0.5, -0.6)
    for tick, arm in zip(left.get_yticklabels(), arms, strict=True):
        tick.set_color(arm_colour(evidence, arm))
    alternative = (
        f"Median percent change from baseline: {spelt(evidence, 'percent_change', arms, '%')}. "
        f"Rate ratio against {evidence.reference}: "
        f"{spelt(evidence, 'rate_ratio', evidence.others, '')}."
    )
    caption = (
        "Left, the median over patients of the change from baseline to the evaluation window, in "
        "percent; seizures also change by themselves and by being counted, which is why arms are "
        "compared. Right, the expected number of seizures relative to the reference arm (negative "
        "binomial), with p adjusted for the "
        "number of arms. Bars are 95 % intervals."
    )
    return Drawing(
        name="main",
        title="Primary result",
        svg=inline_svg(figure, "main", alternative),
        caption=caption,
    )


def draw_forest(axes: Axes, evidence: Evidence, endpoint: str, arms: Sequence[str]) -> None:
    """Draw one row per arm: a point, its interval and both in figures to the right."""
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for arm in arms:
        y = evidence.arms.index(arm)
        row = evidence.estimate(endpoint, arm)
        if row is None or not np.isfinite(row["estimate"]):
            text = "not estimated"
        else:
            colour = arm_colour(evidence, arm)
            if np.isfinite(row["low"]):
                axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.8)
            marker = look(evidence, arm)["marker"]
            axes.plot([row["estimate"]], [y], marker=marker, color=colour, markersize=6)
            unit = str(row["unit"])
            decimals = 0 if unit == "%" else 2
            text = number(row["estimate"], unit, decimals)
            if np.isfinite(row["low"]):
                text += f" ({interval(row['low'], row['high'], unit, decimals)})"
            if np.isfinite(row["p_adjusted"]) and endpoint == "rate_ratio":
                text += f"\np {p_value(row['p_adjusted'])}"
        axes.annotate(
            text,
            (1.02, y),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=INK,
            annotation_clip=False,
        )


def as_ratio_axis(axes: Axes) -> None:
    """Make the x axis logarithmic with the ticks that people read ratios by."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    low, high = min(low, 0.78), max(high, 1.28)
    axes.set_xlim(low, high)
    inside = [tick for tick in RATIO_TICKS if low <= tick <= high]
    if len(inside) > 6:
        inside = [tick for tick in inside if tick in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(inside, [f"{tick:g}" for tick in inside])


def changes(evidence: Evidence) -> Drawing:
    """Draw the cumulative distribution of percent change: every responder cut-off at once."""
    figure = Figure(PANEL, layout="constrained")
    axes = figure.subplots()
    draw_changes(axes, evidence)
    legend_below(figure, axes, evidence)
    at_half = "; ".join(
        f"{arm} {number(100 * float((known <= -50).mean()), '%', 0)} %"
        for arm in evidence.arms
        if len(known := evidence.of(arm)["percent_change"].dropna())
    )
    beyond = int((evidence.outcomes["percent_change"] > HIGHEST_CHANGE).sum())
    caption = (
        "For any change on the horizontal axis, the share of patients who did at least as well. "
        "Higher and further left is better; where a curve crosses −50 % it gives the responder "
        "rate."
    )
    if beyond:
        caption += (
            f" {count(beyond)} of {count(int(evidence.outcomes['percent_change'].notna().sum()))} "
            f"changes lie above {HIGHEST_CHANGE:.0f} %, off the axis."
        )
    return Drawing(
        name="changes",
        title="Distribution of percent change",
        svg=inline_svg(
            figure,
            "changes",
            "Cumulative distribution of percent change; share at or below −50 %: "
            f"{at_half or 'none'}.",
        ),
        caption=caption,
    )


def draw_changes(axes: Axes, evidence: Evidence) -> None:
    """Draw one step curve per arm."""
    for position in (-50, 0):
        axes.axvline(position, color=GRID if position else MUTED, linewidth=0.8)
    for order, arm in enumerate(evidence.arms):
        x, y = distribution(evidence.of(arm)["percent_change"].dropna().to_numpy(dtype=float))
        gap = max(1, len(x) // 6)
        first = 1 + (order * gap // max(1, len(evidence.arms))) % max(1, gap)
        axes.plot(
            x,
            100 * y,
            drawstyle="steps-post",
            markevery=(first, gap),
            label=short(arm),
            **look(evidence, arm),
        )
    axes.set_xlim(-103, HIGHEST_CHANGE)
    axes.set_ylim(0, 101)
    axes.set_xticks([-100, -50, 0, 50, 100, 150], ["−100", "−50", "0", "50", "100", "150"])
    axes.set_xlabel("change from baseline (%)")
    axes.set_ylabel("patients (%)")
    axes.grid(axis="y")


def distribution(values: Array) -> tuple[Array, Array]:
    """Return the steps of a cumulative distribution, thinned to what an eye can tell apart."""
    if not len(values):
        return np.array([]), np.array([])
    x = np.sort(values)
    y = np.arange(1, len(x) + 1) / len(x)
    if len(x) > MOST_CURVE_POINTS:
        kept = np.unique(np.linspace(0, len(x) - 1, MOST_CURVE_POINTS).round().astype(int))
        x, y = x[kept], y[kept]
    x, y = np.concatenate([[-103.0], x]), np.concatenate([[0.0], y])
    return np.append(x, max(x[-1], HIGHEST_CHANGE)), np.append(y, 1.0)


def responders(evidence: Evidence) -> Drawing:
    """Draw responder rates and seizure freedom as bars with their intervals."""
    wanted = {
        "rr50": "50 % responders",
        "rr75": "75 % responders",
        "seizure_free": "free of seizures",
    }
    arms = evidence.arms
    figure = Figure((WIDE, 0.9 + 0.32 * len(arms)), layout="constrained")
    panels = figure.subplots(1, len(wanted), sharey=True)
    highest = 10.0
    for axes, (endpoint, title) in zip(panels, wanted.items(), strict=True):
        for arm, row in known_estimates(evidence, endpoint, arms):
            y = arms.index(arm)
            colour = arm_colour(evidence, arm)
            axes.barh(y, row["estimate"], height=0.58, color=colour, alpha=0.45, linewidth=0)
            axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.6)
            highest = max(highest, row["high"])
        axes.set_title(title)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    panels[0].set_xlim(0, min(100.0, highest * 1.03))
    for axes in panels:
        axes.set_xlim(panels[0].get_xlim())
    panels[0].set_yticks(range(len(arms)), [short(arm) for arm in arms])
    panels[0].set_ylim(len(arms) - 0.5, -0.5)
    figure.supxlabel("patients (%)", fontsize=8.5, color=MUTED)
    phrases = [f"{title}: {spelt(evidence, name, arms, '%')}" for name, title in wanted.items()]
    return Drawing(
        name="responders",
        title="Responders",
        svg=inline_svg(figure, "responders", f"Share of patients. {'. '.join(phrases)}."),
        caption="Share of patients whose seizures fell by at least 50 % or 75 % from baseline, and "
        "of those without any in the evaluation window. Lines are 95 % Wilson intervals.",
    )


def pairs(evidence: Evidence) -> Drawing | None:
    """Draw each patient as a dot: the rate in an arm against the rate in the reference arm."""
    if not evidence.is_compared:
        return None
    shown = evidence.others[:4]
    figure = Figure((WIDE, 2.75), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(shown), sharex=True, sharey=True))
    reference = evidence.of(evidence.reference)
    phrases = []
    for axes, arm in zip(panels, shown, strict=True):
        both = evidence.of(arm).merge(reference, on="patient", suffixes=("", "_reference"))
        both = both.dropna(subset=["evaluation_rate_28", "evaluation_rate_28_reference"])
        n_fewer = int((both["evaluation_rate_28"] < both["evaluation_rate_28_reference"]).sum())
        phrases.append(f"{arm} fewer in {count(n_fewer)} of {count(len(both))}")
        dots = both.iloc[:: max(1, -(-len(both) // MOST_PAIRS))]
        style = look(evidence, arm)
        axes.plot(
            dots["evaluation_rate_28_reference"],
            dots["evaluation_rate_28"],
            linestyle="none",
            marker=style["marker"],
            markersize=3.6,
            alpha=0.65,
            color=style["color"],
            markeredgewidth=0,
        )
        axes.set_title(short(arm))
        axes.set_xscale("symlog", linthresh=1)
        axes.set_yscale("symlog", linthresh=1)
    top = evidence.outcomes["evaluation_rate_28"].max()
    top = max(2.0, 1.3 * float(top)) if pd.notna(top) else 2.0
    ticks = [tick for tick in (0, 1, 3, 10, 30, 100, 300) if tick <= top]
    for axes in panels:
        axes.set_xlim(-0.15, top)
        axes.set_ylim(-0.15, top)
        axes.plot([0, top], [0, top], color=MUTED, linewidth=0.8)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_minor_locator(FixedLocator([]))
            axis.set_major_formatter("{x:.0f}")
    figure.supxlabel(
        f"seizures per 28 days under {short(evidence.reference)}", fontsize=8.5, color=MUTED
    )
    panels[0].set_ylabel("seizures per 28 days\nin this arm")
    return Drawing(
        name="pairs",
        title="Patient by patient",
        svg=inline_svg(
            figure,
            "pairs",
            f"Seizures per 28 days against {evidence.reference}, same patient: "
            f"{'; '.join(phrases)}.",
        ),
        caption="Each mark is one simulated patient in the evaluation window, under this arm and "
        f"under the reference. Below the line the arm did better: {'; '.join(phrases)} patients."
        + sampled(len(reference))
        + ("" if len(shown) == len(evidence.others) else " The first four arms are shown."),
    )


def sampled(n_patients: int) -> str:
    """Return the sentence that says when not every patient is drawn."""
    if n_patients <= MOST_PAIRS:
        return ""
    return f" Evenly chosen patients are drawn, at most {MOST_PAIRS}."
