"""Trials analysed as they were published (D8 to D11, and what was held out)."""

import numpy as np

from neurostim.report.words import number
from neurostim.validation.cohorts import TrialDiaries
from neurostim.validation.diaries import Counts, Diaries, Floats
from neurostim.validation.monte_carlo import (
    Measured,
    bootstrapped,
    mean,
    median_of_replicates,
    share,
)
from neurostim.validation.monthly_gee import MONTH_DAYS, monthly_gee

DRUG_BASELINE_DAYS = 56
FEWEST_AT_BASELINE = 8
PREVENTED = 0.3
YEAR_WINDOW_DAYS = 84


def percent_changes(diaries: Diaries, baseline_days: int, first: int, end: int) -> Floats:
    """Return (B,) percent change of the daily rate on [first, end) from baseline.

    NaN where the baseline has no seizure, or either window no entry.
    """
    baseline, later = diaries.rates(0, baseline_days), diaries.rates(first, end)
    known = np.where(baseline > 0, baseline, np.nan)
    return 100 * (later / known - 1)


def responders(changes: Floats) -> float:
    """Return the share, in percent, whose seizures fell by at least half (RR50)."""
    return 100 * float(np.mean(changes <= -50))


def drug_trial_changes(diaries: Diaries) -> Floats:
    """Return the percent changes of those with 8 seizures or more in 56 days of baseline."""
    n_baseline = diaries.counts[:, :DRUG_BASELINE_DAYS].sum(axis=1)
    enrolled = diaries.chosen(n_baseline >= FEWEST_AT_BASELINE)
    changes = percent_changes(enrolled, DRUG_BASELINE_DAYS, DRUG_BASELINE_DAYS, diaries.n_days)
    return changes[np.isfinite(changes)]


def drug_trial_figures(
    diaries: Diaries, rng: np.random.Generator, names: tuple[str, str]
) -> dict[str, Measured]:
    """Return RR50 and median reduction over the 84 days of test."""
    changes = drug_trial_changes(diaries)

    def statistic(chosen: Counts) -> tuple[float, float]:
        return responders(changes[chosen]), -float(np.median(changes[chosen]))

    value, error = bootstrapped(statistic, len(changes), rng)
    return {
        name: Measured(
            value=float(value[k]), error=float(error[k]), note=f"{len(changes)} patients"
        )
        for k, name in enumerate(names)
    }


def drugged(diaries: Diaries, rng: np.random.Generator) -> Diaries:
    """Return the diaries with each seizure of the test removed with probability 0.3."""
    return diaries.thinned(1 - PREVENTED, DRUG_BASELINE_DAYS, rng)


def baselines(trial: TrialDiaries) -> Floats:
    """Return (B,) seizures per 28 recorded days of baseline."""
    return trial.diaries.rates(0, trial.baseline_days) * MONTH_DAYS


def arm_medians(trial: TrialDiaries, changes: Floats) -> Floats:
    """Return (n_replicates, 2) median change of the control and of the active arm."""
    parts = [trial.replicate(k) for k in range(trial.n_replicates)]
    return np.array(
        [[np.nanmedian(changes[part][trial.arm[part] == arm]) for arm in (0, 1)] for part in parts]
    )


def sante_figures(trial: TrialDiaries) -> dict[str, Measured]:
    """Return D10: baseline, median changes over the last 28 blinded days, and their difference."""
    baseline = baselines(trial).reshape(trial.n_replicates, -1)
    end = trial.blinded_end_day
    changes = percent_changes(trial.diaries, trial.baseline_days, end - MONTH_DAYS, end)
    control, active = arm_medians(trial, changes).T
    responded = responders(changes[trial.arm == 1])
    return {
        "D10a": mean(np.nanmedian(baseline, axis=1), f"{trial.n_replicates} replicates"),
        "D10b": mean(active, f"one trial ± {active.std(ddof=1):.1f}; RR50 {responded:.0f} %"),
        "D10c": mean(control, f"one trial ± {control.std(ddof=1):.1f}"),
        "D10d": mean(control - active, f"one trial ± {(control - active).std(ddof=1):.1f}"),
    }


def rns_figures(trial: TrialDiaries) -> dict[str, Measured]:
    """Return D11: baseline, and the change of each arm by the trial's GEE on monthly counts."""
    parts = [trial.replicate(k) for k in range(trial.n_replicates)]
    fits = np.array(
        [
            monthly_gee(
                trial.diaries.chosen(part),
                trial.arm[part],
                baseline_days=trial.baseline_days,
                start=trial.blinded_start_day,
                end=trial.blinded_end_day,
            )
            for part in parts
        ]
    )
    active, sham, p = fits.T
    baseline = np.nanmedian(baselines(trial).reshape(trial.n_replicates, -1), axis=1)
    return {
        "D11a": median_of_replicates(baseline, f"{trial.n_replicates} replicates"),
        "D11b": median_of_replicates(
            active,
            f"one trial ± {active.std(ddof=1):.1f}; arms differ (p < 0.05) in "
            f"{100 * (p < 0.05).mean():.0f} % of trials",
        ),
        "D11c": median_of_replicates(sham, f"one trial ± {sham.std(ddof=1):.1f}"),
    }


def year_figure(trial: TrialDiaries, year: int, rng: np.random.Generator) -> Measured:
    """Return the median change, in either arm, over the 84 days that end a year of stimulation."""
    end = trial.year_end_days[year - 1]
    changes = percent_changes(trial.diaries, trial.baseline_days, end - YEAR_WINDOW_DAYS, end)
    changes = changes[np.isfinite(changes)]
    value, error = bootstrapped(lambda chosen: np.median(changes[chosen]), len(changes), rng)
    note = f"{len(changes)} patients; RR50 {responders(changes):.0f} %"
    return Measured(value=float(value[0]), error=float(error[0]), note=note)


def vagus_figures(trial: TrialDiaries) -> tuple[Measured, Measured]:
    """Return the mean change over the blinded phase in the high and in the low arm."""
    changes = percent_changes(
        trial.diaries, trial.baseline_days, trial.blinded_start_day, trial.blinded_end_day
    )
    high, low = (_mean_change(changes[trial.arm == arm]) for arm in (1, 0))
    return high, low


def reporting_figure(trial: TrialDiaries, side_effect: str, arm: int) -> Measured:
    """Return the share of an arm, in percent, who told of a type of side effect while blinded."""
    told = trial.reporters[side_effect][trial.arm == arm]
    return share(told, f"{len(told)} patients")


def _mean_change(changes: Floats) -> Measured:
    """Return a mean change, with the median and the responders as its note."""
    known = changes[np.isfinite(changes)]
    return mean(
        known, f"median {number(np.median(known), decimals=1)}; RR50 {responders(known):.0f} %"
    )
