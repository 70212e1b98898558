"""Whether a setting may be delivered: written apart from the clamps, which it checks."""

from collections.abc import Iterable

from protocols import OFF, Mode, Setting
from protocols.setting import INTEGER_FIELDS
from safety.envelope import MICROSECONDS_PER_SECOND, Envelope
from safety.verdict import Past, Rise

HOURS_24_MS = 24 * 3600 * 1000
HOURS_24_S = 24 * 3600


def is_deliverable(setting: Setting, envelope: Envelope) -> bool:
    """Whether `envelope` permits `setting`, whatever came before; no stimulation is OFF only."""
    if not is_whole_setting(setting):
        return False
    if setting.amplitude_ua == 0:
        return setting == OFF
    return (
        is_in_box(setting, envelope)
        and is_within_coupled_limits(setting, envelope)
        and is_within_day(setting, envelope)
    )


def deliverable(settings: Iterable[Setting], envelope: Envelope) -> tuple[Setting, ...]:
    """Return those of `settings` that `envelope` permits, in their order."""
    return tuple(setting for setting in settings if is_deliverable(setting, envelope))


def is_whole_setting(setting: object) -> bool:
    """Whether this is exactly a setting of ints and a mode, as only one made by force is not."""
    if type(setting) is not Setting:
        return False
    numbers = [getattr(setting, name, None) for name in INTEGER_FIELDS]
    mode = getattr(setting, "mode", None)
    return type(mode) is Mode and all(type(number) is int for number in numbers)


def is_in_box(setting: Setting, envelope: Envelope) -> bool:
    """Whether each field by itself is one that the envelope lists."""
    return (
        setting.site in envelope.sites
        and setting.amplitude_ua in envelope.amplitude_ua
        and setting.frequency_hz in envelope.frequency_hz
        and setting.pulse_width_us in envelope.pulse_width_us
        and setting.mode in envelope.modes
        and (
            setting.on_ms == setting.off_ms == 0
            if setting.mode is Mode.CONTINUOUS
            else setting.on_ms in envelope.on_ms and setting.off_ms in envelope.off_ms
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
    max_current_na = 1000 * envelope.max_contact_current_ua
    on_leads: dict[str, int] = {}
    for place, share in enumerate(envelope.montages[setting.site].shares_permille):
        current_na = share * amplitude_ua
        if current_na > max_current_na:
            return False
        if current_na * width_us > 1000 * envelope.max_charge_pc[place]:
            return False
        lead = envelope.contacts[place].lead
        on_leads[lead] = on_leads.get(lead, 0) + current_na
    return max(on_leads.values()) <= 1000 * envelope.max_lead_current_ua


def is_within_day(setting: Setting, envelope: Envelope) -> bool:
    """Whether no 24 h of this setting alone hold more therapies or charge than they may."""
    therapies, charge_fc = use_per_day(setting, envelope)
    return (
        therapies <= envelope.day_max_therapies
        and charge_fc <= 1_000_000_000 * envelope.day_max_charge_uc
    )


def use_per_day(setting: Setting, envelope: Envelope) -> tuple[int, int]:
    """Return the therapies and the charge, in fC, of the 24 h that hold most of a setting."""
    shares = envelope.montages[setting.site].shares_permille
    pulse_fc = sum(shares) * setting.amplitude_ua * setting.pulse_width_us
    if setting.mode is Mode.CONTINUOUS:
        return 0, pulse_fc * setting.frequency_hz * HOURS_24_S
    period_ms = setting.on_ms + setting.off_ms
    pulses_ms = min(setting.on_ms, HOURS_24_MS % period_ms)
    pulses_ms += HOURS_24_MS // period_ms * setting.on_ms
    return -(-HOURS_24_MS // period_ms), -(-pulse_fc * setting.frequency_hz * pulses_ms // 1000)


def use_once(setting: Setting, envelope: Envelope) -> tuple[int, int]:
    """Return the therapies and the charge, in fC, of one on-phase; a setting without has none."""
    if setting.mode is Mode.CONTINUOUS:
        return 0, 0
    shares = envelope.montages[setting.site].shares_permille
    pulse_fc = sum(shares) * setting.amplitude_ua * setting.pulse_width_us
    return 1, -(-pulse_fc * setting.frequency_hz * setting.on_ms // 1000)


def is_due(
    setting: Setting, wanted: Setting, rise: Rise, past: Past, envelope: Envelope, clock: int
) -> bool:
    """Whether `setting` is permitted here and now, and is `wanted` or less of it."""
    if setting.is_off:
        return setting == OFF
    for latch in past.latches:
        if latch.site is None or latch.site == setting.site:
            return False
    if not (is_deliverable(setting, envelope) and is_no_more(setting, wanted)):
        return False
    if not (rise.amplitude_ua or rise.charge_pc_per_s or rise.duty_ppm):
        return True
    recent = tuple(each for each in past.rises if each.at_s + envelope.rise_window_s > clock)
    return (
        rise.amplitude_ua <= envelope.step_amplitude_ua
        and is_within_window(rise, recent, envelope)
        and clock >= past.lockout_until_s
        and is_within_last_day(setting, past, envelope, clock)
    )


def is_within_last_day(setting: Setting, past: Past, envelope: Envelope, clock: int) -> bool:
    """Whether the last 24 h have room for one more change, to `setting`."""
    n_changes, (most, most_fc) = 1, use_per_day(setting, envelope)
    more, more_fc = use_once(setting, envelope)
    is_alone = True
    ends = (*(each.at_s for each in past.changes[1:]), clock)
    for each, end_s in zip(past.changes, ends, strict=False):
        if end_s + HOURS_24_S <= clock:
            continue
        if each.at_s + HOURS_24_S > clock:
            n_changes += each.n_changes
        most, most_fc = max(most, each.therapies), max(most_fc, 1000 * each.charge_pc)
        more, more_fc = more + each.more_therapies, more_fc + 1000 * each.more_charge_pc
        is_alone = is_alone and each.charge_pc == 0
    if not is_alone:
        most, most_fc = most + more, most_fc + more_fc
    return (
        n_changes <= envelope.day_max_changes
        and most <= envelope.day_max_therapies
        and most_fc <= 1_000_000_000 * envelope.day_max_charge_uc
    )


def is_no_more(setting: Setting, wanted: Setting) -> bool:
    """Whether `setting` is `wanted` but for a lower amplitude, pulse width or on time."""
    return (
        setting.site == wanted.site
        and setting.frequency_hz == wanted.frequency_hz
        and setting.off_ms == wanted.off_ms
        and setting.mode == wanted.mode
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
