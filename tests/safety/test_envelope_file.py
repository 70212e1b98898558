"""Envelope files are read strictly: a mistake is one sentence with file, key and value."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import InputError
from safety import Envelope, envelope_names, envelope_text, load_envelope, parse_envelope
from safety.envelope_file import LARGEST_FILE_BYTES

TEXT = envelope_text("research")


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


@pytest.mark.req("SR-02")
def test_the_shipped_envelopes() -> None:
    names = envelope_names()
    assert names == ("dbs-like-infinity", "dbs-like-vercise", "research", "rns-like", "vns-like")
    envelopes = [load_envelope(name) for name in names]
    assert tuple(envelope.name for envelope in envelopes) == names
    assert len({envelope.hash for envelope in envelopes}) == len(names)
    for envelope in envelopes:
        assert "for simulation only" in envelope.source
        assert len(envelope.space) <= 500_000


def test_a_file_can_be_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TEXT, encoding="utf-8")
    assert load_envelope(path) == load_envelope(str(path)) == load_envelope("research")
    assert envelope_text(path) == TEXT


@pytest.mark.req("SR-08")
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema = 1", "schema = 2", "schema = 2: 1 was expected"),
        ("schema = 1\n", "", "schema is missing: absence is never permission"),
        ("schema = 1", "schema = 1\nsurplus = 1", "surplus is unknown: schema, name"),
        ('name = "research"', "name = 3", "name = 3: a text was expected"),
        ('name = "research"', 'name = ""', "name = '': a text was expected"),
        ("[pulse]\ninterphase_gap_us = 100", "pulse = 3", "pulse is missing: absence"),
        ("[pulse]\ninterphase_gap_us = 100", "[pulse]", "pulse.interphase_gap_us is missing"),
        ('source = """', 'pulse = 3\nsource = """', "not a TOML file"),
        ("[pulse]", "[pulse]\nsurplus = 1", "pulse.surplus is unknown: interphase_gap_us"),
        ("interphase_gap_us = 100", "interphase_gap_us = 1e2", "pulse.interphase_gap_us = Dec"),
        ("interphase_gap_us = 100", "interphase_gap_us = nan", "gap_us = Decimal('NaN'): a whole"),
        ("interphase_gap_us = 100", "interphase_gap_us = inf", "Decimal('Infinity'): a whole"),
        ("interphase_gap_us = 100", "interphase_gap_us = true", "gap_us = True: a whole number"),
        ("interphase_gap_us = 100", "interphase_gap_us = -1", "gap_us = -1: 0 to"),
        ("interphase_gap_us = 100", f"interphase_gap_us = {10**13}", "0 to 1000000000000"),
        ("interphase_gap_us = 100", f"interphase_gap_us = {'9' * 5000}", "not a TOML file"),
        ("interphase_gap_us = 100", f"interphase_gap_us = 0x{'f' * 5000}", "broken.toml: "),
        ("frequency_hz = [2, 5", "frequency_hz = [5, 2", "frequency_hz goes from 5 to 2"),
        ("frequency_hz = [2, 5", "frequency_hz = [2, 2", "frequency_hz goes from 2 to 2"),
        ("frequency_hz = [2, 5", "frequency_hz = [0, 5", "frequency_hz starts at 0"),
        ("frequency_hz = [2, 5", 'frequency_hz = ["2", 5', "ticks.frequency_hz = '2': a whole"),
        ("frequency_hz = [2, ", "frequency_hz = 2\nx = [", "ticks.x is unknown"),
        ("pulse_width_us = [60, 90, 120, 200, 300]", "pulse_width_us = 60", "= 60: a list of who"),
        ("pulse_width_us = [60, 90, 120, 200, 300]", "pulse_width_us = []", "pulse_width_us"),
        ('modes = ["continuous", "cycling"]', 'modes = "cycling"', "ticks.modes = 'cycling': a li"),
        ('modes = ["continuous", "cycling"]', 'modes = ["burst"]', "ticks.modes holds 'burst'"),
        ('modes = ["continuous", "cycling"]', "modes = [[]]", "ticks.modes holds []"),
        ('modes = ["continuous", "cycling"]', "modes = []", "modes = []: one or more"),
        ("area_um2 = 6_000_000", "area_um2 = 0", "area_um2 = 0: 1 to"),
        ("area_um2 = 6_000_000", 'area_um2 = "big"', "contacts[0].area_um2 = 'big'"),
        ("area_um2 = 6_000_000\n", "", "contacts[0].area_um2 is missing"),
        ("area_um2 = 6_000_000", "area_um2 = 6_000_000\nx = 1", "contacts[0].x is unknown"),
        ('name = "L2"', 'name = "L1"', "names contact 'L2': L1, L1, R1, R2 were expected"),
        ('name = "left shallow"', 'name = "left deep"', "montages holds 'left deep' twice"),
        ('lead = "left"', "lead = 3", "contacts[0].lead = 3: a text"),
        ("{ L1 = 1000 }", "{ L9 = 1000 }", "shares_permille names contact 'L9': L1, L2"),
        ("{ L1 = 1000 }", "{ L1 = 999 }", "shares_permille on lead 'left' add up to 999"),
        ("{ L1 = 1000 }", "{ L1 = 1000, L2 = 0 }", "shares_permille.L2 = 0: 1 to"),
        ("{ L1 = 1000 }", "{ L1 = 1001 }", "shares_permille = 1001"),
        ("{ L1 = 1000 }", "{ L1 = 1000.0 }", "montages[0].shares_permille.L1 = Decimal('1000.0')"),
        ("{ L1 = 1000 }", "[1000]", "montages[0].shares_permille = [1000]: a table"),
        ("{ L1 = 1000 }", "{}", "montage 'left deep' uses no contact"),
        ('shannon_k = "1.5"', "shannon_k = 1.5", "limits.shannon_k = Decimal('1.5'): a text such"),
        ('shannon_k = "1.5"', 'shannon_k = "1.555"', "limits.shannon_k = '1.555'"),
        ('shannon_k = "1.5"', 'shannon_k = "NaN"', "limits.shannon_k = 'NaN'"),
        ('shannon_k = "1.5"', 'shannon_k = "1e3"', "limits.shannon_k = '1e3'"),
        ('shannon_k = "1.5"', 'shannon_k = "-1"', "limits.shannon_k = '-1'"),
        ('shannon_k = "1.5"', 'shannon_k = "١"', "limits.shannon_k = "),
        ('shannon_k = "1.5"', 'shannon_k = "2.01"', "shannon_k_hundredths = 201: 0 to 200"),
        ('per_cm2 = "30"', 'per_cm2 = "0"', "max_density_hundredths = 0: 1 to"),
        ("max_duty_permille = 1000", "max_duty_permille = 1001", "max_duty_permille = 1001"),
        ("max_duty_permille = 1000\n", "", "limits.max_duty_permille is missing"),
        ("window_s = 86_400", "window_s = 0", "rise_window_s = 0: 1 to"),
        ("ramp_down_ua_per_s = 120", "", "rise.ramp_down_ua_per_s is missing"),
        ("max_lead_current_ua = 8000", "max_lead_current_ua = 1", "even the lowest ticks break"),
        ("[limits]", "[[limits]]", "limits = [{"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence(old: str, new: str, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        parse_envelope(changed(old, new), "broken.toml")
    sentence = str(caught.value)
    assert sentence.startswith("broken.toml: ")
    assert "\n" not in sentence
    assert len(sentence) < 400


@pytest.mark.parametrize("key", ["contacts", "montages"])
@pytest.mark.parametrize("value", ["3", "[]", "[3]", '"L1"', "{}"])
def test_a_list_of_tables_is_expected(key: str, value: str) -> None:
    without = re.sub(rf"\[\[{key}\]\]\n(\w+ = .*\n)+", "", TEXT)
    with pytest.raises(InputError, match=key):
        parse_envelope(without.replace("schema = 1", f"schema = 1\n{key} = {value}"), "broken.toml")


@pytest.mark.parametrize("text", ["", "=", "[" * 20_000, "a." * 10_000 + "a = 1", "\0"])
def test_what_is_no_envelope_at_all_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError, match=r"^broken\.toml: "):
        parse_envelope(text, "broken.toml")


def test_deep_values_are_cut_short_in_the_sentence() -> None:
    deep = "source.x" + ".x" * 900 + " = 1"
    text = re.sub(r'(?s)source = """.*?"""', deep, TEXT)
    with pytest.raises(InputError, match="source = ") as caught:
        parse_envelope(text, "broken.toml")
    assert len(str(caught.value)) < 400


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    for name in ("RESEARCH", "../research", "", "research.json"):
        with pytest.raises(InputError, match="dbs-like-infinity, dbs-like-vercise, research, rns"):
            load_envelope(name)
    for path in (tmp_path / "missing.toml", "nul\0.toml"):
        with pytest.raises(InputError, match="cannot be read"):
            load_envelope(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_envelope("x" * 5_000 + ".toml")


def test_files_that_are_too_large_or_no_text_or_no_file(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_bytes(TEXT.encode() + b"#" * (LARGEST_FILE_BYTES - len(TEXT.encode())))
    assert load_envelope(path).name == "research"
    path.write_bytes(path.read_bytes() + b"#")
    with pytest.raises(InputError, match="at most 1,000,000 bytes"):
        load_envelope(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="line 1: not UTF-8 text"):
        load_envelope(path)
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        load_envelope(tmp_path / "folder.toml")


@pytest.mark.req("SR-08")
@given(st.data())
def test_a_file_with_a_line_less_is_an_error_or_the_same_envelope(data: st.DataObject) -> None:
    lines = TEXT.splitlines(keepends=True)
    index = data.draw(st.integers(0, len(lines) - 1))
    text = "".join(lines[:index] + lines[index + 1 :])
    envelope = envelope_or_error(text)
    if isinstance(envelope, InputError):
        assert str(envelope).startswith("broken.toml: ")
        return
    research = load_envelope("research")
    is_comment = lines[index].strip() == "" or lines[index].startswith("#")
    assert not is_comment or envelope == research
    assert len(envelope.space) <= len(research.space)


def envelope_or_error(text: str) -> Envelope | InputError:
    try:
        return parse_envelope(text, "broken.toml")
    except InputError as error:
        return error
