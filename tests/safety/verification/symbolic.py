"""Runs a Python function on unknown integers, over every path it can take, and asks z3.

`Unknown` wraps a z3 integer. Where the function asks whether a comparison holds, both answers are
tried, one after the other, under the conditions met so far; so what is proved is proved of the code
itself, for all integers, and of no model of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import z3


class RefutedError(AssertionError):
    """A claim does not hold; the message shows for which values."""


@dataclass(slots=True)
class Paths:
    """The path under way: which answers were given, and which wait for the other answer."""

    given: list[Any] = field(default_factory=list)
    answers: list[bool] = field(default_factory=list)
    n_asked: int = 0
    conditions: list[Any] = field(default_factory=list)

    def decide(self, condition: Any) -> bool:
        """Answer a question: as planned, or yes where that is possible, and no later."""
        if self.n_asked == len(self.answers):
            self.answers.append(self.is_possible(condition))
        answer = self.answers[self.n_asked]
        self.n_asked += 1
        self.conditions.append(condition if answer else z3.Not(condition))
        return answer

    def is_possible(self, condition: Any) -> bool:
        """Whether a condition can hold on this path."""
        return possible(*self.given, *self.conditions, condition)

    def turn(self) -> bool:
        """Go to the next path: the last yes becomes a no; False when there is none left."""
        while self.answers and not self.answers[-1]:
            self.answers.pop()
        if not self.answers:
            return False
        self.answers[-1] = False
        return True


CURRENT: list[Paths] = []


@contextmanager
def on(paths: Paths) -> Iterator[None]:
    """Let comparisons ask these paths."""
    CURRENT.append(paths)
    try:
        yield
    finally:
        CURRENT.pop()


class Answer:
    """What a comparison of unknown integers gives; it is decided when somebody asks."""

    def __init__(self, condition: Any) -> None:
        self.condition = condition

    def __bool__(self) -> bool:
        if z3.is_true(self.condition) or z3.is_false(self.condition):
            return z3.is_true(self.condition)
        return CURRENT[-1].decide(self.condition)


def term(value: Any) -> Any:
    """Return the z3 term of an unknown or a plain integer."""
    return value.z3 if isinstance(value, Unknown) else value


class Unknown:
    """An integer that nobody knows."""

    def __init__(self, value: Any) -> None:
        self.z3 = z3.simplify(value)

    def __add__(self, other: Any) -> "Unknown":
        return Unknown(self.z3 + term(other))

    def __sub__(self, other: Any) -> "Unknown":
        return Unknown(self.z3 - term(other))

    def __rsub__(self, other: Any) -> "Unknown":
        return Unknown(term(other) - self.z3)

    def __mul__(self, other: Any) -> "Unknown":
        return Unknown(self.z3 * term(other))

    def __neg__(self) -> "Unknown":
        return Unknown(-self.z3)

    def __floordiv__(self, other: Any) -> "Unknown":
        """Divide by what is above 0, as everywhere here: z3 then rounds as Python does."""
        if not CURRENT[-1].is_possible(term(other) <= 0):
            return Unknown(self.z3 / term(other))
        raise ZeroDivisionError("a divisor that may be 0 or less")

    def __rfloordiv__(self, other: Any) -> "Unknown":
        return Unknown(z3.IntVal(other)) // self

    def __lt__(self, other: Any) -> Any:
        return Answer(z3.simplify(self.z3 < term(other)))

    def __le__(self, other: Any) -> Any:
        return Answer(z3.simplify(self.z3 <= term(other)))

    def __gt__(self, other: Any) -> Any:
        return Answer(z3.simplify(self.z3 > term(other)))

    def __ge__(self, other: Any) -> Any:
        return Answer(z3.simplify(self.z3 >= term(other)))

    def __eq__(self, other: object) -> Any:
        return Answer(z3.simplify(self.z3 == term(other)))

    def __ne__(self, other: object) -> Any:
        return Answer(z3.simplify(self.z3 != term(other)))

    def __bool__(self) -> bool:
        return bool(self != 0)

    __radd__ = __add__
    __rmul__ = __mul__
    __hash__ = None  # type: ignore[assignment]


def unknowns(names: str, *, lowest: int = 0) -> tuple[list[Unknown], list[Any]]:
    """Return an unknown integer for each name, and that none is below `lowest`."""
    found = [Unknown(z3.Int(name)) for name in names.split()]
    return found, [each.z3 >= lowest for each in found]


def possible(*conditions: Any) -> bool:
    """Whether all of these can hold at once."""
    solver = z3.Solver()
    solver.set(timeout=20_000)
    solver.add(*conditions)
    found = solver.check()
    assert found != z3.unknown, f"z3 could not tell: {solver.reason_unknown()}"
    return bool(found == z3.sat)


def paths_of(function: Callable[[], Any], given: list[Any]) -> Iterator[tuple[list[Any], Any]]:
    """Yield, for each path that `given` permits, its conditions and what the function returned."""
    answers: list[bool] = []
    while True:
        paths = Paths(given=given, answers=answers)
        with on(paths):
            result = function()
            if isinstance(result, Answer):
                result = bool(result)
        if possible(*given, *paths.conditions):
            yield paths.conditions, result
        if not paths.turn():
            return


def prove(claim: Any, given: list[Any]) -> None:
    """Raise `RefutedError`, with values, unless `claim` follows from `given`."""
    solver = z3.Solver()
    solver.set(timeout=30_000)
    solver.add(*given, z3.Not(claim))
    found = solver.check()
    assert found != z3.unknown, f"z3 could not tell: {solver.reason_unknown()}"
    if found == z3.sat:
        raise RefutedError(str(solver.model()))


def prove_all(function: Callable[[], Any], given: list[Any], claim: Callable[[Any], Any]) -> int:
    """Prove a claim about what the function returns, on every path; return how many there are."""
    n_paths = 0
    for conditions, result in paths_of(function, given):
        prove(claim(result), [*given, *conditions])
        n_paths += 1
    return n_paths


def at_least_0(value: Any) -> Any:
    """Return a term, or 0 where it is below."""
    return z3.If(value > 0, value, 0)


def ratio(value: Any, of: Any) -> Any:
    """Return an exact quotient."""
    return real(value) / real(of)


def real(number: Any) -> Any:
    """Return an integer as a real number."""
    return z3.RealVal(number) if isinstance(number, int) else z3.ToReal(number)
