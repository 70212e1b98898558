"""An optimiser on disk: how it was made and everything it was told, to be told again on loading."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from neurostim.optimizer.listing import Listing
from neurostim.optimizer.state import Pending, Result, State, after
from neurostim.surrogate.prior import ListPrior
from protocols import InputError, Mode, Setting
from safety import Contact, Envelope, Montage

FORMAT = "neurostim optimizer 1"
COLUMNS = ("index", "value", "exposure", "has_setting", "harm")


def with_pending(state: State, pending: Pending, n_asks: int) -> State:
    """The state with other settings pending."""
    return replace(state, pending=pending, n_asks=n_asks)


def with_asked(state: State, asked: Sequence[int | None]) -> State:
    """The state with one more setting of each subject pending."""
    pending = tuple(
        before if m is None else (*before, m)
        for before, m in zip(state.pending, asked, strict=True)
    )
    return with_pending(state, pending, state.n_asks + 1)


def replayed(state: State, told: Sequence[Result]) -> State:
    """The state after the same results in the same order."""
    for result in told:
        state = after(with_pending(state, result.pending_before, result.n_asks_before), result)
    return state


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
            value = getattr(prior, each.name)
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
        with np.load(path) as file:  # which refuses objects unless told otherwise
            arrays = {name: file[name] for name in file.files}
        document = json.loads(str(arrays["document"]))
        is_known = document["format"] == FORMAT
    except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
        raise InputError(f"{path}: not a saved optimizer: {error}") from error
    if not is_known:
        raise InputError(f"{path}: format {document['format']!r}: {FORMAT!r} was expected")
    envelope = None if document["envelope"] is None else _read_envelope(document["envelope"])
    space = arrays.get("table")
    if space is None:
        space = [Setting(**each | {"mode": Mode(each["mode"])}) for each in document["settings"]]
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


def _prior(arrays: dict[str, Any]) -> ListPrior | None:
    if "prior_mean" not in arrays:
        return None
    parts: dict[str, Any] = {
        each.name: torch.from_numpy(arrays[f"prior_{each.name}"].copy())
        for each in fields(ListPrior)
        if each.name != "cycle_periods"
    }
    return ListPrior(**parts, cycle_periods=tuple(arrays["prior_cycle_periods"].tolist()))


def _envelope(envelope: Envelope | None) -> dict[str, Any] | None:
    if envelope is None:
        return None
    kept = {each.name for each in fields(envelope) if each.init}
    return {name: value for name, value in asdict(envelope).items() if name in kept}


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
    return Envelope(**parts)
