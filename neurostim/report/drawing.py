"""What the figures of a report share: the look of each arm, legends, and estimates in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurostim.report.evidence import Evidence
from neurostim.report.svg import ARM_COLOURS
from neurostim.report.words import interval, number, short

DASHES: tuple[Any, ...] = (
    (0, (4, 2)),
    "-",
    (0, (7, 1.5)),
    "-.",
    (0, (1, 1)),
    (0, (5, 1, 1, 1, 1, 1)),
)
MARKERS = "os^DvPX"
PANEL = (5.2, 3.7)
WIDE = 8.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One figure as the page needs it."""

    name: str
    title: str
    svg: str
    caption: str


def look(evidence: Evidence, arm: str) -> dict[str, Any]:
    """Return colour, dashes and marker of an arm; the reference is grey and dashed."""
    order = 0 if arm == evidence.reference else 1 + list(evidence.others).index(arm)
    colour = ARM_COLOURS[0] if order == 0 else ARM_COLOURS[1 + (order - 1) % (len(ARM_COLOURS) - 1)]
    return {
        "color": colour,
        "linestyle": DASHES[0] if order == 0 else DASHES[1 + (order - 1) % (len(DASHES) - 1)],
        "marker": MARKERS[order % len(MARKERS)],
    }


def arm_colour(evidence: Evidence, arm: str) -> str:
    """Return an arm's colour."""
    return str(look(evidence, arm)["color"])


def legend_above(figure: Figure, axes: Axes, n_arms: int) -> None:
    """Put one legend for the arms over the whole figure."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=min(n_arms, 6), handlelength=3.2)


def legend_below(figure: Figure, axes: Axes, evidence: Evidence) -> None:
    """Put the arms' legend under a panel, in rows that a narrow panel can hold."""
    longest = max(len(short(arm)) for arm in evidence.arms)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower left",
        ncols=max(1, min(len(evidence.arms), 44 // (longest + 6))),
        handlelength=3.2,
        columnspacing=1.4,
    )


def known_estimates(
    evidence: Evidence, endpoint: str, arms: Sequence[str]
) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the arms for which an endpoint could be estimated, with its row."""
    rows = [(arm, evidence.estimate(endpoint, arm)) for arm in arms]
    return [(arm, row) for arm, row in rows if row is not None and np.isfinite(row["estimate"])]


def spelt(evidence: Evidence, endpoint: str, arms: Sequence[str], unit: str) -> str:
    """Return an endpoint of some arms in one phrase, for those who hear the figure."""
    known = known_estimates(evidence, endpoint, arms)
    if not known:
        return "not estimated"
    suffix = f" {unit}" if unit else ""
    return "; ".join(
        f"{arm} {number(row['estimate'], unit or 'ratio')}{suffix}"
        + (
            f" ({interval(row['low'], row['high'], unit or 'ratio')}{suffix})"
            if np.isfinite(row["low"])
            else ""
        )
        for arm, row in known
    )
