"""What an implanted device delivers over whole days, and how its counters rise."""

from patient_models.device_check import Device
from patient_models.model import DeviceState
from protocols import SECONDS_PER_DAY, Mode, Setting, Telemetry

PC_PER_UC = 1_000_000
WHOLE_PERMILLE = 1000


def stimulation_s_per_day(setting: Setting) -> int:
    """Seconds of pulses a day; a responsive device is taken to answer whenever it may."""
    if setting.is_off:
        return 0
    if setting.mode is Mode.CONTINUOUS:
        return SECONDS_PER_DAY
    return SECONDS_PER_DAY * setting.on_ms // (setting.on_ms + setting.off_ms)


def charge_uc_per_day(device: Device, setting: Setting) -> int:
    """Charge a day of the first phases of all pulses, over all contacts."""
    if setting.is_off:
        return 0
    n_pulses = setting.frequency_hz * stimulation_s_per_day(setting)
    pulse_pc = setting.amplitude_ua * setting.pulse_width_us
    return n_pulses * pulse_pc * device.total_permille(setting.site) // (WHOLE_PERMILLE * PC_PER_UC)


def telemetry_of(device: Device, setting: Setting, days: int, n_incidents: int) -> Telemetry:
    """What the device reports of this many days at a setting that it delivered."""
    return Telemetry(
        setting=setting,
        stimulation_s=days * stimulation_s_per_day(setting),
        charge_uc=days * charge_uc_per_day(device, setting),
        n_incidents=n_incidents,
    )


def device_after(device: DeviceState, telemetry: Telemetry) -> DeviceState:
    """The device at the end of an epoch with this telemetry."""
    return DeviceState(
        device=device.device,
        n_incidents=device.n_incidents + telemetry.n_incidents,
        stimulation_s=device.stimulation_s + telemetry.stimulation_s,
        charge_uc=device.charge_uc + telemetry.charge_uc,
    )
