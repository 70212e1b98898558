"""The validation as one HTML file that fetches nothing."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from neurostim.report.drawing import Drawing
from neurostim.report.page import inlined, template
from neurostim.report.svg import drawing_style
from neurostim.validation import courses, figures
from neurostim.validation.bars import WIDTH, bar
from neurostim.validation.groups import GROUPS, HELD_OUT
from neurostim.validation.printing import band, ours, outcome
from neurostim.validation.samples import Samples
from neurostim.validation.table import Row, has_passed, verdict

NEEDS: dict[Callable[[Samples], Drawing], str] = {
    figures.rates: "D1a",
    figures.l_relationship: "D2a",
    figures.strengths: "D5",
    figures.periods: "D6a",
    figures.cluster_sizes: "D7c",
    figures.drug_changes: "D8a",
}
"""The community's figures, each with a row that was measured on the same sample."""
COURSES: dict[Callable[[Samples, Mapping[str, Row]], Drawing], str] = {
    courses.sante_course: "D10b",
    courses.rns_course: "D11b",
}


def render(rows: Sequence[Row], *, samples: Samples, subject: str, facts: Mapping[str, str]) -> str:
    """Return the page: `subject` is what was validated, `facts` how (seed, version, command)."""
    return template("neurostim.validation").render(
        subject=subject,
        verdict=verdict(rows),
        has_passed=has_passed(rows),
        close=[row.target.id for row in rows if row.target.is_judged and row.is_close],
        outside=[
            row.target.what.removesuffix(", %")
            for row in rows
            if is_held_out(row) and not row.passed
        ],
        n_held_out=sum(map(is_held_out, rows)),
        groups=grouped(rows),
        drawings=[inlined(drawing) for drawing in drawings(rows, samples)],
        facts=facts,
        bar_width=WIDTH,
    )


def write_page(
    path: Path | str,
    rows: Sequence[Row],
    *,
    samples: Samples,
    subject: str,
    facts: Mapping[str, str],
) -> Path:
    """Write the page, and return where."""
    path = Path(path)
    text = render(rows, samples=samples, subject=subject, facts=facts)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def is_held_out(row: Row) -> bool:
    """Whether a row belongs to what nothing was fitted to."""
    return row.target.group == HELD_OUT


def grouped(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows by group, in words, for the template."""
    groups = []
    for name, members in groupby(rows, key=lambda row: row.target.group):
        known = list(members)
        # Rows that share their sources name them once, in the heading.
        sources = dict.fromkeys(row.target.source for row in known)
        groups.append(
            {
                "name": name,
                "title": GROUPS[name].title,
                "how": GROUPS[name].how,
                "sources": "" if name == HELD_OUT else "; ".join(sources),
                "rows": [cells(row) for row in known],
            }
        )
    return groups


def cells(row: Row) -> dict[str, Any]:
    """Return one row in words, with its bar."""
    target = row.target
    return {
        "id": target.id,
        "what": target.what,
        "note": row.note,
        "published": target.published,
        "source": target.source,
        "band": band(target),
        "ours": ours(row),
        "outcome": outcome(row),
        "is_close": row.is_close,
        "reference": target.reference,
        "bar": bar(row),
    }


def drawings(rows: Sequence[Row], samples: Samples) -> list[Drawing]:
    """Return the figures whose rows could be measured."""
    by_id = {row.target.id: row for row in rows if row.value == row.value}
    with drawing_style():
        drawn = [draw(samples) for draw, id in NEEDS.items() if id in by_id]
        return drawn + [draw(samples, by_id) for draw, id in COURSES.items() if id in by_id]
