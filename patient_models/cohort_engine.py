"""The cohort engine: many patients at once, day by day, on tensors of the CPU or a GPU.

It lives the law of `law` with the luck of `luck`: each patient's life is, up to rounding, the one
that `event_engine` gives, with one difference. Every day is lived: a severe side effect is reported
on its day and ends nothing, so whoever decides between epochs must look at `worst_grade`. Settings
are taken as delivered, and devices are not kept.

Inside, days are rows and patients columns, so that one day of all patients is contiguous. Nothing
depends on who else is in a cohort: sums over events are sums of whole numbers.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from itertools import pairwise
from math import exp, sqrt
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from patient_models.arrays import Counts, Floats
from patient_models.cohort import Cohort, Lives, Pending, Wandering
from patient_models.cohort_columns import Columns, places, taken
from patient_models.cohort_effect import Effect
from patient_models.cohort_side_effects import SideEffects
from patient_models.doses import Doses, doses_of
from patient_models.law import (
    DRIFT_DAYS,
    DRIFT_LOG_SD,
    FAST_DAYS,
    LOG_REMISSION,
    MAXIMAL_CHAIN,
    MAXIMAL_PARENTS_PER_DAY,
    N_BEFORE_RESCUE,
    OFFSPRING_DAYS,
    RELAPSE_PER_YEAR,
    REMISSION_PER_YEAR,
    SLOW_DAYS,
    WEEK_DAYS,
    carried_after,
)
from patient_models.luck import DAYS_PER_YEAR, TIMES_PER_DAY, variance_between_weeks
from patient_models.randomness import Purpose
from patient_models.response import MAXIMAL_LOG_HARM, Steady
from patient_models.tensor_randomness import poisson_quantile, uniform, words
from protocols import Setting

CHUNK_DAYS = 63
CHUNK_CELLS = {"cpu": 1 << 17, "cuda": 1 << 22}
"""Patient-days at a time: few enough for a processor's cache, many enough to fill a GPU."""

CHUNK_PARENTS = {"cpu": 1 << 19, "cuda": 1 << 24}
"""Latent chains at a time, as expected in the long run: this bounds the memory in use."""

DELAY_STEPS_PER_DAY = 2.0**48
"""Delays within chains are summed in whole steps, so that sums of other chains cancel exactly."""

NO_SEIZURES = np.empty(0, np.int64), np.empty(0), np.empty(0, np.bool_)
LARGEST_FACTOR = exp(MAXIMAL_LOG_HARM)
LINKS_PER_PARENT = 64


def advance(
    cohort: Cohort,
    settings: Setting | Sequence[Setting],
    days: int,
    *,
    with_times: bool = False,
    with_side_effects: bool = False,
) -> tuple[Cohort, Lives]:
    """Every patient at one setting, or each at their own, for these days.

    The times of seizures and the types of side effects are there if asked for. What is in memory
    beside the result is bounded, unless times are asked for.
    """
    if days < 1:
        raise ValueError(f"days = {days}: 1 or more was expected")
    doses = doses_for(settings, len(cohort.patients))
    response = cohort.parameters.response
    steady = response.steady(doses)
    load = cohort.parameters.tolerance.relative_load(doses)
    lives = Lives.blank(cohort.day, len(cohort.patients), days, with_side_effects=with_side_effects)

    def live(rows: slice) -> Window:
        window = Window(cohort, rows, steady, load, with_times=with_times)
        for first in range(0, days, CHUNK_DAYS):
            window.live(lives, first, min(days, first + CHUNK_DAYS))
        return window

    wandering, pending, happened = [], [], []
    for window in each_chunk(live, chunks(cohort, days), cohort.compute):
        wandering.append(window.wandering())
        pending.append(in_order(window.rows, [window.pending]))
        if with_times:
            happened.append(in_order(window.rows, window.happened))
    if with_times:
        row, time_day, is_written = joined(happened) if happened else NO_SEIZURES
        lives = replace(lives, row=row, time_day=time_day, is_written=is_written)
    later = replace(
        cohort,
        day=cohort.day + days,
        carried=carried_after(cohort.carried, steady, load, response, days),
        wandering=Wandering(*joined(wandering)) if wandering else cohort.wandering,
        pending=Pending(*joined(pending)) if pending else cohort.pending,
    )
    return later, lives


class Seizures(NamedTuple):
    """Flat tensors with one element per seizure; rows count from the first of a chunk."""

    row: Tensor
    time_day: Tensor
    is_noted: Tensor

    def where(self, is_kept: Tensor) -> "Seizures":
        """Those of them that are kept."""
        kept = places(is_kept)
        return Seizures(*(taken(each, kept) for each in self))


class Window:
    """Some patients of a cohort while they are advanced; what they carry changes by the day."""

    def __init__(
        self,
        cohort: Cohort,
        rows: slice,
        steady: Steady,
        load: Floats,
        *,
        with_times: bool,
    ) -> None:
        self.seed = cohort.seed
        self.rows = rows
        self.start_day = cohort.day
        self.with_times = with_times
        self.columns = Columns(cohort, rows)
        column = self.columns.column
        self.effect = Effect(cohort, steady, self.columns)
        self.side_effects = SideEffects(cohort, load, self.columns)
        wandering, pending = cohort.wandering, cohort.pending
        self.slow, self.drift = column(wandering.slow), column(wandering.drift)
        self.phase, self.fast = column(wandering.phase), column(wandering.fast)
        self.in_remission = column(wandering.in_remission) > 0
        first, last = np.searchsorted(pending.row, (rows.start, rows.stop))
        self.pending = Seizures(
            *(
                torch.tensor(each, device=cohort.compute)
                for each in (
                    pending.row[first:last] - rows.start,
                    pending.time_day[first:last],
                    pending.is_noted[first:last],
                )
            )
        )
        self.happened: list[Seizures] = []

    def live(self, lives: Lives, start: int, stop: int) -> None:
        """Live the days from `start` to before `stop` of the epoch, and write them down."""
        columns, days = self.columns, self.start_day + np.arange(start, stop)
        day_words = words(self.seed, columns.patient, columns.days(days), Purpose.DAY)
        fast_mark, count_mark, recorded_mark, grade_mark = (uniform(each) for each in day_words)
        is_recorded = recorded_mark >= columns.missing
        if columns.dropout_day is not None:
            is_recorded &= columns.days(days) < columns.dropout_day
        level, swing = self.level(days, self.memory(fast_mark, int(days[0])))
        share = self.effect.share(days, swing)
        mean = level.exp_().clamp_(max=MAXIMAL_PARENTS_PER_DAY).mul_(LARGEST_FACTOR)
        counts = poisson_quantile(count_mark.flatten(), mean.flatten())
        seizures, written = self.chains(days, counts, share.flatten(), is_recorded.flatten())
        place = self.rows, slice(start, stop)
        lives.seizures[place] = on_cpu(seizures.view(level.shape).T)
        lives.written[place] = on_cpu(written.view(level.shape).T)
        lives.is_recorded[place] = on_cpu(is_recorded.T)
        if not self.side_effects.is_nothing:
            felt = self.side_effects.on(days, grade_mark, is_recorded)
            at, row = np.divmod(on_cpu(felt.cell), level.shape[1])
            at, row = at + start, row + self.rows.start
            lives.worst_grade[row, at] = on_cpu(felt.grade)
            lives.reported_grade[row, at] = on_cpu(felt.reported_grade)
            if lives.side_effect is not None:
                lives.side_effect[row, at] = on_cpu(felt.side_effect)

    def wandering(self) -> tuple[NDArray[Any], ...]:
        """What the background carries on from here, in the order of `Wandering`."""
        carried = (self.slow, self.drift, self.phase, self.in_remission, self.fast)
        return tuple(on_cpu(each) for each in carried)

    def memory(self, mark: Tensor, first_day: int) -> Tensor:
        """Day-to-day memory on each of these days: days x patients; see `luck.memory`."""
        kept = exp(-1 / FAST_DAYS)
        fresh = sqrt(1 - kept**2)
        values: Tensor = torch.special.ndtri(mark)
        yesterday = self.fast
        for day, value in enumerate(values, start=first_day):
            if day > 0:
                value.mul_(fresh).add_(yesterday, alpha=kept)
            yesterday = value
        self.fast = yesterday.clone()  # what comes of `values` changes them in place
        return values

    def level(self, days: Counts, fast: Tensor) -> tuple[Tensor, Tensor]:
        """The log of parents per day, and the swing of risk: days x patients; see `luck.level`."""
        columns = self.columns
        first_week, next_week = int(days[0]) // WEEK_DAYS, int(days[-1] + 1) // WEEK_DAYS
        slow, drift, phase, in_remission = self.edges(first_week, int(days[-1]) // WEEK_DAYS + 1)
        at = next_week - first_week
        self.slow, self.drift, self.phase = slow[at], drift[at], phase[at]
        self.in_remission = in_remission[at]
        week = columns.days(days // WEEK_DAYS - first_week)[:, 0]
        share_of_week = (days % WEEK_DAYS + 0.5) / WEEK_DAYS
        share = columns.days(share_of_week)

        def between(values: Tensor) -> Tensor:
            left, right = values.index_select(0, week), values.index_select(0, week + 1)
            return left.mul_(1 - share).add_(right.mul_(share))

        slow_variance = columns.days(variance_between_weeks(share_of_week, SLOW_DAYS))
        drift_variance = columns.days(variance_between_weeks(share_of_week, DRIFT_DAYS))
        noon = columns.days(days + 0.5)
        swing = between(slow * columns.slow_sd)
        level = fast.mul_(columns.fast_sd).add_(columns.log_parents)
        level.sub_(drift_variance * (DRIFT_LOG_SD**2 / 2))
        level.addcmul_(slow_variance, columns.slow_sd**2, value=-0.5)
        level.add_(between(drift * DRIFT_LOG_SD))
        lull = in_remission.to(torch.float64).mul_(LOG_REMISSION)
        level.add_(lull.index_select(0, week))
        columns.multidien.add_to(swing, noon, between(phase * columns.phase_noise))
        columns.weekly.add_to(level, noon)
        columns.annual.add_to(level, noon)
        return level.add_(swing), swing

    def edges(self, first: int, last: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The slow processes at the edges of these weeks: (last - first + 1) x patients."""
        weeks = self.columns.days(np.arange(first + 1, last + 1))
        marks = [uniform(e) for e in words(self.seed, self.columns.patient, weeks, Purpose.WEEK)]
        slow, drift, phase = (torch.special.ndtri(each) for each in marks[:3])
        edges = [(self.slow, self.drift, self.phase, self.in_remission)]
        relapse, remission = marks[3].new_tensor((RELAPSE_PER_YEAR, REMISSION_PER_YEAR))
        slow_kept, drift_kept = exp(-WEEK_DAYS / SLOW_DAYS), exp(-WEEK_DAYS / DRIFT_DAYS)
        for week in range(last - first):
            before = edges[-1]
            per_year = torch.where(before[3], relapse, remission)
            edges.append(
                (
                    slow_kept * before[0] + sqrt(1 - slow_kept**2) * slow[week],
                    drift_kept * before[1] + sqrt(1 - drift_kept**2) * drift[week],
                    before[2] + phase[week],
                    before[3] ^ (marks[3][week] < per_year * WEEK_DAYS / DAYS_PER_YEAR),
                )
            )
        slow, drift, phase, in_remission = (torch.stack(each) for each in zip(*edges, strict=True))
        return slow, drift, phase, in_remission

    def chains(
        self, days: Counts, counts: Tensor, share: Tensor, is_recorded: Tensor
    ) -> tuple[Tensor, Tensor]:
        """All and written seizures of each cell, which is a day of a patient; days first.

        Of the latent chains of a cell, `share` are seizures; see `luck.luck_of_block`.
        """
        columns, n_cells = self.columns, len(counts)
        row_of_cell = columns.index.repeat(len(days))
        day_of_cell = columns.days(days)[:, 0].repeat_interleave(len(columns.index))
        cell = torch.repeat_interleave(counts)
        day = taken(day_of_cell, cell)
        number = torch.arange(len(cell), device=cell.device)
        number.sub_(taken(counts.cumsum(0) - counts, cell))
        patient = taken(columns.patient[row_of_cell], cell)
        time_word, word, noted_word, chain_word = words(
            self.seed, patient, day, Purpose.PARENT, number
        )
        kept = places(uniform(word) < taken(share, cell))
        cell, number = taken(cell, kept), taken(number, kept)
        row = taken(row_of_cell, cell)
        is_noted = uniform(taken(noted_word, kept)) < taken(columns.writing, row)
        n_later = uniform(taken(chain_word, kept)).log_().div_(taken(columns.log_chain, row))
        beyond = (n_later - (N_BEFORE_RESCUE - 1)).clamp_(min=0)
        n_later.sub_(beyond.mul_(taken(columns.chain_shortening, row)))
        n_later = n_later.clamp_(max=MAXIMAL_CHAIN).to(torch.int64)
        # The hour of a parent matters to those who follow it, or if times are asked for.
        timed = places(torch.ones_like(n_later) if self.with_times else n_later)
        mark = uniform(taken(taken(time_word, kept), timed))
        row, day = taken(row, timed), taken(taken(day, kept), timed)
        time_day = day + on_grid(columns.time_of_day(mark, row))
        parents = Seizures(row, time_day, taken(is_noted, timed))
        offspring = self.offspring(parents, day, taken(number, timed), taken(n_later, timed))
        later = Seizures(*(torch.cat(each) for each in zip(self.pending, offspring, strict=True)))
        is_now = later.time_day < float(days[-1] + 1)
        self.pending, now = later.where(~is_now), later.where(is_now)
        day_now = now.time_day.to(torch.int64) - int(days[0])
        cells = torch.cat((cell, day_now * len(columns.index) + now.row))
        are_written = torch.cat((is_noted, now.is_noted)) & taken(is_recorded, cells)
        if self.with_times:
            rows, times = torch.cat((row, now.row)), torch.cat((time_day, now.time_day))
            self.happened.append(Seizures(rows, times, are_written))
        written = torch.bincount(taken(cells, places(are_written)), minlength=n_cells)
        return torch.bincount(cells, minlength=n_cells), written

    def offspring(
        self, parents: Seizures, day: Tensor, number: Tensor, n_later: Tensor
    ) -> Seizures:
        """What follows these parents, given their days, their numbers and how many follow."""
        parent = torch.repeat_interleave(n_later)
        first = n_later.cumsum(0) - n_later
        link = torch.arange(1, len(parent) + 1, device=parent.device).sub_(taken(first, parent))
        row = taken(parents.row, parent)
        delay_word, noted_word, _, _ = words(
            self.seed,
            taken(self.columns.patient, row),
            taken(day, parent),
            Purpose.OFFSPRING,
            taken(number, parent).mul_(LINKS_PER_PARENT).add_(link),
        )
        delay = uniform(delay_word).log_().mul_(-OFFSPRING_DAYS * DELAY_STEPS_PER_DAY)
        # A long sum of whole numbers wraps, and its differences are right all the same.
        so_far = torch.cat((link.new_zeros(1), delay.to(torch.int64))).cumsum(0)
        since = so_far[1:] - taken(taken(so_far, first), parent)
        time_day = taken(parents.time_day, parent) + since.to(torch.float64) / DELAY_STEPS_PER_DAY
        is_noted = uniform(noted_word) < taken(self.columns.writing, row)
        return Seizures(row, on_grid(time_day), is_noted)


def doses_for(settings: Setting | Sequence[Setting], n_patients: int) -> Doses:
    """The dose of each patient; each different setting is looked at once."""
    each = [settings] * n_patients if isinstance(settings, Setting) else settings
    if len(each) != n_patients:
        raise ValueError(f"{len(each)} settings: one, or one for each of {n_patients} was expected")
    place = {setting: i for i, setting in enumerate(dict.fromkeys(each))}
    index = np.array([place[setting] for setting in each], dtype=np.int64)
    doses = doses_of(tuple(place))
    return Doses(**{field.name: getattr(doses, field.name)[index] for field in fields(Doses)})


def chunks(cohort: Cohort, days: int) -> Iterator[slice]:
    """Consecutive patients who are advanced together."""
    days = min(days, CHUNK_DAYS)
    n_parents = days * LARGEST_FACTOR * np.asarray(cohort.parameters.background.parents_per_day)
    cost = days / CHUNK_CELLS[cohort.compute] + n_parents / CHUNK_PARENTS[cohort.compute]
    chunk = np.cumsum(np.broadcast_to(cost, cohort.patients.shape)).astype(np.int64)
    edges = np.flatnonzero(np.diff(chunk, prepend=-1, append=-1))
    return (slice(int(start), int(stop)) for start, stop in pairwise(edges))


def each_chunk(
    live: Callable[[slice], Window], chunks: Iterator[slice], compute: str
) -> Iterator[Window]:
    """Live each chunk, on the CPU as many at once as Torch has threads, one thread for each.

    Operations on a chunk are too small to share out: threads would mostly wait for each other, and
    forever on a machine that is busy otherwise.
    """
    n_threads = torch.get_num_threads()
    if compute != "cpu" or n_threads == 1:
        yield from map(live, chunks)
        return
    try:
        with ThreadPoolExecutor(
            n_threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            yield from pool.map(live, chunks)
    finally:
        torch.set_num_threads(n_threads)  # what the workers set holds for threads yet to come, too


def on_grid(time_day: Tensor) -> Tensor:
    """These times, each moved to the middle of its step of the grid; see `luck`."""
    return (time_day * TIMES_PER_DAY).floor_().add_(0.5).div_(TIMES_PER_DAY)


def on_cpu(values: Tensor) -> NDArray[Any]:
    """A tensor of any device as an array."""
    return np.asarray(values.cpu().numpy())


def in_order(rows: slice, parts: Sequence[Seizures]) -> tuple[NDArray[Any], ...]:
    """The seizures of a chunk by their row in the whole cohort, and by time."""
    row, time_day, mark = (on_cpu(torch.cat(each)) for each in zip(*parts, strict=True))
    order = np.lexsort((mark, time_day, row))
    return row[order] + rows.start, time_day[order], mark[order]


def joined(chunks: Sequence[tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
    """Columns of chunks of patients as columns of all."""
    return tuple(np.concatenate(each) for each in zip(*chunks, strict=True))
