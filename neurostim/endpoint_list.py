"""The endpoints there are, in the order in which a table has them."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal, NamedTuple

import pandas as pd

from neurostim.controller_endpoints import (
    CUMULATIVE_REGRET,
    DAYS_ABOVE_BASELINE,
    GAP_FINAL,
    GAP_IN_TRIAL,
    REGRET,
    SETTINGS_TRIED,
    SIMPLE_REGRET,
    battery_years,
    gap_share,
    incidents,
    per_day,
    per_year,
    share_of_epochs,
)
from neurostim.estimates import RESAMPLED, Estimate, median_estimate
from neurostim.important_differences import (
    important_net,
    important_share,
    important_size,
    important_true_share,
    paired_change,
)
from neurostim.outcomes import (
    FREEDOM_MONTHS,
    NAN,
    PERIOD,
    REFUSED,
    RESPONDER_PERCENTS,
    as_floats,
)
from neurostim.period_ratios import carry_over_ratio, period_ratio, within_ratio
from neurostim.permutations import flipped_difference, permuted_rate_ratio
from neurostim.rank_tests import rank_ancova, shift
from neurostim.rate_ratios import rate_ratio, rate_ratio_likelihood, rate_ratio_robust
from neurostim.requests import Requests
from neurostim.shares import paired_share, true_share, unpaired_share
from neurostim.survival import median_wait

Measure = Callable[[pd.DataFrame, pd.DataFrame | None], Estimate]
Analysis = Literal["unpaired", "paired", "within patient"]


class Endpoint(NamedTuple):
    """What is estimated for an arm; the second frame is the arm compared with, if there is one.

    `analysis` says how arms are compared, and is None where they are not. An estimate that
    `is_comparison` does not exist without another arm; others only get their p from it.
    """

    name: str
    label: str
    unit: str
    measure: Measure
    analysis: Analysis | None = None
    is_comparison: bool = False


def endpoints_asked(requests: Requests, columns: Iterable[str]) -> tuple[Endpoint, ...]:
    """Return the endpoints that are asked for, of outcomes with these columns."""
    has_periods = any(name.startswith(PERIOD) for name in columns)
    ratios = PERIODS if has_periods else RATIOS
    rules = [name.removeprefix(REFUSED) for name in columns if name.startswith(REFUSED)]
    return (
        *ratios,
        *(_permuted(requests.n_permutations) if requests.n_permutations else ()),
        *SEIZURES,
        *_important(requests.important_points),
        *ONLY_SIMULATED,
        *HARM,
        *(
            Endpoint(
                f"refused_{rule}",
                f"Refused by the rule {rule}",
                "% of epochs",
                share_of_epochs(f"{REFUSED}{rule}").alone,
            )
            for rule in rules
        ),
        *BURDEN,
    )


def _median_change(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the median percent change of one arm."""
    method = (
        "Median of 100 (T − B)/B over patients with a seizure at baseline and a diary in the "
        f"window; {RESAMPLED}."
    )
    return median_estimate(as_floats(arm["percent_change"].dropna()), NAN, method)


def _unpaired(name: str, label: str, unit: str, measure: Measure) -> Endpoint:
    """Return a comparison of different people."""
    return Endpoint(name, f"{label}, unpaired", unit, measure, "unpaired", is_comparison=True)


def _paired(name: str, label: str, unit: str, measure: Measure) -> Endpoint:
    """Return a comparison within the same people."""
    return Endpoint(name, f"{label}, paired", unit, measure, "paired", is_comparison=True)


def _share(name: str, label: str, column: str) -> Endpoint:
    """Return a share of patients by the diary, which is compared unpaired."""
    return Endpoint(name, label, "% of patients", partial(unpaired_share, column), "unpaired")


def _wait(name: str, label: str, column: str, what: str) -> Endpoint:
    """Return a median waiting time, which is compared unpaired."""
    return Endpoint(name, label, "days", partial(median_wait, column, what), "unpaired")


def _permuted(n_permutations: int) -> tuple[Endpoint, ...]:
    """Return the tests by permutation."""
    return (
        _unpaired(
            "rate_ratio_permutation",
            "Rate ratio, permutation test",
            "ratio",
            partial(permuted_rate_ratio, n_permutations),
        ),
        _paired(
            "paired_difference_permutation",
            "Mean difference in percent change, permutation test",
            "percentage points",
            partial(flipped_difference, n_permutations),
        ),
    )


def _important(points: float) -> tuple[Endpoint, ...]:
    """Return who is made worse or better by a minimal important difference, and by how much."""
    by = f"by {points:g} points or more"
    return (
        _paired(
            "important_worse",
            f"Worse than under the other arm {by}",
            "% of patients",
            partial(important_share, points, 1),
        ),
        _paired(
            "important_worse_size",
            "By how much those are worse, median",
            "percentage points",
            partial(important_size, points),
        ),
        _paired(
            "important_better",
            f"Better than under the other arm {by}",
            "% of patients",
            partial(important_share, points, -1),
        ),
        _paired(
            "important_net",
            f"Worse less better {by}",
            "percentage points",
            partial(important_net, points),
        ),
        _paired(
            "important_worse_truly",
            f"Final setting truly worse than the other arm's {by}",
            "% of patients",
            partial(important_true_share, points),
        ),
    )


PERIODS = (
    Endpoint(
        "rate_ratio",
        "Rate ratio, within patient",
        "ratio",
        within_ratio,
        "within patient",
        is_comparison=True,
    ),
    Endpoint(
        "period_ratio",
        "Rate ratio of each period to the one before it",
        "ratio",
        period_ratio,
        "within patient",
        is_comparison=True,
    ),
    Endpoint(
        "carry_over_ratio",
        "Carry-over into the second period",
        "ratio",
        carry_over_ratio,
        "unpaired",
        is_comparison=True,
    ),
)
"""What takes the place of `RATIOS` where patients live their arms one after the other."""

RATIOS = (
    _unpaired("rate_ratio", "Rate ratio", "ratio", rate_ratio),
    _unpaired("rate_ratio_likelihood", "Rate ratio, likelihood", "ratio", rate_ratio_likelihood),
    _unpaired("rate_ratio_robust", "Rate ratio, robust (sensitivity)", "ratio", rate_ratio_robust),
)
SEIZURES = (
    Endpoint("percent_change", "Median percent change from baseline", "%", _median_change),
    _unpaired("shift", "Shift in percent change", "percentage points", shift),
    _paired(
        "paired_difference", "Difference in percent change", "percentage points", paired_change
    ),
    _unpaired("rank_ancova", "Difference in mean rank of the rate", "ranks", rank_ancova),
    *(
        _share(f"rr{percent}", f"{percent} % responders", f"is_responder_{percent}")
        for percent in RESPONDER_PERCENTS
    ),
    _paired(
        "rr50_difference",
        "Difference in 50 % responders",
        "percentage points",
        partial(paired_share, "is_responder_50"),
    ),
    _share("seizure_free", "Free of seizures in the window", "is_seizure_free"),
    *(
        _share(
            f"seizure_free_{months}_months",
            f"Free of seizures in the last {months} months",
            f"is_seizure_free_{months}_months",
        )
        for months in FREEDOM_MONTHS
    ),
    _wait(
        "time_to_count",
        "Time to the pre-randomisation count, median",
        "count",
        "as many seizures as in 28 days of baseline, with the seizures of an epoch spread evenly "
        "over its recorded days",
    ),
    _share("worse_25", "Worse by 25 % or more", "is_worse_25"),
    _paired(
        "worse_25_difference",
        "Difference in those worse by 25 % or more",
        "percentage points",
        partial(paired_share, "is_worse_25"),
    ),
)
ONLY_SIMULATED = (
    Endpoint(
        "gap_in_trial",
        "Share of the gap closed, in trial",
        "%",
        partial(gap_share, "gap_closed", "true rate at the settings delivered"),
    ),
    _paired(
        "gap_in_trial_difference",
        "Difference in the gap closed, in trial",
        "percentage points",
        GAP_IN_TRIAL.paired,
    ),
    Endpoint(
        "gap_final",
        "Share of the gap closed, final setting",
        "%",
        partial(gap_share, "gap_closed_final", "true rate at the final setting"),
    ),
    _paired(
        "gap_final_difference",
        "Difference in the gap closed, final setting",
        "percentage points",
        GAP_FINAL.paired,
    ),
    Endpoint("regret", "Regret, in trial", "seizures per 28 days", REGRET.alone),
    _paired("regret_difference", "Difference in regret", "seizures per 28 days", REGRET.paired),
    Endpoint(
        "cumulative_regret",
        "Cumulative regret over treatment",
        "seizures per patient",
        CUMULATIVE_REGRET.alone,
    ),
    _paired(
        "cumulative_regret_difference",
        "Difference in cumulative regret",
        "seizures per patient",
        CUMULATIVE_REGRET.paired,
    ),
    Endpoint(
        "simple_regret",
        "Simple regret, final setting",
        "seizures per 28 days",
        SIMPLE_REGRET.alone,
    ),
    _paired(
        "simple_regret_difference",
        "Difference in simple regret",
        "seizures per 28 days",
        SIMPLE_REGRET.paired,
    ),
    _wait(
        "time_to_near_best",
        "Time to within 10 % of the best, median",
        "near_best",
        "a setting with a true rate within 10 % of the best setting's, where off is not one",
    ),
    Endpoint(
        "days_above_baseline",
        "Days at a setting truly worse than off",
        "days per patient-year",
        DAYS_ABOVE_BASELINE.alone,
    ),
    _paired(
        "days_above_baseline_difference",
        "Difference in days truly worse than off",
        "days per patient-year",
        DAYS_ABOVE_BASELINE.paired,
    ),
    Endpoint(
        "worse_25_truly",
        "Final setting truly worse than off by 25 % or more",
        "% of patients",
        lambda arm, _: true_share("is_worse_25_truly", arm),
    ),
)
HARM = (
    Endpoint(
        "unsafe_patients",
        "Patients with an unsafe epoch",
        "% of patients",
        lambda arm, _: true_share("has_unsafe", arm),
    ),
    Endpoint("unsafe_epochs", "Unsafe epochs", "% of epochs", share_of_epochs("n_unsafe").alone),
    Endpoint(
        "adverse_events",
        "Simulated adverse events, moderate or worse",
        "per patient-year",
        per_year("n_adverse").alone,
    ),
    Endpoint(
        "severe_events",
        "Simulated adverse events, severe or worse",
        "per patient-year",
        per_year("n_severe").alone,
    ),
    Endpoint("clamped", "Proposals clamped", "% of epochs", share_of_epochs("n_clamped").alone),
    Endpoint("held", "Proposals held", "% of epochs", share_of_epochs("n_held").alone),
    Endpoint("stopped", "Epochs stopped", "% of epochs", share_of_epochs("n_stopped").alone),
)
BURDEN = (
    Endpoint("settings_tried", "Settings tried", "per patient", SETTINGS_TRIED.alone),
    Endpoint("visits", "Visits, one per decision", "per patient-year", per_year("n_visits").alone),
    Endpoint("changes", "Changes of setting", "per patient-year", per_year("n_changes").alone),
    Endpoint("charge", "Charge delivered", "C per patient-day", per_day("charge_c").alone),
    Endpoint("energy", "Energy from the battery", "J per patient-day", per_day("energy_j").alone),
    Endpoint("battery_years", "Years that a battery lasts", "years", battery_years),
    Endpoint("incidents", "Device-side check incidents", "incidents", incidents),
)
