"""Where the keys of a TOML document stand, against the standard library's reader and a writer."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.design import design_names, design_text
from protocols.lines import lines_of

WORDS = st.text("ab_-1", min_size=1, max_size=3)
KEYS = st.one_of(WORDS, WORDS.map(lambda w: f'"{w}.#"'), WORDS.map(lambda w: f"'[{w}'"))
SCALARS = st.sampled_from(
    [
        "1",
        "-0.5",
        "true",
        '"a # = [x] \\" y"',
        "'C:\\'",
        '"""\none\n[two]\n"" """',
        '"""a"""""',
        "'''\nthree = 3\n'''",
        "1979-05-27 07:32:00",
    ]
)


def arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.lists(values, max_size=3)
    return lists.map(lambda each: "[ # first\n" + "".join(f"  {v}, # ], a\n" for v in each) + "]")


def inline(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    tables = st.dictionaries(KEYS, values, max_size=3)
    return tables.map(lambda each: "{ " + ", ".join(f"{k} = {v}" for k, v in each.items()) + " }")


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inline(inner), max_leaves=5)
LINES = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda kv: f"{kv[0]} = {kv[1]}"),
    st.tuples(KEYS, KEYS, VALUES).map(lambda kv: f"{kv[0]} . {kv[1]}={kv[2]} # = 5"),
    KEYS.map(lambda key: f"[{key}]"),
    st.tuples(KEYS, KEYS).map(lambda keys: f"[ {keys[0]}.{keys[1]} ]"),
    KEYS.map(lambda key: f"[[{key}]]"),
    st.sampled_from(["", "# [not] = a table"]),
)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every key and every place in a list, as the standard library read them."""
    if path:
        yield path
    entries: Any = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for name, child in entries:
        yield from paths(child, (*path, name))


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_every_key_of_a_document_has_its_line(chunks: list[str], ending: str) -> None:
    kept: list[str] = []
    for chunk in chunks:  # what would not be valid after the chunks before it is left out
        try:
            tomllib.loads("\n".join([*kept, chunk]))
        except tomllib.TOMLDecodeError:
            continue
        kept.append(chunk)
    text = "\n".join(kept).replace("\n", ending)
    document = tomllib.loads(text)
    found = lines_of(text)
    assert set(found) == set(paths(document))
    starts, at = set(), 1
    for chunk in kept:
        starts.add(at)
        if not chunk.startswith(("[", "#")) and chunk:
            key = next(iter(tomllib.loads(chunk)))
            assert at in {line for path, line in found.items() if key in path}
        at += chunk.count("\n") + 1
    assert {line for path, line in found.items() if len(path) == 1} <= starts


@pytest.mark.parametrize("name", design_names())
def test_the_lines_of_a_design_hold_its_keys(name: str) -> None:
    text, _ = design_text(name)
    lines = text.splitlines()
    found = lines_of(text)
    assert set(found) == set(paths(tomllib.loads(text)))
    for path, line in found.items():
        if isinstance(path[-1], str):
            assert path[-1] in lines[line - 1]
