"""The table on paper: as JSON for programs and in the terminal for people."""

import json
from collections.abc import Collection
from math import isfinite, isinf
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurostim.report.words import number
from neurostim.validation.table import Row, verdict
from neurostim.validation.targets import Target

FOOTNOTE = (
    "MC error: one standard error of the simulation. * an edge of the band within two of them. "
    "Rows without pass or fail are shown and not judged. Every patient is simulated."
)


def rows_as_json(rows: Collection[Row]) -> list[dict[str, Any]]:
    """Return the rows for JSON; what is infinite or not a number is null."""
    return [
        {
            "id": row.target.id,
            "what": row.target.what,
            "value": finite(row.value),
            "error": finite(row.error),
            "band": [finite(edge) for edge in row.target.band],
            "passed": row.passed,
            "reference": row.target.reference,
            "published": row.target.published,
            "note": row.note,
            "source": row.target.source,
            "is_judged": row.target.is_judged,
        }
        for row in rows
    ]


def finite(value: float) -> float | None:
    """Return a number that JSON can hold."""
    return float(value) if isfinite(value) else None


def write_json(path: Path | str, rows: Collection[Row]) -> Path:
    """Write the rows as one JSON array, and return where."""
    path = Path(path)
    text = json.dumps(rows_as_json(rows), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return path


def ours(row: Row) -> str:
    """Return our figure and its Monte Carlo error, as in "2.54 ± 0.08"."""
    value = number(row.value, decimals=row.target.decimals)
    if not isfinite(row.value):
        return "not measured"
    # An error that rounds to nothing deserves one more digit than its figure.
    decimals = row.target.decimals + (row.error < 0.5 * 10.0**-row.target.decimals)
    return f"{value} ± {number(row.error, decimals=int(decimals))}"


def band(target: Target) -> str:
    """Return a band in words."""
    low, high = (f"{edge:g}".replace("-", "−") for edge in target.band)
    if all(isinf(edge) for edge in target.band):
        return "none"
    if isinf(target.band[0]):
        return f"at most {high}"
    return f"at least {low}" if isinf(target.band[1]) else f"{low} to {high}"


def outcome(row: Row) -> str:
    """Return what a row came to, in one or two words."""
    if all(isinf(edge) for edge in row.target.band):
        return "reported"
    if row.target.is_judged:
        return "pass" if row.passed else "FAIL"
    return "inside" if row.passed else "outside"


def print_table(rows: Collection[Row], console: Console | None = None) -> None:
    """Print the table, the reasons of rows that fail, and the verdict."""
    console = console or Console()
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    for name in ("", "Figure", "Published", "Band"):
        table.add_column(name)
    table.add_column("Ours ± MC error", justify="right")
    table.add_column("")
    table.add_column("CHOCOLATES", style="dim")
    group = ""
    for row in rows:
        if row.target.group != group:
            group = row.target.group
            table.add_row()
        table.add_row(*cells(row))
    console.print(table)
    console.print()
    for row in rows:
        if row.target.is_judged and not row.passed:
            reason = f"{row.target.id} fails: {row.note or 'outside its band'}"
            console.print(Text(reason, style="red"))
    console.print(Text(verdict(rows), style="bold"))
    console.print(Text(FOOTNOTE, style="dim"))


def cells(row: Row) -> tuple[Text | str, ...]:
    """Return one row of the printed table."""
    word = outcome(row)
    style = {"pass": "green", "FAIL": "bold red"}.get(word, "dim")
    close = "*" if row.is_close else ""
    return (
        Text(row.target.id),
        Text(row.target.what),
        Text(row.target.published),
        Text(band(row.target)),
        Text(ours(row)),
        Text(word + close, style=style),
        Text(row.target.reference or "–"),
    )
