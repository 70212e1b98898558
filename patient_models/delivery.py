"""What an implanted device delivers over whole days, and what that takes from its battery.

Everything is counted in whole numbers, day by day, so that an epoch cut in two at any midnight is
the same as the whole.
"""

import numpy as np

from patient_models.device_check import Device
from patient_models.hardware import (
    Hardware,
    impedance_ohm,
    stimulation_ms_per_day,
)
from patient_models.model import DeviceState
from protocols import SECONDS_PER_DAY, Setting, Telemetry

PC_PER_UC = 1_000_000
WHOLE_PERMILLE = 1000
AJ_PER_MJ = 10**15
"""A current in uA through a voltage in uV for a time in us is an energy in attojoules."""

BATTERY_MJ = 72_000_000
"""Assumption: a primary cell of 20 Wh. At 1 kohm two leads at 3 mA, 60 us and 130 Hz then last 3.4
years; such devices last 3 to 5 years (Medtronic on Activa PC and SC), in a series of single-channel
ones 45 months (Bin-Mahfoodh 2003, Stereotact Funct Neurosurg 80:56)."""

QUIESCENT_MJ_PER_DAY = 8640
"""Assumption: 100 uW for the clock, the radio and, in a responsive device, for sensing."""

LOWEST_SUPPLY_UV = 1_600_000
"""Assumption: the lowest supply for pulses is half the voltage of a 3.2 V lithium cell."""

EFFICIENCY_PERMILLE = 500
"""Assumption: half of what the battery gives is lost in the conversion and the current source."""

TIMES_PER_DAY = 2**32
"""Times lie on this grid of a day, so that adding them is exact for 2**20 days."""


def pulses_per_day(hardware: Hardware, setting: Setting) -> int:
    """Whole pulses a day."""
    return setting.frequency_hz * stimulation_ms_per_day(hardware, setting) // 1000


def charge_uc_per_day(device: Device, hardware: Hardware, setting: Setting) -> int:
    """Charge a day of the first phases of all pulses, over all contacts."""
    if setting.is_off:
        return 0
    pulse_pc = setting.amplitude_ua * setting.pulse_width_us * device.total_permille(setting.site)
    return pulses_per_day(hardware, setting) * pulse_pc // (WHOLE_PERMILLE * PC_PER_UC)


def energy_mj_per_day(device: Device, hardware: Hardware, setting: Setting, ohm: int) -> int:
    """Energy a day from the battery, at this impedance of each contact.

    All contacts share one supply, which follows the one that carries most. Both phases of a pulse
    draw the whole current from it, whatever the voltage that a contact needs.
    """
    if setting.is_off:
        return QUIESCENT_MJ_PER_DAY
    largest_permille = max(permille for _, permille in device.montages[setting.site])
    needed_uv = setting.amplitude_ua * largest_permille * ohm // WHOLE_PERMILLE
    supply_uv = max(needed_uv, LOWEST_SUPPLY_UV)
    # The thousandths of the current and those of the efficiency cancel out.
    current = setting.amplitude_ua * device.total_permille(setting.site)
    pulse = current * supply_uv * 2 * setting.pulse_width_us
    pulses = pulses_per_day(hardware, setting)
    return QUIESCENT_MJ_PER_DAY + pulses * pulse // (EFFICIENCY_PERMILLE * AJ_PER_MJ)


def lived(
    state: DeviceState,
    hardware: Hardware,
    setting: Setting,
    first_day: int,
    days: int,
    n_incidents: int,
) -> tuple[DeviceState, Telemetry, tuple[int, ...]]:
    """The device after these whole days, its telemetry, and the midnights of new batteries.

    Ramps are left out: they last minutes. An exhausted battery is replaced in a visit at the next
    midnight, and its reserve carries the day to its end, so that stimulation never stops by itself.
    The leads stay, and with them the impedance.
    """
    device = state.device
    *ohms, last_ohm = impedance_ohm(hardware, first_day + np.arange(days + 1)).tolist()
    mj_at = {ohm: energy_mj_per_day(device, hardware, setting, ohm) for ohm in set(ohms)}
    used_mj, replaced = state.battery_used_mj, []
    for midnight, ohm in enumerate(ohms, start=first_day + 1):
        used_mj += mj_at[ohm]
        if used_mj >= BATTERY_MJ:
            replaced.append(midnight)
            used_mj = 0
    telemetry = Telemetry(
        setting=setting,
        stimulation_s=days * (stimulation_ms_per_day(hardware, setting) // 1000),
        charge_uc=days * charge_uc_per_day(device, hardware, setting),
        energy_mj=sum(mj_at[ohm] for ohm in ohms),
        impedance_ohm=last_ohm,
        battery_permille=(BATTERY_MJ - used_mj) * WHOLE_PERMILLE // BATTERY_MJ,
        n_incidents=n_incidents,
    )
    after = DeviceState(
        device=device,
        n_incidents=state.n_incidents + n_incidents,
        stimulation_s=state.stimulation_s + telemetry.stimulation_s,
        charge_uc=state.charge_uc + telemetry.charge_uc,
        battery_used_mj=used_mj,
        n_replacements=state.n_replacements + len(replaced),
    )
    return after, telemetry, tuple(replaced)


def ramp_s(device: Device, before: Setting, after: Setting) -> int:
    """Seconds from one setting to another, down and up each rounded up.

    Another site or pulse width is reached through zero.
    """
    is_same_pulse = (before.site, before.pulse_width_us) == (after.site, after.pulse_width_us)
    turn_ua = min(before.amplitude_ua, after.amplitude_ua) if is_same_pulse else 0
    down_ua, up_ua = before.amplitude_ua - turn_ua, after.amplitude_ua - turn_ua
    return -(-down_ua // device.ramp_down_ua_per_s) - (-up_ua // device.ramp_up_ua_per_s)


def ramp_end_day(device: Device, before: Setting, after: Setting, start_day: float) -> float:
    """When a ramp that begins at this time is over, moved on to the grid of times."""
    n_steps = -(-ramp_s(device, before, after) * TIMES_PER_DAY // SECONDS_PER_DAY)
    return start_day + n_steps / TIMES_PER_DAY
