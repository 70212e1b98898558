import numpy as np
import pytest

from neurostim.study.reference_population import (
    N_SETTINGS,
    OFF,
    SETTINGS,
    Floats,
    Ints,
    Patients,
    Policy,
    difference,
    draw,
    in_trial,
    random_history,
    run,
    share_of_gap,
)


@pytest.fixture(scope="module")
def patients() -> Patients:
    return draw(seed=7, n=4000)


class Cycle:
    """Everybody through the list in its order."""

    def propose(self, counts: Ints, indices: Ints) -> Ints:
        return np.full(len(counts), counts.shape[1])

    def recommend(self, counts: Ints, indices: Ints) -> Ints:
        return indices[:, 0]


def is_near(sample: Floats, expected: float) -> bool:
    """Whether the mean lies within four standard errors of what was expected."""
    error = sample.std(ddof=1) / np.sqrt(len(sample))
    return bool(abs(sample.mean() - expected) < 4 * error)


def test_the_list_is_twelve_amplitudes_by_ten_frequencies_by_four_sites() -> None:
    assert SETTINGS.shape == (480, 3)
    assert len(np.unique(SETTINGS, axis=0)) == 480
    assert [len(np.unique(column)) for column in SETTINGS.T] == [12, 10, 4]
    assert SETTINGS.min(0).tolist() == [0, 0, 0]
    assert SETTINGS.max(0).tolist() == [1, 1, 3]
    assert SETTINGS[(2 * 12 + 3) * 10 + 4].tolist() == [3 / 11, 4 / 9, 2]


def test_traits_have_the_published_moments(patients: Patients) -> None:
    log_base = np.log(patients.base_rate)
    is_inside = (log_base > np.log(2)) & (log_base < np.log(20))
    assert patients.base_rate.min() >= 2
    assert patients.base_rate.max() <= 20
    # Clipped at -2.77 and +1.83 standard deviations.
    assert is_near(is_inside.astype(float), 0.96369)
    assert abs(np.median(log_base) - np.log(8)) < 4 * 1.2533 * 0.5 / np.sqrt(4000)
    log_size = np.log(patients.dispersion)
    assert is_near(log_size, np.log(4))
    assert is_near((log_size - np.log(4)) ** 2, 0.25)


def test_the_best_setting_cuts_58_per_cent_and_is_at_the_phenotypes_sites(
    patients: Patients,
) -> None:
    cut = 1 - patients.rate(patients.best) / patients.base_rate
    assert abs(cut.mean() - 0.58) < 0.01
    site = SETTINGS[patients.best, 2]
    by_site = [float((site == each).mean()) for each in range(4)]
    assert by_site[2] > by_site[0] > by_site[3] > 0.02
    assert by_site[1] > 0.02
    # 40 per cent prefer the high frequency by 0.8, the others by 0.3.
    assert is_near((SETTINGS[patients.best, 1] > 0.5).astype(float), 0.5)


def test_amplitude_zero_is_nearly_off_and_low_frequency_at_full_amplitude_harms(
    patients: Patients,
) -> None:
    change = patients.log_rate - np.log(patients.base_rate)[:, None]
    amplitude, frequency = SETTINGS[:, 0], SETTINGS[:, 1]
    assert (change[:, amplitude == 0] <= 0).all()
    worst = change[:, (amplitude == 1) & (frequency == 1 / 9)]
    assert worst.max() <= 0.25
    assert worst.mean() > 0


def test_counts_are_negative_binomial_at_the_true_rate(patients: Patients) -> None:
    index = np.arange(len(patients)) % N_SETTINGS
    epochs = np.arange(20)
    counts = patients.counts(np.repeat(index[:, None], 20, 1), epochs)
    mean, size = patients.rate(index)[:, None], patients.dispersion[:, None]
    centred = counts - mean
    assert is_near((centred / np.sqrt(mean)).ravel(), 0)
    assert is_near((centred**2 / (mean + mean**2 / size)).ravel(), 1)
    none = (1 + mean / size) ** -size
    assert is_near(((counts == 0) - none).ravel(), 0)


def test_epochs_are_independent(patients: Patients) -> None:
    off = np.full((len(patients), 2), OFF)
    counts = patients.counts(off, np.arange(2))
    centred = (counts - patients.base_rate[:, None]) / np.sqrt(patients.base_rate)[:, None]
    assert is_near(centred[:, 0] * centred[:, 1], 0)


def test_a_patient_does_not_depend_on_the_cohort() -> None:
    few, many, later = draw(seed=3, n=5), draw(seed=3, n=50), draw(seed=3, n=2, first=3)
    for field in ("ids", "base_rate", "log_rate", "dispersion"):
        assert (getattr(few, field) == getattr(many, field)[:5]).all()
        assert (getattr(later, field) == getattr(many, field)[3:5]).all()
    index = np.arange(50)
    assert (few.counts(index[:5], 9) == many.counts(index, 9)[:5]).all()
    assert (later.counts(index[3:5], 9) == many.counts(index, 9)[3:5]).all()
    assert (random_history(few)[1] == random_history(many)[1][:5]).all()


def test_arms_share_their_luck(patients: Patients) -> None:
    off = np.full(len(patients), OFF)
    fewer, more = patients.counts(patients.best, 4), patients.counts(off, 4)
    assert (fewer <= more).all()
    assert (patients.counts(patients.best[:, None], np.array([4]))[:, 0] == fewer).all()


def test_the_oracle_closes_the_gap_and_off_closes_none_of_it(patients: Patients) -> None:
    off = np.full(len(patients), OFF)
    assert share_of_gap(patients, patients.best) == pytest.approx((1, 0))
    assert share_of_gap(patients, off) == (0, 0)
    assert difference(patients, patients.best, off) == pytest.approx((1, 0))
    half = np.stack([patients.best, off], 1)
    assert in_trial(patients, half) == pytest.approx((0.5, 0))


def test_the_standard_error_is_that_of_repeated_cohorts() -> None:
    cohorts = [draw(seed=5, n=100, first=100 * i) for i in range(200)]
    found = [share_of_gap(each, np.full(100, 304)) for each in cohorts]
    spread = np.std([share.value for share in found], ddof=1)
    assert spread == pytest.approx(np.mean([share.standard_error for share in found]), rel=0.2)


def test_a_run_shows_counts_only_and_recommends_at_the_horizons() -> None:
    few = draw(seed=1, n=3)
    policy: Policy = Cycle()
    result = run(policy, few, epochs=12)
    assert (result.indices == np.arange(12)).all()
    assert (result.counts == few.counts(result.indices, np.arange(12))).all()
    assert list(result.recommended) == [5, 10]
    assert (result.recommended[10] == 0).all()
    assert result.seconds.shape == (12,)


def test_off_is_best_where_every_setting_harms() -> None:
    one = draw(seed=1, n=1)
    harmed = Patients(
        seed=1,
        ids=one.ids,
        base_rate=one.base_rate,
        log_rate=np.full_like(one.log_rate, np.log(one.base_rate[0]) + 0.1),
        dispersion=one.dispersion,
    )
    assert harmed.best.tolist() == [OFF]
