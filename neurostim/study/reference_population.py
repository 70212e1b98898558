"""The frozen reference population: what a controller's choices are worth, against the truth.

Patients without memory on a list of 480 settings, as the targets for controllers fix them.
Where its words leave room, this holds: a trait with an index s is drawn for each site, and the
widths, the strength and whether low or high frequencies suit a patient are drawn once per patient.
Nothing here may change: published figures rest on it. Every draw has an address (seed, patient,
epoch), so that arms share their luck and a patient is the same in a cohort of any size.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri
from scipy.stats import poisson

from patient_models.randomness import uniforms

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

AMPLITUDES: Floats = np.linspace(0, 1, 12)
LOG_FREQUENCIES: Floats = np.linspace(0, 1, 10)
N_SITES = 4
# Amplitude, log-frequency and site; the last of them moves slowest.
SETTINGS: Floats = np.array(
    list(product(range(N_SITES), AMPLITUDES, LOG_FREQUENCIES)), dtype=np.float64
)[:, [1, 2, 0]]
N_SETTINGS = len(SETTINGS)
OFF = -1  # an index like any other, to the right of the list
HORIZONS = (5, 10, 20, 40)
SITE_PREFERENCES = np.array([[1.0, 0.7, 0.3, 0.2], [0.3, 0.3, 1.0, 0.6]])
# Purposes of addressed randomness, apart from those of the patient models and of controllers.
TRAIT, LUCK, PAST = 90, 91, 92


@dataclass(frozen=True, slots=True, kw_only=True)
class Patients:
    """Patients `n` and their true log rates per epoch at each setting, `n x M`."""

    seed: int
    ids: Ints  # n
    base_rate: Floats  # n, when off
    log_rate: Floats  # n x M
    dispersion: Floats  # n, the negative binomial's size

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def best(self) -> Ints:
        """The setting with the lowest rate, or off, per patient."""
        lowest = self.log_rate.argmin(1)
        return np.where(self.rate(lowest) < self.base_rate, lowest, OFF)

    def rate(self, index: Ints) -> Floats:
        """True rates per epoch at these indices, `n` or `n x T`."""
        index = np.asarray(index)
        columns = index.reshape(len(self), -1)
        listed = np.exp(np.take_along_axis(self.log_rate, np.maximum(columns, 0), 1))
        return np.where(columns == OFF, self.base_rate[:, None], listed).reshape(index.shape)

    def counts(self, index: Ints, epoch: int | Ints) -> Ints:
        """Counts at these indices, `n` or `n x T`, in that epoch or those epochs, `T`."""
        mean = self.rate(index)
        ids, size = (
            each.reshape(-1, *[1] * (mean.ndim - 1)) for each in (self.ids, self.dispersion)
        )
        frailty, count = (uniforms(self.seed, ids, epoch, LUCK, draw) for draw in (0, 1))
        rate = mean * gammaincinv(size, frailty) / size
        return np.asarray(poisson.ppf(count, rate)).astype(np.int64)


def draw(seed: int, n: int, first: int = 0) -> Patients:
    """Patients `first` to `first + n` of this seed."""
    ids = np.arange(first, first + n)
    numbers = iter(range(1000))

    def uniform(low: float = 0.0, high: float = 1.0, columns: int = 1) -> Floats:
        address = np.array([next(numbers) for _ in range(columns)])
        return low + (high - low) * uniforms(seed, ids[:, None], 0, TRAIT, address)

    def normal(mean: float, deviation: float, columns: int = 1) -> Floats:
        return mean + deviation * ndtri(uniform(columns=columns))

    base = np.clip(np.exp(normal(np.log(8), 0.5)), 2, 20)  # n x 1
    dispersion = np.exp(normal(np.log(4), 0.5))
    is_second = uniform() < 0.6
    preference = np.where(is_second, SITE_PREFERENCES[1], SITE_PREFERENCES[0])  # n x sites
    effect = uniform(0.5, 1.4) * np.clip(preference + normal(0, 0.2, N_SITES), 0, 1.2)
    best_amplitude = np.clip(normal(0.55, 0.12, N_SITES), 0.2, 0.9)
    amplitude_width = uniform(0.15, 0.30)
    is_high = uniform() < np.where(is_second, 0.3, 0.8)
    best_frequency = np.where(is_high, 0.75, 0.25) + normal(0, 0.08, N_SITES)
    frequency_width = uniform(0.15, 0.30)

    amplitude, frequency = SETTINGS[:, 0], SETTINGS[:, 1]
    site = SETTINGS[:, 2].astype(int)  # spreads n x sites to n x M
    away = (amplitude - best_amplitude[:, site]) / amplitude_width
    off_pitch = (frequency - best_frequency[:, site]) / frequency_width
    harm = 0.25 * amplitude**2 * np.exp(-(((frequency - 0.1) / 0.2) ** 2) / 2)
    relief = effect[:, site] * np.exp(-(away**2) / 2 - off_pitch**2 / 2)
    return Patients(
        seed=seed,
        ids=ids,
        base_rate=base[:, 0],
        log_rate=np.log(base) - relief + harm,
        dispersion=dispersion[:, 0],
    )


def random_history(patients: Patients, n_epochs: int = 30) -> tuple[Ints, Ints]:
    """Indices and counts, `n x T`, of epochs at random settings: what a prior is learned on."""
    epochs = np.arange(n_epochs)
    chosen = uniforms(patients.seed, patients.ids[:, None], epochs, PAST) * N_SETTINGS
    index = chosen.astype(np.int64)
    return index, patients.counts(index, epochs)


class Share(NamedTuple):
    """A share of the gap, or a difference of two, and its standard error over patients."""

    value: float
    standard_error: float


def share_of_gap(patients: Patients, index: Ints) -> Share:
    """The share of the way from off to each patient's best that these indices, `n`, close."""
    return share_of_rates(patients, patients.base_rate - patients.rate(index))


def in_trial(patients: Patients, indices: Ints) -> Share:
    """The share of the gap that was closed while these indices, `n x T`, were delivered."""
    return share_of_rates(patients, patients.base_rate - patients.rate(indices).mean(1))


def difference(patients: Patients, left: Ints, right: Ints) -> Share:
    """The share of the gap of the left indices, `n` or `n x T`, less that of the right; paired."""
    rates = [patients.rate(each).reshape(len(patients), -1).mean(1) for each in (left, right)]
    return share_of_rates(patients, rates[1] - rates[0])


def share_of_rates(patients: Patients, gained: Floats) -> Share:
    """The sum of these rates over the sum of the gaps, with the ratio estimator's error.

    Cochran 1977, "Sampling Techniques", section 2.11: var(y/x) = var(y - R x) / (n mean(x)^2).
    """
    gap = patients.base_rate - patients.rate(patients.best)
    value = gained.sum() / gap.sum()
    left_over = gained - value * gap
    n = len(patients)
    error = np.sqrt((left_over**2).sum() / (n * max(n - 1, 1))) / gap.mean()
    return Share(float(value), float(error))


class Policy(Protocol):
    """A controller, for all patients at once: counts and indices so far, `n x t`, to indices `n`.

    A policy is made anew for each run, and may remember what it computed before.
    """

    def propose(self, counts: Ints, indices: Ints) -> Ints:
        """What to deliver in the next epoch."""
        ...

    def recommend(self, counts: Ints, indices: Ints) -> Ints:
        """What to stay at from now on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a policy delivered, saw and recommended, and the CPU seconds of its proposals."""

    patients: Patients
    indices: Ints  # n x T
    counts: Ints  # n x T
    recommended: dict[int, Ints]  # number of epochs seen: n
    seconds: Floats  # T, for all patients together

    def seconds_per_decision(self, first: int = 0) -> float:
        """CPU seconds per patient and epoch, of the proposals from epoch `first` on."""
        return float(self.seconds[first:].mean()) / len(self.patients)


def run(policy: Policy, patients: Patients, epochs: int = 40) -> Run:
    """Let a policy treat these patients; it sees counts only."""
    counts = np.empty((len(patients), epochs), dtype=np.int64)
    indices = np.empty_like(counts)
    recommended, seconds = {}, []
    for epoch in range(epochs):
        began = time.process_time()
        proposed = policy.propose(counts[:, :epoch], indices[:, :epoch])
        seconds.append(time.process_time() - began)
        indices[:, epoch] = proposed
        counts[:, epoch] = patients.counts(proposed, epoch)
        if epoch + 1 in HORIZONS:
            seen = counts[:, : epoch + 1], indices[:, : epoch + 1]
            recommended[epoch + 1] = policy.recommend(*seen)
    return Run(
        patients=patients,
        indices=indices,
        counts=counts,
        recommended=recommended,
        seconds=np.array(seconds),
    )


def shares(result: Run) -> Iterator[tuple[int, Share, Share]]:
    """At each horizon, the share of the gap recommended and in trial."""
    for horizon, index in result.recommended.items():
        yield (
            horizon,
            share_of_gap(result.patients, index),
            in_trial(result.patients, result.indices[:, :horizon]),
        )
