"""Operating characteristics: `neurostim power`, and `neurostim power show`."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from typer.core import TyperGroup

from neurostim.terminal import NOTICE, console, progress_bar
from protocols import InputError

if TYPE_CHECKING:
    from pandas import DataFrame

    from neurostim.power.study import Study

MOST_PATIENTS_SHOWN = 40
SAME = ("scenario", "replicate", "patient", "position", "arm")


class StudyFirst(TyperGroup):
    """A group in which whatever is no command of it is a design to study."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the usual command before its arguments."""
        is_named = not args or args[0] in self.commands or args[0] == "--help"
        given: list[str] = super().parse_args(ctx, args if is_named else ["study", *args])
        return given


power = typer.Typer(
    cls=StudyFirst,
    help="How often trials of a design find what there is, and what there is not.",
    no_args_is_help=True,
)


@power.command()
def study(
    designs: Annotated[list[str], typer.Argument(help="Names of shipped designs, or TOML files.")],
    n: Annotated[str, typer.Option(help="Patients in each arm, rising.")] = "50,100,200",
    replicates: Annotated[int, typer.Option(help="Simulated trials, at most.")] = 1000,
    until_error: Annotated[
        float | None, typer.Option(help="Stop when every standard error is below this share.")
    ] = None,
    for_power: Annotated[
        float | None, typer.Option(help="Search the size with this power, such as 0.8.")
    ] = None,
    test: Annotated[str, typer.Option(help="The test that a search is for.")] = "superiority",
    margin: Annotated[
        float | None, typer.Option(help="Test equivalence: a rate ratio within 1/MARGIN to MARGIN.")
    ] = None,
    is_paired: Annotated[
        bool, typer.Option("--paired", help="The same patients in every arm, the counterfactual.")
    ] = False,
    is_null: Annotated[
        bool, typer.Option("--null", help="Add patients in whom stimulation does nothing.")
    ] = False,
    scenarios: Annotated[
        list[str] | None,
        typer.Option("--scenario", help="An assumption beside others: mild:KEY=VALUE."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same results.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write.  [default: runs/DESIGN-power-SEED]")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the table as CSV.")] = None,
    is_kept: Annotated[
        bool, typer.Option("--keep", help="Keep every patient, for `neurostim power show`.")
    ] = False,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost, and run nothing more.")
    ] = False,
) -> None:
    """Say how often each test rejects in replicated trials of designs; `study` may be left out."""
    from neurostim.power.characteristics import characteristics
    from neurostim.power.operating import write_operating
    from neurostim.power.scenarios import NULL, make_scenario, parse_scenarios
    from neurostim.power.search import search
    from neurostim.power.study import Study, run_study

    wanted = parse_scenarios(scenarios or [])
    if is_null:
        wanted["null"] = NULL
    asked = Study(
        scenarios=tuple(
            make_scenario(design, name, changes, seed=seed, is_paired=is_paired)
            for design in designs
            for name, changes in wanted.items()
        ),
        sizes=sizes_of(n),
        n_replicates=replicates,
        until_error=until_error,
        margin=margin,
        is_kept=is_kept,
    )
    if is_dry:
        print_cost(asked)
        return
    folder = out or Path("runs") / f"{asked.scenarios[0].design}-power-{seed}"
    command = shlex.join(["neurostim", *sys.argv[1:]])
    if for_power is None:
        with shown(replicates) as tell:
            table = characteristics(run_study(asked, folder, tell), margin)
        write_operating(asked, table, folder, command, csv)
        console.print(table_of(table))
    else:
        with shown(replicates) as tell:
            found = search(asked, for_power, test, folder, tell)
        write_operating(asked, found.table, folder, command, csv, {"test": test, **found.words()})
        console.print(table_of(found.table))
        high = f"{found.high:.0f}" if found.high < float("inf") else "more than can be told"
        console.print(
            f"{found.n} patients in each arm for a power of {100 * for_power:g} % (95 % interval "
            f"of the search {found.low:.0f} to {high}). At {found.n}, fresh trials: "
            f"{found.share:.1f} % ({found.share_low:.1f} to {found.share_high:.1f}) of "
            f"{found.n_replicates:,}, which "
            f"{'confirms it' if found.is_settled else 'does not confirm it: more are needed'}.",
            soft_wrap=True,
        )
    console.print(f"Written to {folder}: operating.json, operating.html, operating.svg, statistics")
    console.print(NOTICE, style="dim")


@power.command()
def show(
    folder: Annotated[Path, typer.Argument(help="A folder that `neurostim power` wrote.")],
    replicate: Annotated[int, typer.Option(help="Which simulated trial, from 0.")],
    patient: Annotated[
        int | None, typer.Option(help="Which of its patients, from 0 in each arm.")
    ] = None,
    arm: Annotated[str | None, typer.Option(help="Of which arm.  [all]")] = None,
    scenario: Annotated[int, typer.Option(help="Which scenario, from 0.")] = 0,
) -> None:
    """Show one simulated trial of a study, or one patient of it."""
    from neurostim.power.drill_down import by_patient, diary_of, patients_of, trial_of

    if patient is None:
        console.print(plain_table(trial_of(folder, replicate, scenario), f"trial {replicate}"))
        if (folder / "kept").is_dir():
            people = by_patient(patients_of(folder, replicate, scenario))
            console.print(plain_table(people.head(MOST_PATIENTS_SHOWN), "patients"))
        return
    epochs = patients_of(folder, replicate, scenario)
    for each in [arm] if arm else epochs["arm"].unique():
        console.print(plain_table(diary_of(epochs, each, patient), f"{each}, patient {patient}"))


def sizes_of(text: str) -> tuple[int, ...]:
    """The sizes in a text such as 50,100,200."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"n = {text!r}: whole numbers such as 50,100,200 were expected") from None


def print_cost(asked: "Study") -> None:
    """Print what a study would cost."""
    from neurostim.power.cost import cost_of

    cost = cost_of(asked)
    console.print(
        f"{cost.n_replicates:,} simulated trials at most, {cost.n_patients:,} patients, "
        f"{cost.patient_years:,.0f} patient-years: about {cost.minutes:.1f} minutes here "
        f"({cost.most_minutes:.1f} if no two exact tests were the same), and "
        f"{cost.memory_mb:.0f} MB for the rows of one piece. Nothing was run or written.",
        soft_wrap=True,
    )


@contextmanager
def shown(n_replicates: int) -> Iterator[Callable[[int, int, float], None]]:
    """A bar with the replicates done and the worst error so far."""
    bar = progress_bar("{task.fields[error]}")
    with bar:
        task = bar.add_task("replicates", total=n_replicates, error="")

        def tell(n_done: int, n_in_all: int, error: float) -> None:
            worst = f"largest error {error:.4f}"
            bar.update(task, completed=n_done, total=n_in_all, error=worst)

        yield tell


def table_of(table: "DataFrame") -> Table:
    """The shares rejected with their errors: a row for each test, a column for each size."""
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, caption="trials that reject, % ± standard error")
    for heading in ("scenario", "arm", "test"):
        shown.add_column(heading, no_wrap=heading == "test")
    sizes = sorted(table["n"].unique())
    for n in sizes:
        shown.add_column(f"n = {n}", justify="right", no_wrap=True)
    for (scenario, arm, test), rows in table.groupby(["scenario", "arm", "test"], sort=False):
        cells = {row["n"]: f"{row['share']:.1f} ± {row['error']:.1f}" for _, row in rows.iterrows()}
        shown.add_row(str(scenario), str(arm), str(test), *(cells.get(n, "") for n in sizes))
    return shown


def plain_table(rows: "DataFrame", title: str) -> Table:
    """Any rows, but for what the title says of all of them."""
    rows = rows.drop(columns=[name for name in SAME if name in rows and rows[name].nunique() == 1])
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, title=title)
    for name in rows.columns:
        shown.add_column(str(name))
    for row in rows.itertuples(index=False):
        shown.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row))
    return shown
