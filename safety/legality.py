"""Whether a setting may be delivered: written apart from the clamps, which it checks."""

from collections.abc import Iterable

from protocols import OFF, Mode, Setting
from safety.envelope import MICROSECONDS_PER_SECOND, Envelope
from safety.verdict import Rise


def is_deliverable(setting: Setting, envelope: Envelope) -> bool:
    """Whether `envelope` permits `setting`, whatever came before; no stimulation is OFF only."""
    if setting.amplitude_ua == 0:
        return setting == OFF
    return is_in_box(setting, envelope) and is_within_coupled_limits(setting, envelope)


def deliverable(settings: Iterable[Setting], envelope: Envelope) -> tuple[Setting, ...]:
    """Return those of `settings` that `envelope` permits, in their order."""
    return tuple(setting for setting in settings if is_deliverable(setting, envelope))


def is_in_box(setting: Setting, envelope: Envelope) -> bool:
    """Whether each field by itself is one that the envelope lists."""
    return (
        setting.site in envelope.sites
        and setting.amplitude_ua in envelope.amplitude_ua
        and setting.frequency_hz in envelope.frequency_hz
        and setting.pulse_width_us in envelope.pulse_width_us
        and setting.mode in envelope.modes
        and (
            setting.mode is Mode.CONTINUOUS
            or (setting.on_ms in envelope.on_ms and setting.off_ms in envelope.off_ms)
        )
    )


def is_within_coupled_limits(setting: Setting, envelope: Envelope) -> bool:
    """Whether the fields together keep the limits of pulse, duty, current and charge."""
    pulse_us = 2 * setting.pulse_width_us + envelope.interphase_gap_us
    if pulse_us * setting.frequency_hz > MICROSECONDS_PER_SECOND:
        return False
    return is_within_duty(setting, envelope) and is_within_electrode_limits(setting, envelope)


def is_within_duty(setting: Setting, envelope: Envelope) -> bool:
    """Whether pulses run for no larger share of the time than is permitted."""
    if setting.mode is Mode.CONTINUOUS:
        return envelope.max_duty_permille == 1000
    off_permille = 1000 - envelope.max_duty_permille
    return setting.on_ms * off_permille <= setting.off_ms * envelope.max_duty_permille


def is_within_electrode_limits(setting: Setting, envelope: Envelope) -> bool:
    """Whether every contact keeps its current and charge, and every lead its sum."""
    amplitude_ua, width_us = setting.amplitude_ua, setting.pulse_width_us
    shares = envelope.montages[setting.site].shares_permille
    on_leads: dict[str, int] = {}
    for contact, share, max_charge_pc in zip(
        envelope.contacts, shares, envelope.max_charge_pc, strict=True
    ):
        current_na = share * amplitude_ua
        if current_na > 1000 * envelope.max_contact_current_ua:
            return False
        if current_na * width_us > 1000 * max_charge_pc:
            return False
        on_leads[contact.lead] = on_leads.get(contact.lead, 0) + current_na
    return max(on_leads.values()) <= 1000 * envelope.max_lead_current_ua


def is_due(
    setting: Setting, wanted: Setting, rise: Rise, recent: tuple[Rise, ...], envelope: Envelope
) -> bool:
    """Whether `setting` is permitted here and now, and is `wanted` or less of it."""
    if setting.is_off:
        return setting == OFF
    return (
        is_deliverable(setting, envelope)
        and is_no_more(setting, wanted)
        and is_within_window(rise, recent, envelope)
    )


def is_no_more(setting: Setting, wanted: Setting) -> bool:
    """Whether `setting` is `wanted` but for a lower amplitude, pulse width or on time."""
    unmoved = (setting.site, setting.frequency_hz, setting.off_ms, setting.mode)
    return (
        unmoved == (wanted.site, wanted.frequency_hz, wanted.off_ms, wanted.mode)
        and setting.amplitude_ua <= wanted.amplitude_ua
        and setting.pulse_width_us <= wanted.pulse_width_us
        and setting.on_ms <= wanted.on_ms
    )


def is_within_window(rise: Rise, recent: tuple[Rise, ...], envelope: Envelope) -> bool:
    """Whether the window's rises, this one included, keep the limits; a fall always does."""
    amplitude_ua, charge, duty = rise.amplitude_ua, rise.charge_pc_per_s, rise.duty_ppm
    for each in recent:
        amplitude_ua += each.amplitude_ua
        charge += each.charge_pc_per_s
        duty += each.duty_ppm
    return (
        (rise.amplitude_ua == 0 or amplitude_ua <= envelope.rise_amplitude_ua)
        and (rise.charge_pc_per_s == 0 or charge <= 1000 * envelope.rise_charge_nc_per_s)
        and (rise.duty_ppm == 0 or duty <= 1000 * envelope.rise_duty_permille)
    )
