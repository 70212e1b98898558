"""What is wrong with a document, in sentences: every fault with the key it is about."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from protocols.design_parts import BrokenRulesError

UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


class Fault(NamedTuple):
    """Something wrong with a document: the path to it, what it depends on, and a sentence."""

    path: tuple[str | int, ...]
    sentence: str
    depends_on: tuple[tuple[str | int, ...], ...] = ()
    is_unknown: bool = False


def faults(error: ValidationError, prefix: str) -> str:
    """Every fault found, one a line, with its key, the value there, and what was expected."""
    return "\n".join(f"{prefix}{fault.sentence}" for fault in faults_of(error))


def faults_of(error: ValidationError) -> list[Fault]:
    """Every fault found, with the path to it."""
    return [fault for problem in error.errors() for fault in _faults(problem)]


def _faults(problem: Any) -> Iterator[Fault]:
    path = tuple(problem["loc"])
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    broken = problem.get("ctx", {}).get("error")
    if isinstance(broken, BrokenRulesError):
        for each in broken.broken:
            first, *others = (path + _path(name) for name in each.keys)
            sentence = f"{key}: {each.sentence}" if key else each.sentence
            yield Fault(first, sentence, tuple(others))
        return
    yield Fault(path, _sentence(problem, key), is_unknown=problem["type"] in UNKNOWN)


def _path(key: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdecimal() else part for part in key.split("."))


def _sentence(problem: Any, key: str) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{key} is missing"
    if problem["type"] in UNKNOWN:
        return f"{key} = {_short(problem['input'])}: this key is unknown here"
    if isinstance(problem["input"], dict):
        return f"{key}: {message}" if key else message
    return f"{key} = {_short(problem['input'])}: {message[:1].lower()}{message[1:]}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
