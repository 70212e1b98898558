"""Several runs side by side: `neurostim compare`."""

from pathlib import Path
from typing import Annotated

import typer

from neurostim.terminal import console
from protocols import InputError


def compare(
    folders: Annotated[
        list[Path], typer.Argument(help="Two or more results folders; the first is the yardstick.")
    ],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("comparison.html"),
    important: Annotated[
        float, typer.Option(help="Percentage points that make a patient worse or better.")
    ] = 25.0,
) -> None:
    """Compare runs: what differs between their manifests, and their endpoints side by side."""
    from neurostim.report.comparison import Run, comparison
    from neurostim.report.evidence import evidence_of
    from neurostim.requests import Requests
    from neurostim.results import load
    from neurostim.storage import write_whole

    places = [folder.resolve() for folder in folders]
    if len(set(places)) < len(places):
        raise InputError(f"{', '.join(map(str, folders))}: the same folder twice")
    requests = Requests(important_points=important)
    results = [load(folder) for folder in folders]
    names = [folder.name for folder in places]
    names = [str(folder) if names.count(folder.name) > 1 else folder.name for folder in places]
    runs = [
        Run(
            name=name,
            evidence=evidence_of(each.epochs(), each.patients(), each.manifest, requests),
        )
        for name, each in zip(names, results, strict=True)
    ]
    write_whole(out, comparison(runs, requests).encode())
    console.print(f"Comparison: {out}", soft_wrap=True)
