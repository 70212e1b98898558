"""How the gate reads what it does not trust: by exact type, running no code that came with it."""

from operator import attrgetter

from protocols import OFF, Mode, Proposal, Setting
from protocols.setting import INTEGER_FIELDS
from safety.case import Case
from safety.quantity import LARGEST_INTEGER, shown
from safety.verdict import Finding, Past, Rule

MAX_AGE_S = 60
"""How old a proposal may be when it is reviewed."""

MAX_JUMP = 1_000_000
"""How far a sequence number may jump, so that no single one uses up all that follow."""

READ_PROPOSAL = attrgetter("patient", "sequence", "at_s", "envelope_hash", "setting")
READ_SETTING = attrgetter(*INTEGER_FIELDS, "mode")


def read_proposal(proposal: object, case: Case, now: int) -> tuple[int, object] | Finding:
    """Return its number and what it proposes, if it is for this patient, envelope and time."""
    if proposal is None:
        return Finding(Rule.NO_PROPOSAL, ())
    if type(proposal) is not Proposal:
        return Finding(Rule.MALFORMED, ("what the controller returned is not a Proposal",))
    try:
        patient, sequence, at_s, envelope_hash, setting = READ_PROPOSAL(proposal)
    except AttributeError:
        return Finding(Rule.MALFORMED, ("the proposal lacks a field",))
    past, envelope = case.past, case.envelope
    if not is_count(patient) or patient != past.patient:
        return Finding(Rule.PATIENT, (shown(patient), past.patient))
    if not is_count(sequence) or not 0 < sequence - past.sequence <= MAX_JUMP:
        most = past.sequence + MAX_JUMP
        return Finding(Rule.SEQUENCE, (shown(sequence), past.sequence + 1, most))
    if not is_count(at_s) or not 0 <= now - at_s <= MAX_AGE_S:
        return Finding(Rule.TIME, (shown(at_s), now, MAX_AGE_S))
    if type(envelope_hash) is not str or envelope_hash != envelope.hash:
        return Finding(Rule.ENVELOPE, (envelope.name,))
    return sequence, setting


def read_setting(value: object) -> Setting | Finding:
    """Return a copy of the proposed setting that only the gate holds, or why it is none."""
    if value is None:
        return Finding(Rule.NO_PROPOSAL, ())
    if type(value) is not Setting:
        return Finding(Rule.MALFORMED, ("what was proposed is not a Setting",))
    if is_zero(value):
        return OFF
    try:
        *numbers, mode = READ_SETTING(value)
    except AttributeError:
        return Finding(Rule.MALFORMED, ("the proposed setting lacks a field",))
    fields = dict(zip(INTEGER_FIELDS, numbers, strict=True))
    for name, number in fields.items():
        if type(number) is not int or not 0 <= number <= LARGEST_INTEGER:
            words = f"{name} = {shown(number)}: a whole number was expected"
            return Finding(Rule.MALFORMED, (words,))
    if not (mode is Mode.CONTINUOUS or mode is Mode.CYCLING or mode is Mode.RESPONSIVE):
        return Finding(Rule.MALFORMED, (f"mode = {shown(mode)}: a Mode was expected",))
    try:
        return Setting(**fields, mode=mode)
    except ValueError as error:
        return Finding(Rule.MALFORMED, (str(error),))


def asks_to_stop(proposal: object, past: Past) -> bool:
    """Whether `proposal` is recognisably a stop for this patient, however stale otherwise."""
    if type(proposal) is not Proposal:
        return False
    patient = getattr(proposal, "patient", None)
    is_ours = type(patient) is int and patient == past.patient
    return is_ours and is_zero(getattr(proposal, "setting", None))


def is_zero(setting: object) -> bool:
    """Whether this is a setting without current, whatever its other fields say or lack."""
    amplitude_ua = getattr(setting, "amplitude_ua", None) if type(setting) is Setting else None
    return type(amplitude_ua) is int and amplitude_ua == 0


def is_count(value: object) -> bool:
    """Whether this is exactly an int, from 0 up, that fits 63 bits."""
    return type(value) is int and 0 <= value <= LARGEST_INTEGER
