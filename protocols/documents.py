"""Reading what people write: small text files, TOML, and dotted keys into it."""

import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from protocols.problem import InputError


def read_text(path: Path, max_bytes: int) -> str:
    """The text of a file a person named; `InputError` when it is absent, too large, or no text."""
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({reason})") from None
    if len(content) > max_bytes:
        raise InputError(f"{path}: at most {max_bytes:,} bytes were expected")
    if b"\0" in content:
        raise InputError(f"{path}, {_line(content, content.index(0))}: a NUL byte; text expected")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, {_line(content, error.start)}: not UTF-8 text") from None


def _line(content: bytes, position: int) -> str:
    return f"line {content.count(10, 0, position) + 1}"


def parse_toml(text: str, place: str) -> dict[str, Any]:
    """A TOML document as a dictionary; duplicate keys and syntax errors name their line."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{place}: not valid TOML: {error}") from None


def refuse_non_finite(document: Mapping[str, Any], place: str) -> None:
    """Raise `InputError` when any number of the document is NaN or infinite."""
    for key, value in leaves(document):
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{place}: {key} = {value}: a finite number was expected")


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no table and no array, with its dotted key."""
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from leaves(child, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from leaves(child, f"{key}[{index}]")
    else:
        yield key, value


def set_key(document: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; `arms.gp.controller` finds the entry of `arms` that is named gp."""
    table: Any = document
    *parents, last = key.split(".")
    for parent in parents:
        if isinstance(table, list):
            table = next(
                (t for t in table if isinstance(t, dict) and t.get("name") == parent), None
            )
        elif isinstance(table, dict):
            table = table.setdefault(parent, {})
        if not isinstance(table, dict | list):
            raise InputError(f"--set {key}: there is no table {parent!r} to set it in")
    if not isinstance(table, dict) or not last:
        raise InputError(f"--set {key}: a dotted key such as schedule.epoch_days was expected")
    table[last] = value


def parse_overrides(pairs: list[str]) -> dict[str, Any]:
    """`key=value` texts as a mapping; a value that is not TOML is plain text."""
    overrides: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {pair}: key=value was expected")
        try:
            overrides[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            overrides[key.strip()] = text
    return overrides
