"""Generalised estimating equations on monthly counts, as the RNS pivotal trial was analysed."""

import numpy as np
import statsmodels.api as sm

from neurostim.validation.diaries import Booleans, Counts, Diaries, Floats

MONTH_DAYS = 28
"""A month of the device trials."""


def monthly_gee(
    diaries: Diaries, arm: Counts, *, baseline_days: int, start: int, end: int
) -> tuple[float, float, float]:
    """Return percent change in the active arm, in the control arm, and p of their difference.

    28-day counts of baseline and of days [start, end): Poisson, log link, exchangeable within the
    patient, with arm, period and their interaction; days without an entry shorten a month.
    """
    before, blinded = range(0, baseline_days, MONTH_DAYS), range(start, end, MONTH_DAYS)
    # (B, M) for B patients and M months, flattened patient after patient
    counts = monthly(diaries.counts, [*before, *blinded])
    days = monthly(diaries.recorded, [*before, *blinded])
    in_arm = np.broadcast_to(arm[:, None].astype(np.float64), counts.shape)
    period = np.broadcast_to(np.repeat([0.0, 1.0], [len(before), len(blinded)]), counts.shape)
    patient = np.broadcast_to(np.arange(len(arm))[:, None], counts.shape)
    design = np.stack([np.ones(counts.shape), in_arm, period, in_arm * period], axis=2)
    known = days > 0
    model = sm.GEE(
        counts[known],
        design[known],
        groups=patient[known],
        offset=np.log(days[known] / MONTH_DAYS),
        family=sm.families.Poisson(),
        cov_struct=sm.cov_struct.Exchangeable(),
    )
    fit = model.fit(start_params=start_from_sums(counts, days, design))
    in_control, interaction = fit.params[2], fit.params[3]
    return (
        100 * float(np.expm1(in_control + interaction)),
        100 * float(np.expm1(in_control)),
        float(fit.pvalues[3]),
    )


def monthly(days: Counts | Booleans, starts: list[int]) -> Counts:
    """Return (B, M) sums of (B, D) days over the 28 days from each start."""
    return np.stack([days[:, first : first + MONTH_DAYS].sum(axis=1) for first in starts], axis=1)


def start_from_sums(counts: Counts, days: Counts, design: Floats) -> Floats:
    """Return the coefficients had all months been independent: log rates of the four cells."""
    in_arm, period = design[..., 1] == 1, design[..., 2] == 1
    cells = (~in_arm & ~period, in_arm & ~period, ~in_arm & period, in_arm & period)
    # Half a seizure keeps the logarithm of an empty cell finite; it is a start, not an estimate.
    a, b, c, d = (
        float(np.log((counts[cell].sum() + 0.5) * MONTH_DAYS / days[cell].sum())) for cell in cells
    )
    return np.array([a, b - a, c - a, d - c - b + a])
