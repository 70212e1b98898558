"""Rates and their variability (D1 to D4), from daily counts."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from scipy.special import gammaln

from neurostim.validation.diaries import Booleans, Counts, Diaries, Floats
from neurostim.validation.monte_carlo import (
    Measured,
    bootstrapped,
    mean,
    multiplicities,
    share,
)

FREQUENT = 4.0
"""Seizures per 30 days above which patients count as frequent, as in the published cohorts."""
DISPERSIONS = np.geomspace(1e-3, 60, 60)
"""Where the negative binomial's likelihood is sought: variance = mean + dispersion * mean²."""


def rate_figures(diaries: Diaries, rng: np.random.Generator) -> dict[str, Measured]:
    """Return D1: the median rate per 30 days, that of rates above 4, and the share above 4."""
    rates = diaries.monthly_rates()
    rates = rates[np.isfinite(rates)]

    def statistic(chosen: Counts) -> tuple[float, float, float]:
        some = rates[chosen]
        is_frequent = some > FREQUENT
        return float(np.median(some)), float(np.median(some[is_frequent])), 100 * is_frequent.mean()

    value, error = bootstrapped(statistic, len(rates), rng)
    return {
        name: Measured(value=float(value[k]), error=float(error[k]))
        for k, name in enumerate(("D1a", "D1b", "D1c"))
    }


def log_mean_and_sd(diaries: Diaries) -> tuple[Floats, Floats]:
    """Return log10 of the mean and of the SD of 30-day counts, where neither is 0."""
    blocks = diaries.blocks()
    blocks = blocks[np.isfinite(blocks).sum(axis=1) > 1]
    average, sd = np.nanmean(blocks, axis=1), np.nanstd(blocks, axis=1, ddof=1)
    is_positive = (average > 0) & (sd > 0)
    return np.log10(average[is_positive]), np.log10(sd[is_positive])


def slope(x: Floats, y: Floats) -> float:
    """Return the least-squares slope of y on x."""
    centred = x - x.mean()
    return float(centred @ y / (centred @ centred))


def slopes_between(x: Floats, y: Floats, edges: Floats) -> Floats:
    """Return the slope of y on x between each two neighbouring edges."""
    parts = [(x >= low) & (x <= high) for low, high in pairwise(edges)]
    return np.array([slope(x[part], y[part]) for part in parts])


def l_relationship(x: Floats, y: Floats) -> Floats:
    """Return slope, R², slopes over thirds of the patients, slopes over thirds of the range."""
    by_number = slopes_between(x, y, np.quantile(x, [0, 1 / 3, 2 / 3, 1]))
    # One patient at either end must not decide where the range is cut.
    low, high = np.quantile(x, [0.01, 0.99])
    by_range = slopes_between(x, y, np.linspace(low, high, 4))
    return np.array([slope(x, y), np.corrcoef(x, y)[0, 1] ** 2, *by_number, *by_range])


def l_figures(diaries: Diaries, rng: np.random.Generator) -> dict[str, Measured]:
    """Return D2a to D2d: the L-relationship's slope and R², and its two tests for a kink."""
    x, y = log_mean_and_sd(diaries)

    def statistic(chosen: Counts) -> Floats:
        lines = l_relationship(x[chosen], y[chosen])
        return np.array([*lines, np.ptp(lines[2:5]), np.ptp(lines[5:8])])

    value, error = bootstrapped(statistic, len(x), rng)
    thirds = [f"slopes {', '.join(f'{s:.2f}' for s in value[part])}" for part in np.s_[2:5, 5:8]]
    return {
        "D2a": Measured(value=float(value[0]), error=float(error[0]), note=f"{len(x)} patients"),
        "D2b": Measured(value=float(value[1]), error=float(error[1])),
        "D2c": Measured(value=float(value[8]), error=float(error[8]), note=thirds[0]),
        "D2d": Measured(value=float(value[9]), error=float(error[9]), note=thirds[1]),
    }


def step_figure(
    places: Iterable[tuple[float, Diaries, Diaries]], rng: np.random.Generator
) -> Measured:
    """Return D2e from (rate, diaries at it, the same patients' at a rate 10 % higher).

    The bootstrap draws the same patients at both rates, and takes the largest change anew.
    """
    rates, changes, draws = [], [], []
    drawn: Counts | None = None
    for rate, before, after in places:
        if drawn is None:
            drawn = multiplicities(before.n_patients, rng)
        weights = np.vstack([np.ones(before.n_patients), drawn])
        ratio = variance_to_mean(after, weights) / variance_to_mean(before, weights) - 1
        rates.append(rate)
        changes.append(100 * ratio[0])
        draws.append(100 * ratio[1:])
    worst = np.abs(draws).max(axis=0)
    note = ", ".join(
        f"{change:+.0f} at {rate:.1f}" for rate, change in zip(rates, changes, strict=True)
    )
    return Measured(
        value=float(np.abs(changes).max()), error=float(worst.std(ddof=1)), note=f"change {note}"
    )


def variance_to_mean(diaries: Diaries, weights: Floats) -> Floats:
    """Return, for each (K, B) row of weights, mean 30-day variance over mean 30-day count."""
    blocks = diaries.blocks()
    n_known = np.isfinite(blocks).sum(axis=1)
    total = np.nansum(blocks, axis=1)
    squares = np.nansum((blocks - (total / np.maximum(n_known, 1))[:, None]) ** 2, axis=1)
    variance = np.where(n_known > 1, squares / np.maximum(n_known - 1, 1), 0)
    mean_variance = weights @ variance / (weights @ (n_known > 1))
    return mean_variance / (weights @ total / (weights @ n_known))


def dispersion_figures(diaries: Diaries, rng: np.random.Generator) -> dict[str, Measured]:
    """Return D3: the share in whom negative binomial beats Poisson, and median variance/mean."""
    rates = diaries.monthly_rates()
    is_frequent = rates > FREQUENT
    beats = beats_poisson(diaries.chosen(is_frequent))
    low = beats[rates[is_frequent] < 6]
    of_low = f"; {100 * low.mean():.0f} % of those with rates 4 to 6" if len(low) else ""
    blocks = diaries.blocks()
    blocks = blocks[(rates >= 1) & (np.isfinite(blocks).sum(axis=1) > 1)]
    average = np.nanmean(blocks, axis=1)
    ratio = np.nanvar(blocks, axis=1, ddof=1)[average > 0] / average[average > 0]
    value, error = bootstrapped(lambda chosen: np.median(ratio[chosen]), len(ratio), rng)
    quartiles = np.quantile(ratio, [0.25, 0.75])
    return {
        "D3a": share(beats, f"{len(beats)} patients{of_low}"),
        "D3b": Measured(
            value=float(value[0]),
            error=float(error[0]),
            note="quartiles {:.2f} and {:.2f}".format(*quartiles),
        ),
    }


def beats_poisson(diaries: Diaries) -> Booleans:
    """Return (B,) whether a negative binomial of the daily counts has the lower BIC.

    For both laws the mean's estimate is the sample mean; the dispersion is sought on a grid.
    """
    n_recorded = diaries.recorded.sum(axis=1).astype(np.float64)
    total = diaries.counts.sum(axis=1).astype(np.float64)
    average = total / n_recorded
    patient, day = np.nonzero(diaries.recorded)
    count = diaries.counts[patient, day]
    n_values = int(count.max()) + 1
    # (B, n_values) days on which each patient had each count
    days_with = np.bincount(
        patient * n_values + count, minlength=diaries.n_patients * n_values
    ).reshape(-1, n_values)
    values = np.arange(n_values)
    poisson = total * np.log(average) - n_recorded * average - days_with @ gammaln(values + 1)
    best = np.full(diaries.n_patients, -np.inf)
    for size in 1 / DISPERSIONS:
        terms = gammaln(values + size) - gammaln(size) - gammaln(values + 1)
        likelihood = (
            days_with @ terms
            + n_recorded * size * np.log(size / (size + average))
            + total * np.log(average / (size + average))
        )
        best = np.maximum(best, likelihood)
    is_better: Booleans = 2 * (best - poisson) > np.log(n_recorded)
    return is_better


def autocorrelations(diaries: Diaries) -> Floats:
    """Return (B,) autocorrelation of daily counts at lag 1, over pairs of recorded days."""
    days = np.where(diaries.recorded, diaries.counts, np.nan)
    days = days - np.nanmean(days, axis=1, keepdims=True)
    pairs: Floats = np.nanmean(days[:, 1:] * days[:, :-1], axis=1) / np.nanmean(days**2, axis=1)
    return pairs


def autocorrelation_figure(diaries: Diaries) -> Measured:
    """Return D4: the mean autocorrelation over rates above 4."""
    values = autocorrelations(diaries.chosen(diaries.monthly_rates() > FREQUENT))
    values = values[np.isfinite(values)]
    return mean(values, f"{len(values)} patients, {100 * (values > 0).mean():.0f} % positive")
