"""What is seen of a patient after an epoch: a closed type, in which no truth can travel."""

from dataclasses import dataclass

from protocols.setting import Setting

GRADES = {0: "none", 1: "mild", 2: "moderate", 3: "severe", 4: "serious"}
"""Side-effect grades as the diary and the clinic record them; severe ends an epoch early."""

BOTHERSOME_GRADE = 2
"""Side effects of this grade and above count against a setting."""

SEVERE_GRADE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """What the device itself reports of one epoch.

    `charge_uc` is that of the first phases of all pulses, `energy_mj` what the battery gave.
    `impedance_ohm` of a contact and `battery_permille`, what is left of the battery, are as of the
    epoch's end.
    """

    setting: Setting
    stimulation_s: int
    charge_uc: int
    energy_mj: int
    impedance_ohm: int
    battery_permille: int
    n_incidents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One epoch as the diary and the device tell it.

    `n_seizures` counts the seizures written on the `days_recorded` days that have an entry, and is
    None when there is none: a missing day is never a zero. `worst_grade` is the worst that was told
    of: 0 when side effects were asked for and denied, None when nobody reported.
    """

    start_day: int
    days: int
    n_seizures: int | None
    days_recorded: int
    worst_grade: int | None
    telemetry: Telemetry

    def __post_init__(self) -> None:
        if self.start_day < 0 or self.days < 1:
            raise ValueError(
                f"start_day = {self.start_day}, days = {self.days}: an epoch was expected"
            )
        if not 0 <= self.days_recorded <= self.days:
            raise ValueError(f"days_recorded = {self.days_recorded}: 0 to {self.days} was expected")
        if (self.n_seizures is None) != (self.days_recorded == 0):
            raise ValueError(
                f"n_seizures = {self.n_seizures} with {self.days_recorded} days recorded: "
                "a count is missing exactly when no day was recorded"
            )
        if self.n_seizures is not None and self.n_seizures < 0:
            raise ValueError(f"n_seizures = {self.n_seizures}: 0 or more was expected")
        if self.worst_grade is not None and self.worst_grade not in GRADES:
            raise ValueError(
                f"worst_grade = {self.worst_grade}: a grade of {list(GRADES)} was expected"
            )
