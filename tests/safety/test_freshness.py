"""A proposal counts once, for its patient, in its minute and under its envelope."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import Setting
from safety import MAX_AGE_S, Past, Rule, Ruling, review
from safety.reading import MAX_JUMP
from tests.safety.strategies import propose, running, small_envelope

ENVELOPE = small_envelope()
LOW = Setting(site=0, amplitude_ua=1000, frequency_hz=50, pulse_width_us=120)
HIGH = replace(LOW, amplitude_ua=2000)
PAST = running(LOW, sequence=5, at_s=1000)
NOW = 2000


def verdict_of(**changes: object):
    return review(propose(ENVELOPE, PAST, HIGH, NOW, **changes), PAST, ENVELOPE, NOW)


@pytest.mark.req("SR-13")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sequence": 6},
        {"sequence": 5 + MAX_JUMP},
        {"at_s": NOW - MAX_AGE_S},
        {"at_s": NOW - 1},
    ],
    ids=str,
)
def test_a_fresh_proposal_passes_and_uses_up_its_number(changes: dict[str, object]) -> None:
    verdict = verdict_of(**changes)
    assert verdict.delivered == HIGH
    assert verdict.past.sequence == changes.get("sequence", 6)
    assert verdict.past.at_s == NOW


@pytest.mark.req("SR-13")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("changes", "rule", "words"),
    [
        ({"patient": 8}, Rule.PATIENT, "addressed to patient 8: this is patient 7"),
        ({"sequence": 5}, Rule.SEQUENCE, "sequence number 5: 6 to 1000005 was expected"),
        ({"sequence": 2**63}, Rule.SEQUENCE, "a number of more than 63 bits: 6 to 1000005"),
        (
            {"at_s": NOW - MAX_AGE_S - 1},
            Rule.TIME,
            "proposed at 1939 s: 2000 s or up to 60 s before",
        ),
        ({"sequence": 6 + MAX_JUMP}, Rule.SEQUENCE, "sequence number 1000006: 6 to 1000005 was"),
        ({"sequence": 2**63 - 1}, Rule.SEQUENCE, "6 to 1000005 was expected"),
        ({"at_s": NOW + 1}, Rule.TIME, "proposed at 2001 s: 2000 s or up to 60 s before"),
        ({"envelope_hash": "0" * 64}, Rule.ENVELOPE, "made for an envelope other than small"),
    ],
    ids=str,
)
def test_a_proposal_with_a_wrong_address_is_held_and_uses_up_nothing(changes, rule, words) -> None:
    verdict = verdict_of(**changes)
    assert (verdict.ruling, verdict.delivered) == (Ruling.HELD, LOW)
    assert verdict.findings[0].rule is rule
    assert words in verdict.findings[0].sentence
    assert verdict.past.sequence == PAST.sequence


@pytest.mark.req("SR-13")
@given(st.integers(), st.integers(), st.integers(0, 10**9), st.text())
def test_only_the_exact_address_is_accepted(
    patient: int, sequence: int, age_s: int, envelope_hash: str
) -> None:
    verdict = verdict_of(
        patient=patient, sequence=sequence, at_s=NOW - age_s, envelope_hash=envelope_hash
    )
    assert (verdict.ruling, verdict.delivered) == (Ruling.HELD, LOW)


@pytest.mark.req("SR-13")
def test_no_proposal_works_twice_even_one_that_was_refused_for_its_setting() -> None:
    for wish, first in ((HIGH, Ruling.ACCEPTED), (replace(HIGH, site=9), Ruling.HELD)):
        proposal = propose(ENVELOPE, PAST, wish, NOW)
        verdict = review(proposal, PAST, ENVELOPE, NOW)
        assert verdict.ruling is first
        again = review(proposal, verdict.past, ENVELOPE, NOW)
        assert again.findings[0].rule is Rule.SEQUENCE


@pytest.mark.req("SR-13")
def test_a_patient_s_first_number_is_zero() -> None:
    past = Past.start(7, at_s=100)
    assert review(propose(ENVELOPE, past, LOW, 100), past, ENVELOPE, 100).past.sequence == 0
