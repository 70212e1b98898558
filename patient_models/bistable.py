"""A neural mass that can seize, driven by noise and pulse trains: the source of a response table.

    python -m patient_models.bistable TABLE.csv

The mass is the normal form of a subcritical Hopf bifurcation, in which a quiet state and a seizure
are stable side by side and noise carries one into the other (Benjamin et al. 2012, J Math Neurosci
2:1):

    dz = rate [(excitability - 1) z + 2 z |z|^2 - z |z|^4] dt + i omega z dt + noise dW

Each pulse does two things. It kicks z, in proportion to its amplitude. And where the amplitude
exceeds a threshold, it recruits inhibition, which leaks away between pulses and lowers the
excitability, saturating. That is all; what follows from it, and is written nowhere, is a threshold
in frequency, benefit that saturates, a window of amplitudes that closes at high frequencies, and
harm near the mass's own frequency. How many times a seizure begins per second, against no
stimulation, is tabulated over amplitude and frequency. The bistable mass is the cited one; kicks,
inhibition and all numbers below are assumptions. The numbers were picked among half a dozen sets by
looking at the surfaces, for one whose benefit is neither nothing nor everything.
"""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from patient_models.arrays import Floats

THRESHOLD = 1.0
"""Amplitudes are in units of the least that recruits inhibition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mass:
    """The constants of one neural mass; times in seconds."""

    own_hz: float
    excitability: float = 0.4
    rate_per_s: float = 10.0
    noise: float = 0.47
    kick: float = 0.015
    leak_s: float = 0.35
    half_inhibition: float = 30.0
    largest_inhibition: float = 0.2


MASSES = {"slow": Mass(own_hz=6.0), "fast": Mass(own_hz=20.0)}
AMPLITUDES = (0.0, 0.5, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.5, 8.0)
FREQUENCIES_HZ = (2, 4, 6, 9, 13, 20, 30, 50, 80, 125, 200)
SEIZURE_POWER = 0.8
"""|z|^2 above which a seizure has begun; the mass is then put back to rest and counted on."""

STEP_S = 0.002
DURATION_S = 200.0
N_COPIES = 40
SEED = 20_261_124


def seizures_per_s(mass: Mass, amplitude: Floats, frequency_hz: Floats) -> Floats:
    """How often a seizure begins under each pulse train, over `N_COPIES` masses of `DURATION_S`."""
    luck = np.random.default_rng(SEED)
    amplitude, step = np.repeat(amplitude, N_COPIES), np.repeat(frequency_hz, N_COPIES) * STEP_S
    recruited, kick = np.maximum(amplitude - THRESHOLD, 0), mass.kick * amplitude
    z = np.zeros(len(amplitude), dtype=np.complex128)
    inhibition, phase = np.zeros(len(z)), luck.random(len(z))
    begun = np.zeros(len(z))
    turn = np.exp(2j * np.pi * mass.own_hz * STEP_S)
    leak, noise = np.exp(-STEP_S / mass.leak_s), mass.noise * np.sqrt(STEP_S)
    for _ in range(int(DURATION_S / STEP_S)):
        phase += step
        is_pulse = phase >= 1
        phase -= is_pulse
        inhibition = leak * inhibition + recruited * is_pulse
        share = inhibition / (inhibition + mass.half_inhibition)
        power = z.real**2 + z.imag**2
        growth = mass.excitability - mass.largest_inhibition * share - 1 + 2 * power - power**2
        random = luck.standard_normal(len(z)) + 1j * luck.standard_normal(len(z))
        z = z * (1 + STEP_S * mass.rate_per_s * growth) * turn + noise * random + kick * is_pulse
        is_seizure = z.real**2 + z.imag**2 > SEIZURE_POWER
        begun += is_seizure
        z[is_seizure] = 0
    counts: Floats = begun.reshape(-1, N_COPIES).sum(axis=1)
    return counts / (N_COPIES * DURATION_S)


def log_rate_ratios(mass: Mass) -> Floats:
    """Log ratios to no stimulation, amplitudes x frequencies, and 0 where the amplitude is 0.

    A count of zero is counted as half a seizure. An entry's standard error follows from its Poisson
    count n, one over the root of n: there are some 750 seizures without stimulation, so it is about
    0.04 near 0, and 0.13 at a log ratio of -2.5.
    """
    grid = np.array([(a, f) for a in AMPLITUDES[1:] for f in FREQUENCIES_HZ])
    rates = seizures_per_s(mass, grid[:, 0], grid[:, 1].astype(float))
    rest = seizures_per_s(mass, np.zeros(len(FREQUENCIES_HZ)), np.ones(len(FREQUENCIES_HZ))).mean()
    least = 0.5 / (N_COPIES * DURATION_S)
    ratios = np.log(np.maximum(rates, least) / rest).reshape(-1, len(FREQUENCIES_HZ))
    return np.vstack([np.zeros(len(FREQUENCIES_HZ)), ratios])


def write_table(path: Path) -> None:
    """Simulate every mass and write amplitude, frequency and log rate ratio of each entry."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("mass", "amplitude", "frequency_hz", "log_rate_ratio"))
        for name, mass in MASSES.items():
            ratios = log_rate_ratios(mass)
            for amplitude, row in zip(AMPLITUDES, ratios, strict=True):
                for frequency_hz, ratio in zip(FREQUENCIES_HZ, row, strict=True):
                    writer.writerow((name, amplitude, frequency_hz, f"{ratio:.3f}"))


if __name__ == "__main__":
    write_table(Path(sys.argv[1]))
