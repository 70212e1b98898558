"""A prior comes back from its file as it was, and a wrong file is one sentence."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from neurostim.meta.federation import DISPERSIONS_PER_DAY, generic_start
from neurostim.meta.prior_file import load_prior, read_prior, write_prior
from neurostim.surrogate.filter import Belief
from neurostim.surrogate.likelihood import NegativeBinomial
from protocols import OFF, InputError, Setting

LIST = (
    OFF,
    *(
        Setting(site=site, amplitude_ua=amplitude, frequency_hz=frequency, pulse_width_us=90)
        for site, amplitude, frequency in product((0, 1), (1000, 2000), (5, 145))
    ),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    start = generic_start(LIST, 18.0, DISPERSIONS_PER_DAY)
    path = tmp_path / "deep" / "prior.safetensors"
    write_prior(path, LIST, start["effects"], start["side_effects"], (3, 1), {"how": "learned"})
    return path


def rewritten(path: Path, tensors: dict[str, np.ndarray] | None = None, **header: object) -> Path:
    """The file with another header or other numbers in it."""
    with safe_open(path, framework="numpy") as file:
        old = json.loads(file.metadata()["neurostim"])
    save_file(tensors or load_file(path), path, {"neurostim": json.dumps(old | header)})
    return path


def test_a_prior_comes_back_to_the_bit(path: Path) -> None:
    start = generic_start(LIST, 18.0, DISPERSIONS_PER_DAY)
    found = read_prior(path, LIST)
    for name, prior in (("effects", found.effects), ("side_effects", found.side_effects)):
        for column in ("mean", "table", "dispersion", "level_sd", "wash_in", "log_weight"):
            assert torch.equal(getattr(prior, column), getattr(start[name], column))
    assert found.anchors == (3, 1)
    assert found.about["how"] == "learned"
    assert not path.with_name(path.name + ".part").exists()


def test_generic_particles_come_in_when_it_is_loaded(path: Path) -> None:
    found, bare = load_prior(path, LIST), read_prior(path, LIST)
    for mixed, learned in (
        (found.effects, bare.effects),
        (found.side_effects, bare.side_effects),
    ):
        weight = torch.softmax(mixed.log_weight, 0)[learned.n_particles :]
        assert float(weight.sum()) == pytest.approx(0.1, abs=1e-6)
        belief = Belief.start(mixed, NegativeBinomial(), 2)
        assert bool(torch.isfinite(belief.mean).all())
    assert load_prior(path, LIST, 0.0).effects.n_particles == bare.effects.n_particles


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-40]), ["not a whole safetensors file"]),
        (lambda p: p.write_bytes(b""), ["not a whole safetensors file"]),
        (lambda p: p.write_text("setting,value\n1,2\n"), ["not a whole safetensors file"]),
        (lambda p: p.unlink(), ["cannot be read"]),
        (lambda p: save_file({"a": np.zeros(2)}, p), ["none of neurostim"]),
        (lambda p: rewritten(p, version=2), ["format version 2", "1 was expected"]),
        (lambda p: rewritten(p, kind="sums"), ["'sums'", "'prior'"]),
        (lambda p: rewritten(p, time_unit="epoch"), ["'epoch'", "'day'"]),
        (
            lambda p: rewritten(p, load_file(p) | {"effects.mean": np.ones((1, 9))}),
            ["not those it was written with"],
        ),
        (
            lambda p: rewritten(p, {"settings": load_file(p)["settings"]}, digest=None),
            ["not those it was written with"],
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_no_prior_is_one_sentence(
    path: Path, change: object, words: list[str]
) -> None:
    change(path)  # type: ignore[operator]
    with pytest.raises(InputError) as caught:
        load_prior(path, LIST)
    sentence = str(caught.value)
    assert len(sentence.splitlines()) == 1
    for word in (path.name, *words):
        assert word in sentence


@pytest.mark.parametrize(
    ("candidates", "words"),
    [
        (LIST[:-1], ["9 settings", "has 8"]),
        ((*LIST[:-1], Setting(site=1, amplitude_ua=2000, frequency_hz=130, pulse_width_us=90)),
         ["setting 8", "145 Hz", "130 Hz"]),
        ((LIST[0], LIST[2], LIST[1], *LIST[3:]), ["setting 1", "5 Hz", "145 Hz"]),
    ],
)  # fmt: skip
def test_another_list_is_named_by_its_first_difference(
    path: Path, candidates: tuple[Setting, ...], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        load_prior(path, candidates)
    for word in words:
        assert word in str(caught.value)
