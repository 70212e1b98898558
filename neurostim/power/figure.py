"""The trellis: power by size, a panel for each scenario, tests told apart by line and marker."""

import io
import math
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from neurostim.report.drawing import MARKERS
from neurostim.report.svg import ARM_COLOURS, GRID, MUTED, PAPER, drawing_style, inline_svg

DRAWN = ("rate_ratio", "equivalence", "shift", "rr50", "paired_difference")
"""Tests that are drawn where they are there; the table has the others."""

MOST_ACROSS = 3
PANEL_WIDTH, PANEL_HEIGHT = 3.0, 2.5
LINES = ("-", "--", "-.", ":")


class Trellis(NamedTuple):
    """The figure as an SVG file of its own and as an element of a page, and what it shows."""

    file: bytes
    element: str
    alternative: str


def trellis(table: pd.DataFrame, margin: float | None) -> Trellis:
    """Draw power by size.

    A panel for each scenario and arm; bars are Wilson's 95 % intervals. The dotted lines are at 80
    and 5 %.
    """
    panels = list(table.groupby(["scenario", "arm"], sort=False))
    tests = [test for test in DRAWN if test in set(table["test"])]
    n_across = min(MOST_ACROSS, len(panels))
    n_down = math.ceil(len(panels) / n_across)
    with drawing_style():
        figure = Figure(
            figsize=(PANEL_WIDTH * n_across + 0.5, PANEL_HEIGHT * n_down + 0.6),
            layout="constrained",
        )
        axes = figure.subplots(n_down, n_across, sharex=True, sharey=True, squeeze=False).ravel()
        for panel in axes[len(panels) :]:
            panel.set_visible(False)
        for panel, ((scenario, arm), rows) in zip(axes, panels, strict=False):
            for height in (5, 80):
                panel.axhline(height, color=MUTED, linestyle=":", linewidth=0.8)
            for number, test in enumerate(tests):
                points = rows[rows["test"] == test].sort_values("n")
                panel.errorbar(
                    points["n"],
                    points["share"],
                    yerr=[points["share"] - points["low"], points["high"] - points["share"]],
                    color=ARM_COLOURS[1 + number % (len(ARM_COLOURS) - 1)],
                    marker=MARKERS[number % len(MARKERS)],
                    linestyle=LINES[number % len(LINES)],
                    label=test.replace("_", " "),
                )
            panel.set_title(f"{scenario}\n{arm}")
            panel.set_ylim(-3, 103)
            panel.set_xticks(sorted(table["n"].unique()))
            panel.grid(axis="y", color=GRID)
        figure.supxlabel("patients per arm", color=MUTED, fontsize=8.5)
        figure.supylabel("trials that reject, %", color=MUTED, fontsize=8.5)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=min(3, len(labels)))
        alternative = described(table, tests, margin)
        file = io.BytesIO()
        about = {"Date": None, "Title": "Operating characteristics", "Description": alternative}
        figure.savefig(file, format="svg", facecolor=PAPER, metadata=about)
        element = inline_svg(figure, "operating", alternative)
        return Trellis(file.getvalue(), element, alternative)


def described(table: pd.DataFrame, tests: list[str], margin: float | None) -> str:
    """What the figure shows, in words."""
    sentences = ["Share of simulated trials that reject, by patients per arm."]
    if margin is not None:
        sentences.append(f"Equivalence is a rate ratio within {1 / margin:.3g} to {margin:g}.")
    for (scenario, arm), rows in table.groupby(["scenario", "arm"], sort=False):
        for test in tests[:2]:
            points = rows[rows["test"] == test].sort_values("n")
            shares = ", ".join(
                f"{share:.0f} % at {n}"
                for share, n in zip(points["share"], points["n"], strict=True)
            )
            sentences.append(f"{scenario}, {arm}, {test.replace('_', ' ')}: {shares}.")
    return " ".join(sentences)
