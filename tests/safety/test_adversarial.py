"""Whatever is proposed, in whatever order, what is delivered is legal by a separate oracle."""

from random import Random

import pytest

from protocols import OFF, Mode, Proposal, Setting
from safety import (
    Past,
    Person,
    Role,
    Rule,
    Ruling,
    acknowledge,
    envelope_names,
    envelope_text,
    load_envelope,
    review,
)
from tests.safety.oracle import Oracle, RiseOracle
from tests.safety.strategies import NOT_INTEGERS, overwritten

N_PROPOSALS = 40_000  # for each of five envelopes
WILD = list(NOT_INTEGERS.values())
PEOPLE = (Person("Anne", Role.CLINICIAN), Person("Bert", Role.SAFETY_OFFICER))
FIELDS = ("site", "amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms", "off_ms")


def attack(luck: Random, envelope, running: Setting) -> object:
    """Return a setting meant to get through: near a limit or what runs, off the grid, or junk."""
    wish = any_ticks(luck, envelope)
    kind = luck.randrange(10)
    if kind < 3 and not running.is_off:
        field = luck.choice(("amplitude_ua", "frequency_hz", "pulse_width_us"))
        return overwritten(running, **{field: luck.choice(getattr(envelope, field))})
    if kind < 5:
        load = envelope.binding_charge[wish.site]
        limit = 1000 * load.max_charge_pc // (load.share_permille * wish.pulse_width_us)
        return overwritten(wish, amplitude_ua=limit + luck.randint(-2, 120))
    if kind == 5:
        return overwritten(wish, **{luck.choice(FIELDS): luck.choice(WILD)})
    if kind == 6:
        return overwritten(wish, **{luck.choice(FIELDS): luck.randrange(100_000)})
    return OFF if kind == 7 else wish


def any_ticks(luck: Random, envelope) -> Setting:
    mode = luck.choice(envelope.modes)
    is_cyclic = mode is not Mode.CONTINUOUS
    return Setting(
        site=luck.choice(envelope.sites),
        amplitude_ua=luck.choice(envelope.amplitude_ua),
        frequency_hz=luck.choice(envelope.frequency_hz),
        pulse_width_us=luck.choice(envelope.pulse_width_us),
        on_ms=luck.choice(envelope.on_ms) if is_cyclic else 0,
        off_ms=luck.choice(envelope.off_ms) if is_cyclic else 0,
        mode=mode,
    )


def storm(name: str, n_proposals: int, seed: int) -> dict[str, int]:
    """Attack one patient after another; return how often each ruling came out."""
    envelope, oracle, luck = load_envelope(name), Oracle(envelope_text(name)), Random(seed)
    rulings = dict.fromkeys(Ruling, 0)
    for patient in range(n_proposals // 200):
        past, rises, now = Past.start(patient), RiseOracle(oracle), 0
        for sequence in range(200):
            now += luck.choice((0, 1, 60, 3600, 86_399, 86_400, 10_000_000))
            proposal = Proposal(
                patient=patient,
                sequence=sequence if luck.random() < 0.97 else luck.choice(WILD),
                at_s=now if luck.random() < 0.97 else now + luck.choice((-61, 1, 10**9)),
                envelope_hash=envelope.hash,
                setting=attack(luck, envelope, past.delivered),
            )
            verdict = review(proposal, past, envelope, now)
            delivered = verdict.delivered
            assert oracle.is_legal(delivered), proposal
            assert rises.deliver(now, past.delivered, delivered), (past, proposal)
            assert delivered in (past.delivered, OFF) or is_no_more(delivered, proposal.setting)
            assert verdict.findings or verdict.ruling is Ruling.ACCEPTED
            assert is_latched_by_faults(verdict)
            rulings[verdict.ruling] += 1
            past = verdict.past
            if luck.random() < 0.5:
                for latch in past.latches:
                    past = acknowledge(past, latch, PEOPLE, now)
    return rulings


def is_latched_by_faults(verdict) -> bool:
    """Say whether no defect latched; a storm of faulty proposals falls back, as it should."""
    return all(each.rule in (Rule.BASELINE, Rule.FALLBACK) for each in verdict.past.latches)


def is_no_more(delivered: Setting, wish: object) -> bool:
    if delivered == OFF:
        return True
    unmoved = ("site", "frequency_hz", "off_ms", "mode")
    lowered = ("amplitude_ua", "pulse_width_us", "on_ms")
    return all(getattr(delivered, name) == getattr(wish, name) for name in unmoved) and all(
        getattr(delivered, name) <= getattr(wish, name) for name in lowered
    )


@pytest.mark.req("SR-01")
@pytest.mark.req("SR-04")
@pytest.mark.req("SR-10")
@pytest.mark.parametrize("name", envelope_names())
def test_200_000_adversarial_proposals_deliver_nothing_illegal(name: str) -> None:
    rulings = storm(name, N_PROPOSALS, seed=1)
    assert sum(rulings.values()) == N_PROPOSALS
    for ruling in (Ruling.ACCEPTED, Ruling.CLAMPED, Ruling.HELD):
        assert rulings[ruling] > N_PROPOSALS // 50, rulings


@pytest.mark.slow
@pytest.mark.req("SR-01")
@pytest.mark.parametrize("name", envelope_names())
def test_2_000_000_adversarial_proposals_deliver_nothing_illegal(name: str) -> None:
    assert sum(storm(name, 10 * N_PROPOSALS, seed=2).values()) == 10 * N_PROPOSALS
