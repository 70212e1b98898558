"""The figures of the study, drawn in the report's style with the error beside each value."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from neurostim.landscape import KINDS
from neurostim.report.drawing import MARKERS, WIDE, Drawing
from neurostim.report.svg import ARM_COLOURS, GRID, MUTED, drawing_style, inline_svg
from neurostim.study.estimates import Interval

LABELS = {
    "rec 5": "recommended at epoch 5",
    "rec 10": "recommended at epoch 10",
    "rec 40": "recommended at epoch 40",
    "trial 40": "in trial, 40 epochs",
}
MOST_CONDITION = 1000.0
AT_ZERO = 4.0
"""Where no earlier patients stand on a logarithmic axis."""


def learning_curve(points: Mapping[str, Mapping[int, Interval]]) -> Drawing:
    """The share of the gap by the number of earlier patients."""
    with drawing_style():
        figure = curve_figure(points)
        svg = inline_svg(figure, "curve", _in_words(points))
    return Drawing(
        name="curve",
        title="Share of the gap by earlier patients",
        svg=svg,
        caption="Bars: 95 % intervals over draws, cut off at 0 and 1. The leftmost point is the "
        "generic prior.",
    )


def curve_figure(points: Mapping[str, Mapping[int, Interval]]) -> Figure:
    """The learning curve as a figure, to be drawn in the report's style."""
    figure = Figure((WIDE, 3.6), layout="constrained")
    axes = figure.subplots()
    for number, (name, by_n) in enumerate(points.items()):
        x = np.array([n or AT_ZERO for n in by_n]) * (1 + 0.03 * number)
        _bars(axes, x, list(by_n.values()), number, LABELS.get(name, name))
    axes.set_xscale("log")
    ticks = list(next(iter(points.values())))
    axes.set_xticks([n or AT_ZERO for n in ticks], [str(n) if n else "none" for n in ticks])
    axes.minorticks_off()
    axes.set_xlabel("earlier patients that the prior was learned from")
    axes.set_ylabel("share of the gap closed")
    axes.set_ylim(0, 1)
    axes.grid(axis="y", color=GRID)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4, handlelength=2.4)
    return figure


def bars(name: str, title: str, rows: Mapping[str, Mapping[str, Interval]]) -> Drawing:
    """One row for each arm, a mark with its interval for each figure."""
    with drawing_style():
        figure = Figure((WIDE, 1.0 + 0.42 * len(rows)), layout="constrained")
        axes = figure.subplots()
        shown = list(next(iter(rows.values())))
        for number, each in enumerate(shown):
            values = [row[each] for row in rows.values()]
            y = np.arange(len(rows)) + 0.16 * (number - (len(shown) - 1) / 2)
            axes.errorbar(
                [value.value for value in values],
                y,
                xerr=_errors(values),
                linestyle="none",
                color=ARM_COLOURS[1 + number],
                marker=MARKERS[number],
                label=LABELS.get(each, each),
            )
        axes.set_yticks(range(len(rows)), list(rows))
        axes.invert_yaxis()
        axes.set_xlabel("share of the gap closed")
        axes.grid(axis="x", color=GRID)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, handlelength=2.4)
        svg = inline_svg(figure, name, f"{title}. {_in_words(rows)}")
    return Drawing(name=name, title=title, svg=svg, caption="Bars: 95 % intervals over draws.")


def landscapes(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Drawing:
    """Kinds of landscapes and condition numbers of each family."""
    with drawing_style():
        figure = Figure((WIDE, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        told = []
        for number, (family, patients) in enumerate(rows.items()):
            kinds = [str(row["kind"]) for row in patients]
            shares = np.array([100 * kinds.count(kind) / len(kinds) for kind in KINDS])
            error = np.sqrt(shares * (100 - shares) / len(kinds))
            x = np.arange(len(KINDS)) + 0.26 * (number - 1)
            colour = ARM_COLOURS[1 + number]
            left.bar(x, shares, 0.24, yerr=error, color=colour, label=family, ecolor=MUTED)
            values = np.sort([float(str(row["condition_number"])) for row in patients])
            values = values[~np.isnan(values)]
            if len(values):
                heights = 100 * np.arange(1, len(values) + 1) / len(values)
                right.step(np.minimum(values, MOST_CONDITION), heights, where="post", color=colour)
            spoken = zip(KINDS, shares, strict=True)
            told.append(
                f"{family}: " + ", ".join(f"{kind} {share:.0f} %" for kind, share in spoken)
            )
        left.set_xticks(range(len(KINDS)), list(KINDS))
        left.set_ylabel("% of patients")
        right.set_xscale("log")
        right.xaxis.set_major_locator(FixedLocator([1, 10, 100, MOST_CONDITION]))
        right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        right.xaxis.set_minor_locator(NullLocator())
        right.set_xlabel("condition number at the best setting, 1,000 or more at the end")
        right.set_ylabel("% of patients with at most this")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3)
        svg = inline_svg(figure, "landscapes", "Kinds of landscapes. " + "; ".join(told))
    return Drawing(
        name="landscapes",
        title="Landscapes at the best setting",
        svg=svg,
        caption="Bars: one standard error over patients.",
    )


def correlations(predicted: Mapping[str, Mapping[str, Mapping[str, Interval]]]) -> Drawing:
    """Rank correlations of what is known of a landscape with how hard its patient was."""
    outcomes = {"wait": "epochs or days until a good setting", "share": "share of the gap closed"}
    with drawing_style():
        figure = Figure((WIDE, 3.0), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (outcome, title) in zip(panels, outcomes.items(), strict=True):
            for number, (family, by_name) in enumerate(predicted.items()):
                values = [each[outcome] for each in by_name.values()]
                axes.errorbar(
                    [value.value for value in values],
                    np.arange(len(values)) + 0.2 * (number - 1),
                    xerr=_errors(values),
                    linestyle="none",
                    color=ARM_COLOURS[1 + number],
                    marker=MARKERS[number],
                    label=family,
                )
            names = [name.replace("_", " ") for name in next(iter(predicted.values()))]
            axes.set_yticks(range(len(names)), names)
            axes.axvline(0, color=MUTED, linewidth=0.8)
            axes.set_xlabel(f"rank correlation with\n{title}")
            axes.set_xlim(-1, 1)
        panels[0].invert_yaxis()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3)
        told = "; ".join(
            f"{family}, {name.replace('_', ' ')}, {outcome}: {interval}"
            for family, by_name in predicted.items()
            for name, by_outcome in by_name.items()
            for outcome, interval in by_outcome.items()
        )
        svg = inline_svg(figure, "correlations", f"Rank correlations. {told}")
    return Drawing(
        name="correlations",
        title="What the landscape predicts",
        svg=svg,
        caption="Bars: 95 % bootstrap intervals over patients.",
    )


def _bars(axes: Axes, x: Any, values: Sequence[Interval], number: int, label: str) -> None:
    axes.errorbar(
        x,
        [value.value for value in values],
        yerr=_errors(values),
        color=ARM_COLOURS[1 + number],
        marker=MARKERS[number],
        label=label,
        linewidth=1.2,
    )


def _errors(values: Sequence[Interval]) -> Any:
    """Both arms of the bars, none where there is no interval."""
    below = [np.nan_to_num(value.value - value.low) for value in values]
    above = [np.nan_to_num(value.high - value.value) for value in values]
    return np.maximum([below, above], 0.0)


def _in_words(points: Mapping[str, Mapping[Any, Interval]]) -> str:
    return "; ".join(
        f"{name}, {key}: {value}"
        for name, by_key in points.items()
        for key, value in by_key.items()
    )
