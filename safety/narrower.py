"""Envelopes only tighten: manufacturer, clinician, session, learned, each within the one before."""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple, Self

from protocols import InputError
from safety.envelope import TICKS, Envelope
from safety.montage import Sealed
from safety.people import Person, check_person, check_two_roles

AT_MOST = (
    "max_contact_current_ua",
    "max_lead_current_ua",
    "shannon_k_hundredths",
    "max_density_hundredths",
    "max_duty_permille",
    "rise_amplitude_ua",
    "rise_charge_nc_per_s",
    "rise_duty_permille",
    "step_amplitude_ua",
    "ramp_up_ua_per_s",
    "day_max_changes",
    "day_max_therapies",
    "day_max_charge_uc",
    "adverse_site_grade",
    "adverse_patient_grade",
    "fallback_refusals",
)
AT_LEAST = ("interphase_gap_us", "rise_window_s", "ramp_down_ua_per_s", "lockout_s")
# A slower ramp down would delay a stop, and a shorter window would let more rise in the old one.
# The baseline is no limit: it runs where the envelope permits it and it raises nothing.


def is_within(child: Envelope, parent: Envelope) -> bool:
    """Whether whatever `child` permits, now or over time, is also permitted by `parent`."""
    return not widenings(child, parent)


def widenings(child: Envelope, parent: Envelope) -> tuple[str, ...]:
    """Return one sentence for each field in which `child` is wider than `parent`."""
    return (
        *wider_ticks(child, parent),
        *wider_limits(child, parent),
        *changed_montages(child, parent),
    )


def tighten(parent: Envelope, **narrower: object) -> Envelope:
    """Return `parent` with fields replaced; raise `InputError` if that widens or empties it."""
    check_made(parent)
    try:
        child = parent.replaced(**narrower)
    except (ValueError, TypeError) as error:
        raise InputError(f"tightening {parent.name!r}: {error}") from error
    check_within(child, parent)
    return child


def check_made(envelope: object) -> None:
    """Raise `InputError` unless this is an envelope as its constructor makes it."""
    if type(envelope) is not Envelope:
        raise InputError("an Envelope was expected")
    try:
        is_made = remade(envelope) == envelope
    except (ValueError, TypeError, LookupError) as error:
        raise InputError(f"an Envelope that was checked was expected: {error}") from error
    if not is_made:
        raise InputError("an Envelope that was checked was expected: what is worked out differs")


@lru_cache(maxsize=64)
def remade(envelope: Envelope) -> Envelope:
    """Return the envelope of the same limits, checked and worked out again."""
    return envelope.replaced()


def check_within(child: Envelope, parent: Envelope) -> None:
    """Raise `InputError` with the first field in which `child` is wider than `parent`."""
    for sentence in widenings(child, parent):
        raise InputError(f"{child.name!r} is wider than {parent.name!r}: {sentence}")


def wider_ticks(child: Envelope, parent: Envelope) -> Iterator[str]:
    """Yield a sentence for each list that adds a tick."""
    for name in TICKS:
        permitted = getattr(parent, name)
        extra = [str(tick) for tick in getattr(child, name) if tick not in permitted]
        if extra:
            yield f"{name} adds {', '.join(extra)}"


def wider_limits(child: Envelope, parent: Envelope) -> Iterator[str]:
    """Yield a sentence for each limit that is looser."""
    for name in AT_MOST:
        limit, wanted = getattr(parent, name), getattr(child, name)
        if wanted > limit:
            yield f"{name} = {wanted}: at most {limit} was expected"
    for name in AT_LEAST:
        limit, wanted = getattr(parent, name), getattr(child, name)
        if wanted < limit:
            yield f"{name} = {wanted}: at least {limit} was expected"


def changed_montages(child: Envelope, parent: Envelope) -> Iterator[str]:
    """Yield a sentence where contacts or montages mean something else."""
    if child.montages != parent.montages:
        yield "montages differ: a site means one thing; leave out a site in sites instead"
    if [(each.name, each.lead) for each in child.contacts] != [
        (each.name, each.lead) for each in parent.contacts
    ]:
        yield "contacts differ: their names and leads stay"
        return
    for ours, theirs in zip(child.contacts, parent.contacts, strict=True):
        if ours.area_um2 > theirs.area_um2:
            yield f"area_um2 of {ours.name} = {ours.area_um2}: it may only shrink"


class Level(IntEnum):
    """Whose envelope it is; each is within the one before."""

    MANUFACTURER = 0
    CLINICIAN = 1
    SESSION = 2
    LEARNED = 3


class ChainLevels(NamedTuple):
    """The levels of a chain, before they are checked."""

    manufacturer: Envelope
    clinician: Envelope
    session: Envelope
    learned: Envelope


class Chain(ChainLevels, metaclass=Sealed):
    """The envelopes in force, one for each level; make one with `chain_of`, change with `change`.

    A tuple, which nothing writes to.
    """

    __slots__ = ()

    def __new__(
        cls, manufacturer: Envelope, clinician: Envelope, session: Envelope, learned: Envelope
    ) -> Self:
        """Return a chain; raise `InputError` where a level is wider than the one before it."""
        levels = (manufacturer, clinician, session, learned)
        for each in levels:
            check_made(each)
        for child, parent in zip(levels[1:], levels[:-1], strict=True):
            check_within(child, parent)
        return super().__new__(cls, *levels)

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Self:  # type: ignore[override]  # it checks
        return cls(*values)

    @property
    def active(self) -> Envelope:
        """The tightest envelope, under which proposals are reviewed."""
        return self.learned

    @property
    def hash(self) -> str:
        """A hash over all levels in their order."""
        return sha256(" ".join(each.hash for each in self).encode()).hexdigest()

    def change(self, level: Level, envelope: Envelope, *, by: tuple[Person, ...]) -> "Chain":
        """Return the chain with another envelope at one level.

        Tightening that level takes one person, loosening it two in two roles. Raises `InputError`
        where they are not, for the manufacturer's level, and where a level would be wider than the
        one before it.
        """
        if type(level) is not Level:
            raise InputError("a Level was expected")
        check_made(envelope)
        what = f"changing the {level.name.lower()}'s envelope"
        if level is Level.MANUFACTURER:
            raise InputError(f"{what}: it cannot be changed at run time")
        if is_within(envelope, self[level]):
            check_person(by, what)
        else:
            check_two_roles(by, f"{what} to a wider one")
        levels = [*self]
        levels[level] = envelope
        return Chain(*levels)


def chain_of(manufacturer: Envelope) -> Chain:
    """Return the chain in which nobody has tightened anything yet."""
    return Chain(manufacturer, manufacturer, manufacturer, manufacturer)
