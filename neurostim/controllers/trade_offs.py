"""What can be had for what: seizures, side effects and energy of the settings worth a thought."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neurostim.controllers.beliefs import Tables, Told
from neurostim.surrogate import ListModel, refit
from neurostim.surrogate.readout import level_and_effect
from protocols import Setting

Floats = NDArray[np.float64]

DECIMALS = 6
"""Objectives are rounded, so that what is equal but for rounding does not beat its equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOff:
    """One setting on a patient's Pareto front: nothing is better in one respect and as good in all.

    `rate_ratio` is to off, the posterior median; `side_effect_probability` is that of a bothersome
    side effect on a day, None when side effects are not modelled; `power_uw_per_kohm` is what the
    pulses themselves cost into a load of one kiloohm.
    """

    setting: Setting
    rate_ratio: float
    side_effect_probability: float | None
    power_uw_per_kohm: float


def trade_offs(
    tables: Tables, told: Told, allowed: NDArray[np.bool_]
) -> list[tuple[TradeOff, ...]]:
    """Each patient's Pareto front over the allowed settings, from the fewest seizures up."""
    with torch.no_grad():
        benefit = ListModel(refit(told.effects), tables.encoded).list_mean.cpu().numpy()
        hazard = None
        if told.side_effects is not None:
            hazard = level_and_effect(refit(told.side_effects))[0].cpu().numpy()
    power = np.array([power_uw_per_kohm(setting) for setting in tables.candidates])
    fronts = []
    for b in range(len(benefit)):
        objectives = [-benefit[b], power]
        if hazard is not None:
            off_is_harmless = np.where(power > 0, hazard[b], -np.inf)
            objectives.append(off_is_harmless)
        table = np.round(np.stack(objectives, axis=1), DECIMALS)
        chosen = front(table, np.flatnonzero(allowed[b]))
        fronts.append(
            tuple(
                TradeOff(
                    setting=tables.candidates[m],
                    rate_ratio=float(np.exp(-benefit[b, m])),
                    side_effect_probability=None
                    if hazard is None
                    else float(-np.expm1(-np.exp(table[m, 2]))),
                    power_uw_per_kohm=float(power[m]),
                )
                for m in chosen
            )
        )
    return fronts


def front(objectives: Floats, among: NDArray[np.int64]) -> list[int]:
    """The rows of `M n` objectives that no other row beats, best in the first objective first."""
    chosen: list[int] = []
    for m in among[np.lexsort(objectives[among].T[::-1])]:
        beaten = any((objectives[kept] <= objectives[m]).all() for kept in chosen)
        if not beaten:
            chosen.append(int(m))
    return chosen


def power_uw_per_kohm(setting: Setting) -> float:
    """Mean power of the pulses into one kiloohm: I^2 R times the share of time they run, uW."""
    current_ma = setting.amplitude_ua / 1000
    share = setting.pulse_width_us * 1e-6 * setting.frequency_hz * setting.duty
    return 1000 * current_ma**2 * share
