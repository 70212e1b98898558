"""How hard a patient is to programme: what the true response looks like around its best setting.

Amplitude and the logarithm of frequency are scaled to the span that the list of settings has, so
that curvatures of different lists compare: a curvature of 8 doubles a log rate's distance of 1 over
half the span. Everything else (site, pulse width, cycle) stays as in the best setting. A quadratic
is fitted to the log rate of the best setting and its neighbours on the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurostim.waiting_times import NEAR_BEST
from protocols import Setting

Floats = NDArray[np.float64]

RIDGE_SHARE = 0.1
"""A direction in which it curves at most this much of the other one's curvature is a ridge."""

KINDS = ("none", "line", "bowl", "ridge", "saddle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Landscape:
    """The response of one patient around the best setting of a list.

    `good_share` is the share of the settings, off left out, whose rate is within 10 % of the best
    one's: the chance that one random try is good. It is 0 where off is as good.
    `curvature_amplitude` and `curvature_frequency` are second derivatives of the log rate, NaN
    where the list has fewer than three ticks; `steepest` and `flattest` are the eigenvalues of the
    whole. `kind` is none without an effect, line where only one of the two can vary, and else bowl,
    ridge or saddle. `is_at_edge` says that the best lies at an end of the list.
    """

    good_share: float
    curvature_amplitude: float
    curvature_frequency: float
    steepest: float
    flattest: float
    kind: str
    is_at_edge: bool

    @property
    def condition_number(self) -> float:
        """How much more it curves one way than the other; infinite where the flattest is level."""
        if not self.flattest > 0:
            return float("inf") if self.kind in ("ridge", "saddle") else float("nan")
        return self.steepest / self.flattest


NOTHING = Landscape(
    good_share=0.0,
    curvature_amplitude=float("nan"),
    curvature_frequency=float("nan"),
    steepest=float("nan"),
    flattest=float("nan"),
    kind="none",
    is_at_edge=False,
)


def landscape_of(rates_per_day: Mapping[Setting, float]) -> Landscape:
    """The landscape of a patient, given the true rate at each setting of a list, off included."""
    stimulating = [setting for setting in rates_per_day if not setting.is_off]
    off = [rate for setting, rate in rates_per_day.items() if setting.is_off]
    logs = np.log([rates_per_day[setting] for setting in stimulating])
    if not off or not stimulating or logs.min() >= np.log(off[0]):
        return NOTHING
    best = stimulating[int(logs.argmin())]
    highest = logs.min() + np.log(NEAR_BEST)
    good_share = float((logs <= highest).mean()) if np.log(off[0]) > highest else 0.0
    surface = {
        (setting.amplitude_ua, setting.frequency_hz): log
        for setting, log in zip(stimulating, logs.tolist(), strict=True)
        if _beside(setting) == _beside(best)
    }
    amplitudes = sorted({amplitude for amplitude, _ in surface})
    frequencies = sorted({frequency for _, frequency in surface})
    rows = _neighbours(amplitudes, best.amplitude_ua)
    columns = _neighbours(frequencies, best.frequency_hz)
    x, y, log = _points(surface, rows, columns, amplitudes, frequencies)
    at_edge = [
        best.amplitude_ua in (amplitudes[0], amplitudes[-1]) and len(rows) > 1,
        best.frequency_hz in (frequencies[0], frequencies[-1]) and len(columns) > 1,
    ]
    hessian = _hessian(x, y, log, len(rows) == 3, len(columns) == 3)
    is_known = np.isfinite(np.diag(hessian))
    values: Floats = np.asarray(np.linalg.eigvalsh(hessian[is_known][:, is_known]), dtype=float)
    steepest = float(values[-1]) if len(values) else float("nan")
    flattest = float(values[0]) if len(values) else float("nan")
    return Landscape(
        good_share=good_share,
        curvature_amplitude=float(hessian[0, 0]),
        curvature_frequency=float(hessian[1, 1]),
        steepest=steepest,
        flattest=flattest,
        kind=_kind(values),
        is_at_edge=any(at_edge),
    )


def _beside(setting: Setting) -> tuple[object, ...]:
    return setting.site, setting.pulse_width_us, setting.on_ms, setting.off_ms, setting.mode


def _neighbours(ticks: list[int], best: int) -> list[int]:
    """The best tick with one on either side, or the three at its end of the list."""
    if len(ticks) < 3:
        return [best]
    first = min(max(ticks.index(best) - 1, 0), len(ticks) - 3)
    return ticks[first : first + 3]


def _points(
    surface: Mapping[tuple[int, int], float],
    rows: list[int],
    columns: list[int],
    amplitudes: list[int],
    frequencies: list[int],
) -> tuple[Floats, Floats, Floats]:
    """Scaled amplitude, scaled log frequency and log rate of those neighbours that are listed."""
    found = [(a, f) for a in rows for f in columns if (a, f) in surface]
    span_a = max(amplitudes[-1] - amplitudes[0], 1)
    span_f = max(np.log(frequencies[-1] / frequencies[0]), 1e-9)
    x = np.array([(a - amplitudes[0]) / span_a for a, _ in found])
    y = np.array([np.log(f / frequencies[0]) / span_f for _, f in found])
    return x, y, np.array([surface[each] for each in found])


def _hessian(x: Floats, y: Floats, log: Floats, has_x: bool, has_y: bool) -> Floats:
    """Second derivatives of a least-squares quadratic, NaN where there are too few points."""
    x, y = x - x.mean(), y - y.mean()
    columns = [np.ones_like(x)]
    columns += [x, x**2 / 2] if has_x else []
    columns += [y, y**2 / 2] if has_y else []
    columns += [x * y] if has_x and has_y else []
    hessian = np.full((2, 2), np.nan)
    if len(x) < len(columns):
        return hessian
    solved = np.linalg.lstsq(np.stack(columns, axis=1), log, rcond=None)[0]
    if has_x:
        hessian[0, 0] = solved[2]
    if has_y:
        hessian[1, 1] = solved[4 if has_x else 2]
    if has_x and has_y:
        hessian[0, 1] = hessian[1, 0] = solved[5]
    return hessian


def _kind(values: Floats) -> str:
    if len(values) < 2:
        return "line"
    flattest, steepest = values
    if flattest < -RIDGE_SHARE * abs(steepest):
        return "saddle"
    return "ridge" if flattest <= RIDGE_SHARE * steepest else "bowl"
