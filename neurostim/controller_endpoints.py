"""What only a simulation knows of a controller, and what it costs to be treated by it.

Most are an amount over an exposure, summed over patients; against another arm it is the difference
of the two ratios, with an interval over the patients that both arms treat.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neurostim.estimates import (
    RESAMPLED,
    Array,
    Estimate,
    bootstrap_sums,
    mean_rate,
    poisson_interval,
    ratios,
)
from neurostim.outcomes import MONTH_DAYS, as_floats
from neurostim.rank_tests import signed_rank

DAYS_PER_YEAR = 365.25
Column = Callable[[pd.DataFrame], pd.Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """An amount per exposure; events that were counted have an exact limit when there are none."""

    amount: Column
    exposure: Column
    is_count: bool = False

    def alone(self, arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
        """Return the ratio of one arm."""
        return mean_rate(self.amount(arm), self.exposure(arm), self.is_count)

    def paired(self, arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
        """Return the difference of two arms' ratios over the patients treated in both."""
        assert reference is not None
        pairs = self._sums(arm).merge(
            self._sums(reference), on="patient", suffixes=("", "_reference")
        )
        found = pairs.dropna().to_numpy(dtype=float)
        sums, days = found[:, [0, 1, 3, 4]], found[:, [2, 5]]
        if not (sums[:, [1, 3]].sum(axis=0) > 0).all():
            return Estimate(n=len(found), method="Not estimated: there is nothing to share it by.")
        low, high, error = bootstrap_sums(sums, _differences)
        return Estimate(
            estimate=float(_differences(sums.sum(axis=0))),
            low=low,
            high=high,
            monte_carlo_error=error,
            n=len(found),
            p=signed_rank(np.round(sums[:, 0] / days[:, 0] - sums[:, 2] / days[:, 1], 9)),
            method=f"Difference between two ratios of sums over the same patients; {RESAMPLED}; p "
            "by Wilcoxon signed-rank over each patient's difference per day of treatment; paired.",
        )

    def _sums(self, arm: pd.DataFrame) -> pd.DataFrame:
        """Return amount, exposure and days of treatment by patient, of those treated."""
        columns = {
            "amount": as_floats(self.amount(arm)),
            "exposure": as_floats(self.exposure(arm)),
            "days": as_floats(arm["treatment_days"]),
        }
        sums = pd.DataFrame(columns, index=pd.Index(arm["patient"], name="patient"))
        return sums[sums["days"] > 0]


def per_year(column: str, is_count: bool = True) -> Ratio:
    """Return a number of events, or an amount, per patient-year of treatment."""
    return Ratio(
        amount=lambda arm: arm[column],
        exposure=lambda arm: arm["treatment_days"] / DAYS_PER_YEAR,
        is_count=is_count,
    )


def per_day(column: str) -> Ratio:
    """Return an amount per patient-day of treatment."""
    return Ratio(amount=lambda arm: arm[column], exposure=lambda arm: arm["treatment_days"])


def share_of_epochs(column: str) -> Ratio:
    """Return the share of treatment epochs of a kind, in percent."""
    return Ratio(
        amount=lambda arm: arm[column],
        exposure=lambda arm: arm["n_epochs"] / 100,
        is_count=True,
    )


def per_patient(column: Column) -> Ratio:
    """Return the mean of an amount over the patients who were treated."""
    return Ratio(amount=column, exposure=lambda arm: (arm["n_epochs"] > 0).astype(float))


REGRET = Ratio(
    amount=lambda arm: arm["gap"] - arm["gap_closed"],
    exposure=lambda arm: arm["treatment_days"] / MONTH_DAYS,
)
CUMULATIVE_REGRET = per_patient(lambda arm: arm["gap"] - arm["gap_closed"])
SIMPLE_REGRET = per_patient(lambda arm: arm["regret_final_28"])
SETTINGS_TRIED = per_patient(lambda arm: arm["n_settings_tried"])
DAYS_ABOVE_BASELINE = per_year("days_above_baseline", is_count=False)
GAP_IN_TRIAL = Ratio(amount=lambda arm: 100 * arm["gap_closed"], exposure=lambda arm: arm["gap"])
GAP_FINAL = Ratio(amount=lambda arm: 100 * arm["gap_closed_final"], exposure=lambda arm: arm["gap"])


def gap_share(
    column: str, what: str, arm: pd.DataFrame, reference: pd.DataFrame | None
) -> Estimate:
    """Return the share of the gap to the best settings that was closed, in percent.

    Unlike other ratios it counts the patients without a gap: what they lost by stimulation weighs
    against what the others gained.
    """
    sums = arm[[column, "gap"]].dropna().to_numpy(dtype=float)
    if not sums[:, 1].sum() > 0:
        no_gap = "Not estimated: no patient has a better setting than off; see the regret."
        return Estimate(n=len(sums), method=no_gap)
    low, high, error = bootstrap_sums(sums, ratios)
    return Estimate(
        estimate=100 * float(ratios(sums.sum(axis=0))),
        low=100 * low,
        high=100 * high,
        monte_carlo_error=100 * error,
        n=len(sums),
        method=f"Sum over patients of (true rate when off − {what}) over the sum of (true rate "
        f"when off − true rate at the best deliverable setting); {RESAMPLED}.",
    )


def battery_years(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return how long a battery would last that is emptied as treatment emptied it."""
    used = arm[["battery_days", "battery_used_permille"]].to_numpy(dtype=float)
    sums = used[used[:, 0] > 0] / (DAYS_PER_YEAR, 1000)
    if not sums[:, 1].sum() > 0:
        return Estimate(n=len(sums), method="Not estimated: no battery lost a permille.")
    low, high, error = bootstrap_sums(sums, ratios)
    return Estimate(
        estimate=float(ratios(sums.sum(axis=0))),
        low=low,
        high=high,
        monte_carlo_error=error,
        n=len(sums),
        method="Days of treatment over the share of the battery that they took, as a ratio of sums "
        f"over patients; epochs in which a battery was replaced are left out; {RESAMPLED}.",
    )


def incidents(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return how often the device-side check fired, which must be never."""
    n_incidents = int(arm["n_incidents"].sum())
    low, high = poisson_interval(n_incidents)
    return Estimate(
        estimate=float(n_incidents),
        low=low,
        high=high,
        monte_carlo_error=float(np.sqrt(n_incidents)),
        n=len(arm),
        method="Count over all patients; exact Poisson (Garwood) interval of its expectation.",
    )


def _differences(sums: Array) -> Array:
    """Return the ratio of the first two columns less that of the last two."""
    differences: Array = ratios(sums[..., :2]) - ratios(sums[..., 2:])
    return differences
