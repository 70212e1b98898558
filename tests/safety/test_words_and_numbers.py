"""The numbers that are promised, and the words in which the gate says what it found."""

from dataclasses import replace

import pytest

from protocols import OFF, Mode, Setting
from safety import (
    Change,
    Finding,
    Latch,
    NotTolerated,
    Past,
    Rise,
    Rule,
    audit,
    audit_columns,
    audit_file,
    columns,
    day,
    envelope,
    envelope_file,
    reading,
    review,
    rise,
)
from safety.audit_file import LONGEST_ANCHOR, LONGEST_LINE, MOST_UNANCHORED
from safety.audit_records import KEYS, MOST_IN_A_GROUP, SCHEMA
from safety.quantity import (
    AMPLITUDE,
    LARGEST_INTEGER,
    ON_TIME,
    PULSE_WIDTH,
    decimal_text,
    exceeding,
    is_whole,
    shown,
)
from safety.verdict import EARNED, with_latest
from tests.safety.strategies import propose, running, small_envelope

LOW = Setting(site=0, amplitude_ua=2000, frequency_hz=50, pulse_width_us=120)


def test_these_numbers_are_promised() -> None:
    assert (day.DAY_S, day.DAY_MS, day.PC_PER_UC) == (86_400, 86_400_000, 10**6)
    assert (day.MAX_CHANGES, rise.MAX_RISES, rise.PPM) == (32, 32, 10**6)
    assert (reading.MAX_AGE_S, reading.MAX_JUMP) == (60, 10**6)
    assert LARGEST_INTEGER == 9_223_372_036_854_775_807
    assert envelope.MICROSECONDS_PER_SECOND == 1_000_000
    assert (envelope.LARGEST_SHANNON_K_HUNDREDTHS, envelope.MOST_CHANGES_PER_DAY) == (200, 32)
    assert (LONGEST_LINE, LONGEST_ANCHOR, MOST_UNANCHORED) == (33_554_432, 1000, 256)
    assert (SCHEMA, MOST_IN_A_GROUP, audit.LONGEST_SENTENCE) == (2, 100_000, 500)
    assert (audit_columns.LONGEST_COLUMN, audit_columns.MOST_EACH) == (4_000_000, 1000)
    assert (columns.MOST, columns.MOST_LEADS) == (72_057_594_037_927_936, 16)
    assert columns.LARGEST == (65_536, 1_048_576, 65_536, 65_536, 33_554_432, 33_554_432)
    assert (columns.N_FIELDS, columns.CONTINUOUS) == (7, 0)
    assert (envelope_file.SCHEMA, envelope_file.LARGEST_FILE_BYTES) == (1, 1_000_000)
    assert audit_file.BEGINNING == "0" * 64
    assert set(KEYS) == {
        "open",
        "intent",
        "outcome",
        "intents",
        "outcomes",
        "adverse-event",
        "acknowledgement",
        "fault",
        "envelope-change",
        "restart",
        "close",
    }


@pytest.mark.req("SR-18")
def test_only_these_refusals_are_no_fault_of_the_controller() -> None:
    assert {rule for rule in Rule if not rule.is_fault} == set(EARNED)
    assert {str(rule) for rule in EARNED} == {
        "amplitude-rise",
        "charge-rise",
        "duty-rise",
        "step",
        "changes-per-day",
        "therapies-per-day",
        "charge-per-day",
        "lockout",
        "site-latched",
    }


@pytest.mark.req("SR-29")
@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (0, 3, "0"),
        (1, 3, "0.001"),
        (10, 3, "0.01"),
        (100, 3, "0.1"),
        (1000, 3, "1"),
        (1250, 3, "1.25"),
        (10_000, 3, "10"),
        (7, 0, "7"),
        (120, 0, "120"),
        (205, 1, "20.5"),
    ],
)
def test_a_value_is_written_exactly_and_without_trailing_noughts(value, places, text) -> None:
    assert decimal_text(value, places) == text


def test_quantities_have_their_units() -> None:
    assert AMPLITUDE.text(2500) == "2.5 mA"
    assert PULSE_WIDTH.text(120) == "120 µs"
    assert ON_TIME.text(10_500) == "10.5 s"


@pytest.mark.req("SR-29")
@pytest.mark.parametrize(
    ("value", "limit", "divisor", "places", "unit", "text"),
    [
        (1001, 1999, 1000, 0, "mA", "would be 2 mA, the limit is 1 mA"),
        (2000, 1000, 1000, 0, "mA", "would be 2 mA, the limit is 1 mA"),
        (1_234_567, 999_999, 1000, 3, "C", "would be 1.235 C, the limit is 0.999 C"),
        (3, 2, 1, 0, "", "would be 3, the limit is 2"),
    ],
)
def test_a_value_is_rounded_up_and_its_limit_down(
    value, limit, divisor, places, unit, text
) -> None:
    assert exceeding(value, limit, divisor, places, unit) == text


@pytest.mark.req("SR-03")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a" * 40, f"'{'a' * 40}'"),
        ("a" * 41, f"'{'a' * 40}'"),
        (2**63 - 1, "9223372036854775807"),
        (-(2**63) + 1, "-9223372036854775807"),
        (2**63, "a number of more than 63 bits"),
        (-(2**63), "a number of more than 63 bits"),
        (1.5, "1.5"),
        (True, "True"),
        (None, "None"),
        ([], "something that is not a plain value"),
        (Mode.CYCLING, "something that is not a plain value"),
    ],
)
def test_an_untrusted_value_is_shown_in_few_words(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.req("SR-03")
def test_a_whole_number_is_an_int_of_63_bits_and_a_sign() -> None:
    for value in (0, 1, -1, 2**63 - 1, -(2**63) + 1):
        assert is_whole(value)
    for other in (2**63, -(2**63), True, 1.0, None, "1"):
        assert not is_whole(other)


SENTENCES = {
    Rule.NO_PROPOSAL: ((), "the controller proposed nothing"),
    Rule.MALFORMED: (("why",), "why"),
    Rule.PATIENT: (("8", 7), "addressed to patient 8: this is patient 7"),
    Rule.SEQUENCE: (("9", 1, 5), "sequence number 9: 1 to 5 was expected"),
    Rule.TIME: (("9", 5, 60), "proposed at 9 s: 5 s or up to 60 s before was expected"),
    Rule.ENVELOPE: (("small",), "made for an envelope other than small"),
    Rule.SITE: ((9, "small"), "site 9 is not one of small"),
    Rule.FREQUENCY: ((51, "small"), "51 Hz is not a step of small"),
    Rule.MODE: (("responsive", "small"), "responsive mode is not one of small"),
    Rule.OFF_TIME: ((30_500, "small"), "an off time of 30.5 s is not a step of small"),
    Rule.TICK: (
        ("amplitude_ua", 2500, 2000, "small", None),
        "amplitude lowered from 2.5 mA to 2 mA: 2.5 mA is not a step of small",
    ),
    Rule.PERIOD: (
        ("pulse_width_us", 240, None, 580, 500),
        "pulse width 240 µs refused: a pulse of 580 µs does not fit a period of 500 µs, "
        "and no step is low enough",
    ),
    Rule.CHARGE_PER_DAY: (
        ("amplitude_ua", 4000, 2000, 2 * 10**12 + 1, 2 * 10**12 - 1),
        "amplitude lowered from 4 mA to 2 mA: "
        "charge within 24 h would be 2.001 C, the limit is 1.999 C",
    ),
    Rule.THERAPIES_PER_DAY: (
        ("proposal", None, None, 9, 8),
        "proposal refused: therapies within 24 h would be 9, the limit is 8",
    ),
    Rule.CHANGES_PER_DAY: (
        ("rise", None, None, 3, 2),
        "rise refused: changes within 24 h would be 3, the limit is 2",
    ),
    Rule.LOCKOUT: (
        ("rise", None, None, 5, 9),
        "rise refused: it is 5 s, and until 9 s nothing rises after an adverse event",
    ),
    Rule.DUTY_RISE: (
        ("continuous stimulation", None, None, 1000, 999),
        "continuous stimulation refused: duty would be 100 %, the limit is 99.9 %",
    ),
    Rule.STEP: (
        ("amplitude_ua", 4000, 2000, 4000, 2999),
        "amplitude lowered from 4 mA to 2 mA: "
        "amplitude would be 4 mA, the limit is 2.999 mA at this review",
    ),
    Rule.STOP: ((), "it asks to stop this patient, which is always done"),
    Rule.NOT_PERMITTED: (("small", "off"), "small does not permit what is running (off)"),
    Rule.RECHECK: (
        ("off",),
        "clamping led to what is not permitted (off): off until a person has looked",
    ),
    Rule.DEFECT: (("ValueError",), "the check itself failed with ValueError: off until a person "
                  "has looked"),
    Rule.LATCHED: ((), "latched: off until a person has looked"),
    Rule.SITE_LATCHED: ((1,), "site 1 is latched until two people release it"),
    Rule.BASELINE: (("off",), "too many faulty proposals in a row: off until a person "
                    "acknowledges"),
}  # fmt: skip


@pytest.mark.parametrize("rule", SENTENCES, ids=str)
def test_each_finding_is_this_sentence(rule: Rule) -> None:
    facts, sentence = SENTENCES[rule]
    assert Finding(rule, facts).sentence == sentence


@pytest.mark.req("SR-18")
@pytest.mark.parametrize(
    ("latches", "latched", "fallen_back", "sites"),
    [
        ((), False, False, ()),
        ((Latch(None, Rule.BASELINE, 0),), False, True, ()),
        ((Latch(None, Rule.FALLBACK, 0),), True, False, ()),
        ((Latch(1, Rule.ADVERSE_EVENT, 0),), False, False, (1,)),
        ((Latch(1, Rule.ADVERSE_EVENT, 0), Latch(0, Rule.ADVERSE_EVENT, 0)), False, False, (1, 0)),
        ((Latch(1, Rule.ADVERSE_EVENT, 0), Latch(None, Rule.DEFECT, 0)), True, False, (1,)),
    ],
)
def test_what_latches_mean(latches, latched: bool, fallen_back: bool, sites) -> None:
    past = replace(Past.start(7), latches=latches)
    assert (past.latched, past.is_fallen_back) == (latched, fallen_back)
    assert past.latched_sites == sites
    for site in range(3):
        assert past.is_latched_at(replace(LOW, site=site)) is (site in sites)
    assert not past.is_latched_at(OFF)


@pytest.mark.req("SR-16")
def test_a_latch_takes_the_place_of_one_on_the_same_ground() -> None:
    old = Latch(0, Rule.ADVERSE_EVENT, 1)
    past = Past.start(7).with_latch(old)
    assert past.with_latch(Latch(0, Rule.ADVERSE_EVENT, 9)).latches == (replace(old, at_s=9),)
    for other in (Latch(1, Rule.ADVERSE_EVENT, 9), Latch(None, Rule.ADVERSE_EVENT, 9)):
        assert past.with_latch(other).latches == (old, other)
    baseline, fallback = Latch(None, Rule.BASELINE, 3), Latch(None, Rule.FALLBACK, 4)
    fallen = past.with_latch(baseline)
    assert fallen.latches == (old, baseline)
    assert fallen.with_latch(fallback).latches == (old, fallback)
    defect = Latch(None, Rule.DEFECT, 5)
    assert fallen.with_latch(defect).latches == (old, baseline, defect)


@pytest.mark.req("SR-03")
@pytest.mark.parametrize(
    "broken",
    [
        None,
        7,
        object.__new__(Past),
        replace(Past.start(7), latches=None),  # type: ignore[arg-type]
        replace(Past.start(7), latches=(1,)),  # type: ignore[arg-type]
    ],
    ids=["none", "a number", "empty", "no latches", "odd latches"],
)
@pytest.mark.parametrize("wish", [None, LOW, OFF], ids=str)
def test_a_past_that_no_review_left_stops_and_latches_nobody(broken, wish) -> None:
    limits = small_envelope()
    verdict = review(propose(limits, Past.start(7), wish, 0), broken, limits, 0)
    assert (verdict.delivered, verdict.past.delivered) == (OFF, OFF)
    after = review(propose(limits, Past.start(7), LOW, 0), verdict.past, limits, 0)
    assert after.delivered == OFF


@pytest.mark.req("SR-03")
def test_a_past_that_is_stopped_keeps_all_but_what_ran() -> None:
    past = running(LOW, at_s=9, refusals=1, not_tolerated=(NotTolerated(0, 1, 2),))
    latch = Latch(None, Rule.DEFECT, 9)
    assert Past.stopped(past, Rule.DEFECT) == replace(past, delivered=OFF, latches=(latch,))
    nobody = replace(Past.start(-1), latches=(Latch(None, Rule.RECHECK, 0),))
    for other in (None, object.__new__(Past), replace(past, latches=3)):  # type: ignore[arg-type]
        assert Past.stopped(other, Rule.RECHECK) == nobody


@pytest.mark.req("SR-10")
def test_what_is_merged_adds_up_or_keeps_the_most() -> None:
    assert Rise(1, 2, 3, 4).merged(Rise(5, 60, 700, 8000)) == Rise(5, 62, 703, 8004)
    one, other = Change(1, 20, 300, 4, 5, 6), Change(7, 18, 390, 5, 50, 60)
    assert one.merged(other) == Change(7, 20, 390, 9, 55, 66)
    assert replace(one, therapies=1).merged(other).therapies == 18
    assert other.merged(one).charge_pc == 390
    items = (Rise(1, 1, 1, 1), Rise(2, 2, 2, 2), Rise(3, 3, 3, 3))
    last = Rise(4, 4, 4, 4)
    assert with_latest(items, last, 4) == (*items, last)
    assert with_latest(items, last, 3) == (Rise(2, 3, 3, 3), items[2], last)
    assert with_latest((), last, 1) == (last,)


@pytest.mark.req("SR-14")
@pytest.mark.parametrize(
    ("now", "is_time"),
    [
        (2**63 - 1, True),
        (-(2**63) + 1, True),
        (2**63, False),
        (-(2**63), False),
        (0.0, False),
        (None, False),
        (True, False),
    ],
)
def test_a_time_beyond_63_bits_stops_and_is_said_in_words(now, is_time: bool) -> None:
    limits, past = small_envelope(), running(LOW)
    verdict = review(propose(limits, past, LOW, 0), past, limits, now)
    assert verdict.delivered == (LOW if is_time else OFF)
    assert verdict.past.latched is not is_time
    assert 0 < len(verdict.findings[0].sentence) < 200
