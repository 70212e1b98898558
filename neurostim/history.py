"""What was asked for, delivered and seen so far, in columns with a patient axis first."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from protocols import Mode, Observation, Setting
from protocols.setting import INTEGER_FIELDS

Integers = NDArray[np.int64]

MISSING = -1
"""A count or grade that nobody wrote down, and every field of a setting that nobody asked for."""

BASELINE, RECOVERY, WASHOUT, TREATMENT, OPEN_LABEL = range(5)
PHASES = ("baseline", "recovery", "wash-out", "treatment", "open label")

SETTING_COLUMNS = (*INTEGER_FIELDS, "mode")
_MODES = tuple(Mode)
_NO_SETTING = (MISSING,) * len(SETTING_COLUMNS)


def setting_row(setting: Setting | None) -> tuple[int, ...]:
    """A setting as integers in the order of `SETTING_COLUMNS`; all `MISSING` for none."""
    if setting is None:
        return _NO_SETTING
    return (*(getattr(setting, name) for name in INTEGER_FIELDS), _MODES.index(setting.mode))


def row_setting(row: Sequence[int] | Integers) -> Setting | None:
    """The setting that `setting_row` made this row of."""
    values = [int(value) for value in row]
    if values[0] == MISSING:
        return None
    return Setting(**dict(zip(INTEGER_FIELDS, values[:-1], strict=True)), mode=_MODES[values[-1]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One epoch of one patient as a record, for readers who think in rows."""

    phase: str
    start_day: int
    days: int
    requested: Setting | None
    delivered: Setting
    n_seizures: int | None
    days_recorded: int
    worst_grade: int | None

    @property
    def rate_per_day(self) -> float | None:
        """Written seizures per recorded day, or None when no day was recorded."""
        return None if self.n_seizures is None else self.n_seizures / self.days_recorded


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """What B patients lived through, as columns `B T` (settings `B T 7`).

    Patient b has `n_epochs[b]` epochs, and the rest of the row is `MISSING`. Holds what a
    controller may know and nothing else: no hidden truth has a column here.
    """

    patients: Integers  # B, the patients' numbers in the trial
    n_epochs: Integers  # B
    phase: Integers
    start_day: Integers
    days: Integers
    n_seizures: Integers
    days_recorded: Integers
    worst_grade: Integers
    requested: Integers
    delivered: Integers

    @classmethod
    def empty(cls, patients: Sequence[int]) -> Self:
        """No epochs yet."""
        n_patients = len(patients)
        flat = np.full((n_patients, 0), MISSING)
        settings = np.full((n_patients, 0, len(SETTING_COLUMNS)), MISSING)
        columns = dict.fromkeys(_FLAT_COLUMNS, flat) | dict.fromkeys(_SETTING_ARRAYS, settings)
        return cls(
            patients=np.asarray(patients, dtype=np.int64),
            n_epochs=np.zeros(n_patients, dtype=np.int64),
            **columns,
        )

    @property
    def n_patients(self) -> int:
        """B."""
        return len(self.patients)

    @property
    def is_epoch(self) -> NDArray[np.bool_]:
        """Whether an entry is an epoch that happened, `B T`."""
        return np.arange(self.days.shape[1]) < self.n_epochs[:, None]

    def rows(self, index: Integers) -> Self:
        """The history of the patients at these positions, as long as the longest of them."""
        n_epochs = self.n_epochs[index]
        longest = int(n_epochs.max(initial=0))
        columns = {n: getattr(self, n)[index, :longest] for n in _FLAT_COLUMNS + _SETTING_ARRAYS}
        return replace(self, patients=self.patients[index], n_epochs=n_epochs, **columns)

    def with_rows(self, index: Integers, other: Self) -> Self:
        """The same history with the rows of another in place of those at these positions."""
        longest = max(self.days.shape[1], other.days.shape[1])
        columns = {}
        for name in _FLAT_COLUMNS + _SETTING_ARRAYS:
            column = _lengthened(getattr(self, name), longest)
            column[index] = _lengthened(getattr(other, name), longest)
            columns[name] = column
        n_epochs = self.n_epochs.copy()
        n_epochs[index] = other.n_epochs
        return replace(self, n_epochs=n_epochs, **columns)

    def append(
        self,
        index: Integers,
        phase: int,
        requested: Sequence[Setting | None],
        observations: Sequence[Observation],
    ) -> Self:
        """The same history with one more epoch for the patients at these positions."""
        at = self.n_epochs[index]
        entries: dict[str, Any] = {
            "phase": [phase] * len(index),
            "start_day": [o.start_day for o in observations],
            "days": [o.days for o in observations],
            "n_seizures": [_or_missing(o.n_seizures) for o in observations],
            "days_recorded": [o.days_recorded for o in observations],
            "worst_grade": [_or_missing(o.worst_grade) for o in observations],
            "requested": [setting_row(setting) for setting in requested],
            "delivered": [setting_row(o.telemetry.setting) for o in observations],
        }
        longest = max(self.days.shape[1], int(at.max(initial=-1)) + 1)
        columns = {}
        for name, values in entries.items():
            column = _lengthened(getattr(self, name), longest)
            column[index, at] = values
            columns[name] = column
        n_epochs = self.n_epochs.copy()
        n_epochs[index] += 1
        return replace(self, n_epochs=n_epochs, **columns)

    def patient(self, position: int) -> tuple[Epoch, ...]:
        """The epochs of the patient at this position as records."""
        return tuple(self._epoch(position, t) for t in range(int(self.n_epochs[position])))

    def _epoch(self, b: int, t: int) -> Epoch:
        delivered = row_setting(self.delivered[b, t])
        if delivered is None:
            raise ValueError(f"epoch {t} of patient {self.patients[b]} has no delivered setting")
        return Epoch(
            phase=PHASES[self.phase[b, t]],
            start_day=int(self.start_day[b, t]),
            days=int(self.days[b, t]),
            requested=row_setting(self.requested[b, t]),
            delivered=delivered,
            n_seizures=_or_none(self.n_seizures[b, t]),
            days_recorded=int(self.days_recorded[b, t]),
            worst_grade=_or_none(self.worst_grade[b, t]),
        )


_SETTING_ARRAYS = ("requested", "delivered")
_FLAT_COLUMNS = tuple(
    field.name
    for field in fields(History)
    if field.name not in ("patients", "n_epochs", *_SETTING_ARRAYS)
)


def _lengthened(column: Integers, length: int) -> Integers:
    longer = np.full((column.shape[0], length, *column.shape[2:]), MISSING)
    longer[:, : column.shape[1]] = column
    return longer


def _or_missing(value: int | None) -> int:
    return MISSING if value is None else value


def _or_none(value: np.int64) -> int | None:
    return None if value == MISSING else int(value)
