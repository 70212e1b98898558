"""An envelope is exact, complete and not empty, or it does not exist."""

import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import InputError, Mode, Setting
from safety import (
    Contact,
    Envelope,
    Montage,
    check_within,
    is_deliverable,
    is_within,
    max_charge_pc,
    tighten,
)
from safety.envelope import GIVEN
from tests.safety.strategies import SHIPPED, small_envelope, small_envelopes

SMALL = small_envelope()


def is_permitted(charge_pc: int, area_um2: int, k: int, density: int) -> bool:
    """Say by fractions alone whether a charge keeps Shannon's limit and the density."""
    charge_uc, area_cm2 = Fraction(charge_pc, 10**6), Fraction(area_um2, 10**8)
    by_density = charge_uc / area_cm2 <= Fraction(density, 100)
    return by_density and charge_uc**200 <= area_cm2**100 * Fraction(10) ** k


@pytest.mark.req("SR-06")
@given(st.integers(1, 10**9), st.integers(0, 200), st.integers(1, 10_000))
def test_the_largest_charge_is_exact(area_um2: int, k: int, density: int) -> None:
    largest = max_charge_pc(area_um2, k, density)
    assert is_permitted(largest, area_um2, k, density)
    assert not is_permitted(largest + 1, area_um2, k, density)


@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("area_um2", "k", "density", "charge_pc"),
    [
        (6_000_000, 150, 3000, 1_377_449),  # 0.06 cm2: Shannon binds
        (7_900_000, 150, 2500, 1_580_569),
        (2_000_000, 150, 3000, 600_000),  # a small segment: density binds
        (100_000_000, 0, 3000, 1_000_000),  # 1 cm2 and k = 0: 1 µC
        (99_999_999, 0, 3000, 999_999),
    ],
)
def test_both_limits_of_charge_bind_on_different_contacts(area_um2, k, density, charge_pc) -> None:
    assert max_charge_pc(area_um2, k, density) == charge_pc


@pytest.mark.req("SR-08")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "name = '': a text was expected"),
        ({"amplitude_ua": [1000]}, r"amplitude_ua = \[1000\]: a tuple was expected"),
        ({"montages": [*SMALL.montages]}, "montages = .* a tuple was expected"),
        ({"amplitude_ua": ()}, "amplitude_ua"),
        ({"amplitude_ua": (2, 1)}, "amplitude_ua goes from 2 to 1"),
        ({"amplitude_ua": (0, 1)}, "amplitude_ua starts at 0"),
        ({"amplitude_ua": (1.0,)}, "amplitude_ua holds 1.0"),
        ({"on_ms": ()}, "on_ms"),
        ({"off_ms": ()}, "off_ms"),
        ({"modes": ()}, r"modes = \[\]"),
        ({"modes": ("continuous",)}, "modes holds 'continuous'"),
        ({"modes": (Mode.CYCLING, Mode.CYCLING)}, "modes holds 'cycling' twice"),
        ({"sites": (0, 3)}, "sites holds 3: there are 3 montages"),
        ({"sites": ()}, "sites"),
        ({"interphase_gap_us": -1}, "interphase_gap_us = -1: 0 to"),
        ({"max_duty_permille": 1001}, "max_duty_permille = 1001: 1 to 1000"),
        ({"max_duty_permille": 0}, "max_duty_permille = 0: 1 to 1000"),
        ({"max_duty_permille": True}, "max_duty_permille = True: a whole number"),
        ({"shannon_k_hundredths": 201}, "shannon_k_hundredths = 201: 0 to 200"),
        ({"rise_window_s": 0}, "rise_window_s = 0: 1 to"),
        ({"montages": (Montage(name="x", shares_permille=(1000,)),)}, "has 1 shares: 3 were"),
        ({"montages": (Montage(name="x", shares_permille=(0, 0, 0)),)}, "uses no contact"),
        ({"montages": (Montage(name="x", shares_permille=(999, 0, 0)),)}, "'left' add up to 999"),
        ({"montages": (Montage(name="x", shares_permille=(500, 501, 0)),)}, "add up to 1001"),
        ({"montages": SMALL.montages[:1] * 2}, "montages holds 'one' twice"),
        ({"contacts": SMALL.contacts[:1] * 3}, "contacts holds 'A' twice"),
        ({"max_contact_current_ua": 499}, "even the lowest ticks break a limit at every site"),
        ({"max_lead_current_ua": 999}, "even the lowest ticks break a limit at every site"),
        ({"max_density_hundredths": 4}, "even the lowest ticks break a limit at every site"),
        ({"interphase_gap_us": 199_881}, "even the lowest ticks break a limit at every site"),
        ({"max_duty_permille": 99}, "even the lowest ticks break a limit at every site"),
        ({"max_duty_permille": 999, "modes": (Mode.CONTINUOUS,)}, "even the lowest ticks"),
    ],
    ids=str,
)
def test_what_is_wrong_empty_or_missing_does_not_construct(changes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        small_envelope(**changes)


@pytest.mark.req("SR-08")
@pytest.mark.parametrize(
    "changes",
    [
        {"max_contact_current_ua": 500},
        {"max_lead_current_ua": 1000},
        {"max_density_hundredths": 5},
        {"interphase_gap_us": 199_880},
        {"max_duty_permille": 100},
        {"max_duty_permille": 1000, "modes": (Mode.CONTINUOUS,), "on_ms": (), "off_ms": ()},
    ],
    ids=str,
)
def test_what_permits_one_setting_constructs(changes) -> None:
    envelope = small_envelope(**changes)
    assert any(is_deliverable(each, envelope) for each in list(envelope.space)[1:])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Contact(name="", lead="l", area_um2=1), "contact name"),
        (lambda: Contact(name="a", lead="", area_um2=1), "contact lead"),
        (lambda: Contact(name="a", lead="l", area_um2=0), "area_um2 = 0"),
        (lambda: Contact(name="a", lead="l", area_um2=1.5), "area_um2 = 1.5"),
        (lambda: Montage(name="", shares_permille=(1000,)), "montage name"),
        (lambda: Montage(name="a", shares_permille=(1001,)), "shares_permille = 1001"),
        (lambda: Montage(name="a", shares_permille=(-1,)), "shares_permille = -1"),
    ],
)
def test_contacts_and_montages_are_checked_too(build, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build()


def test_the_hash_covers_every_limit_and_no_comment() -> None:
    same = SMALL.replaced(name="other", title="Other", source="Elsewhere.")
    assert same.hash == SMALL.hash
    changed = [small_envelope(**change) for change in CHANGES]
    assert len({SMALL.hash, *(each.hash for each in changed)}) == len(CHANGES) + 1
    assert len(CHANGES) == len(GIVEN) - 3  # what is comment


def test_an_envelope_can_be_sent_to_another_process_and_not_be_written_to() -> None:
    copy = pickle.loads(pickle.dumps(SMALL))
    assert (copy, copy.hash, copy.max_charge_pc) == (SMALL, SMALL.hash, SMALL.max_charge_pc)
    with pytest.raises(AttributeError):
        copy.max_lead_current_ua = 10**6


NARROWER = [
    {"amplitude_ua": (1000, 2000)},
    {"frequency_hz": (5, 50)},
    {"pulse_width_us": (60,)},
    {"on_ms": (10_000,)},
    {"off_ms": (90_000,)},
    {"modes": (Mode.CYCLING,)},
    {"sites": (0, 2)},
    {"interphase_gap_us": 101},
    {"max_contact_current_ua": 7999},
    {"max_lead_current_ua": 7999},
    {"shannon_k_hundredths": 149},
    {"max_density_hundredths": 2999},
    {"max_duty_permille": 999},
    {"rise_window_s": 86_401},
    {"rise_amplitude_ua": 7999},
    {"rise_charge_nc_per_s": 999_999},
    {"rise_duty_permille": 999},
    {"ramp_up_ua_per_s": 29},
    {"ramp_down_ua_per_s": 121},
    {"step_amplitude_ua": 7999},
    {"day_max_changes": 31},
    {"day_max_therapies": 9999},
    {"day_max_charge_uc": 10**9 - 1},
    {"adverse_site_grade": 1},
    {"adverse_patient_grade": 2},
    {"lockout_s": 86_401},
    {"fallback_refusals": 2},
    {"contacts": (SMALL.contacts[0]._replace(area_um2=59_999_999), *SMALL.contacts[1:])},
]
RENAMED = tuple(each._replace(name=each.name.lower()) for each in SMALL.contacts)
BASELINE = Setting(site=0, amplitude_ua=1000, frequency_hz=50, pulse_width_us=60)
CHANGES = [
    *NARROWER,
    {"montages": SMALL.montages[::-1]},
    {"fallback_baseline": BASELINE},
]


@pytest.mark.req("SR-08")
@pytest.mark.parametrize("change", NARROWER, ids=lambda change: next(iter(change)))
def test_one_unit_narrower_is_within_and_one_unit_wider_is_an_error(change) -> None:
    child = tighten(SMALL, **change)
    assert is_within(child, SMALL)
    assert not is_within(SMALL, child)
    with pytest.raises(InputError, match=next(iter(change)).replace("contacts", "area_um2")):
        tighten(child, **{name: getattr(SMALL, name) for name in change})


@pytest.mark.req("SR-08")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"montages": SMALL.montages[::-1]}, "montages differ"),
        ({"contacts": RENAMED}, "contacts differ"),
        ({"max_density_hundredths": 4}, "tightening 'small': envelope 'small': even the lowest"),
        ({"amplitude_ua": ()}, "tightening 'small': amplitude_ua"),
        ({"amplitude_ua": (1000, 1500)}, "'small' is wider than 'small': amplitude_ua adds 1500"),
        ({"max_duty_permille": 1001}, "max_duty_permille = 1001"),
    ],
    ids=str,
)
def test_what_means_something_else_or_permits_nothing_is_an_error(change, words: str) -> None:
    with pytest.raises(InputError, match=words):
        tighten(SMALL, **change)


@st.composite
def narrower(draw: st.DrawFn, parent: Envelope) -> dict[str, object]:
    """Draw changes that tighten, now and then to nothing."""
    changes: dict[str, object] = {}
    for name in draw(st.sets(st.sampled_from(["amplitude_ua", "frequency_hz", "sites", "on_ms"]))):
        ticks = getattr(parent, name)
        kept = draw(st.sets(st.sampled_from(ticks), min_size=1))
        changes[name] = tuple(sorted(kept))
    for name in draw(st.sets(st.sampled_from(["max_lead_current_ua", "max_density_hundredths"]))):
        changes[name] = draw(st.integers(1, getattr(parent, name)))
    return changes


@pytest.mark.req("SR-08")
@given(st.data())
def test_a_chain_of_envelopes_never_widens(data: st.DataObject) -> None:
    manufacturer = data.draw(small_envelopes())
    settings = [*manufacturer.space]
    chain, legal = [manufacturer], {each for each in settings if is_deliverable(each, manufacturer)}
    for _ in range(3):
        try:
            child = tighten(chain[-1], **data.draw(narrower(chain[-1])))
        except InputError:
            continue  # it permitted nothing, and so does not exist
        permitted = {each for each in settings if is_deliverable(each, child)}
        assert permitted <= legal
        assert len(permitted) > 1
        assert all(is_within(child, each) for each in chain)
        check_within(child, manufacturer)
        chain, legal = [*chain, child], permitted


@pytest.mark.req("SR-08")
@given(small_envelopes(), small_envelopes())
def test_what_is_within_permits_no_more(child: Envelope, parent: Envelope) -> None:
    if not is_within(child, parent):
        with pytest.raises(InputError, match="is wider than"):
            check_within(child, parent)
        return
    for setting in child.space:
        assert is_deliverable(setting, parent) or not is_deliverable(setting, child)


def test_the_space_lists_every_combination_of_ticks() -> None:
    assert len(SMALL.space) == 1 + 3 * 8 * 4 * 3 * (1 + 3 * 3)
    assert len(SHIPPED["vns-like"].space.cycles) == 5 * 12
