"""Who is hard to programme: the landscapes of families, and what they predict."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from neurostim.controllers.gp import GaussianProcess
from neurostim.landscape import landscape_of
from neurostim.learning.learn import training_plan
from neurostim.results import Result, load
from neurostim.study.estimates import Interval, rank_correlation
from neurostim.study.reference_policy import Bound
from neurostim.study.reference_population import (
    SETTINGS,
    Patients,
    run,
)
from neurostim.study.teaching import generic_prior
from neurostim.trial import run as run_trial
from neurostim.waiting_times import NEAR_BEST
from protocols import OFF, Setting

LOWEST_UA, SPAN_UA = 1_000, 11_000
LOWEST_HZ, SPAN_OCTAVES = 10_000, 4.0
"""The reference list has no units; these give its settings names whose spans are its own."""

PREDICTORS = ("good_share", "condition_number", "curvature_amplitude", "curvature_frequency")

Row = dict[str, float | str | bool | None]


def reference_settings() -> tuple[Setting, ...]:
    """The settings of the reference list as those of a device, whose spans scale them alike."""
    return tuple(
        Setting(
            site=int(site),
            amplitude_ua=LOWEST_UA + round(SPAN_UA * amplitude),
            frequency_hz=round(LOWEST_HZ * 2 ** (SPAN_OCTAVES * frequency)),
            pulse_width_us=100,
        )
        for amplitude, frequency, site in SETTINGS
    )


def reference_rows(patients: Patients) -> list[Row]:
    """Each patient's landscape, and how it went under the generic prior: a row per patient."""
    result = run(Bound(prior=generic_prior(), knows_level=False), patients)
    settings = reference_settings()
    best = patients.rate(patients.best)
    gap = patients.base_rate - best
    is_good = patients.rate(result.indices) <= NEAR_BEST * best[:, None]
    closed = patients.base_rate - patients.rate(result.recommended[40])
    rows = []
    for b in range(len(patients)):
        rates = dict(zip(settings, np.exp(patients.log_rate[b]).tolist(), strict=True))
        found = landscape_of({OFF: float(patients.base_rate[b])} | rates)
        rows.append(
            _row(
                asdict(found) | {"condition_number": found.condition_number},
                float(is_good[b].argmax()) if is_good[b].any() else float("inf"),
                float(closed[b] / gap[b]) if gap[b] > 0 else float("nan"),
            )
        )
    return rows


def clinical_rows(design: str, family: str, n_patients: int, n_epochs: int, seed: int) -> list[Row]:
    """The same of a family of patients through the loop and the gate, treated by `gp`."""
    plan = training_plan(
        design,
        n_patients=n_patients,
        n_epochs=n_epochs,
        seed=seed,
        changes={"population.model": family},
    )
    with TemporaryDirectory(prefix="neurostim-") as scratch:
        folder = Path(scratch) / "run"
        run_trial(replace(plan, controllers=(GaussianProcess(),)), folder)
        return result_rows(load(folder))


def result_rows(result: Result) -> list[Row]:
    """The same of the patients of a finished run of one arm."""
    truth = result.patients().set_index("patient")
    lived = result.outcomes().set_index("patient")
    rows = []
    for patient in truth.index:
        there, went = truth.loc[patient], lived.loc[patient]
        steepest, flattest = float(there["true_steepest"]), float(there["true_flattest"])
        found = {
            "good_share": float(there["true_good_share"]),
            "condition_number": _condition(steepest, flattest, str(there["true_kind"])),
            "curvature_amplitude": float(there["true_curvature_amplitude"]),
            "curvature_frequency": float(there["true_curvature_frequency"]),
            "kind": str(there["true_kind"]),
            "is_at_edge": bool(there["true_is_at_edge"]),
        }
        waited = float("nan")  # where off is as good, nobody waits
        if pd.notna(went["is_near_best_reached"]):
            is_reached = bool(went["is_near_best_reached"])
            waited = float(went["near_best_days"]) if is_reached else float("inf")
        gap = float(went["gap"])
        share = float(went["gap_closed_final"]) / gap if gap > 0 else float("nan")
        rows.append(_row(found, waited, share))
    return rows


def kinds(rows: Sequence[Row]) -> dict[str, int]:
    """How many patients have each kind of landscape."""
    found: dict[str, int] = {}
    for row in rows:
        found[str(row["kind"])] = found.get(str(row["kind"]), 0) + 1
    return found


def predictions(rows: Sequence[Row], seed: int) -> dict[str, dict[str, Interval]]:
    """Rank correlations of each predictor with the wait for a good setting and the gap closed.

    Only patients with an effect to find count. Who never tried a good setting waited longest.
    """
    hopeful = [row for row in rows if row["kind"] != "none" and _number(row["share"]) is not None]
    columns = {
        name: [_or_nan(row[name]) for row in hopeful] for name in (*PREDICTORS, "wait", "share")
    }
    return {
        name: {
            "wait": rank_correlation(columns[name], columns["wait"], seed),
            "share": rank_correlation(columns[name], columns["share"], seed),
        }
        for name in PREDICTORS
    }


def spread(rows: Sequence[Row]) -> tuple[float, float, float]:
    """The quartiles of the condition number, over those who have a finite one."""
    values = [_or_nan(row["condition_number"]) for row in rows]
    finite = [each for each in values if np.isfinite(each)]
    if not finite:
        return (float("nan"),) * 3
    low, middle, high = np.percentile(finite, [25, 50, 75])
    return float(low), float(middle), float(high)


def _condition(steepest: float, flattest: float, kind: str) -> float:
    if flattest > 0:
        return steepest / flattest
    return float("inf") if kind in ("ridge", "saddle") else float("nan")


def _row(found: dict[str, object], wait: float, share: float) -> Row:
    row: Row = {name: float(str(found[name])) for name in PREDICTORS}
    row |= {"kind": str(found["kind"]), "is_at_edge": bool(found["is_at_edge"])}
    return row | {"wait": wait, "share": share}


def _number(value: object) -> float | None:
    number = float(str(value))
    return number if number == number else None


def _or_nan(value: object) -> float:
    return float(str(value))
