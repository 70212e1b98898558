"""Patients whose target lies beside a lead, and the arms that search over its contacts."""

import numpy as np
import pytest

from neurostim.study.montages import montage_prior
from neurostim.study.steering import (
    FIXED,
    STAGE_EPOCHS,
    THRESHOLD_MA_PER_MM2,
    Among,
    excitation,
    lists,
    positions_mm,
    saturated,
    steered,
    structure_search,
)


@pytest.fixture(scope="module")
def found():
    return lists(most_contacts=2, n_parts=2)


def test_a_contact_excites_by_its_current_over_the_squared_distance(found):
    x, y, z = positions_mm()["C1"]
    dose = excitation(np.array([[x + 2.0, y, z]]), found)
    names = [found.envelope.montages[setting.site].name for setting in found.settings]
    alone = [k for k, name in enumerate(names) if name in ("C1 100%", "deep ring")]
    assert alone
    for k in alone:
        current_ma = found.settings[k].amplitude_ua / 1000
        assert dose[0, k] == pytest.approx(current_ma / 4 / THRESHOLD_MA_PER_MM2)


def test_currents_of_contacts_add_up(found):
    dose = excitation(np.array([[1.0, 2.0, 3.0]]), found)[0]
    shares = [found.envelope.montages[s.site].shares_permille for s in found.settings]
    at = {
        (each, s.amplitude_ua): dose[k]
        for k, (each, s) in enumerate(zip(shares, found.settings, strict=True))
    }
    first, second, both = [1000, *[0] * 7], [0, 1000, *[0] * 6], [500, 500, *[0] * 6]
    parts = at[tuple(first), 2000] + at[tuple(second), 2000]
    assert at[tuple(both), 2000] == pytest.approx(parts / 2)


def test_half_of_the_effect_comes_at_a_dose_of_one():
    assert saturated(np.array([0.0, 1.0, 1e6])) == pytest.approx([0, 0.5, 1])


def test_a_patient_is_the_same_in_a_cohort_of_any_size(found):
    whole, part = steered(4, 5, found), steered(4, 2, found, first=3)
    assert np.array_equal(whole.log_rate[3:], part.log_rate)
    assert np.array_equal(whole.base_rate[3:], part.base_rate)


def test_shipped_montages_are_among_the_list_once(found):
    shares = [montage.shares_permille for montage in found.envelope.montages]
    assert len(set(shares)) == len(shares)
    assert found.is_shipped.any()
    assert not found.is_shipped.all()


def test_contacts_are_let_in_by_stages(found):
    everything = np.arange(len(found.settings))
    prior = montage_prior(found.settings, found.envelope, positions_mm())
    policy = Among(prior=prior, places=everything, n_contacts=found.n_contacts)
    patients = steered(4, 3, found)
    counts = np.empty((3, 0), dtype=np.int64)
    indices = np.empty_like(counts)
    for epoch in range(2 * STAGE_EPOCHS):
        chosen = policy.propose(counts, indices)
        assert (found.n_contacts[chosen] <= 1 + epoch // STAGE_EPOCHS).all()
        indices = np.column_stack((indices, chosen))
        counts = np.column_stack((counts, patients.counts(chosen, epoch)))


def test_an_arm_stays_on_its_own_list_and_everything_has_the_highest_ceiling(found):
    figures = structure_search(4, 3, found)
    assert figures[FIXED]["rec 40 - fixed"] == 0
    assert figures["structure, at once"]["ceiling"] == pytest.approx(1)
    for name, each in figures.items():
        assert each["rec 40"] <= each["ceiling"] + 1e-9, name
    assert figures[FIXED]["n settings"] == found.is_shipped.sum()
