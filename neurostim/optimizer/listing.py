"""The list that an optimiser chooses from: settings of a device, or rows of any table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from neurostim.encoding import Encoding
from neurostim.surrogate.covariance import LARGEST_LIST
from neurostim.surrogate.generic import AMPLITUDE, SITE, device_prior, side_effect_prior
from neurostim.surrogate.prior import ListPrior
from neurostim.surrogate.table_prior import (
    device_gaussian_prior,
    table_prior,
    table_side_effect_prior,
)
from protocols import OFF, InputError, ParameterSpace, Setting
from safety import Envelope, deliverable, is_deliverable, load_envelope

Row: TypeAlias = tuple[float, ...]
MOST_COLUMNS = 1000
MATCH = 1e-9
"""How far, as a share of a column's largest number, a told row may be from one of the table."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listing:
    """M different settings, the features that a prior sees, and what guards them."""

    settings: tuple[Any, ...]  # Setting, or Row
    features: Tensor  # M d
    envelope: Envelope | None

    @property
    def is_device(self) -> bool:
        """Whether these are settings of a device, of which the first is off."""
        return self.envelope is not None

    def prior(self, likelihood: str) -> ListPrior:
        """What is believed without any earlier subject."""
        if not self.is_device:
            return table_prior(self.features, likelihood)
        if likelihood == "gaussian":
            return device_gaussian_prior(self.features)
        return device_prior(self.features)

    def side_effect_prior(self) -> ListPrior:
        """The same about side effects."""
        if self.is_device:
            return side_effect_prior(self.features)
        return table_side_effect_prior(self.features)

    def index_of(self, setting: object) -> int:
        """The place of a setting on the list; raise `InputError` when it is not there."""
        if self.is_device:
            if not isinstance(setting, Setting) or setting not in self.settings:
                raise InputError(f"{setting} is not on the list of {len(self.settings)} settings")
            return self.settings.index(setting)
        try:
            row = np.asarray(setting, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError):
            row = np.array([])
        table = self.features.numpy()
        if row.shape != table.shape[1:]:
            raise InputError(f"setting {setting!r}: {table.shape[1]} numbers were expected")
        away = np.abs(table - row) <= MATCH * np.abs(table).max(axis=0)
        is_same = away.all(axis=1)
        if not is_same.any():
            raise InputError(f"setting {row.tolist()} is not a row of the table")
        return (
            int(np.abs(table - row).sum(axis=1).argmin())
            if is_same.sum() > 1
            else int(is_same.argmax())
        )

    def check_deliverable(self, index: int) -> None:
        """Raise unless the envelope permits this setting: the list was checked, and nobody errs."""
        if self.envelope is not None and not is_deliverable(self.settings[index], self.envelope):
            raise RuntimeError(
                f"{self.settings[index]} was about to be asked and is not deliverable"
            )

    def at_or_above(self, index: int) -> Tensor:
        """Settings that deliver at least what this one does: the same site, as much or more, `M`.

        None for off, since what came without stimulation says nothing about it. In a table nothing
        says what is more: the row itself.
        """
        if not self.is_device:
            return torch.arange(len(self.settings)) == index
        amplitude, site = self.features[:, AMPLITUDE], self.features[:, SITE]
        is_more = (amplitude >= amplitude[index]) & (site == site[index])
        return is_more & (amplitude[index] > 0)


def listing_of(space: object, envelope: Envelope | str | None) -> Listing:
    """The list of a space: deliverable settings of a device, off first, or rows of a table."""
    if isinstance(space, ParameterSpace) or _holds_settings(space):
        return _device(space, envelope)  # type: ignore[arg-type]
    if envelope is not None:
        raise InputError("envelope: a table of numbers is not guarded; settings were expected")
    return _table(space)


def _holds_settings(space: object) -> bool:
    return isinstance(space, Sequence) and bool(space) and isinstance(space[0], Setting)


def _device(space: Iterable[Setting], envelope: Envelope | str | None) -> Listing:
    if envelope is None:
        raise InputError("envelope: none is given, and a device is only asked within one")
    if not isinstance(envelope, Envelope):
        envelope = load_envelope(envelope)
    listed = [OFF, *(setting for setting in space if setting != OFF)]
    if not all(isinstance(setting, Setting) for setting in listed):
        raise InputError("space holds something else than settings")
    _check_different(listed)
    settings = deliverable(listed, envelope)
    if len(settings) < 2:
        raise InputError(f"envelope {envelope.name!r} permits none of these settings")
    _check_size(len(settings))
    features = Encoding.of(settings).settings(settings)
    return Listing(settings=settings, features=features, envelope=envelope)


def _table(space: object) -> Listing:
    try:
        if np.iscomplexobj(np.asarray(space)):
            raise TypeError("complex numbers are not settings")
        table = np.array(space, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"space: a table of numbers or settings was expected: {error}") from error
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or 0 in table.shape:
        raise InputError(f"space has shape {table.shape}: M settings x d numbers were expected")
    if table.shape[1] > MOST_COLUMNS:
        raise InputError(
            f"space has {table.shape[1]} columns: at most {MOST_COLUMNS} were expected"
        )
    if not np.isfinite(table).all():
        raise InputError("space holds NaN or infinity: finite numbers were expected")
    settings = tuple(tuple(row) for row in table.tolist())
    if len(settings) < 2:
        raise InputError("space holds one setting: two or more were expected")
    _check_different(settings)
    _check_size(len(settings))
    return Listing(settings=settings, features=torch.from_numpy(table), envelope=None)


def _check_different(settings: Sequence[object]) -> None:
    seen: set[object] = set()
    for setting in settings:
        if setting in seen:
            raise InputError(f"space holds {setting} twice: different settings were expected")
        seen.add(setting)


def _check_size(n_settings: int) -> None:
    if n_settings > LARGEST_LIST:
        raise InputError(
            f"space holds {n_settings} settings: at most {LARGEST_LIST} were expected; thin it out"
        )
