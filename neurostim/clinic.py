"""Who looks after latches in a simulated trial: the house's rule, by two simulated people.

A latched patient or site stays off for one whole epoch, after which a clinician and a safety
officer release the latch; a new adverse event latches again at once. A real trial has people.
"""

from protocols import Observation
from safety import Envelope, Past, Person, Role, acknowledge, after_adverse_event

SIMULATED_PEOPLE = (
    Person("simulated clinician", Role.CLINICIAN),
    Person("simulated safety officer", Role.SAFETY_OFFICER),
)


def after_epoch(past: Past, envelope: Envelope, observation: Observation, at_s: int) -> Past:
    """The past between an epoch that ended at `at_s` and the next review.

    Every latch of `past` was there when the epoch began, so that a whole one has gone by.
    """
    for latch in past.latches:
        past = acknowledge(past, latch, SIMULATED_PEOPLE, at_s)
    if observation.worst_grade is None:
        return past
    return after_adverse_event(
        past,
        envelope,
        at_s=at_s,
        grade=observation.worst_grade,
        setting=observation.telemetry.setting,
    )
