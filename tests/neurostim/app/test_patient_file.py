"""Patient files: what was decided, lived again; a hostile one says what is wrong, and no more."""

import json
import os
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neurostim.app.engine import Engine
from neurostim.app.keeping import reopened_from
from neurostim.app.offers import sample_text
from neurostim.app.patient_file import (
    MAX_FILE_BYTES,
    PatientFile,
    parse_patient,
    patient_bytes,
    read_patient,
    reopened,
    subject_of,
)
from protocols import InputError

N_MUTATIONS = 500
LONGEST_SENTENCE = 2_000


@pytest.fixture
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sample_text())
    return found


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[tuple[PatientFile, Engine]]:
    saved = parse_patient(sample_text(), "the sample")
    engine = Engine(subject_of(saved.subject), tmp_path)
    yield saved, engine
    engine.close()


def sentence_of(text: str) -> str:
    """What is said against a document."""
    with pytest.raises(InputError) as caught:
        parse_patient(text, "hostile.json")
    return str(caught.value)


def test_the_sample_is_lived_again_and_saved_to_the_same_bytes(
    sample: tuple[PatientFile, Engine],
) -> None:
    saved, engine = sample
    shares: list[float] = []
    workspace, changes, notices = reopened(saved, engine, "the sample", shares.append)
    assert notices == ()
    assert workspace.scenario.life.day == 252
    assert shares[-1] == 1
    assert patient_bytes(workspace, changes, engine).decode() == sample_text()


def test_a_file_that_claims_other_results_is_noticed(
    sample: tuple[PatientFile, Engine], document: dict[str, Any]
) -> None:
    _, engine = sample
    document["scenarios"][0]["turns"][5]["wish"][1] = 1000
    saved = parse_patient(json.dumps(document), "changed.json")
    _, _, notices = reopened(saved, engine, "changed.json", lambda share: None)
    assert len(notices) == 1
    assert notices[0].startswith("original was lived again with other results")


def test_a_file_cannot_smuggle_in_a_delivery(
    sample: tuple[PatientFile, Engine], document: dict[str, Any]
) -> None:
    _, engine = sample
    beyond = [0, 50_000, 130, 90, 0, 0, 0]  # 50 mA, where the envelope ends at 8
    for turn in document["scenarios"][0]["turns"][4:]:
        turn["wish"] = beyond
    saved = parse_patient(json.dumps(document), "smuggled.json")
    workspace, _, _ = reopened(saved, engine, "smuggled.json", lambda share: None)
    delivered = [turn.lived.delivered for turn in workspace.scenario.life.turns]
    most = max(engine.plan.envelope.amplitude_ua)
    assert all(setting.amplitude_ua <= most for setting in delivered)
    assert workspace.scenario.life.turns[4].lived.findings


def mutations(text: str) -> Iterator[str]:
    """Documents that somebody has tampered with, in ways of chance from a fixed seed."""
    chance = random.Random(20)
    strange: list[Callable[[], Any]] = [
        lambda: None,
        lambda: -1,
        lambda: 10 ** chance.randint(1, 400),
        lambda: 0.5,
        lambda: float("nan"),
        lambda: float("inf"),
        lambda: "",
        lambda: "../../etc/passwd",
        lambda: "<b>bold</b>",
        lambda: "x" * 100_000,
        lambda: [[]] * 5_000,
        lambda: {"a": {"b": []}},
        lambda: True,
        lambda: "\u202egnp.exe",
    ]
    likely: list[Callable[[], Any]] = [
        lambda: chance.randint(0, 5),
        lambda: chance.randint(0, 5_000),
        lambda: "sham",
        lambda: "vns-like",
        list,
        dict,
        lambda: [1, 2, 3],
    ]
    for _ in range(N_MUTATIONS):
        document = json.loads(text)
        for _ in range(chance.randint(1, 3)):
            place: Any = document
            while True:
                keys = list(place) if isinstance(place, dict) else list(range(len(place)))
                key = chance.choice(keys)
                inner = place[key]
                if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
                    place = inner
                    continue
                deed = chance.random()
                if deed < 0.2:
                    del place[key]
                elif deed < 0.3 and isinstance(place, dict):
                    place[f"new {chance.random()}"] = inner
                else:
                    place[key] = chance.choice(strange if chance.random() < 0.4 else likely)()
                break
            if not document:
                break
        if chance.random() < 0.2:
            content = json.dumps(document)
            cut = chance.randrange(len(content))
            yield content[:cut] + chr(chance.randrange(1, 0x500)) + content[cut + 1 :]
        else:
            yield json.dumps(document)


def test_mutations_are_refused_in_a_sentence_or_open_as_a_patient(tmp_path: Path) -> None:
    sentences, opened = [], []
    for number, text in enumerate(mutations(sample_text())):
        try:
            saved = parse_patient(text, "hostile.json")
            place = tmp_path / str(number) / "autosave.json"
            kept = reopened_from(saved, "hostile.json", None, place, lambda share: None)
        except InputError as error:
            sentences.append(str(error))
            continue
        kept.engine.close()
        opened.append(saved)
    assert len(sentences) + len(opened) == N_MUTATIONS
    assert len(sentences) > N_MUTATIONS / 2
    assert max(map(len, sentences)) < LONGEST_SENTENCE
    assert opened  # what opens is a patient file that somebody could have written
    for saved in opened:
        assert "/" not in saved.subject.label + saved.subject.design.device.envelope
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {
        "audit-00000.jsonl",
        "audit-00000.jsonl.anchor",
    }


def test_a_zip_bomb_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bomb.neurostim.json"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * 50_000_000)
    assert path.stat().st_size < MAX_FILE_BYTES
    with pytest.raises(InputError, match=r"bomb\.neurostim\.json, line 1: "):
        read_patient(path)


def test_a_field_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "long.neurostim.json"
    with path.open("wb") as file:
        file.write(b'{"format": "neurostim patient", "version": 1, "subject": {"label": "')
        file.truncate(1_000_000_000)  # sparse: it takes no place on the disk
    with pytest.raises(InputError, match="at most 5,000,000 bytes were expected"):
        read_patient(path)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(InputError, match="no file"):
            read_patient(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_patient(tmp_path / "absent.json")


def test_deep_nesting_and_huge_numbers_are_no_patient_files() -> None:
    assert "not a patient file" in sentence_of("[" * 100_000 + "]" * 100_000)
    assert "not a patient file" in sentence_of('{"format": ' + "9" * 5_000 + "}")


@pytest.mark.parametrize("format_", ["neurostim run", None, {"a": 1}])
def test_another_format_is_named(document: dict[str, Any], format_: object) -> None:
    document["format"] = format_
    assert "format = 'neurostim patient' was expected" in sentence_of(json.dumps(document))


def test_a_newer_version_is_named(document: dict[str, Any]) -> None:
    document["version"] = 2
    assert "version = 2: 1 was expected" in sentence_of(json.dumps(document))


LABELS = ["../../x", "/etc/passwd", "<img src=x onerror=alert(1)>", "a\nb", "", "x" * 81, "=1+1"]


@pytest.mark.parametrize("label", LABELS)
def test_names_are_words(document: dict[str, Any], label: str) -> None:
    document["subject"]["label"] = label
    assert "subject.label" in sentence_of(json.dumps(document))
    document["subject"]["label"] = "Somebody"
    document["scenarios"][0]["name"] = label
    assert "scenarios[0].name" in sentence_of(json.dumps(document))


FILES = {
    "device": {"envelope": "/etc/passwd.toml"},
    "population": {"n_patients": 1, "baselines": "../../secret.csv"},
}


@pytest.mark.parametrize("key", FILES)
def test_no_other_file_is_named(document: dict[str, Any], key: str) -> None:
    document["subject"]["design"][key] = FILES[key]
    assert f"design.{key}" in sentence_of(json.dumps(document))


@pytest.mark.parametrize(
    "options",
    [
        {"prior": "../../prior.safetensors"},
        {"prior": 3},
        {"keeps_per_week": [1.0] * 1_000},
        {"perturbed_ticks": 10**9},
    ],
)
def test_options_name_no_file_and_are_short(
    document: dict[str, Any], options: dict[str, Any]
) -> None:
    document["scenarios"][0]["policy"]["options"] = options
    assert "options" in sentence_of(json.dumps(document))


def test_a_loosening_by_one_person_is_refused(
    sample: tuple[PatientFile, Engine], document: dict[str, Any]
) -> None:
    _, engine = sample
    people = [{"name": "Dr A", "role": "clinician"}]
    change = {"name": "amplitude_ua", "by": people, "reason": "because", "day": 0}
    document["limits"] = [
        change | {"value": "2", "is_loosening": False},
        change | {"value": "8", "is_loosening": True},
    ]
    saved = parse_patient(json.dumps(document), "loose.json")
    with pytest.raises(InputError, match=r"loose\.json: limits\[1\]: .*two people in two roles"):
        reopened(saved, engine, "loose.json", lambda share: None)


DESIGNS = [
    ({"device": {"envelope": "vns-like"}}, "settings.site = 1: the envelope vns-like has"),
    ({"population": {"n_patients": 1, "model": "martian"}}, "population.model"),
    ({"population": {"n_patients": 1, "target": "foot"}}, "population.target = 'foot'"),
]


@pytest.mark.parametrize(("change", "sentence"), DESIGNS)
def test_a_design_that_does_not_hold_together_is_refused(
    document: dict[str, Any], change: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    document["subject"]["design"] |= change
    saved = parse_patient(json.dumps(document), "odd.json")
    with pytest.raises(InputError) as caught:
        Engine(subject_of(saved.subject), tmp_path)
    assert str(caught.value).startswith(sentence)


def test_more_visits_than_the_schedule_has_are_refused(
    sample: tuple[PatientFile, Engine], document: dict[str, Any]
) -> None:
    _, engine = sample
    turn = document["scenarios"][0]["turns"][0]
    document["scenarios"][0]["turns"] = [turn] * 200
    saved = parse_patient(json.dumps(document), "long.json")
    with pytest.raises(InputError, match="where the schedule ends"):
        reopened(saved, engine, "long.json", lambda share: None)
