"""The gate: one pure and total function between what a controller wants and what a device delivers.

Parse and refuse; clamp, downwards only, to ticks; then check the result again with code written
apart from the clamps. A refusal holds what is running, several faulty ones in a row fall back; a
defect in here stops and latches.
"""

from dataclasses import dataclass, field, replace

from protocols import OFF, Mode, Setting
from safety.day import PC_PER_UC, change_to, day_excess, recent_changes, with_change
from safety.envelope import MICROSECONDS_PER_SECOND, Envelope
from safety.legality import is_deliverable, is_due
from safety.reading import asks_to_stop, read_proposal, read_setting
from safety.rise import (
    PPM,
    charge_pc_per_s,
    duty_of,
    is_rise,
    recent_rises,
    remembered,
    rise_to,
    start_of,
    tolerated,
)
from safety.verdict import Change, Fact, Finding, Latch, Past, Rise, Rule, Ruling, Verdict


@dataclass(slots=True)
class Case:
    """One review under way; `findings` fills up as it goes and leaves with the verdict."""

    past: Past
    envelope: Envelope
    clock: int
    recent: tuple[Rise, ...]
    changes: tuple[Change, ...]
    sequence: int
    refusals: int
    wanted: Setting | None = None
    findings: list[Finding] = field(default_factory=list)


def review(proposal: object, past: Past, envelope: Envelope, now: int) -> Verdict:
    """Return what is delivered of `proposal`, which may be any object at all, and why; never raise.

    A stop for this patient is always honoured. A decrease (amplitude, charge per second and duty no
    higher than what is running, at its site and pulse width) that keeps the envelope is never
    limited by what came before. A refusal holds: the running setting goes on if the envelope and
    the latches still permit it, else OFF.

    A sequence number is used up by a proposal that is addressed rightly (patient, number, time and
    envelope), whatever becomes of its setting, so that it cannot be tried again when more may rise;
    a proposal that is refused for its address uses up nothing, so that it blocks no later one.
    """
    try:
        return decide(proposal, past, envelope, now)
    except Exception as error:
        return latch(past, None, Finding(Rule.DEFECT, (type(error).__name__,)))


def decide(proposal: object, past: Past, envelope: Envelope, now: int) -> Verdict:
    """Read the proposal, then settle, hold, fall back or stop."""
    if type(now) is not int or type(envelope) is not Envelope:
        raise TypeError("now is not an int, or the envelope is not an Envelope")
    clock = max(now, past.at_s)
    recent, changes = recent_rises(past, clock, envelope.rise_window_s), recent_changes(past, clock)
    case = Case(past, envelope, clock, recent, changes, past.sequence, past.refusals)
    addressed = read_proposal(proposal, past, envelope, now)
    if isinstance(addressed, Finding):
        return stop(case, addressed) if asks_to_stop(proposal, past) else refuse(case, addressed)
    case.sequence = addressed.sequence
    wanted = read_setting(addressed.setting)
    if isinstance(wanted, Finding):
        return refuse(case, wanted)
    case.wanted = wanted
    if wanted.is_off:
        case.refusals = past.refusals if past.is_fallen_back else 0
        return deliver(OFF, case, Ruling.ACCEPTED, ())
    return hold(case) if past.latched or past.is_fallen_back else settle(wanted, case)


def settle(wanted: Setting, case: Case) -> Verdict:
    """Clamp, check again, and deliver."""
    setting = wanted
    for step in STEPS:
        lowered = step(setting, case)
        if lowered is setting:
            continue
        if isinstance(lowered, Finding):
            return refuse(case, lowered)
        setting = lowered
        if setting.is_off:
            break
    past, envelope, clock = case.past, case.envelope, case.clock
    rise = rise_to(setting, tolerated(setting, past, envelope), envelope, clock)
    if not is_due(setting, wanted, rise, past, envelope, clock):
        return latch(past, wanted, Finding(Rule.RECHECK, (str(setting),)))
    case.refusals = 0
    ruling = Ruling.CLAMPED if case.findings else Ruling.ACCEPTED
    return deliver(setting, case, ruling, tuple(case.findings), rise)


def stop(case: Case, *reasons: Finding) -> Verdict:
    """Deliver OFF for a proposal that is refused and yet asks to stop."""
    return deliver(OFF, case, Ruling.STOPPED, (*reasons, Finding(Rule.STOP, ())))


def refuse(case: Case, reason: Finding) -> Verdict:
    """Hold, and fall back where this is one faulty proposal too many."""
    past, n_allowed = case.past, case.envelope.fallback_refusals
    case.refusals = past.refusals + 1 if reason.rule.is_fault else 0
    if past.latched or case.refusals < n_allowed * (2 if past.is_fallen_back else 1):
        return hold(case, reason)
    baseline = case.envelope.fallback_baseline
    falls_back = not past.is_fallen_back and fallback_to(baseline, case) == baseline
    rule = Rule.BASELINE if falls_back else Rule.FALLBACK
    case.past = past.with_latch(Latch(None, rule, case.clock))
    return hold(case, reason)


def hold(case: Case, *reasons: Finding) -> Verdict:
    """Keep what is running, unless it may not go on or the baseline is due."""
    past, running = case.past, case.past.delivered
    if past.latched:
        return deliver(OFF, case, Ruling.STOPPED, (*reasons, Finding(Rule.LATCHED, ())))
    if past.is_fallen_back:
        setting = fallback_to(case.envelope.fallback_baseline, case)
        why = Finding(Rule.BASELINE, (str(setting),))
        return deliver(setting, case, Ruling.FALLEN_BACK, (*reasons, why))
    if not may_run(running, case):
        ended = Finding(Rule.NOT_PERMITTED, (case.envelope.name, str(running)))
        return deliver(OFF, case, Ruling.STOPPED, (*reasons, ended))
    return deliver(running, case, Ruling.HELD, reasons)


def fallback_to(baseline: Setting, case: Case) -> Setting:
    """Return the baseline where it may run and is in nothing above what runs, else OFF."""
    if baseline.is_off or not may_run(baseline, case):
        return OFF
    rise = rise_to(baseline, case.past.delivered, case.envelope, case.clock)
    return OFF if is_rise(rise) else baseline


def may_run(setting: Setting, case: Case) -> bool:
    """Whether the envelope permits a setting and no latch lies on its site."""
    is_latched = not setting.is_off and setting.site in case.past.latched_sites
    return not is_latched and is_deliverable(setting, case.envelope)


def latch(past: Past, wanted: Setting | None, finding: Finding) -> Verdict:
    """Stop at once, without a ramp: the code that would work one out may be what is broken."""
    return Verdict(
        delivered=OFF,
        wanted=wanted,
        ruling=Ruling.STOPPED,
        findings=(finding,),
        past=replace(past.with_latch(Latch(None, finding.rule, past.at_s)), delivered=OFF),
        ramp_s=0,
    )


def deliver(
    setting: Setting,
    case: Case,
    ruling: Ruling,
    findings: tuple[Finding, ...],
    rise: Rise | None = None,
) -> Verdict:
    """Return the verdict that delivers `setting`, with the past that follows from it."""
    past, envelope, changes = case.past, case.envelope, case.changes
    if setting != past.delivered:
        changes = with_change(changes, change_to(setting, envelope, case.clock))
    return Verdict(
        delivered=setting,
        wanted=case.wanted,
        ruling=ruling,
        findings=findings,
        past=Past(
            patient=past.patient,
            sequence=case.sequence,
            at_s=case.clock,
            delivered=setting,
            rises=case.recent if rise is None else remembered(case.recent, rise),
            changes=changes,
            latches=past.latches,
            refusals=case.refusals,
            lockout_until_s=past.lockout_until_s,
            not_tolerated=past.not_tolerated,
        ),
        ramp_s=ramp_s(past.delivered, setting, envelope),
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
        return Finding(Rule.SITE, (setting.site, envelope.name))
    if setting.frequency_hz not in envelope.frequency_hz:
        return Finding(Rule.FREQUENCY, (setting.frequency_hz, envelope.name))
    if setting.mode not in envelope.modes:
        return Finding(Rule.MODE, (setting.mode, envelope.name))
    if setting.off_ms and setting.off_ms not in envelope.off_ms:
        return Finding(Rule.OFF_TIME, (setting.off_ms, envelope.name))
    if setting.site in case.past.latched_sites:
        return Finding(Rule.SITE_LATCHED, (setting.site,))
    return setting


def quantise_amplitude(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude to a tick; less than the least is OFF."""
    least_ua = case.envelope.amplitude_ua[0]
    if setting.amplitude_ua >= least_ua:
        return quantise(setting, "amplitude_ua", case)
    lower(setting, "amplitude_ua", 0, case, Rule.TICK, case.envelope.name, least_ua)
    return OFF


def quantise_pulse_width(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the pulse width to a tick."""
    return quantise(setting, "pulse_width_us", case)


def quantise_on_time(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the on time to a tick, where there is one."""
    return setting if setting.mode is Mode.CONTINUOUS else quantise(setting, "on_ms", case)


def quantise(setting: Setting, name: str, case: Case) -> Setting | Finding:
    """Lower one field to a tick."""
    value: int = getattr(setting, name)
    if value in getattr(case.envelope, name):
        return setting
    return clamp(setting, name, value, case, Rule.TICK, case.envelope.name, None)


def limit_period(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the pulse width until both phases and the gap between them fit the period."""
    gap_us = case.envelope.interphase_gap_us
    pulse_us = 2 * setting.pulse_width_us + gap_us
    if pulse_us * setting.frequency_hz <= MICROSECONDS_PER_SECOND:
        return setting
    period_us = MICROSECONDS_PER_SECOND // setting.frequency_hz
    ceiling_us = (period_us - gap_us) // 2
    return clamp(setting, "pulse_width_us", ceiling_us, case, Rule.PERIOD, pulse_us, period_us)


def limit_contact_current(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude until the contact with the largest share keeps its limit."""
    contact, share_permille, _ = case.envelope.largest_share[setting.site]
    limit_na = 1000 * case.envelope.max_contact_current_ua
    current_na = share_permille * setting.amplitude_ua
    if current_na <= limit_na:
        return setting
    facts = contact, current_na, limit_na
    ceiling_ua = limit_na // share_permille
    return clamp(setting, "amplitude_ua", ceiling_ua, case, Rule.CONTACT_CURRENT, *facts)


def limit_lead_current(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude, which is the sum of the currents on each lead that is used."""
    limit_ua = case.envelope.max_lead_current_ua
    return limit_amplitude(setting, limit_ua, case, Rule.LEAD_CURRENT)


def limit_amplitude(
    setting: Setting, limit_ua: int, case: Case, rule: Rule, *facts: Fact
) -> Setting | Finding:
    """Lower the amplitude to a limit of its own."""
    if setting.amplitude_ua <= limit_ua:
        return setting
    facts = setting.amplitude_ua, limit_ua, *facts
    return clamp(setting, "amplitude_ua", limit_ua, case, rule, *facts)


def limit_charge(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude, and where its lowest tick is still too much, the pulse width as well."""
    contact, share_permille, max_charge_pc = case.envelope.binding_charge[setting.site]
    limit_fc, lowest_ua = 1000 * max_charge_pc, case.envelope.amplitude_ua[0]
    charge_fc = share_permille * setting.amplitude_ua * setting.pulse_width_us
    if charge_fc <= limit_fc:
        return setting
    facts = contact, charge_fc, limit_fc
    ceiling_ua = limit_fc // (share_permille * setting.pulse_width_us)
    if ceiling_ua >= lowest_ua:
        return clamp(setting, "amplitude_ua", ceiling_ua, case, Rule.CHARGE, *facts)
    if setting.amplitude_ua > lowest_ua:
        setting = lower(setting, "amplitude_ua", lowest_ua, case, Rule.CHARGE, *facts)
        facts = contact, share_permille * lowest_ua * setting.pulse_width_us, limit_fc
    ceiling_us = limit_fc // (share_permille * lowest_ua)
    return clamp(setting, "pulse_width_us", ceiling_us, case, Rule.CHARGE, *facts)


def limit_charge_per_day(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude until no 24 h of this setting alone hold more charge than they may."""
    limit_pc = PC_PER_UC * case.envelope.day_max_charge_uc
    charge_pc = change_to(setting, case.envelope, case.clock).charge_pc
    if charge_pc <= limit_pc:
        return setting
    by_ma = change_to(replace(setting, amplitude_ua=1000), case.envelope, case.clock).charge_pc
    ceiling_ua, facts = 1000 * limit_pc // by_ma, (charge_pc, limit_pc)
    return clamp(setting, "amplitude_ua", ceiling_ua, case, Rule.CHARGE_PER_DAY, *facts)


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
    facts = -(-1000 * on_ms // period_ms), 1000 * numerator // denominator
    if setting.mode is Mode.CONTINUOUS:
        return Finding(rule, ("continuous stimulation", None, None, *facts))
    ceiling_ms = numerator * setting.off_ms // (denominator - numerator)
    return clamp(setting, "on_ms", ceiling_ms, case, rule, *facts)


def clamp(
    setting: Setting, name: str, ceiling: int, case: Case, rule: Rule, *facts: Fact
) -> Setting | Finding:
    """Lower one field to the highest tick up to `ceiling`; refuse where there is none."""
    for tick in reversed(getattr(case.envelope, name)):
        if tick <= ceiling:
            return lower(setting, name, tick, case, rule, *facts)
    return Finding(rule, (name, getattr(setting, name), None, *facts))


def lower(setting: Setting, name: str, tick: int, case: Case, rule: Rule, *facts: Fact) -> Setting:
    """Return `setting` with one field lowered, and note the finding."""
    case.findings.append(Finding(rule, (name, getattr(setting, name), tick, *facts)))
    return replace(setting, **{name: tick})  # type: ignore[arg-type]  # an int field


def start_for(setting: Setting, case: Case) -> Setting:
    """Return what a rise to `setting` is counted from."""
    return start_of(setting, tolerated(setting, case.past, case.envelope))


def limit_step(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude to what may rise at one review."""
    limit_ua = start_for(setting, case).amplitude_ua + case.envelope.step_amplitude_ua
    return limit_amplitude(setting, limit_ua, case, Rule.STEP)


def limit_amplitude_rise(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude to what may still rise in this window."""
    envelope = case.envelope
    spare = envelope.rise_amplitude_ua - sum(rise.amplitude_ua for rise in case.recent)
    limit_ua = start_for(setting, case).amplitude_ua + max(0, spare)
    return limit_amplitude(setting, limit_ua, case, Rule.AMPLITUDE_RISE, envelope.rise_window_s)


def limit_charge_rise(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the amplitude until the charge per second keeps what may still rise."""
    envelope, start = case.envelope, start_for(setting, case)
    spare = 1000 * envelope.rise_charge_nc_per_s - sum(rise.charge_pc_per_s for rise in case.recent)
    limit = charge_pc_per_s(start, envelope) + max(0, spare)
    charge = charge_pc_per_s(setting, envelope)
    if charge <= limit:
        return setting
    facts = charge, limit, envelope.rise_window_s
    ceiling_ua = limit // (charge // setting.amplitude_ua)
    return clamp(setting, "amplitude_ua", ceiling_ua, case, Rule.CHARGE_RISE, *facts)


def limit_duty_rise(setting: Setting, case: Case) -> Setting | Finding:
    """Lower the on time until the duty keeps what may still rise."""
    spare = 1000 * case.envelope.rise_duty_permille - sum(rise.duty_ppm for rise in case.recent)
    on_ms, period_ms = duty_of(start_for(setting, case))
    numerator = PPM * on_ms + max(0, spare) * period_ms
    return limit_share(setting, numerator, PPM * period_ms, case, Rule.DUTY_RISE)


def refuse_day(setting: Setting, case: Case) -> Setting | Finding:
    """Refuse more therapies than a day may hold, and a rise that the day or a lock-out forbids."""
    past, envelope, clock = case.past, case.envelope, case.clock
    change = change_to(setting, envelope, clock)
    if change.therapies > envelope.day_max_therapies:
        facts = change.therapies, envelope.day_max_therapies
        return Finding(Rule.THERAPIES_PER_DAY, ("proposal", None, None, *facts))
    if not is_rise(rise_to(setting, tolerated(setting, past, envelope), envelope, clock)):
        return setting
    if clock < past.lockout_until_s:
        return Finding(Rule.LOCKOUT, ("rise", None, None, clock, past.lockout_until_s))
    excess = day_excess(with_change(case.changes, change), envelope, clock)
    return Finding(excess[0], ("rise", None, None, *excess[1:])) if excess else setting


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
    limit_charge_per_day,
    limit_step,
    limit_amplitude_rise,
    limit_charge_rise,
    limit_duty_rise,
    refuse_day,
)
"""The clamps in order; a fault in any of them is caught by the check that follows."""
