"""Columns give back what went into them; a hostile column is one sentence, no long list."""

import json
import struct
from dataclasses import dataclass
from enum import StrEnum
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import InputError, Setting
from safety import Past, Rise, audit_columns
from safety.audit_columns import LONGEST_COLUMN, Unpacker, flattened, packed
from safety.audit_file import encode
from safety.audit_plain import plain, restored
from safety.audit_records import decisions_of, group_of, intents_of
from tests.safety.audit_logs import ENVELOPE, verdict_of
from tests.safety.strategies import settings_of

ODD = Setting(site=1, amplitude_ua=300, frequency_hz=70_000, pulse_width_us=60)


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


@pytest.mark.req("SR-19")
@pytest.mark.parametrize(
    ("column", "written"),
    [
        ([], []),
        ([7], 7),
        ([-1, -1], -1),
        ([0, 255], {"numbers": "BAP8="}),
        ([255, 0], {"numbers": "B/wA="}),
        ([0, 256], {"numbers": "HAAAAAQ=="}),
        ([256, 0], {"numbers": "HAAEAAA=="}),
        ([65_535, 0], {"numbers": "H//8AAA=="}),
        ([0, 65_536], {"numbers": "iAAAAAAAAAQA="}),
        ([65_536, 0], {"numbers": "iAAABAAAAAAA="}),
        ([-1, 0], {"numbers": "i/////wAAAAA="}),
        ([2**31 - 1, 0], {"numbers": "i////fwAAAAA="}),
        ([-(2**31), 0], {"numbers": "qAAAAgP////8AAAAAAAAAAA=="}),
        ([0, -(2**31)], {"numbers": "iAAAAAAAAAIA="}),
        ([2**31, 0], {"numbers": "qAAAAgAAAAAAAAAAAAAAAAA=="}),
        ([0, 2**31], {"numbers": "qAAAAAAAAAAAAAACAAAAAAA=="}),
        (["a"], {"texts": ["a"], "which": 0}),
        (["b", "a", "b"], {"texts": ["b", "a"], "which": {"numbers": "BAAEA"}}),
    ],
    ids=str,
)
def test_the_bytes_of_a_column_are_these_and_come_back(column, written) -> None:
    assert packed(column) == written
    unpacker = Unpacker({"c": written}, "here")
    is_text = any(type(each) is str for each in column)
    back = unpacker.texts("c", len(column)) if is_text else unpacker.numbers("c", len(column))
    assert back == column


@pytest.mark.req("SR-19")
@pytest.mark.parametrize(
    ("first", "width"),
    [(255, "B"), (256, "H"), (65_535, "H"), (65_536, "i"), (2**31 - 1, "i"), (2**31, "q")],
)
def test_no_width_is_tried_that_the_first_number_does_not_fit(monkeypatch, first, width) -> None:
    tried, original = [], struct.pack

    def pack(layout: str, *numbers: int) -> bytes:
        tried.append(layout[-1])
        return original(layout, *numbers)

    monkeypatch.setattr(audit_columns.struct, "pack", pack)
    assert audit_columns.in_base_64([first, 0])[0] == width
    assert tried == [width]


@dataclass(frozen=True, slots=True)
class Three:
    triple: tuple[int, int, int]
    is_on: bool


def test_a_tuple_of_three_and_a_truth_have_these_columns() -> None:
    columns = dict(flattened("x", Three, [Three((1, 2, 3), True), Three((4, 5, 6), False)]))
    assert columns == {"x.triple.0": [1, 4], "x.triple.1": [2, 5], "x.triple.2": [3, 6]} | {
        "x.is_on": [1, 0]
    }
    assert [type(each) for each in columns["x.is_on"]] == [int, int]
    back = Unpacker({name: packed(each) for name, each in columns.items()}, "here")
    values = back.values("x", Three, 2)
    assert values == [Three((1, 2, 3), True), Three((4, 5, 6), False)]
    assert [type(each.is_on) for each in values] == [bool, bool]
    with pytest.raises(InputError, match="0 to 1 was expected"):
        Unpacker({"b": 2}, "here").values("b", bool, 1)


@pytest.mark.req("SR-28")
@pytest.mark.parametrize("length", [0, 2])
@pytest.mark.parametrize("column", [None, "", 1.5, True, {}, {"numbers": "B"}, [0]], ids=repr)
def test_only_an_empty_list_is_an_empty_column_of_texts(column, length: int) -> None:
    with pytest.raises(InputError, match=r"here: c = .* was expected"):
        Unpacker({"c": column}, "here").texts("c", length)


@pytest.mark.req("SR-28")
@pytest.mark.parametrize("column", [None, "", 1.5, True, {}, {"numbers": ""}, [0]], ids=repr)
def test_only_an_empty_list_is_an_empty_column_of_numbers(column) -> None:
    with pytest.raises(InputError, match=r"here: c = .* was expected"):
        Unpacker({"c": column}, "here").numbers("c", 0)
    assert Unpacker({"c": []}, "here").numbers("c", 0) == []
    assert Unpacker({"c": []}, "here").texts("c", 0) == []
    for length in (1, 2):
        with pytest.raises(InputError, match="whole numbers was expected"):
            Unpacker({"c": []}, "here").numbers("c", length)
        with pytest.raises(InputError, match="texts, and which of them was expected"):
            Unpacker({"c": []}, "here").texts("c", length)


@pytest.mark.req("SR-28")
@pytest.mark.parametrize(
    "text", ["BAA==AA", "BA A=", "BAA=", "BAA=\n", "\nBAA==", "BBAA==", "AA==", "bAA==", "BAA==="]
)
def test_what_is_not_strictly_in_base_64_is_no_column(text: str) -> None:
    assert Unpacker({"c": {"numbers": "BAA=="}}, "here").numbers("c", 1) == [0]
    with pytest.raises(InputError, match="1 whole numbers was expected"):
        Unpacker({"c": {"numbers": text}}, "here").numbers("c", 1)


@pytest.mark.req("SR-28")
def test_lengths_and_choices_are_capped_to_the_last_one() -> None:
    longest = Unpacker({"c": 0}, "here").numbers("c", LONGEST_COLUMN)
    assert len(longest) == LONGEST_COLUMN == 4_000_000
    with pytest.raises(InputError, match="c = 4000001: a column of up to 4000000 values was"):
        Unpacker({"c": 0}, "here").numbers("c", LONGEST_COLUMN + 1)
    (many,) = Unpacker({"c": 1000, "c.each": 3}, "here").values("c", tuple[int, ...], 1)
    assert many == (3,) * 1000
    for count in (1001, -1):
        with pytest.raises(InputError, match="0 to 1000 was expected"):
            Unpacker({"c": count, "c.each": 3}, "here").values("c", tuple[int, ...], 1)
    assert Unpacker({"c": 0, "c.some": []}, "here").values("c", int | None, 1) == [None]
    assert Unpacker({"c": 1, "c.some": 4}, "here").values("c", int | None, 1) == [4]
    for which, texts in ((0, ["a"]), (1, ["b", "a"])):
        assert Unpacker({"c": {"texts": texts, "which": which}}, "here").texts("c", 1) == ["a"]
    for which in (-1, 2, {"numbers": "BAAI="}):
        with pytest.raises(InputError, match="texts, and which of them"):
            Unpacker({"c": {"texts": ["b", "a"], "which": which}}, "here").texts("c", 2)


@pytest.mark.req("SR-28")
def test_a_setting_that_columns_cannot_mean_is_an_input_error() -> None:
    columns = {name: packed(column) for name, column in flattened("s", Setting, [ODD, ODD])}
    assert Unpacker(columns, "here").values("s", Setting, 2) == [ODD, ODD]
    with pytest.raises(InputError, match="here, s: on_ms = 3"):
        Unpacker(columns | {"s.on_ms": 3}, "here").values("s", Setting, 2)
    wrong = {"texts": ["burst"], "which": 0}
    with pytest.raises(InputError, match="here: 'burst' is not a valid Mode"):
        Unpacker(columns | {"s.mode": wrong}, "here").values("s", Setting, 2)
