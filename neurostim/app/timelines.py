"""Timelines: from a life that was lived, or from a diary that was imported."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby

import numpy as np
from scipy.special import gammaincinv

from neurostim.app.life import Life, Turn
from neurostim.app.views import Floats, Integers, Mark, Strip, Table, Timeline
from neurostim.history import PHASES
from patient_models.model import Kind
from protocols.observation import GRADES
from safety import Envelope

WINDOW_DAYS, RECENT_DAYS = 28, 84
TAIL = 0.05
FEWEST_IN_CLUSTER = 3
TIMES_USUAL = 3.0
LONGEST_GAP_DAYS = 1
"""Days of a cluster may be parted by one without."""

COLUMNS = (
    "from", "to", "phase", "requested", "delivered", "safety", "seizures written",
    "days recorded", "seizures per 28 days", "worst side effect",
)  # fmt: skip
HAPPENINGS = {
    Kind.NEW_BATTERY: ("device", "the battery was replaced"),
    Kind.MEDICATION_CHANGE: ("life", "the medication was changed"),
    Kind.DROP_OUT: ("life", "the patient stops writing the diary"),
}


def day_text(day: int, first_date: date | None) -> str:
    """A day as people write it: an ISO date, or its number where there is no calendar."""
    return f"day {day}" if first_date is None else (first_date + timedelta(days=day)).isoformat()


def timeline_of(
    life: Life,
    *,
    title: str,
    first_date: date | None,
    baseline_days: int,
    envelope: Envelope,
    marks: Sequence[Mark] = (),
) -> Timeline:
    """The timeline of a life, with what the diary and the device tell, and other `marks`."""
    seen = [mark for turn in life.turns for mark in _marks(turn, first_date)]
    return _timeline(
        daily_counts(life),
        title=title,
        first_date=first_date,
        baseline_days=baseline_days,
        strips=tuple(_strips(life, envelope)),
        marks=tuple(sorted([*seen, *marks], key=lambda mark: mark.day)),
        table=Table(
            columns=COLUMNS, rows=tuple(_epoch_cells(turn, first_date) for turn in life.turns)
        ),
    )


def timeline_of_diary(counts: Mapping[date, int], title: str) -> Timeline:
    """The timeline of an imported diary: nothing is known to have been delivered."""
    first, last = min(counts), max(counts)
    days = np.full((last - first).days + 1, np.nan)
    for day, count in counts.items():
        days[(day - first).days] = count
    rows = tuple((day.isoformat(), str(count)) for day, count in sorted(counts.items()))
    return _timeline(
        days,
        title=title,
        first_date=first,
        baseline_days=len(days),
        strips=(),
        marks=(),
        table=Table(columns=("date", "seizures written"), rows=rows),
    )


def daily_counts(life: Life) -> Floats:
    """Written seizures of each day, NaN where nothing was written, `D`."""
    counts = np.full(life.day, np.nan)
    for turn in life.turns:
        for event in turn.lived.outcome.events:
            if event.kind is Kind.DIARY_ENTRY:  # at the midnight that ends the day
                counts[round(event.time_day) - 1] = event.n_written
    return counts


def recent_rate(life: Life) -> float:
    """Written seizures per 28 recorded days over the last 84, NaN where nothing was written."""
    counts = daily_counts(life)[-RECENT_DAYS:]
    is_recorded = ~np.isnan(counts)
    return float(WINDOW_DAYS * counts[is_recorded].mean()) if is_recorded.any() else float("nan")


def trailing_rate(counts: Floats) -> tuple[Integers, Floats, Floats, Floats]:
    """Days, and for each the rate per 28 days over the 28 days up to it, with 90 % limits.

    The limits are those of Jeffreys' gamma distribution of a Poisson rate, widened by how much the
    variance of this patient's recorded days exceeds their mean (quasi-Poisson).
    """
    days = np.arange(min(WINDOW_DAYS, len(counts)), len(counts) + 1)
    is_recorded = ~np.isnan(counts)
    seen = counts[is_recorded]
    spread = max(1.0, float(seen.var() / seen.mean())) if seen.any() else 1.0
    total = np.concatenate([[0.0], np.cumsum(np.where(is_recorded, counts, 0.0))])
    recorded = np.concatenate([[0], np.cumsum(is_recorded)])
    start = np.maximum(days - WINDOW_DAYS, 0)
    n_seizures = total[days] - total[start]
    n_days = (recorded[days] - recorded[start]).astype(np.float64)
    n_days[n_days == 0] = np.nan
    shape = (n_seizures + 0.5) / spread
    low, high = (
        WINDOW_DAYS * spread * gammaincinv(shape, share) / n_days for share in (TAIL, 1 - TAIL)
    )
    rate = WINDOW_DAYS * n_seizures / n_days
    return days, rate, np.minimum(low, rate), high


def clusters_of(counts: Floats) -> tuple[tuple[int, int], ...]:
    """Runs of days with three seizures or more, and three times the patient's mean or more."""
    if np.isnan(counts).all():
        return ()
    least = max(FEWEST_IN_CLUSTER, TIMES_USUAL * float(np.nanmean(counts)))
    found: list[tuple[int, int]] = []
    for day in np.flatnonzero(np.nan_to_num(counts) >= least).tolist():
        if found and day - found[-1][1] <= LONGEST_GAP_DAYS:
            found[-1] = (found[-1][0], day + 1)
        else:
            found.append((day, day + 1))
    return tuple(found)


def _timeline(
    counts: Floats,
    *,
    title: str,
    first_date: date | None,
    baseline_days: int,
    strips: tuple[Strip, ...],
    marks: tuple[Mark, ...],
    table: Table,
) -> Timeline:
    days, rate, low, high = trailing_rate(counts)
    return Timeline(
        title=title,
        first_date=first_date,
        n_days=len(counts),
        baseline_days=baseline_days,
        counts=counts,
        kinds={},
        rate_days=days,
        rate=rate,
        rate_low=low,
        rate_high=high,
        clusters=clusters_of(counts),
        strips=strips,
        marks=marks,
        table=table,
    )


def _strips(life: Life, envelope: Envelope) -> Iterator[Strip]:
    for (setting, phase), group in groupby(life.turns, lambda t: (t.lived.delivered, t.phase)):
        turns = list(group)
        impedance_ohm = turns[-1].lived.outcome.observation.telemetry.impedance_ohm
        site = "off" if setting.is_off else envelope.montages[setting.site].name
        yield Strip(
            first_day=turns[0].first_day,
            end_day=turns[-1].end_day,
            site=site,
            amplitude_ma=setting.amplitude_ua / 1000,
            amplitude_v=setting.amplitude_ua * impedance_ohm / 1e6,
            frequency_hz=setting.frequency_hz,
            pulse_width_us=setting.pulse_width_us,
            phase=PHASES[phase],
            text=str(setting) if setting.is_off else f"{site}: {setting}",
        )


def _marks(turn: Turn, first_date: date | None) -> Iterator[Mark]:
    lived = turn.lived
    for event in lived.outcome.events:
        day = int(event.time_day)
        when = day_text(day, first_date)
        if event.kind is Kind.ADVERSE_EVENT and event.is_written:
            what = f"{event.side_effect}, {GRADES[event.grade or 0]}"
            yield Mark(day=day, kind="adverse event", sentence=f"{when}: {what}.")
        elif event.kind in HAPPENINGS:
            kind, words = HAPPENINGS[event.kind]
            is_device = kind == "device"
            yield Mark(
                day=day, kind="device" if is_device else "life", sentence=f"{when}: {words}."
            )
    when = day_text(turn.first_day, first_date)
    reasons = [finding.sentence for finding in lived.findings]
    if lived.wish.fault:
        reasons.append(f"the policy came up with nothing ({lived.wish.fault})")
    if reasons:
        sentence = f"{when}: {lived.ruling.value}: {'; '.join(reasons)}."
        yield Mark(day=turn.first_day, kind="safety", sentence=sentence)
    if n_incidents := lived.outcome.observation.telemetry.n_incidents:
        sentence = f"{when}: the device itself refused {n_incidents} times."
        yield Mark(day=turn.first_day, kind="device", sentence=sentence)


def _epoch_cells(turn: Turn, first_date: date | None) -> tuple[str, ...]:
    lived, seen = turn.lived, turn.lived.outcome.observation
    has_diary = seen.n_seizures is not None
    rate = WINDOW_DAYS * (seen.n_seizures or 0) / max(seen.days_recorded, 1)
    return (
        day_text(turn.first_day, first_date),
        day_text(turn.end_day - 1, first_date),
        PHASES[turn.phase],
        str(lived.wish.requested or "nothing"),
        str(lived.delivered),
        lived.ruling.value,
        str(seen.n_seizures) if has_diary else "missing",
        f"{seen.days_recorded} of {seen.days}",
        f"{rate:.1f}" if has_diary else "missing",
        "not told" if seen.worst_grade is None else GRADES[seen.worst_grade],
    )
