"""What may be delivered: every limit of one device or session, in integers, validated once."""

import json
from collections.abc import Callable, Iterable
from fractions import Fraction
from hashlib import sha256
from itertools import product
from math import gcd
from typing import Any, NamedTuple, Self

from protocols import OFF, Cycle, Mode, ParameterSpace, Setting
from protocols.setting import INTEGER_FIELDS
from protocols.space import check_ticks
from safety.montage import (
    LARGEST_NUMBER,
    Contact,
    Load,
    Montage,
    Sealed,
    check_number,
    check_text,
    check_tuple,
)

MICROSECONDS_PER_SECOND = 1_000_000
LARGEST_SHANNON_K_HUNDREDTHS = 200
MOST_CHANGES_PER_DAY = 32
MOST_IN_A_LIST = 1000
"""How many ticks, contacts or montages there may be: a file of a megabyte could list more."""


class Limits(NamedTuple):
    """The fields of an envelope, before they are checked; the last five are worked out."""

    name: str
    title: str
    source: str
    amplitude_ua: tuple[int, ...]
    frequency_hz: tuple[int, ...]
    pulse_width_us: tuple[int, ...]
    on_ms: tuple[int, ...]
    off_ms: tuple[int, ...]
    modes: tuple[Mode, ...]
    interphase_gap_us: int
    contacts: tuple[Contact, ...]
    montages: tuple[Montage, ...]
    sites: tuple[int, ...]
    max_contact_current_ua: int
    max_lead_current_ua: int
    shannon_k_hundredths: int
    max_density_hundredths: int
    max_duty_permille: int
    rise_window_s: int
    rise_amplitude_ua: int
    rise_charge_nc_per_s: int
    rise_duty_permille: int
    step_amplitude_ua: int
    ramp_up_ua_per_s: int
    ramp_down_ua_per_s: int
    day_max_changes: int
    day_max_therapies: int
    day_max_charge_uc: int
    adverse_site_grade: int
    adverse_patient_grade: int
    lockout_s: int
    fallback_refusals: int
    fallback_baseline: Setting
    max_charge_pc: tuple[int, ...] = ()
    binding_charge: tuple[Load, ...] = ()
    largest_share: tuple[Load, ...] = ()
    n_leads: tuple[int, ...] = ()
    hash: str = ""


WORKED_OUT = ("max_charge_pc", "binding_charge", "largest_share", "n_leads", "hash")
GIVEN = tuple(name for name in Limits._fields if name not in WORKED_OUT)


class Envelope(Limits, metaclass=Sealed):
    """Every limit on what may be delivered; one that permits nothing does not exist.

    It is a tuple, which nothing writes to, `object.__setattr__` included. `sites` are the montages
    in use, as positions in `montages`; a narrower envelope drops a site without renumbering the
    others. Worked out: `max_charge_pc`, the largest whole charge per phase of each contact; for
    each montage the contact whose charge binds first, the contact with the largest share, and the
    number of leads used; and `hash`, of everything that limits (`name`, `title` and `source` do
    not).
    """

    __slots__ = ()
    locals().update({name: Limits.__dict__[name] for name in Limits._fields})

    def __new__(cls, **given: Any) -> Self:
        """Return an envelope of all of `GIVEN`; raise `ValueError` naming the field and the value.

        Raises `TypeError` for a field that is missing or unknown: absence is never permission.
        """
        if given.keys() != set(GIVEN):
            odd = ", ".join(sorted(given.keys() ^ set(GIVEN)))
            raise TypeError(f"an envelope takes all of its fields and no other: {odd}")
        limits = checked(Limits(**given))
        envelope = super().__new__(cls, *limits)
        if not any(permits_lowest(envelope, site) for site in envelope.sites):
            raise ValueError(
                f"envelope {envelope.name!r}: even the lowest ticks break a limit at every site"
            )
        return envelope

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Self:  # type: ignore[override]  # it checks
        return cls(**dict(zip(GIVEN, values, strict=False)))

    def __reduce__(self) -> tuple[Callable[..., "Envelope"], tuple[tuple[Any, ...]]]:
        return type(self)._make, (tuple(self),)

    def replaced(self, **changes: Any) -> Self:
        """Return an envelope with other values for some of its fields, checked as any other."""
        return type(self)(**({name: getattr(self, name) for name in GIVEN} | changes))

    @property
    def space(self) -> ParameterSpace:
        """Every combination of ticks, whether the coupled limits permit it or not."""
        cycles = [Cycle()] if Mode.CONTINUOUS in self.modes else []
        cyclic = [mode for mode in self.modes if mode is not Mode.CONTINUOUS]
        for mode, on_ms, off_ms in product(cyclic, self.on_ms, self.off_ms):
            cycles.append(Cycle(mode=mode, on_ms=on_ms, off_ms=off_ms))
        return ParameterSpace(
            site=self.sites,
            amplitude_ua=self.amplitude_ua,
            frequency_hz=self.frequency_hz,
            pulse_width_us=self.pulse_width_us,
            cycles=tuple(cycles),
        )


LOWEST = {
    "interphase_gap_us": 0,
    "max_contact_current_ua": 1,
    "max_lead_current_ua": 1,
    "shannon_k_hundredths": 0,
    "max_density_hundredths": 1,
    "max_duty_permille": 1,
    "rise_window_s": 1,
    "rise_amplitude_ua": 1,
    "rise_charge_nc_per_s": 1,
    "rise_duty_permille": 1,
    "step_amplitude_ua": 1,
    "ramp_up_ua_per_s": 1,
    "ramp_down_ua_per_s": 1,
    "day_max_changes": 1,
    "day_max_therapies": 0,
    "day_max_charge_uc": 1,
    "adverse_site_grade": 1,
    "adverse_patient_grade": 1,
    "lockout_s": 0,
    "fallback_refusals": 1,
}
HIGHEST = {
    "shannon_k_hundredths": LARGEST_SHANNON_K_HUNDREDTHS,
    "max_duty_permille": 1000,
    "rise_duty_permille": 1000,
    "day_max_changes": MOST_CHANGES_PER_DAY,
    "adverse_site_grade": 4,
    "adverse_patient_grade": 4,
}
NOT_LIMITS = ("name", "title", "source")
TICKS = ("amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms", "off_ms", "modes", "sites")


def max_charge_pc(area_um2: int, shannon_k_hundredths: int, max_density_hundredths: int) -> int:
    """Return the largest whole charge per phase, in pC, within Shannon's limit and the density.

    With Q in pC, A in µm² and k = h / 100, Shannon's Q_µC² <= A_cm² 10^k reads Q² <= A 10^(4 + h /
    100); raised to the power that makes the exponent whole it is exact in integers. A density of d
    / 100 µC/cm² reads Q <= d A / 10,000.
    """
    power = 100 // gcd(100, shannon_k_hundredths)
    bound = area_um2**power * 10 ** (4 * power + shannon_k_hundredths * power // 100)
    by_shannon = whole_root(bound, 2 * power)
    return min(by_shannon, max_density_hundredths * area_um2 // 10_000)


def whole_root(number: int, power: int) -> int:
    """Return the largest integer whose `power` is at most `number`."""
    low, high = 0, 1 << (number.bit_length() // power + 1)
    while high - low > 1:
        middle = (low + high) // 2
        if middle**power <= number:
            low = middle
        else:
            high = middle
    return low


def checked(limits: Limits) -> Limits:
    """Return the limits with what is worked out of them; raise `ValueError` for a wrong one."""
    check_text("name", limits.name)
    for name in ("contacts", "montages", *TICKS):
        check_tuple(name, getattr(limits, name))
        if (n_values := len(getattr(limits, name))) > MOST_IN_A_LIST:
            raise ValueError(f"{name} has {n_values} values: up to {MOST_IN_A_LIST} were expected")
    check_limits(limits)
    check_all_ticks(limits)
    check_montages(limits)
    check_baseline(limits.fallback_baseline)
    limits = limits._replace(max_charge_pc=charge_limits(limits))
    loads = [loads_of(limits, montage) for montage in limits.montages]
    return limits._replace(
        binding_charge=tuple(min(each, key=room_of) for each in loads),
        largest_share=tuple(max(each, key=share_of) for each in loads),
        n_leads=tuple(n_leads_of(each) for each in limits.montages),
        hash=sha256(canonical(limits).encode()).hexdigest(),
    )


def canonical(envelope: Limits) -> str:
    """Return everything that limits as one text, which titles and comments do not change."""
    limits = {name: plain(getattr(envelope, name)) for name in GIVEN if name not in NOT_LIMITS}
    return json.dumps(limits, sort_keys=True, separators=(",", ":"))


def plain(value: object) -> object:
    """Return a field of an envelope as JSON knows it."""
    if isinstance(value, Setting):
        return [*(getattr(value, name) for name in INTEGER_FIELDS), value.mode]
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value


def charge_limits(envelope: Limits) -> tuple[int, ...]:
    """Return the largest whole charge per phase of each contact."""
    k, density = envelope.shannon_k_hundredths, envelope.max_density_hundredths
    return tuple(max_charge_pc(contact.area_um2, k, density) for contact in envelope.contacts)


def loads_of(envelope: Limits, montage: Montage) -> list[Load]:
    """Return what each contact that `montage` uses carries."""
    rows = zip(envelope.contacts, montage.shares_permille, envelope.max_charge_pc, strict=True)
    return [Load(contact.name, share, charge) for contact, share, charge in rows if share]


def room_of(load: Load) -> Fraction:
    """Return the charge limit as seen by the whole current, exactly."""
    return Fraction(load.max_charge_pc, load.share_permille)


def share_of(load: Load) -> int:
    """Return the share of the current."""
    return load.share_permille


def n_leads_of(montage: Montage) -> int:
    """Return how many leads a montage uses."""
    return sum(montage.shares_permille) // 1000  # each used lead carries the whole current


def permits_lowest(envelope: Envelope, site: int) -> bool:
    """Whether the lowest ticks keep the coupled limits: if they do not, no others do."""
    amplitude_ua, width_us = envelope.amplitude_ua[0], envelope.pulse_width_us[0]
    pulse_us = 2 * width_us + envelope.interphase_gap_us
    share, load = envelope.largest_share[site].share_permille, envelope.binding_charge[site]
    return (
        pulse_us * envelope.frequency_hz[0] <= MICROSECONDS_PER_SECOND
        and amplitude_ua <= envelope.max_lead_current_ua
        and share * amplitude_ua <= 1000 * envelope.max_contact_current_ua
        and load.share_permille * amplitude_ua * width_us <= 1000 * load.max_charge_pc
        and permits_lowest_duty(envelope)
    )


def permits_lowest_duty(envelope: Envelope) -> bool:
    """Whether the least duty that the ticks allow is within the limit."""
    limit = envelope.max_duty_permille
    if Mode.CONTINUOUS in envelope.modes and limit == 1000:
        return True
    if envelope.modes == (Mode.CONTINUOUS,):
        return False
    return envelope.on_ms[0] * 1000 <= limit * (envelope.on_ms[0] + envelope.off_ms[-1])


def check_baseline(setting: object) -> None:
    """Raise unless the baseline is a setting, and OFF in one way only."""
    if type(setting) is not Setting or (setting.is_off and setting != OFF):
        raise ValueError(f"fallback_baseline = {setting!r}: a Setting was expected")


def check_limits(envelope: Limits) -> None:
    """Raise unless every limit is a whole number within its bounds."""
    for name, lowest in LOWEST.items():
        check_number(name, getattr(envelope, name), lowest, HIGHEST.get(name, LARGEST_NUMBER))


def check_all_ticks(envelope: Limits) -> None:
    """Raise unless every list of ticks increases strictly and none that is needed is empty."""
    check_ticks("sites", envelope.sites, 0)
    for name in ("amplitude_ua", "frequency_hz", "pulse_width_us"):
        check_ticks(name, getattr(envelope, name), 1)
    check_modes(envelope.modes)
    for name in ("on_ms", "off_ms"):
        ticks = getattr(envelope, name)
        if ticks or envelope.modes != (Mode.CONTINUOUS,):
            check_ticks(name, ticks, 1)


def check_modes(modes: tuple[Mode, ...]) -> None:
    """Raise unless there are modes, each once."""
    if not modes:
        raise ValueError("modes = []: one or more modes were expected")
    for mode in modes:
        if type(mode) is not Mode:
            raise ValueError(f"modes holds {mode!r}: {', '.join(Mode)} were expected")
    check_different("modes", modes)


def check_montages(envelope: Limits) -> None:
    """Raise unless names are different, shares add up and sites exist."""
    check_different("contacts", [contact.name for contact in envelope.contacts])
    check_different("montages", [montage.name for montage in envelope.montages])
    for montage in envelope.montages:
        check_shares(montage, envelope.contacts)
    if envelope.sites[-1] >= len(envelope.montages):
        raise ValueError(
            f"sites holds {envelope.sites[-1]}: there are {len(envelope.montages)} montages"
        )


def check_shares(montage: Montage, contacts: tuple[Contact, ...]) -> None:
    """Raise unless each lead that `montage` uses carries exactly the whole current."""
    shares = montage.shares_permille
    if len(shares) != len(contacts):
        raise ValueError(
            f"montage {montage.name!r} has {len(shares)} shares: {len(contacts)} were expected"
        )
    if not any(shares):
        raise ValueError(f"montage {montage.name!r} uses no contact: one or more were expected")
    totals = dict.fromkeys((contact.lead for contact in contacts), 0)
    for contact, share in zip(contacts, shares, strict=True):
        totals[contact.lead] += share
    for lead, total in totals.items():
        if total not in (0, 1000):
            raise ValueError(
                f"montage {montage.name!r}: shares_permille on lead {lead!r} add up to {total}: "
                "1000 was expected"
            )


def check_different(name: str, values: Iterable[str]) -> None:
    """Raise when a value occurs twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{name} holds {str(value)!r} twice: different names were expected")
        seen.add(value)
