"""Montages that are generated are legal exactly where the safety layer says so."""

from math import sqrt

import numpy as np
import pytest
import torch

from neurostim.deliverable import deliverable_now
from neurostim.study.montages import (
    centre_and_spread,
    legal_montages,
    legal_settings,
    montage_prior,
    montages_of,
)
from neurostim.study.steering import ENVELOPE, positions_mm
from protocols import InputError, Setting
from safety import Contact, Montage, Past, load_envelope
from safety.columns import Pasts

SHIPPED = load_envelope(ENVELOPE)


def test_every_way_of_spreading_the_current_is_there_once():
    # 8 alone; 28 pairs with 3 ways of four parts; 56 triples with 3 ways.
    made = montages_of(SHIPPED.contacts, 3, 4)
    assert len(made) == 8 + 28 * 3 + 56 * 3
    assert len({montage.shares_permille for montage in made}) == len(made)
    assert len({montage.name for montage in made}) == len(made)
    assert all(sum(montage.shares_permille) == 1000 for montage in made)


def test_thirds_are_rounded_so_that_they_add_up():
    (third,) = [
        montage
        for montage in montages_of(SHIPPED.contacts[:3], 3, 3)
        if all(montage.shares_permille)
    ]
    assert third.shares_permille == (334, 333, 333)


def test_each_lead_that_is_used_carries_the_whole_current():
    contacts = tuple(
        Contact(name=f"{lead}{n}", lead=lead, area_um2=10**6) for lead in "AB" for n in (1, 2)
    )
    made = montages_of(contacts, 2, 2)
    pairs = [
        montage.shares_permille for montage in made if sum(map(bool, montage.shares_permille)) == 2
    ]
    assert (500, 500, 0, 0) in pairs
    assert (1000, 0, 1000, 0) in pairs
    assert (500, 0, 500, 0) not in pairs


@pytest.mark.parametrize("wrong", [(0, 4), (2, 0)])
def test_no_contact_or_no_part_is_refused(wrong):
    with pytest.raises(InputError, match="1 or more were expected"):
        montages_of(SHIPPED.contacts, *wrong)


def test_what_safety_refuses_is_left_out_with_its_sentence():
    good = Montage(name="good", shares_permille=(1000, *[0] * 7))
    short = Montage(name="short", shares_permille=(900, *[0] * 7))
    envelope, refused = legal_montages(SHIPPED, [good, short])
    assert envelope.montages == (good,)
    assert [each.montage for each in refused] == [short]
    assert "add up to 900" in refused[0].sentence


def test_a_montage_whose_lowest_amplitude_breaks_a_limit_is_refused():
    # At 100 µA one contact of a limit of 60 µA cannot carry the whole, and two halves can.
    narrow = SHIPPED.replaced(max_contact_current_ua=60)
    envelope, refused = legal_montages(narrow, montages_of(SHIPPED.contacts, 2, 2))
    assert all(max(montage.shares_permille) == 500 for montage in envelope.montages)
    assert len(envelope.montages) == 28
    assert len(refused) == 8
    assert all("lowest ticks" in each.sentence for each in refused)


def test_nothing_legal_is_a_sentence():
    with pytest.raises(InputError, match="0 legal montages"):
        legal_montages(SHIPPED, [Montage(name="short", shares_permille=(900, *[0] * 7))])


def test_coupled_limits_refuse_what_arithmetic_refuses():
    envelope, _ = legal_montages(SHIPPED, montages_of(SHIPPED.contacts, 2, 4))
    amplitudes = (1_000, 6_000, 12_000)
    allowed = set(legal_settings(envelope, amplitudes, 130, 120))
    for site, montage in enumerate(envelope.montages):
        for amplitude in amplitudes:
            is_legal = True
            for contact, share in zip(envelope.contacts, montage.shares_permille, strict=True):
                charge_uc = share / 1000 * amplitude * 120 / 1e6
                area_cm2 = contact.area_um2 / 1e8
                is_legal &= charge_uc <= 30 * area_cm2 and share * amplitude / 1000 <= 12_700
                is_legal &= charge_uc <= sqrt(area_cm2 * 10**1.5)
            setting = Setting(
                site=site, amplitude_ua=amplitude, frequency_hz=130, pulse_width_us=120
            )
            assert (setting in allowed) == is_legal, (montage, amplitude)
    assert 0 < len(allowed) < 3 * len(envelope.montages)


def test_the_gate_delivers_exactly_the_legal_settings_to_a_new_patient():
    envelope, _ = legal_montages(SHIPPED, montages_of(SHIPPED.contacts, 2, 2))
    amplitudes = (1_000, 6_000, 12_000)
    everything = [
        Setting(site=site, amplitude_ua=amplitude, frequency_hz=130, pulse_width_us=120)
        for site in envelope.sites
        for amplitude in amplitudes
    ]
    pasts = Pasts.of([Past.start(1)])
    delivered = deliverable_now(everything, pasts, envelope, np.array([60]))[0]
    legal = set(legal_settings(envelope, amplitudes, 130, 120))
    assert [each in legal for each in everything] == delivered.tolist()
    assert 0 < delivered.sum() < len(everything)


def test_centre_and_spread_of_two_halves_are_between_and_half_apart():
    montages = montages_of(SHIPPED.contacts, 2, 2)
    envelope, _ = legal_montages(SHIPPED, montages)
    places = positions_mm()
    names = [contact.name for contact in envelope.contacts]
    halves = [0] * 8
    halves[names.index("C1")] = halves[names.index("C4")] = 500
    site = [montage.shares_permille for montage in envelope.montages].index(tuple(halves))
    assert centre_and_spread(envelope, places, site) == pytest.approx((0, 0, 3, 3))
    with pytest.raises(InputError, match="'C1'"):
        centre_and_spread(envelope, {"C4": (0.0, 0.0, 0.0)}, site)


def test_the_kernel_believes_of_near_montages_what_it_does_not_of_far_ones():
    envelope, _ = legal_montages(SHIPPED, montages_of(SHIPPED.contacts, 2, 4))
    settings = legal_settings(envelope, (3_000,), 130, 120)
    prior = montage_prior(settings, envelope, positions_mm())
    table = prior.table[0]
    correlation = table / table.diagonal().sqrt().outer(table.diagonal().sqrt())
    place = {envelope.montages[s.site].name: k for k, s in enumerate(settings)}
    deep, mostly = place["C1 100%"], place["C1 75% + C2A 25%"]
    assert correlation[deep, mostly] > correlation[deep, place["C4 100%"]] + 0.1
    assert float(torch.linalg.eigvalsh(table).min()) > -1e-9


def test_names_without_a_place_are_all_equally_alike():
    envelope, _ = legal_montages(SHIPPED, montages_of(SHIPPED.contacts, 1, 1))
    settings = legal_settings(envelope, (3_000,), 130, 120)
    table = montage_prior(settings, envelope, positions_mm(), is_shared=False).table[0]
    apart = table[~torch.eye(len(table), dtype=torch.bool)]
    assert torch.allclose(apart, apart[0])
