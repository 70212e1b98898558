"""The study of meta-optimisation in one command: `neurostim study meta`."""

from pathlib import Path
from typing import Annotated

import typer

from neurostim.terminal import NOTICE, console, progress_bar
from protocols import InputError

study = typer.Typer(help="Measure what the ideas of this project are worth.", no_args_is_help=True)

REPORT, CURVE = "study.html", "study.svg"


@study.callback()
def about() -> None:
    """Measure what the ideas of this project are worth."""


@study.command()
def meta(
    minutes: Annotated[float, typer.Option(help="After so long, nothing more is begun.")] = 60.0,
    out: Annotated[Path, typer.Option(help="A folder; a study in it goes on.")] = Path(
        "runs/study-meta"
    ),
    is_quick: Annotated[
        bool, typer.Option("--quick", help="A minute's run that shows that everything works.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same figures.")] = 0,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes at once; without, two where there are cores."),
    ] = None,
) -> None:
    """Measure learning, hospitals, first settings, landscapes and contacts, and write one page."""
    from neurostim.study.page import curve_file, render
    from neurostim.study.parts import QUICK, USUAL, parts
    from neurostim.study.running import begin, finished, make, n_cores, on_one_thread, seconds

    if not minutes >= 0:
        raise InputError(f"--minutes {minutes}: 0 or more was expected")
    sizes = QUICK if is_quick else USUAL
    planned = list(parts(sizes, seed))
    begin(out, sizes, seed)
    console.print(NOTICE)
    on_one_thread()
    with progress_bar("{task.fields[last]}") as progress:
        n_done = len(finished(out, planned))
        task = progress.add_task("Measuring", total=len(planned), completed=n_done, last="")
        make(
            planned,
            out,
            minutes=minutes,
            n_workers=workers or n_cores(),
            tick=lambda name, done, _: progress.update(task, completed=done, last=name),
        )
    found = finished(out, planned)
    page = render(
        found,
        sizes=sizes,
        seed=seed,
        n_parts=len(planned),
        cpu_seconds=seconds(out, planned),
        is_quick=is_quick,
    )
    (out / REPORT).write_text(page, encoding="utf-8", newline="\n")
    if (curve := curve_file(found, sizes)) is not None:
        (out / CURVE).write_bytes(curve)
    console.print(f"{len(found)} of {len(planned)} parts are done.")
    console.print(f"Written to {out / REPORT}", soft_wrap=True)
