from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_models import thall_vail
from patient_models.distributions import Beta, LogNormal, Mixture, Uniform
from patient_models.population import DRUG_RESISTANT, SITE_TRAITS, Trait, draw
from tests.patient_models.strategies import seeds

PEOPLE = draw(DRUG_RESISTANT, 1, range(2000), 4)
PROBABILITIES = (np.arange(10_000) + 0.5) / 10_000


@given(seeds, st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5))
def test_a_patient_is_the_same_whoever_else_is_drawn(seed, patients):
    together = draw(DRUG_RESISTANT, seed, patients, 4)
    assert together == tuple(draw(DRUG_RESISTANT, seed, [i], 4)[0] for i in patients)


def test_more_sites_leave_the_first_ones_as_they_are_apart_from_the_best():
    four, six = (draw(DRUG_RESISTANT, 1, [3], n_sites)[0] for n_sites in (4, 6))
    assert four.background == six.background
    assert four.tolerance.site_ua == six.tolerance.site_ua[:4]


def test_seeds_and_patients_differ():
    rates = {each.background.base_rate_per_day for each in PEOPLE}
    assert len(rates) == len(PEOPLE)
    assert draw(DRUG_RESISTANT, 2, [0], 4)[0] != PEOPLE[0]


def test_nobody_is_drawn_from_an_empty_list():
    assert draw(DRUG_RESISTANT, 1, [], 4) == ()


@pytest.mark.parametrize("n_sites", [0, 257])
def test_the_number_of_sites_is_checked(n_sites):
    with pytest.raises(ValueError, match=f"n_sites = {n_sites}"):
        draw(DRUG_RESISTANT, 1, [0], n_sites)


def test_each_trait_is_a_field_or_a_chance_and_each_distribution_has_a_trait():
    names = {field.name for field in fields(DRUG_RESISTANT)}
    traits = {trait.name.lower() for trait in Trait}
    assert traits - names == {"responding", "best_site", "high_is_better"}
    assert names - traits == {
        "responding_share",
        "high_is_better_share",
        "low_width_octaves",
        "high_width_octaves",
    }
    assert set(SITE_TRAITS) <= set(Trait)


def test_what_is_drawn_follows_the_population():
    written = [p.background.base_rate_per_day * p.diary.writing_probability for p in PEOPLE]
    # The standard error of the median of log rates is 1.25 * 0.8 / sqrt(2000) = 2.2 %.
    assert np.median(written) == pytest.approx(0.5, rel=0.09)
    writing = np.array([p.diary.writing_probability for p in PEOPLE])
    assert writing.mean() == pytest.approx(0.1 + 0.9 * 1.3 / 2.8, abs=4 * 0.23 / np.sqrt(2000))
    assert writing.min() < 0.15
    assert writing.max() > 0.95
    period = np.array([p.background.multidien.period_days for p in PEOPLE])
    assert 0.5 < ((period > 15) & (period < 35)).mean() < 0.9
    wash_in = [p.response.wash_in_days for p in PEOPLE]
    assert np.median(wash_in) == pytest.approx(7, rel=4 * 1.25 * 0.3 / np.sqrt(2000))


def test_the_best_site_and_the_better_mode_differ_between_patients():
    best = np.bincount([np.argmax(p.response.site_efficacy) for p in PEOPLE], minlength=4)
    assert (abs(best[1:] - 475) < 4 * np.sqrt(475)).all()
    high = np.mean([p.response.high_mode.weight == 1 for p in PEOPLE])
    assert high == pytest.approx(0.6, abs=4 * np.sqrt(0.24 / 2000))


def test_resampled_patients_write_what_the_real_ones_wrote():
    trial = thall_vail()
    people = draw(replace(DRUG_RESISTANT, written_rate_per_day=trial), 1, range(500), 4)
    real = {round(each.rate_per_day, 9) for each in trial.patients}
    written = {
        round(p.background.base_rate_per_day * p.diary.writing_probability, 9) for p in people
    }
    assert written <= real
    assert len(written) > 0.9 * len(real)
    assert people[7].response == draw(DRUG_RESISTANT, 1, [7], 4)[0].response


@pytest.mark.parametrize(
    "distribution",
    [
        Uniform(lowest=1, highest=3),
        LogNormal(median=5, log_sd=0.5, lowest=1, highest=20),
        Beta(a=1.3, b=1.5, lowest=0.1, highest=1),
        Mixture(
            groups=(
                LogNormal(median=7, log_sd=0.1, lowest=4, highest=45),
                LogNormal(median=20, log_sd=0.1, lowest=4, highest=45),
            ),
            shares=(0.3, 0.7),
        ),
    ],
)
def test_quantiles_rise_and_stay_finite(distribution):
    extremes = np.array([2.0**-53, 1 - 2.0**-53])
    assert np.isfinite(distribution.quantile(extremes)).all()
    assert (np.diff(distribution.quantile(PROBABILITIES)) >= 0).all()


def test_a_mixture_has_its_shares():
    mixture = DRUG_RESISTANT.multidien_period_days
    assert (mixture.quantile(PROBABILITIES) < 10).mean() == pytest.approx(0.15, abs=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(lowest=2, highest=1), "highest = 1"),
        (lambda: LogNormal(median=0.5, log_sd=1, lowest=1, highest=2), "median = 0.5"),
        (lambda: LogNormal(median=1, log_sd=-1, lowest=1, highest=2), "log_sd = -1"),
        (lambda: Beta(a=0, b=1, lowest=0, highest=1), "a = 0"),
        (lambda: Mixture(groups=(), shares=(1.0,)), "shares"),
    ],
)
def test_a_distribution_with_a_mistake(make, message):
    with pytest.raises(ValueError, match=message):
        make()
