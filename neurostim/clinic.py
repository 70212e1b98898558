"""Who looks after latches in a simulated trial: the house's rule, by two simulated people.

A latched patient or site stays off for one whole epoch, after which a clinician and a safety
officer release the latch; a new adverse event latches again at once. A real trial has people.
"""

from collections.abc import Sequence

from protocols import Observation
from safety import AuditLog, Envelope, Past, Person, Role, acknowledge, after_adverse_event
from safety.columns import Pasts

SIMULATED_PEOPLE = (
    Person("simulated clinician", Role.CLINICIAN),
    Person("simulated safety officer", Role.SAFETY_OFFICER),
)


def after_epoch(
    pasts: Pasts,
    envelope: Envelope,
    log: AuditLog,
    observations: Sequence[Observation],
    at_s: Sequence[int],
) -> Pasts:
    """The pasts between an epoch that ended at `at_s`, for each patient, and the next review.

    Every latch was there when the epoch began, so that a whole one has gone by. Each release and
    each event that changes anything is in the log.
    """
    least_grade = min(envelope.adverse_site_grade, envelope.adverse_patient_grade)
    grades = [observation.worst_grade or 0 for observation in observations]
    harmed = {row for row, grade in enumerate(grades) if grade >= least_grade}
    changed: dict[int, Past] = {}
    for row in sorted(harmed.union(pasts.others)):
        past = _released(pasts.past(row), log, at_s[row])
        if row in harmed:
            setting = observations[row].telemetry.setting
            event = {"at_s": at_s[row], "grade": grades[row]}
            past = after_adverse_event(past, envelope, setting=setting, **event)
            log.adverse_event(past, setting=setting, **event)
        changed[row] = past
    return pasts.with_pasts(changed)


def _released(past: Past, log: AuditLog, at_s: int) -> Past:
    for latch in past.latches:
        past = acknowledge(past, latch, SIMULATED_PEOPLE, at_s)
        log.acknowledged(past, at_s=at_s, latch=latch, by=SIMULATED_PEOPLE)
    return past
