"""The check inside the device: it reads the envelope by itself and refuses whatever is outside it.

It shares no code with the safety layer, on purpose: a mistake has to be made twice before a
setting that is not allowed reaches a patient. Arithmetic is exact. A refusal delivers OFF and is
an incident; it must never happen.
"""

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any, Self, TypeAlias

from protocols import OFF, InputError, Mode, Setting

SCHEMA = 1
LONGEST_TEXT = 1_000_000
TICKS = ("amplitude_ua", "frequency_hz", "pulse_width_us")
RAMPS = ("ramp_up_ua_per_s", "ramp_down_ua_per_s")
WHOLE_PERMILLE = 1000
US_PER_S = 1_000_000
MS_PER_DAY = 86_400_000
PC_PER_UC = 1_000_000
UM2_PER_CM2 = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One metal surface on a lead."""

    name: str
    lead: str
    area_um2: int


Montage: TypeAlias = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What no setting may exceed, exactly."""

    contact_current_ua: int
    lead_current_ua: int
    shannon_k: Fraction
    density_uc_per_cm2: Fraction
    duty_permille: int
    therapies_per_day: int
    charge_uc_per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An implanted device: its contacts, its montages, and the limits that it holds by itself.

    Two devices are equal when they come from the same text. `montages` gives, for each site, its
    contacts with their shares of the current in thousandths.
    """

    envelope_sha256: str
    amplitude_ua: frozenset[int] = field(compare=False)
    frequency_hz: frozenset[int] = field(compare=False)
    pulse_width_us: frozenset[int] = field(compare=False)
    on_ms: frozenset[int] = field(compare=False)
    off_ms: frozenset[int] = field(compare=False)
    modes: frozenset[Mode] = field(compare=False)
    contacts: tuple[Contact, ...] = field(compare=False)
    montages: tuple[Montage, ...] = field(compare=False)
    interphase_gap_us: int = field(compare=False)
    ramp_up_ua_per_s: int = field(compare=False)
    ramp_down_ua_per_s: int = field(compare=False)
    limits: Limits = field(compare=False)

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """The device that an envelope describes; raises `InputError` when anything is missing."""
        if len(text) > LONGEST_TEXT:
            raise InputError(f"envelope: at most {LONGEST_TEXT} characters were expected")
        try:
            envelope = tomllib.loads(text)
            return cls(
                **fields_of(envelope), envelope_sha256=hashlib.sha256(text.encode()).hexdigest()
            )
        except KeyError as problem:
            raise InputError(f"envelope: {problem.args[0]} is missing") from None
        except (ValueError, TypeError, AttributeError, RecursionError) as problem:
            raise InputError(f"envelope: {problem}") from None

    def __post_init__(self) -> None:
        if not self.montages:
            raise ValueError("montages = []: one or more were expected")
        if len({contact.name for contact in self.contacts}) != len(self.contacts):
            raise ValueError("contacts: every name was expected once")
        for montage in self.montages:
            if not montage:
                raise ValueError("shares_permille names no contact")
            for lead, permille in self.lead_shares(montage).items():
                if permille != WHOLE_PERMILLE:
                    raise ValueError(
                        f"shares_permille add up to {permille} on {lead}, not {WHOLE_PERMILLE}"
                    )

    @property
    def n_sites(self) -> int:
        """How many sites a setting may name."""
        return len(self.montages)

    def lead_shares(self, montage: Montage) -> dict[str, int]:
        """Thousandths of the current on each lead that this montage uses."""
        lead_of = {contact.name: contact.lead for contact in self.contacts}
        shares: dict[str, int] = {}
        for contact, permille in montage:
            if contact not in lead_of:
                raise ValueError(f"shares_permille names {contact!r}, which is no contact")
            shares[lead_of[contact]] = shares.get(lead_of[contact], 0) + permille
        return shares

    def total_permille(self, site: int) -> int:
        """Thousandths of the amplitude that leave this site's contacts together."""
        return sum(permille for _, permille in self.montages[site])


def fields_of(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a device from the parsed text of an envelope."""
    if envelope["schema"] != SCHEMA:
        raise ValueError(f"schema = {envelope['schema']!r}: {SCHEMA} was expected")
    ticks, limits, day = envelope["ticks"], envelope["limits"], envelope["day"]
    return {
        **{name: whole_numbers(ticks, name) for name in (*TICKS, "on_ms", "off_ms")},
        "modes": frozenset(Mode(mode) for mode in ticks["modes"]),
        "contacts": tuple(
            Contact(
                name=text_in(contact, "name"),
                lead=text_in(contact, "lead"),
                area_um2=whole_number(contact, "area_um2", lowest=1),
            )
            for contact in envelope["contacts"]
        ),
        "montages": tuple(
            tuple((name, whole_number(shares, name, lowest=1)) for name in shares)
            for shares in (montage["shares_permille"] for montage in envelope["montages"])
        ),
        "interphase_gap_us": whole_number(envelope["pulse"], "interphase_gap_us", lowest=0),
        **{name: whole_number(envelope["rise"], name, lowest=1) for name in RAMPS},
        "limits": Limits(
            contact_current_ua=whole_number(limits, "max_contact_current_ua", lowest=0),
            lead_current_ua=whole_number(limits, "max_lead_current_ua", lowest=0),
            shannon_k=decimal(limits, "shannon_k"),
            density_uc_per_cm2=decimal(limits, "max_density_uc_per_cm2"),
            duty_permille=whole_number(limits, "max_duty_permille", lowest=0),
            therapies_per_day=whole_number(day, "max_therapies", lowest=0),
            charge_uc_per_day=whole_number(day, "max_charge_uc", lowest=0),
        ),
    }


def whole_numbers(table: Mapping[str, Any], name: str) -> frozenset[int]:
    """A list of whole numbers, without their order."""
    return frozenset(whole_number({name: value}, name, lowest=0) for value in table[name])


def whole_number(table: Mapping[str, Any], name: str, *, lowest: int) -> int:
    """A whole number that is written as one."""
    value = table[name]
    if type(value) is not int or value < lowest:
        raise ValueError(f"{name} = {value!r}: a whole number from {lowest} up was expected")
    return value


def decimal(table: Mapping[str, Any], name: str) -> Fraction:
    """A decimal number above 0, written as text so that nothing is lost."""
    text = text_in(table, name)
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", text) or Fraction(text) == 0:
        raise ValueError(f"{name} = {text!r}: a number above 0 as 12.3456 was expected")
    return Fraction(text)


def text_in(table: Mapping[str, Any], name: str) -> str:
    """A text that is not empty."""
    value = table[name]
    if type(value) is not str or not value:
        raise ValueError(f"{name} = {value!r}: text was expected")
    return value


@lru_cache(maxsize=65_536)
def refusal(device: Device, setting: Setting) -> str | None:
    """Why the device does not deliver this setting, or None; OFF is always delivered."""
    if setting.is_off:
        return None
    for check in CHECKS:
        reason = check(device, setting)
        if reason:
            return reason
    return None


def delivered(device: Device, setting: Setting) -> tuple[Setting, int]:
    """What leaves the device, and the number of incidents, 0 or 1."""
    if setting.is_off:
        return OFF, 0
    return (setting, 0) if refusal(device, setting) is None else (OFF, 1)


def check_ticks(device: Device, setting: Setting) -> str | None:
    """Amplitude, frequency and pulse width are among those that the device has."""
    for name in TICKS:
        value = getattr(setting, name)
        if value not in getattr(device, name):
            return f"{name} = {value} is not among the ticks"
    return None


def check_cycle(device: Device, setting: Setting) -> str | None:
    """The device has this mode with these on and off times, and the duty is within its limit."""
    if setting.mode not in device.modes:
        return f"mode = {setting.mode} is not offered"
    if setting.mode is Mode.CONTINUOUS:
        duty = Fraction(1)
    elif setting.on_ms not in device.on_ms or setting.off_ms not in device.off_ms:
        return f"on_ms = {setting.on_ms}, off_ms = {setting.off_ms} are not among the ticks"
    else:
        duty = Fraction(setting.on_ms, setting.on_ms + setting.off_ms)
    if duty * WHOLE_PERMILLE > device.limits.duty_permille:
        return f"duty = {float(duty)} is above the limit"
    return None


def check_pulse(device: Device, setting: Setting) -> str | None:
    """Both phases of a pulse and the gap between them fit in the period."""
    pulse_us = 2 * setting.pulse_width_us + device.interphase_gap_us
    if pulse_us * setting.frequency_hz > US_PER_S:
        return f"a pulse of {pulse_us} us does not fit in a period at {setting.frequency_hz} Hz"
    return None


def check_site(device: Device, setting: Setting) -> str | None:
    """The site is one of the montages."""
    return None if setting.site < device.n_sites else f"site = {setting.site} is not a montage"


def check_currents(device: Device, setting: Setting) -> str | None:
    """No contact and no lead carries more current than it may."""
    montage = device.montages[setting.site]
    for name, permille in montage:
        if setting.amplitude_ua * permille > WHOLE_PERMILLE * device.limits.contact_current_ua:
            return f"the current at contact {name} is above the limit"
    for lead, permille in device.lead_shares(montage).items():
        if setting.amplitude_ua * permille > WHOLE_PERMILLE * device.limits.lead_current_ua:
            return f"the current at lead {lead} is above the limit"
    return None


def check_charge(device: Device, setting: Setting) -> str | None:
    """No contact exceeds Shannon's k or the charge density, both per phase.

    Shannon's line is log10(Q / A) = k - log10(Q), Q in uC and A in cm2, so Q**2 / A is at most
    10**k. With k a fraction p / q, both sides to the power q are rational, and nothing is rounded.
    """
    area_um2 = {contact.name: contact.area_um2 for contact in device.contacts}
    power, root = device.limits.shannon_k.as_integer_ratio()
    for name, permille in device.montages[setting.site]:
        charge_uc = Fraction(
            setting.amplitude_ua * setting.pulse_width_us * permille, WHOLE_PERMILLE * PC_PER_UC
        )
        area_cm2 = Fraction(area_um2[name], UM2_PER_CM2)
        if (charge_uc**2 / area_cm2) ** root > 10**power:
            return f"the charge at contact {name} is above Shannon's line"
        if charge_uc / area_cm2 > device.limits.density_uc_per_cm2:
            return f"the charge density at contact {name} is above the limit"
    return None


def check_day(device: Device, setting: Setting) -> str | None:
    """No 24 h of this setting hold more therapies or charge than a day may.

    The 24 h that hold most begin with an on-phase; they end within an on-phase or a pause.
    """
    day_ms, n_therapies = Fraction(MS_PER_DAY), 0
    if setting.mode is not Mode.CONTINUOUS:
        period_ms = setting.on_ms + setting.off_ms
        whole, rest_ms = divmod(MS_PER_DAY, period_ms)
        n_therapies = whole + 1 if rest_ms else whole
        day_ms = Fraction(whole * setting.on_ms + min(rest_ms, setting.on_ms))
    if n_therapies > device.limits.therapies_per_day:
        return f"{n_therapies} therapies in a day are above the limit"
    n_pulses = day_ms / 1000 * setting.frequency_hz
    pulse_pc = setting.amplitude_ua * setting.pulse_width_us * device.total_permille(setting.site)
    if n_pulses * pulse_pc > device.limits.charge_uc_per_day * PC_PER_UC * WHOLE_PERMILLE:
        return "the charge in a day is above the limit"
    return None


Check = Callable[[Device, Setting], str | None]
CHECKS: tuple[Check, ...] = (
    check_ticks,
    check_cycle,
    check_pulse,
    check_site,
    check_currents,
    check_charge,
    check_day,
)
