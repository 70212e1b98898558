"""Diaries in the forms that people keep them; a missing day is never a zero."""

from datetime import date
from pathlib import Path

import pytest

from patient_models import read_baselines
from patient_models.csv_file import LARGEST_FILE_BYTES, LONGEST_LINE
from patient_models.diaries import Diary, Reading, read_diaries
from protocols import InputError

DAILY = {"date": "day", "count": "n"}


def read(
    tmp_path: Path, text: str | bytes, name: str = "own.csv", **options: object
) -> list[Diary]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_diaries(path, Reading(**{"columns": DAILY} | options)))  # type: ignore[arg-type]


def counts(diary: Diary) -> dict[str, int]:
    return {day.isoformat(): count for day, count in sorted(diary.counts.items())}


def test_a_row_per_day(tmp_path):
    [diary] = read(tmp_path, "day,n\n2026-01-03,2\n2026-01-01,0\n2026-01-02,\n2026-01-06,1\n")
    assert counts(diary) == {"2026-01-01": 0, "2026-01-03": 2, "2026-01-06": 1}
    assert (diary.first, diary.last) == (date(2026, 1, 1), date(2026, 1, 6))
    assert (diary.n_missing, diary.n_seizures) == (3, 3)


def test_kinds_of_seizures_in_columns_are_added_up(tmp_path):
    text = "day,gtc,focal\n2026-01-01,1,2\n2026-01-02,,3\n2026-01-03,,\n"
    [diary] = read(tmp_path, text, columns={"date": "day", "count": "gtc+focal"})
    assert counts(diary) == {"2026-01-01": 3, "2026-01-02": 3}


def test_kinds_of_seizures_in_rows_are_added_up(tmp_path):
    text = "day,kind,n\n2026-01-01,gtc,1\n2026-01-01,focal,2\n"
    [diary] = read(tmp_path, text)
    assert counts(diary) == {"2026-01-01": 3}


def test_patients_are_kept_apart(tmp_path):
    text = "who,day,n\nann,2026-01-01,1\nbob,2026-01-01,5\nann,2026-01-02,0\n"
    ann, bob = read(tmp_path, text, columns={**DAILY, "patient": "who"})
    assert (ann.patient, counts(ann)) == ("ann", {"2026-01-01": 1, "2026-01-02": 0})
    assert (bob.patient, bob.n_seizures) == ("bob", 5)


def test_a_column_per_day(tmp_path):
    text = "who,2026-01-01,2026-01-02,note,2026-01-03\nann,1,,seen,0\nbob,,,moved,\n"
    [ann] = read(tmp_path, text, columns={"patient": "who", "count": "*"})
    assert counts(ann) == {"2026-01-01": 1, "2026-01-03": 0}


def test_a_row_per_seizure_and_a_silence_that_is_too_long(tmp_path):
    text = "when\n2026-01-01T08:00\n2026-01-01T20:00\n2026-01-04T01:00\n2026-02-20T01:00\n"
    [diary] = read(tmp_path, text, columns={"date": "when"}, longest_silence_days=30)
    assert counts(diary) == {
        "2026-01-01": 2, "2026-01-02": 0, "2026-01-03": 0, "2026-01-04": 1, "2026-02-20": 1,
    }  # fmt: skip
    assert diary.n_missing == 46


def test_the_day_is_the_patients_own(tmp_path):
    text = "when\n2026-07-01T23:30+00:00\n2026-07-01T23:30\n"
    options = {"columns": {"date": "when"}, "timezone": "Europe/Berlin"}
    [diary] = read(tmp_path, text, **options)
    assert counts(diary) == {"2026-07-01": 1, "2026-07-02": 1}


def test_other_dates_are_named_explicitly(tmp_path):
    text = "day,n\n03.01.2026,2\n"
    [diary] = read(tmp_path, text, date_format="%d.%m.%Y")
    assert counts(diary) == {"2026-01-03": 2}
    with pytest.raises(InputError, match=r"day = '03\.01\.2026', a date of the form ISO"):
        read(tmp_path, text)


def test_events_of_bids(tmp_path):
    text = (
        "onset\tduration\teventType\n0.0\t600\tbckg\n3600.5\t60\tsz_foc_ia\n"
        "90000\t30\tsz\n345600\t600\tbckg\n"
    )
    columns = {"onset": "onset", "kind": "eventType"}
    [diary] = read(tmp_path, text, "x_events.tsv", columns=columns, start="2026-01-01T12:00")
    assert counts(diary) == {
        "2026-01-01": 1, "2026-01-02": 1, "2026-01-03": 0, "2026-01-04": 0, "2026-01-05": 0,
    }  # fmt: skip


def test_periods_are_what_baselines_are_read_from(tmp_path):
    days = "".join(f"2026-01-{day:02d},{day % 2}\n" for day in range(1, 32) if day != 5)
    [diary] = read(tmp_path, "day,n\n" + days)
    assert list(diary.periods()) == [(1, 27, 13), (2, 3, 2)]
    rows = "".join(f"1,{period},{n},{count}\n" for period, n, count in diary.periods())
    (tmp_path / "baselines.csv").write_text("patient,period,days,count\n" + rows)
    [person] = read_baselines(tmp_path / "baselines.csv").patients
    assert (person.count, person.days) == (diary.n_seizures, len(diary.counts))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("day,n\n2026-01-01,two\n", "line 2: n = 'two'"),
        ("day,n\n2026-01-01,1.5\n", "line 2: n = '1.5'"),
        ("day,n\n2026-01-01,-1\n", "line 2: n = '-1'"),
        ("day,n\n2026-01-01,nan\n", "line 2: n = 'nan'"),
        ("day,n\n2026-01-01,=1+1\n", "line 2: n = '=1+1'"),
        ("day,n\n2026-13-01,1\n", "line 2: day = '2026-13-01'"),
        ("day,n\n0001-01-01,1\n", "line 2: day = '0001-01-01'"),
        ("day,n\n2026-01-01,1\n2026-01-01,2\n", "line 3: 2026-01-01 of patient 1"),
        ("date,n\n2026-01-01,1\n", "line 1: one column 'day'"),
        ("day,n\n", "one or more lines"),
        ("day,n\n2026-01-01,\n", "no day with an entry"),
        ("day,n\n2026-01-01,1,2\n", "line 2: as many fields"),
        ("day,n\n" + "1" * (LONGEST_LINE + 1), "line 2: longer than"),
        (b"a" * (LARGEST_FILE_BYTES + 1), "at most"),
        (b"day,n\n2026-01-01,\xff\n", "line 2: not UTF-8"),
        (b"day,n\n2026-01-01,1\0\n", "NUL"),
    ],
)
def test_a_mistake_names_its_line_and_its_value(tmp_path, text, sentence):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert sentence in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["=cmd()", "+1", "@x", "-x", " "])
def test_a_name_that_would_run_in_a_spreadsheet_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="line 2"):
        read(tmp_path, f"who,day,n\n{name},2026-01-01,1\n", columns={**DAILY, "patient": "who"})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"columns": {"count": "n"}}, "date=COLUMN"),
        ({"columns": {**DAILY, "colour": "x"}}, "--map colour"),
        ({"columns": DAILY, "timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"columns": DAILY, "longest_silence_days": 0}, "1 day or more"),
        ({"columns": {"onset": "onset"}, "start": "noon"}, "--start noon"),
        ({"columns": {**DAILY, "onset": "onset"}}, "a row per event"),
        ({"columns": {**DAILY, "kind": "kind"}}, "a row per event"),
    ],
)
def test_a_reading_that_cannot_be_is_refused(options, sentence):
    with pytest.raises(InputError) as caught:
        Reading(**options)
    assert sentence in str(caught.value)


def test_a_patient_or_a_day_that_comes_twice_is_refused(tmp_path):
    columns = {"patient": "who", "count": "*"}
    with pytest.raises(InputError, match="patient ann comes twice"):
        read(tmp_path, "who,2026-01-01\nann,1\nann,2\n", columns=columns)
    with pytest.raises(InputError, match="heading of two columns"):
        read(tmp_path, "who,2026-01-01,2026-01-01T05:00\nann,1,2\n", columns=columns)


def test_seconds_are_seconds(tmp_path):
    columns = {"onset": "onset"}
    with pytest.raises(InputError, match="line 2: onset = 'inf', seconds"):
        read(tmp_path, "onset\ninf\n", columns=columns, start="2026-01-01")
