"""The command line: run a design, report on it, list what there is, and check the installation."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from neurostim.app_command import app as app_command
from neurostim.audit_command import audit
from neurostim.cluster_command import cluster_check
from neurostim.compare_command import compare
from neurostim.design_command import design
from neurostim.export_command import export
from neurostim.power_command import power
from neurostim.report_command import report
from neurostim.run_command import run
from neurostim.study_command import study
from neurostim.terminal import NOTICE, console, progress_bar
from neurostim.tune_command import tune
from protocols import InputError

if TYPE_CHECKING:
    from patient_models.diaries import Diary

app = typer.Typer(
    help=f"Closed-loop neurostimulation for drug-resistant epilepsy, in simulation. {NOTICE}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(run)
app.command(name="app")(app_command)
app.command()(export)
app.command()(report)
app.command()(compare)
app.command()(cluster_check)
app.command()(tune)


class Topic(StrEnum):
    """What can be listed."""

    DESIGNS = "designs"
    CONTROLLERS = "controllers"
    DEVICES = "devices"
    MODELS = "models"


@app.command()
def validate(
    rows: Annotated[
        list[str] | None, typer.Argument(help="Rows of the table, such as D2 or D10b.  [all]")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer patients: under two minutes.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same table.")] = 1,
    json: Annotated[
        Path | None, typer.Option(help="Write the table as JSON, one object for each row.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the table and its figures.")] = None,
    family: Annotated[str, typer.Option(help="Which family of patients.")] = "clinical",
) -> None:
    """Hold the virtual patients against the published figures; exits with 1 if a row fails."""
    from neurostim.trial import one_torch_thread
    from neurostim.validation.command import run as run_validation
    from neurostim.validation.simulated import simulated_cohorts

    cohorts = simulated_cohorts(family)
    with one_torch_thread():
        is_passed = run_validation(
            cohorts,
            subject=f"the {family} family of virtual patients",
            is_quick=quick,
            seed=seed,
            only=rows or None,
            json_path=json,
            page_path=html,
            console=console,
        )
    console.print(NOTICE, style="dim")
    if not is_passed:
        raise typer.Exit(1)


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="A seizure diary: .csv, or .tsv with tabs.")],
    mapping: Annotated[
        str,
        typer.Option(
            "--map",
            help="Which column is what: date=Day,count=Seizures,patient=Id. Without a count each "
            "row is one seizure; count=GTC+focal adds columns up; count=* is a column per day; "
            "onset=onset,kind=eventType reads the events of BIDS.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; without it, only the preview is shown.")
    ] = None,
    date_format: Annotated[
        str, typer.Option(help="As %d.%m.%Y, where dates are not ISO.  [default: ISO]")
    ] = "",
    timezone: Annotated[str, typer.Option(help="Where days begin, for times with offset.")] = "UTC",
    longest_silence_days: Annotated[
        int, typer.Option(help="With a row per seizure: longer gaps are missing, not zero.")
    ] = 60,
    start: Annotated[
        str, typer.Option(help="With onset: when the recording began, 2026-01-31T08:00.")
    ] = "",
    seizure_kind: Annotated[
        str, typer.Option(help="With kind: how the kinds that are seizures begin.")
    ] = "sz",
) -> None:
    """Read a diary, show what was understood, and write it for use as baselines."""
    from neurostim.diary_import import parse_mapping, write_diaries
    from patient_models.diaries import Reading, read_diaries

    reading = Reading(
        columns=parse_mapping(mapping),
        date_format=date_format,
        timezone=timezone,
        longest_silence_days=longest_silence_days,
        start=start,
        seizure_kind=seizure_kind,
    )
    diaries = read_diaries(file, reading)
    console.print(diary_table(diaries))
    if out is None:
        console.print("Nothing was written; --out FOLDER writes diary.csv and baselines.csv.")
        return
    write_diaries(out, diaries)
    console.print(
        f'Written to {out}. In a design: population.baselines = "{out / "baselines.csv"}"',
        soft_wrap=True,
    )


federate = typer.Typer(
    help="Learn one prior in many hospitals: files of sums travel, and no row about a patient.",
    no_args_is_help=True,
)
app.add_typer(federate, name="federate")
app.add_typer(audit, name="audit")
app.add_typer(design, name="design")
app.add_typer(power, name="power")
app.add_typer(study, name="study")


@app.command()
def learn(
    design: Annotated[str, typer.Argument(help="A shipped design's name, or a TOML file.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("prior.safetensors"),
    patients: Annotated[int, typer.Option(help="How many virtual patients to learn from.")] = 200,
    epochs: Annotated[int, typer.Option(help="At random settings, of the design's length.")] = 30,
    seed: Annotated[int, typer.Option(help="The same seed gives the same prior.")] = 0,
    sources: Annotated[
        list[Path] | None,
        typer.Option("--from", help="A finished results folder, or a CSV file of epochs, instead."),
    ] = None,
    arm: Annotated[
        str | None, typer.Option(help="With --from: which arm.  [that with the most settings]")
    ] = None,
    wash_in_days: Annotated[
        float, typer.Option(min=0.0, help="Time constant with which effects come and go.")
    ] = 18.0,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one key of the design: schedule.epoch_days=7."),
    ] = None,
) -> None:
    """Learn a prior from earlier patients, and judge it by patients it has not seen."""
    from neurostim.learning.learn import learn_from_design, learn_from_results
    from neurostim.learning.printing import learning_lines, learning_table
    from neurostim.trial import one_torch_thread
    from protocols.documents import parse_overrides

    if arm is not None and not sources:
        raise InputError(f"--arm {arm} without --from: virtual patients have no arms")
    bar = progress_bar()
    tasks: dict[str, Any] = {}

    def step(name: str, done: int, total: int) -> None:
        bar.start()
        tasks[name] = tasks[name] if name in tasks else bar.add_task(name, total=total)
        bar.update(tasks[name], completed=done, total=total)

    overrides = parse_overrides(changes or [])
    try:
        with one_torch_thread():
            learning = (
                learn_from_results(
                    design, sources, out, arm=arm, seed=seed, changes=overrides,
                    wash_in_days=wash_in_days, step=step,
                )
                if sources
                else learn_from_design(
                    design, out, n_patients=patients, n_epochs=epochs, seed=seed,
                    changes=overrides, wash_in_days=wash_in_days, step=step,
                )
            )  # fmt: skip
    finally:
        if bar.live.is_started:
            bar.stop()
    console.print(learning_table(learning))
    for line in learning_lines(learning, out):
        console.print(line, soft_wrap=True, markup=False)
    console.print(NOTICE, style="dim")


@federate.command()
def summarise(
    folder: Annotated[Path, typer.Argument(help="A results folder of this hospital.")],
    out: Annotated[Path, typer.Option(help="The file of sums to write.")],
    prior: Annotated[
        Path | None, typer.Option(help="What the last round gave; left out in the first.")
    ] = None,
    arm: Annotated[
        str | None, typer.Option(help="Which arm.  [that with the most settings]")
    ] = None,
    min_patients: Annotated[int, typer.Option(help="Fewer patients are refused.")] = 10,
    clip: Annotated[
        float | None, typer.Option(help="The largest norm of a patient's contribution.")
    ] = None,
    noise_multiplier: Annotated[
        float | None, typer.Option(help="Noise in each sum, in units of the clip.")
    ] = None,
    delta: Annotated[float, typer.Option(help="For which the privacy budget is stated.")] = 1e-5,
    wash_in_days: Annotated[
        float, typer.Option(min=0.0, help="In the first round: the same in every hospital.")
    ] = 18.0,
) -> None:
    """Write the sums over a hospital's patients; nothing else needs to leave it."""
    from neurostim.learning.hospital import summarise as summarise_hospital
    from neurostim.learning.printing import sent_lines
    from neurostim.meta.federation import Protection
    from neurostim.trial import one_torch_thread

    with one_torch_thread():
        sent = summarise_hospital(
            folder, out, prior=prior, arm=arm, delta=delta, wash_in_days=wash_in_days,
            protection=Protection(
                min_patients=min_patients, clip=clip, noise_multiplier=noise_multiplier
            ),
        )  # fmt: skip
    for line in sent_lines(sent, out, clip):
        console.print(line, soft_wrap=True, markup=False)


@federate.command()
def combine(
    sums: Annotated[list[Path], typer.Argument(help="One file of sums from each hospital.")],
    out: Annotated[Path, typer.Option(help="The prior to write.")] = Path("prior.safetensors"),
    pseudo_patients: Annotated[
        float, typer.Option(min=0.0, help="How strongly the generic covariance pulls.")
    ] = 10.0,
) -> None:
    """Make one prior of the hospitals' sums, as if their patients had been in one place."""
    from neurostim.learning.printing import combined_lines
    from neurostim.meta.federation import combine as combine_sums
    from neurostim.trial import one_torch_thread

    with one_torch_thread():
        about = combine_sums(sums, out, pseudo_patients)
    for line in combined_lines(about, out):
        console.print(line, soft_wrap=True, markup=False)


@app.command(name="list")
def list_(topic: Annotated[Topic, typer.Argument(help="What to list.")]) -> None:
    """List the shipped designs, controllers, devices or patient models."""
    table = Table(box=None, pad_edge=False)
    table.add_column(topic.value.removesuffix("s"), style="bold", no_wrap=True)
    table.add_column("what it is")
    for name, summary in _listing(topic):
        table.add_row(name, summary)
    console.print(table)


@app.command()
def doctor() -> None:
    """Check this installation: versions, packages, the generator, envelopes, the GPU."""
    from neurostim.doctor import check_all

    table = Table(box=None, pad_edge=False)
    for column in ("check", "", "what was found"):
        table.add_column(column)
    checks = check_all()
    for check in checks:
        mark = "[green]ok[/]" if check.is_good else "[red]wrong[/]"
        table.add_row(check.name, mark, check.found)
    console.print(table)
    if not all(check.is_good for check in checks):
        raise typer.Exit(1)


MOST_SHOWN = 20


def diary_table(diaries: "Sequence[Diary]") -> Table:
    """What was understood of each diary."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("patient", "from", "to"):
        table.add_column(heading, no_wrap=True, vertical="bottom")
    for heading in ("days\nrecorded", "days\nmissing", "\nseizures", "per 28\ndays"):
        table.add_column(heading, justify="right", no_wrap=True)
    for diary in diaries[:MOST_SHOWN]:
        rate = 28 * diary.n_seizures / len(diary.counts)
        dates = (diary.first.isoformat(), diary.last.isoformat())
        counts = (str(len(diary.counts)), str(diary.n_missing), str(diary.n_seizures))
        table.add_row(escape(diary.patient), *dates, *counts, f"{rate:.1f}")
    if len(diaries) > MOST_SHOWN:
        table.caption = f"... and {len(diaries) - MOST_SHOWN} more"
    return table


def _listing(topic: Topic) -> list[tuple[str, str]]:
    if topic is Topic.DESIGNS:
        from protocols.design import design_names, load_design

        return [(name, load_design(name).title) for name in design_names()]
    if topic is Topic.DEVICES:
        from safety import envelope_names, load_envelope

        return [(name, load_envelope(name).title) for name in envelope_names()]
    if topic is Topic.MODELS:
        from patient_models import model_named, model_names

        return [(name, model_named(name).summary) for name in model_names()]
    from neurostim.controllers import controller_class, controller_names

    return [(name, controller_class(name).summary) for name in controller_names()]


def main() -> None:
    """Run the command line; a person's mistake is one sentence on stderr and exit code 2."""
    try:
        app()
    except InputError as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"{error.filename or 'a file'}: {error.strerror or error}"
    else:
        return
    print(f"neurostim: {sentence}", file=sys.stderr)
    sys.exit(2)
