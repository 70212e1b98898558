"""Columns give back what went into them; a hostile column is one sentence, no long list."""

import json
from dataclasses import dataclass
from enum import StrEnum
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import InputError, Setting
from safety import Past, Rise
from safety.audit_columns import LONGEST_COLUMN, Unpacker, flattened, packed
from safety.audit_file import encode
from safety.audit_plain import plain, restored
from safety.audit_records import decisions_of, group_of, intents_of
from tests.safety.audit_logs import ENVELOPE, verdict_of
from tests.safety.strategies import settings_of


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    number: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class Outer:
    many: tuple[Inner, ...]
    pair: tuple[int, str]
    is_on: bool
    some: Inner | None
    numbers: tuple[int, ...] = ()


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300)
INNER = st.builds(Inner, number=NUMBERS, colour=st.sampled_from(Colour))
OUTER = st.builds(
    Outer,
    many=st.lists(INNER, max_size=3).map(tuple),
    pair=st.tuples(NUMBERS, st.text(max_size=5)),
    is_on=st.booleans(),
    some=st.none() | INNER,
    numbers=st.lists(NUMBERS, max_size=3).map(tuple),
)


@given(st.lists(OUTER, min_size=1, max_size=6))
def test_any_dataclass_comes_back_from_its_columns(values: list[Outer]) -> None:
    columns = {name: packed(column) for name, column in flattened("x", Outer, values)}
    # A column of texts that are no enumeration has no reader: nothing in a `Past` is one.
    pairs = columns.pop("x.pair.1")
    columns["x.pair.1"] = 0
    unpacker = Unpacker(columns, "here")
    back = unpacker.values("x", Outer, len(values))
    unpacker.check_all_taken()
    assert Unpacker({"t": pairs}, "here").texts("t", len(values)) == [v.pair[1] for v in values]
    for one, other in zip(values, back, strict=True):
        assert (one.many, one.pair[0], one.is_on, one.some, one.numbers) == (
            other.many,
            other.pair[0],
            other.is_on,
            other.some,
            other.numbers,
        )


@given(OUTER)
def test_any_dataclass_comes_back_from_plain(value: Outer) -> None:
    assert restored(Outer, plain(value), "here") == value


@given(st.data())
def test_a_past_comes_back(data: st.DataObject) -> None:
    rises = data.draw(st.lists(st.builds(Rise, *[NUMBERS] * 4), max_size=3))
    past = Past(
        **{
            **{name: getattr(Past.start(3), name) for name in Past.__dataclass_fields__},
            "delivered": data.draw(settings_of(ENVELOPE)),
            "rises": tuple(rises),
        }
    )
    assert restored(Past, plain(past), "here") == past
    columns = {name: packed(column) for name, column in flattened("past", Past, [past, past])}
    assert Unpacker(columns, "here").values("past", Past, 2) == [past, past]


def test_a_group_says_what_its_verdicts_say() -> None:
    luck = Random(4)
    pasts = [verdict_of(Past.start(patient), 0).past for patient in range(50)]
    verdicts = [verdict_of(past, luck.randrange(1, 5)) for past in pasts]
    times = list(range(50))
    record = json.loads(encode(intents_of(group_of(verdicts, times)) | {"n": 1}))
    told = decisions_of(record)
    assert {verdict.ruling for verdict in verdicts} >= {"clamped", "held"}
    for verdict, at_s, each in zip(verdicts, times, told, strict=True):
        assert (each.at_s, each.patient) == (at_s, verdict.past.patient)
        assert each.wanted == verdict.wanted
        assert (each.delivered, each.past) == (verdict.delivered, verdict.past)
        assert (each.ruling, each.ramp_s) == (verdict.ruling, verdict.ramp_s)
        assert [sentence for _, _, sentence in each.findings] == [
            finding.sentence for finding in verdict.findings
        ]


HOSTILE = [
    None,
    "7",
    True,
    1.5,
    [1, 2],
    {"numbers": 7},
    {"numbers": ""},
    {"numbers": "B"},
    {"numbers": "BAAA"},
    {"numbers": "BAAAA"},
    {"numbers": "?AAAA"},
    {"numbers": "B!!!!"},
    {"numbers": "BAAE=", "more": 1},
    {"texts": ["a"], "which": 0},
]


@pytest.mark.req("SR-28")
@pytest.mark.parametrize("column", HOSTILE, ids=repr)
def test_a_hostile_column_of_numbers_is_one_sentence(column) -> None:
    with pytest.raises(InputError, match=r"here: c = .* was expected"):
        Unpacker({"c": column}, "here").numbers("c", 2)


@pytest.mark.req("SR-28")
@pytest.mark.parametrize(
    "column",
    [
        *HOSTILE[:-1],
        {"texts": ["a"], "which": 1},
        {"texts": ["a"], "which": -1},
        {"texts": "ab", "which": 0},
        {"texts": ["a"], "which": "0"},
    ],
    ids=repr,
)
def test_a_hostile_column_of_texts_is_one_sentence(column) -> None:
    with pytest.raises(InputError, match=r"here: c = .* was expected"):
        Unpacker({"c": column}, "here").texts("c", 2)


@pytest.mark.req("SR-28")
def test_a_short_record_cannot_ask_for_a_long_list() -> None:
    with pytest.raises(InputError, match="a column of up to"):
        Unpacker({"c": 0}, "here").numbers("c", LONGEST_COLUMN + 1)
    with pytest.raises(InputError, match="0 to 1000"):
        Unpacker({"c": 10**9, "c.each": 0}, "here").values("c", tuple[int, ...], 1)
    with pytest.raises(InputError, match="0 to 1 was"):
        Unpacker({"c": 2, "c.some": 0}, "here").values("c", Setting | None, 1)
    with pytest.raises(InputError, match="there is no column c"):
        Unpacker({}, "here").numbers("c", 1)
    unpacker = Unpacker({"c": 0, "d": 0}, "here")
    unpacker.numbers("c", 1)
    with pytest.raises(InputError, match="column 'd' is not known"):
        unpacker.check_all_taken()
