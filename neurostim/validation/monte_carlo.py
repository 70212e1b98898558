"""A figure with its Monte Carlo error, and the ways to get one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neurostim.validation.diaries import Counts, Floats

N_BOOTSTRAPS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A figure, its Monte Carlo error (one standard error), and what else a reader should know."""

    value: float
    error: float
    note: str = ""


def bootstrapped(
    statistic: Callable[[Counts], ArrayLike],
    n: int,
    rng: np.random.Generator,
    n_bootstraps: int = N_BOOTSTRAPS,
) -> tuple[Floats, Floats]:
    """Return a statistic of n patients, given as (n,) indices, and its errors over patients."""
    if n < 2:
        raise ValueError(f"{n} eligible patients are too few to measure anything")
    value = np.atleast_1d(np.asarray(statistic(np.arange(n)), dtype=np.float64))
    draws = [statistic(rng.integers(0, n, n)) for _ in range(n_bootstraps)]
    return value, np.atleast_1d(np.std(np.asarray(draws, dtype=np.float64), axis=0, ddof=1))


def multiplicities(n: int, rng: np.random.Generator, n_bootstraps: int = N_BOOTSTRAPS) -> Counts:
    """Return (n_bootstraps, n) how often each bootstrap draws each of n patients."""
    return rng.multinomial(n, np.full(n, 1 / n), size=n_bootstraps)


def share(is_so: ArrayLike, note: str = "") -> Measured:
    """Return the percentage of patients of whom something is so, with its binomial error."""
    of = np.asarray(is_so, dtype=np.float64)
    if of.size == 0:
        raise ValueError("no patient is eligible")
    p = float(of.mean())
    return Measured(value=100 * p, error=100 * float(np.sqrt(p * (1 - p) / of.size)), note=note)


def mean(values: Floats, note: str = "") -> Measured:
    """Return a mean with its standard error."""
    return Measured(
        value=float(values.mean()),
        error=float(values.std(ddof=1) / np.sqrt(len(values))),
        note=note,
    )


def median_of_replicates(values: Floats, note: str = "") -> Measured:
    """Return the median over replicates; for normal ones its error is √(π/2) that of the mean."""
    error = float(np.sqrt(np.pi / 2) * values.std(ddof=1) / np.sqrt(len(values)))
    return Measured(value=float(np.median(values)), error=error, note=note)
