"""Writing a trial's report: `neurostim report`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurostim.terminal import console
from protocols import InputError


def report(
    folder: Annotated[Path, typer.Argument(help="A results folder that `neurostim run` wrote.")],
    out: Annotated[
        Path | None, typer.Option(help="The file to write.  [default: FOLDER/report.html]")
    ] = None,
    permutations: Annotated[
        int, typer.Option(help="Add tests by so many random permutations, such as 9999.")
    ] = 0,
    every_pair: Annotated[
        bool, typer.Option("--every-pair", help="Compare every two arms, not only the reference.")
    ] = False,
    important: Annotated[
        float, typer.Option(help="Percentage points that make a patient worse or better.")
    ] = 25.0,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only the first part: one page for who decides.")
    ] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Write a PDF (needs neurostim[pdf]), not HTML.")
    ] = False,
    operating: Annotated[
        Path | None,
        typer.Option(help="What `neurostim power` wrote.  [default: FOLDER/operating.json]"),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            help="What `neurostim validate --json` wrote.  [default: FOLDER/validation.json]"
        ),
    ] = None,
    validate: Annotated[
        bool,
        typer.Option("--validate", help="First hold these patients against published figures."),
    ] = False,
) -> None:
    """Write the protocol comparison report: thirteen parts in one self-contained file."""
    from neurostim.report import render, supplements_in, write_pdf
    from neurostim.report.supplements import VALIDATION
    from neurostim.requests import Requests
    from neurostim.results import load
    from neurostim.storage import write_whole

    requests = Requests(
        is_every_pair=every_pair, n_permutations=permutations, important_points=important
    )
    result = load(folder)
    if validate:
        if validation is not None:
            raise InputError(f"--validation {validation} beside --validate: one was expected")
        write_validation(folder / VALIDATION, result.manifest)
    page = render(
        result.epochs(),
        result.patients(),
        result.manifest,
        requests,
        supplements_in(folder, operating, validation),
        is_summary=summary,
    )
    name = f"{'summary' if summary else 'report'}.{'pdf' if pdf else 'html'}"
    path = out or folder / name
    if pdf:
        write_pdf(path, page)
    else:
        write_whole(path, page.encode())
    console.print(f"Report: {path}", soft_wrap=True)


def write_validation(path: Path, manifest: dict[str, Any]) -> None:
    """Hold a run's family of patients against the published figures, quickly, and keep the rows."""
    from neurostim.trial import one_torch_thread
    from neurostim.validation.printing import write_json
    from neurostim.validation.simulated import simulated_cohorts
    from neurostim.validation.table import validate

    cohorts = simulated_cohorts(str(manifest["design"]["population"]["model"]))
    with console.status("Holding the patients against published figures"), one_torch_thread():
        write_json(path, validate(cohorts, is_quick=True, seed=1))
