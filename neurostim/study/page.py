"""The study as one HTML file that fetches nothing, and the one figure that the README shows."""

import io
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from neurostim import __version__
from neurostim.report.page import inlined, template
from neurostim.report.svg import PAPER, drawing_style
from neurostim.study import figures
from neurostim.study.parts import Sizes
from neurostim.study.section import Found, Section, column, draws_of
from neurostim.study.sections import sections

LEFT_OUT = (
    "Choosing among optimisers, and settings that stay good when perturbed, are not measured by "
    "this command.",
    "Hospitals here draw from one population: what differs between real ones is not tried.",
    "Sharing current between contacts is judged without a prior from earlier patients.",
)
NO_TUNING = "Tuning has not run yet, or not in a study of this size: see `neurostim tune`."


def render(
    found: Found, *, sizes: Sizes, seed: int, n_parts: int, cpu_seconds: float, is_quick: bool
) -> str:
    """Return the page of what is finished."""
    made = sections(found, sizes, seed)
    style = files("neurostim.report").joinpath("style.css").read_text(encoding="utf-8")
    return template("neurostim.study").render(
        style=Markup(style),
        sections=[shown(section) for section in made],
        is_quick=is_quick,
        n_done=len(found),
        n_parts=n_parts,
        command=command_of(seed, is_quick),
        seed=seed,
        left_out=LEFT_OUT if "tuning" in found else (NO_TUNING, *LEFT_OUT),
        facts={
            "Command": command_of(seed, is_quick),
            "Seed": seed,
            "Version": __version__,
            "Draws planned": sizes.n_draws,
            "Processor time": f"{cpu_seconds / 60:.1f} minutes of one core",
        },
    )


def command_of(seed: int, is_quick: bool) -> str:
    """The command that makes the same figures."""
    return f"neurostim study meta --seed {seed}" + (" --quick" if is_quick else "")


def shown(section: Section) -> Mapping[str, Any]:
    """Return a section for the template: matplotlib has escaped every text inside its SVG."""
    return {
        "id": section.id,
        "title": section.title,
        "verdict": section.verdict,
        "how": section.how,
        "numbers": section.numbers,
        "drawings": [inlined(drawing) for drawing in section.drawings],
    }


def curve_file(found: Found, sizes: Sizes) -> bytes | None:
    """The learning curve as an SVG file of its own; None before two of its points are there."""
    rows = {n: each for n in sizes.curve if (each := draws_of(found, f"curve-{n}", sizes))}
    if len(rows) < 2:
        return None
    points = {
        name: {n: column(each, name) for n, each in rows.items()}
        for name in ("rec 5", "rec 40", "trial 40")
    }
    file = io.BytesIO()
    about = {"Date": None, "Title": "Share of the gap by earlier patients"}
    with drawing_style():
        figures.curve_figure(points).savefig(file, format="svg", facecolor=PAPER, metadata=about)
    return file.getvalue()
