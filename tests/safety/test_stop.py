"""A stop is honoured and a decrease passes, whatever the state."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import OFF, Mode, Setting
from safety import Latch, Past, Rise, Rule, Ruling, is_deliverable, review, tighten
from safety.legality import is_no_more
from safety.rise import charge_pc_per_s, duty_of
from tests.safety.strategies import (
    NOT_INTEGERS,
    overwritten,
    pasts,
    propose,
    running,
    small_envelope,
    small_envelopes,
    wishes_near,
)

ENVELOPE = small_envelope(rise_amplitude_ua=4000)
NOW = 1_000_000
HIGH = Setting(
    site=0,
    amplitude_ua=6000,
    frequency_hz=100,
    pulse_width_us=120,
    on_ms=20_000,
    off_ms=30_000,
    mode=Mode.CYCLING,
)
LATCH = Latch(None, Rule.DEFECT, 0)
SPENT = (Rise(NOW, 4000, 10**9, 10**6),)
STATES = {
    "off": Past.start(7),
    "running": running(HIGH),
    "nothing may rise": running(HIGH, at_s=NOW, rises=SPENT),
    "latched": replace(Past.start(7), latches=(LATCH,)),
    "latched though something runs": running(HIGH, latches=(LATCH,)),
    "after a long silence": running(HIGH, at_s=0),
    "the clock went back": running(HIGH, at_s=2 * NOW, rises=SPENT),
    "what runs is no longer permitted": running(replace(HIGH, amplitude_ua=7500)),
}
STOPS = {
    "fresh": {},
    "replayed": {"sequence": -1},
    "broken sequence": {"sequence": float("nan")},
    "stale": {"at_s": 0},
    "from the future": {"at_s": NOW + 1},
    "of another envelope": {"envelope_hash": "0"},
    "envelope missing": {"envelope_hash": None},
    "with broken fields": {"setting": overwritten(OFF, frequency_hz="junk", mode=None)},
    "with other fields": {"setting": replace(HIGH, amplitude_ua=0)},
}
DECREASES = {
    "amplitude": replace(HIGH, amplitude_ua=5000),
    "amplitude to the lowest": replace(HIGH, amplitude_ua=1000),
    "frequency": replace(HIGH, frequency_hz=50),
    "on time": replace(HIGH, on_ms=10_000),
    "off time": replace(HIGH, off_ms=90_000),
    "less of each": replace(HIGH, amplitude_ua=2000, frequency_hz=5, on_ms=10_000),
    "amplitude for frequency": replace(HIGH, amplitude_ua=3000, frequency_hz=200),
    "nothing": HIGH,
}


@pytest.mark.req("SR-11")
@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("state", STATES)
def test_a_stop_is_honoured_in_every_state(state: str, stop: str) -> None:
    past = STATES[state]
    changes = {"setting": OFF} | STOPS[stop]
    proposal = propose(ENVELOPE, past, changes.pop("setting"), NOW, **changes)
    verdict = review(proposal, past, ENVELOPE, NOW)
    assert verdict.delivered == verdict.past.delivered == OFF
    assert verdict.past.latched is past.latched
    if "setting" in STOPS[stop] or stop == "fresh":
        assert (verdict.ruling, verdict.findings) == (Ruling.ACCEPTED, ())
    else:
        assert verdict.ruling is Ruling.STOPPED
        assert verdict.findings[-1].rule is Rule.STOP
        assert verdict.past.sequence == past.sequence


@pytest.mark.req("SR-11")
@pytest.mark.parametrize("decrease", DECREASES)
@pytest.mark.parametrize("state", [name for name, past in STATES.items() if past.delivered == HIGH])
def test_a_decrease_passes_unchanged_in_every_state(state: str, decrease: str) -> None:
    past, wish = STATES[state], DECREASES[decrease]
    verdict = review(propose(ENVELOPE, past, wish, NOW), past, ENVELOPE, NOW)
    assert verdict.delivered == (OFF if past.latched else wish)
    if not past.latched:
        assert verdict.ruling is Ruling.ACCEPTED


@pytest.mark.req("SR-11")
@settings(max_examples=500)
@given(st.data())
def test_whatever_led_here_a_legal_decrease_passes_unchanged(data: st.DataObject) -> None:
    envelope = data.draw(small_envelopes())
    past = data.draw(pasts(envelope, review))
    wish = data.draw(wishes_near(envelope, past.delivered))
    if not is_deliverable(wish, envelope) or not is_decrease(wish, past.delivered, envelope):
        wish = past.delivered
    verdict = review(propose(envelope, past, wish, past.at_s), past, envelope, past.at_s)
    assert verdict.delivered == wish
    assert verdict.ruling is Ruling.ACCEPTED


def is_decrease(wish: Setting, runs: Setting, envelope) -> bool:
    (on, period), (runs_on, runs_period) = duty_of(wish), duty_of(runs)
    return (
        (wish.site, wish.pulse_width_us) == (runs.site, runs.pulse_width_us)
        and wish.amplitude_ua <= runs.amplitude_ua
        and charge_pc_per_s(wish, envelope) <= charge_pc_per_s(runs, envelope)
        and on * runs_period <= runs_on * period
    )


@pytest.mark.req("SR-11")
@pytest.mark.parametrize("label", [*NOT_INTEGERS, "another"])
def test_a_stop_for_another_patient_stops_nobody_else(label: str) -> None:
    past, patient = running(HIGH), NOT_INTEGERS.get(label, 8)
    verdict = review(propose(ENVELOPE, past, OFF, NOW, patient=patient), past, ENVELOPE, NOW)
    assert (verdict.delivered, verdict.ruling) == (HIGH, Ruling.HELD)


@pytest.mark.req("SR-11")
def test_what_is_lowered_to_fit_is_still_a_decrease() -> None:
    past = STATES["nothing may rise"]
    wish = replace(HIGH, amplitude_ua=5999, pulse_width_us=121, on_ms=20_001)
    verdict = review(propose(ENVELOPE, past, wish, NOW), past, ENVELOPE, NOW)
    assert verdict.delivered == replace(HIGH, amplitude_ua=5000)
    assert is_no_more(verdict.delivered, wish)


@pytest.mark.req("SR-08")
def test_a_refusal_ends_what_a_narrower_envelope_no_longer_permits() -> None:
    session = tighten(ENVELOPE, amplitude_ua=(1000, 2000))
    verdict = review(None, running(HIGH), session, NOW)
    assert (verdict.delivered, verdict.ruling) == (OFF, Ruling.STOPPED)
    assert [each.rule for each in verdict.findings] == [Rule.NO_PROPOSAL, Rule.NOT_PERMITTED]
    lower = review(propose(session, running(HIGH), HIGH, NOW), running(HIGH), session, NOW)
    assert lower.delivered == replace(HIGH, amplitude_ua=2000)


@pytest.mark.req("SR-05")
def test_while_latched_only_off_is_delivered() -> None:
    past = STATES["latched though something runs"]
    for proposal in (None, propose(ENVELOPE, past, HIGH, NOW), propose(ENVELOPE, past, 1, NOW)):
        verdict = review(proposal, past, ENVELOPE, NOW)
        assert (verdict.delivered, verdict.ruling) == (OFF, Ruling.STOPPED)
        assert verdict.findings[-1].rule is Rule.LATCHED
        assert verdict.past.latched
