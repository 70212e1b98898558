"""What real people wrote in their diaries before treatment: a shipped trial, or a CSV file.

A CSV file is UTF-8 text whose first line names the columns `patient`, `period`, `days` and
`count`, in any order, beside any others. Each further line is one period of one patient: over so
many days recorded, so many seizures written. Several periods of one patient are added up.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from patient_models.arrays import Floats
from patient_models.csv_file import name_in, rows_of, shown, whole_number
from protocols import InputError

COLUMNS = ("patient", "period", "days", "count")

COUNT_IF_NONE = 0.5
"""Added when nothing was written at all: a rate of zero is only a short diary."""

THALL_VAIL_FILE = "genmod/tests/results/epil.csv"
THALL_VAIL_DAYS = 56
"""The baseline of the progabide trial was eight weeks (Thall and Vail 1990, Biometrics 46:657)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What one person wrote: so many seizures over so many recorded days."""

    patient: str
    count: int
    days: int

    @property
    def rate_per_day(self) -> float:
        """Written seizures per day, above 0."""
        return (self.count or COUNT_IF_NONE) / self.days


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """The baselines of one or more people; as a distribution, each of them is equally likely."""

    name: str
    patients: tuple[Baseline, ...]

    def __post_init__(self) -> None:
        if not self.patients:
            raise ValueError("patients = (): one or more people were expected")

    def __len__(self) -> int:
        return len(self.patients)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the people, counts and days used, whatever file they came from."""
        rows = [[each.patient, each.count, each.days] for each in self.patients]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def quantile(self, uniform: Floats) -> Floats:
        """The written rates per day below which these shares of the people lie."""
        rates = np.sort([each.rate_per_day for each in self.patients])
        return rates[(uniform * len(rates)).astype(np.int64)]


def thall_vail() -> Baselines:
    """The 59 people of a trial of progabide in epilepsy, as statsmodels ships them."""
    path = Path(str(files("statsmodels").joinpath(THALL_VAIL_FILE)))
    counts: dict[str, int] = {}
    for line, row in rows_of(path, ("subject", "base")):
        count = whole_number(path, line, "base", row["base"], lowest=0)
        if counts.setdefault(row["subject"], count) != count:
            raise InputError(f"{path}, line {line}: base = {count} differs from an earlier line")
    return Baselines(
        name="thall-vail",
        patients=tuple(
            Baseline(patient=patient, count=count, days=THALL_VAIL_DAYS)
            for patient, count in counts.items()
        ),
    )


def read_baselines(path: Path) -> Baselines:
    """The baselines in a CSV file; raises `InputError` with a sentence on the first mistake."""
    counts: dict[str, int] = {}
    days: dict[str, int] = {}
    periods: set[tuple[str, str]] = set()
    for line, row in rows_of(path, COLUMNS):
        patient, period = (name_in(path, line, column, row) for column in ("patient", "period"))
        if (patient, period) in periods:
            raise InputError(f"{path}, line {line}: period = {shown(period)} comes twice")
        periods.add((patient, period))
        count = whole_number(path, line, "count", row["count"], lowest=0)
        counts[patient] = counts.get(patient, 0) + count
        days[patient] = days.get(patient, 0) + whole_number(
            path, line, "days", row["days"], lowest=1
        )
    return Baselines(
        name=path.name,
        patients=tuple(
            Baseline(patient=patient, count=counts[patient], days=days[patient])
            for patient in counts
        ),
    )
