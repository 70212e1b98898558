"""What draws of a whole experiment say: means with intervals from their spread, and ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, t

Floats = NDArray[np.float64]

N_RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its 95 % interval, NaN where there is too little to tell."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if not np.isfinite(self.low):
            return f"{self.value:.3f} (no interval, n = {self.n})"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}, n = {self.n})"

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside; false where there is no interval."""
        return bool(self.low > 0 or self.high < 0)


def over_draws(values: Sequence[float]) -> Interval:
    """The mean of independent draws and Student's interval for it."""
    column = np.asarray(values, dtype=float)
    n, mean = len(column), float(column.mean())
    if n < 2:
        return Interval(value=mean, low=float("nan"), high=float("nan"), n=n)
    half = float(t.ppf(0.975, n - 1) * column.std(ddof=1) / np.sqrt(n))
    return Interval(value=mean, low=mean - half, high=mean + half, n=n)


def rank_correlation(x: Sequence[float], y: Sequence[float], seed: int) -> Interval:
    """Spearman's correlation with the percentile interval of a bootstrap over patients.

    Pairs in which one is missing are left out; an infinite value ranks above every number.
    """
    pairs = np.array([x, y], dtype=float)
    pairs = pairs[:, ~np.isnan(pairs).any(axis=0)]
    n = pairs.shape[1]
    value = _spearman(pairs)
    if n < 5 or not np.isfinite(value):
        return Interval(value=value, low=float("nan"), high=float("nan"), n=n)
    source = np.random.default_rng(seed)
    drawn = [_spearman(pairs[:, source.integers(n, size=n)]) for _ in range(N_RESAMPLES)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high), n=n)


def _spearman(pairs: Floats) -> float:
    ranks = np.array([rankdata(row) for row in pairs])
    if pairs.shape[1] < 3 or (ranks.std(axis=1) == 0).any():
        return float("nan")
    return float(np.corrcoef(ranks)[0, 1])
