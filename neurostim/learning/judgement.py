"""How good a prior is for patients it was not learned on: by what is gained, not by likelihood."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from neurostim.controllers import Controller
from neurostim.learning.cohort import Cohort
from neurostim.learning.fit import posterior_means
from neurostim.outcomes import as_floats
from neurostim.plan import Plan
from neurostim.results import load
from neurostim.surrogate.filter import Observed
from neurostim.surrogate.prior import ListPrior
from neurostim.trial import run

IN_TRIAL = "share of the gap closed in a simulated trial"
PREDICTED = "how many fewer seizures came where fewer were predicted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A ratio over patients and its standard error; NaN where there is nothing to gain."""

    value: float
    standard_error: float
    n_patients: int

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return "no gap"
        return f"{self.value:.2f} ± {self.standard_error:.2f}"


def in_trial(plan: Plan, patients: tuple[int, ...], controller: Controller) -> Judged:
    """The share of the gap that a controller closes while it treats these virtual patients."""
    outcomes = lived(plan, patients, controller)
    return ratio(as_floats(outcomes["gap_closed"]), as_floats(outcomes["gap"]))


def lived(plan: Plan, patients: tuple[int, ...], controller: Controller) -> pd.DataFrame:
    """Outcomes of these patients, who live through the loop and the gate like those of any arm."""
    some = plan.design.population.model_copy(update={"n_patients": len(patients)})
    design = plan.design.model_copy(update={"population": some})
    trial = replace(plan, design=design, patients=patients, controllers=(controller,))
    with TemporaryDirectory(prefix="neurostim-") as scratch:
        run(trial, Path(scratch) / "run")
        return load(Path(scratch) / "run").outcomes()


def predicted(prior: ListPrior, cohort: Cohort) -> Judged:
    """Of the later epochs, how far the rate was lower in those that were predicted to be better.

    A patient's first half teaches, and the second is split in two at the median of what is
    predicted for its settings. No truth is needed; whoever gains from the better half is a patient
    who would have gained from the prior.
    """
    observed, later = cohort.effects, cohort.is_treatment & cohort.effects.mask
    number = later.cumsum(1)
    later = later & (2 * number > number[:, -1:])
    earlier = Observed(
        **{name: getattr(observed, name) for name in Observed.__slots__ if name != "mask"},
        mask=observed.mask & ~later,
    )
    expected = posterior_means(prior, earlier).gather(1, observed.index)
    middle = torch.where(later, expected, torch.nan).nanmedian(1, keepdim=True).values
    is_better, is_worse = later & (expected < middle), later & (expected > middle)

    def total(values: torch.Tensor, which: torch.Tensor) -> np.ndarray:
        return torch.where(which, values, 0.0).sum(1).numpy()

    worse = total(observed.value, is_worse) / np.maximum(total(observed.exposure, is_worse), 1e-9)
    hoped = worse * total(observed.exposure, is_better)
    return ratio(hoped - total(observed.value, is_better), hoped)


def ratio(gained: np.ndarray, possible: np.ndarray) -> Judged:
    """A ratio of sums over patients (Cochran 1977, "Sampling Techniques", section 2.11)."""
    n, total = len(possible), float(possible.sum())
    if not total > 0:
        return Judged(value=float("nan"), standard_error=float("nan"), n_patients=n)
    value = float(gained.sum()) / total
    left_over = gained - value * possible
    error = float(np.sqrt((left_over**2).sum() / (n * max(n - 1, 1)))) / (total / n)
    return Judged(value=value, standard_error=error, n_patients=n)
