"""What a batch's histories teach: beliefs that take up each new epoch as it comes.

A belief is kept from visit to visit and only told what is new. When it does not fit the histories
it is asked about (other patients, an epoch that was undone, a run that was resumed), it is built
again from the first epoch on, with the same result.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurostim.encoding import Encoding
from neurostim.history import MISSING, SETTING_COLUMNS, History, Integers, setting_row
from neurostim.surrogate import LIKELIHOODS, Belief, ListPrior, Observed
from protocols import BOTHERSOME_GRADE, Setting

USUAL_LOG_RATE = float(np.log(0.4))
"""Of a patient whose first epoch has no diary: drug-resistant people write some 12 in 30 days."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """What is the same for every patient of an arm."""

    candidates: tuple[Setting, ...]  # M, off first
    rows: Integers  # M 7
    encoded: Tensor  # M d
    effects: ListPrior
    side_effects: ListPrior | None
    knows_levels: bool = False
    """Whether the prior knows what rates patients have; else the first epoch tells."""
    discarded_days: int = 0
    """After a change of setting, in which what is written in the diary teaches nothing."""

    @property
    def device(self) -> torch.device:
        """What computes."""
        return self.encoded.device


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What has been told so far: of these patients, so many epochs each, and which they were."""

    history: History
    effects: Belief
    side_effects: Belief | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beliefs:
    """About the effects of settings, and perhaps about their side effects."""

    tables: Tables
    told: Told | None = None

    def after(self, history: History) -> tuple[Self, Told]:
        """Beliefs that hold all of these histories, and what they say about these patients."""
        position = None if self.told is None else _positions(self.told.history, history)
        if self.told is None or position is None:
            told = _start(self.tables, history)
            position = np.arange(history.n_patients)
        else:
            told = self.told
        told = _tell(self.tables, told, history, position)
        asked = _rows(told, position)
        # The first epoch of a patient decides where that patient's belief starts.
        is_lasting = bool((history.n_epochs > 0).all())
        return (replace(self, told=told) if is_lasting else self), asked


def _positions(known: History, history: History) -> Integers | None:
    """Where these patients are among the known ones, or None when the histories do not fit."""
    place = {patient: b for b, patient in enumerate(known.patients.tolist())}
    if not all(patient in place for patient in history.patients.tolist()):
        return None
    position = np.array([place[patient] for patient in history.patients.tolist()], dtype=np.int64)
    before = known.rows(position)
    n_known = before.days.shape[1]
    if (before.n_epochs > history.n_epochs).any():
        return None
    is_told = before.is_epoch
    for name in ("start_day", "days", "n_seizures", "days_recorded", "worst_grade", "delivered"):
        earlier, now = getattr(before, name), getattr(history, name)[:, :n_known]
        if not np.array_equal(earlier[is_told], now[is_told]):
            return None
    return position


def _start(tables: Tables, history: History) -> Told:
    level = None
    if not tables.knows_levels and not history.days.shape[1]:
        level = tensor(tables, np.full(history.n_patients, USUAL_LOG_RATE))
    elif not tables.knows_levels:
        count, days = history.n_seizures[:, 0], history.days_recorded[:, 0]
        is_known = history.is_epoch[:, 0] & (days > 0)
        log_rate = np.log((np.maximum(count, 0) + 0.5) / np.maximum(days, 1))
        level = tensor(tables, np.where(is_known, log_rate, USUAL_LOG_RATE))
    n, side_effects = history.n_patients, None
    if tables.side_effects is not None:
        side_effects = Belief.start(tables.side_effects, LIKELIHOODS["occurrence"], n)
    return Told(
        history=History.empty(history.patients.tolist()),
        effects=Belief.start(tables.effects, LIKELIHOODS["counts"], n, level),
        side_effects=side_effects,
    )


def _tell(tables: Tables, told: Told, history: History, position: Integers) -> Told:
    """What is known after each new epoch of the patients at these positions was told in turn."""
    n_patients = told.history.n_patients
    n_told = told.history.n_epochs[position]
    effects, side_effects = told.effects, told.side_effects
    while (n_told < history.n_epochs).any():
        new = np.flatnonzero(n_told < history.n_epochs)
        visits = _Visits(tables, history, new, n_told[new], position[new], n_patients)
        effects = effects.told(visits.seizures())
        if side_effects is not None:
            side_effects = side_effects.told(visits.side_effects())
        n_told[new] += 1
    known = _with_rows(told.history, history, position)
    return Told(history=known, effects=effects, side_effects=side_effects)


def _with_rows(known: History, history: History, position: Integers) -> History:
    """The known histories with these rows in place of those of the same patients."""
    if np.array_equal(position, np.arange(known.n_patients)):
        return history
    return known.with_rows(position, history)


def _rows(told: Told, position: Integers) -> Told:
    if np.array_equal(position, np.arange(told.history.n_patients)):
        return told
    index = torch.from_numpy(position).to(told.effects.mean.device)
    return Told(
        history=told.history.rows(position),
        effects=told.effects.of(index),
        side_effects=told.side_effects and told.side_effects.of(index),
    )


class _Visits:
    """One epoch of some patients of a batch, of each the next one that is yet to be told."""

    def __init__(
        self,
        tables: Tables,
        history: History,
        rows: Integers,
        epochs: Integers,
        position: Integers,
        n_patients: int,
    ) -> None:
        self.tables, self.history, self.at = tables, history, (rows, epochs)
        self.position, self.n_patients = position, n_patients
        self.places = places_of(tables, history.delivered[rows, epochs])

    def seizures(self) -> Observed:
        """What the diary tells."""
        days = self.history.days_recorded[self.at]
        is_seen = (days > 0) & ~self._is_discarded()
        return self._observed(self.history.n_seizures[self.at], days, is_seen)

    def side_effects(self) -> Observed:
        """Whether a bothersome side effect was reported."""
        grade = self.history.worst_grade[self.at]
        days = self.history.days[self.at]
        return self._observed(grade >= BOTHERSOME_GRADE, days, grade != MISSING)

    def _is_discarded(self) -> NDArray[np.bool_]:
        """Whether an epoch begins too soon after a change of setting, `b`."""
        rows, epochs = self.at
        if not self.tables.discarded_days:
            return np.zeros(len(rows), dtype=np.bool_)
        number = np.arange(self.history.days.shape[1])
        is_same = (self.history.delivered[rows] == self.history.delivered[self.at][:, None]).all(2)
        is_before = number < epochs[:, None]
        first = 1 + np.where(is_before & ~is_same, number, -1).max(axis=1)
        on_for = self.history.start_day[self.at] - self.history.start_day[rows, first]
        is_soon: NDArray[np.bool_] = (first > 0) & (on_for < self.tables.discarded_days)
        return is_soon

    def _observed(
        self, value: NDArray[Any], exposure: Integers, is_seen: NDArray[np.bool_]
    ) -> Observed:
        days = self.history.days[self.at]
        middle = self.history.start_day[self.at] + days / 2
        return Observed(
            index=self._spread(self.places, 0),
            value=self._number(value, 0),
            exposure=self._number(exposure, 1),
            days=self._number(days, 1),
            at_day=self._number(middle, 0),
            mask=self._spread(is_seen, False),
            is_epoch=self._spread(np.ones_like(is_seen), False),
        )

    def _spread(self, values: NDArray[Any], otherwise: object) -> Tensor:
        """These values at their patients' places, and another one for everybody else."""
        everyone = np.full(self.n_patients, otherwise, dtype=values.dtype)
        everyone[self.position] = values
        return torch.from_numpy(everyone).to(self.tables.device)

    def _number(self, values: NDArray[Any], otherwise: float) -> Tensor:
        return self._spread(values.astype(np.float64), otherwise).to(self.tables.encoded)


def tensor(tables: Tables, values: NDArray[np.generic]) -> Tensor:
    """These numbers, on the device that computes."""
    return torch.from_numpy(np.asarray(values, dtype=np.float64)).to(tables.encoded)


def places_of(tables: Tables, delivered: Integers) -> Integers:
    """Where on the list each delivered setting is, `...`; one that is not counts as the nearest.

    The gate may deliver what is not on the list, when it holds or lowers a wish. Nearest is among
    the settings of the same site, by amplitude first.
    """
    rows = delivered.reshape(-1, len(SETTING_COLUMNS))
    distinct, which = np.unique(rows, axis=0, return_inverse=True)
    return np.array([_place(tables, row) for row in distinct], dtype=np.int64)[which].reshape(
        delivered.shape[:-1]
    )


def _place(tables: Tables, row: Integers) -> int:
    if row[0] == MISSING or row[1] == 0:
        return 0
    is_same = (tables.rows == row).all(axis=1)
    if is_same.any():
        return int(is_same.argmax())
    away = np.abs(tables.rows - row)
    return int(np.lexsort((away[:, 2], away[:, 1], away[:, 0]))[0])


def tables_of(
    candidates: tuple[Setting, ...],
    encoding: Encoding,
    effects: ListPrior,
    side_effects: ListPrior | None,
    *,
    compute: str,
    knows_levels: bool = False,
    discarded_days: int = 0,
) -> Tables:
    """Tables on the device that computes."""
    return Tables(
        candidates=candidates,
        rows=np.array([setting_row(setting) for setting in candidates]),
        encoded=encoding.settings(candidates).to(compute),
        effects=effects.to(compute),
        side_effects=side_effects.to(compute) if side_effects else None,
        knows_levels=knows_levels,
        discarded_days=discarded_days,
    )
