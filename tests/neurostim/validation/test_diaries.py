import numpy as np
import pytest
from validation.poisson_cohorts import from_counts, from_times

from neurostim.validation.cohorts import TrialDiaries


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recorded": np.ones((1, 3), dtype=bool)}, "must be"),
        ({"counts": [[0, 2, -1], [0, 0, 1]]}, "-1 seizures"),
        ({"recorded": np.array([[True, False, True], [True, True, True]])}, "not recorded"),
        ({"row": np.array([0, 0, 1])}, "together"),
        ({"row": np.array([1, 0, 0]), "time_day": np.array([2.5, 1.1, 1.2])}, "sorted"),
        ({"row": np.array([0, 0, 1]), "time_day": np.array([1.2, 1.1, 2.5])}, "sorted"),
        ({"row": np.array([0, 0, 1]), "time_day": np.array([1.1, 1.2, 3.5])}, "outside"),
        ({"row": np.array([0, 0, 1]), "time_day": np.array([0.1, 1.2, 2.5])}, "add up"),
    ],
)
def test_diaries_that_contradict_themselves_do_not_construct(change, message) -> None:
    good = {"counts": [[0, 2, 0], [0, 0, 1]]}
    from_counts(**good)
    with pytest.raises(ValueError, match=message):
        from_counts(**good | change)


def test_days_without_an_entry_are_left_out_of_rates_and_never_counted_as_free() -> None:
    recorded = np.ones((2, 60), dtype=bool)
    recorded[0, 30:46] = False
    recorded[1] = False
    counts = np.zeros((2, 60), dtype=int)
    counts[0, 0] = 11
    diaries = from_counts(counts, recorded)
    rates = diaries.monthly_rates()
    assert rates[0] == pytest.approx(30 * 11 / 44)
    assert np.isnan(rates[1])
    # 30 recorded days hold 11; the second block has 14 of 30, under half
    assert diaries.blocks()[0, 0] == 11
    assert np.isnan(diaries.blocks()[0, 1])


def test_a_block_of_which_half_is_recorded_is_scaled_to_its_length() -> None:
    recorded = np.ones((1, 30), dtype=bool)
    recorded[0, :15] = False
    counts = np.where(recorded, 1, 0)
    assert from_counts(counts, recorded).blocks() == pytest.approx(np.array([[30.0]]))


def test_lives_are_the_times_of_those_who_wrote_enough() -> None:
    diaries = from_times([[0.5], [], [1.5, 0.25, 2.0]], 3)
    assert [len(life) for life in diaries.lives(0)] == [1, 0, 3]
    (life,) = diaries.lives(2)
    assert list(life) == [0.25, 1.5, 2.0]
    with pytest.raises(ValueError, match="needs times"):
        from_counts([[1]]).lives(1)


def test_thinning_spares_the_days_before_and_keeps_the_share_asked_for() -> None:
    diaries = from_counts(np.full((100, 10), 50))
    thinned = diaries.thinned(0.7, 4, np.random.default_rng(1)).counts
    assert (thinned[:, :4] == 50).all()
    # 30,000 coins: one SE is √(0.21 / 30000) = 0.0026
    assert thinned[:, 4:].mean() / 50 == pytest.approx(0.7, abs=4 * 0.0026)


@pytest.mark.parametrize(
    "change",
    [
        {"arm": np.array([0, 2])},
        {"arm": np.array([0, 1, 1])},
        {"n_per_replicate": 3},
        {"blinded_start_day": 3},
        {"blinded_end_day": 21},
        {"year_end_days": (8,)},
        {"year_end_days": (21,)},
    ],
)
def test_a_trial_whose_windows_or_arms_do_not_fit_does_not_construct(change) -> None:
    good = {
        "diaries": from_counts(np.zeros((2, 20), dtype=int)),
        "arm": np.array([0, 1]),
        "n_per_replicate": 2,
        "baseline_days": 4,
        "blinded_start_day": 5,
        "blinded_end_day": 8,
        "year_end_days": (20,),
    }
    assert TrialDiaries(**good).n_replicates == 1
    with pytest.raises(ValueError, match=r"arm|replicates|windows"):
        TrialDiaries(**good | change)
