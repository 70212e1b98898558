"""The figures of a report, each with a caption and a sentence that says what it shows."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from neurostim.report.charge_density import charge_density
from neurostim.report.drawing import Drawing, legend_above
from neurostim.report.effects import changes, draw_changes, main_result, pairs, responders
from neurostim.report.evidence import Evidence, evidence_of
from neurostim.report.over_time import draw_time_course, occupancy, time_course
from neurostim.report.search import landscape, search
from neurostim.report.subgroups import forest
from neurostim.report.svg import MUTED, drawing_style
from neurostim.report.time_to_count import time_to_count
from neurostim.report.timelines import timelines
from neurostim.report.words import count

Maker = Callable[[Evidence], Drawing | None]
MAKERS: tuple[Maker, ...] = (
    main_result,
    changes,
    responders,
    forest,
    time_course,
    time_to_count,
    occupancy,
    charge_density,
    timelines,
    pairs,
    search,
    landscape,
)


def drawings(evidence: Evidence, makers: Sequence[Maker] = MAKERS) -> dict[str, Drawing]:
    """Return the figures of the page by name."""
    with drawing_style():
        made = [maker(evidence) for maker in makers]
    return {drawing.name: drawing for drawing in made if drawing is not None}


def key_figure(
    epochs: pd.DataFrame, patients: pd.DataFrame, manifest: Mapping[str, Any], path: Path | str
) -> None:
    """Save one figure for elsewhere, such as a README: who improved by how much, and when.

    The suffix of `path` says whether it becomes SVG, PNG or PDF; the background is white.
    """
    evidence = evidence_of(epochs, patients, manifest)
    path = Path(path)
    dates = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
    with drawing_style("path"):
        figure = Figure((9.6, 4.0), layout="constrained", facecolor="white")
        left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.06})
        draw_time_course(left, evidence)
        draw_changes(right, evidence)
        left.set_title("Seizures per 28 days, mean with 95 % interval")
        right.set_title("Patients with at most this change from baseline")
        legend_above(figure, left, len(evidence.arms))
        where = "in every arm" if evidence.is_paired else "in all"
        figure.supxlabel(
            f"{count(patient_count(evidence))} simulated patients {where}; research software, "
            "not a medical device",
            fontsize=7.5,
            color=MUTED,
            x=0.995,
            ha="right",
        )
        figure.savefig(path, dpi=200, metadata=dates.get(path.suffix.lower()))


def patient_count(evidence: Evidence) -> int:
    """Return how many different patients there are."""
    return int(evidence.outcomes["patient"].nunique())
