"""The luck that one patient meets, in blocks of days: latent chains and marks, alike in every arm.

Nothing here depends on what is delivered. Latent parents come at the largest rate that any
stimulation could lead to; each carries the level that the log multiplier of its day must exceed for
it, and the chain that follows it, to be seizures.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from scipy.special import gammaln, ndtri

from patient_models.arrays import Booleans, Counts, Floats
from patient_models.law import (
    DRIFT_DAYS,
    DRIFT_LOG_SD,
    FAST_DAYS,
    LOG_REMISSION,
    MAXIMAL_CHAIN,
    MAXIMAL_PARENTS_PER_DAY,
    N_BEFORE_RESCUE,
    OFFSPRING_DAYS,
    PHASE_NOISE,
    RELAPSE_PER_YEAR,
    REMISSION_PER_YEAR,
    SLOW_DAYS,
    WEEK_DAYS,
    Background,
    DiaryHabits,
)
from patient_models.randomness import Purpose, quads
from patient_models.response import MAXIMAL_LOG_HARM

BLOCK_WEEKS = 54
BLOCK_DAYS = BLOCK_WEEKS * WEEK_DAYS
"""A little over a year: most of what a block costs does not depend on its length."""
TIMES_PER_DAY = 2**32
"""Times lie in the middle of 2**32 steps of a day, so that float64 adds them without rounding."""

RUN_IN_DAYS = 20
"""After so many days nothing that float64 holds is left of where day-to-day memory began."""

STRIDE = 100
DAYS_PER_YEAR = 365.0
TINY_MEAN = 1e-300
MEAN_PER_GROUP = 25
LARGEST_N_GROUPS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Luck:
    """Consecutive days: a row per day, and a row per latent event in order of its parent's day.

    The chains that begin on day d, counted from `first_day`, are rows first_event[d] to
    first_event[d + 1]; their later events may fall on later days. `is_noted` says which events are
    written down if their day is recorded, `risk` is the state of risk at noon in SDs.
    """

    first_day: int
    first_event: Counts
    time_day: Floats
    least_effect: Floats
    is_noted: Booleans
    risk: Floats
    is_recorded: Booleans
    grade_mark: Floats

    def between(self, start: int, stop: int) -> Self:
        """The same luck on the days from `start` to before `stop` only."""
        days = slice(start - self.first_day, stop - self.first_day)
        first, last = self.first_event[days.start], self.first_event[days.stop]
        return type(self)(
            first_day=start,
            first_event=self.first_event[days.start : days.stop + 1] - first,
            time_day=self.time_day[first:last],
            least_effect=self.least_effect[first:last],
            is_noted=self.is_noted[first:last],
            risk=self.risk[days],
            is_recorded=self.is_recorded[days],
            grade_mark=self.grade_mark[days],
        )

    def followed_by(self, later: Self) -> Self:
        """One stretch of luck out of this one and that of the days that follow it."""
        return type(self)(
            first_day=self.first_day,
            first_event=np.concatenate(
                (self.first_event, self.first_event[-1] + later.first_event[1:])
            ),
            time_day=np.concatenate((self.time_day, later.time_day)),
            least_effect=np.concatenate((self.least_effect, later.least_effect)),
            is_noted=np.concatenate((self.is_noted, later.is_noted)),
            risk=np.concatenate((self.risk, later.risk)),
            is_recorded=np.concatenate((self.is_recorded, later.is_recorded)),
            grade_mark=np.concatenate((self.grade_mark, later.grade_mark)),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wandering:
    """The slow processes of one patient at the weeks' edges of a block, of unit variance.

    `slow`, `drift` and `phase` (in cycles' noise) have a value at each edge, the last being the
    first of the next block; `in_remission` has one for each week, and one for the next.
    """

    slow: Floats
    drift: Floats
    phase: Floats
    in_remission: Booleans


def luck_between(
    background: Background, diary: DiaryHabits, seed: int, patient: int, start: int, stop: int
) -> Luck:
    """The luck of one patient on the days from `start` to before `stop`."""
    blocks = range(start // BLOCK_DAYS, (stop - 1) // BLOCK_DAYS + 1)
    luck = luck_of_block(background, diary, seed, patient, blocks[0])
    for block in blocks[1:]:
        luck = luck.followed_by(luck_of_block(background, diary, seed, patient, block))
    return luck.between(start, stop)


@lru_cache(maxsize=512)
def luck_of_block(
    background: Background, diary: DiaryHabits, seed: int, patient: int, block: int
) -> Luck:
    """The luck of one patient on one block of days; several arms draw it once."""
    first_day = block * BLOCK_DAYS
    run_in = min(RUN_IN_DAYS, first_day)
    days = first_day - run_in + np.arange(run_in + BLOCK_DAYS)
    fast_mark, count_mark, recorded_mark, grade_mark = quads(seed, patient, days, Purpose.DAY)
    fast = memory(ndtri(fast_mark))[run_in:]
    days = days[run_in:]
    for earlier in range(STRIDE, block, STRIDE):
        wandering_of_block(seed, patient, earlier)  # so that no recursion is deeper than this
    log_intensity, risk = level(background, wandering_of_block(seed, patient, block), days, fast)
    parents_per_day = np.minimum(
        background.parents_per_day * np.exp(log_intensity), MAXIMAL_PARENTS_PER_DAY
    )
    counts = poisson_quantile(count_mark[run_in:], parents_per_day * np.exp(MAXIMAL_LOG_HARM))
    parent_day = np.repeat(days, counts)
    number = np.arange(len(parent_day)) - np.repeat(np.cumsum(counts) - counts, counts)
    time_mark, mark, noted_mark, chain_mark = quads(
        seed, patient, parent_day, Purpose.PARENT, number
    )
    time_day = parent_day + on_grid(background.time_of_day.quantile(time_mark))
    n_later = chain_lengths(
        chain_mark, float(background.chain_probability), float(background.chain_shortening)
    )
    parent = np.repeat(np.arange(len(parent_day)), 1 + n_later)
    link = np.arange(len(parent)) - np.repeat(np.cumsum(1 + n_later) - (1 + n_later), 1 + n_later)
    delay_mark, later_mark, _, _ = quads(
        seed, patient, parent_day[parent], Purpose.OFFSPRING, number[parent] * 64 + link
    )
    is_later = link > 0
    delay_day = np.where(is_later, -OFFSPRING_DAYS * np.log(delay_mark), 0.0)
    so_far = np.cumsum(delay_day)
    since_day = so_far - so_far[np.flatnonzero(~is_later)][parent] if len(parent) else so_far
    events_per_day = np.bincount(parent_day[parent] - first_day, minlength=BLOCK_DAYS)
    return Luck(
        first_day=first_day,
        first_event=np.concatenate(([0], np.cumsum(events_per_day))),
        time_day=on_grid(time_day[parent] + since_day),
        least_effect=(MAXIMAL_LOG_HARM + np.log(mark))[parent],
        is_noted=np.where(is_later, later_mark, noted_mark[parent]) < diary.writing_probability,
        risk=risk,
        is_recorded=recorded_days(diary, recorded_mark[run_in:], days),
        grade_mark=grade_mark[run_in:],
    )


@lru_cache(maxsize=2048)
def wandering_of_block(seed: int, patient: int, block: int) -> Wandering:
    """The slow processes of one patient in one block, carried on from the block before it."""
    weeks = block * BLOCK_WEEKS + np.arange(BLOCK_WEEKS + 1)
    slow, drift, phase, change_mark = quads(seed, patient, weeks, Purpose.WEEK)
    slow, drift, phase = ndtri(slow), ndtri(drift), ndtri(phase)
    in_remission = np.zeros(BLOCK_WEEKS + 1, dtype=np.bool_)
    if block:
        before = wandering_of_block(seed, patient, block - 1)
        slow[0], drift[0], phase[0] = before.slow[-1], before.drift[-1], before.phase[-1]
        in_remission[0] = before.in_remission[-1]
    else:
        in_remission[0] = change_mark[0] < REMISSION_PER_YEAR * WEEK_DAYS / DAYS_PER_YEAR
    for values, days in ((slow, SLOW_DAYS), (drift, DRIFT_DAYS)):
        kept = np.exp(-WEEK_DAYS / days)
        for week in range(BLOCK_WEEKS):
            values[week + 1] = kept * values[week] + np.sqrt(1 - kept**2) * values[week + 1]
    for week in range(1, BLOCK_WEEKS + 1):
        per_year = RELAPSE_PER_YEAR if in_remission[week - 1] else REMISSION_PER_YEAR
        changes = change_mark[week] < per_year * WEEK_DAYS / DAYS_PER_YEAR
        in_remission[week] = in_remission[week - 1] ^ changes
    return Wandering(slow=slow, drift=drift, phase=np.cumsum(phase), in_remission=in_remission)


def memory(innovations: Floats) -> Floats:
    """A stationary autoregression of unit variance out of independent normal numbers, by day."""
    kept = float(np.exp(-1 / FAST_DAYS))
    fresh = float(np.sqrt(1 - kept**2))
    values = innovations.copy()
    for day in range(1, len(values)):
        values[day] = kept * values[day - 1] + fresh * values[day]
    return values


def level(
    background: Background, wandering: Wandering, days: Counts, fast: Floats
) -> tuple[Floats, Floats]:
    """The log intensity and the state of risk of each day of a block, at noon."""
    noon = days + 0.5
    week, share = np.divmod((noon - days[0]) / WEEK_DAYS, 1.0)
    week = week.astype(np.int64)
    slow = between_weeks(wandering.slow, week, share) * background.slow_log_sd
    drift = between_weeks(wandering.drift, week, share) * DRIFT_LOG_SD
    noise = PHASE_NOISE * np.sqrt(WEEK_DAYS / background.multidien.period_days)
    phase = between_weeks(wandering.phase, week, share) * noise
    multidien = background.multidien.log_factor(noon, phase)
    log_intensity = (
        fast * background.fast_log_sd
        - background.fast_log_sd**2 / 2
        + slow
        - variance_between_weeks(share, SLOW_DAYS) * background.slow_log_sd**2 / 2
        + drift
        - variance_between_weeks(share, DRIFT_DAYS) * DRIFT_LOG_SD**2 / 2
        + multidien
        + background.weekly.log_factor(noon)
        + background.annual.log_factor(noon)
        + np.where(wandering.in_remission[week], LOG_REMISSION, 0.0)
    )
    return log_intensity, (slow + multidien + background.multidien.log_mean) / background.risk_sd


def between_weeks(values: Floats, week: Counts, share: Floats) -> Floats:
    """Values at the weeks' edges, linear in between."""
    return values[week] * (1 - share) + values[week + 1] * share


def variance_between_weeks(share: Floats, time_constant_days: float) -> Floats:
    """The variance that linear interpolation leaves of a unit variance at the weeks' edges."""
    kept = np.exp(-WEEK_DAYS / time_constant_days)
    return np.asarray((1 - share) ** 2 + share**2 + 2 * share * (1 - share) * kept)


def recorded_days(diary: DiaryHabits, mark: Floats, days: Counts) -> Booleans:
    """Which of these days have an entry in the diary, given their marks."""
    is_kept = mark >= diary.missing_probability
    if diary.dropout_day is None:
        return np.asarray(is_kept)
    return np.asarray(is_kept & (days < diary.dropout_day))


def chain_lengths(mark: Floats, probability: float, shortening: float = 0.0) -> Counts:
    """How many seizures follow each parent: geometric, cut off at `MAXIMAL_CHAIN`.

    Without rescue there are n or more with the chance p^n: those of log(mark) / log(p). With it p
    is p q after the third seizure, which shrinks what lies beyond to log(p) / log(p q) of it.
    """
    if probability == 0:
        return np.zeros(len(mark), dtype=np.int64)
    lengths = np.log(mark) / np.log(probability)
    lengths = lengths - shortening * np.maximum(lengths - (N_BEFORE_RESCUE - 1), 0)
    return np.asarray(np.minimum(lengths, MAXIMAL_CHAIN).astype(np.int64))


def on_grid(time_day: Floats) -> Floats:
    """These times, each moved to the middle of its step of the grid."""
    return np.asarray((np.floor(time_day * TIMES_PER_DAY) + 0.5) / TIMES_PER_DAY)


def poisson_quantile(mark: Floats, mean: Floats) -> Counts:
    """The Poisson count below which a share `mark` lies, for each mark and its mean.

    Days are taken in groups of like means, so that a few heavy days do not widen the table of all.
    """
    counts = np.zeros(len(mean), dtype=np.int64)
    n_groups = min(1 + int(mean.max() / MEAN_PER_GROUP), LARGEST_N_GROUPS)
    for group in np.array_split(np.argsort(mean), n_groups):
        counts[group] = tabulated_quantile(mark[group], mean[group])
    return counts


def tabulated_quantile(mark: Floats, mean: Floats) -> Counts:
    """The same from one table of the distribution function, as far as any count can matter.

    This takes half the time of SciPy's inverse, and leaves nothing to a root finder's tolerance.
    """
    highest = float(mean.max(initial=0))
    counts = np.arange(int(highest + 10 * np.sqrt(highest) + 20))
    mean = np.maximum(mean, TINY_MEAN)[:, np.newaxis]  # a gamma factor may underflow to 0
    probabilities = np.exp(counts * np.log(mean) - mean - gammaln(counts + 1))
    return np.asarray((np.cumsum(probabilities, axis=1) < mark[:, np.newaxis]).sum(axis=1))
