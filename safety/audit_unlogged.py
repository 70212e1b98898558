"""What may be delivered while nothing can be written down: no rise, and every stop."""

from protocols import OFF, Proposal
from safety.envelope import Envelope
from safety.kernel import review
from safety.rise import is_rise, rise_to
from safety.verdict import Past, Verdict


def review_unlogged(proposal: object, past: Past, envelope: Envelope, now: int) -> Verdict:
    """Review `proposal` for a patient whose log is sealed: what would rise is a hold instead.

    A stop or a decrease is delivered as ever. A hold that is itself no longer due, and a fallback
    that would rise, end in OFF.
    """
    for each in (proposal, None):
        verdict = review(each, past, envelope, now)
        if not is_rise(rise_to(verdict.delivered, past.delivered, envelope, past.at_s)):
            return verdict
    stop = Proposal(
        patient=past.patient,
        sequence=past.sequence + 1,
        at_s=now,
        envelope_hash=envelope.hash,
        setting=OFF,
    )
    return review(stop, past, envelope, now)
