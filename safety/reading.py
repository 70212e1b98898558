"""How the gate reads what it does not trust: by exact type, running no code that came with it."""

from operator import attrgetter

from protocols import OFF, Mode, Proposal, Setting
from protocols.setting import INTEGER_FIELDS
from safety.envelope import Envelope
from safety.verdict import Finding, Past, Rule

LARGEST_INTEGER = 2**63 - 1
LONGEST_TEXT = 40
MAX_AGE_S = 60
"""How old a proposal may be when it is reviewed."""

MAX_JUMP = 1_000_000
"""How far a sequence number may jump, so that no single one uses up all that follow."""

READ_PROPOSAL = attrgetter("patient", "sequence", "at_s", "envelope_hash", "setting")
READ_SETTING = attrgetter(*INTEGER_FIELDS, "mode")


def read_proposal(proposal: object, past: Past, envelope: Envelope, now: int) -> Proposal | Finding:
    """Return the proposal if it is one, for this patient, unused, of now and of this envelope."""
    if proposal is None:
        return Finding(Rule.NO_PROPOSAL, ())
    if type(proposal) is not Proposal:
        return Finding(Rule.MALFORMED, ("what the controller returned is not a Proposal",))
    try:
        patient, sequence, at_s, envelope_hash, _ = READ_PROPOSAL(proposal)
    except AttributeError:
        return Finding(Rule.MALFORMED, ("the proposal lacks a field",))
    if not is_count(patient) or patient != past.patient:
        return Finding(Rule.PATIENT, (shown(patient), past.patient))
    least, most = past.sequence + 1, past.sequence + MAX_JUMP
    if not is_count(sequence) or not least <= sequence <= most:
        return Finding(Rule.SEQUENCE, (shown(sequence), least, most))
    if not is_count(at_s) or not 0 <= now - at_s <= MAX_AGE_S:
        return Finding(Rule.TIME, (shown(at_s), now, MAX_AGE_S))
    if type(envelope_hash) is not str or envelope_hash != envelope.hash:
        return Finding(Rule.ENVELOPE, (envelope.name,))
    return proposal


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
    for name, number in zip(INTEGER_FIELDS, numbers, strict=True):
        if not is_count(number):
            return Finding(
                Rule.MALFORMED, (f"{name} = {shown(number)}: a whole number was expected",)
            )
    if not (mode is Mode.CONTINUOUS or mode is Mode.CYCLING or mode is Mode.RESPONSIVE):
        return Finding(Rule.MALFORMED, (f"mode = {shown(mode)}: a Mode was expected",))
    try:
        return Setting(
            site=numbers[0],
            amplitude_ua=numbers[1],
            frequency_hz=numbers[2],
            pulse_width_us=numbers[3],
            on_ms=numbers[4],
            off_ms=numbers[5],
            mode=mode,
        )
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
    if type(setting) is not Setting:
        return False
    amplitude_ua = getattr(setting, "amplitude_ua", None)
    return type(amplitude_ua) is int and amplitude_ua == 0


def is_count(value: object) -> bool:
    """Whether this is exactly an int, from 0 up, that fits 63 bits."""
    return type(value) is int and 0 <= value <= LARGEST_INTEGER


def shown(value: object) -> str:
    """Return an untrusted value as text without running any code of its own."""
    kind = type(value)
    if kind is str:
        return repr(str(value)[:LONGEST_TEXT])
    if kind is int and not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:  # type: ignore[operator]
        return "a number of more than 63 bits"
    if kind is int or kind is float or kind is bool or value is None:
        return repr(value)
    return "something that is not a plain value"
