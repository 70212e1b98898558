"""Parts of a design that say how it is read: whom and what the answer is about, and when."""

from collections.abc import Iterable, Iterator
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Days = Annotated[int, Field(ge=1, le=36_500)]


class Broken(NamedTuple):
    """A rule that values break together: the keys it is about, the first to blame, and a sentence.

    Keys are dotted, as seen from the table that the rule belongs to.
    """

    keys: tuple[str, ...]
    sentence: str


class BrokenRulesError(ValueError):
    """Every rule that a table of a design breaks."""

    def __init__(self, broken: tuple[Broken, ...]) -> None:
        super().__init__("; ".join(each.sentence for each in broken))
        self.broken = broken


def refuse(broken: Iterable[Broken]) -> None:
    """Raise `BrokenRulesError` when there is any."""
    found = tuple(broken)
    if found:
        raise BrokenRulesError(found)


class Part(BaseModel):
    """A table of a design: strict types, no unknown keys, frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Estimand(Part):
    """What exactly is estimated, in the five attributes of the ICH E9(R1) addendum of 2019."""

    population: Text
    treatment: Text
    variable: Text
    intercurrent_events: Text
    summary: Text


class Visits(Part):
    """When a setting may be changed; between visits it stays.

    Visits are due every `every_epochs` epochs or, where `days` are given, on the first epoch that
    begins on or after each of these days, both counted from the first day of the phase. The first
    epoch of a phase is always a visit, and so is the one after an epoch that harm ended. Other
    visits are missed with `missed_probability`.
    """

    every_epochs: Annotated[int, Field(ge=1, le=1_000)] = 1
    days: Annotated[tuple[Days, ...], Strict(False)] = ()
    missed_probability: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _visits_are_due_in_one_way(self) -> Self:
        refuse(self._broken())
        return self

    def _broken(self) -> Iterable[Broken]:
        if self.days and self.every_epochs != 1:
            yield Broken(
                ("every_epochs", "days"),
                f"every_epochs = {self.every_epochs} beside days: one of them was expected",
            )
        if list(self.days) != sorted(set(self.days)):
            yield Broken(("days",), f"days = {list(self.days)}: rising days were expected")


class Schedule(Part):
    """Baseline without stimulation, then treatment in epochs; endpoints use its last days.

    With `recovery_days` the device is implanted when baseline ends and stays off for so long. In
    the open-label days after treatment everybody is treated as in `open_label_arm`. With
    `period_days` treatment comes in periods with `washout_days` without stimulation between them,
    and endpoints use the last `evaluation_days` of each.
    """

    baseline_days: Days
    recovery_days: Annotated[int, Field(ge=0, le=3_650)] = 0
    treatment_days: Days
    open_label_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    open_label_arm: Name | None = None
    epoch_days: Days
    evaluation_days: Days
    period_days: Days | None = None
    washout_days: Annotated[int, Field(ge=0, le=3_650)] = 0

    @property
    def n_periods(self) -> int:
        """How many periods treatment has; 1 when it is in one piece."""
        if self.period_days is None:
            return 1
        return (self.treatment_days + self.washout_days) // (self.period_days + self.washout_days)

    @property
    def treatment_start_day(self) -> int:
        """The first day of treatment."""
        return self.baseline_days + self.recovery_days

    @property
    def treatment_end_day(self) -> int:
        """The first day after treatment."""
        return self.treatment_start_day + self.treatment_days

    @property
    def end_day(self) -> int:
        """The first day after everything."""
        return self.treatment_end_day + self.open_label_days

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        refuse(self._broken())
        return self

    def _broken(self) -> Iterator[Broken]:
        longer = "treatment_days" if self.period_days is None else "period_days"
        for shorter in ("epoch_days", "evaluation_days"):
            if getattr(self, shorter) > getattr(self, longer):
                yield Broken(
                    (shorter, longer),
                    f"{shorter} = {getattr(self, shorter)} is longer than "
                    f"{longer} = {getattr(self, longer)}",
                )
        if (self.open_label_arm is None) != (self.open_label_days == 0):
            yield Broken(
                ("open_label_arm" if self.open_label_days == 0 else "open_label_days",),
                "open_label_days and open_label_arm come together or not at all",
            )
        if self.period_days is None and self.washout_days:
            yield Broken(
                ("washout_days", "period_days"),
                f"washout_days = {self.washout_days} without period_days: there are no periods",
            )
        if self.period_days is not None:
            n, washout_days = self.n_periods, self.washout_days
            if n < 2 or n * (self.period_days + washout_days) != self.treatment_days + washout_days:
                yield Broken(
                    ("period_days", "treatment_days", "washout_days"),
                    f"treatment_days = {self.treatment_days}: two or more periods of "
                    f"{self.period_days} days with {washout_days} days of wash-out between them "
                    "were expected",
                )
