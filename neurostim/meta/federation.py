"""Learning one prior in many hospitals: files of sums travel, and no row about a patient does.

A file of sums holds the prior that the sums are deviations from, so that whoever combines files
needs nothing else, and can see that they belong to one round.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurostim.encoding import Encoding
from neurostim.history import row_setting
from neurostim.meta.anchors import anchors, sampled_effects
from neurostim.meta.contributions import Sums, believed, chunks, contributions, part
from neurostim.meta.hierarchy import N_PSEUDO, maximised, shared
from neurostim.meta.prior_file import (
    SURFACES,
    level_of,
    list_tensors,
    read_tensors,
    refuse_existing,
    surface,
    surface_tensors,
    write_prior,
    write_tensors,
)
from neurostim.meta.privacy import clipped, noised
from neurostim.surrogate.covariance import Dense
from neurostim.surrogate.filter import Observed
from neurostim.surrogate.generic import WANDER, device_prior, side_effect_prior
from neurostim.surrogate.likelihood import LIKELIHOODS
from neurostim.surrogate.prior import ListPrior
from protocols import InputError, Setting

SUMS_KIND = "sums"
FEWEST_PATIENTS = 2
LEAST_NOISE = 1e-3
"""In units of the clip: with less, no budget is worth stating."""

MOST_WASH_IN_DAYS = 3650.0
DISPERSIONS_PER_DAY = (0.03, 0.1, 0.3, 1.0, 3.0)
LIKELIHOOD_OF = dict(zip(SURFACES, ("counts", "occurrence"), strict=True))

Surfaces = dict[str, ListPrior]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """How the patients of a hospital are protected."""

    min_patients: int = 10
    clip: float | None = None
    noise_multiplier: float | None = None

    def __post_init__(self) -> None:
        if self.min_patients < FEWEST_PATIENTS:
            raise InputError(
                f"--min-patients {self.min_patients}: {FEWEST_PATIENTS} or more was expected, "
                "since a sum over one patient is that patient"
            )
        for name in ("clip", "noise_multiplier"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"--{name.replace('_', '-')} {value}: more than 0 was expected")
        if self.noise_multiplier is not None and self.noise_multiplier < LEAST_NOISE:
            raise InputError(
                f"--noise-multiplier {self.noise_multiplier:g}: {LEAST_NOISE:g} or more was "
                "expected, since less protects nobody"
            )
        if self.noise_multiplier is not None and self.clip is None:
            raise InputError("--noise-multiplier without --clip: noise protects what is bounded")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summary:
    """What leaves a hospital, and beside it what stays: the norms of its patients."""

    sums: dict[str, Sums]
    norms: Tensor  # B


def check_wash_in(wash_in_days: float) -> None:
    """Raise `InputError` unless this is a time constant in days."""
    if not 0 <= wash_in_days <= MOST_WASH_IN_DAYS:
        raise InputError(
            f"--wash-in-days {wash_in_days}: a number from 0 to {MOST_WASH_IN_DAYS:g} was expected"
        )


def generic_start(
    candidates: Sequence[Setting], wash_in_days: float, dispersions: Sequence[float]
) -> Surfaces:
    """Where learning starts when nothing was learned yet."""
    encoded = Encoding.of(tuple(candidates)).settings(tuple(candidates))
    effects = device_prior(encoded, wash_in=wash_in_days, wander=WANDER)
    return {
        "effects": shared(effects, dispersions),
        "side_effects": shared(side_effect_prior(encoded)),
    }


def summarised(
    prior: Surfaces,
    observed: Mapping[str, Observed],
    protection: Protection,
    source: np.random.Generator | None = None,
) -> Summary:
    """The sums over a hospital's patients, clipped and with noise where that is asked for.

    Args:
        prior: each surface's, whose particles share mean and covariance.
        observed: of each surface, `B n` of the same patients.
        protection: the least number of patients, the clip and the noise.
        source: of the noise; the operating system's when left out.

    """
    told = torch.stack([each.mask.any(1) for each in observed.values()]).any(0)
    n_patients = int(told.sum())  # who told nothing hides nobody
    if n_patients < protection.min_patients:
        raise InputError(
            f"{n_patients} patients: at least {protection.min_patients} were expected, since a sum "
            "over few patients tells about each of them"
        )
    total = {name: Sums.nothing(each) for name, each in prior.items()}
    norms = []
    for which in chunks(prior["effects"], observed["effects"]):
        added = {
            name: contributions(
                believed(each, LIKELIHOODS[LIKELIHOOD_OF[name]], part(observed[name], which))
            )
            for name, each in prior.items()
        }
        squares = torch.stack([each.squared_norms for each in added.values()]).sum(0)
        scale = clipped(squares, protection.clip)
        total = {name: total[name] + each.summed(scale) for name, each in added.items()}
        norms.append(squares.sqrt())
    if protection.noise_multiplier is not None and protection.clip is not None:
        source = source or np.random.default_rng()
        sd = protection.noise_multiplier * protection.clip
        total = {name: noised(each, sd, source) for name, each in total.items()}
    return Summary(sums=total, norms=torch.cat(norms))


def write_sums(
    path: Path,
    candidates: Sequence[Setting],
    prior: Surfaces,
    summary: Summary,
    about: Mapping[str, Any],
) -> None:
    """Write what leaves the hospital."""
    tensors = list_tensors(candidates)
    for name, each in prior.items():
        tensors |= surface_tensors(name, each)
        sums = summary.sums[name]
        tensors |= {f"{name}.sum.{f.name}": getattr(sums, f.name) for f in fields(sums)}
    level = level_of(prior["effects"])
    write_tensors(path, tensors, SUMS_KIND, dict(about) | level)


def combine(paths: Sequence[Path], out: Path, n_pseudo: float = N_PSEUDO) -> dict[str, Any]:
    """Write the prior that the sums of several hospitals give; returns what it is about."""
    refuse_existing(out)
    if not 0 <= n_pseudo < float("inf"):
        raise InputError(f"--pseudo-patients {n_pseudo}: a number from 0 up was expected")
    files = [read_tensors(path, SUMS_KIND) for path in paths]
    tensors, about = files[0]
    for path, (others, header) in zip(paths[1:], files[1:], strict=True):
        _check_same_round(path, others, paths[0], tensors)
        if header.get("round") != about.get("round"):
            raise InputError(f"{path} is of round {header.get('round')}, {paths[0]} of another")
    _check_different(paths, files)
    try:
        settings = [row_setting(row) for row in tensors["settings"].tolist()]
        candidates = tuple(each for each in settings if each is not None)
        before = {name: surface(tensors, name, about) for name in SURFACES}
        sent = [{name: _sums(each, name) for name in SURFACES} for each, _ in files]
        for each in sent:
            _check_sums(before, each, len(candidates))
        totals = {
            name: sum((each[name] for each in sent), Sums.nothing(before[name]))
            for name in SURFACES
        }
        spent = [header["mu_squared"] for _, header in files]
        in_each = [int(each["effects"].n_patients) for each in sent]
        number = int(about["round"])
        mu_squared = None if None in spent else max(float(each) for each in spent)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{paths[0]}: sums without a sound {error}") from None
    has_noise = any(header.get("noise_multiplier") for _, header in files)
    start = generic_start(candidates, 0.0, before["effects"].dispersion.tolist())
    after = {}
    for name in SURFACES:
        base = start[name].table[0]
        found = maximised(before[name], totals[name], base, n_pseudo)
        after[name] = _repaired(found, base) if has_noise else found
    header = {
        "how": "federated",
        "n_patients": int(totals["effects"].n_patients),
        "n_hospitals": len(files),
        "n_patients_by_hospital": in_each,
        "round": number,
        "n_pseudo": n_pseudo,
        "mu_squared": mu_squared,
        "cohorts": [header.get("cohort") for _, header in files],
    }
    first = anchors(sampled_effects(after["effects"]))
    write_prior(out, candidates, after["effects"], after["side_effects"], first, header)
    return header


def _sums(tensors: Mapping[str, Tensor], name: str) -> Sums:
    parts = {field.name: tensors[f"{name}.sum.{field.name}"] for field in fields(Sums)}
    return Sums(**parts | {"n_patients": parts["n_patients"].reshape(())})


def _check_sums(before: Surfaces, sent: Mapping[str, Sums], n_settings: int) -> None:
    """Raise `ValueError` unless the sums are over patients and have the prior's shapes."""
    for name, total in sent.items():
        nothing = Sums.nothing(before[name])
        if before[name].n_settings != n_settings:
            raise ValueError(f"{name} of {n_settings} settings")
        for field in fields(Sums):
            if getattr(total, field.name).shape != getattr(nothing, field.name).shape:
                raise ValueError(f"{name}.sum.{field.name}")
        if not total.n_patients >= FEWEST_PATIENTS:
            raise ValueError(f"{name}.sum.n_patients")


def _check_same_round(
    path: Path, tensors: Mapping[str, Tensor], first: Path, others: Mapping[str, Tensor]
) -> None:
    for name in sorted(set(tensors) | set(others)):
        if ".sum." in name:
            continue
        if (
            name not in tensors
            or name not in others
            or not torch.equal(tensors[name], others[name])
        ):
            raise InputError(
                f"{path} and {first} do not belong to one round: they start from different {name}"
            )


def _check_different(paths: Sequence[Path], files: Sequence[tuple[dict[str, Tensor], Any]]) -> None:
    seen: dict[bytes, Path] = {}
    for path, (tensors, _) in zip(paths, files, strict=True):
        told = b"".join(
            each.numpy().tobytes() for name, each in sorted(tensors.items()) if ".sum." in name
        )
        if told in seen:
            raise InputError(f"{path} and {seen[told]} hold the same sums")
        seen[told] = path


def _repaired(prior: ListPrior, base: Tensor) -> ListPrior:
    """A covariance again after noise: no negative variance, and none where there can be none."""
    can_vary = (base.diagonal() > 0).to(base)
    covariance = prior.table[0] * can_vary * can_vary[:, None]
    values, vectors = torch.linalg.eigh(covariance)
    covariance = (vectors * values.clamp_min(0.0)) @ vectors.mT
    return replace(
        prior,
        mean=prior.mean * can_vary,
        covariance=Dense(covariance.expand(prior.n_particles, -1, -1)),
    )
