"""Checking audit logs and telling what they say: `neurostim audit verify` and `show`."""

import json as json_lines
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurostim.audit_rows import AuditRow, Narrator
from protocols import SECONDS_PER_DAY, InputError
from safety import LogCheck, anchor_path, verify
from safety.audit_file import Anchor, read_anchor
from safety.audit_reading import Reader

ROWS_AT_ONCE = 500

audit = typer.Typer(help="Check audit logs, and tell what they say.", no_args_is_help=True)
console = Console()

AnchorOption = Annotated[
    Path | None, typer.Option(help="The log's anchor.  [default: FILE.anchor, beside it]")
]


@audit.command(name="verify")
def verify_(
    files: Annotated[list[Path], typer.Argument(help="One or more audit logs.")],
    anchor: AnchorOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each log.")] = False,
) -> None:
    """Say of each log whether it is whole, or what is wrong and where; exits with 1 if one is not.

    Whole is a log that is sound from its first record to its closing one, and whose anchor says
    that no record is missing or was rewritten.
    """
    if anchor is not None and len(files) != 1:
        raise InputError(f"--anchor {anchor} with {len(files)} logs: one log was expected")
    is_whole = True
    for file in files:
        check = check_of(file, anchor)
        is_whole = is_whole and isinstance(check, LogCheck) and check.is_whole
        if json:
            row = {"sentence": check} if isinstance(check, str) else asdict(check)
            whole = {"file": str(file), "is_whole": not isinstance(check, str) and check.is_whole}
            print(json_lines.dumps(whole | row))
        else:
            console.print(check_line(file, check), soft_wrap=True)
    if not is_whole:
        raise typer.Exit(1)


@audit.command()
def show(
    file: Annotated[Path, typer.Argument(help="An audit log.")],
    anchor: AnchorOption = None,
    patient: Annotated[int | None, typer.Option(help="Only this patient.")] = None,
    first: Annotated[int | None, typer.Option("--from", help="From this day on.")] = None,
    last: Annotated[int | None, typer.Option("--to", help="Up to this day, included.")] = None,
    interventions: Annotated[
        bool, typer.Option("--interventions", help="Only where something was changed or stopped.")
    ] = False,
) -> None:
    """Tell what a log says, as far as it is sound; exits with 1 if it is not sound to its end."""
    reader = Reader(anchor=anchor_of(file, anchor))
    narrator = Narrator()

    def is_asked(row: AuditRow) -> bool:
        day = None if row.at_s is None else row.at_s // SECONDS_PER_DAY
        return (
            (patient is None or row.patient == patient)
            and (first is None or (day is not None and day >= first))
            and (last is None or (day is not None and day <= last))
            and (row.is_intervention or not interventions)
        )

    told = (row for record in reader.records(file) for row in narrator.rows(record))
    print_rows(filter(is_asked, told))
    check = reader.result()
    console.print(check_line(file, check), soft_wrap=True)
    if not check.is_intact:
        raise typer.Exit(1)


def anchor_of(file: Path, anchor: Path | None) -> Anchor | None:
    """Return a log's anchor, None where there is none."""
    return read_anchor(anchor_path(file) if anchor is None else anchor)


def check_of(file: Path, anchor: Path | None) -> LogCheck | str:
    """Return what is known of a log, or why it cannot be read, so that the next one still is."""
    try:
        return verify(file, anchor)
    except InputError as error:
        return str(error)


def check_line(file: Path, check: LogCheck | str) -> Text:
    """Return what was found as one line."""
    if isinstance(check, str):
        return Text.assemble(("unreadable ", "red"), clean(check))
    mark = ("whole ", "green") if check.is_whole else ("not whole ", "red")
    pending = f"; {check.n_pending} pending" if check.n_pending else ""
    found = f"{file}: {check.sentence} ({check.n_records} sound records{pending})"
    return Text.assemble(mark, clean(found))


def print_rows(rows: Iterator[AuditRow]) -> None:
    """Print rows as they come, some hundred at a time, so that a long log needs little memory."""
    is_first = True
    while block := list(islice(rows, ROWS_AT_ONCE)):
        table = Table(box=None, pad_edge=False, show_header=is_first, expand=True)
        table.add_column("day", width=11, justify="right", no_wrap=True)
        table.add_column("patient", width=8, justify="right", no_wrap=True)
        table.add_column("event", width=15, no_wrap=True)
        table.add_column("what and why", ratio=1, overflow="fold")
        for row in block:
            patient = "" if row.patient is None else str(row.patient)
            table.add_row(row.day, patient, clean(row.event), Text(clean(row.sentence)))
        console.print(table)
        is_first = False


def clean(text: str) -> str:
    """Return a text in which nothing can steer a terminal: what does not print is spelt out."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
