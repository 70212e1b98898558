"""A trial's report as one HTML file that fetches nothing."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from neurostim.report import answer, endpoint_table, tables
from neurostim.report.drawing import Drawing
from neurostim.report.evidence import Evidence, evidence_of
from neurostim.report.figures import drawings
from neurostim.report.words import GLOSSARY
from neurostim.requests import USUAL, Requests


def render(
    epochs: pd.DataFrame,
    patients: pd.DataFrame,
    manifest: Mapping[str, Any],
    requests: Requests = USUAL,
) -> str:
    """Return the report of a trial; the same rows, manifest and requests give the same bytes."""
    evidence = evidence_of(epochs, patients, manifest, requests)
    return template().render(context(evidence))


def write_report(
    path: Path | str,
    epochs: pd.DataFrame,
    patients: pd.DataFrame,
    manifest: Mapping[str, Any],
    requests: Requests = USUAL,
) -> Path:
    """Write the report of a trial to `path`, and return it."""
    path = Path(path)
    path.write_text(render(epochs, patients, manifest, requests), encoding="utf-8", newline="\n")
    return path


@cache
def template(package: str = "neurostim.report") -> Template:
    """Return a package's page, in which everything that is not marked as safe is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = files(package).joinpath("page.html").read_text(encoding="utf-8")
    return environment.from_string(text)


def context(evidence: Evidence) -> dict[str, Any]:
    """Return everything that the template sets."""
    endpoints, notes = endpoint_table.endpoint_rows(evidence)
    csv = endpoint_table.endpoint_csv(evidence)
    design = evidence.design
    return {
        "title": str(design.get("title") or design.get("name") or "Trial"),
        "name": str(design.get("name", "trial")),
        "question": str(design.get("question") or ""),
        "created": str(evidence.manifest.get("created", ""))[:10],
        "reference": evidence.reference,
        "is_reference_off": evidence.is_reference_off,
        "size": answer.size(evidence),
        "answer": answer.plain_answer(evidence),
        "safety": answer.safety_line(evidence),
        "is_finished": bool(evidence.manifest.get("is_finished", True)),
        "arms": tables.arms(evidence),
        "arm_names": evidence.arms,
        "figures": {name: inlined(drawing) for name, drawing in drawings(evidence).items()},
        "endpoints": endpoints,
        "notes": notes,
        "findings": tables.findings(evidence),
        "faults": tables.faults(evidence),
        "adverse": tables.adverse(evidence),
        "charges": tables.charges(evidence),
        "worse": tables.worse(evidence),
        "worst": tables.worst_patients(evidence),
        "flow": tables.flow(evidence),
        "baseline": tables.baseline(evidence),
        "schedule": evidence.schedule,
        "identity": tables.identity(evidence.manifest),
        "command": str(evidence.manifest.get("command", "")),
        "glossary": GLOSSARY,
        "csv": csv,
        "csv_link": f"data:text/csv;charset=utf-8,{quote(csv)}",
    }


def inlined(drawing: Drawing) -> dict[str, Any]:
    """Return a figure for the template: matplotlib has escaped every text inside its SVG."""
    return {
        "name": drawing.name,
        "title": drawing.title,
        "svg": Markup(drawing.svg),
        "caption": drawing.caption,
    }
