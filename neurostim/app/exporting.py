"""What leaves the app as plain tables."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from neurostim.app.engine import Engine
from neurostim.app.life import Scenario, Subject, Workspace
from neurostim.storage import EPOCHS, write_whole
from protocols import InputError

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so would run as a formula in a spreadsheet; an apostrophe keeps it a text."""


def write_csv(path: Path, engine: Engine, workspace: Workspace) -> Path:
    """Write every scenario's epochs, as a trial's table has them; `InputError` if that fails."""
    content = csv_bytes(engine, workspace.scenarios, workspace.subject)
    try:
        write_whole(path, content)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    return path


def csv_bytes(engine: Engine, scenarios: Sequence[Scenario], subject: Subject) -> bytes:
    """The rows of every scenario; of a diary, its recorded days."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if subject.counts:
        writer.writerow(("date", "count"))
        writer.writerows((day.isoformat(), count) for day, count in sorted(subject.counts.items()))
        return text.getvalue().encode()
    writer.writerow(("scenario", *EPOCHS.names))
    for scenario in scenarios:
        for row in engine.rows(scenario.life, scenario.policy.name):
            writer.writerow((scenario.name, *(cell(row[name]) for name in EPOCHS.names)))
    return text.getvalue().encode()


def cell(value: object) -> object:
    """A value as a spreadsheet may have it; missing is empty."""
    if isinstance(value, str) and value.startswith(FORMULA_SIGNS):
        return f"'{value}"
    return "" if value is None else value
