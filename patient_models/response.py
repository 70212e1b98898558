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
from numpy.typing import ArrayLike

from patient_models.arrays import Booleans, Counts, Floats, Number
from patient_models.doses import Doses, dose_of
from patient_models.ranges import check_range
from protocols import Setting

MAXIMAL_LOG_HARM = log(2)
"""Nothing more than doubles the rate: an assumption, which makes thinning exact."""

HALF_DUTY = 0.05
"""Assumption: cycling at this duty keeps about half of what continuous stimulation does."""

RESPONSIVE_DUTY = 0.30
"""Assumption: stimulation at every onset does as much as cycling at this duty."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steady:
    """What each dose leads to: log reductions by each mode, and harm as a log increase.

    Reductions take weeks to build up, harm is there at once. `is_on` is 1 where any pulse is
    delivered.
    """

    high: Floats
    low: Floats
    harm: Floats
    is_on: Booleans

    @property
    def log_multiplier(self) -> Floats:
        """The log multiplier of the rate once washed in, at ordinary risk."""
        return np.minimum(self.harm - self.high - self.low, MAXIMAL_LOG_HARM)


class SteadyResponse(Hashable, Protocol):
    """What the law needs of any family's response: a value, of one patient or in columns."""

    @property
    def wash_in_days(self) -> Number:
        """The time constant of a benefit that builds up."""
        ...

    @property
    def carry_over_days(self) -> Number:
        """The time constant of a benefit that fades."""
        ...

    @property
    def progression(self) -> Number:
        """By what share of itself a benefit grows over years on; negative when it is lost."""
        ...

    @property
    def sensitivity(self) -> Number:
        """The share of onsets that a responsive device detects."""
        ...

    def steady(self, doses: Doses) -> Steady:
        """What each dose leads to in one patient, or in each of as many patients as doses."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyMode:
    """A band of frequencies that works: a Gaussian in octaves around its centre, `weight` high."""

    centre_hz: Number
    width_octaves: Number
    weight: Number

    def __post_init__(self) -> None:
        check_range("centre_hz", self.centre_hz, above=0)
        check_range("width_octaves", self.width_octaves, above=0)
        check_range("weight", self.weight, lowest=0, highest=1)

    def gain(self, frequency_hz: Floats) -> Floats:
        """Share of the full benefit that each of these frequencies, above 0, gives."""
        octaves = np.log2(frequency_hz / self.centre_hz) / self.width_octaves
        return np.asarray(self.weight * np.exp(-0.5 * octaves**2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One patient's response to stimulation; amplitudes are equivalent ones, see `Doses`.

    `site_efficacy` is the log reduction of the rate that a saturating dose gives at each site: 0 in
    a patient who does not respond, below 0 in one who is made worse. `sensitivity` is the share of
    onsets that a responsive device detects.
    """

    site_efficacy: tuple[float, ...] | Floats
    low_mode: FrequencyMode
    high_mode: FrequencyMode
    threshold_ua: Number
    saturation_ua: Number
    harm_onset_ua: Number
    harm_scale_ua: Number
    chronaxie_us: Number
    wash_in_days: Number
    carry_over_days: Number
    progression: Number
    sensitivity: Number

    def __post_init__(self) -> None:
        if not np.shape(self.site_efficacy)[-1]:
            raise ValueError("site_efficacy = (): one or more sites were expected")
        check_range("site_efficacy", np.asarray(self.site_efficacy))
        for name in POSITIVE:
            check_range(name, getattr(self, name), above=0)
        check_range("progression", self.progression, lowest=-1)
        check_range("sensitivity", self.sensitivity, lowest=0, highest=1)

    def benefit(self, equivalent_ua: Floats) -> Floats:
        """Share of the full benefit at these amplitudes: 0 up to the threshold, then towards 1."""
        return -np.expm1(-np.maximum(equivalent_ua - self.threshold_ua, 0) / self.saturation_ua)

    def harm(self, equivalent_ua: Floats) -> Floats:
        """The log increase of the rate at these amplitudes: 0 up to the onset of harm."""
        excess = np.maximum(equivalent_ua - self.harm_onset_ua, 0) / self.harm_scale_ua
        return np.asarray(excess**2)

    def steady(self, doses: Doses) -> Steady:
        """What each dose leads to; exactly nothing when off."""
        amplitude_ua = doses.equivalent_ua(self.chronaxie_us)
        duty = np.where(doses.is_responsive, RESPONSIVE_DUTY * self.sensitivity, doses.duty)
        share = duty_share(duty) * doses.is_on
        full = at_site(self.site_efficacy, doses.site) * self.benefit(amplitude_ua) * share
        return Steady(
            high=full * self.high_mode.gain(doses.frequency_hz),
            low=full * self.low_mode.gain(doses.frequency_hz),
            harm=self.harm(amplitude_ua) * share,
            is_on=doses.is_on,
        )


POSITIVE = (
    "threshold_ua",
    "saturation_ua",
    "harm_onset_ua",
    "harm_scale_ua",
    "chronaxie_us",
    "wash_in_days",
    "carry_over_days",
)


def duty_share(duty: Floats) -> Floats:
    """What a share of the time on keeps of the effect of being on always, which is 1."""
    return np.asarray((1 + HALF_DUTY) * duty / (duty + HALF_DUTY))


def at_site(values: ArrayLike, site: Counts) -> Floats:
    """What belongs to these sites: of one patient, or of each row of a column of patients."""
    table = np.asarray(values)
    if table.ndim == 1:
        return np.asarray(table[site])
    return np.asarray(np.take_along_axis(table, site[:, np.newaxis], axis=1)[:, 0])


@lru_cache(maxsize=4096)
def steady_of(response: SteadyResponse, setting: Setting) -> Steady:
    """What one setting leads to in this patient: one row."""
    return response.steady(dose_of(setting))
