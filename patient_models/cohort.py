"""Many patients as columns: who they are, what they carry, and what they lived.

Plain values in NumPy, with a row per patient; `cohort_engine` advances them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from patient_models.arrays import Booleans, Counts, Floats
from patient_models.enrolment import Enrolment
from patient_models.law import REMISSION_PER_YEAR, WEEK_DAYS, Carried, Parameters
from patient_models.luck import DAYS_PER_YEAR
from patient_models.population import Population, draw_columns
from patient_models.randomness import Purpose, quads
from patient_models.saving import parameters_from_dict

COMPUTES = ("cpu", "cuda")


@dataclass(frozen=True, slots=True, eq=False)
class Wandering:
    """What the background of each patient carries from day to day, of unit variance.

    `slow`, `drift`, `phase` and `in_remission` are those at the edge at which the current week
    began, `fast` is yesterday's.
    """

    slow: Floats
    drift: Floats
    phase: Floats
    in_remission: Booleans
    fast: Floats

    @classmethod
    def begin(cls, seed: int, patients: Counts) -> Self:
        """The state at enrolment."""
        slow, drift, phase, mark = quads(seed, patients, 0, Purpose.WEEK)
        return cls(
            slow=ndtri(slow),
            drift=ndtri(drift),
            phase=ndtri(phase),
            in_remission=mark < REMISSION_PER_YEAR * WEEK_DAYS / DAYS_PER_YEAR,
            fast=np.zeros(len(slow)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """Later seizures of chains that have begun: whose (row), when, and whether they are noted."""

    row: Counts
    time_day: Floats
    is_noted: Booleans


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cohort:
    """B patients at the start of a day: a plain value, in NumPy, with a row per patient.

    `compute`, "cpu" or "cuda", is where they are advanced; it may be replaced at any time.
    """

    seed: int
    patients: Counts
    parameters: Parameters
    day: int
    carried: Carried
    wandering: Wandering
    pending: Pending
    compute: str = "cpu"

    def __post_init__(self) -> None:
        if self.compute not in COMPUTES:
            raise ValueError(f"compute = {self.compute!r}: cpu or cuda was expected")

    @classmethod
    def enrol(
        cls,
        population: Population,
        *,
        seed: int,
        patients: Sequence[int],
        n_sites: int,
        enrolment: Enrolment | None = None,
        compute: str = "cpu",
    ) -> Self:
        """These patients on day 0: the same people as `population.draw` gives."""
        columns = draw_columns(population, seed, patients, n_sites, enrolment)
        return cls.begin(columns, seed=seed, patients=patients, compute=compute)

    @classmethod
    def begin(
        cls, parameters: Parameters, *, seed: int, patients: Sequence[int], compute: str = "cpu"
    ) -> Self:
        """Patients of any family on day 0, given the columns of parameters that it drew."""
        index = np.array(patients, dtype=np.int64)
        none = np.zeros(len(index))
        return cls(
            seed=seed,
            patients=index,
            parameters=parameters,
            day=0,
            carried=Carried(high=none, low=none, progress=none, habituated=none),
            wandering=Wandering.begin(seed, index),
            pending=Pending(
                row=np.empty(0, np.int64), time_day=np.empty(0), is_noted=np.empty(0, np.bool_)
            ),
            compute=compute,
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it, flat, with dotted names, as `numpy.savez(path, **cohort.to_dict())` needs."""
        return dict(flat("", asdict(self)))

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """The cohort of such a dictionary, or of what `numpy.load` makes of a saved one."""
        nested = nested_of(saved)
        return cls(
            seed=nested["seed"],
            patients=nested["patients"],
            parameters=parameters_from_dict(nested["parameters"]),
            day=nested["day"],
            carried=Carried(**nested["carried"]),
            wandering=Wandering(**nested["wandering"]),
            pending=Pending(**nested["pending"]),
            compute=nested["compute"],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lives:
    """What happened to B patients on D days from `first_day` on: B x D arrays.

    `seizures` counts all true ones, `written` those in the diary, 0 on a missed day; `worst_grade`
    is true of each day, recorded or not, and `reported_grade` is what was told of it: nothing on a
    missed day, but from severe up always. `side_effect` is of what type the worst one was, as 1 and
    its index in the target's list, 0 for none. The last three list every true seizure in order of
    row and time. These four are None unless asked for.
    """

    first_day: int
    seizures: NDArray[np.uint16]
    written: NDArray[np.uint16]
    is_recorded: Booleans
    worst_grade: NDArray[np.uint8]
    reported_grade: NDArray[np.uint8]
    side_effect: NDArray[np.uint8] | None = None
    row: Counts | None = None
    time_day: Floats | None = None
    is_written: Booleans | None = None

    @classmethod
    def blank(
        cls, first_day: int, n_patients: int, days: int, *, with_side_effects: bool = False
    ) -> Self:
        """Lives that are yet to be filled in; nobody has felt anything."""
        shape = (n_patients, days)
        return cls(
            first_day=first_day,
            seizures=np.empty(shape, np.uint16),
            written=np.empty(shape, np.uint16),
            is_recorded=np.empty(shape, np.bool_),
            worst_grade=np.zeros(shape, np.uint8),
            reported_grade=np.zeros(shape, np.uint8),
            side_effect=np.zeros(shape, np.uint8) if with_side_effects else None,
        )


def flat(prefix: str, nested: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The leaves of nested dictionaries under dotted names, without those that are None."""
    for name, value in nested.items():
        if isinstance(value, dict):
            yield from flat(f"{prefix}{name}.", value)
        elif value is not None:
            yield prefix + name, value


def nested_of(saved: Mapping[str, Any]) -> dict[str, Any]:
    """What `flat` made flat, nested again; arrays without a dimension are numbers or text."""
    nested: dict[str, Any] = {}
    for name in saved:
        *path, last = name.split(".")
        inner = nested
        for part in path:
            inner = inner.setdefault(part, {})
        value = saved[name]
        inner[last] = value.item() if isinstance(value, np.ndarray) and not value.ndim else value
    return nested
