"""How stimulation is tolerated: a daily hazard of side effects, and the truth about what is unsafe.

Each day has one mark, which decides the worst side effect of that day. Grades are nested: a mark
that gives a severe side effect at one load gives at least a severe one at any greater load, so
arms that share luck differ only where their doses do.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from patient_models.arrays import Booleans, Floats, Number
from patient_models.doses import Doses, dose_of
from patient_models.ranges import check_range
from patient_models.response import at_site
from protocols import Setting

UNSAFE_DAILY_PROBABILITY = 0.01
"""A setting is unsafe when a moderate or worse side effect is expected on more days than this."""

MODERATE_GRADE = 2
GRADE_RATIOS = (4.0, 1.0, 0.1, 0.01)
"""Assumption: hazards of at least mild, moderate, severe and serious, relative to moderate."""

LOAD_EXPONENT = 6.0
"""Assumption: 12 % more amplitude doubles the hazard, so that tolerance is nearly a threshold."""

RATE_EXPONENT = 0.1
"""Assumption: ten times the pulses per second count like a quarter more amplitude."""

REFERENCE_PULSES_PER_S = 145.0
HAZARD_AT_TOLERANCE = -float(np.log1p(-UNSAFE_DAILY_PROBABILITY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The equivalent amplitude at 145 Hz at which each site of one patient becomes unsafe."""

    site_ua: tuple[float, ...] | Floats
    chronaxie_us: Number

    def __post_init__(self) -> None:
        if not len(self.site_ua):
            raise ValueError("site_ua = (): one or more sites were expected")
        check_range("site_ua", np.asarray(self.site_ua), above=0)
        check_range("chronaxie_us", self.chronaxie_us, above=0)

    def relative_load(self, doses: Doses) -> Floats:
        """The load of each dose as a multiple of what its site tolerates, 0 when off."""
        tolerated_ua = at_site(self.site_ua, doses.site)
        pulses_per_s = doses.frequency_hz * doses.duty / REFERENCE_PULSES_PER_S
        load_ua = doses.equivalent_ua(self.chronaxie_us) * pulses_per_s**RATE_EXPONENT
        return np.asarray(load_ua / tolerated_ua)

    def daily_probabilities(self, doses: Doses) -> Floats:
        """Probability of at least each grade from mild up within a day: doses x 4 grades."""
        hazard = HAZARD_AT_TOLERANCE * self.relative_load(doses) ** LOAD_EXPONENT
        return np.asarray(-np.expm1(-hazard[:, np.newaxis] * np.asarray(GRADE_RATIOS)))

    def is_unsafe(self, doses: Doses) -> Booleans:
        """Which doses give a moderate or worse side effect on too many days."""
        probability = self.daily_probabilities(doses)[:, MODERATE_GRADE - 1]
        return probability > UNSAFE_DAILY_PROBABILITY


@lru_cache(maxsize=4096)
def daily_probabilities(tolerance: Tolerance, setting: Setting) -> tuple[float, ...]:
    """Probability of at least each grade from mild up within a day under one setting."""
    return tuple(tolerance.daily_probabilities(dose_of(setting))[0].tolist())
