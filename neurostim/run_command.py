"""Running a design: `neurostim run`, and what it prints."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from neurostim.terminal import NOTICE, console, progress_bar
from protocols import InputError

if TYPE_CHECKING:
    from pandas import Series

    from neurostim.results import Result
    from neurostim.trial import Standing


class Compute(StrEnum):
    """Where tensors live."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def run(
    design: Annotated[
        str | None, typer.Argument(help="A shipped design's name, or a TOML file.")
    ] = None,
    patients: Annotated[
        int | None, typer.Option(help="How many virtual patients, instead of the design's number.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same results.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Results folder.  [default: runs/DESIGN-seed-SEED]")
    ] = None,
    compute: Annotated[Compute, typer.Option(help="Where the controllers compute.")] = Compute.AUTO,
    is_isolated: Annotated[
        bool | None,
        typer.Option(
            "--isolated/--in-process",
            help="Run controllers in processes of their own, within deadlines.  "
            "[default: for a single patient]",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one key of the design: schedule.epoch_days=7."),
    ] = None,
    block_size: Annotated[
        int | None, typer.Option(help="Patients of one shard; more of them suit a GPU.")
    ] = None,
    workers: Annotated[int, typer.Option(help="How many processes share the work.")] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(help="A Dask cluster does it: tcp://HOST:PORT, or local:N processes."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the run in this results folder.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write the tables as CSV, too, into this folder.")
    ] = None,
) -> None:
    """Run a trial and print its endpoints; a run that was stopped goes on where it was."""
    from neurostim.plan import BLOCK_SIZE
    from neurostim.results import resume_trial, run_trial
    from neurostim.trial import Means
    from protocols.documents import parse_overrides

    folder = folder_of(design, seed, out, resume)
    with shown_standing() as show:
        means = Means(
            n_workers=workers,
            cluster=cluster,
            show=show,
            tell=lambda sentence: print(f"neurostim: {sentence}", file=sys.stderr),
        )
        try:
            if resume is not None:
                result = resume_trial(resume, means=means)
            else:
                result = run_trial(
                    str(design),
                    n_patients=patients,
                    seed=seed,
                    out=folder,
                    compute=compute.value,
                    overrides=parse_overrides(changes or []),
                    block_size=BLOCK_SIZE if block_size is None else block_size,
                    is_isolated=is_isolated,
                    means=means,
                )
        except KeyboardInterrupt:
            stopped = f"Stopped. What is finished is in {folder}; the same command goes on there."
            console.print(stopped)
            raise typer.Exit(130) from None
    if csv is not None:
        result.to_csv(csv)
    console.print(endpoint_table(result))
    console.print(safety_line(result))
    console.print(f"Results: {folder}   Report: neurostim report {folder}", soft_wrap=True)
    console.print(NOTICE, style="dim")


def folder_of(design: str | None, seed: int, out: Path | None, resume: Path | None) -> Path:
    """Where the results are or will be; `InputError` when it is not said what is to be run."""
    if resume is not None:
        if design is not None or out is not None:
            raise InputError(f"--resume {resume} beside a design or --out: one was expected")
        return resume
    if design is None:
        raise InputError("nothing to run: a design's name, a .toml file or --resume was expected")
    return out or Path("runs") / f"{Path(design).stem}-seed-{seed}"


@contextmanager
def shown_standing() -> "Iterator[Callable[[Standing], None]]":
    """A bar that shows shards, patients per second and the time left, while work is done."""
    bar = progress_bar("{task.fields[shards]}", "{task.fields[speed]}")
    task = bar.add_task("Running", total=None, shards="", speed="")

    def show(standing: "Standing") -> None:
        bar.start()
        bar.update(
            task,
            completed=standing.n_days,
            total=standing.n_days_in_all,
            shards=f"{standing.n_shards}/{standing.n_shards_in_all} shards",
            speed=f"{standing.patients_per_s:.3g} patients/s",
        )

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()


SHOWN = {
    "percent_change": "median\nchange, %",
    "rr50": "50 % re-\nsponders, %",
    "rate_ratio": "rate\nratio",
    "gap_in_trial": "gap\nclosed, %",
}
"""The endpoints that the command line prints; the report has them all."""


def endpoint_table(result: "Result") -> Table:
    """The main endpoints, one row per arm, each with its 95 % interval over patients."""
    design = result.manifest["design"]
    frame = result.endpoints().set_index(["arm", "endpoint"])
    table = Table(
        title=design["title"],
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("arm", style="bold", vertical="bottom", overflow="fold")
    for heading in SHOWN.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for arm in design["arms"]:
        places = [(arm["name"], endpoint) for endpoint in SHOWN]
        cells = [_cell(frame.loc[place]) if place in frame.index else "" for place in places]
        table.add_row(arm["name"], *cells)
    table.caption = (
        "Estimates with 95 % intervals over patients; rate ratio against "
        f"{design['analysis']['reference']}; gap: from off to each patient's best setting."
    )
    table.caption_justify = "left"
    return table


def _cell(row: "Series[Any]") -> str:
    digits = 2 if row["unit"] == "ratio" else 0
    estimate, low, high = (row[name] for name in ("estimate", "low", "high"))
    if not isfinite(estimate):
        return "–"
    if not (isfinite(low) and isfinite(high)):
        return f"{estimate:.{digits}f}"
    return f"{estimate:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def safety_line(result: "Result") -> str:
    """How often the gate and the device stepped in."""
    epochs = result.epochs()
    counts = epochs["ruling"].value_counts()
    return (
        f"Device incidents: {int(epochs['n_incidents'].sum())}. Of {len(epochs):,} proposals "
        f"{counts.get('clamped', 0):,} were lowered, {counts.get('held', 0):,} held, "
        f"{counts.get('fallen-back', 0):,} answered with the baseline or nothing and "
        f"{counts.get('stopped', 0):,} stopped."
    )
