"""Policies side by side on one patient and one luck, and what came of a life in numbers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from neurostim.app.engine import Engine
from neurostim.app.life import Life, LimitChange
from neurostim.app.limits import marks_of
from neurostim.app.timelines import WINDOW_DAYS, daily_counts, timeline_of
from neurostim.app.views import Column, Comparison, Floats, Table
from protocols.design import Arm

OUTCOMES: Mapping[str, tuple[str, str]] = {
    "baseline_rate_28": ("Baseline rate", "per 28 days"),
    "evaluation_rate_28": ("Rate in the last days", "per 28 days"),
    "percent_change": ("Change from baseline", "%"),
    "is_responder_50": ("50 % responder", ""),
    "is_seizure_free": ("Free of seizures in the last days", ""),
    "n_adverse": ("Epochs with a bothersome side effect", ""),
    "n_severe": ("Epochs with a severe side effect", ""),
    "n_requested_changed": ("Epochs in which safety changed the proposal", ""),
    "n_settings_tried": ("Settings tried", ""),
    "n_changes": ("Changes of the setting", ""),
    "charge_c": ("Charge", "C"),
    "energy_j": ("Energy from the battery", "J"),
    "treatment_days": ("Days of treatment", ""),
}
"""Of `neurostim.outcomes`, in the order in which they are shown; nothing that only a simulation
knows."""


def outcome_row(engine: Engine, life: Life, policy: str) -> dict[str, Any]:
    """The row of `neurostim.outcomes` for a life, as a trial that ended now would have it."""
    import pandas as pd
    import pyarrow as pa

    from neurostim.outcomes import outcomes
    from neurostim.rows import patient_row
    from neurostim.storage import EPOCHS, PATIENTS

    rows = engine.rows(life, policy)
    epochs = pa.Table.from_pylist(rows, schema=EPOCHS).to_pandas()
    truth = patient_row(life.batch.states[0].patient, engine.truth)
    patients = pa.Table.from_pylist([truth], schema=PATIENTS).to_pandas()
    schedule = engine.plan.design.schedule
    treated = max(0, life.day - schedule.treatment_start_day)
    lived = schedule.model_dump() | {
        "treatment_days": treated,
        "evaluation_days": min(schedule.evaluation_days, max(treated, schedule.epoch_days)),
    }
    found: pd.DataFrame = outcomes(epochs, patients, lived)
    return {str(name): value for name, value in found.iloc[0].to_dict().items()}


def outcomes_table(row: Mapping[str, Any]) -> Table:
    """Outcomes to read."""
    rows = tuple((label, _cell(row[name]), unit) for name, (label, unit) in OUTCOMES.items())
    return Table(columns=("outcome", "value", "unit"), rows=rows)


def _cell(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return "not known"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def compared(
    engine: Engine,
    life: Life,
    arms: Sequence[Arm],
    days: int,
    changes: Sequence[LimitChange],
    first_date: date | None,
    tell: Callable[[float, str], None],
) -> Comparison:
    """The policies of these arms, each from the first day of treatment of a life on."""
    first_day = engine.plan.design.schedule.treatment_start_day
    lives = {}
    for number, arm in enumerate(arms):
        start = now = life.until(first_day)
        for now in engine.lives(start, arm, changes, first_day + days):
            share = max(0.0, (now.day - first_day) / days)
            tell((number + share) / len(arms), f"{arm.name}, day {now.day}")
        lives[arm.name] = now
    return comparison_of(engine, lives, changes, first_date)


def comparison_of(
    engine: Engine,
    lives: Mapping[str, Life],
    changes: Sequence[LimitChange],
    first_date: date | None,
) -> Comparison:
    """Lives under different policies, keyed by the policy's name; the first is the reference."""
    columns = tuple(
        _column(engine, name, life, changes, first_date) for name, life in lives.items()
    )
    start = engine.plan.design.schedule.treatment_start_day
    counts = [daily_counts(life)[start:] for life in lives.values()]
    n_days = min(map(len, counts))
    paired = np.stack([each[:n_days] - counts[0][:n_days] for each in counts])  # P D
    is_both = ~np.isnan(paired)
    days = is_both.cumsum(axis=1)
    total = np.where(is_both, paired, 0.0).cumsum(axis=1)
    difference = WINDOW_DAYS * total / np.where(days > 0, days, np.nan)
    rates = [_rate(each[:n_days]) for each in counts]
    rows = tuple(
        _paired_row(name, paired[p], rates[p], rates[0]) for p, name in enumerate(lives) if p
    )
    return Comparison(
        columns=columns,
        difference_days=np.arange(start + 1, start + n_days + 1),
        difference=difference,
        paired=Table(
            columns=(
                "policy", "seizures per 28 days", f"difference from {next(iter(lives))}",
                "90 % interval", "ratio of rates", "days compared",
            ),
            rows=rows,
        ),
    )  # fmt: skip


def _rate(counts: Floats) -> float:
    return float(WINDOW_DAYS * np.nanmean(counts)) if (~np.isnan(counts)).any() else float("nan")


def _paired_row(name: str, paired: Floats, rate: float, reference: float) -> tuple[str, ...]:
    """One policy against the reference: the mean over blocks of 28 days, with their spread.

    Days follow each other, so that the interval is that of whole blocks of 28 days.
    """
    n_blocks = len(paired) // WINDOW_DAYS
    blocks = paired[: n_blocks * WINDOW_DAYS].reshape(n_blocks, WINDOW_DAYS)
    means = np.array([WINDOW_DAYS * np.nanmean(b) for b in blocks if (~np.isnan(b)).any()])
    middle = _rate(paired)
    interval = "too few days"
    if len(means) >= 4:
        half = _student_90(len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means))
        interval = f"{means.mean() - half:+.1f} to {means.mean() + half:+.1f}"
    ratio = f"{rate / reference:.2f}" if reference > 0 else "not defined"
    return (
        name, f"{rate:.1f}", f"{middle:+.1f}", interval, ratio, str(int((~np.isnan(paired)).sum())),
    )  # fmt: skip


def _student_90(degrees: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.95))


def _column(
    engine: Engine,
    name: str,
    life: Life,
    changes: Sequence[LimitChange],
    first_date: date | None,
) -> Column:
    schedule = engine.plan.design.schedule
    treated = [turn for turn in life.turns if turn.first_day >= schedule.treatment_start_day]
    days: dict[str, int] = {}
    hits: dict[str, int] = {}
    for turn in treated:
        key = str(turn.lived.delivered)
        days[key] = days.get(key, 0) + turn.lived.outcome.observation.days
        for finding in turn.lived.findings:
            hits[finding.rule.value] = hits.get(finding.rule.value, 0) + 1
    total = max(sum(days.values()), 1)
    time_at = sorted(days.items(), key=lambda each: -each[1])
    return Column(
        policy=name,
        timeline=timeline_of(
            life,
            title=name,
            first_date=first_date,
            baseline_days=schedule.baseline_days,
            envelope=engine.plan.envelope,
            marks=marks_of(changes, life.day, first_date),
        ),
        outcomes=outcomes_table(outcome_row(engine, life, name)),
        time_at=Table(
            columns=("setting", "days", "share (%)"),
            rows=tuple((key, str(n), f"{100 * n / total:.0f}") for key, n in time_at),
        ),
        limit_hits=Table(
            columns=("rule", "epochs"),
            rows=tuple((rule, str(n)) for rule, n in sorted(hits.items())),
        ),
    )
