"""Frozen dataclasses as plain JSON and back, by their fields and type hints alone."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from protocols import InputError


def plain(value: object) -> object:
    """Return a dataclass as an object of its fields, a tuple as a list, and all else as it is."""
    kind = type(value)
    if kind is int or kind is str:
        return value
    if kind is tuple:
        return [plain(each) for each in value]  # type: ignore[attr-defined]  # a tuple
    if is_dataclass(kind):
        fields_of = ((name, getattr(value, name)) for name in hints_of(kind))
        return {name: each if type(each) is int else plain(each) for name, each in fields_of}
    return value


@cache
def hints_of(kind: type[Any]) -> dict[str, Any]:
    """Return the fields of a dataclass that its constructor takes, with their types."""
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind) if each.init}


def maybe(kind: Any) -> Any:
    """Return the X of `X | None`, and None for every other type."""
    if get_origin(kind) not in (UnionType, Union):
        return None
    others = [each for each in get_args(kind) if each is not NoneType]
    if len(others) != 1:
        raise TypeError(f"{kind}: X | None was expected")
    return others[0]


def parts_of(kind: Any) -> tuple[Any, ...]:
    """Return the types of a tuple's items; the empty tuple for what is no tuple."""
    return get_args(kind) if get_origin(kind) is tuple else ()


def restored(kind: Any, value: object, where: str) -> Any:
    """Return the value of type `kind` that `plain` made `value` of.

    Raises `InputError`, naming the place, for what no value of that type gives.
    """
    if (some := maybe(kind)) is not None:
        return None if value is None else restored(some, value, where)
    if parts := parts_of(kind):
        if type(value) is not list:
            raise InputError(f"{where} = {shown(value)}: a list was expected")
        many = parts[-1] is Ellipsis
        if not many and len(value) != len(parts):
            raise InputError(f"{where} holds {len(value)} values: {len(parts)} were expected")
        kinds = [parts[0]] * len(value) if many else parts
        rows = enumerate(zip(kinds, value, strict=True))
        return tuple(restored(each, item, f"{where}[{index}]") for index, (each, item) in rows)
    if is_dataclass(kind):
        hints = hints_of(kind)  # type: ignore[arg-type]  # a class, not an instance
        if type(value) is not dict or value.keys() != hints.keys():
            raise InputError(f"{where} = {shown(value)}: {', '.join(hints)} were expected")
        items = {
            name: restored(each, value[name], f"{where}.{name}") for name, each in hints.items()
        }
        return constructed(lambda: kind(**items), where)  # type: ignore[operator]  # a class
    if issubclass(kind, StrEnum):
        return constructed(lambda: kind(value), where)
    if type(value) is not kind:
        raise InputError(f"{where} = {shown(value)}: {kind.__name__} was expected")
    return value


def constructed(make: Callable[[], Any], where: str) -> Any:
    """Return what `make` returns; what it finds wrong is an `InputError`."""
    try:
        return make()
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: {error}") from error


def shown(value: object) -> str:
    """Return a value as a short text."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
