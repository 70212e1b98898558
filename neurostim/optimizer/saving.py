"""An optimiser on disk: how it was made and everything it was told, to be told again on loading."""

import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch

from neurostim.optimizer.listing import Listing
from neurostim.optimizer.state import Result, State, replayed, with_pending
from neurostim.surrogate.covariance import Dense
from neurostim.surrogate.prior import TENSORS, ListPrior
from protocols import InputError, Mode, Setting
from safety import Contact, Envelope, Montage
from safety.envelope import GIVEN

FORMAT = "neurostim optimizer 1"
LARGEST_BYTES = 1_000_000_000
COLUMNS = ("index", "value", "exposure", "has_setting", "harm")

UNSOUND = (
    AttributeError,
    BadZipFile,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What reading a file raises that was damaged, or written by something else."""


def save(
    path: Path,
    listing: Listing,
    options: dict[str, Any],
    prior: ListPrior | None,
    state: State,
) -> None:
    """Write one `.npz` file: a JSON text and arrays of numbers."""
    arrays: dict[str, Any] = {
        name: np.array([getattr(each, name) for each in state.told]) for name in COLUMNS
    }
    if not listing.is_device:
        arrays["table"] = listing.features.numpy()
    if prior is not None:
        for each in fields(prior):
            value = prior.table if each.name == "covariance" else getattr(prior, each.name)
            arrays[f"prior_{each.name}"] = np.asarray(value)
    document = {
        "format": FORMAT,
        "options": options,
        "settings": [asdict(each) for each in listing.settings] if listing.is_device else None,
        "envelope": _envelope(listing.envelope),
        "pending": [state.pending, *(each.pending_before for each in state.told)],
        "n_asks": [state.n_asks, *(each.n_asks_before for each in state.told)],
    }
    arrays["document"] = np.array(json.dumps(document))
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load(
    path: Path,
) -> tuple[Any, Envelope | None, dict[str, Any], ListPrior | None, Callable[[State], State]]:
    """The space, envelope, options and prior of a file, and what brings a first state up to it."""
    try:
        with ZipFile(path) as archive:  # which says how large its parts become
            n_bytes = sum(part.file_size for part in archive.infolist())
        if n_bytes > LARGEST_BYTES:
            raise ValueError(f"{n_bytes:,} bytes: at most {LARGEST_BYTES:,} were expected")
        with (
            path.open("rb") as raw,
            np.load(raw) as file,
        ):  # which refuses objects unless told otherwise
            arrays = {name: file[name] for name in file.files}
        document = json.loads(str(arrays["document"]))
        is_known = document["format"] == FORMAT
    except UNSOUND as error:
        raise InputError(f"{path}: not a saved optimizer: {error}") from error
    if not is_known:
        raise InputError(f"{path}: format {document['format']!r}: {FORMAT!r} was expected")
    envelope = None if document["envelope"] is None else _read_envelope(document["envelope"])
    space = arrays.get("table")
    if space is None:
        space = [Setting(**each | {"mode": Mode(each["mode"])}) for each in document["settings"]]
    _check_results(arrays)
    pending = [tuple(tuple(asked) for asked in each) for each in document["pending"]]
    told = [
        Result(
            **{name: arrays[name][t] for name in COLUMNS},
            pending_before=pending[t + 1],
            n_asks_before=document["n_asks"][t + 1],
        )
        for t in range(len(arrays["value"]))
    ]

    def read(first: State) -> State:
        return with_pending(replayed(first, told), pending[0], document["n_asks"][0])

    return space, envelope, document["options"], _prior(arrays), read


def _check_results(arrays: dict[str, Any]) -> None:
    """Raise `ValueError` unless every result could have been told."""
    shape = arrays["value"].shape
    for name in COLUMNS:
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, and value {shape}")
    if not shape[0]:
        return
    if arrays["has_setting"].dtype != np.bool_ or arrays["index"].dtype != np.int64:
        raise ValueError("index and has_setting are of another type")
    if not (arrays["exposure"] > 0).all() or (arrays["index"] < 0).any():
        raise ValueError("exposure and index hold numbers that were never told")


def _prior(arrays: dict[str, Any]) -> ListPrior | None:
    if "prior_mean" not in arrays:
        return None
    parts: dict[str, Any] = {
        each.name: torch.from_numpy(arrays[f"prior_{each.name}"].copy())
        for each in fields(ListPrior)
        if each.name in TENSORS
    }
    return ListPrior(
        **parts,
        covariance=Dense(torch.from_numpy(arrays["prior_covariance"].copy())),
        cycle_periods=tuple(arrays["prior_cycle_periods"].tolist()),
        wander_sd=float(arrays["prior_wander_sd"]),
        wander_keep=float(arrays["prior_wander_keep"]),
    )


def _envelope(envelope: Envelope | None) -> dict[str, Any] | None:
    if envelope is None:
        return None
    document = {name: getattr(envelope, name) for name in GIVEN}
    return document | {
        "contacts": [each._asdict() for each in envelope.contacts],
        "montages": [each._asdict() for each in envelope.montages],
        "fallback_baseline": asdict(envelope.fallback_baseline),
    }


def _read_envelope(document: dict[str, Any]) -> Envelope:
    parts: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
    }
    parts["modes"] = tuple(Mode(each) for each in document["modes"])
    parts["contacts"] = tuple(Contact(**each) for each in document["contacts"])
    parts["montages"] = tuple(
        Montage(**each | {"shares_permille": tuple(each["shares_permille"])})
        for each in document["montages"]
    )
    baseline = document["fallback_baseline"]
    parts["fallback_baseline"] = Setting(**baseline | {"mode": Mode(baseline["mode"])})
    return Envelope(**parts)
