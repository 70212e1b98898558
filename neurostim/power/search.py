"""The size for a wanted power: simulate, fit a probit in the square root of the size, confirm."""

import warnings
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from neurostim.estimates import Z_975
from neurostim.power.characteristics import characteristics
from neurostim.power.study import MOST_PER_ARM, Progress, Study, run_study
from protocols import InputError

MOST_ROUNDS = 4
SPREAD = 4.0
"""The next size is at most so many times, and at least one in so many of, those simulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The size per arm at which a test reaches a power, with its 95 % interval, and what confirms.

    `share` and its Wilson interval, in percent, are of fresh replicates at the size `n`; the search
    has settled when that interval holds the wanted power. `table` is every round's.
    """

    n: int
    low: float
    high: float
    wanted: float
    share: float
    share_low: float
    share_high: float
    n_replicates: int
    is_settled: bool
    table: pd.DataFrame

    def words(self) -> dict[str, Any]:
        """All but the table, as JSON has it: None for a limit that could not be had."""
        kept = {name: getattr(self, name) for name in self.__slots__ if name != "table"}
        return {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in kept.items()}


def search(
    study: Study, wanted: float, test: str, folder: Path, progress: Progress | None = None
) -> Found:
    """Search the size for one scenario, its first arm beside the reference, and one test.

    The study's sizes are simulated first; each further round has fresh people at the size that the
    fit names. Raises `InputError` when no size up to the largest reaches the power.
    """
    if not 0.05 < wanted < 0.99:
        raise InputError(f"power = {wanted}: a share from 0.05 to 0.99 was expected")
    if len(study.scenarios) > 1:
        raise InputError("a size is searched for one design and one scenario at a time")
    tables = [round_of(study, folder / "round-0", test, progress)]
    for number in range(1, MOST_ROUNDS + 1):
        points = pd.concat(tables)
        n, _, _ = size_for(points, wanted)
        first = study.first_replicate + number * study.n_replicates
        later = replace(study, sizes=(n,), first_replicate=first)
        tables.append(round_of(later, folder / f"round-{number}", test, progress))
        last = tables[-1].iloc[0]
        is_settled = last["low"] <= 100 * wanted <= last["high"]
        if is_settled:
            break
    _, low, high = size_for(pd.concat(tables), wanted)
    return Found(
        n=n,
        low=low,
        high=high,
        wanted=wanted,
        share=float(last["share"]),
        share_low=float(last["low"]),
        share_high=float(last["high"]),
        n_replicates=int(last["n_replicates"]),
        is_settled=bool(is_settled),
        table=pd.concat(tables, ignore_index=True),
    )


def round_of(study: Study, folder: Path, test: str, progress: Progress | None) -> pd.DataFrame:
    """The table of one round, of the test and the arm searched for."""
    table = characteristics(run_study(study, folder, progress), study.margin)
    rows = table[table["test"] == test]
    if not len(rows):
        raise InputError(f"test {test!r}: one of {', '.join(table['test'].unique())} was expected")
    return rows[rows["arm"] == rows["arm"].iloc[0]]


def size_for(points: pd.DataFrame, wanted: float) -> tuple[int, float, float]:
    """The size at which the fitted power is as wanted, and its 95 % interval by the delta method.

    Power is nearly linear in the square root of the size on the probit scale, as that of a test of
    a mean is. Within the interval only the Monte Carlo error of `points` is; its upper end is
    infinite where it is wider than the estimate.
    """
    roots = np.sqrt(points["n"].to_numpy(dtype=float))
    smallest, largest = float(points["n"].min()), float(points["n"].max())
    n_rejected = points["n_rejected"].to_numpy(dtype=float)
    n_kept = points["n_replicates"].to_numpy(dtype=float) - n_rejected
    if n_rejected.sum() == 0 or len(np.unique(roots)) < 2:
        return _within(SPREAD * largest, wanted), np.nan, np.inf
    # Half a trial more on either side, so that a round in which all reject says something finite.
    both = np.column_stack([n_rejected + 0.5, n_kept + 0.5])
    family = sm.families.Binomial(link=sm.families.links.Probit())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two sizes fit exactly, which several warnings say
        fit = sm.GLM(both, sm.add_constant(roots), family=family).fit()
    level, slope = fit.params
    if slope <= 0:
        return _within(SPREAD * largest, wanted), np.nan, np.inf
    root = (stats.norm.ppf(wanted) - level) / slope
    gradient = np.array([-1.0, -root]) / slope
    error = sqrt(float(gradient @ fit.cov_params() @ gradient))
    low, high = max(0.0, root - Z_975 * error) ** 2, (root + Z_975 * error) ** 2
    n = np.clip(max(root, 0.0) ** 2, smallest / SPREAD, SPREAD * largest)
    return _within(float(n), wanted), low, high


def _within(n: float, wanted: float) -> int:
    """Round up, within what may be simulated."""
    if n > MOST_PER_ARM:
        raise InputError(
            f"power = {wanted}: no size up to {MOST_PER_ARM:,} per arm reaches it in simulation"
        )
    return max(5, int(np.ceil(n - 1e-9)))
