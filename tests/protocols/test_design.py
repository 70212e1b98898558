from pathlib import Path

import pytest

from protocols import InputError
from protocols.design import design_names, load_design
from protocols.documents import parse_overrides


def sentence_of(*changes: str) -> str:
    with pytest.raises(InputError) as caught:
        load_design("demo", parse_overrides(list(changes)))
    return str(caught.value)


@pytest.mark.parametrize("name", design_names())
def test_every_shipped_design_is_valid(name: str) -> None:
    design = load_design(name)
    assert design.name == name
    assert len(design.fingerprint()) == 64


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        ("schedule.epoch_days=0", "schedule.epoch_days", "0"),
        ("schedule.epoch_days=nan", "schedule.epoch_days", "nan"),
        ("schedule.epoch_days=14.0", "schedule.epoch_days", "14.0"),
        ("schedule.evaluation_days=999", "evaluation_days", "999"),
        ("schedule.week_days=7", "schedule.week_days", "7"),
        ("population.n_patients=0", "population.n_patients", "0"),
        ("population.n_patients=true", "population.n_patients", "True"),
        ("population.rates.log_sd=1", "population.rates.median_per_28_days", "missing"),
        ("population.least_per_28_days=-1", "population.least_per_28_days", "-1"),
        ("schedule.open_label_days=28", "open_label_arm", "come together"),
        ("schedule.recovery_days=-1", "schedule.recovery_days", "-1"),
        ("settings.amplitude_ua=[2000, 1000]", "amplitude_ua", "2000 to 1000"),
        ("settings.amplitude_ua=[]", "settings.amplitude_ua", "()"),
        ("settings.frequency_hz=[5, inf]", "settings.frequency_hz[1]", "inf"),
        ('settings.cycles=[{mode="cycling"}]', "settings.cycles[0]", "cycling"),
        ('settings.cycles=[{mode="pulsing"}]', "settings.cycles[0].mode", "pulsing"),
        ("arms.gp.controller=No Such", "arms[4].controller", "No Such"),
        ("analysis.reference=placebo", "analysis.reference", "placebo"),
        ("title=5", "title", "5"),
    ],
)
def test_a_fault_names_its_key_and_its_value(change: str, key: str, value: str) -> None:
    sentence = sentence_of(change)
    assert key in sentence
    assert value.strip("()") in sentence


def test_all_faults_are_said_at_once() -> None:
    sentence = sentence_of("schedule.epoch_days=0", "population.n_patients=0", "colour=1")
    assert len(sentence.splitlines()) == 3


def test_the_fingerprint_sees_values_and_not_layout(tmp_path: Path) -> None:
    demo = load_design("demo")
    copy = tmp_path / "copy.toml"
    text = (Path(__file__).parents[2] / "protocols/designs/demo.toml").read_text(encoding="utf-8")
    copy.write_text("# another comment\n" + text, encoding="utf-8")
    assert load_design(copy).fingerprint() == demo.fingerprint()
    assert load_design(copy, {"population.n_patients": 61}).fingerprint() != demo.fingerprint()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name = 'a'\nname = 'b'\n", "line 2"),
        (b"name = [", "not valid TOML"),
        (b"name = '\xff'", "line 1: not UTF-8 text"),
        (b"#" * 1_000_001, "at most 1,000,000 bytes"),
        (b"a = " + b"[" * 5_000, "not valid TOML"),
        (b"", "title is missing"),
    ],
)
def test_a_file_that_is_no_design_is_one_sentence(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.toml") as caught:
        load_design(path)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", ["no-such-design", "no/such/design.toml", ""])
def test_a_design_that_is_not_there_is_one_sentence(name: str) -> None:
    with pytest.raises(InputError):
        load_design(name)


@pytest.mark.parametrize(
    "pair", ["population", "=5", "arms.nobody.controller=gp", "name.first=5", ".=1"]
)
def test_a_change_that_goes_nowhere_is_refused(pair: str) -> None:
    assert "--set" in sentence_of(pair)


def test_rates_have_one_source() -> None:
    said = sentence_of("population.rates.median_per_28_days=10.0", "population.rates.log_sd=1.0")
    assert "rates and baselines both say what patients write" in said


def test_the_open_label_arm_is_one_of_the_arms() -> None:
    said = sentence_of("schedule.open_label_days=28", "schedule.open_label_arm=nobody")
    assert "schedule.open_label_arm = 'nobody': one of the arms (sham" in said
