"""Cycles of seizures (D5 and D6), tested against permutations of each patient's own intervals.

A Rayleigh test would take the clustering of seizures for a cycle; intervals in another order are
as clustered, and know no cycle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurostim.validation.diaries import Booleans, Floats
from neurostim.validation.monte_carlo import Measured, share

N_PERMUTATIONS = 199
LEVEL = 0.05
PERIODS = 1 / np.linspace(1 / 45, 1 / 4, 170)
"""Periods in days at which a multidien cycle is sought, evenly spaced in frequency.

A year tells apart frequencies that differ by one cycle a year; these differ by half of one, so that
a regular cycle between two of them is seen as well.
"""
FEWEST_SEIZURES = 100


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cycles:
    """What was found in each of P patients."""

    is_significant: Booleans
    """(P,) at 5 %."""
    strength: Floats
    """(P,) resultant length of the phases, from 0 to 1."""
    period_days: Floats
    """(P,) the period that stands out most."""


def permuted(life: Floats, rng: np.random.Generator) -> Floats:
    """Return (N_PERMUTATIONS, N) times with a life's intervals in random orders."""
    intervals = np.broadcast_to(np.diff(life), (N_PERMUTATIONS, len(life) - 1))
    steps = np.cumsum(rng.permuted(intervals, axis=1), axis=1)
    return life[0] + np.hstack([np.zeros((N_PERMUTATIONS, 1)), steps])


def is_exceeded_rarely(value: float, under_null: Floats) -> bool:
    """Whether a permutation test is significant at 5 %, the observation counted among them."""
    return bool(((under_null >= value).sum() + 1) / (len(under_null) + 1) <= LEVEL)


def circadian_cycles(lives: Sequence[Floats], rng: np.random.Generator) -> Cycles:
    """Return the circadian cycle of each life: the resultant of its times of day."""

    def resultant(times: Floats) -> Floats:
        return np.abs(np.exp(2j * np.pi * times).mean(axis=-1))

    strength = np.array([float(resultant(life)) for life in lives])
    under_null = [resultant(permuted(life, rng)) for life in lives]
    return Cycles(
        is_significant=np.array(
            [is_exceeded_rarely(r, null) for r, null in zip(strength, under_null, strict=True)],
            dtype=np.bool_,
        ),
        strength=strength,
        period_days=np.ones(len(lives)),
    )


def multidien_cycles(lives: Sequence[Floats], n_days: int, rng: np.random.Generator) -> Cycles:
    """Return the multidien cycle of each life: the period whose power stands out most.

    Power is relative to its mean under permutation, which the span of a diary and its clusters
    raise; the highest of all periods is compared with the highest of each permutation.
    """
    phases = 2 * np.pi * (np.arange(n_days)[:, None] + 0.5) / PERIODS
    waves = np.hstack([np.cos(phases), np.sin(phases)])
    found = [_multidien_cycle(life, waves, rng) for life in lives]
    return Cycles(
        is_significant=np.array([one[0] for one in found], dtype=np.bool_),
        strength=np.array([one[1] for one in found]),
        period_days=np.array([one[2] for one in found]),
    )


def _multidien_cycle(
    life: Floats, waves: Floats, rng: np.random.Generator
) -> tuple[bool, float, float]:
    """Return significance, resultant length and period of one life."""
    times = np.vstack([life, permuted(life, rng)])
    n_rows, n_days = len(times), len(waves)
    # A sum of intervals may end a rounding error after the diary.
    day = np.clip(times.astype(np.int64), 0, n_days - 1)
    at = (np.arange(n_rows)[:, None] * n_days + day).ravel()
    on_day = np.bincount(at, minlength=n_rows * n_days).reshape(n_rows, n_days)
    # (rows, days) @ (days, 2 * periods) -> cosines and sines of each period
    cosines, sines = np.hsplit(on_day @ waves / len(life), 2)
    power = cosines**2 + sines**2
    relative = power / power[1:].mean(axis=0)
    highest = relative.max(axis=1)
    best = int(relative[0].argmax())
    return (
        is_exceeded_rarely(highest[0], highest[1:]),
        float(np.sqrt(power[0, best])),
        float(PERIODS[best]),
    )


def circadian_figure(cycles: Cycles) -> Measured:
    """Return D5: the share with a significant circadian cycle, and how strengths are spread."""
    low, middle, high = np.quantile(cycles.strength, [0.05, 0.5, 0.95])
    spread = f"median strength {middle:.2f}, 90 % of patients {low:.2f} to {high:.2f}"
    return share(cycles.is_significant, f"{len(cycles.strength)} patients; {spread}")


def multidien_figures(cycles: Cycles) -> dict[str, Measured]:
    """Return D6: the share with a significant multidien cycle, and their share in 15-35 days."""
    periods = cycles.period_days[cycles.is_significant]
    return {
        "D6a": share(cycles.is_significant, f"{len(cycles.strength)} patients"),
        "D6b": share((periods >= 15) & (periods <= 35), f"{len(periods)} significant cycles"),
    }
