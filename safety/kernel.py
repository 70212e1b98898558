"""The gate: one pure and total function between what a controller wants and what a device delivers.

Parse and refuse; clamp, downwards only, to ticks; then check the result again with code written
apart from the clamps. A refusal holds what is running; a defect in here stops and latches.
"""

from dataclasses import dataclass, field, replace

from protocols import OFF, Mode, Setting
from safety.envelope import MICROSECONDS_PER_SECOND, Envelope, Load
from safety.legality import is_deliverable, is_due
from safety.quantity import AMPLITUDE, ON_TIME, PULSE_WIDTH, Quantity, exceeding
from safety.reading import asks_to_stop, read_proposal, read_setting
from safety.rise import PPM, charge_pc_per_s, duty_of, recent_rises, remembered, rise_to, start_of
from safety.verdict import Finding, Past, Rise, Rule, Ruling, Verdict


@dataclass(slots=True)
class Case:
    """One review under way; `findings` fills up as it goes and leaves with the verdict."""

    past: Past
    envelope: Envelope
    clock: int
    recent: tuple[Rise, ...]
    sequence: int
    wanted: Setting | None = None
    findings: list[Finding] = field(default_factory=list)


def review(proposal: object, past: Past, envelope: Envelope, now: int) -> Verdict:
    """Return what is delivered of `proposal`, which may be any object at all, and why; never raise.

    A stop for this patient is always honoured. A decrease (amplitude, charge per second and duty no
    higher than what is running, at its site and pulse width) that keeps the envelope is never
    limited in rate. A refusal holds: the running setting goes on if the envelope still permits it,
    else OFF.

    A sequence number is used up by a proposal that is addressed rightly (patient, number, time and
    envelope), whatever becomes of its setting, so that it cannot be tried again when more may rise;
    a proposal that is refused for its address uses up nothing, so that it blocks no later one.
    """
    try:
        return decide(proposal, past, envelope, now)
    except Exception as error:
        reason = f"the check itself failed with {type(error).__name__}"
        return latch(past, None, Rule.DEFECT, reason)


def decide(proposal: object, past: Past, envelope: Envelope, now: int) -> Verdict:
    """Read the proposal, then settle, hold or stop."""
    if type(now) is not int:
        raise TypeError("now is not an int")
    clock = max(now, past.at_s)
    recent = recent_rises(past, clock, envelope.rise_window_s)
    addressed = read_proposal(proposal, past, envelope, now)
    if isinstance(addressed, Finding):
        case = Case(past, envelope, clock, recent, past.sequence)
        return stop(case, addressed) if asks_to_stop(proposal, past) else hold(case, addressed)
    wanted = read_setting(addressed.setting)
    if isinstance(wanted, Finding):
        return hold(Case(past, envelope, clock, recent, addressed.sequence), wanted)
    case = Case(past, envelope, clock, recent, addressed.sequence, wanted)
    if wanted.is_off:
        return deliver(OFF, case, Ruling.ACCEPTED, ())
    return hold(case) if past.latched else settle(wanted, case)


def settle(wanted: Setting, case: Case) -> Verdict:
    """Clamp, check again, and deliver."""
    setting = wanted
    for step in STEPS:
        lowered = step(setting, case)
        if lowered is setting:
            continue
        if isinstance(lowered, Finding):
            return hold(case, lowered)
        setting = lowered
        if setting.is_off:
            break
    rise = rise_to(setting, case.past.delivered, case.envelope, case.clock)
    if not is_due(setting, wanted, rise, case.recent, case.envelope):
        sentence = f"clamping led to what is not permitted ({setting})"
        return latch(case.past, wanted, Rule.RECHECK, sentence)
    ruling = Ruling.CLAMPED if case.findings else Ruling.ACCEPTED
    return deliver(setting, case, ruling, tuple(case.findings), remembered(case.recent, rise))


def stop(case: Case, *reasons: Finding) -> Verdict:
    """Deliver OFF for a proposal that is refused and yet asks to stop."""
    honoured = Finding(Rule.STOP, "it asks to stop this patient, which is always done")
    return deliver(OFF, case, Ruling.STOPPED, (*reasons, honoured))


def hold(case: Case, *reasons: Finding) -> Verdict:
    """Keep what is running, unless it may not go on."""
    running = case.past.delivered
    if case.past.latched:
        latched = Finding(Rule.LATCHED, "latched: off until a person has looked")
        return deliver(OFF, case, Ruling.STOPPED, (*reasons, latched))
    if not is_deliverable(running, case.envelope):
        name = case.envelope.name
        ended = Finding(Rule.NOT_PERMITTED, f"{name} does not permit what is running ({running})")
        return deliver(OFF, case, Ruling.STOPPED, (*reasons, ended))
    return deliver(running, case, Ruling.HELD, reasons)


def latch(past: Past, wanted: Setting | None, rule: Rule, reason: str) -> Verdict:
    """Stop at once, without a ramp: the code that would work one out may be what is broken."""
    return Verdict(
        delivered=OFF,
        wanted=wanted,
        ruling=Ruling.STOPPED,
        findings=(Finding(rule, f"{reason}: off until a person has looked"),),
        past=replace(past, delivered=OFF, latched=True),
        ramp_s=0,
    )


def deliver(
    setting: Setting,
    case: Case,
    ruling: Ruling,
    findings: tuple[Finding, ...],
    rises: tuple[Rise, ...] | None = None,
) -> Verdict:
    """Return the verdict that delivers `setting`, with the past that follows from it."""
    past = Past(
        patient=case.past.patient,
        sequence=case.sequence,
        at_s=case.clock,
        delivered=setting,
        rises=case.recent if rises is None else rises,
        latched=case.past.latched,
    )
    return Verdict(
        delivered=setting,
        wanted=case.wanted,
        ruling=ruling,
        findings=findings,
        past=past,
        ramp_s=ramp_s(case.past.delivered, setting, case.envelope),
    )


def ramp_s(before: Setting, after: Setting, envelope: Envelope) -> int:
    """Return the seconds of ramp, rounded up; a new site or pulse width goes through zero."""
    kept_ua = start_of(after, before).amplitude_ua
    down_ua = before.amplitude_ua - min(kept_ua, after.amplitude_ua)
    up_ua = max(0, after.amplitude_ua - kept_ua)
    return -(-down_ua // envelope.ramp_down_ua_per_s) - (-up_ua // envelope.ramp_up_ua_per_s)


def refuse_outside(setting: Setting, case: Case) -> Setting | Finding:
    """Refuse what is never moved: site, frequency, mode and off time."""
    envelope = case.envelope
    if setting.site not in envelope.sites:
        return Finding(Rule.SITE, f"site {setting.site} is not one of {envelope.name}")
    if setting.frequency_hz not in envelope.frequency_hz:
        frequency = f"{setting.frequency_hz} Hz"
        return Finding(Rule.FREQUENCY, f"{frequency} is not a step of {envelope.name}")
    if setting.mode not in envelope.modes:
        return Finding(Rule.MODE, f"{setting.mode} mode is not one of {envelope.name}")
    if setting.off_ms and setting.off_ms not in envelope.off_ms:
        off_time = ON_TIME.text(setting.off_ms)
        return Finding(Rule.OFF_TIME, f"an off time of {off_time} is not a step of {envelope.name}")
    return setting


def quantise_amplitude(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude to a tick; less than the least is OFF."""
    least_ua = case.envelope.amplitude_ua[0]
    if setting.amplitude_ua >= least_ua:
        return quantise(setting, AMPLITUDE, case)
    reason = f"the lowest step of {case.envelope.name} is {AMPLITUDE.text(least_ua)}"
    lower(setting, AMPLITUDE, 0, case, Rule.TICK, reason)
    return OFF


def quantise_pulse_width(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the pulse width to a tick."""
    return quantise(setting, PULSE_WIDTH, case)


def quantise_on_time(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the on time to a tick, where there is one."""
    return setting if setting.mode is Mode.CONTINUOUS else quantise(setting, ON_TIME, case)


def quantise(setting: Setting, quantity: Quantity, case: Case) -> Setting | Finding:
    """Lower one field to a tick."""
    value = getattr(setting, quantity.field)
    if value in getattr(case.envelope, quantity.field):
        return setting
    reason = f"{quantity.text(value)} is not a step of {case.envelope.name}"
    return clamp(setting, quantity, value, case, Rule.TICK, reason)


def limit_period(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the pulse width until both phases and the gap between them fit the period."""
    gap_us = case.envelope.interphase_gap_us
    pulse_us = 2 * setting.pulse_width_us + gap_us
    if pulse_us * setting.frequency_hz <= MICROSECONDS_PER_SECOND:
        return setting
    period_us = MICROSECONDS_PER_SECOND // setting.frequency_hz
    reason = f"a pulse of {pulse_us} µs does not fit a period of {period_us} µs"
    return clamp(setting, PULSE_WIDTH, (period_us - gap_us) // 2, case, Rule.PERIOD, reason)


def limit_contact_current(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude until the contact with the largest share keeps its limit."""
    load = case.envelope.largest_share[setting.site]
    limit_na = 1000 * case.envelope.max_contact_current_ua
    current_na = load.share_permille * setting.amplitude_ua
    if current_na <= limit_na:
        return setting
    text = exceeding(current_na, limit_na, 1000, 3, "mA")
    reason = f"the current at contact {load.contact} {text}"
    ceiling_ua = limit_na // load.share_permille
    return clamp(setting, AMPLITUDE, ceiling_ua, case, Rule.CONTACT_CURRENT, reason)


def limit_lead_current(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude, which is the sum of the currents on each lead that is used."""
    limit_ua = case.envelope.max_lead_current_ua
    if setting.amplitude_ua <= limit_ua:
        return setting
    reason = f"the current of a lead {exceeding(setting.amplitude_ua, limit_ua, 1, 3, 'mA')}"
    return clamp(setting, AMPLITUDE, limit_ua, case, Rule.LEAD_CURRENT, reason)


def limit_charge(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude, and where its lowest tick is still too much, the pulse width as well."""
    load, lowest_ua = case.envelope.binding_charge[setting.site], case.envelope.amplitude_ua[0]
    limit_fc = 1000 * load.max_charge_pc
    if charge_fc(setting, load) <= limit_fc:
        return setting
    ceiling_ua = limit_fc // (load.share_permille * setting.pulse_width_us)
    reason = charge_reason(setting, load)
    if ceiling_ua >= lowest_ua:
        return clamp(setting, AMPLITUDE, ceiling_ua, case, Rule.CHARGE, reason)
    if setting.amplitude_ua > lowest_ua:
        setting = lower(setting, AMPLITUDE, lowest_ua, case, Rule.CHARGE, reason)
    ceiling_us = limit_fc // (load.share_permille * lowest_ua)
    return clamp(setting, PULSE_WIDTH, ceiling_us, case, Rule.CHARGE, charge_reason(setting, load))


def charge_fc(setting: Setting, load: Load) -> int:
    """Return the charge per phase at one contact, exactly, in fC: permille x µA x µs."""
    return load.share_permille * setting.amplitude_ua * setting.pulse_width_us


def charge_reason(setting: Setting, load: Load) -> str:
    """Say how the charge per phase exceeds its limit."""
    text = exceeding(charge_fc(setting, load), 1000 * load.max_charge_pc, PPM, 3, "µC")
    return f"charge per phase at contact {load.contact} {text}"


def limit_duty(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the on time until the duty keeps the limit."""
    return limit_share(setting, case.envelope.max_duty_permille, 1000, case, Rule.DUTY)


def limit_share(
    setting: Setting, numerator: int, denominator: int, case: Case, rule: Rule
) -> Setting | Finding:
    """Lower the on time until it is at most numerator / denominator of the whole."""
    on_ms, period_ms = duty_of(setting)
    if on_ms * denominator <= numerator * period_ms:
        return setting
    share, limit = -(-1000 * on_ms // period_ms), 1000 * numerator // denominator
    reason = f"duty {exceeding(share, limit, 1, 1, '%')}"
    if setting.mode is Mode.CONTINUOUS:
        return Finding(rule, f"continuous stimulation refused: {reason}")
    ceiling_ms = numerator * setting.off_ms // (denominator - numerator)
    return clamp(setting, ON_TIME, ceiling_ms, case, rule, reason)


def clamp(
    setting: Setting, quantity: Quantity, ceiling: int, case: Case, rule: Rule, reason: str
) -> Setting | Finding:
    """Lower one field to the highest tick up to `ceiling`; refuse where there is none."""
    ticks = [tick for tick in getattr(case.envelope, quantity.field) if tick <= ceiling]
    if ticks:
        return lower(setting, quantity, ticks[-1], case, rule, reason)
    value = quantity.text(getattr(setting, quantity.field))
    return Finding(rule, f"{quantity.label} {value} refused: {reason}, and no step is low enough")


def lower(
    setting: Setting, quantity: Quantity, tick: int, case: Case, rule: Rule, reason: str
) -> Setting:
    """Return `setting` with one field lowered, and note the finding."""
    before, after = quantity.text(getattr(setting, quantity.field)), quantity.text(tick)
    sentence = f"{quantity.label} lowered from {before} to {after}: {reason}"
    case.findings.append(Finding(rule, sentence))
    return replace(setting, **{quantity.field: tick})  # type: ignore[arg-type]  # an int field


def limit_amplitude_rise(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude to what may still rise in this window."""
    spare = case.envelope.rise_amplitude_ua - sum(rise.amplitude_ua for rise in case.recent)
    limit_ua = start_of(setting, case.past.delivered).amplitude_ua + max(0, spare)
    if setting.amplitude_ua <= limit_ua:
        return setting
    text = exceeding(setting.amplitude_ua, limit_ua, 1, 3, "mA")
    reason = f"amplitude {text} within this window of {case.envelope.rise_window_s} s"
    return clamp(setting, AMPLITUDE, limit_ua, case, Rule.AMPLITUDE_RISE, reason)


def limit_charge_rise(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude until the charge per second keeps what may still rise."""
    envelope, start = case.envelope, start_of(setting, case.past.delivered)
    spare = 1000 * envelope.rise_charge_nc_per_s - sum(rise.charge_pc_per_s for rise in case.recent)
    limit = charge_pc_per_s(start, envelope) + max(0, spare)
    charge = charge_pc_per_s(setting, envelope)
    if charge <= limit:
        return setting
    text = exceeding(charge, limit, 1000, 3, "µC/s")
    reason = f"charge per second {text} within this window of {envelope.rise_window_s} s"
    ceiling_ua = limit // (charge // setting.amplitude_ua)
    return clamp(setting, AMPLITUDE, ceiling_ua, case, Rule.CHARGE_RISE, reason)


def limit_duty_rise(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the on time until the duty keeps what may still rise."""
    spare = 1000 * case.envelope.rise_duty_permille - sum(rise.duty_ppm for rise in case.recent)
    on_ms, period_ms = duty_of(start_of(setting, case.past.delivered))
    numerator = PPM * on_ms + max(0, spare) * period_ms
    return limit_share(setting, numerator, PPM * period_ms, case, Rule.DUTY_RISE)


STEPS = (
    refuse_outside,
    quantise_amplitude,
    quantise_pulse_width,
    quantise_on_time,
    limit_period,
    limit_contact_current,
    limit_lead_current,
    limit_charge,
    limit_duty,
    limit_amplitude_rise,
    limit_charge_rise,
    limit_duty_rise,
)
"""The clamps in order; a fault in any of them is caught by the check that follows."""
