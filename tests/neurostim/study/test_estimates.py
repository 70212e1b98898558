"""Intervals over draws and rank correlations, with answers known by hand."""

import math

import pytest

from neurostim.study.estimates import Interval, over_draws, rank_correlation


def test_the_interval_over_draws_is_students():
    found = over_draws([1.0, 2.0, 3.0])
    # Student's 97.5 % quantile with 2 degrees of freedom is 4.3027, the standard error sqrt(1/3).
    half = 4.302653 * math.sqrt(1 / 3)
    assert (found.value, found.low, found.high) == pytest.approx((2, 2 - half, 2 + half))
    assert not found.excludes_zero


def test_one_draw_has_no_interval_and_proves_nothing():
    found = over_draws([5.0])
    assert found.value == 5
    assert math.isnan(found.low)
    assert not found.excludes_zero
    assert "no interval" in str(found)


def test_ranks_that_agree_correlate_fully_also_with_an_infinite_wait():
    x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    found = rank_correlation(x, [0.1, 0.5, 0.7, 20.0, 30.0, math.inf], seed=1)
    assert found.value == pytest.approx(1)
    assert found.excludes_zero
    assert rank_correlation(x, [-each for each in x], seed=1).value == pytest.approx(-1)


def test_a_missing_pair_is_left_out():
    x = [1.0, 2.0, 3.0, 4.0, 5.0, math.nan]
    found = rank_correlation(x, [2.0, 1.0, 4.0, 3.0, 5.0, -9.0], seed=1)
    assert found.n == 5
    assert found.value == pytest.approx(0.8)  # 1 - 6 * 4 / (5 * 24)


def test_a_constant_column_has_no_correlation():
    found = rank_correlation([1.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], seed=1)
    assert math.isnan(found.value)
    assert not found.excludes_zero


def test_zero_on_the_edge_is_not_excluded():
    assert not Interval(value=1, low=0, high=2, n=3).excludes_zero
    assert Interval(value=1, low=0.1, high=2, n=3).excludes_zero
