"""The event engine against its law: fixed seeds, and tolerances from standard errors.

Every comparison allows four standard errors, or a p-value of 1e-4: about one false alarm in 10,000.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chisquare, nbinom

from patient_models import Kind
from patient_models.event_engine import advance
from patient_models.law import DiaryHabits, Rhythm, effect_after
from patient_models.response import steady_effect
from protocols import OFF
from tests.patient_models.strategies import CLINICAL, DEVICE, GENTLE, STEADY, patient_zero

N_PATIENTS, N_DAYS = 60, 256
RATE, SHAPE = STEADY.base_rate_per_day, STEADY.day_shape
RESPONSE = patient_zero().parameters.response
TARGET = steady_effect(RESPONSE, GENTLE)


def seizure_times(state, setting, days):
    """True seizure times, in days since the epoch began."""
    events = advance(state, setting, days).events
    return np.array([e.time_day for e in events if e.kind is Kind.SEIZURE]) - state.day


def daily_counts(states, setting, days):
    """True seizures on each day: patients x days."""
    return np.array(
        [
            np.bincount(seizure_times(state, setting, days).astype(int), minlength=days)
            for state in states
        ]
    )


def patients(n=N_PATIENTS, **changes):
    """People who differ only in their luck."""
    return [patient_zero(patient=patient, **changes) for patient in range(n)]


def assert_negative_binomial(counts, mean):
    counts = counts.ravel()
    variance = mean + mean**2 / SHAPE
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / counts.size))
    # The standard error of a variance follows from the fourth moment.
    fourth = ((counts - counts.mean()) ** 4).mean()
    standard_error = np.sqrt((fourth - variance**2) / counts.size)
    assert counts.var() == pytest.approx(variance, abs=4 * standard_error)
    observed = np.bincount(np.minimum(counts, 10), minlength=11)
    law = nbinom(SHAPE, SHAPE / (SHAPE + mean))
    expected = np.append(law.pmf(np.arange(10)), law.sf(9)) * counts.size
    assert chisquare(observed, expected).pvalue > 1e-4


def test_daily_counts_are_negative_binomial_when_off():
    counts = daily_counts(patients(), OFF, N_DAYS)
    assert_negative_binomial(counts, RATE)
    # Days are independent: a lag-1 correlation has standard error 1 / sqrt(n).
    lagged = np.corrcoef(counts[:, :-1].ravel(), counts[:, 1:].ravel())[0, 1]
    assert abs(lagged) < 4 / np.sqrt(counts.size)


def test_an_arm_alone_follows_the_law_though_it_shares_its_luck():
    settled = [replace(state, effect=TARGET) for state in patients()]
    assert TARGET < -0.5
    assert_negative_binomial(daily_counts(settled, GENTLE, N_DAYS), RATE * np.exp(TARGET))


def test_arms_that_share_luck_differ_by_far_less_than_strangers():
    off = daily_counts(patients(100), OFF, 28).sum(axis=1)
    on = daily_counts(patients(100), GENTLE, 28).sum(axis=1)
    strangers = daily_counts(patients(100, seed=2), GENTLE, 28).sum(axis=1)
    assert (on <= off).all()  # less rate keeps some of the same seizures and adds none
    assert np.var(off - on) < 0.4 * np.var(off - strangers)


def test_seizures_follow_the_circadian_cycle():
    rhythm = Rhythm(period_days=1, strength=0.9, peak_day=0.3)
    times = np.concatenate([seizure_times(s, OFF, N_DAYS) for s in patients(circadian=rhythm)])
    edges = np.linspace(0, 1, 13)
    observed, _ = np.histogram(times % 1, edges)
    fine = (np.arange(1200) + 0.5) / 1200
    shares = rhythm.factor(fine).reshape(12, 100).mean(axis=1) / 12
    # Given how many seizures there are, their hours are independent, however the days vary.
    assert chisquare(observed, shares / shares.sum() * len(times)).pvalue > 1e-4
    # The mean rate does not change; cycle and day factor are independent.
    variance = RATE + RATE**2 / SHAPE
    standard_error = np.sqrt(variance / (N_PATIENTS * N_DAYS))
    assert len(times) / (N_PATIENTS * N_DAYS) == pytest.approx(RATE, abs=4 * standard_error)


def test_seizures_follow_the_multidien_cycle():
    rhythm = Rhythm(period_days=16, strength=0.8, peak_day=5)
    counts = daily_counts(patients(multidien=rhythm), OFF, N_DAYS)
    by_phase = counts.reshape(N_PATIENTS, -1, 16).mean(axis=(0, 1))
    within = np.arange(16)[:, np.newaxis] + (np.arange(100) + 0.5) / 100
    expected = RATE * rhythm.factor(within).mean(axis=1)
    standard_error = np.sqrt((expected + expected**2 / SHAPE) / (counts.size / 16))
    assert (abs(by_phase - expected) < 4 * standard_error).all()
    assert by_phase.max() / by_phase.min() > 3


def test_the_effect_washes_in_and_is_carried_over():
    for effect, setting, target in ((0.0, GENTLE, TARGET), (TARGET, OFF, 0.0)):
        states = [replace(state, effect=effect) for state in patients(400)]
        weekly = daily_counts(states, setting, 28).reshape(400, 4, 7).mean(axis=(0, 2))
        times = (np.arange(2800) + 0.5) / 100
        multiplier = np.exp(effect_after(effect, target, RESPONSE, times))
        rate = RATE * multiplier.reshape(4, 700).mean(axis=1)
        standard_error = np.sqrt((rate + rate**2 / SHAPE) / (400 * 7))
        assert (abs(weekly - rate) < 4 * standard_error).all()


def test_diaries_are_kept_as_habits_say():
    diary = DiaryHabits(writing_probability=0.35, missing_probability=0.2)
    outcomes = [
        advance(replace(state, parameters=replace(state.parameters, diary=diary)), OFF, N_DAYS)
        for state in patients()
    ]
    n_days = N_PATIENTS * N_DAYS
    recorded = sum(outcome.observation.days_recorded for outcome in outcomes)
    assert recorded / n_days == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / n_days))
    missed = {
        (outcome.state.patient, event.time_day - 1)
        for outcome in outcomes
        for event in outcome.events
        if event.kind is Kind.MISSED_DAY
    }
    seizures = [
        event.is_written
        for outcome in outcomes
        for event in outcome.events
        if event.kind is Kind.SEIZURE
        and (outcome.state.patient, np.floor(event.time_day)) not in missed
    ]
    standard_error = np.sqrt(0.35 * 0.65 / len(seizures))
    assert np.mean(seizures) == pytest.approx(0.35, abs=4 * standard_error)


@pytest.mark.slow
def test_drawn_patients_have_their_true_rate_over_years():
    states = CLINICAL.draw(device=DEVICE, seed=4, patients=range(40))
    n_days = 10 * 365
    for state in states:
        background = state.parameters.background
        n_seizures = advance(state, OFF, n_days).n_seizures
        # Summed over independent days; E[m**2] of the multidien factor is I0(2k) / I0(k)**2.
        multidien = background.multidien.factor(np.arange(n_days) + 0.5)
        mean = background.base_rate_per_day * multidien
        variance = (mean + 1.05 * mean**2 / background.day_shape).sum()
        assert n_seizures == pytest.approx(mean.sum(), abs=4.5 * np.sqrt(variance))
