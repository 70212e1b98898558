"""The one converter between integer settings and the tensors that controllers compute with."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from neurostim.history import SETTING_COLUMNS, Integers, setting_row
from protocols import Mode, Setting

FEATURES = ("amplitude", "log_frequency", "log_pulse_width", "duty", "site")
"""What each column of an encoded setting is; all but the site's index run from 0 to 1."""

_COLUMN = {name: index for index, name in enumerate(SETTING_COLUMNS)}
_CONTINUOUS = tuple(Mode).index(Mode.CONTINUOUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """Scales that map the settings of one list onto the unit interval."""

    max_amplitude_ua: int
    log_frequency_range: tuple[float, float]
    log_pulse_width_range: tuple[float, float]

    @classmethod
    def of(cls, settings: tuple[Setting, ...]) -> Self:
        """Scales that span these settings."""
        on = [setting for setting in settings if not setting.is_off]
        return cls(
            max_amplitude_ua=max((s.amplitude_ua for s in on), default=1),
            log_frequency_range=_log_range([s.frequency_hz for s in on]),
            log_pulse_width_range=_log_range([s.pulse_width_us for s in on]),
        )

    def settings(self, settings: tuple[Setting, ...]) -> Tensor:
        """Settings as features, `n d` float64."""
        return self.rows(np.array([setting_row(setting) for setting in settings]))

    def rows(self, rows: Integers) -> Tensor:
        """Rows of `History.delivered`, `... 7`, as features, `... d` float64."""
        column = {name: rows[..., index] for name, index in _COLUMN.items()}
        cycle_ms = np.maximum(column["on_ms"] + column["off_ms"], 1)
        duty = np.where(column["mode"] == _CONTINUOUS, 1.0, column["on_ms"] / cycle_ms)
        features = (
            column["amplitude_ua"] / self.max_amplitude_ua,
            _unit(column["frequency_hz"], self.log_frequency_range),
            _unit(column["pulse_width_us"], self.log_pulse_width_range),
            duty,
            column["site"].astype(np.float64),
        )
        return torch.from_numpy(np.stack(features, axis=-1))


def _log_range(values: list[int]) -> tuple[float, float]:
    if not values:
        return (0.0, 1.0)
    return (float(np.log(min(values))), float(np.log(max(values))))


def _unit(values: Integers, log_range: tuple[float, float]) -> np.ndarray:
    low, high = log_range
    return (np.log(np.maximum(values, 1)) - low) / ((high - low) or 1.0)
