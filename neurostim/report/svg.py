"""Matplotlib figures as inline SVG that takes its colours and its fonts from the page.

Every figure is drawn in a few known colours; on the page each becomes a CSS variable, so that one
drawing serves light, dark and print.
"""

import html
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#1c2430", "#5b6572", "#dde2e8", "#fefefe"
ARM_COLOURS = (
    "#6b7480",
    "#0067b0",
    "#c8500a",
    "#00836a",
    "#a0468c",
    "#8a6d00",
    "#3c8fd0",
    "#b02a37",
)
LEVEL_COLOURS = ("#e9edf1", "#cfe0f1", "#9cc1e4", "#5e9bd2", "#2670b5", "#0c427a", "#06264a")
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--rule",
    PAPER: "--paper",
    **{colour: f"--arm-{n}" for n, colour in enumerate(ARM_COLOURS)},
    **{colour: f"--level-{n}" for n, colour in enumerate(LEVEL_COLOURS)},
}
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "svg.hashsalt": "neurostim",
    "text.color": INK,
    "text.parse_math": False,  # an arm may be called anything, dollars included
    "xtick.color": MUTED,
    "xtick.major.width": 0.7,
    "ytick.color": MUTED,
    "ytick.major.width": 0.7,
}


@contextmanager
def drawing_style(fonttype: str = "none") -> Iterator[None]:
    """Draw and save in the report's style, whatever the process has set for other figures."""
    with matplotlib.rc_context({**STYLE, "svg.fonttype": fonttype}), warnings.catch_warnings():
        # A browser has glyphs that matplotlib's font lacks, and it is the browser that draws them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def inline_svg(figure: Figure, name: str, alternative: str) -> str:
    """Return a figure as one `<svg>` element; `name` keeps its ids apart from other figures'."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)  # it would style the whole page
    view_box = re.search(r'viewBox="[^"]*"', text)
    assert view_box is not None
    label = html.escape(alternative)
    head = (
        f'<svg {view_box.group()} role="img" aria-label="{label}" preserveAspectRatio="xMidYMid">'
    )
    text = head + text[text.index(">") + 1 :]
    text = text.replace("xlink:href", "href")
    return re.sub(r"\n\s*", "\n", themed(own_ids(text, name)))


def own_ids(text: str, name: str) -> str:
    """Keep only the ids that something refers to, and make them unique in the page."""
    used = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))

    def renamed(match: re.Match[str]) -> str:
        return f' id="{name}-{match.group(1)}"' if match.group(1) in used else ""

    text = re.sub(r' id="([^"]*)"', renamed, text)
    text = text.replace('href="#', f'href="#{name}-')
    return text.replace("url(#", f"url(#{name}-")


def themed(text: str) -> str:
    """Replace the known colours and the font by the page's variables."""
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text
