"""What was written, as counts over intervals of days."""

from datetime import date

import numpy as np
import pytest

from patient_models.diaries import Diary
from patient_models.seen import Seen, features
from protocols import InputError


def test_a_diary_is_its_recorded_days_from_the_first():
    diary = Diary(
        patient="a",
        counts={date(2026, 3, 5): 0, date(2026, 3, 1): 2, date(2026, 3, 2): 1},
    )
    seen = Seen.of_diary(diary)
    assert seen.first_day.tolist() == [0, 1, 4]
    assert seen.counts.tolist() == [2, 1, 0]
    assert (seen.days, seen.n_missing, seen.is_daily) == (5, 2, True)


def test_periods_follow_each_other():
    seen = Seen.of_periods([(56, 11), (14, 5), (14, 3)])
    assert seen.first_day.tolist() == [0, 56, 70]
    assert (seen.days, seen.n_missing, seen.is_daily) == (84, 0, False)


def test_the_same_intervals_of_other_lives_leave_out_what_was_not_recorded():
    seen = Seen(
        first_day=np.array([0, 3, 7]), n_days=np.array([2, 1, 3]), counts=np.array([1, 1, 1])
    )
    written = np.arange(20, dtype=np.uint16).reshape(2, 10)
    assert seen.of_lives(written).tolist() == [[1, 3, 24], [21, 13, 54]]


@pytest.mark.parametrize(
    ("first_day", "n_days", "counts", "sentence"),
    [
        ([], [], [], "nothing was written"),
        ([0, 1], [2, 1], [0, 0], "intervals in order"),
        ([-1], [1], [0], "intervals in order"),
        ([0], [0], [0], "intervals in order"),
        ([0], [1], [-1], "intervals in order"),
        ([0], [4_000], [1], "spans 4000 days: at most 3660"),
    ],
)
def test_what_is_no_record_is_refused(first_day, n_days, counts, sentence):
    columns = (np.array(each, dtype=np.int64) for each in (first_day, n_days, counts))
    with pytest.raises(InputError, match=sentence):
        Seen(**dict(zip(("first_day", "n_days", "counts"), columns, strict=True)))


def test_an_empty_diary_is_refused():
    with pytest.raises(InputError, match="the diary of a has no recorded day"):
        Seen.of_diary(Diary(patient="a"))


@pytest.mark.parametrize("n_days", [1, 2, 20, 200])
def test_features_are_finite_and_of_one_number_whatever_was_written(n_days):
    seen = Seen.of_periods([(1, 0)] * n_days)
    rng = np.random.default_rng(0)
    counts = np.stack([np.zeros(n_days, dtype=np.int64), rng.poisson(3, n_days)])
    counts = np.concatenate((counts, np.full((1, n_days), 300)))
    found = features(seen, counts)
    assert found.shape[0] == 3
    assert np.isfinite(found).all()
    assert features(seen, counts[:1]).shape[1] == found.shape[1]


def test_features_of_one_diary_do_not_depend_on_the_others():
    seen = Seen.of_periods([(1, 0)] * 90)
    counts = np.random.default_rng(1).poisson(1.0, (4, 90))
    together = features(seen, counts, breaks=(40,))
    for row in range(4):
        alone = features(seen, counts[row : row + 1], breaks=(40,))[0]
        assert np.allclose(alone, together[row], rtol=0, atol=1e-12)  # sums in another order


def test_a_cycle_shows_in_its_own_feature():
    seen = Seen.of_periods([(1, 0)] * 240)
    day = np.arange(240) + 0.5
    rng = np.random.default_rng(2)
    cyclic = rng.poisson(2 * np.exp(np.cos(2 * np.pi * day / 20)), (200, 240))
    flat = rng.poisson(cyclic.mean(), (200, 240))
    # The columns of `rhythm` are the last twelve: strength, cosine and sine at 7, 15, 20, 30 days.
    strengths = {
        name: features(seen, each)[:, -12::3] for name, each in (("cyclic", cyclic), ("flat", flat))
    }
    assert (strengths["cyclic"].argmax(1) == 2).mean() > 0.95
    assert strengths["cyclic"][:, 2].min() > strengths["flat"][:, 2].max()
