from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_models import Enrolment, thall_vail
from patient_models.distributions import (
    Beta,
    Exponential,
    LogitNormal,
    LogNormal,
    Mixture,
    Normal,
    Uniform,
)
from patient_models.population import DRUG_RESISTANT, SITE_TRAITS, Trait, draw, draw_columns
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
    chances = {"responding", "best_site", "high_is_better", "well_placed", "tolerant"}
    cycles = {"multidien_present", "weekly_present", "annual_present", "rescue_present"}
    assert traits - names == chances | cycles | {"high_centre_hz"}  # the target's
    for name in names - traits:
        assert isinstance(getattr(DRUG_RESISTANT, name), float)
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
    assert np.median(wash_in) == pytest.approx(18, rel=4 * 1.25 * 0.3 / np.sqrt(2000))


def test_leads_are_misplaced_and_the_better_mode_differs():
    helped = [p for p in PEOPLE if max(p.response.site_efficacy) > 0]
    best = np.bincount([np.argmax(p.response.site_efficacy) for p in helped], minlength=4)
    n = len(helped)
    assert best[0] / n == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / n))
    assert (abs(best[1:] - n / 12) < 4 * np.sqrt(n / 12)).all()
    high = np.mean([p.response.high_mode.weight == 1 for p in PEOPLE])
    assert high == pytest.approx(0.65, abs=4 * np.sqrt(0.65 * 0.35 / 2000))


def test_cycles_are_there_in_their_shares_of_people():
    for name in ("multidien", "weekly", "annual"):
        share = getattr(DRUG_RESISTANT, f"{name}_share")
        found = np.mean([getattr(p.background, name).strength > 0 for p in PEOPLE])
        assert found == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 2000))


def test_variability_falls_and_clusters_grow_with_the_rate():
    rate = np.log([p.background.base_rate_per_day for p in PEOPLE])
    for name, sign in (("fast_log_sd", -1), ("slow_log_sd", -1), ("chain_probability", 1)):
        values = [getattr(p.background, name) for p in PEOPLE]
        assert sign * np.corrcoef(rate, values)[0, 1] > 0.3


def test_a_target_decides_where_and_how_strongly_stimulation_acts():
    focus, vagus = (
        draw(DRUG_RESISTANT, 1, [3], 1, Enrolment(target=target))[0]
        for target in ("focus", "vagus")
    )
    assert vagus.background == focus.background
    [at_focus], [at_vagus] = focus.response.site_efficacy, vagus.response.site_efficacy
    assert at_vagus == pytest.approx(0.6 * at_focus)
    assert vagus.response.high_mode.centre_hz < 60 < focus.response.high_mode.centre_hz
    assert abs(vagus.course.implant) < abs(focus.course.implant)
    with pytest.raises(ValueError, match="target = 'moon': one of anterior-thalamus"):
        Enrolment(target="moon")


def test_the_open_label_brings_medication_changes_and_drop_out():
    n, from_day = 4000, 196
    open_label = Enrolment(medication_from_day=from_day, attrition_from_day=from_day)
    people = draw_columns(DRUG_RESISTANT, 1, range(n), 1, open_label)
    waits = np.diff(people.course.medication_day, prepend=from_day, axis=1)
    assert waits.min() >= 0
    assert (waits[:, 0] >= 1).all()
    # The mean of whole midnights is half a day beyond that of an exponential wait, once a patient.
    mean = 365 / 0.35
    assert waits.mean() == pytest.approx(mean, abs=4 * mean / np.sqrt(waits.size) + 0.5)
    jumps = people.course.medication_log_jump
    assert jumps.mean() == pytest.approx(-0.05, abs=4 * 0.25 / np.sqrt(jumps.size))
    assert jumps.std() == pytest.approx(0.25, abs=4 * 0.25 / np.sqrt(2 * jumps.size))
    for years in (1, 5):
        left = (people.diary.dropout_day <= from_day + 365 * years).mean()
        expected = 1 - np.exp(-0.05 * years)
        assert left == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / n))
    blinded = draw(DRUG_RESISTANT, 1, [3], 1)[0]
    assert blinded.course.medication_day == ()
    assert blinded.diary.dropout_day is None


def test_rescue_habits_and_reporting_differ_between_people():
    has_rescue = np.mean([p.background.rescue_factor < 1 for p in PEOPLE])
    assert has_rescue == pytest.approx(0.30, abs=4 * np.sqrt(0.3 * 0.7 / 2000))
    for values, mean, sd in (
        ([p.tolerance.adaptation_share for p in PEOPLE], 0.25, np.sqrt(0.25 * 0.75 / 9)),
        ([p.diary.reporting_probability for p in PEOPLE], 0.5, np.sqrt(0.25 / 5)),
    ):
        assert np.mean(values) == pytest.approx(mean, abs=4 * sd / np.sqrt(2000))


def test_resampled_patients_write_what_the_real_ones_wrote():
    trial = thall_vail()
    people = draw(DRUG_RESISTANT, 1, range(500), 4, Enrolment(written_rate_per_day=trial))
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
        Normal(mean=-0.4, sd=0.2),
        Exponential(mean=1000),
        LogitNormal(median=0.3, logit_sd=0.65, highest=0.75),
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
    assert (mixture.quantile(PROBABILITIES) < 10).mean() == pytest.approx(0.12, abs=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(lowest=2, highest=1), "highest = 1"),
        (lambda: LogNormal(median=0.5, log_sd=1, lowest=1, highest=2), "median = 0.5"),
        (lambda: LogNormal(median=1, log_sd=-1, lowest=1, highest=2), "log_sd = -1"),
        (lambda: Normal(mean=0, sd=-1), "sd = -1"),
        (lambda: Exponential(mean=0), "mean = 0"),
        (lambda: LogitNormal(median=0.9, logit_sd=1, highest=0.8), "median = 0.9"),
        (lambda: Beta(a=0, b=1, lowest=0, highest=1), "a = 0"),
        (lambda: Mixture(groups=(), shares=(1.0,)), "shares"),
    ],
)
def test_a_distribution_with_a_mistake(make, message):
    with pytest.raises(ValueError, match=message):
        make()
