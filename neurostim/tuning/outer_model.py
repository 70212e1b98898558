"""The outer model: a Gaussian process over choices and rungs, and what it says to try next."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.exceptions.errors import ModelFittingError
from botorch.fit import fit_gpytorch_mll
from botorch.models.gp_regression_mixed import MixedSingleTaskGP
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor

from neurostim.tuning.knobs import Choice, Space

N_SAMPLES = 64
SMALLEST_VARIANCE = 1e-6
"""Of the default's difference to itself, which is exactly 0, and of choices that act like it."""

MOST_FITTING_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What one evaluation says: more is better, and the variance is that of the patients."""

    choice: Choice
    rung: int
    value: float
    variance: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OuterModel:
    """Differences to the default over choices, on the highest rung unless another is asked for."""

    space: Space
    n_rungs: int
    tried: tuple[Choice, ...]
    model: Any
    is_fitted: bool
    """Whether the hyperparameters were; else they are where a fit begins."""

    def places(self, choices: Sequence[Choice], rungs: Sequence[int] | None = None) -> Tensor:
        """`N d+1`: the choices encoded, and the rung from 0 to 1."""
        if rungs is None:
            rungs = [self.n_rungs - 1] * len(choices)
        return _places(self.space, choices, rungs, self.n_rungs)

    def posterior(self, choices: Sequence[Choice]) -> tuple[Tensor, Tensor]:
        """Mean and covariance on the highest rung: `N` and `N N`."""
        with torch.no_grad(), _quiet():
            found = self.model.posterior(self.places(choices))
            return found.mean[:, 0], found.distribution.covariance_matrix

    def next_of(self, pool: Sequence[Choice], seed: int) -> Choice:
        """The choice whose noisy expected improvement on the highest rung is the largest."""
        sampler = SobolQMCNormalSampler(sample_shape=torch.Size([N_SAMPLES]), seed=seed)
        with torch.no_grad(), _quiet():
            acquisition = qLogNoisyExpectedImprovement(
                self.model,
                X_baseline=self.places(self.tried),
                sampler=sampler,
                prune_baseline=False,
            )
            scores = acquisition(self.places(pool)[:, None])  # N 1 d+1 -> N
        return pool[int(scores.argmax())]


def outer_model(space: Space, n_rungs: int, rows: Sequence[Evaluated]) -> OuterModel:
    """Fit the model to all evaluations, each with its own noise.

    The kernel is the sum and the product of one over the ordered knobs, each with its own length,
    and one over the named ones, each with its own weight (Hamming): `MixedSingleTaskGP`.
    """
    places = _places(space, [row.choice for row in rows], [row.rung for row in rows], n_rungs)
    values = torch.tensor([[row.value] for row in rows], dtype=torch.float64)
    noise = torch.tensor([[max(row.variance, SMALLEST_VARIANCE)] for row in rows]).to(values)
    with _quiet():
        model = MixedSingleTaskGP(places, values, cat_dims=space.named, train_Yvar=noise)
        likelihood = ExactMarginalLogLikelihood(model.likelihood, model)
        is_fitted = True
        try:
            fit_gpytorch_mll(
                likelihood, optimizer_kwargs={"options": {"maxiter": MOST_FITTING_STEPS}}
            )
        except ModelFittingError:
            is_fitted = False
        model.eval()
    return OuterModel(
        space=space,
        n_rungs=n_rungs,
        tried=tuple(dict.fromkeys(row.choice for row in rows)),
        model=model,
        is_fitted=is_fitted,
    )


def _places(space: Space, choices: Sequence[Choice], rungs: Sequence[int], n_rungs: int) -> Tensor:
    rung = torch.tensor(list(rungs), dtype=torch.float64)[:, None] / max(n_rungs - 1, 1)
    return torch.cat((space.encoded(choices), rung), dim=1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what BoTorch says of scaling and of steps that were taken back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
