"""Who is made worse, or better, than under another arm, against a minimal important difference.

All of it is paired: only a simulation can say of one person how two arms would have gone.
"""

import numpy as np
import pandas as pd

from neurostim.estimates import Array, Estimate, median_estimate
from neurostim.outcomes import NAN, as_floats
from neurostim.rank_tests import signed_rank
from neurostim.shares import net_share, share


def paired_change(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the median over patients of the difference in percent change between two arms."""
    differences = differences_in_change(arm, reference)
    method = (
        "Median over patients of the difference in percent change between this arm and the "
        "other; percentile bootstrap interval over patients (five or more); p by Wilcoxon "
        "signed-rank; paired."
    )
    return median_estimate(differences, signed_rank(differences), method)


def important_share(
    points: float, side: int, arm: pd.DataFrame, reference: pd.DataFrame | None
) -> Estimate:
    """Return the share who are worse (side 1) or better (side -1) by `points` or more."""
    differences = differences_in_change(arm, reference)
    n = len(differences)
    if not n:
        return Estimate(n=0, method="Not estimated: no patient has a percent change in both arms.")
    return share(
        int((side * differences >= points).sum()),
        n,
        f"Share of patients whose percent change differs by {points:g} percentage points or more "
        "between this arm and the other, by the diary; Wilson interval; paired.",
    )


def important_net(points: float, arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the share who are worse by `points` or more less that of those better by as much."""
    differences = differences_in_change(arm, reference)
    if not len(differences):
        return Estimate(n=0, method="Not estimated: no patient has a percent change in both arms.")
    is_important = np.abs(differences) >= points
    what = f"Share of those worse by {points:g} percentage points or more less those better"
    return net_share(np.sign(differences) * is_important, what)


def important_size(points: float, arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return by how much those are worse who are worse by `points` or more."""
    differences = differences_in_change(arm, reference)
    worse = differences[differences >= points]
    if not len(worse):
        nobody = f"Not estimated: no patient was worse by {points:g} percentage points or more."
        return Estimate(n=0, method=nobody)
    method = (
        f"Median difference in percent change over the patients who are worse by {points:g} "
        "percentage points or more than under the other arm, by the diary; percentile bootstrap "
        "interval over patients (five or more); paired."
    )
    return median_estimate(worse, NAN, method)


def important_true_share(
    points: float, arm: pd.DataFrame, reference: pd.DataFrame | None
) -> Estimate:
    """Return the share whose true rate at the final setting is worse by `points` or more.

    In percent of the patient's true rate without stimulation.
    """
    assert reference is not None
    columns = ["patient", "true_rate_final_per_day", "true_rate_off_per_day"]
    pairs = arm[columns].merge(reference[columns[:2]], on="patient", suffixes=("", "_reference"))
    final, other, off = (
        as_floats(pairs[name]) for name in (columns[1], f"{columns[1]}_reference", columns[2])
    )
    is_known = np.isfinite(final) & np.isfinite(other) & (off > 0)
    if not is_known.any():
        return Estimate(n=0, method="Not estimated: no patient was treated in both arms.")
    # A difference of exactly the points is important; the last bit of a float is not.
    differences = np.round(100 * ((final - other)[is_known] / off[is_known]), 9)
    return share(
        int((differences >= points).sum()),
        len(differences),
        f"Share of patients whose true rate at this arm's final setting exceeds that at the "
        f"other's by {points:g} % or more of their true rate without stimulation; Wilson interval; "
        "paired.",
    )


def differences_in_change(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Array:
    """Return the differences in percent change of the patients who have one in both arms."""
    assert reference is not None
    columns = ["patient", "percent_change"]
    pairs = arm[columns].merge(reference[columns], on="patient", suffixes=("", "_reference"))
    differences = pairs["percent_change"] - pairs["percent_change_reference"]
    return np.round(as_floats(differences.dropna()), 9)
