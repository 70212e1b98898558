"""A page of a report as PDF: the same HTML in its print styles, with numbered pages."""

import logging
import re
from pathlib import Path
from typing import Any

from protocols import InputError

VARIABLE = re.compile(r"var\((--[a-z0-9-]+)\)")
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
ROOT = re.compile(r":root \{(.*?)\}", re.DOTALL)


def write_pdf(path: Path | str, page: str) -> Path:
    """Write a page to `path` as PDF, and return it; raises `InputError` as `laid_out` does."""
    path = Path(path)
    laid_out(page).write_pdf(path)
    return path


def laid_out(page: str) -> Any:
    """Return the page as WeasyPrint's document of numbered pages.

    Raises `InputError` where WeasyPrint is not installed.
    """
    try:
        from weasyprint import HTML
    except ImportError:
        raise InputError("a PDF needs WeasyPrint: pip install neurostim[pdf]") from None
    except OSError as error:
        raise InputError(f"a PDF needs the libraries of WeasyPrint: {error}") from None
    # It reads an SVG's own style attributes as CSS, too, and warns of each although it draws them.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    return HTML(string=printable(page), url_fetcher=refuse).render()


def printable(page: str) -> str:
    """Return the page with the light colours written into its figures.

    WeasyPrint knows the variables of a style sheet in HTML, and not inside an SVG.
    """
    root = ROOT.search(page)
    assert root is not None
    values = dict(re.findall(r"(--[a-z0-9-]+):\s*([^;]+);", root.group(1)))
    values["--sans"] = "sans-serif"

    def coloured(figure: re.Match[str]) -> str:
        return VARIABLE.sub(lambda found: values[found.group(1)], figure.group())

    return SVG.sub(coloured, page)


def refuse(url: str) -> dict[str, object]:
    """Fetch nothing: a report stands for itself."""
    raise ValueError(f"{url}: a report fetches nothing")
