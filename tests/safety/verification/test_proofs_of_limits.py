"""The clamps and the sums of a day, run on unknown integers: exact; wrong twins are refuted."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import z3

from safety import Change, Rule, clamps, day
from safety.verdict import Finding
from tests.safety.verification.symbolic import RefutedError, prove_all, unknowns
from tests.safety.verification.test_proofs_of_code import Wish, value

DAY_S = 86_400
COUNTS = ("therapies", "charge_pc", "more_therapies", "more_charge_pc")


@dataclass(frozen=True, slots=True)
class Lasting:
    """A change of which all numbers may be unknown."""

    change: Change
    given: list[Any]


def lasting(name: str) -> Lasting:
    at, *counts = unknowns(" ".join(f"{name}_{each}" for each in ("at", *COUNTS, "n")))[0]
    given = [at.z3 >= 0, counts[-1].z3 >= 1, *[each.z3 >= 0 for each in counts[:-1]]]
    return Lasting(Change(at, *counts), given)  # type: ignore[arg-type]  # not yet numbers


def prove_day(function: Callable[..., Any]) -> int:
    """What one more change makes of a day: changes, the most of one and one phase of each."""
    old, new = lasting("old"), lasting("new")
    (clock, n_limit, t_limit, c_limit), given = unknowns("clock changes therapies charge", lowest=1)
    envelope = SimpleNamespace(
        day_max_changes=n_limit, day_max_therapies=t_limit, day_max_charge_uc=c_limit
    )
    one, other = old.change, new.change

    def total(name: str, once: str, limit: Any) -> Any:
        numbers = [getattr(each, name).z3 for each in (one, other)]
        most = z3.If(numbers[0] > numbers[1], *numbers)
        more = getattr(one, once).z3 + getattr(other, once).z3
        charged = [z3.If(each.charge_pc.z3 != 0, each.n_changes.z3, 0) for each in (one, other)]
        return most + z3.If(z3.Sum(charged) > 1, more, 0) <= limit

    n_changes = [
        z3.If(each.at_s.z3 > clock.z3 - DAY_S, each.n_changes.z3, 0) for each in (one, other)
    ]
    permitted = z3.And(
        z3.Sum(n_changes) <= n_limit.z3,
        total("therapies", "more_therapies", t_limit.z3),
        total("charge_pc", "more_charge_pc", 10**6 * c_limit.z3),
    )
    return prove_all(
        lambda: function((one, other), envelope, clock),
        [*given, *old.given, *new.given],
        lambda found: permitted if found is None else z3.Not(permitted),
    )


def forgets_the_phases(changes: Any, envelope: Any, clock: Any) -> Any:
    bare = [replace(each, more_therapies=0, more_charge_pc=0) for each in changes]
    return day.day_excess(tuple(bare), envelope, clock)


def counts_the_latest_only(changes: Any, envelope: Any, clock: Any) -> Any:
    return day.day_excess(changes[1:], envelope, clock)


@pytest.mark.req("SR-26")
@pytest.mark.req("SR-17")
def test_a_day_is_exceeded_exactly_when_its_sums_are() -> None:
    assert prove_day(day.day_excess) > 10
    for twin in (forgets_the_phases, counts_the_latest_only):
        with pytest.raises(RefutedError):
            prove_day(twin)


def prove_merging(function: Callable[[Any, Any], Any]) -> int:
    """Two changes that count as one count for no less, and for as long as the later of them."""
    old, new = lasting("old"), lasting("new")
    one, other = old.change, new.change
    return prove_all(
        lambda: function(one, other),
        [*old.given, *new.given],
        lambda found: z3.And(
            value(found.at_s) == other.at_s.z3,
            *[
                value(getattr(found, name)) >= getattr(each, name).z3
                for name in ("therapies", "charge_pc")
                for each in (one, other)
            ],
            *[
                value(getattr(found, name)) == getattr(one, name).z3 + getattr(other, name).z3
                for name in ("more_therapies", "more_charge_pc", "n_changes")
            ],
        ),
    )


@pytest.mark.req("SR-26")
@pytest.mark.req("SR-17")
def test_changes_that_count_as_one_count_for_no_less() -> None:
    assert prove_merging(Change.merged) == 4
    with pytest.raises(RefutedError):
        prove_merging(lambda one, other: replace(one.merged(other), charge_pc=other.charge_pc))
    with pytest.raises(RefutedError):
        prove_merging(lambda one, other: replace(one.merged(other), at_s=one.at_s))


TICKS = (1000, 2000, 3500)


def prove_clamp(function: Callable[..., Any]) -> int:
    """The highest tick up to a ceiling, or a refusal where there is none."""
    (ceiling, current), given = unknowns("ceiling current")
    case = SimpleNamespace(envelope=SimpleNamespace(amplitude_ua=TICKS), findings=[])
    wish = Wish(amplitude_ua=current)

    def is_right(found: Any) -> Any:
        if isinstance(found, Finding):
            return ceiling.z3 < TICKS[0]
        above = [tick for tick in TICKS if tick > found.amplitude_ua]
        return z3.And(found.amplitude_ua <= ceiling.z3, *[tick > ceiling.z3 for tick in above])

    facts = ("facts",)
    return prove_all(
        lambda: function(wish, "amplitude_ua", ceiling, case, Rule.TICK, facts), given, is_right
    )


@pytest.mark.req("SR-26")
@pytest.mark.req("SR-04")
def test_a_clamp_finds_the_highest_tick_that_is_low_enough() -> None:
    assert prove_clamp(clamps.clamp) == len(TICKS) + 1
    with pytest.raises(RefutedError):
        prove_clamp(lambda wish, name, ceiling, *rest: clamps.clamp(wish, name, ceiling + 1, *rest))


def prove_lowering(measure: Callable[[Any, Any], Any], name: str, limits: Any, exact: Any) -> int:
    """A limit lowers its field to the highest whole number that keeps it, and no other field."""
    numbers, given = unknowns("current width gap limit spare runs", lowest=1)
    current, width, gap, limit, spare, runs = numbers
    values = {"amplitude_ua": current, "pulse_width_us": width}
    wish = Wish(amplitude_ua=current, pulse_width_us=width, frequency_hz=50)
    envelope = SimpleNamespace(
        interphase_gap_us=gap,
        max_contact_current_ua=limit,
        max_lead_current_ua=limit,
        largest_share=[("A", 375, 0)],
        step_amplitude_ua=spare,
        rise_amplitude_ua=spare,
        rise_window_s=DAY_S,
    )
    past = SimpleNamespace(delivered=Wish(amplitude_ua=runs, pulse_width_us=width))
    past.not_tolerated = ()
    case = SimpleNamespace(envelope=envelope, past=past, recent=(), findings=[])

    def is_right(found: Any) -> Any:
        now = value(getattr(found, name))
        names = {"gap": gap.z3, "limit": limit.z3, "most": runs.z3 + spare.z3}
        kept = [value(getattr(found, each)) == values[each].z3 for each in values if each != name]
        return z3.And(
            now <= values[name].z3,
            exact(now, **names),
            z3.Or(now == values[name].z3, z3.Not(exact(now + 1, **names))),
            *kept,
        )

    rows = ((Rule.TICK, name, measure),)
    return prove_all(lambda: clamps.lowered(wish, rows, case), [*given, *limits], is_right)


PROVED = {
    "pulse": ("pulse_width_us", lambda now, gap, **_: 2 * now + gap <= 20_000),
    "contact_current": ("amplitude_ua", lambda now, limit, **_: 375 * now <= 1000 * limit),
    "lead_current": ("amplitude_ua", lambda now, limit, **_: now <= limit),
    "step": ("amplitude_ua", lambda now, most, **_: now <= most),
    "amplitude_rise": ("amplitude_ua", lambda now, most, **_: now <= most),
}


def to_the_number(wish: Any, name: str, ceiling: Any, *_: object) -> Any:
    """Clamp where every whole number is a tick."""
    return replace(wish, **{name: ceiling})


@pytest.mark.req("SR-26")
@pytest.mark.req("SR-04")
@pytest.mark.parametrize("name", PROVED)
def test_a_limit_lowers_its_field_as_little_as_it_can(monkeypatch, name: str) -> None:
    field, exact = PROVED[name]
    measure = getattr(clamps, name)
    monkeypatch.setattr(clamps, "clamp", to_the_number)
    assert prove_lowering(measure, field, [], exact) == 2

    def lowers_one_too_little(setting: Any, case: Any) -> Any:
        number, limit, per_unit, facts = measure(setting, case)
        return number, limit + per_unit, per_unit, facts

    def lowers_one_too_much(setting: Any, case: Any) -> Any:
        number, limit, per_unit, facts = measure(setting, case)
        return number, limit - per_unit, per_unit, facts

    for twin in (lowers_one_too_little, lowers_one_too_much):
        with pytest.raises(RefutedError):
            prove_lowering(twin, field, [], exact)
