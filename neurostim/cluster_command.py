"""Looking at a cluster before work is given to it: `neurostim cluster-check`."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from neurostim.terminal import console

if TYPE_CHECKING:
    from neurostim.cluster_check import WorkerCheck


def cluster_check(
    address: Annotated[str, typer.Argument(help="tcp://HOST:PORT, or local:N processes.")],
) -> None:
    """Say of each worker of a Dask cluster whether it can do our work; exits with 1 if one cannot.

    Each runs a small shard, whose bytes are compared with those that come out here.
    """
    from neurostim.cluster import notice_of, scheduler_of
    from neurostim.cluster_check import check_workers
    from neurostim.cluster_task import identity

    with scheduler_of(address) as scheduler:
        console.print(notice_of(scheduler), soft_wrap=True)
        checks = list(check_workers(scheduler))
    console.print(worker_table(checks))
    for check in checks:
        if check.wrong:
            console.print(f"{check.address}: {check.wrong}", markup=False, soft_wrap=True)
    here = ", ".join(f"{name} {value}" for name, value in identity().items())
    console.print(f"Here and wanted there: {here}", style="dim", soft_wrap=True)
    if any(check.wrong for check in checks):
        raise typer.Exit(1)


def worker_table(checks: "list[WorkerCheck]") -> Table:
    """One row per worker."""
    table = Table(box=None, pad_edge=False)
    for heading in ("worker", "", "threads", "memory, GB", "round trip, ms", "test shard, s"):
        table.add_column(heading, justify="left" if heading in ("worker", "") else "right")
    for check in checks:
        table.add_row(
            escape(check.address),
            "[red]wrong[/]" if check.wrong else "[green]ok[/]",
            str(check.n_threads),
            "no limit" if check.memory_gb is None else f"{check.memory_gb:.1f}",
            "" if check.round_trip_ms is None else f"{check.round_trip_ms:.1f}",
            "" if check.shard_s is None else f"{check.shard_s:.2f}",
        )
    return table
