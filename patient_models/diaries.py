"""Seizure diaries that people kept: read from the forms they come in, day by day.

Three forms are understood, and which one a file has follows from the columns that are mapped:

- one row per day (or per day and kind of seizure) with a count;
- one row per patient, with a column for each day, its date as the heading;
- one row per seizure, or per event of which some are seizures, with no count; an event may be
  placed by its onset in seconds after the start of a recording, as in the events.tsv of BIDS.

A day is recorded or missing, and a missing day is never a zero. In the first form a day is recorded
when it has a row with a count; in the second, when its cell is not empty; in the third, which says
nothing about the days between, every day from a patient's first to last event is recorded, apart
from stretches longer than `longest_silence_days`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from re import fullmatch
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from patient_models.csv_file import name_in, rows_of, shown, whole_number
from protocols import InputError

FIELDS = ("date", "count", "patient", "onset", "kind")
EVERY_DATE = "*"
"""As the mapping of `count`: every column whose heading is a date holds that day's count."""

ONLY_PATIENT = "1"
FIRST_YEAR, LAST_YEAR = 1900, 2200
PERIOD_DAYS = 28
FORMULA_SIGNS = ("=", "+", "-", "@")
"""A name that begins so would run as a formula when the result is opened in a spreadsheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a file is to be read.

    `columns` maps date, count, patient, onset and kind to column headings; several count columns
    are joined by "+" and added up. `date_format` is as in `datetime.strptime`, and ISO 8601 when
    empty. A time with an offset is moved to `timezone` before its date is taken; one without is
    local already. `onset` holds seconds after the row's date, or after `start` where no date is
    mapped. Where `kind` is mapped, rows whose kind begins with `seizure_kind` are the seizures.
    """

    columns: Mapping[str, str]
    date_format: str = ""
    timezone: str = "UTC"
    longest_silence_days: int = 60
    start: str = ""
    seizure_kind: str = "sz"

    def __post_init__(self) -> None:
        for name in self.columns:
            if name not in FIELDS:
                raise InputError(f"--map {name}=...: one of {', '.join(FIELDS)} was expected")
        if "count" in self.columns and {"onset", "kind"} & set(self.columns):
            raise InputError("--map: onset and kind belong to a row per event, which has no count")
        is_dated = "date" in self.columns or ("onset" in self.columns and self.start)
        if self.columns.get("count") != EVERY_DATE and not is_dated:
            raise InputError(
                "--map: date=COLUMN was expected, or count=* for a column per day, "
                "or onset=COLUMN with --start"
            )
        if self.start and _moment_or_none(self.start, "") is None:
            raise InputError(f"--start {self.start}: a time of the form 2026-01-31T08:00 expected")
        if self.longest_silence_days < 1:
            raise InputError(f"longest silence {self.longest_silence_days}: 1 day or more")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InputError(
                f"time zone {self.timezone!r}: a name such as Europe/Berlin was expected"
            ) from None

    @property
    def count_columns(self) -> tuple[str, ...]:
        """The headings of the columns that are added up to a count."""
        return tuple(part.strip() for part in self.columns.get("count", "").split("+") if part)


@dataclass(slots=True)
class Diary:
    """What one person wrote: the count of each recorded day."""

    patient: str
    counts: dict[date, int] = field(default_factory=dict)

    @property
    def first(self) -> date:
        """The first recorded day."""
        return min(self.counts)

    @property
    def last(self) -> date:
        """The last recorded day."""
        return max(self.counts)

    @property
    def n_missing(self) -> int:
        """Days between the first and the last that have no entry."""
        return (self.last - self.first).days + 1 - len(self.counts)

    @property
    def n_seizures(self) -> int:
        """All seizures that were written down."""
        return sum(self.counts.values())

    def periods(self) -> Iterator[tuple[int, int, int]]:
        """Number, recorded days and seizures of each 28 days from the first that have an entry."""
        days: dict[int, int] = {}
        seizures: dict[int, int] = {}
        for day, count in sorted(self.counts.items()):
            period = (day - self.first).days // PERIOD_DAYS
            days[period] = days.get(period, 0) + 1
            seizures[period] = seizures.get(period, 0) + count
        for period, n_days in days.items():
            yield period + 1, n_days, seizures[period]


def read_diaries(path: Path, reading: Reading) -> tuple[Diary, ...]:
    """The diaries in a file, in the order in which their patients appear.

    Raises `InputError` with one sentence that names the line and the value of the first mistake.
    """
    if reading.columns.get("count") == EVERY_DATE:
        return _finished(_columns_of_days(path, reading), path)
    if reading.count_columns:
        return _finished(_rows_of_days(path, reading), path)
    return _finished(_rows_of_seizures(path, reading), path)


def delimiter_of(path: Path) -> str:
    """A tab for .tsv, a comma for anything else."""
    return "\t" if path.suffix == ".tsv" else ","


Diaries = dict[str, Diary]


def _finished(diaries: Diaries, path: Path) -> tuple[Diary, ...]:
    found = tuple(diary for diary in diaries.values() if diary.counts)
    if not found:
        raise InputError(f"{path}: no day with an entry was found")
    return found


def _rows_of_days(path: Path, reading: Reading) -> Diaries:
    """One row per day; where rows name no kind of seizure, a day that comes twice is a mistake."""
    keys = [heading for name, heading in reading.columns.items() if name != "count"]
    columns = [*keys, *reading.count_columns]
    diaries: Diaries = {}
    seen: dict[tuple[str, date, tuple[str, ...]], int] = {}
    for line, row in rows_of(path, columns, delimiter_of(path)):
        patient, day = _patient(path, line, row, reading), _day(path, line, row, reading)
        others = tuple(value for name, value in row.items() if name not in columns)
        first = seen.setdefault((patient, day, others), line)
        if first != line:
            raise InputError(
                f"{path}, line {line}: {day} of patient {patient} stands on line {first} already"
            )
        count = _count(path, line, row, reading.count_columns)
        diary = diaries.setdefault(patient, Diary(patient))
        if count is not None:
            diary.counts[day] = diary.counts.get(day, 0) + count
    return diaries


def _columns_of_days(path: Path, reading: Reading) -> Diaries:
    """One row per patient, one column per day."""
    columns = [reading.columns["patient"]] if "patient" in reading.columns else []
    diaries: Diaries = {}
    for line, row in rows_of(path, columns, delimiter_of(path)):
        patient = _patient(path, line, row, reading)
        if patient in diaries:
            raise InputError(f"{path}, line {line}: patient {patient} comes twice")
        diary = diaries.setdefault(patient, Diary(patient))
        for heading in row:
            day = _date_or_none(heading, reading)
            count = _count(path, line, row, (heading,)) if day else None
            if day is not None and count is not None:
                if day in diary.counts:
                    raise InputError(f"{path}, line 1: {day} is the heading of two columns")
                diary.counts[day] = count
    return diaries


def _rows_of_seizures(path: Path, reading: Reading) -> Diaries:
    """One row per seizure; what lies between seizures is recorded unless it is too long."""
    columns = [heading for name, heading in reading.columns.items() if name != "count"]
    kind = reading.columns.get("kind")
    diaries: Diaries = {}
    for line, row in rows_of(path, columns, delimiter_of(path)):
        patient, day = _patient(path, line, row, reading), _day(path, line, row, reading)
        counts = diaries.setdefault(patient, Diary(patient)).counts
        is_seizure = kind is None or row[kind].strip().startswith(reading.seizure_kind)
        counts[day] = counts.get(day, 0) + is_seizure
    for diary in diaries.values():
        for day in _silent_days(diary.counts, reading.longest_silence_days):
            diary.counts[day] = 0
    return diaries


def _silent_days(days: Iterable[date], longest: int) -> list[date]:
    ordered = sorted(days)
    return [
        earlier + timedelta(days=n)
        for earlier, later in pairwise(ordered)
        if (later - earlier).days - 1 <= longest
        for n in range(1, (later - earlier).days)
    ]


def _patient(path: Path, line: int, row: Mapping[str, str], reading: Reading) -> str:
    if "patient" not in reading.columns:
        return ONLY_PATIENT
    name = name_in(path, line, reading.columns["patient"], row)
    if name.startswith(FORMULA_SIGNS):
        raise InputError(
            f"{path}, line {line}: {reading.columns['patient']} = {shown(name)}: a name was "
            "expected, and this would run as a formula in a spreadsheet"
        )
    return name


def _day(path: Path, line: int, row: Mapping[str, str], reading: Reading) -> date:
    heading = reading.columns.get("date")
    text = row[heading] if heading else reading.start
    moment = _moment_or_none(text, reading.date_format if heading else "")
    if moment is None:
        form = reading.date_format or "ISO (2026-01-31)"
        raise InputError(
            f"{path}, line {line}: {heading} = {shown(text)}, "
            f"a date of the form {form} was expected"
        )
    if "onset" in reading.columns:
        moment += timedelta(seconds=_seconds(path, line, row, reading.columns["onset"]))
    return _local_date(moment, reading)


def _seconds(path: Path, line: int, row: Mapping[str, str], heading: str) -> float:
    text = row[heading].strip()
    if not fullmatch(r"[0-9]{1,9}([.][0-9]{1,12})?", text):
        raise InputError(
            f"{path}, line {line}: {heading} = {shown(text)}, seconds from 0 up were expected"
        )
    return float(text)


def _date_or_none(text: str, reading: Reading) -> date | None:
    moment = _moment_or_none(text, reading.date_format)
    return None if moment is None else _local_date(moment, reading)


def _moment_or_none(text: str, date_format: str) -> datetime | None:
    try:
        if date_format:
            moment = datetime.strptime(text.strip(), date_format)
        else:
            moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None


def _local_date(moment: datetime, reading: Reading) -> date:
    if moment.tzinfo is not None:
        moment = moment.astimezone(ZoneInfo(reading.timezone))
    return moment.date()


def _count(path: Path, line: int, row: Mapping[str, str], columns: Iterable[str]) -> int | None:
    """The sum over these columns of a row; None when all of them are empty."""
    found = [
        whole_number(path, line, column, row[column], lowest=0)
        for column in columns
        if row[column].strip()
    ]
    return sum(found) if found else None
