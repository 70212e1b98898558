"""Envelope files: strict TOML in which every limit is written; a mistake is one sentence."""

import re
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from reprlib import repr as brief  # a hostile value may be deep or long

from protocols import OFF, InputError, Mode, Setting
from protocols.documents import read_text as text_of_file
from protocols.setting import INTEGER_FIELDS
from safety.envelope import Envelope
from safety.montage import LARGEST_NUMBER, Contact, Montage

SCHEMA = 1
LARGEST_FILE_BYTES = 1_000_000
SHIPPED = Path(__file__).with_name("envelopes")
DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")

Table = dict[str, object]


def envelope_names() -> tuple[str, ...]:
    """Return the names of the envelopes that come with this package."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.toml")))


def load_envelope(name_or_path: str | Path) -> Envelope:
    """Return a shipped envelope by name, or one in a `.toml` file; raise `InputError` otherwise."""
    return parse_envelope(envelope_text(name_or_path), str(name_or_path))


def envelope_text(name_or_path: str | Path) -> str:
    """Return the text of a shipped envelope or a file, for whoever parses it independently."""
    return text_of_file(envelope_path(name_or_path), LARGEST_FILE_BYTES)


def envelope_path(name_or_path: str | Path) -> Path:
    """Return where the envelope lies: shipped, or the path that was given."""
    name = str(name_or_path)
    if name in envelope_names():
        return SHIPPED / f"{name}.toml"
    if not name.endswith(".toml"):
        known = ", ".join(envelope_names())
        raise InputError(f"no envelope is called {name!r}: {known}, or a path to a .toml file")
    return Path(name_or_path)


def parse_envelope(text: str, where: str) -> Envelope:
    """Return the envelope written in `text`; `where` names its file in an `InputError`."""
    if type(text) is not str:
        raise InputError(f"{where}: the text of an envelope was expected")
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:  # a ValueError also for a number of 5,000 digits
        raise InputError(f"{where}: not a TOML file: {error}") from error
    try:
        return read_envelope(document)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def read_envelope(document: Table) -> Envelope:
    """Return the envelope of a parsed file; raise `ValueError` naming the key and the value."""
    check_keys("", document, (*ROOT, *SECTIONS, "contacts", "montages"))
    if read_number("schema", document["schema"]) != SCHEMA:
        raise ValueError(f"schema = {document['schema']}: {SCHEMA} was expected")
    values: Table = {key: read_text(key, document[key]) for key in ROOT if key != "schema"}
    for section, readers in SECTIONS.items():
        values |= read_section(section, document[section], readers)
    contacts = read_contacts(document["contacts"])
    montages = read_montages(document["montages"], contacts)
    values |= {"contacts": contacts, "montages": montages, "sites": tuple(range(len(montages)))}
    return Envelope(**values)


def read_section(section: str, value: object, readers: dict[str, "Field"]) -> Table:
    """Return one table of the file as fields of an envelope."""
    table = read_table(section, value)
    check_keys(f"{section}.", table, tuple(readers))
    return {field: read(f"{section}.{key}", table[key]) for key, (field, read) in readers.items()}


def read_contacts(value: object) -> tuple[Contact, ...]:
    """Return the contacts in their order."""
    contacts = []
    for key, table in read_tables("contacts", value, ("name", "lead", "area_um2")):
        name = read_text(f"{key}.name", table["name"])
        lead = read_text(f"{key}.lead", table["lead"])
        area_um2 = read_number(f"{key}.area_um2", table["area_um2"])
        contacts.append(Contact(name=name, lead=lead, area_um2=area_um2))
    return tuple(contacts)


def read_montages(value: object, contacts: tuple[Contact, ...]) -> tuple[Montage, ...]:
    """Return the montages in their order."""
    montages = []
    for key, table in read_tables("montages", value, ("name", "shares_permille")):
        name = read_text(f"{key}.name", table["name"])
        shares = read_shares(f"{key}.shares_permille", table["shares_permille"], contacts)
        montages.append(Montage(name=name, shares_permille=shares))
    return tuple(montages)


def read_shares(key: str, value: object, contacts: tuple[Contact, ...]) -> tuple[int, ...]:
    """Return one share for each contact, 0 for those that are not named."""
    table = read_table(key, value)
    names = [contact.name for contact in contacts]
    shares = dict.fromkeys(names, 0)
    for name, share in table.items():
        if name not in shares:
            raise ValueError(f"{key} names contact {name!r}: {', '.join(names)} were expected")
        shares[name] = read_number(f"{key}.{name}", share, lowest=1)
    return tuple(shares.values())


def read_tables(key: str, value: object, keys: tuple[str, ...]) -> list[tuple[str, Table]]:
    """Return an array of tables that have exactly these keys, each with its place."""
    if type(value) is not list or not value:
        raise ValueError(f"{key} = {brief(value)}: one or more [[{key}]] were expected")
    tables = [(f"{key}[{index}]", each) for index, each in enumerate(value)]
    for where, table in tables:
        check_keys(f"{where}.", read_table(where, table), keys)
    return tables


def read_table(key: str, value: object) -> Table:
    """Return a table as it is."""
    if type(value) is not dict:
        raise ValueError(f"{key} = {brief(value)}: a table was expected")
    return value


def read_text(key: str, value: object) -> str:
    """Return a text that is not empty."""
    if type(value) is not str or not value:
        raise ValueError(f"{key} = {brief(value)}: a text was expected")
    return value


def read_number(key: str, value: object, lowest: int = 0) -> int:
    """Return a whole number within its bounds."""
    if type(value) is not int:
        raise ValueError(f"{key} = {brief(value)}: a whole number was expected")
    if not lowest <= value <= LARGEST_NUMBER:
        raise ValueError(f"{key} = {brief(value)}: {lowest} to {LARGEST_NUMBER} was expected")
    return value


def read_ticks(key: str, value: object) -> tuple[int, ...]:
    """Return a list of whole numbers."""
    if type(value) is not list:
        raise ValueError(f"{key} = {brief(value)}: a list of whole numbers was expected")
    return tuple(read_number(key, each) for each in value)


def read_modes(key: str, value: object) -> tuple[Mode, ...]:
    """Return a list of modes."""
    if type(value) is not list:
        raise ValueError(f"{key} = {brief(value)}: a list of modes was expected")
    for each in value:
        if type(each) is not str or each not in tuple(Mode):
            raise ValueError(f"{key} holds {brief(each)}: {', '.join(Mode)} were expected")
    return tuple(Mode(each) for each in value)


def read_baseline(key: str, value: object) -> Setting:
    """Return a setting as a table of all its fields; an empty table is OFF."""
    table = read_table(key, value)
    if not table:
        return OFF
    check_keys(f"{key}.", table, (*INTEGER_FIELDS, "mode"))
    numbers = {name: read_number(f"{key}.{name}", table[name]) for name in INTEGER_FIELDS}
    (mode,) = read_modes(f"{key}.mode", [table["mode"]])
    return Setting(**numbers, mode=mode)


def read_hundredths(key: str, value: object) -> int:
    """Return a decimal written as text in hundredths: a float would not be exact."""
    if type(value) is not str or not DECIMAL.fullmatch(value):
        raise ValueError(f'{key} = {brief(value)}: a text such as "1.5" was expected')
    return int(Decimal(value) * 100)


def check_keys(prefix: str, table: Table, expected: tuple[str, ...]) -> None:
    """Raise unless `table` has exactly the expected keys."""
    for key in table:
        if key not in expected:
            raise ValueError(f"{prefix}{key} is unknown: {', '.join(expected)} were expected")
    for key in expected:
        if key not in table:
            raise ValueError(f"{prefix}{key} is missing: absence is never permission")


Reader = Callable[[str, object], object]
Field = tuple[str, Reader]


def rows(read: Reader, **keys: str) -> dict[str, Field]:
    """Return how keys that are called otherwise in an envelope are read."""
    return {key: (field, read) for key, field in keys.items()}


def same(read: Reader, *keys: str) -> dict[str, Field]:
    """Return how keys that are called the same in an envelope are read."""
    return {key: (key, read) for key in keys}


ROOT = ("schema", "name", "title", "source")
SECTIONS: dict[str, dict[str, Field]] = {
    "ticks": same(read_ticks, "amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms", "off_ms")
    | same(read_modes, "modes"),
    "pulse": same(read_number, "interphase_gap_us"),
    "limits": same(
        read_number, "max_contact_current_ua", "max_lead_current_ua", "max_duty_permille"
    )
    | rows(
        read_hundredths,
        shannon_k="shannon_k_hundredths",
        max_density_uc_per_cm2="max_density_hundredths",
    ),
    "rise": rows(
        read_number,
        window_s="rise_window_s",
        amplitude_ua="rise_amplitude_ua",
        charge_nc_per_s="rise_charge_nc_per_s",
        duty_permille="rise_duty_permille",
        step_amplitude_ua="step_amplitude_ua",
        ramp_up_ua_per_s="ramp_up_ua_per_s",
        ramp_down_ua_per_s="ramp_down_ua_per_s",
    ),
    "day": rows(
        read_number,
        max_changes="day_max_changes",
        max_therapies="day_max_therapies",
        max_charge_uc="day_max_charge_uc",
    ),
    "adverse_events": rows(
        read_number,
        site_grade="adverse_site_grade",
        patient_grade="adverse_patient_grade",
        lockout_s="lockout_s",
    ),
    "fallback": rows(read_number, refusals="fallback_refusals")
    | rows(read_baseline, baseline="fallback_baseline"),
}
