"""What stimulation does to one patient's seizure rate once it has been delivered for long.

The surface has a threshold in amplitude, saturates, turns to harm at the high end, has two modes in
frequency and a best site. Low or high frequency being better differs between patients, and so does
the site (see `population`). That there is a threshold and an inverted U is established; the shapes
chosen for them here are assumptions.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Protocol

import numpy as np

from patient_models.arrays import Floats
from patient_models.doses import Doses, dose_of
from patient_models.ranges import check_range
from protocols import Setting

MAXIMAL_LOG_HARM = log(2)
"""Stimulation at most doubles the seizure rate: an assumption, which makes thinning exact."""

DUTY_EXPONENT = 0.15
"""Assumption: 1 min on and 5 min off, as in SANTE, keeps three quarters of the benefit."""


class SteadyResponse(Hashable, Protocol):
    """What the law needs of any family's response to stimulation: a value that can be hashed."""

    @property
    def wash_in_days(self) -> float:
        """The time constant of a benefit that builds up."""
        ...

    @property
    def carry_over_days(self) -> float:
        """The time constant of a benefit that fades."""
        ...

    def steady_effects(self, doses: Doses) -> Floats:
        """The log multiplier that each dose leads to, at most `MAXIMAL_LOG_HARM`; 0 when off."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyMode:
    """A band of frequencies that works: a Gaussian in octaves around its centre, `weight` high."""

    centre_hz: float
    width_octaves: float
    weight: float

    def __post_init__(self) -> None:
        check_range("centre_hz", self.centre_hz, above=0)
        check_range("width_octaves", self.width_octaves, above=0)
        check_range("weight", self.weight, lowest=0, highest=1)

    def gain(self, frequency_hz: Floats) -> Floats:
        """Share of the full benefit that each of these frequencies, above 0, gives."""
        octaves = np.log2(frequency_hz / self.centre_hz) / self.width_octaves
        return self.weight * np.exp(-0.5 * octaves**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One patient's response to stimulation; amplitudes are equivalent ones, see `Doses`.

    `site_efficacy` is the largest log reduction of the rate that each site can give, 0 at every
    site in a patient who does not respond.
    """

    site_efficacy: tuple[float, ...]
    low_mode: FrequencyMode
    high_mode: FrequencyMode
    threshold_ua: float
    saturation_ua: float
    harm_onset_ua: float
    harm_scale_ua: float
    chronaxie_us: float
    wash_in_days: float
    carry_over_days: float

    def __post_init__(self) -> None:
        if not self.site_efficacy:
            raise ValueError("site_efficacy = (): one or more sites were expected")
        for efficacy in self.site_efficacy:
            check_range("site_efficacy", efficacy, lowest=0)
        for name in POSITIVE:
            check_range(name, getattr(self, name), above=0)

    def benefit(self, equivalent_ua: Floats) -> Floats:
        """Share of the full benefit at these amplitudes: 0 up to the threshold, then towards 1."""
        return -np.expm1(-np.maximum(equivalent_ua - self.threshold_ua, 0) / self.saturation_ua)

    def harm(self, equivalent_ua: Floats) -> Floats:
        """How far benefit has turned into harm at these amplitudes, 0 to 1."""
        excess = np.maximum(equivalent_ua - self.harm_onset_ua, 0) / self.harm_scale_ua
        return -np.expm1(-(excess**2))

    def frequency_gain(self, frequency_hz: Floats) -> Floats:
        """Share of the full benefit that each frequency above 0 gives, by the better mode."""
        return np.maximum(self.low_mode.gain(frequency_hz), self.high_mode.gain(frequency_hz))

    def steady_effects(self, doses: Doses) -> Floats:
        """The log multiplier of the rate that each dose leads to; exactly 0 when off.

        Harm displaces benefit rather than adding to it, so that no dose exceeds `MAXIMAL_LOG_HARM`.
        """
        amplitude_ua = doses.equivalent_ua(self.chronaxie_us)
        gain = self.frequency_gain(doses.frequency_hz) * doses.duty**DUTY_EXPONENT
        reduction = np.asarray(self.site_efficacy)[doses.site] * gain * self.benefit(amplitude_ua)
        harm = self.harm(amplitude_ua)
        return np.where(doses.is_on, harm * MAXIMAL_LOG_HARM - (1 - harm) * reduction, 0.0)


POSITIVE = (
    "threshold_ua",
    "saturation_ua",
    "harm_onset_ua",
    "harm_scale_ua",
    "chronaxie_us",
    "wash_in_days",
    "carry_over_days",
)


@lru_cache(maxsize=4096)
def steady_effect(response: SteadyResponse, setting: Setting) -> float:
    """The log multiplier that one setting leads to in this patient."""
    return float(response.steady_effects(dose_of(setting))[0])
