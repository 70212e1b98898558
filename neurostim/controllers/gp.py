"""A Gaussian process on seizure counts with BoTorch's acquisition over the list of settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.analytic import LogExpectedImprovement, UpperConfidenceBound
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from neurostim.controllers.controller import Context
from neurostim.controllers.options import options
from neurostim.encoding import Encoding
from neurostim.history import History, setting_row
from neurostim.surrogate import Counts, EffectKernel, EffectModel, Particles, mixing
from protocols import OFF, Setting

SCORE_DECIMALS = 6
"""Scores are rounded and ties fall to the lower index, so that a choice does not flip with the
batch."""

BOTHERSOME_GRADE = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """What is the same for every patient of an arm."""

    candidates: tuple[Setting, ...]  # M
    rows: NDArray[np.int64]  # M 7
    encoding: Encoding
    kernel: EffectKernel
    device: torch.device


@options
class GaussianProcess:
    """Learns each patient's rate ratio to off, and proposes where it expects most.

    Improvement is counted from the lowest posterior mean among the settings already tried, not from
    the luckiest epoch. Settings at a site at or above an amplitude that bothered this patient (side
    effect of grade 2 or more) are left out.
    """

    summary: ClassVar[str] = (
        "A Gaussian process learns the patient's response; an acquisition function picks the next "
        "setting."
    )

    acquisition: Literal["log_expected_improvement", "lower_confidence_bound"] = (
        "log_expected_improvement"
    )
    beta: Annotated[float, Field(gt=0)] = 1.0
    wash_in_days: Annotated[float, Field(ge=0)] = 18.0
    site_correlation: Annotated[float, Field(gt=0, lt=1)] = 0.5

    def init(self, context: Context) -> Tables:
        """The encoded list and the kernel, on the device that computes."""
        device = torch.device(context.compute)
        kernel = EffectKernel(Particles.generic(), self.site_correlation)
        return Tables(
            candidates=context.candidates,
            rows=np.array([setting_row(setting) for setting in context.candidates]),
            encoding=Encoding.of(context.candidates),
            kernel=kernel.to(device),
            device=device,
        )

    def propose(
        self, state: Tables, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[Tables, Sequence[Setting | None]]:
        """The best-scored allowed setting of each patient."""
        with torch.no_grad():
            model = EffectModel(state.kernel, self._counts(state, history))
            points = state.encoding.rows(state.rows).to(state.device)[:, None, None]
            points = points.expand(-1, history.n_patients, -1, -1)  # M B 1 d
            best = _best_mean(model)
            scores = self._acquisition(model, best)(points).T  # B M
        table = np.round(scores.cpu().numpy(), SCORE_DECIMALS)
        table[~(allowed & _is_tolerated(state, history))] = -np.inf
        chosen = table.argmax(axis=1)  # the first of equals
        return state, [
            state.candidates[m] if np.isfinite(table[b, m]) else None for b, m in enumerate(chosen)
        ]

    def _acquisition(self, model: EffectModel, best: Tensor) -> AcquisitionFunction:
        if self.acquisition == "log_expected_improvement":
            return LogExpectedImprovement(model, best_f=best, maximize=False)
        return UpperConfidenceBound(model, beta=self.beta, maximize=False)

    def _counts(self, state: Tables, history: History) -> Counts:
        """The history as tensors; every distinct delivered setting is encoded once."""
        is_epoch = history.is_epoch
        delivered = np.where(is_epoch[..., None], history.delivered, setting_row(OFF))
        distinct, index = np.unique(
            delivered.reshape(-1, delivered.shape[-1]), axis=0, return_inverse=True
        )
        days = torch.from_numpy(np.where(is_epoch, history.days, 0)).double()
        tensors = Counts(
            counts=torch.from_numpy(history.n_seizures).double(),
            days=torch.from_numpy(history.days_recorded).double(),
            mask=torch.from_numpy(is_epoch & (history.days_recorded > 0)),
            index=torch.from_numpy(index.reshape(is_epoch.shape)),
            mixing=mixing(days, self.wash_in_days),
            settings=state.encoding.rows(distinct),
        )
        return Counts(**{n: getattr(tensors, n).to(state.device) for n in Counts.__slots__})


def _best_mean(model: EffectModel) -> Tensor:
    """The lowest posterior mean among the settings a patient was on, `B 1`; off, with 0, is one."""
    means = torch.where(model.data.mask, model.means_when_tried(), 0.0)
    return means.amin(dim=1, keepdim=True).clamp_max(0.0)


def _is_tolerated(state: Tables, history: History) -> NDArray[np.bool_]:
    """Whether a candidate is below what bothered the patient at its site, `B M`."""
    bothered = history.worst_grade >= BOTHERSOME_GRADE  # B T
    site, amplitude = history.delivered[..., 0], history.delivered[..., 1]
    is_harm = (
        bothered[:, :, None]
        & (amplitude[:, :, None] > 0)
        & (site[:, :, None] == state.rows[:, 0])
        & (amplitude[:, :, None] <= state.rows[:, 1])
    )
    tolerated: NDArray[np.bool_] = ~is_harm.any(axis=1)
    return tolerated
