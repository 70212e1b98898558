"""What may be delivered while nothing can be written down: no rise, and every stop."""

from safety.envelope import Envelope
from safety.kernel import review
from safety.rise import is_rise, rise_to
from safety.verdict import Past, Verdict


def review_unlogged(proposal: object, past: Past, envelope: Envelope, now: int) -> Verdict:
    """Review `proposal` for a patient whose log is sealed: what would rise is a hold instead.

    A stop or a decrease is delivered as ever. A hold never rises: it keeps what runs where that is
    still permitted, falls back to nothing above it, or ends in OFF.
    """
    verdict = review(proposal, past, envelope, now)
    delivered = verdict.delivered
    if delivered.is_off or not is_rise(rise_to(delivered, past.delivered, envelope, past.at_s)):
        return verdict
    return review(None, past, envelope, now)
