"""The clamps: each keeps one limit by lowering a field to a tick, and only ever downwards."""

from dataclasses import replace

from protocols import OFF, Setting
from safety.case import Case, Limit, Measure
from safety.day import PC_PER_UC, in_ms, on_ms_per_day
from safety.envelope import MICROSECONDS_PER_SECOND
from safety.rise import PPM, charge_pc_per_s, duty_of, start_for
from safety.verdict import Fact, Finding, Rule

LOWERED = ("amplitude_ua", "pulse_width_us", "on_ms")


def legal(setting: Setting, case: Case) -> Setting | Finding:
    """Lower to ticks, then to what the envelope permits; an amplitude below the least is OFF."""
    envelope, least_ua = case.envelope, case.envelope.amplitude_ua[0]
    if reason := outside(setting, case):
        return reason
    if setting.amplitude_ua < least_ua:
        facts = "amplitude_ua", setting.amplitude_ua, 0, envelope.name, least_ua
        case.findings.append(Finding(Rule.TICK, facts))
        return OFF
    for name in LOWERED if setting.on_ms else LOWERED[:2]:
        value: int = getattr(setting, name)
        if value not in getattr(envelope, name):
            after = clamp(setting, name, value, case, Rule.TICK, (envelope.name, None))
            if isinstance(after, Finding):
                return after
            setting = after
    return lowered(setting, LIMITS, case)


def outside(setting: Setting, case: Case) -> Finding | None:
    """Return what is refused since it is never moved: site, frequency, mode or off time."""
    envelope = case.envelope
    if setting.site not in envelope.sites:
        return Finding(Rule.SITE, (setting.site, envelope.name))
    if setting.frequency_hz not in envelope.frequency_hz:
        return Finding(Rule.FREQUENCY, (setting.frequency_hz, envelope.name))
    if setting.mode not in envelope.modes:
        return Finding(Rule.MODE, (setting.mode, envelope.name))
    if setting.off_ms and setting.off_ms not in envelope.off_ms:
        return Finding(Rule.OFF_TIME, (setting.off_ms, envelope.name))
    if case.past.is_latched_at(setting):
        return Finding(Rule.SITE_LATCHED, (setting.site,))
    return None


def lowered(setting: Setting, limits: tuple[Limit, ...], case: Case) -> Setting | Finding:
    """Lower a field for each limit that is exceeded; refuse where no tick keeps it."""
    for rule, name, measure in limits:
        value, limit, per_unit, facts = measure(setting, case)
        if value > limit:
            if name == "on_ms" and not setting.on_ms:
                return Finding(rule, ("continuous stimulation", None, None, *facts))
            ceiling = getattr(setting, name) + (limit - value) // per_unit
            after = clamp(setting, name, ceiling, case, rule, facts)
            if isinstance(after, Finding):
                return after
            setting = after
    return setting


def clamp(
    setting: Setting, name: str, ceiling: int, case: Case, rule: Rule, facts: tuple[Fact, ...]
) -> Setting | Finding:
    """Lower one field to the highest tick up to `ceiling`; refuse where there is none."""
    ticks: tuple[int, ...] = getattr(case.envelope, name)
    tick = next((each for each in reversed(ticks) if each <= ceiling), None)
    finding = Finding(rule, (name, getattr(setting, name), tick, *facts))
    if tick is None:
        return finding
    case.findings.append(finding)
    return replace(setting, **{name: tick})  # type: ignore[arg-type]  # an int field


def pulse(setting: Setting, case: Case) -> Measure:
    """Both phases and the gap between them, within the period."""
    pulse_us = 2 * setting.pulse_width_us + case.envelope.interphase_gap_us
    period_us = MICROSECONDS_PER_SECOND // setting.frequency_hz
    return pulse_us, period_us, 2, (pulse_us, period_us)


def contact_current(setting: Setting, case: Case) -> Measure:
    """The current at the contact with the largest share."""
    contact, share_permille, _ = case.envelope.largest_share[setting.site]
    current_na = share_permille * setting.amplitude_ua
    limit_na = 1000 * case.envelope.max_contact_current_ua
    return current_na, limit_na, share_permille, (contact, current_na, limit_na)


def lead_current(setting: Setting, case: Case) -> Measure:
    """The sum of the currents on each lead that is used, which is the amplitude."""
    return amplitude(setting, case.envelope.max_lead_current_ua)


def amplitude(setting: Setting, limit_ua: int, *facts: Fact) -> Measure:
    """The amplitude, within a limit of its own."""
    return setting.amplitude_ua, limit_ua, 1, (setting.amplitude_ua, limit_ua, *facts)


def charge_by_amplitude(setting: Setting, case: Case) -> Measure:
    """The charge per phase where it binds first, no lower than the lowest amplitude brings it."""
    charge_fc, limit_fc, _, facts = charge_by_pulse_width(setting, case)
    per_ua = charge_fc // setting.amplitude_ua
    return charge_fc, max(limit_fc, per_ua * case.envelope.amplitude_ua[0]), per_ua, facts


def charge_by_pulse_width(setting: Setting, case: Case) -> Measure:
    """The charge per phase at the contact where it binds first."""
    contact, share_permille, max_charge_pc = case.envelope.binding_charge[setting.site]
    per_us, limit_fc = share_permille * setting.amplitude_ua, 1000 * max_charge_pc
    charge_fc = per_us * setting.pulse_width_us
    return charge_fc, limit_fc, per_us, (contact, charge_fc, limit_fc)


def duty(setting: Setting, case: Case) -> Measure:
    """The largest share of the time that pulses may run."""
    return share(setting, case.envelope.max_duty_permille, 1000)


def share(setting: Setting, numerator: int, denominator: int) -> Measure:
    """The on time that is above its share of the off time, of numerator / denominator in all."""
    on, period = duty_of(setting)
    rest = denominator - numerator
    facts = -(-1000 * on // period), 1000 * numerator // denominator
    return on * rest, numerator * (period - on), rest, facts


def charge_per_day(setting: Setting, case: Case) -> Measure:
    """The charge of the 24 h that hold most of this setting alone."""
    charge, on_ms = charge_pc_per_s(setting, case.envelope), on_ms_per_day(setting)
    limit_pc = PC_PER_UC * case.envelope.day_max_charge_uc
    per_ua = charge // setting.amplitude_ua * on_ms
    return charge * on_ms, 1000 * limit_pc, per_ua, (in_ms(charge, on_ms), limit_pc)


def step(setting: Setting, case: Case) -> Measure:
    """The amplitude, which may rise so far at one review."""
    start_ua = start_for(setting, case.past, case.envelope).amplitude_ua
    return amplitude(setting, start_ua + case.envelope.step_amplitude_ua)


def amplitude_rise(setting: Setting, case: Case) -> Measure:
    """The amplitude, which may still rise so far in this window."""
    envelope, start = case.envelope, start_for(setting, case.past, case.envelope)
    spare_ua = spare(envelope.rise_amplitude_ua, "amplitude_ua", case)
    return amplitude(setting, start.amplitude_ua + spare_ua, envelope.rise_window_s)


def charge_rise(setting: Setting, case: Case) -> Measure:
    """The charge per second, which may still rise so far in this window."""
    envelope, charge = case.envelope, charge_pc_per_s(setting, case.envelope)
    start = start_for(setting, case.past, envelope)
    limit = charge_pc_per_s(start, envelope)
    limit += spare(1000 * envelope.rise_charge_nc_per_s, "charge_pc_per_s", case)
    return charge, limit, charge // setting.amplitude_ua, (charge, limit, envelope.rise_window_s)


def duty_rise(setting: Setting, case: Case) -> Measure:
    """The duty, which may still rise so far in this window."""
    on, period = duty_of(start_for(setting, case.past, case.envelope))
    spare_ppm = spare(1000 * case.envelope.rise_duty_permille, "duty_ppm", case)
    return share(setting, PPM * on + spare_ppm * period, PPM * period)


def spare(limit: int, name: str, case: Case) -> int:
    """Return how much may still rise in this window."""
    risen: list[int] = [getattr(rise, name) for rise in case.recent]
    return max(0, limit - sum(risen))


LIMITS: tuple[Limit, ...] = (
    (Rule.PERIOD, "pulse_width_us", pulse),
    (Rule.CONTACT_CURRENT, "amplitude_ua", contact_current),
    (Rule.LEAD_CURRENT, "amplitude_ua", lead_current),
    (Rule.CHARGE, "amplitude_ua", charge_by_amplitude),
    (Rule.CHARGE, "pulse_width_us", charge_by_pulse_width),
    (Rule.DUTY, "on_ms", duty),
    (Rule.CHARGE_PER_DAY, "amplitude_ua", charge_per_day),
)
RISE_LIMITS: tuple[Limit, ...] = (
    (Rule.STEP, "amplitude_ua", step),
    (Rule.AMPLITUDE_RISE, "amplitude_ua", amplitude_rise),
    (Rule.CHARGE_RISE, "amplitude_ua", charge_rise),
    (Rule.DUTY_RISE, "on_ms", duty_rise),
)
"""The limits in order; a fault in any of them is caught by the check that follows."""
