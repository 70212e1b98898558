"""What `neurostim validate` does: measure, print, and write what was asked for."""

from collections.abc import Collection, Mapping
from pathlib import Path

from rich.console import Console

from neurostim.validation.cohorts import Cohorts
from neurostim.validation.page import write_page
from neurostim.validation.printing import print_table, write_json
from neurostim.validation.samples import Samples
from neurostim.validation.table import has_passed, measured_rows


def run(
    cohorts: Cohorts,
    *,
    subject: str,
    is_quick: bool,
    seed: int,
    only: Collection[str] | None = None,
    json_path: Path | None = None,
    page_path: Path | None = None,
    facts: Mapping[str, str] | None = None,
    console: Console | None = None,
) -> bool:
    """Measure and print the table, write JSON and page, and return whether every row passes.

    `subject` is what was validated, in words; `facts` say more of how on the page.
    """
    console = console or Console()
    samples = Samples(cohorts, is_quick=is_quick, seed=seed)
    with console.status("") as status:
        rows = measured_rows(samples, only=only, progress=status.update)
    print_table(rows, console)
    if json_path is not None:
        console.print(f"Written: {write_json(json_path, rows)}")
    if page_path is not None:
        size = "quick" if is_quick else "full"
        shown = {"Seed": str(seed), "Size": size, **(facts or {})}
        write_page(page_path, rows, samples=samples, subject=subject, facts=shown)
        console.print(f"Written: {page_path}")
    return has_passed(rows)
