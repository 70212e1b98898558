"""What a controller wants, before anybody has checked it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A wish, addressed to one patient at one time under one envelope.

    Nothing is validated here: the controller is untrusted, so `setting` may be any object at all,
    and the safety kernel is where it is parsed. `at_s` counts seconds of simulated time since
    enrolment.
    """

    patient: int
    sequence: int
    at_s: int
    envelope_hash: str
    setting: object
