"""The same expectation maximisation, slowly: one patient at a time, and dense tables."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beliefs:
    """The parameters: particles over the noise share a mean and a covariance."""

    mean: Floats  # M
    covariance: Floats  # M M
    level_mean: float
    level_sd: float
    noise_sds: Floats  # K
    weight: Floats  # K


Patient = tuple[NDArray[np.int64], Floats, Floats]
"""Places on the list, values and exposures of what was seen."""


def patient_evidence(beliefs: Beliefs, patient: Patient) -> Floats:
    """Log evidence of each particle, `K`."""
    place, value, exposure = patient
    if not len(place):
        return np.zeros(len(beliefs.noise_sds))
    covariance = beliefs.covariance[np.ix_(place, place)] + beliefs.level_sd**2
    mean = beliefs.mean[place] + beliefs.level_mean
    return np.array(
        [
            multivariate_normal.logpdf(value, mean, covariance + np.diag(sd**2 / exposure))
            for sd in beliefs.noise_sds
        ]
    )


def objective(beliefs: Beliefs, patients: list[Patient], base: Floats, n_pseudo: float) -> float:
    """What each step must not lower: log evidence and the two penalties."""
    total = sum(
        np.logaddexp.reduce(np.log(beliefs.weight) + patient_evidence(beliefs, each))
        for each in patients
    )
    penalty = np.linalg.slogdet(beliefs.covariance)[1]
    penalty += np.trace(np.linalg.solve(beliefs.covariance, base))
    return float(total - n_pseudo / 2 * penalty + np.log(beliefs.weight).mean())


def step(beliefs: Beliefs, patients: list[Patient], base: Floats, n_pseudo: float) -> Beliefs:
    """One round, by the joint Gaussian of effects and level."""
    m, k = len(beliefs.mean), len(beliefs.noise_sds)
    joint = np.zeros((m + 1, m + 1))
    joint[:m, :m], joint[m, m] = beliefs.covariance, beliefs.level_sd**2
    start = np.append(beliefs.mean, beliefs.level_mean)
    first, second, weights = np.zeros(m + 1), np.zeros((m + 1, m + 1)), np.zeros(k)
    for patient in patients:
        place, value, exposure = patient
        log_weight = np.log(beliefs.weight) + patient_evidence(beliefs, patient)
        weight = np.exp(log_weight - np.logaddexp.reduce(log_weight))
        design = np.zeros((len(place), m + 1))
        design[np.arange(len(place)), place], design[:, m] = 1, 1
        for share, sd in zip(weight, beliefs.noise_sds, strict=True):
            gain = joint @ design.T
            inner = design @ gain + np.diag(sd**2 / exposure)
            mean = start + gain @ np.linalg.solve(inner, value - design @ start)
            covariance = joint - gain @ np.linalg.solve(inner, gain.T)
            first += share * mean
            second += share * (covariance + np.outer(mean, mean))
        weights += weight
    n = len(patients)
    mean = first / n
    spread = second / n - np.outer(mean, mean)
    return Beliefs(
        mean=mean[:m],
        covariance=(n * spread[:m, :m] + n_pseudo * base) / (n + n_pseudo),
        level_mean=float(mean[m]),
        level_sd=float(np.sqrt(spread[m, m])),
        noise_sds=beliefs.noise_sds,
        weight=(weights + 1 / k) / (n + 1),
    )
