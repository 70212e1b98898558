"""The luck that one patient meets, in blocks of days: latent events and marks, alike in every arm.

Nothing here depends on what is delivered. Latent events come at the largest rate that any
stimulation could lead to; each carries the level that the effect of stimulation must exceed for it
to be a seizure.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from scipy.special import gammaincinv, gammaln

from patient_models.arrays import Booleans, Counts, Floats
from patient_models.law import Background, DiaryHabits
from patient_models.randomness import Purpose, uniforms

BLOCK_DAYS = 128
TIMES_PER_DAY = 2**32
"""Times lie in the middle of 2**32 steps of a day, so that float64 adds them without rounding."""

TINY_MEAN = 1e-300
MEAN_PER_GROUP = 25
LARGEST_N_GROUPS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Luck:
    """Consecutive days: a row per day, and a row per latent event in order of time.

    The latent events of day d, counted from `first_day`, are rows first_event[d] to first_event[d
    + 1].
    """

    first_day: int
    first_event: Counts
    time_day: Floats
    least_effect: Floats
    is_written: Booleans
    is_recorded: Booleans
    grade_mark: Floats
    side_effect_day: Floats

    def between(self, start: int, stop: int) -> Self:
        """The same luck on the days from `start` to before `stop` only."""
        days = slice(start - self.first_day, stop - self.first_day)
        first, last = self.first_event[days.start], self.first_event[days.stop]
        return type(self)(
            first_day=start,
            first_event=self.first_event[days.start : days.stop + 1] - first,
            time_day=self.time_day[first:last],
            least_effect=self.least_effect[first:last],
            is_written=self.is_written[first:last],
            is_recorded=self.is_recorded[days],
            grade_mark=self.grade_mark[days],
            side_effect_day=self.side_effect_day[days],
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
            is_written=np.concatenate((self.is_written, later.is_written)),
            is_recorded=np.concatenate((self.is_recorded, later.is_recorded)),
            grade_mark=np.concatenate((self.grade_mark, later.grade_mark)),
            side_effect_day=np.concatenate((self.side_effect_day, later.side_effect_day)),
        )


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
    days = block * BLOCK_DAYS + np.arange(BLOCK_DAYS)
    factor_mark, count_mark, recorded_mark, grade_mark, side_effect_mark = uniforms(
        seed, patient, days, DAILY_PURPOSES
    )
    bound_per_day = background.bound_per_day(days, gamma_factor(factor_mark, background.day_shape))
    counts = poisson_quantile(count_mark, bound_per_day)
    first_event = np.concatenate(([0], np.cumsum(counts)))
    row_day = np.repeat(np.arange(BLOCK_DAYS), counts)
    number = np.arange(first_event[-1]) - first_event[row_day]
    time_mark, acceptance_mark, written_mark = uniforms(
        seed, patient, days[row_day], LATENT_PURPOSES, number
    )
    is_recorded = recorded_mark >= diary.missing_probability
    time_day = days[row_day] + time_of_day(time_mark)
    order = np.argsort(time_day, kind="stable")
    return Luck(
        first_day=block * BLOCK_DAYS,
        first_event=first_event,
        time_day=time_day[order],
        least_effect=background.least_effect(days[row_day], time_day, acceptance_mark)[order],
        is_written=((written_mark < diary.writing_probability) & is_recorded[row_day])[order],
        is_recorded=is_recorded,
        grade_mark=grade_mark,
        side_effect_day=days + time_of_day(side_effect_mark),
    )


def addresses(*purposes: Purpose) -> Counts:
    """These purposes as a column, one row of random numbers each."""
    return np.array(purposes, dtype=np.int64)[:, np.newaxis]


DAILY_PURPOSES = addresses(
    Purpose.DAY_FACTOR,
    Purpose.LATENT_COUNT,
    Purpose.DAY_RECORDED,
    Purpose.SIDE_EFFECT_GRADE,
    Purpose.SIDE_EFFECT_TIME,
)
LATENT_PURPOSES = addresses(Purpose.LATENT_TIME, Purpose.LATENT_ACCEPTANCE, Purpose.LATENT_WRITTEN)


def time_of_day(mark: Floats) -> Floats:
    """When within its day something marked like this happens, strictly between 0 and 1."""
    return (np.floor(mark * TIMES_PER_DAY) + 0.5) / TIMES_PER_DAY


def gamma_factor(mark: Floats, shape: float) -> Floats:
    """The value of a gamma distribution of this shape and mean 1 below which `mark` of it lies."""
    return np.asarray(gammaincinv(shape, mark) / shape)


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
