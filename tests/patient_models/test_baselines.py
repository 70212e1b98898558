import importlib.resources

import numpy as np
import pandas as pd
import pytest

from patient_models import read_baselines, thall_vail
from patient_models.csv_file import LARGEST_FILE_BYTES, LONGEST_LINE
from protocols import InputError

HEADER = "patient,period,days,count\n"


@pytest.fixture
def csv_file(tmp_path):
    def write(content):
        path = tmp_path / "diary.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_the_thall_vail_trial_agrees_with_pandas():
    path = importlib.resources.files("statsmodels") / "genmod/tests/results/epil.csv"
    expected = pd.read_csv(str(path)).groupby("subject", sort=False).base.first()
    trial = thall_vail()
    assert len(trial) == 59
    assert [each.count for each in trial.patients] == expected.tolist()
    assert [each.patient for each in trial.patients] == [str(subject) for subject in expected.index]
    counts = [each.count for each in trial.patients]
    assert (min(counts), np.median(counts), max(counts), sum(counts)) == (6, 22, 151, 1842)
    assert {each.days for each in trial.patients} == {56}
    assert trial.patients[0].rate_per_day == 11 / 56
    assert trial.fingerprint == "03350bcba0250a2e615aadf234c1a7c54c492f50715240e0b97cf672490bf302"


def test_periods_of_a_patient_are_added_up(csv_file):
    text = "note,count,patient,days,period\nx,3,ann,28,1\n,0,bob,10,1\n,4,ann,14,2\n"
    baselines = read_baselines(csv_file(text))
    assert [(each.patient, each.count, each.days) for each in baselines.patients] == [
        ("ann", 7, 42),
        ("bob", 0, 10),
    ]
    assert baselines.patients[1].rate_per_day == 0.05  # half a seizure where none was written
    assert baselines.name == "diary.csv"


def test_the_fingerprint_is_of_the_people_not_of_the_file(csv_file):
    first = read_baselines(csv_file(HEADER + "ann,1,28,7\nbob,1,28,2\n"))
    again = read_baselines(csv_file(b"\xef\xbb\xbf" + (HEADER + "ann,1,28,7\nbob,1,28,2").encode()))
    other = read_baselines(csv_file(HEADER + "ann,1,28,7\nbob,1,28,3\n"))
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_as_a_distribution_each_person_is_equally_likely(csv_file):
    baselines = read_baselines(csv_file(HEADER + "a,1,10,5\nb,1,10,1\nc,1,10,3\n"))
    uniform = np.array([1e-16, 0.3, 0.34, 0.66, 0.67, 1 - 2**-53])
    assert baselines.quantile(uniform).tolist() == [0.1, 0.1, 0.3, 0.3, 0.5, 0.5]


MISTAKES = {
    "empty": ("", "line 1: one column 'patient'"),
    "header only": (HEADER, "one or more lines below the header"),
    "a missing column": ("patient,period,days\na,1,28\n", "line 1: one column 'count'"),
    "a column twice": (
        "patient,period,days,count,count\na,1,28,3,4\n",
        "line 1: one column 'count'",
    ),
    "text": (HEADER + "a,1,28,3\nb,1,28,many\n", "line 3: count = 'many', a whole number"),
    "NaN": (HEADER + "a,1,28,NaN\n", "line 2: count = 'NaN'"),
    "nothing": (HEADER + "a,1,28,\n", "line 2: count = ''"),
    "a negative count": (HEADER + "a,1,28,-3\n", "line 2: count = '-3'"),
    "a fraction": (HEADER + "a,1,28,3.5\n", "line 2: count = '3.5'"),
    "a huge count": (HEADER + "a,1,28,99999999999\n", "line 2: count = '99999999999'"),
    "digits of another script": (HEADER + "a,1,28,٣\n", "line 2: count = '٣'"),
    "zero days": (HEADER + "a,1,0,3\n", "line 2: days = '0', a whole number from 1"),
    "infinite days": (HEADER + "a,1,inf,3\n", "line 2: days = 'inf'"),
    "no patient": (HEADER + " ,1,28,3\n", "line 2: patient = ' ', a name"),
    "no period": (HEADER + "a,,28,3\n", "line 2: period = '', a name"),
    "a period twice": (HEADER + "a,1,28,3\na,1,28,3\n", "line 3: period = '1' comes twice"),
    "a short line": (HEADER + "a,1,28\n", "line 2: as many fields"),
    "a long line": (HEADER + "a,1,28,3,9\n", "line 2: as many fields"),
    "an open quote": (HEADER + '"a,1,28,3\n', "line 2: not readable as CSV"),
    "a huge line": (HEADER + "a" * (LONGEST_LINE + 1) + ",1,28,3\n", "line 2: longer than"),
    "a huge file": (b"#" * (LARGEST_FILE_BYTES + 1), "at most 10,000,000 bytes"),
    "a NUL byte": (HEADER + "a,1,28,3\nb\0,1,28,3\n", "line 3: a NUL byte"),
    "Latin-1": ((HEADER + "andr\xe9,1,28,3\n").encode("latin-1"), "line 2: not UTF-8 text"),
    "UTF-16": ((HEADER + "a,1,28,3\n").encode("utf-16"), "line 1: "),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_one_sentence_that_says_where(name, csv_file):
    content, expected = MISTAKES[name]
    path = csv_file(content)
    with pytest.raises(InputError) as problem:
        read_baselines(path)
    sentence = str(problem.value)
    assert sentence.startswith(str(path))
    assert expected in sentence
    assert "\n" not in sentence
    assert len(sentence) < len(str(path)) + 200


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: cannot be read \(No such file"):
        read_baselines(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_baselines(tmp_path)
