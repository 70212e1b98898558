"""Comparisons of arms that patients live one after the other, in periods.

The seizures of a period's window become a log rate, with half a seizure added so that none has
one; patients are their own controls. Inference is by Student's t, as in Jones and Kenward, "Design
and Analysis of Cross-Over Trials" (3rd edition, 2014), chapters 2 and 5.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from neurostim.estimates import FEWEST_PER_ARM, Array, Estimate
from neurostim.outcomes import PERIOD, as_floats

ADDED = "log rates of the windows, half a seizure added to each"
ALONE = "the p and the interval are about these very patients"


class Fit(NamedTuple):
    """A log ratio, its standard error, and the degrees of freedom of the error."""

    log_ratio: float
    error: float
    freedom: float


def within_ratio(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the rate ratio of two arms within the patients who lived both.

    Of patients who lived each arm once, or of fewer than five patients, by least squares with an
    effect of each patient and a linear trend over periods. Of five or more who lived an arm
    repeatedly, over their mean differences, since the effect may differ between them.
    """
    rows = periods(arm, reference)
    n = rows["patient"].nunique()
    if rows.groupby(["patient", "is_arm"]).size().max() > 1 and n >= FEWEST_PER_ARM:
        means = rows.groupby(["patient", "is_arm"])["log_rate"].mean().unstack()
        differences = (means[True] - means[False]).to_numpy(dtype=float)
        how = "mean difference of each patient's periods, over patients"
        return _estimate(_mean(differences), n, f"Within patient: {how}; t test; {ADDED}.")
    how = "least squares with patient effects and a linear trend over periods"
    whose = "" if n >= FEWEST_PER_ARM else f"; {ALONE}"
    return _estimate(_least_squares(rows, 0), n, f"Within patient: {how}; t test; {ADDED}{whose}.")


def period_ratio(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the ratio of rates from one period to the next, whatever the arm."""
    rows = periods(arm, reference)
    method = (
        "The trend over periods in the model of the rate ratio, of patients as a whole: its own "
        f"change with time, not an effect of treatment; t test; {ADDED}."
    )
    return _estimate(_least_squares(rows, 1), rows["patient"].nunique(), method)


def carry_over_ratio(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return by how much this arm's effect lasts into the second period more than the other's.

    Where two arms are lived in two periods, patients of either sequence have the same expected sum
    of log rates unless something is carried over.
    """
    rows = periods(arm, reference)
    n = rows["patient"].nunique()
    first = rows.sort_values("period").groupby("patient")["is_arm"].first()
    sums = rows.groupby("patient")["log_rate"].sum()
    groups = [sums[first].to_numpy(dtype=float), sums[~first].to_numpy(dtype=float)]
    if len(rows) != 2 * n or min(map(len, groups)) < FEWEST_PER_ARM:
        few = f"fewer than {FEWEST_PER_ARM} patients in a sequence of two periods"
        return Estimate(n=n, method=f"Not estimated: {few}.")
    test = stats.ttest_ind(*groups, equal_var=False)
    error = float(np.sqrt(sum(group.var(ddof=1) / len(group) for group in groups)))
    difference = float(groups[0].mean() - groups[1].mean())
    method = (
        "Ratio between sequences of patients' products of rates, which carry-over alone makes "
        "differ; Welch's t test between patients, unpaired, so it sees large carry-over only "
        f"(Freeman 1989, Stat Med 8:1421); {ADDED}."
    )
    return _estimate(Fit(difference, error, float(test.df)), n, method)


def periods(arm: pd.DataFrame, reference: pd.DataFrame | None) -> pd.DataFrame:
    """Return a row for each period with a diary of the patients who have one in both arms.

    The columns are patient, is_arm, period (from 1) and log_rate, per day.
    """
    assert reference is not None
    parts = []
    for is_arm, frame in ((True, arm), (False, reference)):
        for name in (each for each in frame.columns if each.startswith(PERIOD)):
            period = int(name.removeprefix(PERIOD))
            days = as_floats(frame[f"days_period_{period}"])
            with np.errstate(divide="ignore", invalid="ignore"):
                log_rate = np.log((as_floats(frame[name]) + 0.5) / days)
            columns = {"patient": frame["patient"], "log_rate": log_rate, "period": period}
            parts.append(pd.DataFrame(columns).assign(is_arm=is_arm))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[np.isfinite(rows["log_rate"])]
    n_arms = rows.groupby("patient")["is_arm"].transform("nunique")
    return rows[n_arms == 2].reset_index(drop=True)


def _mean(values: Array) -> Fit:
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return Fit(float(values.mean()), error, len(values) - 1)


def _least_squares(rows: pd.DataFrame, wanted: int) -> Fit | None:
    """Return the arm's effect (wanted 0) or the trend (1), or None where it is not identified."""
    columns = rows[["log_rate", "is_arm", "period"]].astype(float)
    # Deviations from each patient's mean: the same fit as one with an effect of every patient.
    centred = (columns - columns.groupby(rows["patient"]).transform("mean")).to_numpy()
    y, x = centred[:, 0], centred[:, 1:]
    freedom = len(y) - rows["patient"].nunique() - x.shape[1]
    if freedom < 1 or np.linalg.matrix_rank(x) < x.shape[1]:
        return None
    found = np.linalg.solve(x.T @ x, x.T @ y)
    variance = float(((y - x @ found) ** 2).sum()) / freedom
    error = float(np.sqrt(variance * np.linalg.inv(x.T @ x)[wanted, wanted]))
    return Fit(float(found[wanted]), error, freedom)


def _estimate(fit: Fit | None, n: int, method: str) -> Estimate:
    if fit is None or not fit.error > 0:
        return Estimate(n=n, method="Not estimated: too few periods with a diary.")
    reach = float(stats.t.ppf(0.975, fit.freedom)) * fit.error
    ratio = float(np.exp(fit.log_ratio))
    return Estimate(
        estimate=ratio,
        low=float(np.exp(fit.log_ratio - reach)),
        high=float(np.exp(fit.log_ratio + reach)),
        monte_carlo_error=ratio * fit.error,
        n=n,
        p=float(2 * stats.t.sf(abs(fit.log_ratio) / fit.error, fit.freedom)),
        method=method,
    )
