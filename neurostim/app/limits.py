"""The limits that a person may tighten, and by whom they are loosened again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from neurostim.app.life import LimitChange
from neurostim.app.timelines import day_text
from neurostim.app.views import Limit, Limits, Mark, Table
from protocols import InputError
from safety import Chain, Envelope, Level, Person

Kind = Literal["at most", "at least", "one of"]
LONGEST_REASON = 500


def plain(value: Any) -> str:
    """A number as it stands."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def thousandth(value: int) -> str:
    """µA as mA."""
    return f"{value / 1000:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustable:
    """One field of an envelope as a person sees it.

    `is_list` fields hold ticks: "at most" then keeps the ticks up to a value, "one of" any of them.
    `steps` are what a single number may be lowered (or raised) to.
    """

    name: str
    label: str
    unit: str
    kind: Kind
    text: Callable[[int], str] = plain
    is_list: bool = False
    steps: tuple[int, ...] = ()

    def values(self, manufacturer: Envelope) -> tuple[int, ...]:
        """What may be picked, from the tightest to the manufacturer's."""
        bound = getattr(manufacturer, self.name)
        if self.is_list:
            return tuple(bound)
        is_within = bound.__ge__ if self.kind == "at most" else bound.__le__
        return tuple(sorted({bound, *filter(is_within, self.steps)}))


HOUR_S = 3_600
ADJUSTABLE = (
    Adjustable(
        name="amplitude_ua", label="Amplitude", unit="mA", kind="at most", text=thousandth,
        is_list=True,
    ),
    Adjustable(name="frequency_hz", label="Frequencies", unit="Hz", kind="one of", is_list=True),
    Adjustable(
        name="pulse_width_us", label="Pulse width", unit="µs", kind="at most", is_list=True
    ),
    Adjustable(name="sites", label="Sites", unit="", kind="one of", is_list=True),
    Adjustable(
        name="max_density_hundredths", label="Charge density", unit="µC/cm²", kind="at most",
        text=lambda value: f"{value / 100:g}", steps=(200, 500, 1000, 1500, 2000, 2500),
    ),
    Adjustable(
        name="step_amplitude_ua", label="Step at one visit", unit="mA", kind="at most",
        text=thousandth, steps=(500, 1000, 2000, 3000, 4000),
    ),
    Adjustable(
        name="rise_amplitude_ua", label="Rise within the device's window", unit="mA",
        kind="at most", text=thousandth, steps=(500, 1000, 2000, 3000, 4000),
    ),
    Adjustable(
        name="ramp_up_ua_per_s", label="Ramp up", unit="µA/s", kind="at most",
        steps=(5, 10, 20, 30, 50),
    ),
    Adjustable(
        name="day_max_changes", label="Changes within 24 h", unit="", kind="at most",
        steps=(1, 2, 4, 8, 16),
    ),
    Adjustable(
        name="lockout_s", label="No rise after an adverse event for", unit="h", kind="at least",
        text=lambda value: f"{value / HOUR_S:g}",
        steps=tuple(hours * HOUR_S for hours in (24, 48, 72, 168, 336)),
    ),
)  # fmt: skip
NAMED = {each.name: each for each in ADJUSTABLE}


def tightened(chain: Chain, name: str, value: str, by: Person, day: int) -> LimitChange:
    """The change that tightens one limit; `InputError` when it would widen or empty anything."""
    each, active = _adjustable(name), chain.active
    now = getattr(active, name)
    picked = _picked(each, value, chain.manufacturer)
    if each.kind == "one of":
        wanted: Any = tuple(tick for tick in now if tick != picked)
    elif each.is_list:
        wanted = tuple(tick for tick in now if tick <= picked)
    else:
        wanted = picked
    if wanted == now:
        raise InputError(f"{each.label}: {value} {each.unit}".rstrip() + " changes nothing")
    envelope = _with(active, each, wanted)
    # From the innermost level outwards, so that each stays within the one before it.
    for level in (Level.LEARNED, Level.SESSION):
        chain = chain.change(level, envelope, by=(by,))
    return LimitChange(
        name=name, value=value, is_loosening=False, by=(by,), reason="tightened", day=day,
        chain=chain,
    )  # fmt: skip


def loosened(
    chain: Chain, name: str, value: str, by: Sequence[Person], reason: str, day: int
) -> LimitChange:
    """The change that puts a limit back, by two people in two roles who give a reason."""
    each, active = _adjustable(name), chain.active
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InputError(
            f"loosening {each.label.lower()} takes a reason of 1 to {LONGEST_REASON} characters: "
            f"{len(reason.strip())} were given"
        )
    now = getattr(active, name)
    widest = getattr(chain.manufacturer, name)
    picked = _picked(each, value, chain.manufacturer)
    if each.kind == "one of":
        wanted: Any = tuple(tick for tick in widest if tick in now or tick == picked)
    elif each.is_list:
        wanted = tuple(tick for tick in widest if tick <= picked)
    else:
        wanted = picked
    if wanted == now:
        raise InputError(f"{each.label}: {value} {each.unit}".rstrip() + " changes nothing")
    envelope = _with(active, each, wanted)
    for level in (Level.SESSION, Level.LEARNED):
        chain = chain.change(level, envelope, by=tuple(by))
    return LimitChange(
        name=name, value=value, is_loosening=True, by=tuple(by), reason=reason.strip(), day=day,
        chain=chain,
    )  # fmt: skip


def limits_view(chain: Chain, changes: Sequence[LimitChange], first_date: date | None) -> Limits:
    """The limits in force, with who changed what."""
    limits = tuple(_limit(each, chain) for each in ADJUSTABLE)
    log = tuple(
        (
            day_text(change.day, first_date),
            _words(change),
            ", ".join(f"{person.name} ({person.role.value})" for person in change.by),
            change.reason,
        )
        for change in changes
    )
    rows = tuple(
        (each.label, each.kind, _joined(each.in_force), _joined(each.manufacturer), each.unit)
        for each in limits
    )
    return Limits(
        envelope=chain.manufacturer.name,
        hash=chain.active.hash,
        limits=limits,
        log=Table(columns=("day", "what", "by", "why"), rows=log),
        table=Table(columns=("limit", "kind", "in force", "at most allowed", "unit"), rows=rows),
    )


def marks_of(changes: Sequence[LimitChange], n_days: int, first_date: date | None) -> list[Mark]:
    """The changes of the limits as marks on a timeline of so many days."""
    return [
        Mark(
            day=change.day,
            kind="limits",
            sentence=f"{day_text(change.day, first_date)}: {_words(change)}.",
        )
        for change in changes
        if change.day <= n_days
    ]


def _words(change: LimitChange) -> str:
    """What was changed: the limit's label, and where to."""
    each = NAMED[change.name]
    verb = "loosened" if change.is_loosening else "tightened"
    value = f"{change.value} {each.unit}".rstrip()
    if each.kind == "one of":
        return f"{each.label} {verb}: {value} {'allowed' if change.is_loosening else 'left out'}"
    return f"{each.label} {verb} to {value}"


def _limit(each: Adjustable, chain: Chain) -> Limit:
    active, widest = getattr(chain.active, each.name), getattr(chain.manufacturer, each.name)
    if each.kind == "one of":
        in_force, most = tuple(active), tuple(widest)
    elif each.is_list:
        in_force, most = (active[-1],), (widest[-1],)
    else:
        in_force, most = (active,), (widest,)
    return Limit(
        name=each.name,
        label=each.label,
        unit=each.unit,
        kind=each.kind,
        choices=_texts(each, each.values(chain.manufacturer), chain.manufacturer),
        in_force=_texts(each, in_force, chain.manufacturer),
        manufacturer=_texts(each, most, chain.manufacturer),
        is_tightened=active != widest,
    )


def _texts(each: Adjustable, values: Sequence[int], envelope: Envelope) -> tuple[str, ...]:
    if each.name == "sites":
        return tuple(envelope.montages[value].name for value in values)
    return tuple(each.text(value) for value in values)


def _picked(each: Adjustable, value: str, manufacturer: Envelope) -> int:
    values = each.values(manufacturer)
    texts = _texts(each, values, manufacturer)
    if value not in texts:
        raise InputError(f"{each.label} = {value!r}: one of {', '.join(texts)} was expected")
    return values[texts.index(value)]


def _adjustable(name: str) -> Adjustable:
    if name not in NAMED:
        raise InputError(f"limit {name!r}: one of {', '.join(NAMED)} was expected")
    return NAMED[name]


def _with(active: Envelope, each: Adjustable, wanted: Any) -> Envelope:
    try:
        return active.replaced(**{each.name: wanted})
    except (ValueError, TypeError) as error:
        raise InputError(f"{each.label}: {error}") from error


def _joined(texts: Sequence[str]) -> str:
    return ", ".join(texts)
