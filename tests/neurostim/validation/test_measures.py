import numpy as np
import pytest
from scipy import stats
from validation.poisson_cohorts import from_counts

from neurostim.validation import measures
from neurostim.validation.monte_carlo import bootstrapped, mean, median_of_replicates, share


def test_rates_are_those_of_a_hand_worked_cohort() -> None:
    counts = np.zeros((50, 60), dtype=int)
    counts[:, 0] = np.tile([2, 4, 6, 12, 40], 10)  # 1, 2, 3, 6 and 20 per 30 days
    figures = measures.rate_figures(from_counts(counts), np.random.default_rng(1))
    assert [figures[name].value for name in ("D1a", "D1b", "D1c")] == [3, 13, 40]


def test_the_error_of_a_share_is_the_binomial_one() -> None:
    rng = np.random.default_rng(2)
    counts = np.where(rng.random(1000) < 0.4, 30, 0)[:, None] * np.eye(1, 60, dtype=int)
    figure = measures.rate_figures(from_counts(counts), rng)["D1c"]
    binomial = share(counts[:, 0] > 0).error
    # the SD of 200 draws is itself known to 1 in √400
    assert figure.error == pytest.approx(binomial, rel=4 / 20)


def test_the_errors_of_means_and_medians_are_those_of_normal_theory() -> None:
    values = np.random.default_rng(3).standard_normal(4000)
    assert mean(values).error == pytest.approx(1 / np.sqrt(4000), rel=0.05)
    of_median = median_of_replicates(values).error
    _, error = bootstrapped(lambda i: np.median(values[i]), 4000, np.random.default_rng(4))
    assert error[0] == pytest.approx(of_median, rel=4 / 20)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_patients_are_an_error_and_not_a_figure(n) -> None:
    with pytest.raises(ValueError, match="eligible"):
        bootstrapped(lambda i: 0.0, n, np.random.default_rng(1))
    with pytest.raises(ValueError, match="eligible"):
        share([])


def blocks_of(means, variances, rng, n_blocks=12):
    """Diaries whose 30-day counts are negative binomial, all on the first day of the block."""
    size = means**2 / (variances - means)
    counts = rng.negative_binomial(
        size[:, None], (size / (size + means))[:, None], (len(means), n_blocks)
    )
    days = np.zeros((len(means), n_blocks, 30), dtype=int)
    days[:, :, 0] = counts
    return from_counts(days.reshape(len(means), -1))


def test_the_slope_is_the_exponent_that_was_planted_and_knows_no_kink() -> None:
    rng = np.random.default_rng(5)
    means = np.exp(rng.uniform(np.log(20), np.log(2000), 1500))
    figures = measures.l_figures(blocks_of(means, 3 * means**1.5, rng), rng)
    slope = figures["D2a"]
    assert slope.value == pytest.approx(0.75, abs=4 * slope.error)
    assert figures["D2c"].value < 0.15
    assert figures["D2d"].value < 0.15


def test_a_kink_is_seen() -> None:
    rng = np.random.default_rng(6)
    means = np.exp(rng.uniform(np.log(20), np.log(2000), 1500))
    # Above 300 the SD stops growing.
    variances = np.maximum(0.2 * np.minimum(means, 300) ** 2, 1.01 * means)
    figures = measures.l_figures(blocks_of(means, variances, rng), rng)
    assert figures["D2c"].value > 0.5
    assert figures["D2d"].value > 0.5


def test_slopes_of_a_bent_line_are_exact() -> None:
    x = np.arange(7.0)
    y = np.where(x < 3, x, 3 + 2 * (x - 3))
    assert measures.slope(x[:4], y[:4]) == pytest.approx(1)
    slopes = measures.slopes_between(x, y, np.array([0.0, 3.0, 6.0]))
    assert slopes == pytest.approx(np.array([1.0, 2.0]))


def test_variance_to_mean_is_that_of_two_hand_worked_patients() -> None:
    counts = np.zeros((2, 60), dtype=int)
    counts[0, [0, 30]] = 1, 3  # mean 2, variance 2
    counts[1, [0, 30]] = 2, 6  # mean 4, variance 8
    both, second = measures.variance_to_mean(from_counts(counts), np.array([[1, 1], [0, 1]]))
    assert both == pytest.approx(5 / 3)
    assert second == pytest.approx(2)


def test_a_step_is_the_change_on_the_same_patients_with_an_error_of_its_own() -> None:
    rng = np.random.default_rng(7)
    before = from_counts(rng.poisson(0.5, (300, 360)))
    doubled = from_counts(2 * before.counts)
    same = measures.step_figure([(15.0, before, before)], rng)
    assert (same.value, same.error) == (0, 0)
    twice = measures.step_figure([(15.0, before, before), (16.5, before, doubled)], rng)
    assert twice.value == pytest.approx(100)
    assert twice.error == pytest.approx(0, abs=1e-9)
    other = from_counts(rng.poisson(0.5, (300, 360)))
    noisy = measures.step_figure([(15.0, before, other)], rng)
    # Each variance/mean of 300 patients with 12 blocks has a relative SE of √(2 / (300 * 11)),
    # but the largest change is an absolute value: half-normal, with 0.6 of the SD.
    assert noisy.error == pytest.approx(100 * 0.6 * 2 / np.sqrt(3300), rel=0.5)
    assert noisy.value < 4 * 100 * 2 / np.sqrt(3300)


def test_negative_binomial_does_not_win_on_poisson_days() -> None:
    rng = np.random.default_rng(8)
    beats = measures.beats_poisson(from_counts(rng.poisson(0.4, (2000, 365))))
    # Twice the log likelihood ratio is 0 or χ² of 1, half and half.
    expected = 0.5 * stats.chi2.sf(np.log(365), 1)
    assert beats.mean() <= expected + 4 * np.sqrt(expected / 2000)


def test_negative_binomial_wins_on_overdispersed_days_and_the_grid_finds_its_likelihood() -> None:
    rng = np.random.default_rng(9)
    counts = rng.negative_binomial(1.0, 0.5, (200, 365))  # mean 1, dispersion 1
    assert measures.beats_poisson(from_counts(counts)).mean() > 0.99
    # A patient on either side of BIC's line, against scipy's own likelihoods on a fine grid.
    patient = rng.negative_binomial(3.0, 3 / 3.4, (40, 365))
    for days, beats in zip(patient, measures.beats_poisson(from_counts(patient)), strict=True):
        average = days.mean()
        sizes = np.geomspace(0.02, 1000, 800)[:, None]
        best = stats.nbinom.logpmf(days, sizes, sizes / (sizes + average)).sum(axis=1).max()
        gain = 2 * (best - stats.poisson.logpmf(days, average).sum()) - np.log(365)
        assert beats == (gain > 0) or abs(gain) < 0.1


def test_dispersion_is_one_for_poisson() -> None:
    rng = np.random.default_rng(10)
    figure = measures.dispersion_figures(from_counts(rng.poisson(0.4, (1000, 365))), rng)["D3b"]
    # The median of χ² of 11 over 11 is 0.94.
    assert figure.value == pytest.approx(stats.chi2.median(11) / 11, abs=4 * figure.error)


def test_autocorrelation_of_alternating_days_is_minus_one_and_of_poisson_days_nothing() -> None:
    alternating = from_counts(np.tile([0, 1], (1, 50)))
    assert measures.autocorrelations(alternating)[0] == pytest.approx(-1)
    figure = measures.autocorrelation_figure(
        from_counts(np.random.default_rng(11).poisson(0.4, (1000, 365)))
    )
    # Taking out the sample mean leaves -1/365.
    assert figure.value == pytest.approx(-1 / 365, abs=4 * figure.error)


def test_a_day_without_an_entry_breaks_a_pair() -> None:
    recorded = np.array([[True, True, False, True, True]])
    counts = np.array([[0, 2, 0, 2, 0]])
    # mean 1; the two known pairs are (-1, 1) and (1, -1); the mean square is 1
    assert measures.autocorrelations(from_counts(counts, recorded))[0] == pytest.approx(-1)
