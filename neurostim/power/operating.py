"""What a study leaves in its folder: operating.json, the figure as SVG and HTML, and CSV."""

import html
import json
from pathlib import Path
from typing import Any

import pandas as pd

from neurostim.power.characteristics import LEVEL
from neurostim.power.figure import Trellis, trellis
from neurostim.power.study import Study, label_of
from neurostim.report.svg import VARIABLES
from neurostim.storage import write_whole
from protocols import InputError

OPERATING = "operating.json"
SCHEMA = 1
LARGEST_BYTES = 50_000_000
ROW_KEYS = (
    "scenario", "n", "arm", "test", "n_replicates", "n_known", "n_rejected", "share", "low",
    "high", "error",
)  # fmt: skip
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Operating characteristics</title>
<style>
:root {{ --sans: system-ui, sans-serif; {colours} }}
body {{ font: 15px/1.5 var(--sans); max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--ink); background: var(--paper); }}
figure {{ margin: 1rem 0; }} figcaption {{ color: var(--muted); }}
svg {{ width: 100%; height: auto; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .1rem .7rem; text-align: left; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
</style></head><body>
<h1>Operating characteristics</h1>
<p>Research software, not a medical device. All patients are simulated. {about}</p>
<figure>{figure}<figcaption>{caption}</figcaption></figure>
<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>
<p>Run again with: <code>{command}</code></p>
</body></html>
"""


def write_operating(
    study: Study,
    table: pd.DataFrame,
    folder: Path,
    command: str,
    csv: Path | None = None,
    found: dict[str, Any] | None = None,
) -> None:
    """Write the table as JSON, its figure as SVG and HTML, and CSV where asked for.

    `found` is what a search of the size gave.
    """
    paired = study.scenarios[0].is_paired
    document = {
        "schema": SCHEMA,
        "analysis": "paired" if paired else "unpaired",
        "level": LEVEL,
        "margin": study.margin,
        "seed": study.scenarios[0].plan.seed,
        "designs": {
            label_of(each): {
                "design": each.design,
                "fingerprint": each.fingerprint,
                "reference": each.reference,
                "arms": list(each.arms),
                "model": each.plan.design.population.model,
            }
            for each in study.scenarios
        },
        "command": command,
        "search": found,
        "rows": json.loads(table[list(ROW_KEYS)].to_json(orient="records", double_precision=10)),
    }
    drawn = trellis(table, study.margin)
    try:
        write_whole(folder / OPERATING, (json.dumps(document, indent=1) + "\n").encode())
        write_whole(folder / "operating.svg", drawn.file)
        page = page_of(table, drawn, paired, command)
        write_whole(folder / "operating.html", page.encode())
        if csv is not None:
            csv.parent.mkdir(parents=True, exist_ok=True)
            write_whole(csv, table.to_csv(index=False).encode())
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot be written") from error


def page_of(table: pd.DataFrame, drawn: Trellis, is_paired: bool, command: str) -> str:
    """The page with the figure and the table."""
    names = ("scenario", "n per arm", "arm", "test", "rejects, %", "95 % interval", "error")
    rows = []
    for row in table.to_dict("records"):
        words = [html.escape(str(row[name])) for name in ("scenario", "n", "arm", "test")]
        numbers = [
            f"{row['share']:.1f}", f"{row['low']:.1f} to {row['high']:.1f}", f"{row['error']:.2f}",
        ]  # fmt: skip
        cells = [f"<td>{word}</td>" for word in words]
        cells += [f'<td class="number">{number}</td>' for number in numbers]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    about = (
        "The same patients are in every arm, which only a simulation can do."
        if is_paired
        else "Parallel trials: each arm has patients of its own, fresh in every replicate."
    )
    return PAGE.format(
        about=about,
        colours=" ".join(f"{name}: {colour};" for colour, name in VARIABLES.items()),
        figure=drawn.element,
        caption=html.escape(drawn.alternative),
        head="".join(f"<th>{name}</th>" for name in names),
        body="\n".join(rows),
        command=html.escape(command),
    )
