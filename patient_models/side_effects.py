"""How stimulation is tolerated: a daily hazard of side effects, and the truth about what is unsafe.

Each day has one mark, which decides the worst side effect of that day. Grades are nested: a mark
that gives a severe side effect at one load gives at least a severe one at any greater load, so
arms that share luck differ only where their doses do. Another mark of the day decides of what type
it is, and a third whether it is told of.

People get used to stimulation: of a load, a share of what has become a habit is not felt. What is
called unsafe stays the acute truth, before any habit.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from patient_models.arrays import Booleans, Floats, Number
from patient_models.doses import Doses, dose_of
from patient_models.ranges import check_range
from patient_models.response import at_site
from patient_models.targets import TARGETS
from protocols import Setting

UNSAFE_DAILY_PROBABILITY = 0.01
"""A setting is unsafe when a moderate or worse side effect is expected on more days than this."""

MODERATE_GRADE = 2
LOAD_EXPONENT = 6.0
"""Assumption: 12 % more amplitude doubles the hazard, so that tolerance is nearly a threshold."""

RATE_EXPONENT = 0.1
"""Assumption: ten times the pulses per second count like a quarter more amplitude."""

ADAPTATION_DAYS = 60.0
"""Assumption: the time constant with which a load becomes a habit."""

REFERENCE_PULSES_PER_S = 145.0
HAZARD_AT_TOLERANCE = -float(np.log1p(-UNSAFE_DAILY_PROBABILITY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The equivalent amplitude at 145 Hz at which each site of one patient becomes unsafe.

    Of the load that has become a habit, `adaptation_share` is no longer felt. `target` decides how
    mild side effects are, and of what type.
    """

    site_ua: tuple[float, ...] | Floats
    chronaxie_us: Number
    adaptation_share: Number = 0.0
    target: str = "focus"

    def __post_init__(self) -> None:
        if not np.shape(self.site_ua)[-1]:
            raise ValueError("site_ua = (): one or more sites were expected")
        check_range("site_ua", np.asarray(self.site_ua), above=0)
        check_range("chronaxie_us", self.chronaxie_us, above=0)
        check_range("adaptation_share", self.adaptation_share, lowest=0, highest=1)
        if self.target not in TARGETS:
            raise ValueError(f"target = {self.target!r}: one of {', '.join(TARGETS)} was expected")

    def relative_load(self, doses: Doses) -> Floats:
        """The load of each dose as a multiple of what its site tolerates, 0 when off."""
        tolerated_ua = at_site(self.site_ua, doses.site)
        pulses_per_s = doses.frequency_hz * doses.duty / REFERENCE_PULSES_PER_S
        load_ua = doses.equivalent_ua(self.chronaxie_us) * pulses_per_s**RATE_EXPONENT
        return np.asarray(load_ua / tolerated_ua)

    def felt_load(self, load: Number, habituated: Number) -> Floats:
        """What is felt of a load beside this habit."""
        return np.maximum(load - self.adaptation_share * np.asarray(habituated), 0)

    def grade_probabilities(self, felt_load: Floats) -> Floats:
        """Probability of at least each grade from mild up within a day: loads x 4 grades."""
        hazard = HAZARD_AT_TOLERANCE * np.asarray(felt_load) ** LOAD_EXPONENT
        ratios = np.asarray(TARGETS[self.target].grade_ratios)
        return np.asarray(-np.expm1(-hazard[..., np.newaxis] * ratios))

    def daily_probabilities(self, doses: Doses) -> Floats:
        """The same of doses that nobody is used to yet: doses x 4 grades."""
        return self.grade_probabilities(self.relative_load(doses))

    def is_unsafe(self, doses: Doses) -> Booleans:
        """Which doses give a moderate or worse side effect on too many days, before any habit."""
        probability = self.daily_probabilities(doses)[:, MODERATE_GRADE - 1]
        return probability > UNSAFE_DAILY_PROBABILITY


@lru_cache(maxsize=4096)
def load_of(tolerance: Tolerance, setting: Setting) -> float:
    """The load of one setting in one patient, as a multiple of what its site tolerates."""
    return float(tolerance.relative_load(dose_of(setting))[0])


def daily_probabilities(tolerance: Tolerance, setting: Setting) -> tuple[float, ...]:
    """Probability of at least each grade from mild up on a day of a setting that is new."""
    return tuple(tolerance.grade_probabilities(np.asarray(load_of(tolerance, setting))).tolist())
