"""Putting good values in the place of wrong ones, so that the rest of a design can be checked."""

import copy
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any

from protocols.lines import Path


def is_touched(path: Path, repaired: set[Path]) -> bool:
    """Whether a value was set aside, or is part of one that was, or has one in it."""
    return any(path[: len(each)] == each or each[: len(path)] == path for each in repaired)


def repair(document: dict[str, Any], path: Path, repaired: set[Path]) -> None:
    """Replace a value with that of the design that `neurostim design new` writes, or take it out.

    What was replaced before and is wrong still goes with the whole table it is in.
    """
    while path and (path in repaired or not _replace(document, path)):
        path = path[:-1]
    repaired.add(path)
    if not path:
        document.clear()
        document.update(copy.deepcopy(new_design()))


@lru_cache(maxsize=1)
def new_design() -> dict[str, Any]:
    """The design that `neurostim design new` writes."""
    text = (files("protocols") / "new_design.toml").read_text(encoding="utf-8")
    return tomllib.loads(text.replace("NAME", "new"))


def _replace(document: dict[str, Any], path: Path) -> bool:
    """Replace or remove one value; returns whether that could be done."""
    *parents, last = path
    table: Any = document
    good: Any = new_design()
    for name in parents:
        table, good = _at(table, name), _at(good, name)
    if isinstance(table, dict) and isinstance(last, str):
        value = _good_value(document, path, _at(good, last))
        table.pop(last, None)
        if value is not None:
            table[last] = copy.deepcopy(value)
        return True
    if isinstance(table, list) and isinstance(last, int) and last < len(table):
        del table[last]
        return True
    return False


def _at(value: Any, name: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(str(name))
    is_entry = isinstance(value, list) and isinstance(name, int) and name < len(value)
    return value[name] if is_entry else None


def _good_value(document: dict[str, Any], path: Path, usual: Any) -> Any:
    """A value that is right where it stands; None when it is best left out."""
    match path:
        case ("arms", int(place), "name"):
            return f"arm-{place}"
        case ("arms", int(), "controller"):
            return "sham"
        case ("analysis", "reference"):
            return _at(_at(document.get("arms"), 0), "name")
        case _:
            return usual
