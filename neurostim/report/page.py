"""A trial's report as one HTML file that fetches nothing."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from neurostim.report import answer, credibility, endpoint_table, harm, operating, tables
from neurostim.report.drawing import Drawing
from neurostim.report.effects import main_result
from neurostim.report.estimand import deviations, estimand
from neurostim.report.evidence import Evidence, evidence_of
from neurostim.report.figures import drawings
from neurostim.report.sensitivity import not_in_these_rows, sensitivity
from neurostim.report.supplements import NONE, Supplements
from neurostim.report.words import GLOSSARY, count
from neurostim.requests import USUAL, Requests

CONTENTS = (
    ("answer", "Answer"),
    ("estimand", "What was to be estimated, and the arms"),
    ("flow", "Flow and baseline"),
    ("endpoints", "Endpoints"),
    ("distribution", "Distribution and subgroups"),
    ("time", "Time course and what was delivered"),
    ("safety", "Safety, and the ten worst patients"),
    ("pairs", "Patient by patient"),
    ("operating", "Operating characteristics"),
    ("sensitivity", "Sensitivity"),
    ("credibility", "Credibility and checklists"),
    ("identity", "Identity"),
    ("data", "The data"),
    ("glossary", "Glossary"),
)
"""The thirteen parts and the glossary, by their ids."""


def render(
    epochs: pd.DataFrame,
    patients: pd.DataFrame,
    manifest: Mapping[str, Any],
    requests: Requests = USUAL,
    supplements: Supplements = NONE,
    *,
    is_summary: bool = False,
) -> str:
    """Return the report of a trial, or its first part alone, as one page.

    The same rows, manifest, requests and supplements give the same bytes.
    """
    evidence = evidence_of(epochs, patients, manifest, requests)
    if is_summary:
        figures = drawings(evidence, [main_result])
        return template("neurostim.report", "summary.html").render(brief(evidence, figures))
    return template().render(brief(evidence, drawings(evidence)) | context(evidence, supplements))


def write_report(
    path: Path | str,
    epochs: pd.DataFrame,
    patients: pd.DataFrame,
    manifest: Mapping[str, Any],
    requests: Requests = USUAL,
    supplements: Supplements = NONE,
    *,
    is_summary: bool = False,
) -> Path:
    """Write the report of a trial, or its first part alone, to `path`, and return it."""
    path = Path(path)
    text = render(epochs, patients, manifest, requests, supplements, is_summary=is_summary)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


@cache
def template(package: str = "neurostim.report", name: str = "page.html") -> Template:
    """Return a package's page, in which everything that is not marked as safe is escaped."""
    environment = Environment(
        autoescape=True,
        loader=PackageLoader(package, ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def brief(evidence: Evidence, figures: Mapping[str, Drawing]) -> dict[str, Any]:
    """Return what the first part sets, which stands for itself in a summary."""
    design, manifest = evidence.design, evidence.manifest
    return {
        "title": str(design.get("title") or design.get("name") or "Trial"),
        "name": str(design.get("name", "trial")),
        "question": str(design.get("question") or ""),
        "created": str(manifest.get("created", ""))[:10],
        "size": answer.size(evidence),
        "answer": answer.plain_answer(evidence),
        "safety": answer.safety_line(evidence),
        "made_worse": harm.made_worse(evidence),
        "is_finished": bool(manifest.get("is_finished", True)),
        "figures": {name: inlined(drawing) for name, drawing in figures.items()},
        "arm_names": evidence.arms,
        "fingerprint": str(manifest.get("fingerprint", "")),
        "seed": str(manifest.get("seed", "")),
        "command": str(manifest.get("command", "")),
    }


def context(evidence: Evidence, supplements: Supplements) -> dict[str, Any]:
    """Return what the other parts set."""
    endpoints, notes = endpoint_table.endpoint_rows(evidence)
    csv = endpoint_table.endpoint_csv(evidence)
    found, validation = supplements.operating, supplements.validation
    return {
        "contents": CONTENTS,
        "reference": evidence.reference,
        "is_paired": evidence.is_paired,
        "is_reference_off": evidence.is_reference_off,
        "estimand": estimand(evidence),
        "deviations": deviations(evidence),
        "arms": tables.arms(evidence),
        "endpoints": endpoints,
        "notes": notes,
        "n_sites": site_words(evidence),
        "findings": tables.findings(evidence),
        "faults": tables.faults(evidence),
        "adverse": tables.adverse(evidence),
        "charges": tables.charges(evidence),
        "worse": harm.worse(evidence),
        "worst": harm.worst_patients(evidence),
        "flow": tables.flow(evidence),
        "baseline": tables.baseline(evidence),
        "schedule": evidence.schedule,
        "operating": None if found is None else operating.operating_table(found),
        "operating_facts": [] if found is None else operating.operating_facts(found),
        "reach": operating.reach(evidence),
        "sensitivity": sensitivity(evidence),
        "elsewhere": not_in_these_rows(evidence),
        "validation": validation and credibility.validation_table(validation),
        "verdict": validation and credibility.validation_verdict(validation),
        "validated": supplements.validated,
        "stress": credibility.stress(evidence),
        "ademp": credibility.ademp(evidence),
        "identity": tables.identity(evidence.manifest),
        "glossary": GLOSSARY,
        "csv": csv,
        "csv_link": f"data:text/csv;charset=utf-8,{quote(csv)}",
    }


def site_words(evidence: Evidence) -> str:
    """Return how many sites there are to choose from, which is the same for all patients."""
    sites = (evidence.design.get("settings") or {}).get("site")
    if not sites:
        return ""
    return f"Sites to choose from, the same for every patient: {count(len(sites))}."


def inlined(drawing: Drawing) -> dict[str, Any]:
    """Return a figure for the template: matplotlib has escaped every text inside its SVG."""
    return {
        "name": drawing.name,
        "title": drawing.title,
        "svg": Markup(drawing.svg),
        "caption": drawing.caption,
    }
