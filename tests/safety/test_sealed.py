"""Nothing at run time changes what the manufacturer's table says, by whatever way one writes."""

import os
from random import Random

import pytest

from protocols import InputError, Setting
from safety import (
    Contact,
    Envelope,
    Level,
    Montage,
    Past,
    Person,
    Role,
    Rule,
    chain_of,
    is_within,
    load_envelope,
    review,
    tighten,
)
from safety.envelope import GIVEN
from tests.safety.strategies import propose, small_envelope
from tests.safety.verification.sizes import rounds

ENVELOPE = load_envelope("research")
BEFORE = repr(ENVELOPE)
HIGH = Setting(site=0, amplitude_ua=9000, frequency_hz=50, pulse_width_us=60)
ANNE = Person("Anne", Role.CLINICIAN)
BERT = Person("Bert", Role.SAFETY_OFFICER)
MANY = (10**6,)
PARTS = {
    "envelope": ENVELOPE,
    "contact": ENVELOPE.contacts[0],
    "montage": ENVELOPE.montages[0],
    "load": ENVELOPE.binding_charge[0],
    "chain": chain_of(ENVELOPE),
}


class Wider(Envelope):
    """Claims to permit more than it was made with."""

    amplitude_ua = (500, *MANY)  # type: ignore[assignment]


@pytest.mark.req("SR-09")
@pytest.mark.parametrize("part", PARTS)
def test_no_field_of_a_part_can_be_written(part: str) -> None:
    value = PARTS[part]
    for name in [*value._fields, "hash", "new"]:
        for write in (setattr, object.__setattr__):
            with pytest.raises((AttributeError, TypeError)):
                write(value, name, MANY)
        for erase in (delattr, object.__delattr__):
            with pytest.raises((AttributeError, TypeError)):
                erase(value, name)
    with pytest.raises(TypeError):
        value[0] = MANY  # type: ignore[index]
    assert repr(ENVELOPE) == BEFORE


@pytest.mark.req("SR-09")
@pytest.mark.parametrize("kind", [Envelope, Contact, Montage])
def test_no_field_of_a_class_can_be_written(kind: type) -> None:
    for name in ("amplitude_ua", "area_um2", "shares_permille", "hash", "__new__"):
        with pytest.raises(AttributeError):
            setattr(kind, name, MANY)
    with pytest.raises(AttributeError):
        del kind.__new__
    assert repr(ENVELOPE) == BEFORE


@pytest.mark.req("SR-09")
def test_a_subclass_is_no_envelope() -> None:
    wider = Wider(**{name: getattr(ENVELOPE, name) for name in GIVEN})
    verdict = review(propose(wider, Past.start(7), HIGH, 0), Past.start(7), wider, 0)
    assert verdict.delivered.is_off
    assert [finding.rule for finding in verdict.findings] == [Rule.DEFECT]
    with pytest.raises(InputError):
        chain_of(wider)


@pytest.mark.req("SR-09")
def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ENVELOPE._fields, "ENVELOPE", "NEUROSTIM_ENVELOPE", "SAFETY_ENVELOPES"):
        monkeypatch.setitem(os.environ, name.upper(), "1000000")
    assert load_envelope("research") == ENVELOPE


@pytest.mark.req("SR-09")
def test_replacing_a_field_makes_another_envelope_with_another_hash() -> None:
    for other in (ENVELOPE.replaced(lockout_s=1), ENVELOPE._replace(lockout_s=1)):
        assert other.hash != ENVELOPE.hash
        assert other.lockout_s == 1
    with pytest.raises(ValueError, match="amplitude_ua starts at 0"):
        ENVELOPE._replace(amplitude_ua=(0,))
    with pytest.raises(TypeError, match="shannon"):
        ENVELOPE.replaced(shannon=3)
    assert repr(ENVELOPE) == BEFORE


@pytest.mark.req("SR-09")
@pytest.mark.req("SR-18")
def test_the_chain_takes_one_person_to_tighten_and_two_roles_to_loosen() -> None:
    chain = chain_of(ENVELOPE)
    tight = tighten(ENVELOPE, max_lead_current_ua=4000)
    for by in ((), (ANNE, "Bert"), ["Anne"]):
        with pytest.raises(InputError):
            chain.change(Level.LEARNED, tight, by=by)  # type: ignore[arg-type]
    changed = chain.change(Level.LEARNED, tight, by=(ANNE,))
    assert changed.active == tight
    assert changed.hash != chain.hash
    twice = Person(" anne ", Role.SAFETY_OFFICER)
    same_role = Person("Bert", Role.CLINICIAN)
    for by in ((), (ANNE,), (ANNE, ANNE), (ANNE, twice), (ANNE, same_role)):
        with pytest.raises(InputError):
            changed.change(Level.LEARNED, ENVELOPE, by=by)
    assert changed.change(Level.LEARNED, ENVELOPE, by=(ANNE, BERT)) == chain
    with pytest.raises(InputError, match="cannot be changed at run time"):
        chain.change(Level.MANUFACTURER, tight, by=(ANNE, BERT))
    with pytest.raises(InputError, match="is wider than"):
        chain.change(Level.CLINICIAN, tight, by=(ANNE,))


def chains(n: int, seed: int) -> int:
    """Change random levels of random chains; return how many changes were made."""
    luck, n_changed = Random(seed), 0
    devices = [chain_of(small_envelope(max_lead_current_ua=ua)) for ua in range(4000, 9001, 250)]
    for _ in range(n):
        chain = luck.choice(devices)
        for _ in range(4):
            level, old = luck.choice(list(Level)), chain
            changes = {
                "max_lead_current_ua": luck.randint(1000, 10_000),
                "lockout_s": luck.randint(0, 100_000),
                "amplitude_ua": tuple(sorted(luck.sample(range(1000, 9000, 1000), 4))),
            }
            name = luck.choice(list(changes))
            try:
                envelope = chain[level].replaced(**{name: changes[name]})
                by = (ANNE, BERT)[: luck.randint(0, 2)]
                chain = chain.change(level, envelope, by=by)
            except (ValueError, InputError):
                assert chain == old
                continue
            n_changed += chain != old
            assert chain.manufacturer == old.manufacturer
            assert all(is_within(chain[at + 1], chain[at]) for at in range(3))
            assert len(by) == 2 or is_within(chain[level], old[level])
    return n_changed


@pytest.mark.req("SR-08")
def test_10_000_random_chains_hold_no_widening() -> None:
    assert chains(10_000, seed=1) > 2_500


@pytest.mark.slow
@pytest.mark.req("SR-08")
def test_50_000_random_chains_hold_no_widening() -> None:
    for number in rounds("chains of envelopes", each=1000, part="people", n_parts=2):
        assert chains(1000, seed=1000 + number) > 250
