"""The event engine against its law: fixed seeds, and tolerances from standard errors.

Every comparison allows four standard errors, or a p-value of 1e-4: about one false alarm in 10,000.
Patients are independent, so the standard error of any mean over them is that of their own values.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest, wrapcauchy

from patient_models import TARGETS, Kind
from patient_models.event_engine import advance
from patient_models.law import (
    DRIFT_DAYS,
    DRIFT_LOG_SD,
    FAST_DAYS,
    LOG_REMISSION,
    RELAPSE_PER_YEAR,
    REMISSION_PER_YEAR,
    SLOW_DAYS,
    Carried,
    Course,
    DiaryHabits,
    Rhythm,
    TimeOfDay,
    carried_after,
)
from patient_models.luck import wandering_of_block
from patient_models.response import steady_of
from patient_models.side_effects import ADAPTATION_DAYS, load_of
from protocols import OFF, SEVERE_GRADE
from tests.patient_models.strategies import CLINICAL, DEVICE, GENTLE, STEADY, patient_zero

N_DAYS = 126
RATE = STEADY.base_rate_per_day
RESPONSE = patient_zero().parameters.response
STEADY_EFFECT = steady_of(RESPONSE, GENTLE)
SETTLED = Carried(high=STEADY_EFFECT.high.item(), low=STEADY_EFFECT.low.item())
EFFECT = STEADY_EFFECT.log_multiplier.item()


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


def patients(n, *, seed=1, course=None, **changes):
    """People who differ only in their luck."""
    people = [patient_zero(seed=seed, patient=patient, **changes) for patient in range(n)]
    if course is None:
        return people
    return [replace(p, parameters=replace(p.parameters, course=course)) for p in people]


def agrees(values, expected):
    """Whether a mean over patients lies within four standard errors of its law."""
    values = np.asarray(values)
    return abs(values.mean() - expected) < 4 * values.std(ddof=1) / np.sqrt(len(values))


def left_by_remission(n_days):
    """What remission leaves of the mean rate over these days from enrolment on."""
    weeks = -(-n_days // 7)
    share, shares = REMISSION_PER_YEAR * 7 / 365, []
    for _ in range(weeks):
        shares.append(share)
        remits = REMISSION_PER_YEAR * 7 / 365 * (1 - share)
        share = share * (1 - RELAPSE_PER_YEAR * 7 / 365) + remits
    by_day = np.repeat(shares, 7)[:n_days]
    return 1 - by_day.mean() * (1 - np.exp(LOG_REMISSION))


def test_the_mean_rate_is_the_base_rate():
    rescued = {"chain_probability": 0.6, "rescue_factor": 0.3}
    for changes in ({}, {"slow_log_sd": 0.6}, {"chain_probability": 0.5}, rescued):
        counts = daily_counts(patients(500, **changes), OFF, N_DAYS)
        assert agrees(counts.mean(axis=1), RATE * left_by_remission(N_DAYS))


def test_an_arm_alone_follows_the_law_though_it_shares_its_luck():
    assert EFFECT < -0.5
    settled = [replace(state, carried=SETTLED) for state in patients(500)]
    counts = daily_counts(settled, GENTLE, N_DAYS)
    assert agrees(counts.mean(axis=1), RATE * np.exp(EFFECT) * left_by_remission(N_DAYS))


def test_counts_are_dispersed_and_remembered_as_the_law_says():
    fast, slow = 0.8, 0.5
    counts = daily_counts(patients(1000, slow_log_sd=slow), OFF, 63)
    kept = left_by_remission(63)

    def covariance(lag):
        # Interpolation between weeks lowers the variance of the slow parts by at most 4 %.
        log_covariance = (
            fast**2 * np.exp(-lag / FAST_DAYS)
            + 0.97 * slow**2 * np.exp(-lag / SLOW_DAYS)
            + DRIFT_LOG_SD**2 * np.exp(-lag / DRIFT_DAYS)
        )
        return RATE**2 * (kept * np.exp(log_covariance) - kept**2) + (lag == 0) * RATE * kept

    for lag in (0, 1, 2, 10):
        products = counts[:, lag:] * counts[:, : 63 - lag]
        expected = covariance(lag) + (RATE * kept) ** 2
        spread = products.mean(axis=1)
        tolerance = 4 * spread.std(ddof=1) / np.sqrt(1000) + 0.02 * expected
        assert spread.mean() == pytest.approx(expected, abs=tolerance)


def test_chains_have_their_length_and_their_delays():
    probability = 0.6
    states = patients(500, base_rate_per_day=0.05, chain_probability=probability)
    lengths, gaps = [], []
    for state in states:
        times = seizure_times(state, OFF, 2 * N_DAYS)
        if len(times):
            apart = np.diff(times)
            starts = np.flatnonzero(np.append(True, apart > 2.5))
            lengths.extend(np.diff(np.append(starts, len(times))))
            gaps.extend(apart[apart <= 2.5])
    # Chains come every 50 days; 1 in 20 runs into the one before within 2.5 days.
    assert np.mean(lengths) == pytest.approx(1 / (1 - probability), rel=0.1)
    # Delays are exponential with a mean of 6 hours, less a few that are longer than 2.5 days.
    assert np.median(gaps) == pytest.approx(0.25 * np.log(2), rel=0.15)
    assert 0.55 < np.mean(np.array(gaps) <= 0.25) < 0.70  # 63 % within 6 hours


def test_rescue_shortens_chains_after_their_third_seizure():
    # Chains come every 250 days, and are told apart by a gap of 2.5 days or more, ten mean delays:
    # one in a hundred runs into the next, more in those above their mean, hence 0.03 more.
    probability, factor = 0.6, 0.3
    rate = 0.004 * (1 + probability + probability**2 / (1 - probability * factor))
    lengths = []
    for state in patients(
        800,
        base_rate_per_day=rate,
        fast_log_sd=0.0,
        chain_probability=probability,
        rescue_factor=factor,
    ):
        times = seizure_times(state, OFF, 2 * N_DAYS)
        if len(times):
            starts = np.flatnonzero(np.append(True, np.diff(times) > 2.5))
            lengths.extend(np.diff(np.append(starts, len(times))))
    lengths = np.array(lengths)
    for n, link in ((1, probability), (2, probability), (3, factor * probability)):
        reached = lengths[lengths >= n]
        error = np.sqrt(link * (1 - link) / len(reached))
        assert (reached > n).mean() == pytest.approx(link, abs=4 * error + 0.03)


def test_medication_changes_the_rate_from_its_midnight_on():
    course = Course(
        placebo=0, implant=0, medication_day=(28.0, 56.0), medication_log_jump=(-0.5, 0.8)
    )
    counts = daily_counts(patients(600, course=course), OFF, 84)
    for first, log_effect in ((0, 0), (28, -0.5), (56, 0.3)):
        found = counts[:, first : first + 28].mean(axis=1)
        assert agrees(found, RATE * np.exp(log_effect) * left_by_remission(84))
    events = advance(patients(1, course=course)[0], OFF, 84).events
    changes = [event.time_day for event in events if event.kind is Kind.MEDICATION_CHANGE]
    assert changes == [28, 56]


def with_habits(state, *, share=0.0, **habits):
    """A patient with a tolerance of 2 mA, used to a share of a load, with these diary habits."""
    parameters = state.parameters
    tolerance = replace(parameters.tolerance, site_ua=(2000.0,) * 4, adaptation_share=share)
    diary = replace(parameters.diary, **habits)
    return replace(state, parameters=replace(parameters, tolerance=tolerance, diary=diary))


def felt(states, days):
    """Side effects of patients at a gentle setting, who go on after a severe one."""
    events = []
    for state in states:
        stop = state.day + days
        while state.day < stop:
            outcome = advance(state, GENTLE, stop - state.day)
            state = outcome.state
            events += [event for event in outcome.events if event.kind is Kind.ADVERSE_EVENT]
    return events


def test_side_effects_become_rarer_as_a_load_becomes_a_habit():
    n, days, share = 400, 120, 0.2
    states = [with_habits(state, share=share) for state in patients(n)]
    day = np.array([int(event.time_day) for event in felt(states, days)])
    tolerance = states[0].parameters.tolerance
    load = load_of(tolerance, GENTLE)
    habit = load * -np.expm1(-(np.arange(days) + 0.5) / ADAPTATION_DAYS)
    mild = tolerance.grade_probabilities(tolerance.felt_load(load, habit))[:, 0]
    assert mild[-1] < 0.5 * mild[0]
    for first in range(0, days, 30):
        expected = mild[first : first + 30].sum()
        found = ((day >= first) & (day < first + 30)).sum() / n
        assert found == pytest.approx(expected, abs=4 * np.sqrt(expected / n))


def test_side_effects_are_of_their_types_and_told_of_by_their_grades():
    states = [with_habits(state, reporting_probability=0.4) for state in patients(300)]
    events = felt(states, 60)
    for grade, expected in ((1, 0.4), (2, 0.64)):
        told = [event.is_written for event in events if event.grade == grade]
        error = np.sqrt(expected * (1 - expected) / len(told))
        assert np.mean(told) == pytest.approx(expected, abs=4 * error)
    severe = [event.is_written for event in events if event.grade >= SEVERE_GRADE]
    assert len(severe) > 20
    assert all(severe)
    for each in TARGETS["focus"].side_effects:
        found = np.mean([event.side_effect == each.name for event in events])
        error = np.sqrt(each.share * (1 - each.share) / len(events))
        assert found == pytest.approx(each.share, abs=4 * error)


def test_after_drop_out_nothing_is_recorded_but_the_clinic_hears_of_the_worst():
    days, dropout_day = 90, 30.0
    worst = []
    for state in patients(60):
        state = with_habits(state, dropout_day=dropout_day)
        outcomes = []
        while state.day < days:
            outcomes.append(advance(state, GENTLE, days - state.day))
            state = outcomes[-1].state
        events = [event for outcome in outcomes for event in outcome.events]
        entries = [event.time_day for event in events if event.kind is Kind.DIARY_ENTRY]
        assert entries == list(range(1, 31))
        assert [event.time_day for event in events if event.kind is Kind.DROP_OUT] == [dropout_day]
        later = [event for event in events if event.time_day > dropout_day]
        assert any(event.kind is Kind.SEIZURE for event in later)  # life goes on
        assert not any(event.is_written for event in later if event.kind is Kind.SEIZURE)
        for event in later:
            if event.kind is Kind.ADVERSE_EVENT:
                assert event.is_written == (event.grade >= SEVERE_GRADE)
                worst.append(event.grade)
        for outcome in outcomes:  # an early end is always explained
            if outcome.state.day < days:
                assert outcome.observation.worst_grade >= SEVERE_GRADE
    assert max(worst) >= SEVERE_GRADE > min(worst)


def test_seizures_follow_the_circadian_cycle():
    law = TimeOfDay(concentration=0.4, peak=0.3)
    people = patients(100, time_of_day=law)
    times = np.concatenate([seizure_times(s, OFF, N_DAYS) for s in people])
    angles = 2 * np.pi * ((times - 0.3) % 1)
    # Given how many seizures there are, their times of day are independent.
    assert kstest(angles, wrapcauchy(0.4).cdf).pvalue > 1e-4


def test_seizures_follow_the_multidien_cycle():
    rhythm = Rhythm(period_days=16, strength=0.8, peak_day=5)
    counts = daily_counts(patients(1000, multidien=rhythm), OFF, 48)
    by_phase = counts.reshape(1000, 3, 16).mean(axis=1)
    # The phase wanders by about 0.3 per cycle, so the peak is a little lower than its factor.
    factor = np.exp(rhythm.log_factor(np.arange(16) + 0.5))
    found = by_phase.mean(axis=0) / by_phase.mean()
    assert np.corrcoef(found, factor)[0, 1] > 0.98
    assert 0.8 * np.ptp(factor) < np.ptp(found) < 1.05 * np.ptp(factor)
    assert agrees(counts.mean(axis=1), RATE * left_by_remission(48))


def test_the_effect_washes_in_and_is_carried_over():
    for carried, setting in ((Carried(), GENTLE), (SETTLED, OFF)):
        states = [replace(state, carried=carried) for state in patients(600)]
        weekly = daily_counts(states, setting, 28).reshape(600, 4, 7).mean(axis=2)
        noon = np.arange(28) + 0.5
        after = carried_after(carried, steady_of(RESPONSE, setting), 0, RESPONSE, noon)
        rate = RATE * np.exp(-after.high - after.low).reshape(4, 7).mean(axis=1)
        for week in range(4):
            assert agrees(weekly[:, week], rate[week] * left_by_remission(28))


def test_expectation_and_surgery_change_the_rate():
    course = Course(placebo=-0.4, implant=-0.6, expectation_day=28, implant_day=28)
    counts = daily_counts(patients(600, course=course), OFF, 84)
    rate = RATE * np.exp(course.log_effect(np.arange(84) + 0.5))
    for first in (0, 28, 56):
        found = counts[:, first : first + 28].mean(axis=1)
        assert agrees(found, rate[first : first + 28].mean() * left_by_remission(84))


def test_arms_that_share_luck_differ_by_far_less_than_strangers():
    states = patients(200, chain_probability=0.4, slow_log_sd=0.4)
    strangers = patients(200, seed=2, chain_probability=0.4, slow_log_sd=0.4)
    off = daily_counts(states, OFF, 56).sum(axis=1)
    on = daily_counts(states, GENTLE, 56).sum(axis=1)
    other = daily_counts(strangers, GENTLE, 56).sum(axis=1)
    assert (on <= off).all()  # less rate keeps some of the same chains and adds none
    assert np.var(off - on) < 0.3 * np.var(off - other)


def test_remission_and_relapse_come_at_their_rates():
    years = 10
    blocks = [
        np.concatenate(
            [wandering_of_block(3, patient, block).in_remission[:-1] for block in range(10)]
        )[: years * 52]
        for patient in range(400)
    ]
    state = np.array(blocks)
    remits = (~state[:, :-1] & state[:, 1:]).sum() / (~state[:, :-1]).sum()
    relapses = (state[:, :-1] & ~state[:, 1:]).sum() / state[:, :-1].sum()
    for found, per_year, n in (
        (remits, REMISSION_PER_YEAR, (~state).sum()),
        (relapses, RELAPSE_PER_YEAR, state.sum()),
    ):
        expected = per_year * 7 / 365
        assert found == pytest.approx(expected, abs=4 * np.sqrt(expected / n))


def test_diaries_are_kept_as_habits_say():
    diary = DiaryHabits(writing_probability=0.35, missing_probability=0.2)
    outcomes = [
        advance(replace(state, parameters=replace(state.parameters, diary=diary)), OFF, N_DAYS)
        for state in patients(60)
    ]
    n_days = 60 * N_DAYS
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
    n_days = 5 * 365
    states = CLINICAL.draw(device=DEVICE, seed=4, patients=range(300))
    ratio = [advance(s, OFF, n_days).n_seizures / (n_days * CLINICAL.rate_off(s)) for s in states]
    assert agrees(ratio, left_by_remission(n_days))
