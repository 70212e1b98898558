"""Within any window of simulated time no more rises than the envelope permits."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import OFF, Mode, Setting
from safety import Past, Rise, Rule, Ruling, review
from safety.rise import MAX_RISES, remembered
from tests.safety.oracle import RiseOracle
from tests.safety.strategies import (
    propose,
    running,
    settings_of,
    silences,
    small_envelope,
    small_envelopes,
    wishes,
    wishes_near,
)

DAY = 86_400
LOW = Setting(site=0, amplitude_ua=2000, frequency_hz=50, pulse_width_us=120)
CYCLING = replace(LOW, on_ms=10_000, off_ms=30_000, mode=Mode.CYCLING)


class Plain:
    """What the rise oracle needs of an envelope that has no file."""

    def __init__(self, envelope) -> None:
        self.montages = envelope.montages
        self.rise = {
            "window_s": envelope.rise_window_s,
            "amplitude_ua": envelope.rise_amplitude_ua,
            "charge_nc_per_s": envelope.rise_charge_nc_per_s,
            "duty_permille": envelope.rise_duty_permille,
        }

    @staticmethod
    def duty(mode: Mode, on_ms: int, off_ms: int) -> Fraction:
        return Fraction(1) if mode is Mode.CONTINUOUS else Fraction(on_ms, on_ms + off_ms)

    def charge_per_s(self, s: Setting) -> Fraction:
        shares = Fraction(sum(self.montages[s.site].shares_permille), 1000)
        return shares * s.amplitude_ua * s.pulse_width_us * s.frequency_hz / 1000


def step(envelope, past: Past, wish: object, now: int):
    return review(propose(envelope, past, wish, now), past, envelope, now)


@pytest.mark.req("SR-10")
@settings(max_examples=400)
@given(st.data())
def test_no_window_holds_more_than_it_may_however_long_the_silences(data: st.DataObject) -> None:
    envelope = data.draw(small_envelopes())
    past, now, oracle = Past.start(7), 0, RiseOracle(Plain(envelope))
    for _ in range(data.draw(st.integers(1, 15))):
        now += data.draw(silences(envelope))
        wish = data.draw(st.one_of(wishes(envelope), wishes_near(envelope, past.delivered)))
        verdict = step(envelope, past, wish, now)
        assert oracle.deliver(now, past.delivered, verdict.delivered), (past, wish)
        assert not verdict.past.latched
        past = verdict.past


@pytest.mark.req("SR-10")
def test_a_long_silence_earns_no_more_than_one_window() -> None:
    envelope = small_envelope(rise_amplitude_ua=1000)
    past = running(LOW)
    verdict = step(envelope, past, replace(LOW, amplitude_ua=8000), 1000 * DAY)
    assert verdict.delivered.amplitude_ua == 3000
    assert verdict.findings[0].sentence == (
        "amplitude lowered from 8 mA to 3 mA: "
        "amplitude would be 8 mA, the limit is 3 mA within this window of 86400 s"
    )


@pytest.mark.req("SR-10")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("wait_s", "amplitude_ua"), [(0, 3000), (DAY - 1, 3000), (DAY, 4000), (DAY + 1, 4000)]
)
def test_what_rose_counts_until_the_window_has_passed(wait_s: int, amplitude_ua: int) -> None:
    envelope = small_envelope(rise_amplitude_ua=1000)
    risen = step(envelope, running(LOW), replace(LOW, amplitude_ua=3000), 100).past
    again = step(envelope, risen, replace(LOW, amplitude_ua=8000), 100 + wait_s)
    assert again.delivered.amplitude_ua == amplitude_ua


@pytest.mark.req("SR-10")
def test_going_down_and_up_again_costs_as_much_as_going_up() -> None:
    envelope = small_envelope(rise_amplitude_ua=2000)
    risen = step(envelope, Past.start(7), LOW, 0).past
    lower = step(envelope, risen, replace(LOW, amplitude_ua=1000), 1).past
    again = step(envelope, lower, LOW, 2)
    assert again.delivered.amplitude_ua == 1000


@pytest.mark.req("SR-10")
@pytest.mark.parametrize(
    ("limit", "wish", "delivered"),
    [
        # 24 µC/s may come on top of the 12 that run
        ({"rise_charge_nc_per_s": 24_000}, {"amplitude_ua": 6000}, {"amplitude_ua": 6000}),
        ({"rise_charge_nc_per_s": 23_999}, {"amplitude_ua": 6000}, {"amplitude_ua": 5000}),
        ({"rise_charge_nc_per_s": 12_000}, {"frequency_hz": 100}, {"frequency_hz": 100}),
        (
            {"rise_charge_nc_per_s": 11_999},
            {"frequency_hz": 100},
            {"frequency_hz": 100, "amplitude_ua": 1000},
        ),
    ],
)
def test_charge_per_second_is_limited_through_the_amplitude(limit, wish, delivered) -> None:
    envelope = small_envelope(**limit)
    verdict = step(envelope, running(LOW), replace(LOW, **wish), 0)
    assert verdict.delivered == replace(LOW, **delivered)


@pytest.mark.req("SR-10")
def test_charge_per_second_counts_both_leads() -> None:
    envelope = small_envelope(rise_charge_nc_per_s=12_000)
    assert step(envelope, Past.start(7), LOW, 0).delivered == LOW
    both = step(envelope, Past.start(7), replace(LOW, site=2), 0)
    assert both.delivered == replace(LOW, site=2, amplitude_ua=1000)


@pytest.mark.req("SR-10")
@pytest.mark.parametrize(
    ("permille", "on_ms", "delivered_ms"),
    [(150, 20_000, 20_000), (149, 20_000, 10_000), (250, 30_000, 30_000), (249, 30_000, 20_000)],
)
def test_duty_is_limited_through_the_on_time(permille, on_ms, delivered_ms) -> None:
    envelope = small_envelope(rise_duty_permille=permille)  # 10 s of 40 run
    verdict = step(envelope, running(CYCLING), replace(CYCLING, on_ms=on_ms), 0)
    assert verdict.delivered == replace(CYCLING, on_ms=delivered_ms)


@pytest.mark.req("SR-10")
def test_continuous_stimulation_that_is_too_much_duty_is_refused() -> None:
    envelope = small_envelope(rise_duty_permille=749)
    verdict = step(envelope, running(CYCLING), LOW, 0)
    assert (verdict.ruling, verdict.delivered) == (Ruling.HELD, CYCLING)
    assert verdict.findings[0].sentence == (
        "continuous stimulation refused: duty would be 100 %, the limit is 99.9 %"
    )
    enough = small_envelope(rise_duty_permille=750)
    assert step(enough, running(CYCLING), LOW, 0).delivered == LOW


@pytest.mark.req("SR-12")
@pytest.mark.parametrize("change", [{"site": 1}, {"pulse_width_us": 60}])
def test_a_new_site_or_pulse_width_counts_from_zero(change: dict[str, int]) -> None:
    envelope = small_envelope(rise_amplitude_ua=3000)
    past = running(replace(LOW, amplitude_ua=8000))
    moved = step(envelope, past, replace(LOW, amplitude_ua=8000, **change), 0)
    assert moved.delivered == replace(LOW, amplitude_ua=3000, **change)
    back = step(envelope, moved.past, LOW, 1)
    assert (back.ruling, back.delivered) == (Ruling.HELD, moved.delivered)
    assert back.findings[0].rule is Rule.AMPLITUDE_RISE


@pytest.mark.req("SR-12")
@settings(max_examples=300)
@given(st.data())
def test_after_a_change_of_place_the_old_amplitude_says_nothing(data: st.DataObject) -> None:
    envelope = data.draw(small_envelopes())
    free = envelope.replaced(
        step_amplitude_ua=10**9, rise_amplitude_ua=10**9, rise_charge_nc_per_s=10**9
    )
    before = step(free, Past.start(7), data.draw(settings_of(envelope)), 0).delivered
    wish = data.draw(wishes(envelope))
    moved = step(envelope, running(before), wish, 0)
    delivered = moved.delivered
    if (before.site, before.pulse_width_us) == (delivered.site, delivered.pulse_width_us):
        return
    assert delivered == step(envelope, running(OFF), wish, 0).delivered
    assert delivered.amplitude_ua <= envelope.rise_amplitude_ua
    assert moved.ramp_s == -(-before.amplitude_ua // 120) - (-delivered.amplitude_ua // 30)


@pytest.mark.req("SR-10")
def test_a_clock_that_stands_still_or_goes_back_earns_nothing() -> None:
    envelope = small_envelope(rise_amplitude_ua=1000)
    past = step(envelope, running(LOW), replace(LOW, amplitude_ua=3000), 5 * DAY).past
    for now in (5 * DAY, 4 * DAY, 0, 6 * DAY - 1):
        verdict = step(envelope, past, replace(LOW, amplitude_ua=8000), now)
        assert verdict.delivered.amplitude_ua == 3000
        past = verdict.past
        assert past.at_s == max(5 * DAY, now)


@pytest.mark.req("SR-10")
def test_what_is_remembered_is_bounded_and_forgets_no_rise() -> None:
    envelope = small_envelope(
        rise_charge_nc_per_s=10**9, rise_amplitude_ua=10**6, rise_window_s=1000 * DAY
    )
    past = running(replace(LOW, frequency_hz=5))
    for now in range(200):
        wish = replace(LOW, frequency_hz=(50, 5)[now % 2])
        past = step(envelope, past, wish, now * DAY).past
    assert len(past.rises) == MAX_RISES
    each = 2000 * 120 * 45
    assert sum(rise.charge_pc_per_s for rise in past.rises) == 100 * each
    assert step(envelope, past, wish, 1199 * DAY).past.rises == ()


@pytest.mark.req("SR-10")
def test_a_tightened_envelope_keeps_what_runs_and_lets_nothing_rise() -> None:
    wide = small_envelope(rise_amplitude_ua=5000)
    past = step(wide, Past.start(7), replace(LOW, amplitude_ua=5000), 0).past
    tight = small_envelope(rise_amplitude_ua=1000)
    assert step(tight, past, replace(LOW, amplitude_ua=8000), 1).delivered.amplitude_ua == 5000
    assert step(tight, past, replace(LOW, amplitude_ua=4000), 1).delivered.amplitude_ua == 4000


@pytest.mark.req("SR-10")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("limit", "earlier", "wish", "delivered"),
    [
        (
            {"rise_amplitude_ua": 2000},
            Rise(0, 1000, 0, 0),
            {"amplitude_ua": 5000},
            {"amplitude_ua": 3000},
        ),
        (  # each mA at 120 µs and 50 Hz is 6 µC/s
            {"rise_charge_nc_per_s": 12_000},
            Rise(0, 0, 6_000_000, 0),
            {"amplitude_ua": 5000},
            {"amplitude_ua": 3000},
        ),
        (  # 10 s of 40 run, and 20 of 50 are 15 % more
            {"rise_duty_permille": 200},
            Rise(0, 0, 0, 50_000),
            {"on_ms": 30_000},
            {"on_ms": 20_000},
        ),
    ],
)
def test_what_rose_earlier_in_the_window_is_taken_off(limit, earlier, wish, delivered) -> None:
    past = running(CYCLING, rises=(earlier,))
    verdict = step(small_envelope(**limit), past, replace(CYCLING, **wish), 1)
    assert (verdict.ruling, verdict.delivered) == (
        Ruling.CLAMPED,
        replace(CYCLING, **delivered),
    )


@pytest.mark.req("SR-10")
def test_old_rises_are_merged_at_the_later_time_and_each_quantity_is_added_up() -> None:
    rises = tuple(Rise(at_s, at_s, 10 * at_s, 100 * at_s) for at_s in range(1, MAX_RISES + 1))
    latest = Rise(99, 1, 0, 0)
    assert remembered(rises, latest) == (Rise(2, 3, 30, 300), *rises[2:], latest)
    assert remembered(rises[1:], latest) == (*rises[1:], latest)
    assert remembered(rises, Rise(99, 0, 0, 0)) == rises
    for only in (Rise(99, 1, 0, 0), Rise(99, 0, 1, 0), Rise(99, 0, 0, 1)):
        assert remembered((), only) == (only,)
