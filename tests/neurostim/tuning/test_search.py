"""The search on a made-up response whose best choice is known, and what differences are."""

import numpy as np
import pytest
from tuning.synthetic import RUNGS, SPACE, best_of_random, lives, searched, true_share

from neurostim.tuning.difference import SHARE, difference, is_on_front, measured
from neurostim.tuning.effects import main_effects
from neurostim.tuning.ground import Lives
from neurostim.tuning.search import Known, check_budget, next_asked, promotable, rungs_of, winner
from protocols import InputError

BUDGET = 10.0
SEEDS = range(3)


def test_a_known_response_is_searched_better_than_at_random() -> None:
    gained = np.array(
        [
            true_share(winner(searched(BUDGET, seed))) - true_share(best_of_random(BUDGET, seed))
            for seed in SEEDS
        ]
    )
    error = gained.std(ddof=1) / np.sqrt(len(gained))
    assert gained.mean() > 3 * error


def test_what_is_next_depends_on_nothing_but_what_is_known() -> None:
    known = searched(5.0, 1)
    again = Known(space=SPACE, rungs=RUNGS, lives=dict(known.lives))
    assert next_asked(known, 1) == next_asked(again, 1)


def test_every_choice_begins_on_the_lowest_rung_and_the_budget_holds() -> None:
    known = searched(BUDGET, 1)
    assert BUDGET - 0.5 <= known.cost <= BUDGET
    assert len(known.on(0)) > 2 * len(known.on(2))
    for choice, rung in known.lives:
        assert rung == 0 or (choice, rung - 1) in known.lives


def test_what_patients_speak_against_does_not_go_on() -> None:
    off = ((0, 0), (4, 0), (4, 2))
    worse = [SPACE.usual, *((0, second, 0, fourth, 0, 0, 0, 4) for second, fourth in off)]
    known = Known(space=SPACE, rungs=RUNGS, lives={(c, 0): lives(c, 0, 0) for c in worse})
    assert promotable(known, 0) == []
    better = (3, 2, 2, 1, 2, 4, 3, 0)
    known = Known(space=SPACE, rungs=RUNGS, lives={**known.lives, (better, 0): lives(better, 0, 0)})
    assert promotable(known, 0) == [better]


def test_main_effects_find_the_knob_that_matters_most() -> None:
    known = searched(BUDGET, 2)
    found = {each.knob.name: each for each in main_effects(known, known.model())}
    assert found["first"].verdict == "worth tuning"
    assert found["first"].best.value in (2, 3, 4)
    for each in found.values():
        assert 0 <= each.variance_share <= 1
        assert all(value.error > 0 for value in each.values)


def test_a_difference_is_a_ratio_of_sums_with_the_error_of_pairs() -> None:
    usual, other = lives(SPACE.usual, 2, 3), lives((3, 2, 2, 1, 2, 4, 3, 0), 2, 3)
    found = difference(other, usual)
    pairs = (np.array(other.gained) - np.array(usual.gained)) / np.array(usual.gap)
    assert found.values[SHARE] == pytest.approx(pairs.mean())
    assert found.errors[SHARE] == pytest.approx(pairs.std(ddof=1) / np.sqrt(len(pairs)))
    alone = np.hypot(measured(usual).errors[SHARE], measured(other).errors[SHARE])
    assert found.errors[SHARE] < 0.7 * alone
    value, variance = found.weighed(np.array([1.0, 0.0, 0.0]))
    assert (value, variance**0.5) == pytest.approx((found.values[SHARE], found.errors[SHARE]))


def test_where_nobody_has_anything_to_gain_the_share_is_nothing() -> None:
    n = 4
    flat = Lives(
        patients=tuple(range(n)), days=(10,) * n, gained=(0.0,) * n, gap=(0.0,) * n,
        unsafe_days=(0, 1, 2, 3), n_changes=(0,) * n,
    )  # fmt: skip
    found = measured(flat)
    assert np.isfinite(found.covariance).all()
    assert found.values.tolist() == [0.0, 15.0, 0.0]


def test_different_patients_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same patients"):
        difference(lives(SPACE.usual, 0, 1), lives(SPACE.usual, 1, 1))


def test_the_front_is_what_nothing_beats() -> None:
    values = np.array([[0.5, 1.0, 5.0], [0.4, 1.0, 5.0], [0.4, 0.5, 9.0], [0.5, 1.0, 5.0]])
    assert is_on_front(values).tolist() == [True, False, True, True]


def test_rungs_rise_to_the_whole_trial() -> None:
    assert [rung.n_patients for rung in rungs_of(96)] == [24, 48, 96]
    assert [rung.n_patients for rung in rungs_of(32)] == [16, 32]
    for n in (8, 32, 96, 100):
        assert sum(rung.cost for rung in rungs_of(n)) == pytest.approx(1.0)


@pytest.mark.parametrize("budget", [-1, 0, 3, 100_001])
def test_a_budget_too_small_for_a_look_around_is_one_sentence(budget: int) -> None:
    with pytest.raises(InputError, match=f"--budget {budget}: 4 to 100,000 whole trials"):
        check_budget(budget, rungs_of(96))
