"""The figures of a tuning's report: the Pareto front and the main effects."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from neurostim.report.drawing import WIDE, Drawing
from neurostim.report.svg import ARM_COLOURS, GRID, MUTED, drawing_style, inline_svg
from neurostim.tuning.difference import CHANGES, OBJECTIVES, SHARE, UNSAFE, is_on_front, measured
from neurostim.tuning.effects import KnobEffect, Z
from neurostim.tuning.knobs import Choice
from neurostim.tuning.search import Known
from neurostim.tuning.writing import value_words

USUAL_COLOUR, TRIED_COLOUR, FRONT_COLOUR = ARM_COLOURS[2], ARM_COLOURS[0], ARM_COLOURS[1]
MOST_EFFECTS = 10


def front_of(known: Known) -> list[Choice]:
    """The choices on the Pareto front of those evaluated on all training patients."""
    finals = known.on(known.top)
    values = np.array([measured(known.lives[choice, known.top]).values for choice in finals])
    return [choice for choice, is_on in zip(finals, is_on_front(values), strict=True) if is_on]


def pareto(known: Known, chosen: Choice) -> Drawing:
    """Share of the gap against each of the other objectives, for all training patients."""
    finals = known.on(known.top)
    found = {choice: measured(known.lives[choice, known.top]) for choice in finals}
    front = set(front_of(known))
    with drawing_style():
        figure = Figure((WIDE, 3.6), layout="constrained")
        for axes, objective in zip(
            figure.subplots(1, 2, sharey=True), (UNSAFE, CHANGES), strict=True
        ):
            for choice, each in found.items():
                axes.errorbar(
                    each.values[objective],
                    each.values[SHARE],
                    xerr=each.errors[objective],
                    yerr=each.errors[SHARE],
                    color=FRONT_COLOUR if choice in front else TRIED_COLOUR,
                    marker="o" if choice in front else ".",
                    elinewidth=0.6,
                )
            for choice, marker, name in (
                (known.space.usual, "s", "default"),
                (chosen, "D", "tuned"),
            ):
                at = found[choice].values
                axes.plot(
                    at[objective], at[SHARE], marker, color=USUAL_COLOUR, zorder=5,
                    markersize=6, fillstyle="none" if name == "default" else "full", label=name,
                )  # fmt: skip
            axes.set_xlabel(OBJECTIVES[objective])
            axes.grid(color=GRID)
        figure.axes[0].set_ylabel(OBJECTIVES[SHARE])
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=2)
        words = (
            f"{len(finals)} choices were tried on all training patients, and {len(front)} are on "
            "the Pareto front of the three objectives (larger, blue): no other is as good in all "
            "and better in one. Bars are standard errors over patients, who are the same in all."
        )
        return Drawing(
            name="front",
            title="Share of the gap against unsafe days and against changes of setting",
            svg=inline_svg(figure, "front", words),
            caption=words,
        )


def effects(found: Sequence[KnobEffect]) -> Drawing:
    """The main effect of each value against the usual one, with 95 % limits."""
    shown = found[:MOST_EFFECTS]
    labels = [
        f"{each.knob.name} = {value_words(value.value)}" for each in shown for value in each.values
    ]
    values = [value for each in shown for value in each.values]
    with drawing_style():
        figure = Figure((WIDE, 0.6 + 0.19 * len(values)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color=MUTED, linewidth=0.8)
        places = np.arange(len(values))[::-1]
        axes.errorbar(
            [value.difference for value in values],
            places,
            xerr=[Z * value.error for value in values],
            fmt="o",
            color=FRONT_COLOUR,
            elinewidth=0.8,
            markersize=3.5,
        )
        axes.set_yticks(places, labels)
        axes.set_xlabel("change in what is tuned for, against the value in the design")
        axes.grid(axis="x", color=GRID)
        words = (
            "What each value does against the one in the design, on average over choices near the "
            "design, by the outer model; bars are its 95 % limits."
        )
        return Drawing(
            name="effects",
            title="Main effects",
            svg=inline_svg(figure, "effects", words),
            caption=words,
        )
