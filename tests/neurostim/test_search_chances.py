"""Chance alone: the formula against drawing, and arms against chance."""

import numpy as np
import pandas as pd
import pytest

from neurostim.search_chances import chances, hit_probability


@pytest.mark.parametrize("n", [1, 3, 20])
def test_the_formula_is_what_drawing_gives(n):
    shares = np.array([0.0, 0.02, 0.3, 1.0])
    draws = np.random.default_rng(0).random((20_000, len(shares), n))
    seen = (draws < shares[:, None]).any(axis=2).mean(axis=0)
    expected = hit_probability(shares, n)
    error = np.sqrt(expected * (1 - expected) / 20_000)
    assert (np.abs(seen - expected) <= 4 * error + 1e-12).all()


def trial(choose, n_patients=400, n_epochs=12, n_settings=40):
    """An arm that chooses by `choose(rng, goodness)`; setting 0 is off, rates 1 or 0.5."""
    rng = np.random.default_rng(1)
    rows, patients = [], []
    for patient in range(n_patients):
        is_good = np.zeros(n_settings, dtype=bool)
        is_good[1 : 1 + rng.integers(0, 6)] = True
        share = is_good[1:].mean()
        patients.append((patient, 0.5 if share else 1.0, share))
        for epoch in range(n_epochs):
            setting = choose(rng, is_good, epoch)
            rate = 0.5 if is_good[setting] else 1.0
            rows.append(("arm", patient, epoch, rate, 1000 * (setting > 0)))
    names = ("arm", "patient", "epoch", "true_rate_per_day", "delivered_amplitude_ua")
    truths = ("patient", "true_rate_best_per_day", "true_good_share")
    return pd.DataFrame(rows, columns=names), pd.DataFrame(patients, columns=truths)


def test_a_random_arm_does_as_chance_does():
    epochs, patients = trial(lambda rng, is_good, _: int(rng.integers(1, len(is_good))))
    found = chances(epochs, patients, 12)["arm"]
    assert found.n_patients == (patients["true_good_share"] > 0).sum()
    assert (np.abs(found.lead) < 4 * np.maximum(found.error, 0.5 / found.n_patients)).all()
    assert (np.diff(found.by_chance) > 0).all()


def test_who_knows_is_ahead_and_who_stays_off_behind():
    epochs, patients = trial(lambda rng, is_good, epoch: int(is_good.argmax()) if epoch else 0)
    found = chances(epochs, patients, 12)["arm"]
    assert found.tried[0] == 0
    assert (found.tried[1:] == 1).all()
    assert found.lead[0] < 0 < found.lead[1]


def test_where_nothing_is_good_there_is_nothing_to_count():
    epochs, patients = trial(lambda rng, is_good, _: 1)
    assert chances(epochs, patients.assign(true_good_share=0.0), 12) == {}


def test_a_patient_who_left_early_has_tried_no_more():
    epochs, patients = trial(lambda rng, is_good, epoch: int(is_good.argmax()) if epoch == 5 else 0)
    found = chances(epochs[epochs["epoch"] < 4], patients, 12)["arm"]
    assert (found.tried == 0).all()
