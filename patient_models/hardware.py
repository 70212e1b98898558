"""What an implant is like in one patient: its impedance over the years, and what it detects."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from patient_models.arrays import Counts, Number
from patient_models.ranges import check_range
from protocols import SECONDS_PER_DAY, Mode, Setting

YEAR_DAYS = 365.25
MS_PER_DAY = 1000 * SECONDS_PER_DAY
LOWEST_OHM, HIGHEST_OHM = 50, 5000
"""Below 50 ohm is a short circuit (Wong 2018, Tremor Other Hyperkinet Mov 8:542); assumption: above
5 kohm a lead is broken. Neither is simulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """How an implant differs between patients; hidden from every controller.

    `impedance_ohm` is that of one contact once the tissue has settled. At implantation it stands
    `acute_share` of itself above (or, below 0, under) that; afterwards its log drifts.
    `false_alarms_per_day` counts what a responsive device answers that is no seizure: mostly
    discharges between seizures, beside which its answers to seizures use no energy to speak of.
    An `implant_day` of None is long ago: the tissue has settled, and drift counts from day 0.
    """

    impedance_ohm: Number
    acute_share: Number
    settling_days: Number
    drift_per_year: Number
    false_alarms_per_day: Number
    implant_day: int | None = None

    def __post_init__(self) -> None:
        check_range("impedance_ohm", self.impedance_ohm, lowest=LOWEST_OHM, highest=HIGHEST_OHM)
        check_range("acute_share", self.acute_share, lowest=-0.9, highest=2)
        check_range("settling_days", self.settling_days, above=0)
        check_range("drift_per_year", self.drift_per_year, lowest=-0.5, highest=0.5)
        check_range("false_alarms_per_day", self.false_alarms_per_day, lowest=0, highest=MS_PER_DAY)


def impedance_ohm(hardware: Hardware, day: ArrayLike) -> Counts:
    """Impedance of one contact at these midnights, in whole ohms.

    It settles exponentially while tissue heals around the lead, then drifts (Satzer 2014,
    Stereotact Funct Neurosurg 92:94). Before the implantation it is that of the implantation.
    """
    since_days = np.maximum(np.asarray(day, dtype=np.float64) - (hardware.implant_day or 0), 0)
    drift = np.exp(hardware.drift_per_year * since_days / YEAR_DAYS)
    acute = 0.0 if hardware.implant_day is None else hardware.acute_share
    settled = 1 + acute * np.exp(-since_days / hardware.settling_days)
    ohm = np.rint(hardware.impedance_ohm * settled * drift)
    return np.clip(ohm, LOWEST_OHM, HIGHEST_OHM).astype(np.int64)


def bursts_per_day(hardware: Hardware, setting: Setting) -> int:
    """Bursts a day that a responsive device delivers; 0 in the other modes.

    Seizures are left out: nearly all of the hundreds of detections a day fall between seizures.
    Each burst is followed by the least pause, which holds their number down.
    """
    if setting.is_off or setting.mode is not Mode.RESPONSIVE:
        return 0
    most = MS_PER_DAY // (setting.on_ms + setting.off_ms)
    return min(round(float(hardware.false_alarms_per_day)), most)


def stimulation_ms_per_day(hardware: Hardware, setting: Setting) -> int:
    """Milliseconds of pulses a day."""
    if setting.is_off:
        return 0
    if setting.mode is Mode.CONTINUOUS:
        return MS_PER_DAY
    if setting.mode is Mode.CYCLING:
        return MS_PER_DAY * setting.on_ms // (setting.on_ms + setting.off_ms)
    return bursts_per_day(hardware, setting) * setting.on_ms
