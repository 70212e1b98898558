"""The two engines agree in law: 2,000 patients each, of different seeds.

Every comparison is of independent patients and allows four standard errors of their own values, or
a p-value of 1e-4. That one patient lives the same days in both is `test_cohort_engine`'s matter.
"""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from patient_models import MODELS, Kind, event_engine
from patient_models.cohort_engine import Cohort, advance
from patient_models.population import DRUG_RESISTANT
from protocols import OFF
from tests.patient_models.strategies import DEVICE, GENTLE

N, DAYS, CHANGE_DAY = 2000, 56, 28


@pytest.fixture(scope="module")
def cohort():
    """Daily counts N x DAYS, and the row and time of each seizure, of the cohort engine."""
    people = Cohort.enrol(DRUG_RESISTANT, seed=101, patients=range(N), n_sites=DEVICE.n_sites)
    people, off = advance(people, OFF, CHANGE_DAY, with_times=True)
    _, on = advance(people, GENTLE, DAYS - CHANGE_DAY, with_times=True)
    counts = np.concatenate((off.seizures, on.seizures), axis=1).astype(int)
    row, time_day = (
        np.concatenate(both) for both in ((off.row, on.row), (off.time_day, on.time_day))
    )
    order = np.lexsort((time_day, row))
    return counts, row[order], time_day[order]


@pytest.fixture(scope="module")
def events():
    """The same of the event engine, which goes on after a severe side effect."""
    states = MODELS["clinical"].draw(device=DEVICE, seed=102, patients=range(N))
    rows, times = [], []
    for row, state in enumerate(states):
        for setting, stop in ((OFF, CHANGE_DAY), (GENTLE, DAYS)):
            while state.day < stop:
                outcome = event_engine.advance(state, setting, stop - state.day)
                state = outcome.state
                found = [e.time_day for e in outcome.events if e.kind is Kind.SEIZURE]
                rows.extend([row] * len(found))
                times.extend(found)
    row, time_day = np.array(rows), np.array(times)
    counts = np.bincount(row * DAYS + time_day.astype(int), minlength=N * DAYS)
    return counts.reshape(N, DAYS), row, time_day


def agree(one, other):
    """Whether two means over independent patients differ by less than four standard errors."""
    error = np.sqrt(np.var(one) / len(one) + np.var(other) / len(other))
    return abs(np.mean(one) - np.mean(other)) < 4 * error


def test_daily_counts(cohort, events):
    one, other = (counts.mean(axis=1) for counts, _, _ in (cohort, events))
    assert ks_2samp(one, other).pvalue > 1e-4
    assert agree(np.log1p(one), np.log1p(other))
    for largest in (0, 1, 2, 5, 10):  # the share of days with more seizures than this
        assert agree(*((counts > largest).mean(axis=1) for counts, _, _ in (cohort, events)))


def test_clusters(cohort, events):
    def share(found):
        counts, row, time_day = found
        is_near = (np.diff(time_day) < 0.25) & (np.diff(row) == 0)
        n_near = np.bincount(row[1:][is_near], minlength=N)
        return n_near / np.maximum(counts.sum(axis=1), 1)

    assert agree(share(cohort), share(events))
    assert share(cohort).mean() > 0.05


def test_autocorrelation(cohort, events):
    def lagged(found, lag):
        counts = found[0][:, :CHANGE_DAY]
        counts = counts[counts.sum(axis=1) >= 5].astype(float)
        apart = counts - counts.mean(axis=1, keepdims=True)
        return (apart[:, lag:] * apart[:, :-lag]).mean(axis=1) / apart.var(axis=1)

    for lag in (1, 2, 7):
        assert agree(lagged(cohort, lag), lagged(events, lag))
    assert lagged(cohort, 1).mean() > 0


def test_time_to_the_first_seizure(cohort, events):
    def first(found):
        _, row, time_day = found
        times = np.full(N, float(DAYS))
        times[row[::-1]] = time_day[::-1]  # rows are sorted by time, so the first comes last
        return times

    assert ks_2samp(first(cohort), first(events)).pvalue > 1e-4


def test_the_response_to_a_change_of_setting(cohort, events):
    def change(found):
        before, after = found[0][:, :CHANGE_DAY].sum(axis=1), found[0][:, CHANGE_DAY:].sum(axis=1)
        return (np.log(after + 0.5) - np.log(before + 0.5))[before >= 5]

    assert agree(change(cohort), change(events))
    assert change(cohort).mean() < -0.1
