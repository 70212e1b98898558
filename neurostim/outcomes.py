"""Outcomes: one row per arm and patient, made from the epochs that a trial lived.

A missing day leaves the denominator and is never a zero; what could not be known is missing, too. A
month is 28 days, as in every rate.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neurostim.waiting_times import KEYS, days_to_count, days_to_near_best
from protocols.observation import SEVERE_GRADE

FIELDS = ("site", "amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms", "off_ms", "mode")
REFUSALS = ("clamped", "held", "fallen-back", "stopped")
ADVERSE_GRADE = 2
COMPLETE_SHARE = 0.8
RESPONDER_PERCENTS = (50, 75, 90)
WORSENING_PERCENT = 25.0
MONTH_DAYS = 28
FREEDOM_MONTHS = (3, 6)
REFUSED = "n_refused_"
"""How the columns begin that count the epochs in which a rule refused what was asked for."""
PERIOD = "n_period_"
"""How the columns begin that count the seizures in the window of a period."""
ROUNDING = 1e-9
NAN = float("nan")


def evaluation_start(epochs: pd.DataFrame, schedule: Mapping[str, Any]) -> int:
    """Return the day on which the evaluation window, the last part of treatment, begins."""
    return window_start(epochs, schedule, int(schedule["evaluation_days"]))


def window_start(epochs: pd.DataFrame, schedule: Mapping[str, Any], window_days: int) -> int:
    """Return the day on which the last `window_days` of treatment begin.

    Treatment is taken to begin where its first epoch does, so that a phase between baseline and
    treatment moves the window with it. An epoch belongs to the window when it *begins* inside it:
    one that straddles the start is left out, since its days belong to an earlier decision, and the
    rate is per recorded day, so a shorter window is no bias.
    """
    starts = epochs.loc[epochs["phase"] == "treatment", "start_day"]
    first = int(starts.min()) if len(starts) else int(schedule["baseline_days"])
    return first + int(schedule["treatment_days"]) - window_days


def in_window(
    treatment: pd.DataFrame, epochs: pd.DataFrame, schedule: Mapping[str, Any], window_days: int
) -> pd.Series:
    """Return which epochs of treatment begin in its last `window_days`, or in those of a period."""
    start = window_start(epochs, schedule, window_days)
    period_days = schedule.get("period_days")
    if period_days is None:
        return treatment["start_day"] >= start
    into = treatment["start_day"] - (start + window_days - int(schedule["treatment_days"]))
    turn_days = int(period_days) + int(schedule.get("washout_days", 0))
    return into % turn_days >= int(period_days) - window_days


def outcomes(
    epochs: pd.DataFrame, patients: pd.DataFrame, schedule: Mapping[str, Any]
) -> pd.DataFrame:
    """Return one row per arm and patient, from the rows of a trial.

    Rates are per 28 *recorded* days. A change from a baseline without seizures, or over a window
    without a diary, is missing and never a zero. Seizure freedom, in the evaluation window and in
    the last three and six months of treatment, asks for a diary on at least 80 % of the window's
    days; an emptier diary without seizures counts as not shown to be free, and a window longer
    than treatment is missing.

    Where treatment comes in periods, a patient has one row for each arm that was lived, with the
    windows at the end of each of its periods and the waiting times of its first one; the columns
    `n_period_K` and `days_period_K` hold the window of period K, missing where it was another
    arm's.
    """
    epochs = epochs.assign(arm=epochs["arm"].astype(str))
    period_days = schedule.get("period_days")
    if period_days is not None:
        epochs = _by_arm(epochs)
    index = epochs.groupby(KEYS, sort=False).size().index
    rows = epochs.sort_values([*KEYS, "epoch"], kind="stable", ignore_index=True)
    baseline = rows[rows["phase"] == "baseline"]
    treatment = rows[rows["phase"] == "treatment"]
    evaluation_days = int(schedule["evaluation_days"])
    evaluation = treatment[in_window(treatment, epochs, schedule, evaluation_days)]
    frame = pd.DataFrame(index=index)
    _add_diary(frame, "baseline", baseline)
    _add_diary(frame, "evaluation", evaluation)
    _add_change(frame)
    frame["is_seizure_free"] = _is_free(frame, evaluation, schedule, evaluation_days)
    for months in FREEDOM_MONTHS:
        days = MONTH_DAYS * months
        window = treatment[in_window(treatment, epochs, schedule, days)]
        is_lived = days <= int(schedule["treatment_days"] if period_days is None else period_days)
        frame[f"is_seizure_free_{months}_months"] = _is_free(
            frame, window if is_lived else window.iloc[:0], schedule, days
        )
    waited = treatment
    if period_days is not None:
        number = period_numbers(treatment, schedule)
        waited = treatment[
            number == number.groupby([treatment[key] for key in KEYS]).transform("min")
        ]
        _add_periods(frame, evaluation, period_numbers(evaluation, schedule))
    frame = frame.join(days_to_count(waited, frame["baseline_rate_28"]))
    _add_safety(frame, treatment)
    _add_refusals(frame, treatment)
    _add_battery(frame, rows)
    _add_settings(frame, treatment)
    frame["n_incidents"] = _total(frame, rows, rows["n_incidents"]).astype("int64")
    frame = _add_truth(frame, treatment, patients)
    lived = frame.assign(treatment_days=_total(frame, waited, waited["days"]))
    return frame.join(days_to_near_best(waited, lived)).reset_index()


def _by_arm(epochs: pd.DataFrame) -> pd.DataFrame:
    """Return the epochs with those outside treatment repeated for each arm a patient lived."""
    is_treatment = epochs["phase"] == "treatment"
    treatment = epochs[is_treatment]
    shared = epochs[~is_treatment].drop(columns="arm")
    shared = shared.merge(treatment[KEYS].drop_duplicates(), on="patient")
    return pd.concat([treatment, shared[epochs.columns]], ignore_index=True)


def period_numbers(treatment: pd.DataFrame, schedule: Mapping[str, Any]) -> pd.Series:
    """Return in which period of treatment each epoch is, counted from 1."""
    first = int(schedule["baseline_days"]) + int(schedule.get("recovery_days", 0))
    turn_days = int(schedule["period_days"]) + int(schedule.get("washout_days", 0))
    return (treatment["start_day"] - first) // turn_days + 1


def _add_periods(frame: pd.DataFrame, evaluation: pd.DataFrame, number: pd.Series) -> None:
    """Add the count and the recorded days of the window of each period."""
    for period in range(1, int(number.max()) + 1 if len(number) else 1):
        rows = evaluation[number == period]
        counts = _total(frame, rows, rows["n_seizures"].astype("Float64"), min_count=1)
        frame[f"{PERIOD}{period}"] = counts.astype("Int64")
        days = _total(frame, rows, rows["days_recorded"].astype("Float64"), min_count=1)
        frame[f"days_period_{period}"] = days.astype("Int64")


def _total(
    frame: pd.DataFrame, rows: pd.DataFrame, values: pd.Series, min_count: int = 0
) -> pd.Series:
    """Return sums per arm and patient, in the order of `frame`."""
    sums = values.groupby([rows[key] for key in KEYS]).sum(min_count=min_count)
    return sums.reindex(frame.index, fill_value=NAN if min_count else 0)


def _add_diary(frame: pd.DataFrame, window: str, rows: pd.DataFrame) -> None:
    """Add the count, the days and the rate that the diary gives for a window."""
    n_seizures = _total(frame, rows, rows["n_seizures"].astype("Float64"), min_count=1)
    days = _total(frame, rows, rows["days_recorded"]).astype("int64")
    frame[f"n_{window}"] = n_seizures.astype("Int64")
    frame[f"days_{window}"] = days
    frame[f"calendar_days_{window}"] = _total(frame, rows, rows["days"]).astype("int64")
    frame[f"{window}_rate_28"] = MONTH_DAYS * as_floats(n_seizures) / days.where(days > 0)


def _add_change(frame: pd.DataFrame) -> None:
    """Add the change from baseline, and whether it crosses the usual cut-offs."""
    baseline, evaluation = frame["baseline_rate_28"], frame["evaluation_rate_28"]
    change = 100 * (evaluation - baseline) / baseline.where(baseline > 0)
    frame["percent_change"] = change.round(9)  # a change of exactly 50 % must meet the cut-off
    change = frame["percent_change"]
    for percent in RESPONDER_PERCENTS:
        frame[f"is_responder_{percent}"] = _known(change <= -percent, change)
    frame["is_worse_25"] = _known(change >= WORSENING_PERCENT, change)


def _is_free(
    frame: pd.DataFrame, rows: pd.DataFrame, schedule: Mapping[str, Any], window_days: int
) -> pd.Series:
    """Return whether the diary of a window shows no seizure, missing where there is no diary."""
    n_seizures = _total(frame, rows, rows["n_seizures"].astype("Float64"), min_count=1)
    # An epoch that straddles the window's start takes less than one epoch from it; who is not
    # followed for the rest is not complete either.
    followed = window_days - int(schedule["epoch_days"])
    calendar_days = _total(frame, rows, rows["days"]).clip(lower=followed)
    is_complete = _total(frame, rows, rows["days_recorded"]) >= COMPLETE_SHARE * calendar_days
    return _known((n_seizures == 0) & is_complete, n_seizures)


def _known(truth: pd.Series, source: pd.Series) -> pd.Series:
    """Return a nullable boolean that is missing where its source is."""
    return truth.astype("boolean").mask(source.isna())


def _add_safety(frame: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Add what safety said and what was seen of harm during treatment."""
    grade = as_floats(rows["worst_grade"])
    flags = {
        "n_epochs": np.ones(len(rows), dtype=bool),
        "n_visits": rows["is_visit"] if "is_visit" in rows else np.ones(len(rows), dtype=bool),
        "n_adverse": grade >= ADVERSE_GRADE,
        "n_severe": grade >= SEVERE_GRADE,
        "n_unsafe": rows["true_is_unsafe"].to_numpy(dtype=bool),
        "n_requested_changed": _is_changed(rows),
        **{
            f"n_{ruling.replace('-', '_')}": (rows["ruling"] == ruling).to_numpy()
            for ruling in REFUSALS
        },
    }
    for name, flag in flags.items():
        frame[name] = _total(frame, rows, pd.Series(flag, index=rows.index)).astype("int64")
    frame["has_unsafe"] = frame["n_unsafe"] > 0
    frame["charge_c"] = _total(frame, rows, rows["charge_uc"]) / 1e6
    frame["energy_j"] = _total(frame, rows, rows["energy_mj"]) / 1e3
    frame["treatment_days"] = _total(frame, rows, rows["days"]).astype("int64")


def _add_refusals(frame: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Add in how many epochs each rule was named that changed what was asked for."""
    refused = rows[rows["ruling"].isin(REFUSALS)]
    named = refused["rules"].fillna("").astype(str)
    parts = {text: set(text.split(";")) for text in named.unique()}
    for rule in sorted(set().union(*parts.values()) - {""}):
        is_named = named.map({text: rule in rules for text, rules in parts.items()})
        frame[f"{REFUSED}{rule}"] = _total(frame, refused, is_named).astype("int64")


def _add_battery(frame: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Add what treatment took from the battery, and over how many days that is known.

    Over an epoch in which the battery was replaced it is not, nor over one that does not begin
    where the one before it ended: another arm's period was between them.
    """
    by_patient = rows.groupby(KEYS)
    used = -as_floats(by_patient["battery_permille"].diff())
    is_next = (by_patient["start_day"].shift() + by_patient["days"].shift()) == rows["start_day"]
    is_known = (rows["phase"] == "treatment") & (used >= 0) & is_next
    known = rows[is_known]
    frame["battery_used_permille"] = _total(frame, known, pd.Series(used, rows.index)[is_known])
    frame["battery_days"] = _total(frame, known, known["days"]).astype("int64")


def _setting_of(rows: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Return the fields of a setting, with every setting of amplitude 0 written in one way."""
    is_off = as_floats(rows[f"{prefix}_amplitude_ua"]) == 0
    fields: dict[str, pd.Series] = {
        name: rows[f"{prefix}_{name}"].astype("Float64").mask(is_off, 0) for name in FIELDS[:-1]
    }
    fields["mode"] = rows[f"{prefix}_mode"].astype("string").mask(is_off, "continuous")
    return pd.DataFrame(fields)


def _is_changed(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return whether something usable was asked for and something else delivered."""
    requested, delivered = _setting_of(rows, "requested"), _setting_of(rows, "delivered")
    is_different = (requested != delivered).fillna(False).to_numpy(dtype=bool).any(axis=1)
    return is_different & requested["amplitude_ua"].notna().to_numpy()


def _add_settings(frame: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Add how many settings a patient was given and how often they changed."""
    delivered = _setting_of(rows, "delivered")
    code = delivered.groupby(list(FIELDS)).ngroup()
    by_patient = [rows[key] for key in KEYS]
    tried = code[delivered["amplitude_ua"] > 0]
    n_tried = tried.groupby([keys.loc[tried.index] for keys in by_patient]).nunique()
    before = code.groupby(by_patient).shift()
    is_change = (code != before) & before.notna()
    frame["n_settings_tried"] = n_tried.reindex(frame.index, fill_value=0).astype("int64")
    frame["n_changes"] = _total(frame, rows, is_change).astype("int64")


def _add_truth(frame: pd.DataFrame, rows: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """Add what only a simulation knows: the gap to the best setting, and how much was closed.

    Regret is what the best setting would have spared: over all of treatment, and per 28 days at
    the final setting.
    """
    truth = patients.set_index("patient")[["true_rate_off_per_day", "true_rate_best_per_day"]]
    frame = frame.join(truth, on="patient")
    days = frame["treatment_days"]
    off = rows["patient"].map(truth["true_rate_off_per_day"])
    spared = (off - rows["true_rate_per_day"]) * rows["days"]
    frame["gap_closed"] = _total(frame, rows, spared, min_count=1)
    frame["gap"] = (frame["true_rate_off_per_day"] - frame["true_rate_best_per_day"]) * days
    final = rows.groupby(KEYS)["true_rate_per_day"].last().reindex(frame.index)
    frame["true_rate_final_per_day"] = final
    frame["gap_closed_final"] = (frame["true_rate_off_per_day"] - final) * days
    frame["regret_final_28"] = MONTH_DAYS * (final - frame["true_rate_best_per_day"])
    is_above = rows["true_rate_per_day"] > (1 + ROUNDING) * off
    frame["days_above_baseline"] = _total(frame, rows, rows["days"] * is_above).astype("int64")
    worse = final >= (1 + WORSENING_PERCENT / 100) * frame["true_rate_off_per_day"]
    frame["is_worse_25_truly"] = _known(worse, final)
    return frame


def as_floats(values: pd.Series) -> npt.NDArray[np.float64]:
    """Return a column as floats, missing values as NaN."""
    return values.to_numpy(dtype=float, na_value=NAN)
