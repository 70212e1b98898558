"""Which measure fills which rows of the table, and on which sample."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TypeAlias

import numpy as np

from neurostim.validation import measures, rhythms, trials
from neurostim.validation.clusters import cluster_figures
from neurostim.validation.monte_carlo import Measured, mean, share
from neurostim.validation.samples import YEAR_DAYS, Samples

Measure: TypeAlias = Callable[[Samples], Mapping[str, Measured]]
Figures: TypeAlias = dict[str, Measured]


def drug_trial(samples: Samples) -> Figures:
    """Return D9: the placebo arm's patients as they would have fared on a drug."""
    diaries = trials.drugged(samples.placebo, samples.rng_of("drug"))
    return trials.drug_trial_figures(diaries, samples.rng_of("D9"), ("D9a", "D9b"))


def cost_and_determinism(samples: Samples) -> Figures:
    """Return D12: the time of a patient-year, and the share of diaries that come out the same."""
    n = 1000
    seed = samples.seed_of("determinism")
    half = samples.cohorts.community(n // 2, YEAR_DAYS, seed=seed)
    clock = [perf_counter()]
    first = samples.cohorts.community(n, YEAR_DAYS, seed=seed)
    clock.append(perf_counter())
    second = samples.cohorts.community(n, YEAR_DAYS, seed=seed)
    clock.append(perf_counter())
    is_same = (first.counts == second.counts).all(axis=1)
    is_same[: n // 2] &= (first.counts[: n // 2] == half.counts).all(axis=1)
    return {
        "D12a": mean(1000 * np.diff(clock) / n, "two runs on this machine"),
        "D12b": share(is_same, "a run again, and half of the patients in a batch of their own"),
    }


def sante_years(samples: Samples) -> Figures:
    """Return SANTE's later years."""
    return {
        f"SANTE-{year}y": trials.year_figure(samples.long_sante, year, samples.rng_of("SANTE"))
        for year in (1, 2, 5)
    }


def rns_years(samples: Samples) -> Figures:
    """Return the RNS trial's later years."""
    return {
        f"RNS-{year}y": trials.year_figure(samples.long_rns, year, samples.rng_of("RNS"))
        for year in (1, 2)
    }


def e05(samples: Samples) -> Figures:
    """Return both arms of E05, and who told of an altered voice there."""
    trial = samples.trial("vns-e05")
    high, low = trials.vagus_figures(trial)
    return {
        "VNS-E05-high": high,
        "VNS-E05-low": low,
        "VNS-E05-voice-high": trials.reporting_figure(trial, "voice alteration", 1),
        "VNS-E05-voice-low": trials.reporting_figure(trial, "voice alteration", 0),
    }


def sante_side_effects(samples: Samples) -> Figures:
    """Return who told of the side effects that told SANTE's arms apart."""
    return {
        f"SANTE-{name}-{arm}": trials.reporting_figure(samples.sante, side_effect, is_active)
        for name, side_effect in (("depression", "depression"), ("memory", "memory impairment"))
        for arm, is_active in (("active", 1), ("control", 0))
    }


def e03(samples: Samples) -> Figures:
    """Return both arms of E03."""
    high, low = trials.vagus_figures(samples.trial("vns-e03"))
    return {"VNS-E03-high": high, "VNS-E03-low": low}


MEASURES: dict[tuple[str, ...], Measure] = {
    ("D1a", "D1b", "D1c"): lambda s: measures.rate_figures(s.community, s.rng_of("D1")),
    ("D2a", "D2b", "D2c", "D2d"): lambda s: measures.l_figures(s.community, s.rng_of("D2")),
    ("D2e",): lambda s: {"D2e": measures.step_figure(s.places(), s.rng_of("D2e"))},
    ("D3a", "D3b"): lambda s: measures.dispersion_figures(s.community, s.rng_of("D3")),
    ("D4",): lambda s: {"D4": measures.autocorrelation_figure(s.community)},
    ("D5",): lambda s: {"D5": rhythms.circadian_figure(s.circadian)},
    ("D6a", "D6b"): lambda s: rhythms.multidien_figures(s.multidien),
    ("D7a", "D7b", "D7c", "D7d"): lambda s: cluster_figures(s.clusters, s.rng_of("D7")),
    ("D8a", "D8b"): lambda s: trials.drug_trial_figures(s.placebo, s.rng_of("D8"), ("D8a", "D8b")),
    ("D9a", "D9b"): drug_trial,
    ("D10a", "D10b", "D10c", "D10d"): lambda s: trials.sante_figures(s.sante),
    ("D11a", "D11b", "D11c"): lambda s: trials.rns_figures(s.rns),
    ("D12a", "D12b"): cost_and_determinism,
    ("SANTE-1y", "SANTE-2y", "SANTE-5y"): sante_years,
    ("RNS-1y", "RNS-2y"): rns_years,
    ("VNS-E05-high", "VNS-E05-low", "VNS-E05-voice-high", "VNS-E05-voice-low"): e05,
    ("VNS-E03-high", "VNS-E03-low"): e03,
    (
        "SANTE-depression-active",
        "SANTE-depression-control",
        "SANTE-memory-active",
        "SANTE-memory-control",
    ): sante_side_effects,
}
