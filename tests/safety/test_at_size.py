"""Properties that are tried on as many cases as the requirements name, in the slow run."""

from dataclasses import replace
from random import Random

import pytest

from protocols import OFF, InputError
from safety import (
    Envelope,
    Past,
    envelope_names,
    is_deliverable,
    is_within,
    load_envelope,
    review,
    tighten,
)
from tests.safety.strategies import overwritten, propose
from tests.safety.verification.sequences import (
    WILD,
    Attacker,
    any_ticks,
    is_no_more,
    near_charge,
    storm,
)
from tests.safety.verification.sizes import rounds

ENVELOPES = [load_envelope(name) for name in envelope_names()]
NUMBERS = (
    "max_contact_current_ua",
    "max_lead_current_ua",
    "max_duty_permille",
    "max_density_hundredths",
    "interphase_gap_us",
    "rise_window_s",
    "rise_amplitude_ua",
    "rise_charge_nc_per_s",
    "rise_duty_permille",
)
TICKS = ("amplitude_ua", "frequency_hz", "pulse_width_us", "sites")


def clamp_many(n_cases: int, seed: int) -> int:
    """Check that clamping goes down to what is legal; return how often something was clamped."""
    luck, n_clamped = Random(seed), 0
    for _ in range(n_cases):
        by = Attacker(luck, luck.choice(ENVELOPES), Past.start(7))
        wish = near_charge(by, any_ticks(by))
        shift = luck.choice((0, luck.randint(-60, 60)))
        wish = replace(wish, amplitude_ua=max(0, wish.amplitude_ua + shift))
        asked = by.proposal(wish)
        verdict = review(asked, by.past, by.envelope, 0)
        assert is_deliverable(verdict.delivered, by.envelope), (wish, verdict)
        assert verdict.delivered == OFF or is_no_more(verdict.delivered, asked), (wish, verdict)
        n_clamped += verdict.ruling == "clamped"
    return n_clamped


def isolate_many(n_batches: int, seed: int) -> int:
    """Check that a poisoned row changes no other; return how many rows were stimulated."""
    luck, n_stimulated = Random(seed), 0
    for _ in range(n_batches):
        envelope = luck.choice(ENVELOPES)
        people = [Attacker(luck, envelope, Past.start(patient)) for patient in range(4)]
        asked = [storm(by) for by in people]
        alone = [
            review(each, by.past, envelope, by.clock)
            for by, each in zip(people, asked, strict=True)
        ]
        poisoned = luck.randrange(4)
        poison = overwritten(any_ticks(people[0]), amplitude_ua=luck.choice(WILD))
        asked[poisoned] = propose(envelope, people[poisoned].past, poison, people[poisoned].clock)
        for row in luck.sample(range(4), 4):
            verdict = review(asked[row], people[row].past, envelope, people[row].clock)
            if row != poisoned:
                assert verdict == alone[row], (asked, row)
                n_stimulated += verdict.delivered != OFF
    return n_stimulated


def chain_many(n_chains: int, seed: int) -> int:
    """Check that children permit no more than their ancestors; return how many were accepted."""
    luck, n_accepted = Random(seed), 0
    for _ in range(n_chains):
        chain = [luck.choice(ENVELOPES)]
        for _ in range(3):  # clinician, session, learned
            try:
                chain.append(tighten(chain[-1], **change_of(luck, chain[-1])))
            except InputError:
                continue
            n_accepted += 1
        first, last = chain[0], chain[-1]
        assert is_within(last, first)
        by = Attacker(luck, last, Past.start(7))
        for _ in range(4):
            wish = near_charge(by, any_ticks(by))
            verdict = review(by.proposal(wish), by.past, last, 0)
            assert is_deliverable(verdict.delivered, first), (wish, last)
    return n_accepted


def change_of(luck: Random, envelope: Envelope) -> dict[str, object]:
    """Return one field changed, narrower or wider."""
    if luck.random() < 0.5:
        name = luck.choice(TICKS)
        ticks = getattr(envelope, name)
        kept = {each for each in ticks if luck.random() < 0.8}
        if luck.random() < 0.1:
            kept.add(luck.randrange(1, 20_000))
        return {name: tuple(sorted(kept))}
    name = luck.choice(NUMBERS)
    return {name: max(0, getattr(envelope, name) * luck.randint(70, 115) // 100)}


@pytest.mark.req("SR-04")
def test_clamps_go_down_to_what_is_legal() -> None:
    assert clamp_many(2000, seed=1) > 500


@pytest.mark.req("SR-07")
def test_a_poisoned_row_changes_no_other() -> None:
    assert isolate_many(300, seed=1) > 100


@pytest.mark.req("SR-08")
def test_no_chain_of_envelopes_widens() -> None:
    assert 100 < chain_many(100, seed=1) < 300


@pytest.mark.slow
@pytest.mark.req("SR-04")
def test_1_000_000_clamped_proposals() -> None:
    for number in rounds("clamped proposals", each=5000):
        clamp_many(5000, seed=1000 + number)


@pytest.mark.slow
@pytest.mark.req("SR-07")
def test_100_000_batches() -> None:
    for number in rounds("isolated batches", each=1000):
        isolate_many(1000, seed=1000 + number)


@pytest.mark.slow
@pytest.mark.req("SR-08")
def test_50_000_chains() -> None:
    for number in rounds("chains of envelopes", each=500, part="tightened", n_parts=2):
        chain_many(500, seed=1000 + number)
