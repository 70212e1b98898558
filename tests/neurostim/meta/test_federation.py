"""Hospitals that send sums learn what one that holds all patients learns, and give little away."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from meta.cohorts import hospitals
from meta.test_prior_file import LIST

from neurostim.meta.contributions import Sums, summed
from neurostim.meta.federation import (
    DISPERSIONS_PER_DAY,
    SURFACES,
    Protection,
    Surfaces,
    combine,
    generic_start,
    summarised,
    write_sums,
)
from neurostim.meta.hierarchy import maximised
from neurostim.meta.prior_file import read_prior
from neurostim.meta.privacy import clipped, delta_of, epsilon_of, noised
from neurostim.surrogate.filter import Observed
from neurostim.surrogate.likelihood import LIKELIHOODS
from protocols import InputError

OPEN = Protection(min_patients=2)


def patients(seed: int, n_patients: int, n_epochs: int) -> dict[str, Observed]:
    """Ragged patients with counts and side effects."""
    draw = np.random.default_rng(seed)
    shape = (n_patients, n_epochs)
    index = draw.integers(0, len(LIST), shape)
    every = torch.ones(shape, dtype=torch.float64)
    n_seen = draw.integers(0, n_epochs + 1, n_patients)
    is_seen = torch.from_numpy(np.arange(n_epochs) < n_seen[:, None])
    days = torch.from_numpy(draw.integers(5, 15, shape).astype(np.float64))

    def observed(value: np.ndarray) -> Observed:
        return Observed(
            index=torch.from_numpy(index),
            value=torch.from_numpy(value.astype(np.float64)),
            exposure=days - 1,
            days=days,
            at_day=days.cumsum(1),
            mask=is_seen & torch.from_numpy(draw.uniform(size=shape) < 0.9),
            is_epoch=every > 0,
        )

    seizures = draw.poisson(0.5 * days.numpy() * np.exp(-0.1 * index))
    return {
        "effects": observed(seizures),
        "side_effects": observed(draw.uniform(size=shape) < 0.05),
    }


def parts(people: dict[str, Observed], sizes: tuple[int, ...]) -> list[dict[str, Observed]]:
    split = {name: hospitals(each, sizes) for name, each in people.items()}
    return [{name: split[name][i] for name in people} for i in range(len(sizes))]


def test_a_federated_prior_is_the_pooled_one_over_several_rounds(tmp_path: Path) -> None:
    people = patients(1, 41, 9)
    start = generic_start(LIST, 18.0, DISPERSIONS_PER_DAY)
    base = {name: start[name].table[0] for name in SURFACES}
    pooled: Surfaces = dict(start)
    federated: Surfaces = dict(start)
    for number in range(1, 5):
        likelihoods = zip(SURFACES, ("counts", "occurrence"), strict=True)
        pooled = {
            name: maximised(
                pooled[name], summed(pooled[name], LIKELIHOODS[kind], people[name]), base[name]
            )
            for name, kind in likelihoods
        }
        paths = []
        for place, each in enumerate(parts(people, (4, 15, 22))):
            paths.append(tmp_path / f"{number}-{place}.safetensors")
            about = {"round": number, "mu_squared": None}
            write_sums(paths[-1], LIST, federated, summarised(federated, each, OPEN), about)
        about = combine(paths, tmp_path / f"prior-{number}.safetensors")
        assert (about["n_patients"], about["round"]) == (41, number)
        found = read_prior(tmp_path / f"prior-{number}.safetensors", LIST)
        federated = {"effects": found.effects, "side_effects": found.side_effects}
        for name in SURFACES:
            for column in ("mean", "table", "level_mean", "level_sd", "log_weight"):
                left, right = (getattr(each[name], column) for each in (federated, pooled))
                torch.testing.assert_close(left, right, atol=1e-10, rtol=0)
    assert float((pooled["effects"].mean - start["effects"].mean).abs().max()) > 0.05


def test_no_tensor_of_a_file_of_sums_has_an_axis_of_patients(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    start = generic_start(LIST, 18.0, DISPERSIONS_PER_DAY)
    path = tmp_path / "sums.safetensors"
    write_sums(path, LIST, start, summarised(start, patients(1, 23, 7), OPEN), {"round": 1})
    for name, array in load_file(path).items():
        assert 23 not in array.shape, name


def test_few_patients_are_refused() -> None:
    start = generic_start(LIST, 18.0, DISPERSIONS_PER_DAY)
    some = {name: replace(each, mask=each.mask | True) for name, each in patients(1, 9, 4).items()}
    with pytest.raises(InputError, match="9 patients: at least 10 were expected"):
        summarised(start, some, Protection())
    with pytest.raises(InputError, match="a sum over one patient is that patient"):
        Protection(min_patients=1)
    with pytest.raises(InputError, match="noise protects what is bounded"):
        Protection(noise_multiplier=1.0)
    with pytest.raises(InputError, match="--clip 0"):
        Protection(clip=0.0)


def test_who_told_nothing_hides_nobody() -> None:
    start = generic_start(LIST, 18.0, DISPERSIONS_PER_DAY)
    people = patients(1, 12, 6)
    is_one = (torch.arange(12) == 3)[:, None]
    alone = {name: replace(each, mask=is_one & (each.index >= 0)) for name, each in people.items()}
    with pytest.raises(InputError, match="1 patients: at least 10 were expected"):
        summarised(start, alone, Protection())


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({"n_patients": torch.zeros((), dtype=torch.float64)}, {}),
        ({"n_patients": torch.tensor(-5.0, dtype=torch.float64)}, {}),
        ({"shift": torch.zeros(1, dtype=torch.float64)}, {}),
        ({"spread": torch.zeros(3, dtype=torch.float64)}, {}),
        ({}, {"round": None}),
        ({}, {"mu_squared": "much"}),
    ],
)
def test_sums_that_are_none_are_one_sentence(
    change: dict[str, torch.Tensor], about: dict[str, object], tmp_path: Path
) -> None:
    start = generic_start(LIST, 18.0, DISPERSIONS_PER_DAY)
    summary = summarised(start, patients(1, 12, 5), OPEN)
    sums = summary.sums | {"effects": replace(summary.sums["effects"], **change)}
    path, out = tmp_path / "sums.safetensors", tmp_path / "out.safetensors"
    header = {"round": 1, "mu_squared": None} | about
    write_sums(path, LIST, start, replace(summary, sums=sums), header)
    with pytest.raises(InputError, match="without a sound"):
        combine([path], out)
    assert not out.exists()


def norm(sums: dict[str, Sums]) -> float:
    squares = [
        getattr(each, field.name).square().sum()
        for each in sums.values()
        for field in fields(Sums)
        if field.name != "n_patients"
    ]
    return float(torch.stack(squares).sum().sqrt())


def test_a_clipped_patient_moves_the_sums_by_no_more_than_the_clip() -> None:
    start, people, clip = generic_start(LIST, 18.0, DISPERSIONS_PER_DAY), patients(3, 12, 9), 0.05
    protection = Protection(min_patients=2, clip=clip)
    whole = summarised(start, people, protection)
    assert bool((whole.norms > clip).any())
    silenced = {
        name: replace(each, mask=each.mask & (torch.arange(12) != 5)[:, None])
        for name, each in people.items()
    }
    without = summarised(start, silenced, protection)
    apart = {
        name: Sums(
            **{f.name: getattr(whole.sums[name], f.name) - getattr(without.sums[name], f.name)
               for f in fields(Sums)}
        )
        for name in SURFACES
    }  # fmt: skip
    assert 0 < norm(apart) <= clip * (1 + 1e-9)
    assert bool((clipped(torch.tensor([4.0, 0.25]), 1.0) == torch.tensor([0.5, 1.0])).all())


def test_noise_has_the_same_size_along_every_direction() -> None:
    """300 x 301 / 2 numbers: the standard error of a standard deviation is a third of a percent."""
    start = generic_start(LIST, 0.0, (1.0,))["effects"]
    nothing = replace(Sums.nothing(start), spread=torch.zeros(300, 300, dtype=torch.float64))
    noise = noised(nothing, 2.0, np.random.default_rng(0)).spread
    assert torch.equal(noise, noise.T)
    above = torch.triu_indices(300, 300, 1)
    assert float(noise[above[0], above[1]].std()) == pytest.approx(2 / 2**0.5, rel=0.02)
    assert float(noise.diagonal().std()) == pytest.approx(2.0, rel=0.2)


def test_noise_leaves_a_prior_that_can_be_used(tmp_path: Path) -> None:
    start = generic_start(LIST, 18.0, DISPERSIONS_PER_DAY)
    protection = Protection(min_patients=2, clip=1.0, noise_multiplier=2.0)
    path, out = tmp_path / "sums.safetensors", tmp_path / "prior.safetensors"
    source = np.random.default_rng(0)
    summary = summarised(start, patients(3, 12, 9), protection, source)
    about = {"round": 1, "mu_squared": 0.25, "noise_multiplier": 2.0}
    write_sums(path, LIST, start, summary, about)
    assert combine([path], out)["mu_squared"] == 0.25
    for prior in (read_prior(out, LIST).effects, read_prior(out, LIST).side_effects):
        assert float(torch.linalg.eigvalsh(prior.table[0]).min()) > -1e-10
        assert float(prior.table[0][0].abs().max()) < 1e-12  # off stays without effect
        assert float(prior.mean[:, 0].abs().max()) == 0.0


@pytest.mark.parametrize(("mu_squared", "delta"), [(1.0, 1e-5), (0.25, 1e-5), (4.0, 1e-6)])
def test_the_budget_is_the_least_that_its_delta_allows(mu_squared: float, delta: float) -> None:
    found = epsilon_of(mu_squared, delta)
    assert delta_of(found, mu_squared) <= delta * (1 + 1e-6)
    assert delta_of(found * (1 - 1e-4), mu_squared) > delta
    assert epsilon_of(2 * mu_squared, delta) > found  # a round more costs more


def test_delta_is_the_largest_gap_between_two_gaussians() -> None:
    x = np.linspace(-14, 15, 2_000_001)
    for mu, epsilon in ((1.0, 1.0), (0.5, 0.3), (2.0, 4.0)):
        density = np.exp(-((x - mu) ** 2) / 2) - np.exp(epsilon) * np.exp(-(x**2) / 2)
        gap = np.maximum(density, 0).sum() * (x[1] - x[0]) / np.sqrt(2 * np.pi)
        assert delta_of(epsilon, mu**2) == pytest.approx(gap, rel=1e-5)


def test_sums_of_two_rounds_or_twice_the_same_are_refused(tmp_path: Path) -> None:
    start = generic_start(LIST, 18.0, DISPERSIONS_PER_DAY)
    other = generic_start(LIST, 7.0, DISPERSIONS_PER_DAY)
    people = patients(1, 12, 5)
    paths = [tmp_path / f"{name}.safetensors" for name in "abc"]
    about = {"round": 1, "mu_squared": None}
    for path, each in zip(paths, (start, start, other), strict=True):
        write_sums(path, LIST, each, summarised(each, people, OPEN), about)
    with pytest.raises(InputError, match="hold the same sums"):
        combine(paths[:2], tmp_path / "out.safetensors")
    with pytest.raises(InputError, match=r"different effects\.wash_in"):
        combine(paths[1:], tmp_path / "out.safetensors")
