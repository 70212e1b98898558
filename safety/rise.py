"""What has risen lately: kept in physical units, counted in whole numbers over a sliding window."""

from protocols import OFF, Mode, Setting
from safety.envelope import Envelope
from safety.verdict import Past, Rise, with_latest

PPM = 1_000_000
MAX_RISES = 32


def recent_rises(past: Past, clock: int, window_s: int) -> tuple[Rise, ...]:
    """Return the rises of the window that ends now; a long silence adds nothing to it."""
    return tuple([rise for rise in past.rises if rise.at_s > clock - window_s])


def remembered(rises: tuple[Rise, ...], latest: Rise) -> tuple[Rise, ...]:
    """Return the rises with the latest, if it is one."""
    return with_latest(rises, latest, MAX_RISES) if is_rise(latest) else rises


def is_rise(rise: Rise) -> bool:
    """Whether anything goes up at all."""
    return bool(rise.amplitude_ua or rise.charge_pc_per_s or rise.duty_ppm)


def rise_to(setting: Setting, running: Setting, envelope: Envelope, clock: int) -> Rise:
    """Return by how much `setting` is above `running`, the duty rounded up."""
    start = start_of(setting, running)
    charge = charge_pc_per_s(setting, envelope) - charge_pc_per_s(start, envelope)
    (on_ms, period_ms), (start_on_ms, start_period_ms) = duty_of(setting), duty_of(start)
    fall = PPM * (start_on_ms * period_ms - on_ms * start_period_ms)
    return Rise(
        clock,
        max(0, setting.amplitude_ua - start.amplitude_ua),
        max(0, charge),
        max(0, -(fall // (period_ms * start_period_ms))),
    )


def start_for(setting: Setting, past: Past, envelope: Envelope) -> Setting:
    """Return what a rise is counted from: what runs, or OFF for what was not tolerated before."""
    start, place = start_of(setting, past.delivered), (setting.site, setting.pulse_width_us)
    for each in past.not_tolerated:
        is_there = (each.site, each.pulse_width_us) == place
        if is_there and setting.amplitude_ua >= each.amplitude_ua:
            return OFF if is_rise(rise_to(setting, start, envelope, past.at_s)) else start
    return start


def start_of(setting: Setting, running: Setting) -> Setting:
    """Return what a rise is counted from: what is tolerated elsewhere says nothing here."""
    is_same = running.site == setting.site and running.pulse_width_us == setting.pulse_width_us
    return running if is_same else OFF


def charge_pc_per_s(setting: Setting, envelope: Envelope) -> int:
    """Return the charge per second while pulses run, over all leads."""
    charge_pc = setting.amplitude_ua * setting.pulse_width_us * envelope.n_leads[setting.site]
    return charge_pc * setting.frequency_hz


def duty_of(setting: Setting) -> tuple[int, int]:
    """Return the time that pulses may run and the period it is part of, in the same unit."""
    if setting.is_off:
        return 0, 1
    if setting.mode is Mode.CONTINUOUS:
        return 1, 1
    return setting.on_ms, setting.on_ms + setting.off_ms


def ramp_s(before: Setting, after: Setting, envelope: Envelope) -> int:
    """Return the seconds of ramp, rounded up; a new site or pulse width goes through zero."""
    kept_ua = start_of(after, before).amplitude_ua
    down_ua = before.amplitude_ua - min(kept_ua, after.amplitude_ua)
    up_ua = max(0, after.amplitude_ua - kept_ua)
    return -(-down_ua // envelope.ramp_down_ua_per_s) - (-up_ua // envelope.ramp_up_ua_per_s)
