"""What happens to a patient between reviews: adverse events, restarts, and people who release.

Pure functions of the past. Controllers never see them; whoever calls them decides nothing else.
"""

from dataclasses import replace

from protocols import OFF, InputError, Setting
from protocols.observation import GRADES
from safety.day import MAX_CHANGES, recent_changes
from safety.envelope import Envelope
from safety.people import Person, check_person, check_two_roles
from safety.reading import is_count, read_setting
from safety.verdict import Change, Finding, Latch, NotTolerated, Past, Rule, with_latest


def after_adverse_event(
    past: Past, envelope: Envelope, *, at_s: int, grade: int, setting: Setting
) -> Past:
    """Return the past after an adverse event of `grade`, 0 to 4, while `setting` ran.

    From the envelope's grades up it latches the site or the whole patient, nothing rises for the
    lock-out, and the setting is not tolerated from now on. A lesser event changes nothing. The
    next review ends what runs where it is latched. Raises `InputError` for a value that is none.
    """
    check_time(at_s)
    if type(grade) is not int or grade not in GRADES:
        raise InputError(f"grade = {shown_kind(grade)}: one of {list(GRADES)} was expected")
    read = read_setting(setting)
    if isinstance(read, Finding):
        raise InputError(f"setting: {read.sentence}")
    if grade < min(envelope.adverse_site_grade, envelope.adverse_patient_grade):
        return past
    clock = max(at_s, past.at_s)
    until_s = max(past.lockout_until_s, clock + envelope.lockout_s)
    past = replace(past, at_s=clock, lockout_until_s=until_s)
    if not read.is_off:
        past = with_not_tolerated(past, read)
    if grade >= envelope.adverse_patient_grade:
        return past.with_latch(Latch(None, Rule.ADVERSE_EVENT, clock))
    if read.is_off:
        return past
    return past.with_latch(Latch(read.site, Rule.ADVERSE_EVENT, clock))


def after_restart(past: Past, at_s: int) -> Past:
    """Return the past after a restart: what ran is not known to run, and nothing else is lost.

    Rises, changes, latches, lock-outs and refusals stay; there is no credit for the time away.
    """
    check_time(at_s)
    clock = max(at_s, past.at_s)
    changes = recent_changes(past, clock)
    if not past.delivered.is_off:
        changes = with_latest(changes, Change(clock, 0, 0, 0, 0, 1), MAX_CHANGES)
    return replace(past, at_s=clock, delivered=OFF, changes=changes)


def acknowledge(past: Past, latch: Latch, by: tuple[Person, ...], at_s: int) -> Past:
    """Return the past without `latch`, which people have looked at; the lock-out stays.

    The first rung of the fallback takes one person, every other latch two in two roles. Raises
    `InputError` where they are not, or where there is no such latch.
    """
    check_time(at_s)
    if type(latch) is not Latch or latch not in past.latches:
        raise InputError(f"no such latch: {len(past.latches)} others are there")
    if latch.rule is Rule.BASELINE:
        check_person(by, "going on after the baseline")
    else:
        check_two_roles(by, "releasing a latch")
    return replace(
        past,
        at_s=max(at_s, past.at_s),
        latches=tuple(each for each in past.latches if each != latch),
        refusals=0 if latch.rule in (Rule.BASELINE, Rule.FALLBACK) else past.refusals,
    )


def with_not_tolerated(past: Past, setting: Setting) -> Past:
    """Return the past in which this amplitude, at this site and pulse width, is not tolerated."""
    place = setting.site, setting.pulse_width_us
    earlier = [e for e in past.not_tolerated if (e.site, e.pulse_width_us) == place]
    kept = tuple(each for each in past.not_tolerated if each not in earlier)
    lowest_ua = min([setting.amplitude_ua, *(each.amplitude_ua for each in earlier)])
    return replace(past, not_tolerated=(*kept, NotTolerated(*place, lowest_ua)))


def check_time(at_s: int) -> None:
    """Raise `InputError` unless this is a time in whole seconds."""
    if not is_count(at_s):
        raise InputError("at_s: a whole number of seconds from 0 up was expected")


def shown_kind(value: object) -> str:
    """Return a whole number as it is, and anything else as what it is not."""
    return str(value) if is_count(value) else "something that is no grade"
