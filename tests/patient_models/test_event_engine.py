from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_models import Kind
from patient_models.event_engine import advance
from patient_models.law import Carried
from patient_models.luck import luck_of_block
from patient_models.side_effects import daily_probabilities
from protocols import OFF, SEVERE_GRADE, Cycle, Mode, Setting
from tests.patient_models.strategies import GENTLE, SETTINGS, patient_zero, states

STRONG = Setting(site=0, amplitude_ua=8000, frequency_hz=145, pulse_width_us=90)


def life(outcomes):
    """Everything that happened but the ends of epochs."""
    events = [event for outcome in outcomes for event in outcome.events]
    return [event for event in events if event.kind is not Kind.END_OF_EPOCH]


def of_kind(outcome, kind):
    return [event for event in outcome.events if event.kind is kind]


def intolerant(state):
    tolerance = replace(state.parameters.tolerance, site_ua=(2000.0,) * 4)
    return replace(state, parameters=replace(state.parameters, tolerance=tolerance))


@given(states, st.sampled_from(SETTINGS), st.integers(0, 300), st.integers(1, 30))
def test_two_epochs_of_one_setting_are_one_long_epoch(state, setting, day, first):
    state = replace(state, day=day)
    long = advance(state, setting, first + 14)
    halfway = advance(state, setting, first)
    outcomes = [halfway]
    if halfway.state.day == day + first:
        outcomes.append(advance(halfway.state, setting, 14))
    if long.state.day == outcomes[-1].state.day:
        assert life([long]) == life(outcomes)
        assert long.n_seizures == sum(outcome.n_seizures for outcome in outcomes)
        assert long.state.pending == outcomes[-1].state.pending
        for name in ("high", "low", "progress", "habituated"):
            mine, theirs = (getattr(o.state.carried, name) for o in (long, outcomes[-1]))
            assert mine == pytest.approx(theirs, abs=1e-12)
        assert long.state.device == outcomes[-1].state.device
    else:  # only a severe side effect on the last day of the first epoch can end the pair earlier
        assert halfway.observation.worst_grade >= SEVERE_GRADE


@given(states, st.sampled_from(SETTINGS), st.integers(1, 40))
def test_what_is_observed_is_what_happened(state, setting, days):
    outcome = advance(state, setting, days)
    observation, events = outcome.observation, outcome.events
    assert [event.time_day for event in events] == sorted(event.time_day for event in events)
    assert events[-1].kind is Kind.END_OF_EPOCH
    assert outcome.state.day == events[-1].time_day == state.day + observation.days
    assert len(of_kind(outcome, Kind.SEIZURE)) == outcome.n_seizures
    entries = of_kind(outcome, Kind.DIARY_ENTRY)
    missed = of_kind(outcome, Kind.MISSED_DAY)
    assert len(entries) == observation.days_recorded
    assert len(entries) + len(missed) == observation.days
    written = sum(event.is_written for event in of_kind(outcome, Kind.SEIZURE))
    assert written == sum(entry.n_written for entry in entries) == (observation.n_seizures or 0)
    assert (observation.n_seizures is None) == (observation.days_recorded == 0)
    missed_days = {event.time_day - 1 for event in missed}
    felt = of_kind(outcome, Kind.ADVERSE_EVENT)
    reported = [event.grade for event in felt if event.is_written]
    for event in felt:
        if event.grade >= SEVERE_GRADE:
            assert event.is_written
        elif event.is_written:
            assert np.floor(event.time_day) not in missed_days
    if observation.worst_grade is None:
        assert not entries
        assert not reported
    else:
        assert observation.worst_grade == max(reported, default=0)


@given(states, st.sampled_from(SETTINGS))
def test_advancing_changes_nothing_but_its_result(state, setting):
    before = repr(state)
    first = advance(state, setting, 20)
    luck_of_block.cache_clear()
    assert advance(state, setting, 20) == first
    assert repr(state) == before


def test_a_severe_side_effect_ends_the_epoch_at_midnight():
    ended = 0
    for patient in range(30):
        outcome = advance(intolerant(patient_zero(patient=patient)), STRONG, 28)
        grades = [event.grade for event in of_kind(outcome, Kind.ADVERSE_EVENT)]
        assert max(grades, default=0) == outcome.observation.worst_grade
        assert all(grade < SEVERE_GRADE for grade in grades[:-1])
        if grades[-1] >= SEVERE_GRADE:
            ended += outcome.observation.days < 28
            last = of_kind(outcome, Kind.ADVERSE_EVENT)[-1]
            assert outcome.state.day == np.ceil(last.time_day)
        assert outcome.observation.telemetry.stimulation_s == outcome.observation.days * 86_400
    assert ended > 20


def test_the_first_day_with_a_severe_side_effect_follows_the_hazard():
    probability = daily_probabilities(intolerant(patient_zero()).parameters.tolerance, GENTLE)[2]
    n_days = n_severe = 0
    for patient in range(300):
        observation = advance(intolerant(patient_zero(patient=patient)), GENTLE, 100).observation
        n_days += observation.days
        n_severe += observation.worst_grade >= SEVERE_GRADE
    # Severe days over days at risk: the standard error is that of a binomial share.
    standard_error = np.sqrt(probability * (1 - probability) / n_days)
    assert n_severe / n_days == pytest.approx(probability, abs=4 * standard_error)


def test_a_greater_dose_never_gives_a_milder_side_effect_on_the_same_day():
    for patient in range(30):
        state = intolerant(patient_zero(patient=patient))
        less, more = (
            advance(state, replace(GENTLE, amplitude_ua=amplitude_ua), 1).observation.worst_grade
            for amplitude_ua in (2500, 5000)
        )
        assert less <= more


def test_off_has_no_side_effects_and_no_effect():
    outcome = advance(intolerant(patient_zero()), OFF, 365)
    assert outcome.observation.worst_grade == 0
    assert not of_kind(outcome, Kind.ADVERSE_EVENT)
    assert outcome.state.carried == Carried()
    assert outcome.observation.telemetry.charge_uc == 0


def test_a_diary_that_is_never_kept_is_missing_not_zero():
    state = patient_zero()
    diary = replace(state.parameters.diary, missing_probability=1)
    state = replace(state, parameters=replace(state.parameters, diary=diary))
    observation = advance(state, OFF, 50).observation
    assert observation.n_seizures is None
    assert observation.worst_grade is None
    assert observation.days_recorded == 0
    severe = advance(intolerant(state), STRONG, 365).observation
    assert severe.n_seizures is None
    assert severe.worst_grade >= SEVERE_GRADE  # the clinic hears of it all the same


def test_charge_and_time_of_stimulation():
    telemetry = advance(patient_zero(), GENTLE, 2).observation.telemetry
    assert telemetry.stimulation_s == 2 * 86_400
    assert telemetry.charge_uc == 2 * 86_400 * 145 * 2500 * 90 // 10**6
    both_leads = replace(GENTLE, site=3)
    assert advance(patient_zero(), both_leads, 2).observation.telemetry.charge_uc == (
        2 * telemetry.charge_uc
    )
    cycle = Cycle(mode=Mode.CYCLING, on_ms=60_000, off_ms=300_000)
    cycling = replace(GENTLE, mode=cycle.mode, on_ms=cycle.on_ms, off_ms=cycle.off_ms)
    outcome = advance(advance(patient_zero(), GENTLE, 2).state, cycling, 2)
    assert outcome.observation.telemetry.stimulation_s == 2 * 86_400 // 6
    assert outcome.state.device.stimulation_s == 2 * 86_400 + 2 * 86_400 // 6


@pytest.mark.parametrize("days", [0, -1])
def test_an_epoch_has_a_day(days):
    with pytest.raises(ValueError, match=f"days = {days}"):
        advance(patient_zero(), OFF, days)


def test_turns_of_life_fall_on_the_same_midnights_however_epochs_are_cut():
    state = patient_zero()
    course = replace(
        state.parameters.course, medication_day=(7.0, 8.0, 14.0), medication_log_jump=(0.1,) * 3
    )
    diary = replace(state.parameters.diary, dropout_day=8.0)
    state = replace(state, parameters=replace(state.parameters, course=course, diary=diary))
    whole = advance(state, GENTLE, 21)
    assert [e.time_day for e in of_kind(whole, Kind.MEDICATION_CHANGE)] == [7, 8, 14]
    assert [e.time_day for e in of_kind(whole, Kind.DROP_OUT)] == [8]
    for first in (1, 7, 8, 14, 20):
        half = advance(state, GENTLE, first)
        assert life([half, advance(half.state, GENTLE, 21 - first)]) == life([whole])


def test_arms_share_the_type_and_the_telling_of_a_side_effect():
    n_shared = 0
    for patient in range(40):
        state = intolerant(patient_zero(patient=patient))
        diary = replace(state.parameters.diary, reporting_probability=0.5)
        state = replace(state, parameters=replace(state.parameters, diary=diary))
        less, more = (
            advance(state, replace(GENTLE, amplitude_ua=amplitude_ua), 1)
            for amplitude_ua in (2500, 4000)
        )
        for milder, worse in zip(
            of_kind(less, Kind.ADVERSE_EVENT), of_kind(more, Kind.ADVERSE_EVENT), strict=False
        ):
            assert milder.time_day == worse.time_day
            assert milder.side_effect == worse.side_effect
            assert milder.is_written <= worse.is_written
            n_shared += milder.grade < worse.grade
    assert n_shared > 3


def test_ramps_and_new_batteries_are_events_too():
    state = patient_zero()
    outcome = advance(state, GENTLE, 3000)
    [ramp] = of_kind(outcome, Kind.END_OF_RAMP)
    # 2.5 mA at 30 uA/s.
    assert ramp.time_day * 86_400 == pytest.approx(2500 / 30, abs=1)
    batteries = of_kind(outcome, Kind.NEW_BATTERY)
    assert len(batteries) == outcome.state.device.n_replacements > 0
    times = [event.time_day for event in outcome.events]
    assert times == sorted(times)
    assert outcome.events[-1].kind is Kind.END_OF_EPOCH
    assert not of_kind(advance(outcome.state, GENTLE, 5), Kind.END_OF_RAMP)
