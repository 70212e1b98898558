"""What a trial decides about its patients before anyone is stimulated."""

from dataclasses import dataclass

from patient_models.distributions import Distribution
from patient_models.targets import TARGETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Who comes, where the lead goes, and when surgery, expectation and the open label begin.

    `written_rate_per_day` takes the place of the population's distribution; `Baselines` of real
    people are one. Days count from enrolment; None means long before, or never. Medication may be
    changed from `medication_from_day` on, and patients leave from `attrition_from_day` on: blinded
    trials hold medication stable and lose almost nobody.
    """

    written_rate_per_day: Distribution | None = None
    target: str = "focus"
    implant_day: int | None = None
    expectation_day: int | None = None
    medication_from_day: int | None = None
    attrition_from_day: int | None = None

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ValueError(f"target = {self.target!r}: one of {', '.join(TARGETS)} was expected")
