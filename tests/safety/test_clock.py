"""A clock that goes back, stands still or jumps brings no rise that time itself did not earn."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from protocols import OFF, Setting
from safety import Past, Rule, Ruling, after_adverse_event, review
from safety.envelope_file import envelope_text
from safety.rise import is_rise, rise_to
from tests.safety.oracle import Oracle, RiseOracle
from tests.safety.strategies import DAY, SHIPPED, propose, small_envelope
from tests.safety.verification.sequences import Attacker, any_ticks

LOW = Setting(site=0, amplitude_ua=1000, frequency_hz=50, pulse_width_us=120)
ENVELOPE = small_envelope(rise_amplitude_ua=2000, lockout_s=DAY)
FAULTS = (-(10**9), -400 * DAY, -DAY, -3600, -61, -60, -1, 0, 1)
JUMPS = (DAY - 1, DAY, DAY + 1, 400 * DAY, 10**9)


def ramped(past: Past, now: int, at_s: int | None = None):
    """Ask for as much as there is, dated by the gate's own clock unless `at_s` says otherwise."""
    wish = replace(LOW, amplitude_ua=8000)
    dated = now if at_s is None else at_s
    return review(propose(ENVELOPE, past, wish, dated), past, ENVELOPE, now)


@pytest.mark.req("SR-14")
@pytest.mark.parametrize("fault_s", FAULTS)
def test_a_clock_that_goes_back_or_stands_still_brings_no_rise(fault_s: int) -> None:
    begin = 10**9
    past = ramped(Past.start(7, at_s=begin), begin).past
    assert past.delivered.amplitude_ua == 2000
    for _ in range(5):
        verdict = ramped(past, begin + fault_s)
        assert verdict.delivered == past.delivered
        assert verdict.past.at_s == max(begin, begin + fault_s)
        past = verdict.past
    assert ramped(past, begin + DAY - 1).delivered.amplitude_ua == 2000
    assert ramped(past, begin + DAY).delivered.amplitude_ua == 4000


@pytest.mark.req("SR-14")
@pytest.mark.parametrize("jump_s", JUMPS)
def test_a_jump_earns_one_window_at_most_and_nothing_more_when_it_is_taken_back(jump_s) -> None:
    begin = 5 * DAY
    past = ramped(Past.start(7, at_s=begin), begin).past
    jumped = ramped(past, begin + jump_s)
    expected = 4000 if jump_s >= DAY else 2000
    assert jumped.delivered.amplitude_ua == expected
    past = jumped.past
    for now in (begin + 1, begin + jump_s // 2, begin + jump_s):
        back = ramped(past, now)
        assert back.delivered.amplitude_ua == expected
        past = back.past


@pytest.mark.req("SR-13")
@pytest.mark.req("SR-14")
@pytest.mark.parametrize("fault_s", [*FAULTS, *JUMPS])
def test_where_the_two_clocks_differ_a_proposal_is_refused(fault_s: int) -> None:
    begin = 10**10
    past = Past.start(7, at_s=begin)
    verdict = ramped(past, begin + fault_s, at_s=begin)
    if 0 <= fault_s <= 60:
        assert verdict.delivered.amplitude_ua == 2000
    else:
        assert (verdict.delivered, verdict.ruling) == (OFF, Ruling.HELD)
        assert [each.rule for each in verdict.findings] == [Rule.TIME]


@pytest.mark.req("SR-14")
@pytest.mark.req("SR-17")
@pytest.mark.parametrize("fault_s", FAULTS)
def test_no_lockout_and_no_day_ends_sooner_for_a_clock_that_goes_back(fault_s: int) -> None:
    begin = 10**9
    past = ramped(Past.start(7, at_s=begin), begin).past
    few, begun = ENVELOPE.replaced(day_max_changes=2), replace(past, rises=())
    harmed = after_adverse_event(past, ENVELOPE, at_s=begin, grade=2, setting=replace(LOW, site=2))
    for now in (begin + fault_s, begin, begin + DAY - 1):
        assert ramped(harmed, now).delivered == past.delivered
        stop = review(propose(few, begun, OFF, now), begun, few, now).past
        again = review(propose(few, stop, LOW, now), stop, few, now)
        assert (again.delivered, again.findings[-1].rule) == (OFF, Rule.CHANGES_PER_DAY)
    assert ramped(harmed, begin + DAY).delivered.amplitude_ua == 4000


def wandering(luck: Random, n_steps: int) -> list[int]:
    """Return the times of a clock that mostly goes on, and now and then does anything else."""
    now, times = 10 * DAY, []
    for _ in range(n_steps):
        kind = luck.randrange(10)
        if kind < 5:
            now += luck.choice((1, 60, 3600, DAY // 2))
        elif kind < 7:
            now = max(0, now - luck.choice((1, 61, 3600, DAY, 9 * DAY)))
        elif kind == 7:
            now += luck.choice((DAY - 1, DAY, DAY + 1, 40 * DAY))
        times.append(now)
    return times


def wander(name: str, n_patients: int, seed: int) -> tuple[int, int]:
    """Treat patients by a faulty clock; return how often anything rose, and rose behind its time.

    Behind is a clock that shows less than it once did; what rises then had room by the later time.
    """
    envelope, luck = SHIPPED[name], Random(seed)
    oracle = Oracle(envelope_text(name))
    n_rises = n_behind = 0
    for patient in range(n_patients):
        past, rises, latest = Past.start(patient), RiseOracle(oracle), 0
        for now in wandering(luck, 60):
            wish = any_ticks(Attacker(luck, envelope, past))
            if not past.delivered.is_off and luck.random() < 0.7:
                wish = replace(past.delivered, amplitude_ua=luck.choice(envelope.amplitude_ua))
            latest = max(latest, now)
            verdict = review(propose(envelope, past, wish, now), past, envelope, now)
            assert rises.deliver(latest, past.delivered, verdict.delivered), (past, wish, now)
            if is_rise(rise_to(verdict.delivered, past.delivered, envelope, now)):
                n_rises += 1
                n_behind += now < latest
            past = verdict.past
    return n_rises, n_behind


@pytest.mark.req("SR-14")
@pytest.mark.parametrize("name", SHIPPED)
def test_a_wandering_clock_never_lets_a_window_hold_more(name: str) -> None:
    n_rises, n_behind = wander(name, n_patients=20, seed=3)
    assert n_rises > 100
    assert n_behind > 0


def test_the_wandering_clock_does_go_back_stand_still_and_jump() -> None:
    steps = [b - a for a, b in pairwise(wandering(Random(1), 500))]
    assert min(steps) <= -DAY
    assert max(steps) >= 40 * DAY
    assert 0 in steps
