"""Settings as columns of physical quantities, the form in which tissue meets them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from patient_models.arrays import Booleans, Counts, Floats, Number
from protocols import Mode, Setting

REFERENCE_PULSE_WIDTH_US = 90.0
"""Amplitudes are stated at the pulse width of the SANTE trial (Fisher 2010, Epilepsia 51:899)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Doses:
    """One column per quantity, one row per setting.

    A row that delivers no pulse is not on; its site is 0, and its numbers are such that nothing is
    divided by zero.
    """

    is_on: Booleans
    site: Counts
    amplitude_ua: Floats
    frequency_hz: Floats
    pulse_width_us: Floats
    duty: Floats
    is_responsive: Booleans

    def equivalent_ua(self, chronaxie_us: Number) -> Floats:
        """The amplitude at the reference pulse width that excites the same axons, 0 when off.

        Weiss's law of strength and duration: the threshold current is rheobase * (1 + chronaxie /
        pulse width) (Weiss 1901; for deep brain stimulation see Kuncel and Grill 2004, Clin
        Neurophysiol 115:2431).
        """
        reference = 1 + chronaxie_us / REFERENCE_PULSE_WIDTH_US
        return np.asarray(
            self.amplitude_ua * (reference / (1 + chronaxie_us / self.pulse_width_us))
        )


def doses_of(settings: Sequence[Setting]) -> Doses:
    """These settings as columns, in their order."""
    return Doses(
        is_on=np.array([is_on(setting) for setting in settings], dtype=np.bool_),
        site=np.array([setting.site * is_on(setting) for setting in settings], dtype=np.int64),
        amplitude_ua=column(setting.amplitude_ua * is_on(setting) for setting in settings),
        frequency_hz=column(max(setting.frequency_hz, 1) for setting in settings),
        pulse_width_us=column(max(setting.pulse_width_us, 1) for setting in settings),
        duty=column(setting.duty for setting in settings),
        is_responsive=np.array([s.mode is Mode.RESPONSIVE for s in settings], dtype=np.bool_),
    )


@lru_cache(maxsize=4096)
def dose_of(setting: Setting) -> Doses:
    """One setting as columns of one row, kept, since many patients are given the same ones."""
    return doses_of((setting,))


def is_on(setting: Setting) -> bool:
    """Whether a setting delivers any pulse at all."""
    return setting.amplitude_ua * setting.frequency_hz * setting.pulse_width_us > 0


def column(values: Iterable[float]) -> Floats:
    """These numbers as one column."""
    return np.fromiter(values, dtype=np.float64)
