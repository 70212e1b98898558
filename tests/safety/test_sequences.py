"""Whatever is proposed, in whatever order, what is delivered is legal by a separate oracle."""

from dataclasses import replace

import pytest

from protocols import OFF
from safety import Ruling, envelope_names, envelope_text, review
from tests.safety.verification.sequences import ATTACKS, attack
from tests.safety.verification.sizes import rounds

N_PROPOSALS = 40_000  # for each of five envelopes
ROUND = 20_000


@pytest.mark.req("SR-01")
@pytest.mark.req("SR-04")
@pytest.mark.req("SR-10")
@pytest.mark.req("SR-12")
@pytest.mark.req("SR-13")
@pytest.mark.req("SR-14")
@pytest.mark.parametrize("name", envelope_names())
def test_200_000_hostile_proposals_deliver_nothing_illegal(name: str) -> None:
    rulings = attack(name, N_PROPOSALS, seed=1)
    assert sum(rulings.values()) == N_PROPOSALS
    for ruling in (Ruling.ACCEPTED, Ruling.CLAMPED, Ruling.HELD):
        assert rulings[ruling] > N_PROPOSALS // 50, rulings


@pytest.mark.slow
@pytest.mark.req("SR-01")
@pytest.mark.req("SR-04")
@pytest.mark.req("SR-10")
@pytest.mark.parametrize("name", envelope_names())
def test_10_000_000_hostile_proposals_deliver_nothing_illegal(name: str) -> None:
    n_parts = len(envelope_names())
    for number in rounds("adversarial proposals", each=ROUND, part=name, n_parts=n_parts):
        attack(name, ROUND, seed=1000 + number)


def forgets_rises(proposal, past, envelope, now):
    return review(proposal, replace(past, rises=()), envelope, now)


def trusts_the_clock(proposal, past, envelope, now):
    return review(proposal, replace(past, at_s=now), envelope, now)


def forgets_numbers(proposal, past, envelope, now):
    return review(proposal, replace(past, sequence=-1), envelope, now)


def forgets_where_it_ran(proposal, past, envelope, now):
    wish = getattr(proposal, "setting", None)
    site = getattr(wish, "site", None)
    runs = past.delivered
    if type(site) is not int or site not in envelope.sites or runs.is_off:
        return review(proposal, past, envelope, now)
    return review(proposal, replace(past, delivered=replace(runs, site=site)), envelope, now)


def adds_a_microampere(proposal, past, envelope, now):
    verdict = review(proposal, past, envelope, now)
    if verdict.delivered == OFF or verdict.ruling is not Ruling.CLAMPED:
        return verdict
    more = replace(verdict.delivered, amplitude_ua=verdict.delivered.amplitude_ua + 1)
    return replace(verdict, delivered=more, past=replace(verdict.past, delivered=more))


def refuses_late_stops(proposal, past, envelope, now):
    verdict = review(proposal, past, envelope, now)
    if verdict.ruling is not Ruling.STOPPED:
        return verdict
    goes_on = replace(verdict.past, delivered=past.delivered)
    return replace(verdict, delivered=past.delivered, past=goes_on)


def does_not_say_why(proposal, past, envelope, now):
    return replace(review(proposal, past, envelope, now), findings=())


@pytest.mark.req("SR-01")
@pytest.mark.parametrize(
    ("gate", "fault"),
    [
        (forgets_rises, "rise"),
        (trusts_the_clock, "rise"),
        (forgets_numbers, "a misaddressed proposal was followed"),
        (forgets_where_it_ran, "rise"),
        (adds_a_microampere, "illegal"),
        (refuses_late_stops, "a stop was refused"),
        (does_not_say_why, "finding"),
    ],
)
def test_the_judge_notices_a_gate_that_is_wrong(gate, fault: str) -> None:
    with pytest.raises(AssertionError, match=f"'{fault}'"):
        attack("research", 20_000, seed=1, gate=gate)


def tight_days() -> str:
    """Return the research profile with days in which little more than one setting has room."""
    text = envelope_text("research")
    for line, tight in (
        ("max_changes = 32", "max_changes = 9"),
        ("max_therapies = 1300", "max_therapies = 500"),
        ("max_charge_uc = 50_000_000", "max_charge_uc = 3_000_000"),
        ("window_s = 86_400", "window_s = 600"),
    ):
        assert line in text
        text = text.replace(line, tight, 1)
    return text


@pytest.mark.req("SR-17")
def test_no_24_hours_hold_more_than_they_may_by_what_the_device_really_does() -> None:
    rulings = attack("tight", 10_000, seed=1, text=tight_days())
    assert rulings[Ruling.ACCEPTED] > 200


def forgets_the_day(proposal, past, envelope, now):
    return review(proposal, replace(past, changes=()), envelope, now)


@pytest.mark.req("SR-17")
def test_the_judge_notices_a_gate_that_loses_count_of_a_day() -> None:
    with pytest.raises(AssertionError, match="'day'"):
        attack("tight", 15_000, seed=1, gate=forgets_the_day, text=tight_days())


def test_every_attack_has_a_name_of_its_own() -> None:
    assert len({each.__name__ for each in ATTACKS}) == len(ATTACKS)
