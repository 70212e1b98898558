"""Clamping goes downwards, moves nothing else, and says why with values and units."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import OFF, Mode, Setting
from safety import Past, Rule, Ruling, is_deliverable, review
from tests.safety.strategies import (
    SHIPPED,
    between_ticks,
    envelopes,
    near_limit,
    pasts,
    propose,
    running,
    small_envelope,
    wishes,
    wishes_near,
)

ENVELOPE = small_envelope()
PLAIN = Setting(site=0, amplitude_ua=4000, frequency_hz=50, pulse_width_us=120)
CYCLING = replace(PLAIN, on_ms=20_000, off_ms=30_000, mode=Mode.CYCLING)


def outcome_of(wish: Setting, envelope=ENVELOPE, past: Past | None = None):
    past = past or Past.start(7)
    return review(propose(envelope, past, wish, past.at_s), past, envelope, past.at_s)


@pytest.mark.req("SR-04")
@settings(max_examples=800)
@given(st.data())
def test_only_amplitude_pulse_width_and_on_time_change_and_only_downwards(
    data: st.DataObject,
) -> None:
    envelope = data.draw(envelopes())
    past = data.draw(pasts(envelope, review))
    wish = data.draw(st.one_of(wishes(envelope), wishes_near(envelope, past.delivered)))
    verdict = outcome_of(wish, envelope, past)
    delivered = verdict.delivered
    assert is_deliverable(delivered, envelope)
    if verdict.ruling is Ruling.HELD:
        assert delivered == past.delivered
    elif delivered != OFF:
        assert replace(wish, amplitude_ua=1, pulse_width_us=1) == replace(
            delivered, amplitude_ua=1, pulse_width_us=1, on_ms=wish.on_ms
        )
        assert delivered.amplitude_ua <= wish.amplitude_ua
        assert delivered.pulse_width_us <= wish.pulse_width_us
        assert delivered.on_ms <= wish.on_ms
    assert (verdict.ruling is Ruling.ACCEPTED) is (not verdict.findings)
    if verdict.ruling is Ruling.ACCEPTED:
        assert delivered == wish


@pytest.mark.req("SR-04")
@settings(max_examples=500)
@given(st.data())
def test_without_a_past_the_amplitude_is_the_highest_that_is_legal(data: st.DataObject) -> None:
    envelope = data.draw(envelopes()).replaced(
        step_amplitude_ua=10**9,
        rise_amplitude_ua=10**9,
        rise_charge_nc_per_s=10**9,
        rise_duty_permille=1000,
    )
    wish = data.draw(st.one_of(near_limit(envelope), between_ticks(envelope)))
    verdict = outcome_of(wish, envelope)
    if verdict.delivered == OFF or verdict.delivered.pulse_width_us != wish.pulse_width_us:
        return
    higher = [tick for tick in envelope.amplitude_ua if tick <= wish.amplitude_ua]
    legal = [
        tick
        for tick in higher
        if is_deliverable(replace(verdict.delivered, amplitude_ua=tick), envelope)
    ]
    assert verdict.delivered.amplitude_ua == max(legal)


@pytest.mark.req("SR-04")
@pytest.mark.parametrize(
    ("change", "rule", "words"),
    [
        ({"site": 3}, Rule.SITE, "site 3 is not one of small"),
        ({"frequency_hz": 51}, Rule.FREQUENCY, "51 Hz is not a step of small"),
        ({"mode": Mode.RESPONSIVE}, Rule.MODE, "responsive mode is not one of small"),
        ({"off_ms": 30_001}, Rule.OFF_TIME, "an off time of 30.001 s is not a step of small"),
        (
            {"pulse_width_us": 59},
            Rule.TICK,
            "pulse width 59 µs refused: 59 µs is not a step of small, and no step is low enough",
        ),
        (
            {"on_ms": 9_999},
            Rule.TICK,
            "on time 9.999 s refused: 9.999 s is not a step of small, and no step is low enough",
        ),
    ],
)
def test_what_is_never_moved_is_refused_and_what_runs_goes_on(change, rule, words) -> None:
    past = running(PLAIN)
    verdict = outcome_of(replace(CYCLING, **change), past=past)
    assert (verdict.ruling, verdict.delivered) == (Ruling.HELD, PLAIN)
    assert [(each.rule, each.sentence) for each in verdict.findings] == [(rule, words)]
    assert verdict.findings[0].requirement == rule.requirement


@pytest.mark.req("SR-04")
@pytest.mark.parametrize(
    ("change", "result", "words"),
    [
        ({"amplitude_ua": 4999}, PLAIN, "amplitude lowered from 4.999 mA to 4 mA: 4.999 mA is not"),
        ({"amplitude_ua": 999}, OFF, "amplitude lowered from 0.999 mA to 0 mA: the lowest step of"),
        ({"pulse_width_us": 121}, PLAIN, "pulse width lowered from 121 µs to 120 µs: 121 µs is"),
    ],
)
def test_what_lies_between_ticks_is_lowered_to_one(change, result, words) -> None:
    verdict = outcome_of(replace(PLAIN, **change))
    assert (verdict.ruling, verdict.delivered) == (Ruling.CLAMPED, result)
    assert verdict.findings[0].sentence.startswith(words)


@pytest.mark.req("SR-04")
def test_an_on_time_between_ticks_is_lowered_to_one() -> None:
    verdict = outcome_of(replace(CYCLING, on_ms=29_999))
    assert verdict.delivered == CYCLING
    assert [each.rule for each in verdict.findings] == [Rule.TICK]


@pytest.mark.req("SR-04")
def test_where_the_lowest_amplitude_is_too_much_charge_the_pulse_width_is_lowered_too() -> None:
    envelope = small_envelope(max_density_hundredths=25)  # 0.15 µC on each contact
    verdict = outcome_of(replace(PLAIN, pulse_width_us=240), envelope)
    assert verdict.delivered == replace(PLAIN, amplitude_ua=1000, pulse_width_us=120)
    assert [each.sentence for each in verdict.findings] == [
        "amplitude lowered from 4 mA to 1 mA: "
        "charge per phase at contact A would be 0.96 µC, the limit is 0.15 µC",
        "pulse width lowered from 240 µs to 120 µs: "
        "charge per phase at contact A would be 0.24 µC, the limit is 0.15 µC",
    ]
    lowest = outcome_of(replace(PLAIN, amplitude_ua=1000, pulse_width_us=240), envelope)
    assert lowest.delivered == verdict.delivered
    assert len(lowest.findings) == 1


def test_a_clamp_reads_as_a_clinician_would_say_it() -> None:
    wish = Setting(site=0, amplitude_ua=8000, frequency_hz=100, pulse_width_us=200)
    verdict = outcome_of(wish, SHIPPED["research"])
    assert [each.sentence for each in verdict.findings] == [
        "amplitude lowered from 8 mA to 6.5 mA: "
        "charge per phase at contact L1 would be 1.6 µC, the limit is 1.377 µC"
    ]
    assert verdict.findings[0].requirement == "SR-01"


def test_the_verdict_says_what_was_wanted() -> None:
    wish = replace(PLAIN, amplitude_ua=4999)
    assert outcome_of(wish).wanted == wish
    assert outcome_of(replace(PLAIN, site=9)).wanted == replace(PLAIN, site=9)
    assert review(None, Past.start(7), ENVELOPE, 0).wanted is None


@pytest.mark.req("SR-12")
@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        (OFF, PLAIN, 134),  # 4000 / 30, rounded up
        (PLAIN, OFF, 34),  # 4000 / 120, rounded up
        (PLAIN, PLAIN, 0),
        (PLAIN, replace(PLAIN, amplitude_ua=5000), 34),
        (PLAIN, replace(PLAIN, amplitude_ua=3000), 9),
        (PLAIN, replace(PLAIN, frequency_hz=100), 0),
        (PLAIN, replace(PLAIN, site=1), 34 + 134),
        (PLAIN, replace(PLAIN, pulse_width_us=60), 34 + 134),
    ],
)
def test_ramps_are_rounded_up_and_a_new_site_or_pulse_width_goes_through_zero(
    before, after, seconds
) -> None:
    verdict = outcome_of(after, past=running(before))
    assert verdict.delivered == after
    assert verdict.ramp_s == seconds
