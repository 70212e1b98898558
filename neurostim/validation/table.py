"""The table: every target with our figure, its Monte Carlo error, and whether it passes."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np

from neurostim.validation.cohorts import Cohorts
from neurostim.validation.evaluation import MEASURES, Measure
from neurostim.validation.groups import GROUPS
from neurostim.validation.monte_carlo import Measured
from neurostim.validation.samples import Samples
from neurostim.validation.targets import TARGETS, Target
from protocols import InputError

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One target with what we measured; a figure that could not be measured is NaN and fails."""

    target: Target
    value: float
    error: float
    """One standard error of the simulation."""
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether our figure lies in the band."""
        return self.target.contains(self.value)

    @property
    def is_close(self) -> bool:
        """Whether the nearer edge of the band is within two Monte Carlo errors."""
        nearest = min(abs(self.value - edge) for edge in self.target.band)
        # A whole number has no error, and may lie on the edge of an interval all the same.
        is_on_edge = nearest == 0 and all(map(isfinite, self.target.band))
        return isfinite(self.value) and (is_on_edge or nearest < 2 * self.error)


def validate(
    cohorts: Cohorts,
    *,
    is_quick: bool,
    seed: int,
    only: Collection[str] | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Return the rows of the table, or only those named by id ("D2e") or by group ("D2")."""
    samples = Samples(cohorts, is_quick=is_quick, seed=seed)
    return measured_rows(samples, only=only, progress=progress)


def measured_rows(
    samples: Samples, *, only: Collection[str] | None = None, progress: Progress | None = None
) -> list[Row]:
    """Return the rows of the table, measured on samples that a page may then draw."""
    wanted = wanted_targets(only)
    rows = []
    for ids, measure in MEASURES.items():
        targets = [target for target in wanted if target.id in ids]
        if not targets:
            continue
        if progress is not None:
            progress(GROUPS[targets[0].group].title)
        rows.extend(rows_of(targets, measure, samples))
    return sorted(rows, key=lambda row: TARGETS.index(row.target))


def wanted_targets(only: Collection[str] | None) -> list[Target]:
    """Return the targets named by id or by group, or all of them; an unknown name is refused."""
    known = {name for target in TARGETS for name in (target.id, target.group)}
    unknown = sorted(set(only or ()) - known)
    if unknown:
        groups = ", ".join(dict.fromkeys(target.group for target in TARGETS))
        raise InputError(
            f"rows = {', '.join(unknown)}: {groups}, or one row of these such as D10b, was expected"
        )
    return [t for t in TARGETS if not only or t.id in only or t.group in only]


def rows_of(targets: list[Target], measure: Measure, samples: Samples) -> list[Row]:
    """Return the rows of one measure; what it raises becomes the reason why they fail."""
    figures: Mapping[str, Measured] = {}
    reason = "not measured"
    try:
        with np.errstate(all="ignore"):
            figures = measure(samples)
    except Exception as error:  # one broken row must not hide the others
        reason = f"could not be measured: {type(error).__name__}: {error}"
    missing = Measured(value=float("nan"), error=float("nan"), note=reason)
    return [row_of(target, figures.get(target.id, missing)) for target in targets]


def row_of(target: Target, measured: Measured) -> Row:
    """Return a row; a figure that is not a number says so."""
    note = measured.note
    if not isfinite(measured.value):
        note = note or "the figure is not a number"
    return Row(target=target, value=measured.value, error=measured.error, note=note)


def verdict(rows: Collection[Row]) -> str:
    """Return in one sentence how many judged figures lie in their bands."""
    judged = [row for row in rows if row.target.is_judged]
    n_passed = sum(row.passed for row in judged)
    failed = ", ".join(row.target.id for row in judged if not row.passed)
    tail = f"; {failed} fail" if failed else ""
    return f"{n_passed} of {len(judged)} judged figures lie inside their published bands{tail}."


def has_passed(rows: Collection[Row]) -> bool:
    """Whether every judged row passes."""
    return all(row.passed for row in rows if row.target.is_judged)
