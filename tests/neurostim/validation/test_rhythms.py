import numpy as np
import pytest
from scipy import stats

from neurostim.validation import rhythms

N_DAYS = 365


def thinned_life(n, density, highest, rng):
    """n times of a Poisson process whose intensity is proportional to `density` of the time."""
    times = rng.uniform(0, N_DAYS, 20 * n)
    kept = times[rng.random(len(times)) * highest < density(times)]
    return np.sort(kept[:n])


def clustered_life(n, rng):
    """Poisson bursts of three within hours: overdispersed, with no cycle."""
    starts = rng.uniform(0, N_DAYS - 2, n // 3)
    return np.sort((starts[:, None] + rng.exponential(0.2, (n // 3, 3)).clip(0, 2)).ravel())


def test_permuted_lives_keep_their_span_and_their_intervals() -> None:
    rng = np.random.default_rng(1)
    life = np.sort(rng.uniform(0, 100, 8))
    others = rhythms.permuted(life, rng)
    assert others.shape == (rhythms.N_PERMUTATIONS, 8)
    assert others[:, 0] == pytest.approx(life[0])
    assert others[:, -1] == pytest.approx(life[-1])
    assert np.sort(np.diff(others[5])) == pytest.approx(np.sort(np.diff(life)))


def test_false_positives_are_five_percent_without_and_with_clusters() -> None:
    rng = np.random.default_rng(2)
    uniform = [np.sort(rng.uniform(0, N_DAYS, 100)) for _ in range(300)]
    clustered = [clustered_life(102, rng) for _ in range(300)]
    limit = 4 * np.sqrt(0.05 * 0.95 / 300)
    for lives in (uniform, clustered):
        circadian = rhythms.circadian_cycles(lives, rng).is_significant.mean()
        multidien = rhythms.multidien_cycles(lives, N_DAYS, rng).is_significant.mean()
        assert circadian == pytest.approx(0.05, abs=limit)
        assert multidien == pytest.approx(0.05, abs=limit)


def test_circadian_cycles_are_found_with_the_power_of_the_resultant() -> None:
    rng = np.random.default_rng(3)
    n, strength = 100, 0.2

    def density(time):
        return 1 + 2 * strength * np.cos(2 * np.pi * time)

    lives = [thinned_life(n, density, 1 + 2 * strength, rng) for _ in range(400)]
    cycles = rhythms.circadian_cycles(lives, rng)
    # 2 n R² is χ² of 2, with a non-centrality of 2 n strength².
    power = stats.ncx2.sf(stats.chi2.isf(0.05, 2), 2, 2 * n * strength**2)
    assert cycles.is_significant.mean() == pytest.approx(power, abs=4 * np.sqrt(0.25 / 400))
    # R is biased upwards by about 1 / (4 n strength) = 0.0125.
    assert np.median(cycles.strength) == pytest.approx(strength + 0.0125, abs=0.02)


@pytest.mark.parametrize("period", [7, 20, 30])
def test_a_planted_multidien_cycle_is_found_at_its_period(period) -> None:
    rng = np.random.default_rng(4)
    period = rhythms.PERIODS[np.abs(rhythms.PERIODS - period).argmin()]

    def density(time):
        return np.exp(1.2 * np.cos(2 * np.pi * time / period))

    lives = [thinned_life(120, density, np.exp(1.2), rng) for _ in range(25)]
    cycles = rhythms.multidien_cycles(lives, N_DAYS, rng)
    assert cycles.is_significant.mean() >= 0.9
    found = cycles.period_days[cycles.is_significant]
    # A year resolves a frequency to about one cycle a year, and a step of the grid is half of it.
    near = np.abs(1 / found - 1 / period) < 1.5 / N_DAYS
    assert near.mean() >= 0.9


def test_figures_are_the_shares_of_what_was_found() -> None:
    cycles = rhythms.Cycles(
        is_significant=np.array([True, True, True, False]),
        strength=np.array([0.1, 0.2, 0.3, 0.4]),
        period_days=np.array([10.0, 20.0, 35.0, 30.0]),
    )
    figures = rhythms.multidien_figures(cycles)
    assert figures["D6a"].value == 75
    assert figures["D6b"].value == pytest.approx(100 * 2 / 3)
    assert rhythms.circadian_figure(cycles).error == pytest.approx(100 * np.sqrt(0.75 * 0.25 / 4))
