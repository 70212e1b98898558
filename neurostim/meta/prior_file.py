"""A learned prior on disk: one file of tensors, with what they are about in its header.

The format is safetensors, which holds numbers and text and can run nothing. Of the covariance,
which the particles share, there is one. The generic particles are mixed in when a prior is loaded,
so that a file says only what was learned.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor

from neurostim.encoding import Encoding
from neurostim.history import row_setting, setting_row
from neurostim.meta.mixing import GENERIC_SHARE, mixed, mixed_for_device, pruned
from neurostim.surrogate.covariance import Dense
from neurostim.surrogate.generic import side_effect_prior
from neurostim.surrogate.prior import ListPrior
from protocols import InputError, Setting

FORMAT_VERSION = 1
LARGEST_FILE_BYTES = 1_000_000_000
PRIOR_KIND = "prior"
TIME_UNIT = "day"
SURFACES = ("effects", "side_effects")
SHARED = ("mean", "level_mean", "level_sd", "wash_in", "cycle_sd")
EACH = ("dispersion", "log_weight")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearnedPrior:
    """What was learned about one list of settings; `about` is the header of the file."""

    effects: ListPrior  # on the log rate of seizures
    side_effects: ListPrior  # on the log hazard of a bothersome side effect
    anchors: tuple[int, ...]  # places on the list of the first settings to try
    about: Mapping[str, Any]


def load_prior(
    path: str | Path, candidates: Sequence[Setting], generic_share: float = GENERIC_SHARE
) -> LearnedPrior:
    """A prior from a file, for this list of settings, with generic particles mixed in.

    Its level is learned too: start a `Belief` with it and leave `level_mean` out.

    Raises `InputError` with what differs when the file is not about this list, is of another
    version, or is no whole file of this kind.
    """
    found = read_prior(path, candidates)
    encoded = Encoding.of(tuple(candidates)).settings(tuple(candidates))
    return LearnedPrior(
        effects=mixed_for_device(pruned(found.effects), encoded, generic_share),
        side_effects=mixed(found.side_effects, side_effect_prior(encoded), generic_share),
        anchors=found.anchors,
        about=found.about,
    )


def read_prior(path: str | Path, candidates: Sequence[Setting]) -> LearnedPrior:
    """What a file says was learned about this list, and nothing mixed in."""
    tensors, about = read_tensors(path, PRIOR_KIND)
    check_list(path, tensors, candidates)
    try:
        effects, side_effects = (surface(tensors, name, about) for name in SURFACES)
        anchors = tuple(int(each) for each in tensors["anchors"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: a prior without a sound {error}") from None
    if effects.n_settings != len(candidates) or side_effects.n_settings != len(candidates):
        raise InputError(f"{path}: tables of {effects.n_settings} settings, not {len(candidates)}")
    if not all(0 <= each < len(candidates) for each in anchors):
        raise InputError(f"{path}: anchors {anchors} are not places on the list")
    return LearnedPrior(effects=effects, side_effects=side_effects, anchors=anchors, about=about)


def write_prior(
    path: Path,
    candidates: Sequence[Setting],
    effects: ListPrior,
    side_effects: ListPrior,
    anchors: Sequence[int],
    about: Mapping[str, Any],
) -> None:
    """Write a learned prior whole or not at all; `about` says how it was learned, in plain JSON."""
    tensors = {
        **list_tensors(candidates),
        **surface_tensors("effects", effects),
        **surface_tensors("side_effects", side_effects),
        "anchors": torch.tensor(list(anchors), dtype=torch.int64),
    }
    write_tensors(path, tensors, PRIOR_KIND, dict(about) | level_of(effects))


def refuse_existing(path: Path) -> None:
    """Raise `InputError` when a file is there already: nothing that was learned is overwritten.

    Also when its folder cannot be one, so that nobody learns for minutes and then cannot write.
    """
    if path.exists():
        raise InputError(f"{path} is there already: another file was expected")
    nearest = next((each for each in path.parents if each.exists()), Path())
    if not nearest.is_dir():
        raise InputError(f"{path}: {nearest} is a file, and a folder was expected")


def surface_tensors(name: str, prior: ListPrior) -> dict[str, Tensor]:
    """The tensors of one surface, whose particles share mean and covariance."""
    once = {f"{name}.{each}": getattr(prior, each)[:1] for each in SHARED}
    once[f"{name}.covariance"] = prior.table[:1]
    return once | {f"{name}.{each}": getattr(prior, each) for each in EACH}


def level_of(effects: ListPrior) -> dict[str, Any]:
    """What is known of how the level changes, in plain JSON."""
    return {
        "cycle_periods_days": list(effects.cycle_periods),
        "wander_sd": effects.wander_sd,
        "wander_keep": effects.wander_keep,
    }


def surface(tensors: Mapping[str, Tensor], name: str, about: Mapping[str, Any]) -> ListPrior:
    """The prior that `surface_tensors` and `level_of` made these of."""
    k = len(tensors[f"{name}.dispersion"])
    columns: dict[str, Any] = {each: tensors[f"{name}.{each}"] for each in (*SHARED, *EACH)}
    for each in SHARED:
        columns[each] = columns[each].expand(k, *columns[each].shape[1:])
    every = torch.ones_like(columns["dispersion"])
    covariance = Dense(tensors[f"{name}.covariance"].expand(k, -1, -1))
    still = ListPrior(
        **columns, covariance=covariance, keep=every, level_keep=every, cycle_periods=()
    )
    if name != "effects":
        return still
    return replace(
        still,
        cycle_periods=tuple(about["cycle_periods_days"]),
        wander_sd=float(about["wander_sd"]),
        wander_keep=float(about["wander_keep"]),
    )


def list_tensors(candidates: Sequence[Setting]) -> dict[str, Tensor]:
    """The list of settings as exact integers, `M 7`."""
    rows = [setting_row(setting) for setting in candidates]
    return {"settings": torch.tensor(rows, dtype=torch.int64)}


def list_digest(candidates: Sequence[Setting]) -> str:
    """SHA-256 of a list of settings in its order."""
    return hashlib.sha256(json.dumps([setting_row(s) for s in candidates]).encode()).hexdigest()


def check_list(
    path: str | Path, tensors: Mapping[str, Tensor], candidates: Sequence[Setting]
) -> None:
    """Raise `InputError`, naming the first difference, unless the file is about this list."""
    rows = tensors.get("settings")
    if rows is None or rows.shape[1:] != (len(setting_row(None)),):
        raise InputError(f"{path}: there is no list of settings in it")
    if len(rows) != len(candidates):
        raise InputError(
            f"{path} is about a list of {len(rows)} settings, and the design has {len(candidates)}"
        )
    for place, (row, setting) in enumerate(zip(rows.tolist(), candidates, strict=True)):
        if tuple(row) != setting_row(setting):
            try:
                there = str(row_setting(row))
            except (IndexError, TypeError, ValueError):
                there = str(row)
            raise InputError(
                f"{path}: setting {place} of its list is {there}, and of the design's {setting}"
            )


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], kind: str, about: Mapping[str, Any]
) -> None:
    """Write tensors and a header whole or not at all."""
    arrays = {name: np.ascontiguousarray(each.numpy()) for name, each in tensors.items()}
    header = {
        "kind": kind,
        "version": FORMAT_VERSION,
        "time_unit": TIME_UNIT,
        "digest": _digest(arrays),
        "about": dict(about),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(save(arrays, {"neurostim": json.dumps(header)}))
    os.replace(partial, path)


def read_tensors(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a file and what they are about; `InputError` when it is not of this kind."""
    try:
        with Path(path).open("rb") as raw:  # a sentence of its own for what cannot be read
            if os.fstat(raw.fileno()).st_size > LARGEST_FILE_BYTES:
                raise InputError(f"{path}: at most {LARGEST_FILE_BYTES:,} bytes were expected")
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get("neurostim", "")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (SafetensorError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({error})") from None
    try:
        header = json.loads(text)
        found, version, digest = (header[name] for name in ("kind", "version", "digest"))
        about = dict(header["about"])
        unit = header["time_unit"]
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: a safetensors file, but none of neurostim") from None
    if found != kind:
        raise InputError(f"{path}: a file of kind {found!r}; {kind!r} was expected")
    if version != FORMAT_VERSION:
        raise InputError(f"{path}: format version {version}; {FORMAT_VERSION} was expected")
    if unit != TIME_UNIT:
        raise InputError(f"{path}: its unit of time is {unit!r}; {TIME_UNIT!r} was expected")
    if digest != _digest(arrays):
        raise InputError(f"{path}: its numbers are not those it was written with")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise InputError(f"{path}: {name} holds a number that is not finite")
    return {name: torch.from_numpy(array) for name, array in arrays.items()}, about


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    state = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        state.update(f"{name} {array.dtype} {array.shape}".encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()
