"""The code of the gate, run on unknown integers over all its paths: exact; wrong twins are not."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import z3

from protocols import Mode
from safety import Rise, legality, rise
from tests.safety.verification.symbolic import (
    RefutedError,
    at_least_0,
    prove_all,
    ratio,
    unknowns,
)

PPM = 1_000_000
SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A setting whose numbers may be unknown."""

    site: Any = 0
    amplitude_ua: Any = 1
    frequency_hz: Any = 1
    pulse_width_us: Any = 1
    on_ms: Any = 0
    off_ms: Any = 0
    mode: Mode = Mode.CONTINUOUS

    @property
    def is_off(self) -> Any:
        return self.amplitude_ua == 0


def is_within_duty_but_strictly(setting: Any, envelope: Any) -> Any:
    off = 1000 - envelope.max_duty_permille
    return setting.on_ms * off < setting.off_ms * envelope.max_duty_permille


def is_within_duty_of_the_pause(setting: Any, envelope: Any) -> Any:
    return setting.on_ms * 1000 <= setting.off_ms * envelope.max_duty_permille


def prove_duty(function: Callable[[Any, Any], Any]) -> int:
    (on, off, limit), given = unknowns("on off limit", lowest=1)
    wish = Wish(on_ms=on, off_ms=off, mode=Mode.CYCLING)
    envelope = SimpleNamespace(max_duty_permille=limit)
    exact = ratio(on.z3, on.z3 + off.z3) <= ratio(limit.z3, 1000)
    return prove_all(
        lambda: function(wish, envelope),
        [*given, limit.z3 <= 1000],
        lambda result: result == exact,
    )


@pytest.mark.req("SR-26")
def test_the_second_check_of_duty_is_exact() -> None:
    assert prove_duty(legality.is_within_duty) == 2
    for twin in (is_within_duty_but_strictly, is_within_duty_of_the_pause):
        with pytest.raises(RefutedError):
            prove_duty(twin)


def prove_electrodes(function: Callable[[Any, Any], Any]) -> int:
    """Two contacts share one lead, a third has the other: currents, charges and sums, exactly."""
    names = "current width share contact_limit lead_limit q0 q1 q2"
    numbers, given = unknowns(names, lowest=1)
    current, width, share, contact_limit, lead_limit, *charges = numbers
    contacts = [SimpleNamespace(lead=lead) for lead in ("left", "left", "right")]
    shares = (share, 1000 - share, 1000)
    envelope = SimpleNamespace(
        contacts=contacts,
        montages=[SimpleNamespace(shares_permille=shares)],
        max_charge_pc=charges,
        max_contact_current_ua=contact_limit,
        max_lead_current_ua=lead_limit,
    )
    permille = [each if isinstance(each, int) else each.z3 for each in shares]
    exact = z3.And(
        *[s * current.z3 <= 1000 * contact_limit.z3 for s in permille],
        *[
            ratio(s * current.z3 * width.z3, 1000) <= z3.ToReal(charge.z3)
            for s, charge in zip(permille, charges, strict=True)
        ],
        current.z3 <= lead_limit.z3,
    )
    wish = Wish(amplitude_ua=current, pulse_width_us=width)
    return prove_all(
        lambda: function(wish, envelope),
        [*given, share.z3 < 1000],
        lambda result: result == exact,
    )


def forgets_a_contact(setting: Any, envelope: Any) -> Any:
    first = SimpleNamespace(**vars(envelope))
    first.contacts, first.max_charge_pc = envelope.contacts[:2], envelope.max_charge_pc[:2]
    first.montages = [SimpleNamespace(shares_permille=envelope.montages[0].shares_permille[:2])]
    return legality.is_within_electrode_limits(setting, first)


@pytest.mark.req("SR-26")
def test_the_second_check_of_currents_and_charges_is_exact() -> None:
    assert prove_electrodes(legality.is_within_electrode_limits) > 5
    with pytest.raises(RefutedError):
        prove_electrodes(forgets_a_contact)


def prove_period(function: Callable[[Any, Any], Any]) -> int:
    (width, gap, frequency), given = unknowns("width gap frequency", lowest=1)
    wish = Wish(pulse_width_us=width, frequency_hz=frequency)
    roomy = SimpleNamespace(
        interphase_gap_us=gap,
        max_duty_permille=1000,
        contacts=[SimpleNamespace(lead="only")],
        montages=[SimpleNamespace(shares_permille=(0,))],
        max_charge_pc=(0,),
        max_contact_current_ua=0,
        max_lead_current_ua=0,
    )
    pulse_s = ratio(2 * width.z3 + gap.z3, SECOND_US)
    return prove_all(
        lambda: function(wish, roomy),
        given,
        lambda result: result == (pulse_s <= 1 / z3.ToReal(frequency.z3)),
    )


def forgets_the_gap(setting: Any, envelope: Any) -> Any:
    return 2 * setting.pulse_width_us * setting.frequency_hz <= SECOND_US


@pytest.mark.req("SR-26")
def test_the_second_check_of_the_period_is_exact() -> None:
    assert prove_period(legality.is_within_coupled_limits) == 2
    with pytest.raises(RefutedError):
        prove_period(forgets_the_gap)


def rises(names: str) -> tuple[list[Rise], list[Any]]:
    """Return rises of unknown time and size, in the order of their times."""
    found, given = [], []
    for name in names.split():
        numbers, more = unknowns(f"{name}_at {name}_ua {name}_charge {name}_duty")
        found.append(Rise(*numbers))
        given += more
    for earlier, later in pairwise(found):
        given.append(earlier.at_s.z3 <= later.at_s.z3)
    return found, given


QUANTITIES = ("amplitude_ua", "charge_pc_per_s", "duty_ppm")


def prove_merging(function: Callable[..., Any]) -> int:
    """However many rises are kept, no later window sees less than what rose within it."""
    kept, given = rises("first second latest")
    (edge,), _ = unknowns("edge")

    def seen(found: Any, name: str) -> Any:
        return z3.Sum([z3.If(each.at_s.z3 > edge.z3, getattr(each, name).z3, 0) for each in found])

    return prove_all(
        lambda: function(tuple(kept[:2]), kept[2]),
        given,
        lambda found: z3.And(*[seen(found, name) >= seen(kept, name) for name in QUANTITIES]),
    )


def merges_at_the_earlier_time(found: Any, latest: Any) -> Any:
    first, second = found
    sums = [getattr(first, name) + getattr(second, name) for name in QUANTITIES]
    return (Rise(first.at_s, *sums), latest)


def drops_the_oldest(found: Any, latest: Any) -> Any:
    return (*found[1:], latest)


@pytest.mark.req("SR-26")
def test_what_rose_is_never_forgotten_while_it_counts(monkeypatch) -> None:
    monkeypatch.setattr(rise, "MAX_RISES", 2)
    assert prove_merging(rise.remembered) >= 2
    for twin in (merges_at_the_earlier_time, drops_the_oldest):
        with pytest.raises(RefutedError):
            prove_merging(twin)


def prove_window(function: Callable[..., Any]) -> int:
    recent, given = rises("first second latest")
    limits, more = unknowns("ua charge duty", lowest=1)
    envelope = SimpleNamespace(
        rise_amplitude_ua=limits[0], rise_charge_nc_per_s=limits[1], rise_duty_permille=limits[2]
    )
    latest = recent.pop()
    permitted = []
    for name, limit, unit in zip(QUANTITIES, limits, (1, 1000, 1000), strict=True):
        size = getattr(latest, name).z3
        total = z3.Sum([getattr(each, name).z3 for each in recent]) + size
        permitted.append(z3.Or(size == 0, total <= unit * limit.z3))
    return prove_all(
        lambda: function(latest, tuple(recent), envelope),
        [*given, *more],
        lambda result: result == z3.And(*permitted),
    )


def counts_only_the_latest(latest: Any, recent: Any, envelope: Any) -> Any:
    return legality.is_within_window(latest, recent[1:], envelope)


@pytest.mark.req("SR-26")
def test_the_second_check_of_a_window_adds_up_exactly() -> None:
    assert prove_window(legality.is_within_window) > 5
    with pytest.raises(RefutedError):
        prove_window(counts_only_the_latest)


def prove_rise(function: Callable[..., Any], *, of_equal_duty: bool = False) -> int:
    """A rise is counted from what runs at the same site and pulse width, else from OFF."""
    numbers, given = unknowns("site a f w on off", lowest=1)
    site, current, frequency, width, on, off = numbers
    before, more = unknowns("site0 a0 f0 w0 on0 off0", lowest=1)
    wish = Wish(
        site=site, amplitude_ua=current, frequency_hz=frequency, pulse_width_us=width,
        on_ms=on, off_ms=off, mode=Mode.CYCLING,
    )  # fmt: skip
    runs = Wish(
        site=before[0], amplitude_ua=before[1], frequency_hz=before[2], pulse_width_us=before[3],
        on_ms=before[4], off_ms=before[5], mode=Mode.CYCLING,
    )  # fmt: skip
    same = z3.And(site.z3 == before[0].z3, width.z3 == before[3].z3)
    from_ua = z3.If(same, before[1].z3, 0)
    duty = ratio(on.z3, on.z3 + off.z3)
    from_duty = z3.If(same, ratio(before[4].z3, before[4].z3 + before[5].z3), 0)
    envelope = SimpleNamespace(n_leads=OneLead())
    if of_equal_duty:
        more += [each.z3 == 1 for each in (on, off, before[4], before[5])]
    return prove_all(
        lambda: function(wish, runs, envelope, 0),
        [*given, *more],
        lambda found: z3.And(
            value(found.amplitude_ua) == at_least_0(current.z3 - from_ua),
            z3.ToReal(value(found.duty_ppm)) >= PPM * (duty - from_duty),
            value(found.duty_ppm) >= 0,
        ),
    )


class OneLead:
    """One lead, whatever the site."""

    def __getitem__(self, site: Any) -> int:
        return 1


def value(number: Any) -> Any:
    return z3.IntVal(number) if isinstance(number, int) else number.z3


def counts_from_what_runs_elsewhere(setting: Any, runs: Any, envelope: Any, clock: int) -> Any:
    moved = Wish(
        site=setting.site, amplitude_ua=runs.amplitude_ua, frequency_hz=runs.frequency_hz,
        pulse_width_us=setting.pulse_width_us, on_ms=runs.on_ms, off_ms=runs.off_ms, mode=runs.mode,
    )  # fmt: skip
    return rise.rise_to(setting, moved, envelope, clock)


@pytest.mark.req("SR-26")
def test_a_rise_is_counted_from_zero_at_a_new_place_and_never_rounded_down(monkeypatch) -> None:
    off = Wish(amplitude_ua=0, frequency_hz=0, pulse_width_us=0)
    monkeypatch.setattr(rise, "OFF", off)
    assert prove_rise(rise.rise_to) >= 4
    with pytest.raises(RefutedError):
        prove_rise(counts_from_what_runs_elsewhere, of_equal_duty=True)
