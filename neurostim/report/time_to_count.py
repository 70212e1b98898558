"""The figure of the time to the pre-randomisation count (T-PSC), as Kaplan-Meier curves."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy import stats

from neurostim.report.drawing import PANEL, Drawing, known_estimates, legend_below, look
from neurostim.report.evidence import Evidence
from neurostim.report.svg import GRID, inline_svg
from neurostim.report.words import number, short
from neurostim.survival import waits_of

Array = npt.NDArray[np.float64]
MOST_STEPS = 200
FEW = 0.05
"""Who is left where the axis may end: curves of a few patients are long and say little."""


def time_to_count(evidence: Evidence) -> Drawing:
    """Draw per arm the share who have not yet had their pre-randomisation count."""
    figure = Figure(PANEL, layout="constrained")
    axes = figure.subplots()
    axes.axhline(50, color=GRID, linewidth=0.8)
    curves = {arm: curve(evidence, arm) for arm in evidence.arms}
    for arm, (days, share) in curves.items():
        if len(days):
            axes.plot(
                days,
                100 * share,
                drawstyle="steps-post",
                markevery=max(1, len(days) // 6),
                label=short(arm),
                **look(evidence, arm),
            )
    axes.set_ylim(0, 102)
    last, is_cut = last_shown(list(curves.values()))
    axes.set_xlim(0, last)
    axes.set_xlabel("recorded days of treatment")
    axes.set_ylabel("not yet at the count (%)")
    axes.grid(axis="y")
    if axes.get_legend_handles_labels()[0]:
        legend_below(figure, axes, evidence)
    medians = known_estimates(evidence, "time_to_count", evidence.arms)
    spoken = "; ".join(f"{arm} {number(row['estimate'], 'days')} days" for arm, row in medians)
    return Drawing(
        name="tpsc",
        title="Time to the pre-randomisation count",
        svg=inline_svg(
            figure,
            "tpsc",
            "Kaplan-Meier curves of the time to the pre-randomisation count; medians: "
            f"{spoken or 'fewer than half of the patients reached it, in all 0 medians'}.",
        ),
        caption="Share of patients who have not yet had as many seizures in treatment as in 28 "
        "days of baseline (T-PSC, Kaplan-Meier; who never has is censored at the end of "
        "treatment). Higher and further right is better."
        + (
            f" The axis ends where at most {100 * FEW:g} % are left in every arm." if is_cut else ""
        ),
    )


def last_shown(curves: Sequence[tuple[Array, Array]]) -> tuple[float, bool]:
    """Return where the axis ends, and whether curves go on beyond it."""
    known = [(days, share) for days, share in curves if len(days)]
    if not known:
        return 1.0, False
    ends = [
        float(days[share <= FEW][0] if (share <= FEW).any() else days[-1]) for days, share in known
    ]
    longest = max(float(days[-1]) for days, _ in known)
    last = min(longest, 1.1 * max(ends))
    return max(1.0, last), last < longest


def curve(evidence: Evidence, arm: str) -> tuple[Array, Array]:
    """Return the days and the share that remains from each of them on, beginning at day 0."""
    waits = waits_of("count", evidence.of(arm))
    if not len(waits.days):
        return np.array([]), np.array([])
    found = stats.ecdf(waits.censored()).sf
    days = np.concatenate([[0.0], found.quantiles])
    share = np.concatenate([[1.0], found.probabilities])
    if len(days) > MOST_STEPS:
        kept = np.unique(np.linspace(0, len(days) - 1, MOST_STEPS).round().astype(int))
        days, share = days[kept], share[kept]
    return days, share
