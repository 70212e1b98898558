import math

import pytest
from type_one_error import PAIRED, UNPAIRED, null_outcomes, rejections

from neurostim.endpoint_list import endpoints_asked
from neurostim.requests import Requests

LIBERAL = {"rate_ratio": 0.066, "rate_ratio_likelihood": 0.066, "rate_ratio_robust": 0.066}
"""What `neurostim.rate_ratios` says of them, of 1,200 trials."""
CONTINUOUS = {
    "rate_ratio_permutation", "shift", "rank_ancova", "time_to_count", "paired_difference",
    "paired_difference_permutation",
}  # fmt: skip
"""Tests with p of many values, which should reject no less than 5 % either; exact ones do less."""
OF_THE_TRUTH = {
    "gap_in_trial_difference", "gap_final_difference", "regret_difference",
    "cumulative_regret_difference", "simple_regret_difference", "time_to_near_best",
    "days_above_baseline_difference",
}  # fmt: skip
"""Without a diary to draw: signed-rank and log-rank once more, on what is hidden."""
UNTESTED = {"important_worse", "important_better", "important_worse_size", "important_worse_truly"}
"""Comparisons that are estimated only; `important_net` has the test of who is worse and better."""


def test_every_test_of_the_diary_is_measured() -> None:
    asked = endpoints_asked(Requests(n_permutations=99), ())
    compared = {endpoint.name for endpoint in asked if endpoint.analysis is not None}
    assert compared - OF_THE_TRUTH - UNTESTED == {*UNPAIRED, *PAIRED}


def test_null_trials_are_paired_or_not_as_they_say() -> None:
    for is_paired in (True, False):
        frame = null_outcomes(3, 8, is_paired=is_paired, seed=1)
        left, right = (frame[frame["arm"] == f"1-{side}"] for side in ("left", "right"))
        assert len(left) == len(right) == 8
        assert (set(left["patient"]) == set(right["patient"])) is is_paired
        is_same = left["n_baseline"].to_numpy() == right["n_baseline"].to_numpy()
        assert bool(is_same.all()) is is_paired
        assert (left["n_evaluation"].to_numpy() != right["n_evaluation"].to_numpy()).any()


@pytest.mark.slow
@pytest.mark.parametrize("tests", [UNPAIRED, PAIRED], ids=["unpaired", "paired"])
def test_each_test_keeps_its_level_or_is_documented(tests: dict[str, object]) -> None:
    # Another seed than the documented figures': the difference of two shares.
    for name, found in rejections(tests, 1000, 60, seed=7).items():
        if name in LIBERAL:
            error = math.sqrt(LIBERAL[name] * (1 - LIBERAL[name]) * (1 / found.n + 1 / 1200))
            assert abs(found.share - LIBERAL[name]) < 4 * error, name
        else:
            assert found.share < 0.05 + 4 * found.error, name
        if name in CONTINUOUS:
            assert found.share > 0.05 - 4 * found.error, name
