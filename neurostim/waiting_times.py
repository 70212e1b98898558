"""Waiting times: how long a patient waited for an event, and whether it came at all.

Who has not met the event when treatment ends is censored there. The frames returned are indexed by
arm and patient.
"""

import numpy as np
import pandas as pd

KEYS = ["arm", "patient"]
NEAR_BEST = 1.1
"""Within 10 % of the best: at most this many times the true rate at the best setting."""


def days_to_count(treatment: pd.DataFrame, baseline_rate_28: pd.Series) -> pd.DataFrame:
    """Return the recorded days of treatment until the count reaches that of 28 baseline days.

    The time to the pre-randomisation count, T-PSC (Kerr et al. 2025, Epilepsia 66:3207). Rows hold
    counts of epochs, so within an epoch the k-th of n seizures is placed at k / (n + 1) of its
    recorded days, as if they were evenly spread. Days without a diary stop the clock. Missing
    without a seizure at baseline or a diary in treatment.

    Args:
        treatment: the epochs of treatment, in the order in which each patient lived them.
        baseline_rate_28: seizures per 28 recorded baseline days, indexed by arm and patient.

    Returns:
        `count_days`, and `is_count_reached`, which is false where the patient was censored.

    """
    rows = treatment[treatment["n_seizures"].notna() & (treatment["days_recorded"] > 0)]
    rows = rows[[*KEYS, "n_seizures", "days_recorded"]].astype({"n_seizures": float})
    by_patient = rows.groupby(KEYS, sort=False)
    total = by_patient["n_seizures"].cumsum()
    days = by_patient["days_recorded"].cumsum()
    # Counts are whole: a rate of 2.5 is reached by the third seizure.
    wanted = np.ceil(baseline_rate_28.where(baseline_rate_28 > 0).round(9)).rename("wanted")
    rows = rows.join(wanted, on=KEYS).assign(total=total, days=days)
    first = rows[rows["total"] >= rows["wanted"]].drop_duplicates(KEYS).set_index(KEYS)
    rank = first["wanted"] - (first["total"] - first["n_seizures"])
    before = first["days"] - first["days_recorded"]
    reached = before + first["days_recorded"] * rank / (first["n_seizures"] + 1)
    followed = rows.groupby(KEYS, sort=False)["days"].last().astype(float)
    return _waits("count", reached, followed.reindex(wanted.index).where(wanted.notna()))


def days_to_near_best(treatment: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the days of treatment until a setting within 10 % of the best was delivered.

    Missing where no stimulation is itself within 10 % of the best.

    Args:
        treatment: the epochs of treatment, in the order in which each patient lived them.
        frame: `true_rate_off_per_day`, `true_rate_best_per_day` and `treatment_days`, indexed by
            arm and patient.

    Returns:
        `near_best_days`, and `is_near_best_reached`, which is false where the patient was censored.

    """
    limit = (NEAR_BEST * frame["true_rate_best_per_day"]).rename("limit")
    rows = treatment[[*KEYS, "start_day", "true_rate_per_day"]].join(limit, on=KEYS)
    start = rows.groupby(KEYS, sort=False)["start_day"].first()
    near = rows[rows["true_rate_per_day"] <= rows["limit"]].drop_duplicates(KEYS).set_index(KEYS)
    reached = (near["start_day"] - start.reindex(near.index)).astype(float)
    followed = frame["treatment_days"].where(frame["treatment_days"] > 0).astype(float)
    return _waits("near_best", reached, followed.where(frame["true_rate_off_per_day"] > limit))


def _waits(name: str, reached: pd.Series, followed: pd.Series) -> pd.DataFrame:
    """Return times and whether they end in the event; `followed` is missing where nothing is."""
    time = reached.reindex(followed.index)
    is_reached = time.notna().astype("boolean").mask(followed.isna())
    days = time.fillna(followed).where(followed.notna())
    return pd.DataFrame({f"{name}_days": days, f"is_{name}_reached": is_reached})
