"""Adverse events, restarts, fallback and people: the state machine, and what a day may hold."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import rule as happens

from protocols import OFF, InputError, Mode, Setting
from safety import (
    Latch,
    Past,
    Person,
    Role,
    Rule,
    Ruling,
    acknowledge,
    after_adverse_event,
    after_restart,
    is_deliverable,
    review,
    tighten,
)
from safety.rise import is_rise, rise_to
from safety.verdict import Change
from tests.safety.strategies import (
    DAY,
    overwritten,
    propose,
    running,
    settings_of,
    small_envelope,
    wild,
)

BASELINE = Setting(site=0, amplitude_ua=1000, frequency_hz=50, pulse_width_us=120)
LOW = replace(BASELINE, amplitude_ua=2000)
HIGH = replace(BASELINE, amplitude_ua=6000)
CYCLING = replace(LOW, mode=Mode.CYCLING, on_ms=10_000, off_ms=90_000)
ENVELOPE = small_envelope(fallback_baseline=BASELINE)
ANNE = Person("Anne", Role.CLINICIAN)
BERT = Person("Bert", Role.SAFETY_OFFICER)


def step(past: Past, wish: object, now: int, envelope=ENVELOPE):
    return review(propose(envelope, past, wish, now), past, envelope, now)


def after(past: Past, grade: int, at_s: int = 0, setting: Setting = LOW) -> Past:
    return after_adverse_event(past, ENVELOPE, at_s=at_s, grade=grade, setting=setting)


@pytest.mark.req("SR-16")
@pytest.mark.parametrize(
    ("grade", "sites"), [(0, None), (1, None), (2, (0,)), (3, (None,)), (4, (None,))]
)
def test_an_event_latches_by_its_grade_within_one_step(grade: int, sites) -> None:
    past = after(running(LOW), grade)
    assert tuple(each.site for each in past.latches) == (sites or ())
    verdict = step(past, LOW, 0)
    assert verdict.delivered == (OFF if sites else LOW)
    if sites == (0,):
        elsewhere = step(past, replace(LOW, site=1), past.lockout_until_s)
        assert elsewhere.delivered == replace(LOW, site=1)
    restarted = after_restart(past, 10)
    assert restarted.latches == past.latches
    assert restarted.delivered == OFF


@pytest.mark.req("SR-16")
@pytest.mark.parametrize(
    "wrong",
    [{"grade": 5}, {"grade": 2.0}, {"grade": True}, {"at_s": -1}, {"at_s": 1.5}, {"setting": None}],
    ids=str,
)
def test_an_event_that_is_none_is_an_input_error(wrong) -> None:
    with pytest.raises(InputError):
        after_adverse_event(
            running(LOW), ENVELOPE, **({"at_s": 0, "grade": 2, "setting": LOW} | wrong)
        )


@pytest.mark.req("SR-17")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(("at_s", "amplitude_ua"), [(DAY - 1, 1000), (DAY, 1500)])
def test_nothing_rises_in_a_lockout_and_a_decrease_passes(at_s: int, amplitude_ua: int) -> None:
    envelope = small_envelope(amplitude_ua=(500, 1000, 1500))
    past = after(running(replace(LOW, amplitude_ua=1000, site=1)), 2, setting=LOW)
    verdict = step(past, replace(LOW, amplitude_ua=1500, site=1), at_s, envelope)
    assert verdict.delivered.amplitude_ua == amplitude_ua
    lower = replace(LOW, amplitude_ua=500, site=1)
    assert step(past, lower, 1, envelope).delivered == lower


@pytest.mark.req("SR-16")
@pytest.mark.req("SR-12")
def test_what_was_not_tolerated_counts_from_off_for_ever() -> None:
    envelope = small_envelope(rise_amplitude_ua=4000)
    past = after(running(HIGH), 2, setting=replace(LOW, amplitude_ua=5000))
    past = acknowledge(past, past.latches[0], (ANNE, BERT), 1)
    past = replace(past, delivered=replace(LOW, amplitude_ua=4000))
    assert step(past, replace(LOW, amplitude_ua=5000), 9 * DAY, envelope).delivered == replace(
        LOW, amplitude_ua=4000
    )
    elsewhere = replace(past, not_tolerated=())
    assert step(elsewhere, replace(LOW, amplitude_ua=5000), 9 * DAY, envelope).delivered == replace(
        LOW, amplitude_ua=5000
    )
    above = replace(past, delivered=HIGH)
    lower = replace(LOW, amplitude_ua=5000)
    assert step(above, lower, 9 * DAY, envelope).delivered == lower


@pytest.mark.req("SR-18")
def test_the_fallback_holds_then_runs_the_baseline_then_is_off() -> None:
    past = running(HIGH)
    expected = [HIGH, HIGH, BASELINE, BASELINE, BASELINE, OFF, OFF]
    for delivered in expected:
        verdict = step(past, float("nan"), 0)
        assert verdict.delivered == delivered
        past = verdict.past
    assert [each.rule for each in past.latches] == [Rule.FALLBACK]
    with pytest.raises(InputError):
        acknowledge(past, past.latches[0], (ANNE,), 1)
    released = acknowledge(past, past.latches[0], (ANNE, BERT), 1)
    assert (released.refusals, released.latches) == (0, ())


@pytest.mark.req("SR-18")
def test_the_baseline_stays_until_one_person_acknowledges() -> None:
    past = running(HIGH)
    for _ in range(3):
        past = step(past, None, 0).past
    for wish in (HIGH, LOW, BASELINE):
        verdict = step(past, wish, 0)
        assert (verdict.delivered, verdict.ruling) == (BASELINE, Ruling.FALLEN_BACK)
        past = verdict.past
    stopped = step(past, OFF, 0)
    assert stopped.delivered == OFF
    assert step(stopped.past, LOW, 0).delivered == OFF  # the baseline would rise
    with pytest.raises(InputError):
        acknowledge(past, past.latches[0], (), 1)
    with pytest.raises(InputError, match="no such latch"):
        acknowledge(past, Latch(3, Rule.BASELINE, 0), (ANNE,), 1)
    past = acknowledge(past, past.latches[0], (ANNE,), 1)
    assert step(past, LOW, 1).delivered == LOW


@pytest.mark.req("SR-18")
@pytest.mark.parametrize(
    "baseline",
    [
        HIGH,
        replace(BASELINE, frequency_hz=200),
        replace(BASELINE, site=1),
        replace(BASELINE, site=9),
    ],
    ids=str,
)
def test_a_baseline_that_is_above_what_runs_or_not_permitted_is_off_and_latched(baseline) -> None:
    envelope, past = small_envelope(fallback_baseline=baseline), running(LOW)
    for _ in range(3):
        past = step(past, None, 0, envelope).past
    assert past.latched
    assert past.delivered == OFF


@pytest.mark.req("SR-18")
def test_a_sound_proposal_starts_the_count_again() -> None:
    past = running(LOW)
    for _ in range(5):
        past = step(step(past, None, 0).past, 7, 0).past
        assert (past.refusals, past.latches) == (2, ())
        past = step(past, LOW, 0).past
        assert past.refusals == 0


@pytest.mark.req("SR-17")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("limit", "rule"),
    [
        ({"day_max_changes": 2}, Rule.CHANGES_PER_DAY),
        # two settings: 864 therapies of the heavier and one of each, 155,520 + 180 + 120 µC
        ({"day_max_therapies": 865}, Rule.THERAPIES_PER_DAY),
        ({"day_max_charge_uc": 155_819}, Rule.CHARGE_PER_DAY),
    ],
    ids=str,
)
def test_a_day_holds_no_more_than_it_may_across_midnight_and_restarts(limit, rule) -> None:
    envelope, begin = small_envelope(**limit), DAY - 100
    past = step(Past.start(7), CYCLING, begin, envelope).past
    assert past.delivered == CYCLING
    past = after_restart(past, begin + 10)
    again = step(past, replace(CYCLING, amplitude_ua=3000), begin + 200, envelope)
    assert again.findings[-1].rule is rule
    assert again.delivered == OFF
    assert "the limit is" in again.findings[-1].sentence
    later = step(past, CYCLING, begin + 10 + DAY, envelope)
    assert later.delivered == CYCLING


@pytest.mark.req("SR-17")
@pytest.mark.req("SR-24")
def test_therapies_and_charge_of_one_setting_in_a_day_to_the_last_one() -> None:
    charge_uc = 12_000 * 86_400 // 10 // 1000  # 12 µC/s, a tenth of the time
    for limit, rule in (
        ({"day_max_therapies": 864}, None),
        ({"day_max_therapies": 863}, Rule.THERAPIES_PER_DAY),
        ({"day_max_charge_uc": charge_uc}, None),
        ({"day_max_charge_uc": charge_uc - 1}, Rule.CHARGE_PER_DAY),
    ):
        verdict = step(Past.start(7), CYCLING, 0, small_envelope(**limit))
        assert (verdict.findings[-1].rule if verdict.findings else None) is rule
        assert (verdict.delivered == CYCLING) is (rule is None)


@pytest.mark.req("SR-10")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(("step_ua", "amplitude_ua"), [(4000, 6000), (3999, 5000)])
def test_one_review_rises_by_one_step(step_ua: int, amplitude_ua: int) -> None:
    verdict = step(running(LOW), HIGH, 0, small_envelope(step_amplitude_ua=step_ua))
    assert verdict.delivered == replace(LOW, amplitude_ua=amplitude_ua)


EVENTS = {
    "low": lambda past, now: step(past, LOW, now).past,
    "high": lambda past, now: step(past, HIGH, now).past,
    "elsewhere": lambda past, now: step(past, replace(HIGH, site=1), now).past,
    "stop": lambda past, now: step(past, OFF, now).past,
    "fault": lambda past, now: step(past, None, now).past,
    "mild": lambda past, now: after(past, 2, now, past.delivered),
    "severe": lambda past, now: after(past, 3, now, past.delivered),
    "restart": lambda past, now: after_restart(past, now),
    "release": lambda past, now: (
        acknowledge(past, past.latches[0], (ANNE, BERT), now) if past.latches else past
    ),
}


@pytest.mark.req("SR-11")
@pytest.mark.req("SR-16")
@pytest.mark.req("SR-17")
@pytest.mark.req("SR-18")
def test_every_event_in_every_state_that_six_events_reach() -> None:
    """States are told apart by what runs, latches and counts; time moves 5 h with each event."""
    waiting, seen, n_pairs = [(Past.start(7), 0)], set(), 0
    for _ in range(6):
        reached = []
        for (past, now), (name, event) in product(waiting, EVENTS.items()):
            later = now + 5 * 3600
            new = event(past, later)
            check_pair(past, name, new, later)
            n_pairs += 1
            latches = frozenset((each.site, each.rule) for each in new.latches)
            key = new.delivered, latches, new.refusals, new.lockout_until_s > later
            if key not in seen:
                seen.add(key)
                reached.append((new, later))
        waiting = reached
    assert n_pairs > 300


def check_pair(past: Past, name: str, new: Past, now: int) -> None:
    assert step(new, OFF, now).delivered == OFF
    assert is_deliverable(new.delivered, ENVELOPE)
    rise = rise_to(new.delivered, past.delivered, ENVELOPE, now)
    if past.latched or past.latched_sites == (new.delivered.site,) or past.lockout_until_s > now:
        assert not is_rise(rise) or name not in {"low", "high", "elsewhere", "fault"}
    if name in {"fault", "stop", "restart", "mild", "severe", "release"}:
        assert not is_rise(rise)
    if past.latched and name not in {"mild", "severe", "release", "restart"}:
        assert new.delivered == OFF
    if name != "release":
        kept = {(each.site, each.rule) for each in past.latches}
        kept -= {(None, Rule.BASELINE)}
        assert kept <= {(each.site, each.rule) for each in new.latches}
        assert new.lockout_until_s >= past.lockout_until_s
    assert set(past.not_tolerated) == set(new.not_tolerated) or name in {"mild", "severe"}


class Life(RuleBasedStateMachine):
    """One patient: weeks between reviews, mostly ordinary proposals, now and then an event."""

    def __init__(self) -> None:
        super().__init__()
        self.envelope = small_envelope(
            fallback_baseline=BASELINE, day_max_changes=3, day_max_charge_uc=1_500_000
        )
        self.tighter = tighten(self.envelope, day_max_changes=2, day_max_charge_uc=900_000)
        self.past, self.now, self.latest = Past.start(7), 0, 0
        self.delivered: list[tuple[int, Setting]] = [(-2 * DAY, OFF)]

    @happens(data=st.data(), wait_s=st.sampled_from([0, 3600, DAY, 14 * DAY]))
    def propose_ordinary(self, data: st.DataObject, wait_s: int) -> None:
        self.take(data.draw(settings_of(self.envelope)), wait_s)

    @happens(wish=st.sampled_from([OFF, LOW, HIGH, CYCLING]), wait_s=st.sampled_from([0, 14 * DAY]))
    def propose_known(self, wish: Setting, wait_s: int) -> None:
        self.take(wish, wait_s)

    @happens(fault=st.sampled_from([None, 7, float("nan"), replace(LOW, site=9)]))
    def fail(self, fault: object) -> None:
        before = self.past.delivered
        self.take(fault, 3600)
        assert not is_rise(rise_to(self.past.delivered, before, self.envelope, self.now))

    @happens(value=wild(), name=st.sampled_from(["amplitude_ua", "on_ms", "site", "mode"]))
    def propose_wild(self, value: object, name: str) -> None:
        self.fail(value)
        self.take(overwritten(LOW, **{name: value}), 3600)  # which may by chance be sound

    @happens(wish=st.sampled_from([LOW, HIGH]), jump_s=st.integers(-400 * DAY, 400 * DAY))
    def turn_the_clock(self, wish: Setting, jump_s: int) -> None:
        self.take(wish, jump_s)

    @happens()
    def reload_the_envelope(self) -> None:
        self.envelope, self.tighter = self.tighter, self.envelope

    @happens(grade=st.integers(0, 4))
    def fall_ill(self, grade: int) -> None:
        setting = self.past.delivered
        self.past = after_adverse_event(
            self.past, self.envelope, at_s=self.now, grade=grade, setting=setting
        )

    @happens()
    def restart(self) -> None:
        self.past = after_restart(self.past, self.now)
        self.delivered.append((self.latest, OFF))

    @happens(by=st.sampled_from([(ANNE,), (ANNE, BERT)]))
    def release(self, by: tuple[Person, ...]) -> None:
        for latch in self.past.latches:
            if len(by) == 2 or latch.rule is Rule.BASELINE:
                self.past = acknowledge(self.past, latch, by, self.now)
            else:
                with pytest.raises(InputError):
                    acknowledge(self.past, latch, by, self.now)

    def take(self, wish: object, wait_s: int) -> None:
        self.now = max(0, self.now + wait_s)
        self.latest = max(self.latest, self.now)
        past = self.past
        verdict = step(past, wish, self.now, self.envelope)
        self.past, new = verdict.past, verdict.delivered
        assert is_deliverable(new, self.envelope)
        assert not past.latched or new == OFF
        assert new.is_off or new.site not in past.latched_sites
        assert all(finding.rule not in (Rule.DEFECT, Rule.RECHECK) for finding in verdict.findings)
        self.delivered.append((self.latest, new))
        if is_rise(rise_to(new, past.delivered, self.envelope, self.now)):
            assert self.latest >= past.lockout_until_s
            self.check_day()

    def check_day(self) -> None:
        changes, charge_pc, begin_s = 0, 0, self.latest - DAY
        ends = [at_s for at_s, _ in self.delivered[1:]] + [self.latest]
        before = OFF
        for (at_s, setting), end_s in zip(self.delivered, ends, strict=True):
            changes += setting != before and at_s > begin_s
            before = setting
            seconds = end_s - max(at_s, begin_s)
            if seconds > 0 and not setting.is_off:
                share = 1.0 if setting.mode is Mode.CONTINUOUS else setting.duty
                leads = 2 if setting.site == 2 else 1
                per_s = setting.amplitude_ua * setting.pulse_width_us * setting.frequency_hz * leads
                charge_pc += per_s * share * seconds
        assert changes <= self.envelope.day_max_changes
        assert charge_pc <= self.envelope.day_max_charge_uc * 10**6


TestLife = pytest.mark.req("SR-16")(pytest.mark.req("SR-17")(Life.TestCase))
TestLife.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@pytest.mark.req("SR-17")
def test_changes_that_count_as_one_add_up() -> None:
    first, second = Change(1, 5, 70, 1, 10, 1), Change(2, 3, 90, 2, 20, 1)
    assert first.merged(second) == Change(2, 5, 90, 3, 30, 2)
