"""What a finding says: one sentence that a clinician can read, made when somebody reads it."""

from collections.abc import Callable, Mapping

from safety.quantity import AMPLITUDE, ON_TIME, QUANTITIES, exceeding

Fact = str | int | None


def sentence_of(rule: str, facts: tuple[Fact, ...]) -> str:
    """Return the sentence of one finding."""
    if rule == "off-time":
        return off_time(*facts)  # type: ignore[arg-type]  # an int and a name
    if rule not in REASONS:
        return SENTENCES[rule].format(*facts)
    subject, before, after, *reason = facts
    words = REASONS[rule](*reason)
    quantity = QUANTITIES.get(str(subject))
    if quantity is None or type(before) is not int:
        return f"{subject} refused: {words}"
    was = quantity.text(before)
    if rule == "tick" and after != 0:
        words = f"{was} {words}"
    if type(after) is not int:
        return f"{quantity.label} {was} refused: {words}, and no step is low enough"
    return f"{quantity.label} lowered from {was} to {quantity.text(after)}: {words}"


def off_time(off_ms: int, name: str) -> str:
    """Say that an off time is not a tick."""
    return f"an off time of {ON_TIME.text(off_ms)} is not a step of {name}"


REASONS: Mapping[str, Callable[..., str]] = {
    "tick": lambda name, least_ua: (
        f"is not a step of {name}"
        if least_ua is None
        else f"the lowest step of {name} is {AMPLITUDE.text(least_ua)}"
    ),
    "period": lambda pulse_us, period_us: (
        f"a pulse of {pulse_us} µs does not fit a period of {period_us} µs"
    ),
    "contact-current": lambda contact, current_na, limit_na: (
        f"the current at contact {contact} {exceeding(current_na, limit_na, 1000, 3, 'mA')}"
    ),
    "lead-current": lambda ua, limit_ua: (
        f"the current of a lead {exceeding(ua, limit_ua, 1, 3, 'mA')}"
    ),
    "charge": lambda contact, charge_fc, limit_fc: (
        f"charge per phase at contact {contact} {exceeding(charge_fc, limit_fc, 10**6, 3, 'µC')}"
    ),
    "charge-per-day": lambda charge_pc, limit_pc: (
        f"charge within 24 h {exceeding(charge_pc, limit_pc, 10**9, 3, 'C')}"
    ),
    "therapies-per-day": lambda n, limit: f"therapies within 24 h {exceeding(n, limit, 1, 0, '')}",
    "changes-per-day": lambda n, limit: f"changes within 24 h {exceeding(n, limit, 1, 0, '')}",
    "lockout": lambda clock, until_s: (
        f"it is {clock} s, and until {until_s} s nothing rises after an adverse event"
    ),
    "duty": lambda share, limit: f"duty {exceeding(share, limit, 1, 1, '%')}",
    "duty-rise": lambda share, limit: f"duty {exceeding(share, limit, 1, 1, '%')}",
    "amplitude-rise": lambda ua, limit_ua, window_s: (
        f"amplitude {exceeding(ua, limit_ua, 1, 3, 'mA')} within this window of {window_s} s"
    ),
    "step": lambda ua, limit_ua: f"amplitude {exceeding(ua, limit_ua, 1, 3, 'mA')} at this review",
    "charge-rise": lambda charge, limit, window_s: (
        f"charge per second {exceeding(charge, limit, 1000, 3, 'µC/s')} "
        f"within this window of {window_s} s"
    ),
}
"""Why a quantity was lowered, or a rise refused."""

SENTENCES = {
    "no-proposal": "the controller proposed nothing",
    "malformed": "{0}",
    "patient": "addressed to patient {0}: this is patient {1}",
    "sequence": "sequence number {0}: {1} to {2} was expected",
    "time": "proposed at {0} s: {1} s or up to {2} s before was expected",
    "envelope": "made for an envelope other than {0}",
    "site": "site {0} is not one of {1}",
    "frequency": "{0} Hz is not a step of {1}",
    "mode": "{0} mode is not one of {1}",
    "stop": "it asks to stop this patient, which is always done",
    "not-permitted": "{0} does not permit what is running ({1})",
    "recheck": "clamping led to what is not permitted ({0}): off until a person has looked",
    "defect": "the check itself failed with {0}: off until a person has looked",
    "latched": "latched: off until a person has looked",
    "site-latched": "site {0} is latched until two people release it",
    "baseline": "too many faulty proposals in a row: {0} until a person acknowledges",
}
"""Every other rule in one sentence."""
