"""Timelines against counting by hand, and the band against what it promises."""

from datetime import date

import numpy as np
import pytest

from neurostim.app.timelines import clusters_of, day_text, timeline_of_diary, trailing_rate

NAN = float("nan")


def test_the_rate_is_counted_over_recorded_days_of_the_last_28() -> None:
    chance = np.random.default_rng(1)
    counts = chance.poisson(0.8, 120).astype(float)
    counts[chance.random(120) < 0.3] = NAN
    counts[60:95] = NAN
    counts[[59, 95]] = 1
    days, rate, low, high = trailing_rate(counts)
    assert days.tolist() == list(range(28, 121))
    for day, found in zip(days.tolist(), rate, strict=True):
        window = counts[day - 28 : day]
        if np.isnan(window).all():
            assert np.isnan(found)
        else:
            assert found == pytest.approx(28 * np.nanmean(window))
    is_known = ~np.isnan(rate)
    assert (~is_known).sum() == 8  # windows that end on days 88 to 95
    assert (low[is_known] <= rate[is_known]).all()
    assert (rate[is_known] <= high[is_known]).all()
    assert np.isnan(low[~is_known]).all()
    assert np.isnan(high[~is_known]).all()


@pytest.mark.parametrize("dispersion", [1.0, 3.0])
def test_the_band_holds_the_true_rate_nine_times_in_ten(dispersion: float) -> None:
    """Days drawn at one rate, 20 a month, with a variance of so many means.

    Each life gives one independent window. The coverage of n lives has a standard error of
    sqrt(0.9 x 0.1 / n); the interval is approximate, so that 2 points more are allowed.
    """
    chance, n_lives, mean = np.random.default_rng(5), 2_000, 20 / 28
    held = 0
    for _ in range(n_lives):
        if dispersion == 1:
            counts = chance.poisson(mean, 364)
        else:
            counts = chance.negative_binomial(mean / (dispersion - 1), 1 / dispersion, 364)
        _, _, low, high = trailing_rate(counts.astype(float))
        held += bool(low[-1] <= 20 <= high[-1])
    error = np.sqrt(0.9 * 0.1 / n_lives)
    assert abs(held / n_lives - 0.9) < 3 * error + 0.02


def test_a_life_shorter_than_a_month_has_one_rate() -> None:
    days, rate, _, _ = trailing_rate(np.array([1.0, NAN, 2.0]))
    assert days.tolist() == [3]
    assert rate.tolist() == [28 * 1.5]


def test_clusters_are_runs_far_above_the_usual() -> None:
    counts = np.zeros(100)
    counts[[10, 11, 40]] = (3, 5, 4)
    counts[[20, 21]] = 2  # too few
    counts[50] = NAN
    assert clusters_of(counts) == ((10, 12), (40, 41))
    busy = np.full(100, 3.0)
    busy[5] = 10
    assert clusters_of(busy) == ((5, 6),)  # three a day is this patient's usual
    assert clusters_of(np.full(10, NAN)) == ()


def test_a_diarys_missing_days_are_no_zeros() -> None:
    counts = {date(2025, 1, 30): 2, date(2025, 2, 2): 0}
    timeline = timeline_of_diary(counts, "Somebody")
    assert timeline.first_date == date(2025, 1, 30)
    assert timeline.counts.tolist()[0] == 2
    assert timeline.counts.tolist()[3] == 0
    assert np.isnan(timeline.counts[1:3]).all()
    assert timeline.table.rows == (("2025-01-30", "2"), ("2025-02-02", "0"))
    assert timeline.strips == ()


def test_days_are_iso_dates_where_there_is_a_calendar() -> None:
    assert day_text(31, date(2026, 1, 5)) == "2026-02-05"
    assert day_text(31, None) == "day 31"
