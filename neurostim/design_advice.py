"""What is allowed in a design, and yet is worth a second thought."""

from collections.abc import Iterator

from protocols.design import Design
from protocols.lines import Path

FEWEST_PATIENTS = 20
SHORTEST_WINDOW_DAYS = 28
FEWEST_DECISIONS = 6
ONE_SETTING = ("fixed", "population-best")
REFERENCES = ("sham", *ONE_SETTING)


def advice(design: Design) -> Iterator[tuple[Path, str]]:
    """Each warning about a design, with the path to what it is about."""
    yield from _about_the_question(design)
    yield from _about_the_arms(design)
    yield from _about_time(design)


def _about_the_question(design: Design) -> Iterator[tuple[Path, str]]:
    if design.estimand is None:
        yield (
            ("estimand",),
            "there is no [estimand]: a table with population, treatment, variable, "
            "intercurrent_events and summary says what exactly is estimated",
        )
    n_patients = design.population.n_patients
    if design.kind != "n-of-1" and n_patients < FEWEST_PATIENTS:
        yield (
            ("population", "n_patients"),
            f"population.n_patients = {n_patients}: with fewer than {FEWEST_PATIENTS} most "
            "intervals say next to nothing",
        )


def _about_the_arms(design: Design) -> Iterator[tuple[Path, str]]:
    controllers = [arm.controller for arm in design.arms]
    if "sham" not in controllers:
        yield (
            ("arms",),
            "no arm is sham: what time, expectation and regression to the mean do is not seen",
        )
    if not any(name in controllers for name in ONE_SETTING):
        yield (
            ("arms",),
            "no arm has one setting for all (fixed or population-best): whether adapting to the "
            "patient is worth it is not seen",
        )
    if len(design.arms) == 1:
        yield ("arms",), "there is one arm: nothing is compared"


def _about_time(design: Design) -> Iterator[tuple[Path, str]]:
    schedule = design.schedule
    for key in ("baseline_days", "evaluation_days"):
        days = getattr(schedule, key)
        if days < SHORTEST_WINDOW_DAYS:
            yield (
                ("schedule", key),
                f"schedule.{key} = {days}: fewer than {SHORTEST_WINDOW_DAYS} days hold too few "
                "seizures for a rate",
            )
    if schedule.period_days is not None and not schedule.washout_days:
        yield (
            ("schedule", "period_days"),
            "schedule.washout_days is 0: the effect of a period is carried over into the next",
        )
    between_days = schedule.epoch_days * design.visits.every_epochs
    lived_days = schedule.period_days or schedule.treatment_days
    n_decisions = len(design.visits.days) + 1 if design.visits.days else lived_days // between_days
    if n_decisions < FEWEST_DECISIONS and {a.controller for a in design.arms} - set(REFERENCES):
        yield (
            ("schedule", "epoch_days"),
            f"{n_decisions} visits for an arm that adapts: fewer than {FEWEST_DECISIONS} leave it "
            "little to learn from",
        )
