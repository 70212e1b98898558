"""Distributions of one trait over a population, each as its inverse distribution function."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import betaincinv, expit, logit, ndtri

from patient_models.arrays import Floats
from patient_models.ranges import check_range


class Distribution(Protocol):
    """Anything that turns uniform numbers into a trait, rising with them."""

    def quantile(self, uniform: Floats) -> Floats:
        """The values below which these shares of the population lie."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Anything between two values, alike."""

    lowest: float
    highest: float

    def __post_init__(self) -> None:
        check_range("highest", self.highest, lowest=self.lowest)

    def quantile(self, uniform: Floats) -> Floats:
        """The values below which these shares of the population lie."""
        return self.lowest + (self.highest - self.lowest) * uniform


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNormal:
    """A log-normal trait, with its extremes moved to stated limits."""

    median: float
    log_sd: float
    lowest: float
    highest: float

    def __post_init__(self) -> None:
        check_range("lowest", self.lowest, above=0)
        check_range("median", self.median, lowest=self.lowest, highest=self.highest)
        check_range("log_sd", self.log_sd, lowest=0)

    def quantile(self, uniform: Floats) -> Floats:
        """The values below which these shares of the population lie."""
        values = self.median * np.exp(self.log_sd * ndtri(uniform))
        return np.clip(values, self.lowest, self.highest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """A normal trait."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        check_range("mean", self.mean)
        check_range("sd", self.sd, lowest=0)

    def quantile(self, uniform: Floats) -> Floats:
        """The values below which these shares of the population lie."""
        return np.asarray(self.mean + self.sd * ndtri(uniform))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitNormal:
    """A share of which the logit is normal, with its upper extreme moved to a limit."""

    median: float
    logit_sd: float
    highest: float

    def __post_init__(self) -> None:
        check_range("median", self.median, above=0, highest=self.highest)
        check_range("logit_sd", self.logit_sd, lowest=0)
        check_range("highest", self.highest, above=0, highest=1)

    def quantile(self, uniform: Floats) -> Floats:
        """The values below which these shares of the population lie."""
        values = expit(logit(self.median) + self.logit_sd * ndtri(uniform))
        return np.minimum(values, self.highest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beta:
    """A beta-distributed share, stretched over the range from `lowest` to `highest`."""

    a: float
    b: float
    lowest: float
    highest: float

    def __post_init__(self) -> None:
        check_range("a", self.a, above=0)
        check_range("b", self.b, above=0)
        check_range("highest", self.highest, lowest=self.lowest)

    def quantile(self, uniform: Floats) -> Floats:
        """The values below which these shares of the population lie."""
        return self.lowest + (self.highest - self.lowest) * betaincinv(self.a, self.b, uniform)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential:
    """How long it takes to an event of a Poisson process."""

    mean: float

    def __post_init__(self) -> None:
        check_range("mean", self.mean, above=0)

    def quantile(self, uniform: Floats) -> Floats:
        """The values below which these shares of the population lie."""
        return np.asarray(-self.mean * np.log1p(-uniform))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """One of several groups, each with its share of the population."""

    groups: tuple[LogNormal, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        for share in self.shares:
            check_range("shares", share, above=0)
        if len(self.groups) != len(self.shares) or abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(
                f"shares = {self.shares}: one for each group, adding up to 1, was expected"
            )

    def quantile(self, uniform: Floats) -> Floats:
        """A value for each uniform number, which chooses the group and then a place within it."""
        edges = np.cumsum((0.0, *self.shares))
        group = np.searchsorted(edges[1:-1], uniform, side="right")
        within = (uniform - edges[group]) / np.asarray(self.shares)[group]
        within = np.clip(within, TINY, 1 - TINY)  # rounding could reach 0 or 1 at an edge
        return np.choose(group, [each.quantile(within) for each in self.groups])


TINY = 2.0**-53
