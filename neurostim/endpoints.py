"""Endpoints of a trial: what is estimated for each arm, and the tidy table of it all.

Two analyses live side by side. *Unpaired* ones ask what a parallel trial of these sizes would find
and treat the arms as different people; *paired* ones use that every arm treats the same virtual
patients. Each estimate's `method` names which it is. Intervals are 95 % and are taken over
patients, so they are also the Monte Carlo error of the simulation.
"""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
from scipy import stats

from neurostim.estimates import (
    RESAMPLED,
    Estimate,
    bootstrap,
    exact_test,
    holm,
    mean_rate,
    median_estimate,
    poisson_interval,
    rank_sum,
    ratios,
    signed_rank,
    two_shares,
)
from neurostim.outcomes import NAN, as_floats
from neurostim.rate_ratios import rate_ratio, rate_ratio_robust

DAYS_PER_YEAR = 365.25
Measure = Callable[[pd.DataFrame, pd.DataFrame | None], Estimate]


class Endpoint(NamedTuple):
    """What is estimated for an arm; the reference is None for the reference arm itself."""

    name: str
    label: str
    unit: str
    measure: Measure
    is_comparison: bool = False


def endpoints(outcomes: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return one row per endpoint and arm: the estimate, its interval, p and how it was had.

    `p_adjusted` is Holm's, over the arms compared with the reference within one endpoint. When
    `reference` is not among the arms nothing is compared.
    """
    arms = {str(arm): rows for arm, rows in outcomes.groupby("arm", sort=False)}
    rows = []
    for endpoint in ENDPOINTS:
        for arm, frame in arms.items():
            against = None if arm == reference else arms.get(reference)
            if endpoint.is_comparison and against is None:
                continue
            found = endpoint.measure(frame, against)
            rows.append(
                {
                    "arm": arm,
                    "endpoint": endpoint.name,
                    "label": endpoint.label,
                    "estimate": found.estimate,
                    "low": found.low,
                    "high": found.high,
                    "unit": endpoint.unit,
                    "n": found.n,
                    "p": found.p,
                    "p_adjusted": NAN,
                    "method": found.method,
                }
            )
    table = pd.DataFrame(rows)
    for _, group in table.groupby("endpoint", sort=False):
        table.loc[group.index, "p_adjusted"] = holm(group["p"].to_numpy(dtype=float))
    return table


def _median_change(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the median percent change of one arm, and its rank-sum test against the reference."""
    changes = as_floats(arm["percent_change"].dropna())
    p = NAN
    if reference is not None:
        p = rank_sum(changes, as_floats(reference["percent_change"].dropna()))
    method = (
        "Median of 100 (T − B)/B over patients with a seizure at baseline and a diary in the "
        f"window; {RESAMPLED}; p by Wilcoxon rank-sum, unpaired."
    )
    return median_estimate(changes, p, method)


def _paired_change(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the median over patients of the difference in percent change between two arms."""
    assert reference is not None
    pairs = arm.merge(reference, on="patient", suffixes=("", "_reference"))
    differences = as_floats((pairs["percent_change"] - pairs["percent_change_reference"]).dropna())
    method = (
        "Median over patients of the difference in percent change between this arm and the "
        f"reference; {RESAMPLED}; p by Wilcoxon signed-rank; paired."
    )
    return median_estimate(differences, signed_rank(differences), method)


def _share_with(column: str) -> Measure:
    """Return the measure that is the share of patients for whom a column is true."""

    def measure(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
        is_true = arm[column].dropna().to_numpy(dtype=bool)
        n, n_true = len(is_true), int(is_true.sum())
        if not n:
            return Estimate(n=0, method="Not estimated: no patient has this outcome recorded.")
        p, test = NAN, exact_test(2 * n)
        if reference is not None:
            other = reference[column].dropna().to_numpy(dtype=bool)
            p, test = two_shares(n_true, n, int(other.sum()), len(other))
        interval = stats.binomtest(n_true, n).proportion_ci(method="wilson")
        named = {"boschloo": "Boschloo's", "fisher": "Fisher's"}[test]
        return Estimate(
            estimate=100 * n_true / n,
            low=100 * float(interval.low),
            high=100 * float(interval.high),
            n=n,
            p=p,
            method=f"Share of patients with the outcome known; Wilson interval; p by {named} exact "
            "test, unpaired.",
        )

    return measure


def _exact_share(column: str) -> Measure:
    """Return the measure that is a share of patients by the hidden truth, with exact interval."""

    def measure(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
        is_true = arm[column].dropna().to_numpy(dtype=bool)
        n, n_true = len(is_true), int(is_true.sum())
        if not n:
            return Estimate(n=0, method="Not estimated: no patient was treated.")
        interval = stats.binomtest(n_true, n).proportion_ci(method="exact")
        return Estimate(
            estimate=100 * n_true / n,
            low=100 * float(interval.low),
            high=100 * float(interval.high),
            n=n,
            method="Share of patients, from the hidden truth; Clopper-Pearson interval.",
        )

    return measure


def _gap_share(column: str, what: str) -> Measure:
    """Return the measure that is the share of the gap to the best settings, in percent."""

    def measure(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
        sums = arm[[column, "gap"]].dropna().to_numpy(dtype=float)
        if not sums[:, 1].sum() > 0:
            no_gap = "Not estimated: no patient has a better setting than off; see the regret."
            return Estimate(n=len(sums), method=no_gap)
        low, high = bootstrap(sums, ratios)
        return Estimate(
            estimate=100 * float(ratios(sums)),
            low=100 * low,
            high=100 * high,
            n=len(sums),
            method=f"Sum over patients of (true rate when off − {what}) over the sum of (true rate "
            f"when off − true rate at the best deliverable setting); {RESAMPLED}.",
        )

    return measure


def _regret(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the seizures per 28 days that each patient's best setting would have spared."""
    return mean_rate(arm["gap"] - arm["gap_closed"], arm["treatment_days"] / 28)


def _per_year(column: str) -> Measure:
    """Return the measure that is the number of events per patient-year of treatment."""
    return lambda arm, reference: mean_rate(
        arm[column], arm["treatment_days"] / DAYS_PER_YEAR, is_count=True
    )


def _per_day(column: str) -> Measure:
    """Return the measure that is an amount per patient-day of treatment."""
    return lambda arm, reference: mean_rate(arm[column], arm["treatment_days"])


def _share_of_epochs(column: str) -> Measure:
    """Return the measure that is the share of treatment epochs with a verdict, in percent."""
    return lambda arm, reference: mean_rate(arm[column], arm["n_epochs"] / 100, is_count=True)


def _settings_tried(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the mean number of different settings other than off that a patient was given."""
    return mean_rate(arm["n_settings_tried"], (arm["n_epochs"] > 0).astype(float))


def _incidents(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return how often the device-side check fired, which must be never."""
    n_incidents = int(arm["n_incidents"].sum())
    low, high = poisson_interval(n_incidents)
    return Estimate(
        estimate=float(n_incidents),
        low=low,
        high=high,
        n=len(arm),
        method="Count over all patients; exact Poisson (Garwood) interval of its expectation.",
    )


ENDPOINTS = (
    Endpoint("rate_ratio", "Rate ratio against the reference", "ratio", rate_ratio, True),
    Endpoint(
        "rate_ratio_robust", "Rate ratio, robust (sensitivity)", "ratio", rate_ratio_robust, True
    ),
    Endpoint("percent_change", "Median percent change from baseline", "%", _median_change),
    Endpoint(
        "paired_difference",
        "Paired difference in percent change",
        "percentage points",
        _paired_change,
        True,
    ),
    Endpoint("rr50", "50 % responders", "% of patients", _share_with("is_responder_50")),
    Endpoint("rr75", "75 % responders", "% of patients", _share_with("is_responder_75")),
    Endpoint("seizure_free", "Free of seizures", "% of patients", _share_with("is_seizure_free")),
    Endpoint("worse_25", "Worse by 25 % or more", "% of patients", _share_with("is_worse_25")),
    Endpoint(
        "gap_in_trial",
        "Share of the gap closed, in trial",
        "%",
        _gap_share("gap_closed", "true rate at the settings delivered"),
    ),
    Endpoint(
        "gap_final",
        "Share of the gap closed, final setting",
        "%",
        _gap_share("gap_closed_final", "true rate at the final setting"),
    ),
    Endpoint("regret", "Regret, in trial", "seizures per 28 days", _regret),
    Endpoint(
        "worse_25_truly",
        "Final setting truly worse than off by 25 % or more",
        "% of patients",
        _exact_share("is_worse_25_truly"),
    ),
    Endpoint(
        "unsafe_patients",
        "Patients with an unsafe epoch",
        "% of patients",
        _exact_share("has_unsafe"),
    ),
    Endpoint(
        "adverse_events",
        "Simulated adverse events, moderate or worse",
        "per patient-year",
        _per_year("n_adverse"),
    ),
    Endpoint(
        "severe_events",
        "Simulated adverse events, severe or worse",
        "per patient-year",
        _per_year("n_severe"),
    ),
    Endpoint("clamped", "Proposals clamped", "% of epochs", _share_of_epochs("n_clamped")),
    Endpoint("held", "Proposals held", "% of epochs", _share_of_epochs("n_held")),
    Endpoint("stopped", "Epochs stopped", "% of epochs", _share_of_epochs("n_stopped")),
    Endpoint("settings_tried", "Settings tried", "per patient", _settings_tried),
    Endpoint("changes", "Changes of setting", "per patient-year", _per_year("n_changes")),
    Endpoint("charge", "Charge delivered", "C per patient-day", _per_day("charge_c")),
    Endpoint("incidents", "Device-side check incidents", "incidents", _incidents),
)
