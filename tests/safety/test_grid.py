"""The deliverable set is the legal set, over every combination of ticks of every envelope."""

from dataclasses import replace
from itertools import pairwise, product

import pytest

from protocols import OFF, Mode, Setting
from safety import (
    Past,
    deliverable,
    envelope_names,
    envelope_text,
    is_deliverable,
    load_envelope,
    review,
)
from tests.safety.oracle import Oracle
from tests.safety.strategies import SHIPPED, propose

FREE_RISE = {
    "step_amplitude_ua": 10**9,
    "rise_amplitude_ua": 10**9,
    "rise_charge_nc_per_s": 10**9,
    "rise_duty_permille": 1000,
}


@pytest.mark.req("SR-02")
@pytest.mark.parametrize("name", envelope_names())
def test_every_combination_is_deliverable_exactly_when_it_is_legal(name: str) -> None:
    envelope, oracle = load_envelope(name), Oracle(envelope_text(name))
    ticks, n_legal, n_settings = oracle.ticks, 0, 0
    widths, frequencies = ticks["pulse_width_us"], ticks["frequency_hz"]
    pulses = {(f, w): oracle.keeps_pulse(f, w) for f in frequencies for w in widths}
    cycles = [(cycle, oracle.keeps_duty(*cycle)) for cycle in oracle.cycles()]
    for site, amplitude_ua, width_us in product(
        range(len(oracle.montages)), ticks["amplitude_ua"], widths
    ):
        electrodes = oracle.keeps_electrodes(site, amplitude_ua, width_us)
        for frequency_hz, (cycle, duty) in product(frequencies, cycles):
            mode, on_ms, off_ms = cycle
            setting = Setting(
                site=site,
                amplitude_ua=amplitude_ua,
                frequency_hz=frequency_hz,
                pulse_width_us=width_us,
                on_ms=on_ms,
                off_ms=off_ms,
                mode=mode,
            )
            is_legal = electrodes and duty and pulses[frequency_hz, width_us]
            assert is_deliverable(setting, envelope) is is_legal, setting
            n_settings += 1
            n_legal += is_legal
    assert 0 < n_legal < n_settings <= 500_000
    assert n_settings + 1 == len(envelope.space)


@pytest.mark.req("SR-02")
@pytest.mark.parametrize("name", envelope_names())
def test_the_gate_delivers_unchanged_exactly_what_is_deliverable(name: str) -> None:
    envelope = load_envelope(name).replaced(**FREE_RISE)
    past = Past.start(7)
    every = len(envelope.space) // 4000
    for index, setting in enumerate(envelope.space):
        if index % every:
            continue
        verdict = review(propose(envelope, past, setting, 0), past, envelope, 0)
        assert (verdict.delivered == setting) is is_deliverable(setting, envelope), setting


@pytest.mark.req("SR-02")
@pytest.mark.parametrize("envelope", SHIPPED.values(), ids=SHIPPED)
def test_nothing_beside_a_tick_is_deliverable(envelope) -> None:
    legal = next(each for each in envelope.space if is_deliverable(each, envelope) and each != OFF)
    names = ["amplitude_ua", "frequency_hz", "pulse_width_us", "site"]
    names += ["on_ms", "off_ms"] if legal.mode is not Mode.CONTINUOUS else []
    for name in names:
        ticks = envelope.sites if name == "site" else getattr(envelope, name)
        beside = {tick + step for tick in ticks for step in (-1, 1)} - set(ticks)
        for value in beside - {-1, 0}:
            assert not is_deliverable(replace(legal, **{name: value}), envelope)


@pytest.mark.req("SR-02")
def test_modes_that_an_envelope_lacks_are_not_deliverable() -> None:
    rns = SHIPPED["rns-like"]
    legal = next(each for each in rns.space if is_deliverable(each, rns) and each != OFF)
    assert not is_deliverable(replace(legal, mode=Mode.CYCLING), rns)
    assert not is_deliverable(replace(legal, mode=Mode.CONTINUOUS, on_ms=0, off_ms=0), rns)


@pytest.mark.req("SR-02")
def test_the_vns_amplitudes_step_by_an_eighth_and_then_by_a_quarter() -> None:
    steps = SHIPPED["vns-like"].amplitude_ua
    assert steps[:2] == (125, 250)
    assert [b - a for a, b in pairwise(steps)] == [125] * 15 + [250] * 6


def test_no_stimulation_is_deliverable_as_off_and_in_no_other_way() -> None:
    envelope = SHIPPED["research"]
    other = replace(OFF, frequency_hz=100)
    assert deliverable([OFF, other], envelope) == (OFF,)
