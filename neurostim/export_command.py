"""Taking results elsewhere: `neurostim export`."""

from pathlib import Path
from typing import Annotated

import typer

from neurostim.terminal import console


def export(
    folder: Annotated[Path, typer.Argument(help="A results folder that `neurostim run` wrote.")],
    csv: Annotated[Path, typer.Option(help="The folder to write CSV files into.")],
) -> None:
    """Write the tables of a run as CSV: epochs, patients, outcomes and endpoints."""
    from neurostim.results import load

    load(folder).to_csv(csv)
    console.print(f"Written to {csv}: epochs.csv, patients.csv, outcomes.csv, endpoints.csv")
