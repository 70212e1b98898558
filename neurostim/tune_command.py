"""Tuning an arm's knobs by simulation: `neurostim tune`."""

from pathlib import Path
from typing import Annotated

import typer

from neurostim.terminal import NOTICE, console


def tune(
    design: Annotated[str, typer.Argument(help="A shipped design's name, or a TOML file.")],
    out: Annotated[Path, typer.Option(help="The tuned design to write.")] = Path("tuned.toml"),
    budget: Annotated[int, typer.Option(help="In whole trials of all training patients.")] = 64,
    arm: Annotated[
        str | None, typer.Option(help="Which arm.  [the only one that can be tuned]")
    ] = None,
    patients: Annotated[int, typer.Option(help="How many training patients.")] = 96,
    validation: Annotated[
        int, typer.Option(help="How many more, on whom the result is confirmed.")
    ] = 192,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    priors: Annotated[
        list[str] | None,
        typer.Option("--prior", help="A learned prior that the arm may take, beside its own."),
    ] = None,
) -> None:
    """Tune an arm by trials on virtual patients, and confirm it on others.

    Beside FILE.toml, FILE.jsonl keeps every evaluation, so that the same command goes on after any
    interruption, and FILE.html reports the Pareto front, main effects and the confirmation.
    """
    from rich.console import Console
    from rich.live import Live

    from neurostim.storage import write_whole
    from neurostim.tuning.page import render
    from neurostim.tuning.printing import lines, live_table
    from neurostim.tuning.search import Asked, Known
    from neurostim.tuning.tune import Request, refuse_other
    from neurostim.tuning.tune import tune as tuned
    from neurostim.tuning.writing import check_place, check_runs, text_of

    log, page = out.with_suffix(".jsonl"), out.with_suffix(".html")
    refuse_other(out, log)
    check_place(out, design)
    request = Request(
        design=design,
        arm=arm,
        budget=budget,
        n_training=patients,
        n_validation=validation,
        seed=seed,
        priors=tuple(priors or ()),
    )
    with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:

        def show(known: Known, asked: Asked | None) -> None:
            live.update(live_table(known, asked, budget), refresh=True)

        done = tuned(request, log, show)
    check_runs(done)
    write_whole(out, text_of(done).encode())
    write_whole(page, render(done).encode())
    for line in lines(done):
        console.print(line, soft_wrap=True, markup=False)
    console.print(f"Tuned design: {out}. Report: {page}", soft_wrap=True, markup=False)
    console.print(NOTICE, style="dim")
