"""Dataclasses as plain JSON and back, to the type: what no value gives is one sentence."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Optional

import pytest

from protocols import InputError
from safety.audit_plain import hints_of, maybe, parts_of, plain, restored, shown


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    number: int


@dataclass(frozen=True, slots=True)
class Outer:
    many: tuple[Inner, ...]
    triple: tuple[int, str, int]
    colour: Colour
    some: Inner | None
    worked_out: int = field(default=3, init=False)


VALUE = Outer(many=(Inner(1), Inner(2)), triple=(1, "a", 2), colour=Colour.RED, some=None)
PLAIN = {"many": [{"number": 1}, {"number": 2}], "triple": [1, "a", 2], "colour": "red"} | {
    "some": None
}


@pytest.mark.req("SR-19")
def test_a_dataclass_is_an_object_of_what_its_constructor_takes() -> None:
    assert plain(VALUE) == PLAIN
    assert list(hints_of(Outer)) == ["many", "triple", "colour", "some"]
    for value in (7, "a", True, None, 1.5, Colour.RED):
        assert plain(value) is value
    assert plain((1, (2, Inner(3)))) == [1, [2, {"number": 3}]]
    assert restored(Outer, PLAIN, "here") == VALUE
    assert restored(Outer, PLAIN | {"some": {"number": 4}}, "here").some == Inner(4)
    assert type(restored(Outer, PLAIN, "here").colour) is Colour


def test_only_x_or_none_is_a_maybe_and_only_a_tuple_has_parts() -> None:
    spelt: Any = Optional[int]  # noqa: UP045 the other spelling is what is tried here
    assert maybe(int | None) is maybe(None | int) is maybe(spelt) is int
    assert maybe(int) is maybe(tuple[int, ...]) is None
    for kind in (int | str, int | str | None):
        with pytest.raises(TypeError, match=r"X \| None was expected"):
            maybe(kind)
    assert parts_of(tuple[int, str]) == (int, str)
    assert parts_of(tuple[int, ...]) == (int, ...)
    assert parts_of(list[int]) == parts_of(int) == ()


@pytest.mark.req("SR-28")
@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        (int, True, "here = True: int was expected"),
        (int, 1.0, "here = 1.0: int was expected"),
        (int, None, "here = None: int was expected"),
        (str, 1, "here = 1: str was expected"),
        (int | None, "a", "here = 'a': int was expected"),
        (tuple[int, ...], 3, "here = 3: a list was expected"),
        (tuple[int, ...], (3,), "here = (3,): a list was expected"),
        (tuple[int, ...], [3, "a"], "here[1] = 'a': int was expected"),
        (tuple[int, int, int], [1, 2], "here holds 2 values: 3 were expected"),
        (tuple[int, int, int], [1, 2, 3, 4], "here holds 4 values: 3 were expected"),
        (tuple[int, str, int], [1, 2, 3], "here[1] = 2: str was expected"),
        (Colour, "blue", "here: 'blue' is not a valid Colour"),
        (Inner, {}, "here = {}: number were expected"),
        (Inner, {"number": 1, "more": 2}, "here = {'number': 1, 'more': 2}: number were exp"),
        (Inner, ["number"], "here = ['number']: number were expected"),
        (Inner, {"number": "a"}, "here.number = 'a': int was expected"),
        (Outer, PLAIN | {"triple": 0}, "here.triple = 0: a list was expected"),
    ],
    ids=str,
)
def test_what_no_value_gives_is_one_sentence_with_its_place(kind, value, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        restored(kind, value, "here")
    assert str(caught.value).startswith(sentence)


def test_tuples_come_back_at_any_length() -> None:
    assert restored(tuple[int, ...], [], "here") == ()
    assert restored(tuple[int, ...], [5, 6, 7], "here") == (5, 6, 7)
    assert restored(tuple[int, str, int], [1, "a", 2], "here") == (1, "a", 2)


@pytest.mark.parametrize(("length", "text"), [(58, "a" * 58), (59, None)])
def test_a_value_is_shown_in_sixty_characters(length: int, text: str | None) -> None:
    found = shown("a" * length)
    assert len(found) == 60
    assert found == (f"'{text}'" if text else f"'{'a' * 56}...")
