"""The gate: one pure and total function between what a controller wants and what a device delivers.

Parse and refuse; clamp, downwards only, to ticks; then check the result again with code written
apart from the clamps. A refusal holds what is running, several faulty ones in a row fall back; a
defect in here stops and latches.
"""

from protocols import OFF, Setting
from safety.case import Case
from safety.clamps import RISE_LIMITS, legal, lowered
from safety.day import MAX_CHANGES, change_to, day_excess, recent_changes, therapies_per_day
from safety.envelope import Envelope
from safety.legality import is_deliverable, is_due
from safety.quantity import is_whole
from safety.reading import asks_to_stop, read_proposal, read_setting
from safety.rise import is_rise, ramp_s, recent_rises, remembered, rise_to, start_for
from safety.verdict import Change, Finding, Latch, Past, Rise, Rule, Ruling, Verdict, with_latest


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
    if type(past) is not Past or type(envelope) is not Envelope or not is_whole(now):
        raise TypeError("past is no Past, envelope no Envelope, or now no int")
    clock = max(now, past.at_s)
    recent, changes = recent_rises(past, clock, envelope.rise_window_s), recent_changes(past, clock)
    case = Case(past, envelope, clock, recent, changes, past.sequence, past.refusals)
    read = read_proposal(proposal, case, now)
    if isinstance(read, Finding):
        if not asks_to_stop(proposal, past):
            return refuse(case, read)
        return deliver(OFF, case, Ruling.STOPPED, read, Finding(Rule.STOP, ()))
    case.sequence, setting = read
    wanted = read_setting(setting)
    if isinstance(wanted, Finding):
        return refuse(case, wanted)
    case.wanted = wanted
    if wanted.is_off:
        case.refusals = past.refusals if past.is_fallen_back else 0
        return deliver(OFF, case, Ruling.ACCEPTED)
    return hold(case) if past.latched or past.is_fallen_back else settle(wanted, case)


def settle(wanted: Setting, case: Case) -> Verdict:
    """Clamp, check again, and deliver."""
    past, envelope, clock = case.past, case.envelope, case.clock
    setting = legal(wanted, case)
    if isinstance(setting, Finding):
        return refuse(case, setting)
    rise = rise_to(setting, start_for(setting, past, envelope), envelope, clock)
    if is_rise(rise):
        setting = lowered(setting, RISE_LIMITS, case)
        if isinstance(setting, Finding):
            return refuse(case, setting)
        rise = rise_to(setting, start_for(setting, past, envelope), envelope, clock)
    if reason := forbidden(setting, rise, case):
        return refuse(case, reason)
    if not is_due(setting, wanted, rise, past, envelope, clock):
        return latch(past, wanted, Finding(Rule.RECHECK, (str(setting),)))
    case.refusals, case.rise = 0, rise
    ruling = Ruling.CLAMPED if case.findings else Ruling.ACCEPTED
    return deliver(setting, case, ruling, *case.findings)


def forbidden(setting: Setting, rise: Rise, case: Case) -> Finding | None:
    """Return why there would be too many therapies, or why a lock-out or 24 h forbid a rise."""
    envelope, clock, until_s = case.envelope, case.clock, case.past.lockout_until_s
    if (therapies := therapies_per_day(setting)) > envelope.day_max_therapies:
        facts = therapies, envelope.day_max_therapies
        return Finding(Rule.THERAPIES_PER_DAY, ("proposal", None, None, *facts))
    if not is_rise(rise):
        return None
    if clock < until_s:
        return Finding(Rule.LOCKOUT, ("rise", None, None, clock, until_s))
    return day_excess(changes_with(setting, case), envelope, clock)


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
        return deliver(OFF, case, Ruling.STOPPED, *reasons, Finding(Rule.LATCHED, ()))
    if past.is_fallen_back:
        setting = fallback_to(case.envelope.fallback_baseline, case)
        why = Finding(Rule.BASELINE, (str(setting),))
        return deliver(setting, case, Ruling.FALLEN_BACK, *reasons, why)
    if not may_run(running, case):
        ended = Finding(Rule.NOT_PERMITTED, (case.envelope.name, str(running)))
        return deliver(OFF, case, Ruling.STOPPED, *reasons, ended)
    return deliver(running, case, Ruling.HELD, *reasons)


def fallback_to(baseline: Setting, case: Case) -> Setting:
    """Return the baseline where it may run and is in nothing above what runs, else OFF."""
    if baseline.is_off or not may_run(baseline, case):
        return OFF
    rise = rise_to(baseline, case.past.delivered, case.envelope, case.clock)
    return OFF if is_rise(rise) else baseline


def may_run(setting: Setting, case: Case) -> bool:
    """Whether the envelope permits a setting and no latch lies on its site."""
    return not case.past.is_latched_at(setting) and is_deliverable(setting, case.envelope)


def latch(past: Past, wanted: Setting | None, finding: Finding) -> Verdict:
    """Stop at once, without a ramp: the code that would work one out may be what is broken."""
    return Verdict(
        delivered=OFF,
        wanted=wanted,
        ruling=Ruling.STOPPED,
        findings=(finding,),
        past=Past.stopped(past, finding.rule),
        ramp_s=0,
    )


def changes_with(setting: Setting, case: Case) -> tuple[Change, ...]:
    """Return the changes of the last 24 h with one to `setting`, unless it is what runs."""
    if setting == case.past.delivered:
        return case.changes
    return with_latest(case.changes, change_to(setting, case.envelope, case.clock), MAX_CHANGES)


def deliver(setting: Setting, case: Case, ruling: Ruling, *findings: Finding) -> Verdict:
    """Return the verdict that delivers `setting`, with the past that follows from it."""
    past, recent = case.past, case.recent
    return Verdict(
        delivered=setting,
        wanted=case.wanted,
        ruling=ruling,
        findings=findings,
        past=past.followed_by(
            setting,
            sequence=case.sequence,
            at_s=case.clock,
            rises=remembered(recent, case.rise) if case.rise else recent,
            changes=changes_with(setting, case),
            refusals=case.refusals,
        ),
        ramp_s=ramp_s(past.delivered, setting, case.envelope),
    )
