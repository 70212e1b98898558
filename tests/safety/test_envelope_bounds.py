"""Every limit of an envelope has its lowest and its highest value, and nothing beyond them."""

import pickle
import re
from dataclasses import replace
from typing import Any

import pytest

from protocols import OFF, InputError, Mode, Setting
from safety import Chain, Contact, Envelope, Montage, chain_of, parse_envelope, tighten
from safety.envelope import (
    GIVEN,
    MOST_CHANGES_PER_DAY,
    MOST_IN_A_LIST,
    WORKED_OUT,
    max_charge_pc,
    whole_root,
)
from safety.montage import LARGEST_NUMBER, LONGEST_NAME
from safety.narrower import Level
from safety.people import Person, Role
from tests.safety.strategies import SHIPPED, small_envelope
from tests.safety.test_envelope_file import TEXT

BOUNDS = {
    "interphase_gap_us": (0, None),
    "max_contact_current_ua": (1, LARGEST_NUMBER),
    "max_lead_current_ua": (1, LARGEST_NUMBER),
    "shannon_k_hundredths": (0, 200),
    "max_density_hundredths": (1, LARGEST_NUMBER),
    "max_duty_permille": (1, 1000),
    "rise_window_s": (1, LARGEST_NUMBER),
    "rise_amplitude_ua": (1, LARGEST_NUMBER),
    "rise_charge_nc_per_s": (1, LARGEST_NUMBER),
    "rise_duty_permille": (1, 1000),
    "step_amplitude_ua": (1, LARGEST_NUMBER),
    "ramp_up_ua_per_s": (1, LARGEST_NUMBER),
    "ramp_down_ua_per_s": (1, LARGEST_NUMBER),
    "day_max_changes": (1, MOST_CHANGES_PER_DAY),
    "day_max_therapies": (0, LARGEST_NUMBER),
    "day_max_charge_uc": (1, LARGEST_NUMBER),
    "adverse_site_grade": (1, 4),
    "adverse_patient_grade": (1, 4),
    "lockout_s": (0, LARGEST_NUMBER),
    "fallback_refusals": (1, LARGEST_NUMBER),
}
LOWEST_OF_ALL: dict[str, Any] = {
    "amplitude_ua": (1, 2),
    "frequency_hz": (1, 2),
    "pulse_width_us": (1, 2),
    "on_ms": (1, 2),
    "off_ms": (1, 999),
    "contacts": tuple(
        Contact(name=name, lead=lead, area_um2=area_um2)
        for name, lead, area_um2 in (("A", "l", 10**6), ("B", "l", 10**6), ("C", "r", 10**6))
    ),
}
"""Ticks so low that they keep even the lowest of each limit."""


def test_every_limit_is_named_here() -> None:
    numbers = {name for name in GIVEN if type(getattr(small_envelope(), name)) is int}
    assert set(BOUNDS) == numbers
    assert LARGEST_NUMBER == 1_000_000_000_000


@pytest.mark.req("SR-24")
@pytest.mark.parametrize("name", BOUNDS)
def test_a_limit_goes_from_its_lowest_to_its_highest_value(name: str) -> None:
    lowest, highest = BOUNDS[name]
    assert getattr(small_envelope(**LOWEST_OF_ALL, **{name: lowest}), name) == lowest
    with pytest.raises(ValueError, match=f"{name} = {lowest - 1}: {lowest} to "):
        small_envelope(**LOWEST_OF_ALL, **{name: lowest - 1})
    if highest is None:  # a gap so long leaves no room for a pulse
        return
    assert getattr(small_envelope(**LOWEST_OF_ALL, **{name: highest}), name) == highest
    with pytest.raises(ValueError, match=f"{name} = {highest + 1}: {lowest} to {highest} was"):
        small_envelope(**LOWEST_OF_ALL, **{name: highest + 1})


@pytest.mark.req("SR-08")
@pytest.mark.parametrize("name", GIVEN)
def test_no_field_is_left_out_or_has_a_default(name: str) -> None:
    fields = {each: getattr(small_envelope(), each) for each in GIVEN}
    del fields[name]
    with pytest.raises(TypeError, match=f"all of its fields and no other: {name}"):
        Envelope(**fields)


@pytest.mark.req("SR-09")
@pytest.mark.parametrize("name", WORKED_OUT)
def test_what_is_worked_out_cannot_be_given(name: str) -> None:
    envelope = small_envelope()
    with pytest.raises(TypeError, match=f"all of its fields and no other: {name}"):
        envelope.replaced(**{name: getattr(envelope, name)})
    with pytest.raises(InputError, match=f"no other: {name}"):
        tighten(envelope, **{name: getattr(envelope, name)})


@pytest.mark.req("SR-28")
@pytest.mark.parametrize("name", ["amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms"])
def test_a_list_holds_a_thousand_ticks_and_no_more(name: str) -> None:
    first = getattr(small_envelope(), name)[0]
    ticks = tuple(range(first, first + MOST_IN_A_LIST))
    assert len(getattr(small_envelope(**{name: ticks}), name)) == 1000
    with pytest.raises(ValueError, match=f"{name} has 1001 values: up to 1000 were expected"):
        small_envelope(**{name: (*ticks, first + MOST_IN_A_LIST)})


@pytest.mark.req("SR-28")
def test_there_are_a_thousand_contacts_and_montages_and_no_more() -> None:
    for n, problem in ((1000, None), (1001, "montages has 1001 values: up to 1000")):
        montages = tuple(Montage(name=str(k), shares_permille=(1000, 0, 0)) for k in range(n))
        if problem:
            with pytest.raises(ValueError, match=problem):
                small_envelope(montages=montages, sites=(0,))
        else:
            assert len(small_envelope(montages=montages, sites=(0, 999)).montages) == n
    for n, problem in ((1000, None), (1001, "contacts has 1001 values: up to 1000")):
        contacts = tuple(Contact(name=str(k), lead="one", area_um2=10**7) for k in range(n))
        montages = (Montage(name="all", shares_permille=(1000, *(0,) * (n - 1))),)
        if problem:
            with pytest.raises(ValueError, match=problem):
                small_envelope(contacts=contacts, montages=montages, sites=(0,))
        else:
            envelope = small_envelope(contacts=contacts, montages=montages, sites=(0,))
            assert len(envelope.contacts) == n


@pytest.mark.req("SR-28")
@pytest.mark.parametrize(
    ("key", "rest"),
    [("contacts", 'lead = "{n}"\narea_um2 = 1'), ("montages", "shares_permille = {{ L1 = 1000 }}")],
)
def test_a_long_file_is_refused_in_a_moment(key: str, rest: str) -> None:
    row = f'[[{key}]]\nname = "{{n}}"\n{rest}\n'
    rows = "".join(row.format(n=n) for n in range(9000))
    text = TEXT.replace(f"[[{key}]]", f"{rows}[[{key}]]", 1)
    with pytest.raises(InputError, match=rf"long.toml: {key} has 900\d values: up to 1000"):
        parse_envelope(text, "long.toml")


@pytest.mark.req("SR-28")
@pytest.mark.parametrize(
    ("name", "is_name"),
    [
        ("x" * LONGEST_NAME, True),
        ("x" * (LONGEST_NAME + 1), False),
        ("µA 1", True),
        ("two\nlines", False),
        ("\x1b[31mred", False),
        ("\u202eright to left", False),
        ("", False),
        (None, False),
        (7, False),
        ((), False),
    ],
)
def test_a_name_is_one_printable_line(name: Any, is_name: bool) -> None:
    assert LONGEST_NAME == 100
    for build in (
        lambda: small_envelope(name=name).name,
        lambda: Contact(name=name, lead="l", area_um2=1).name,
        lambda: Contact(name="A", lead=name, area_um2=1).lead,
        lambda: Montage(name=name, shares_permille=(1000,)).name,
    ):
        if is_name:
            assert build() == name
        else:
            with pytest.raises(ValueError, match=r"(a text|one line of up to 100 characters) was"):
                build()


@pytest.mark.req("SR-24")
def test_contacts_and_montages_are_of_numbers_within_bounds() -> None:
    for area_um2 in (1, LARGEST_NUMBER):
        assert Contact(name="A", lead="l", area_um2=area_um2).area_um2 == area_um2
    for area in (0, LARGEST_NUMBER + 1, True, 1.0, None):
        with pytest.raises(ValueError, match="area_um2 = "):
            Contact(name="A", lead="l", area_um2=area)  # type: ignore[arg-type]
    assert Montage(name="m", shares_permille=(0, 1000)).shares_permille == (0, 1000)
    for shares in ((-1,), (1001,), (True,), (1.0,), [1000], None):
        with pytest.raises(ValueError, match="shares_permille"):
            Montage(name="m", shares_permille=shares)  # type: ignore[arg-type]


@pytest.mark.req("SR-24")
def test_ticks_begin_at_one_and_sites_at_nought() -> None:
    low = small_envelope(**LOWEST_OF_ALL, sites=(0,))
    assert (low.amplitude_ua[0], low.frequency_hz[0], low.pulse_width_us[0]) == (1, 1, 1)
    assert (low.on_ms[0], low.off_ms[0], low.sites) == (1, 1, (0,))
    names = ("amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms", "off_ms")
    for name in names:
        with pytest.raises(ValueError, match=f"{name} starts at 0: 1 or more"):
            small_envelope(**{name: (0, 10)})
        with pytest.raises(ValueError, match=rf"{name} = \[\]: one or more ticks"):
            small_envelope(**{name: ()})
    for sites in ((-1, 0), (), (0, 0), (0, 3), (False,)):
        with pytest.raises(ValueError, match="sites"):
            small_envelope(sites=sites)
    still = {"modes": (Mode.CONTINUOUS,), "on_ms": (), "off_ms": ()}
    assert small_envelope(**still).on_ms == ()
    for name in ("on_ms", "off_ms"):
        for ticks in ((0, 1), (2, 1), (1.0,)):
            with pytest.raises(ValueError, match=name):
                small_envelope(**(still | {name: ticks}))
    assert small_envelope(sites=(0, 2)).sites == (0, 2)


@pytest.mark.req("SR-02")
@pytest.mark.parametrize(
    "modes",
    [(), ("continuous",), (Mode.CYCLING, Mode.CYCLING), [Mode.CYCLING], (None,), Mode.CYCLING],
)
def test_modes_are_different_modes_in_a_tuple(modes: Any) -> None:
    with pytest.raises(ValueError, match="modes"):
        small_envelope(modes=modes)


@pytest.mark.req("SR-18")
@pytest.mark.parametrize(
    "baseline", [None, 0, replace(OFF, site=1), replace(OFF, frequency_hz=5), (0,) * 7]
)
def test_a_baseline_is_a_setting_and_off_in_one_way(baseline: Any) -> None:
    with pytest.raises(ValueError, match=r"fallback_baseline = .*: a Setting was expected"):
        small_envelope(fallback_baseline=baseline)
    low = Setting(site=0, amplitude_ua=1, frequency_hz=5, pulse_width_us=60)
    assert small_envelope(fallback_baseline=low).fallback_baseline == low


# the lowest ticks of one site, and the limits that just permit them
JUST = {
    "pulse": ({"interphase_gap_us": 199_880}, {"interphase_gap_us": 199_881}),  # 5 Hz, 60 µs
    "lead": ({"max_lead_current_ua": 1000}, {"max_lead_current_ua": 999}),
    "contact": ({"max_contact_current_ua": 500}, {"max_contact_current_ua": 499}),  # half of it
    "charge": ({"max_density_hundredths": 5}, {"max_density_hundredths": 4}),  # 30 nC, 0.6 cm2
}


@pytest.mark.req("SR-08")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize("name", JUST)
def test_an_envelope_permits_its_lowest_ticks_or_does_not_exist(name: str) -> None:
    just, beyond = JUST[name]
    assert small_envelope(sites=(1,), **just).sites == (1,)
    assert small_envelope(sites=(0, 1), **just).sites == (0, 1)
    with pytest.raises(ValueError, match="even the lowest ticks break a limit at every site"):
        small_envelope(sites=(1,), **beyond)


@pytest.mark.req("SR-08")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("modes", "limit", "exists"),
    [
        ((Mode.CONTINUOUS,), 1000, True),
        ((Mode.CONTINUOUS,), 999, False),
        ((Mode.CYCLING,), 1000, True),
        ((Mode.CYCLING,), 100, True),  # 10 s on, 90 s off
        ((Mode.CYCLING,), 99, False),
        ((Mode.CONTINUOUS, Mode.CYCLING), 100, True),
        ((Mode.CONTINUOUS, Mode.CYCLING), 99, False),
        ((Mode.RESPONSIVE,), 100, True),
        ((Mode.RESPONSIVE,), 99, False),
    ],
)
def test_the_least_duty_is_that_of_the_shortest_on_and_longest_off(modes, limit, exists) -> None:
    if exists:
        assert small_envelope(modes=modes, max_duty_permille=limit).modes == modes
    else:
        with pytest.raises(ValueError, match="even the lowest ticks"):
            small_envelope(modes=modes, max_duty_permille=limit)


@pytest.mark.req("SR-02")
def test_a_root_is_whole_and_not_one_too_high() -> None:
    for number in (0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 24, 25, 26, 10**30, 10**30 - 1):
        for power in (1, 2, 3, 5, 7):
            root = whole_root(number, power)
            assert root**power <= number < (root + 1) ** power
    assert max_charge_pc(6_000_000, 150, 3000) == 1_377_449  # sqrt(0.06 10^1.5) µC; by density 1.8
    assert max_charge_pc(6_000_000, 200, 2000) == 1_200_000
    assert max_charge_pc(1, 0, 1) == 0


@pytest.mark.req("SR-09")
@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "research",
        tuple(SHIPPED["research"]),
        tuple.__new__(Envelope, tuple(SHIPPED["research"])[:5]),
        tuple.__new__(Envelope, ("research", *tuple(SHIPPED["research"])[1:-1], "0" * 64)),
        tuple.__new__(
            Envelope,
            tuple(10**6 if each == 8000 else each for each in SHIPPED["research"]),
        ),
    ],
    ids=["none", "a name", "a tuple", "too short", "another hash", "wider"],
)
def test_an_envelope_made_by_force_is_none(wrong: Any) -> None:
    chain = chain_of(SHIPPED["research"])
    people = (Person("Anne", Role.CLINICIAN), Person("Bert", Role.SAFETY_OFFICER))
    for build in (
        lambda: chain_of(wrong),
        lambda: tighten(wrong, lockout_s=10**6),
        lambda: chain.change(Level.SESSION, wrong, by=people),
    ):
        with pytest.raises(InputError, match=r"an Envelope( that was checked)? was expected"):
            build()


@pytest.mark.req("SR-28")
@pytest.mark.parametrize("text", [None, b"schema = 1", 7, ["schema = 1"]])
def test_only_a_text_is_parsed(text: Any) -> None:
    with pytest.raises(InputError, match=r"here.toml: the text of an envelope was expected"):
        parse_envelope(text, "here.toml")


@pytest.mark.req("SR-28")
def test_a_long_number_is_cut_short_in_the_sentence() -> None:
    text = TEXT.replace("window_s = 86_400", f"window_s = {'9' * 4000}", 1)
    with pytest.raises(InputError, match=re.escape("window_s = 999999999")) as caught:
        parse_envelope(text, "here.toml")
    assert len(str(caught.value)) < 200


@pytest.mark.req("SR-28")
def test_numbers_of_a_file_go_to_the_largest_and_no_further() -> None:
    for number, is_in in ((LARGEST_NUMBER, True), (LARGEST_NUMBER + 1, False)):
        text = TEXT.replace("window_s = 86_400", f"window_s = {number}", 1)
        if is_in:
            assert parse_envelope(text, "here.toml").rise_window_s == number
        else:
            with pytest.raises(InputError, match=r"rise.window_s = .*: 0 to 1000000000000 was"):
                parse_envelope(text, "here.toml")
    body = re.sub(r"\[\[contacts\]\]\n(\w+ = .*\n)+", "", TEXT)
    with pytest.raises(InputError, match=r"contacts = \[\]: one or more \[\[contacts\]\]"):
        parse_envelope(f"contacts = []\n{body}", "here.toml")


@pytest.mark.req("SR-08")
@pytest.mark.req("SR-09")
def test_a_chain_that_widens_cannot_be_made_in_any_way() -> None:
    narrow, wide = small_envelope(lockout_s=9), small_envelope(lockout_s=8)
    chain = Chain(wide, wide, narrow, narrow)
    assert chain.active == narrow
    assert pickle.loads(pickle.dumps(chain)) == chain
    for levels in (
        (narrow, wide, wide, wide),
        (wide, narrow, wide, wide),
        (wide, wide, narrow, wide),
    ):
        for build in (
            lambda levels=levels: Chain(*levels),
            lambda levels=levels: Chain._make(levels),
            lambda levels=levels: chain._replace(**dict(zip(Chain._fields, levels, strict=True))),
        ):
            with pytest.raises(InputError, match="lockout_s = 8: at least 9 was expected"):
                build()
    with pytest.raises(AttributeError):
        chain.learned = wide  # type: ignore[misc]  # which is what is tried
    with pytest.raises(AttributeError):
        Chain.active = wide  # type: ignore[misc,assignment]  # which is what is tried
