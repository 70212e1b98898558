"""What is shown of a patient as held: quick enough to ask for whenever something is drawn."""

from neurostim.app.comparing import outcome_row, outcomes_table
from neurostim.app.keeping import Keeper
from neurostim.app.limits import limits_view, marks_of
from neurostim.app.timelines import day_text, recent_rate, timeline_of, timeline_of_diary
from neurostim.app.views import Limits, Mark, ScenarioLine, Status, Table, Timeline


def status_of(kept: Keeper) -> Status:
    """One line about the session."""
    now, subject = kept.now, kept.now.subject
    day = now.scenario.life.day
    is_diary = bool(subject.counts)
    return Status(
        patient=subject.label if is_diary else f"{subject.label} (seed {subject.seed})",
        file="" if kept.path is None else str(kept.path),
        is_changed=kept.is_changed,
        day=day,
        day_text=day_text(day, subject.first_date),
        scenario=now.scenario.name,
        policy=now.scenario.policy.name,
        can_undo=now.what if kept.past else "",
        can_redo=kept.future[0].what if kept.future else "",
        can_step=not is_diary and day < kept.engine.end_day,
        is_diary=is_diary,
        notices=kept.notices,
    )


def timeline_in(kept: Keeper, scenario: str) -> Timeline:
    """What happened in a scenario, or in a diary."""
    subject, shown, plan = kept.now.subject, kept.scenario(scenario), kept.engine.plan
    if subject.counts:
        return timeline_of_diary(subject.counts, subject.label)
    marks = marks_of(kept.changes, shown.life.day, subject.first_date)
    if shown.branch_day is not None:
        sentence = f"{shown.name} branches off from {shown.branch_of}."
        marks.append(Mark(day=shown.branch_day, kind="branch", sentence=sentence))
    return timeline_of(
        shown.life,
        title=f"{subject.label}: {shown.name}",
        first_date=subject.first_date,
        baseline_days=plan.design.schedule.baseline_days,
        envelope=plan.envelope,
        marks=marks,
    )


def lines_of(kept: Keeper) -> tuple[ScenarioLine, ...]:
    """The original and its branches."""
    return tuple(
        ScenarioLine(
            name=each.name,
            policy=each.policy.name,
            branch_day=each.branch_day,
            branch_of=each.branch_of,
            n_days=each.life.day,
            is_current=place == kept.now.current,
            rate=recent_rate(each.life),
        )
        for place, each in enumerate(kept.now.scenarios)
    )


def limits_in(kept: Keeper) -> Limits:
    """The limits in force, and who changed them."""
    chain = kept.engine.chain(kept.changes)
    return limits_view(chain, kept.changes, kept.now.subject.first_date)


def outcomes_in(kept: Keeper, scenario: str) -> Table:
    """What came of a scenario, as a trial that ended now would have it."""
    shown = kept.scenario(scenario)
    return outcomes_table(outcome_row(kept.engine, shown.life, shown.policy.name))
