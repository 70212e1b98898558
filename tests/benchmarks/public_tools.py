"""Public optimisers on the reference population, each as its user would write it today.

All see the logarithm of count + 0.5, start from the same five random settings, and recommend the
setting, among those tried, with the best posterior mean (as Ax does) or, without a model, with
the best observed mean. `singletask` and `mixed` maximise their acquisition function by
`optimize_acqf_mixed` and take the nearest setting of the list; their `_list` variants score the
list itself, which is cheaper. The experts fit all patients as one batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.exceptions.errors import ModelFittingError
from botorch.fit import fit_gpytorch_mll
from botorch.models.gp_regression import SingleTaskGP
from botorch.models.gp_regression_mixed import MixedSingleTaskGP
from botorch.models.model import Model
from botorch.optim.optimize import optimize_acqf_discrete, optimize_acqf_mixed
from botorch.utils.sampling import manual_seed
from gpytorch.mlls import ExactMarginalLogLikelihood
from linear_operator.utils.errors import NanError, NotPSDError
from torch import Tensor

from neurostim.study.reference_population import (
    AMPLITUDES,
    LOG_FREQUENCIES,
    N_SETTINGS,
    N_SITES,
    SETTINGS,
    Ints,
    Policy,
    draw,
)
from patient_models.randomness import Purpose, uniforms

N_INITIAL = 5
N_RESTARTS, N_RAW_SAMPLES = 10, 512
EARLIER_SEED, N_EARLIER = 1_000_003, 200
NO_FIT = (ModelFittingError, NotPSDError, NanError)

MIXED = torch.from_numpy(SETTINGS)  # M x 3
ONE_HOT = torch.cat(  # M x (2 + sites)
    [MIXED[:, :2], torch.nn.functional.one_hot(MIXED[:, 2].long(), N_SITES).double()], dim=-1
)
MIXED_SITES = [{2: float(site)} for site in range(N_SITES)]
ONE_HOT_SITES = [{2 + s: float(s == site) for s in range(N_SITES)} for site in range(N_SITES)]

Factory: TypeAlias = Callable[[int], Policy]


def best_observed_mean(counts: Ints, indices: Ints) -> Ints:
    """Per patient, the setting with the lowest mean count; the first tried, of equals."""
    same = indices[:, :, None] == indices[:, None, :]  # n x t x t
    means = (same * counts[:, None, :]).sum(-1) / same.sum(-1)
    return np.take_along_axis(indices, means.argmin(1)[:, None], 1)[:, 0]


def targets(counts: Ints) -> Tensor:
    """What is maximised, `n x t`."""
    return -torch.from_numpy(counts + 0.5).log()


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSearch:
    """Settings of the list at random."""

    seed: int

    def propose(self, counts: Ints, indices: Ints) -> Ints:
        n, epoch = counts.shape
        chosen = uniforms(self.seed, np.arange(n), epoch, Purpose.CONTROLLER) * N_SETTINGS
        return chosen.astype(np.int64)

    def recommend(self, counts: Ints, indices: Ints) -> Ints:
        return best_observed_mean(counts, indices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """The same setting for everybody."""

    index: int

    @classmethod
    def population_best(cls) -> "Fixed":
        """The setting with the lowest mean true rate of 200 earlier patients."""
        rates = np.exp(draw(EARLIER_SEED, N_EARLIER).log_rate)
        return cls(index=int(rates.mean(0).argmin()))

    def propose(self, counts: Ints, indices: Ints) -> Ints:
        return np.full(len(counts), self.index)

    def recommend(self, counts: Ints, indices: Ints) -> Ints:
        return np.full(len(counts), self.index)


def fitted(model: SingleTaskGP) -> SingleTaskGP:
    """The model, or batch of models, at its most probable hyperparameters."""
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


def singletask(x: Tensor, y: Tensor) -> SingleTaskGP:
    """BoTorch's default model of `n x d` and `n x 1`."""
    return fitted(SingleTaskGP(x, y))


def mixed(x: Tensor, y: Tensor) -> SingleTaskGP:
    """BoTorch's model of settings whose last column is a category."""
    return fitted(MixedSingleTaskGP(x, y, cat_dims=[x.shape[-1] - 1]))


def log_ei(model: Model, x: Tensor, y: Tensor) -> AcquisitionFunction:
    return LogExpectedImprovement(model, best_f=y.amax(-2))


def log_nei(model: Model, x: Tensor, y: Tensor) -> AcquisitionFunction:
    return qLogNoisyExpectedImprovement(model, X_baseline=x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One patient after the other; a patient whose fit fails gets a random setting."""

    seed: int
    table: Tensor  # M x d
    sites: list[dict[int, float]]  # the categories, as fixed features
    fit: Callable[[Tensor, Tensor], SingleTaskGP]
    acquisition: Callable[[Model, Tensor, Tensor], AcquisitionFunction]
    is_over_list: bool

    def propose(self, counts: Ints, indices: Ints) -> Ints:
        chosen = RandomSearch(seed=self.seed).propose(counts, indices)
        if counts.shape[1] < N_INITIAL:
            return chosen
        for patient, (index, y) in enumerate(zip(indices, targets(counts), strict=True)):
            try:
                with manual_seed(self.seed):
                    chosen[patient] = self.decide(self.table[index], y[:, None])
            except NO_FIT:
                continue
        return chosen

    def decide(self, x: Tensor, y: Tensor) -> int:
        """The index to try next after `t x d` and `t x 1`."""
        score = self.acquisition(self.fit(x, y), x, y)
        if self.is_over_list:
            point, _ = optimize_acqf_discrete(score, q=1, choices=self.table)
        else:
            point, _ = optimize_acqf_mixed(
                score,
                bounds=torch.stack([self.table.amin(0), self.table.amax(0)]),
                q=1,
                num_restarts=N_RESTARTS,
                raw_samples=N_RAW_SAMPLES,
                fixed_features_list=self.sites,
            )
        return int((self.table - point).square().sum(-1).argmin())

    def recommend(self, counts: Ints, indices: Ints) -> Ints:
        recommended = best_observed_mean(counts, indices)
        for patient, (index, y) in enumerate(zip(indices, targets(counts), strict=True)):
            x = self.table[index]
            try:
                model = self.fit(x, y[:, None])
                with torch.no_grad():
                    recommended[patient] = index[int(model.posterior(x).mean.argmax())]
            except NO_FIT:
                continue
        return recommended


@dataclass(frozen=True, slots=True, kw_only=True)
class Expert:
    """One batched fit for a chunk of patients, and LogEI over the list for all of them at once.

    One patient whose fit fails would fail the chunk, which is then halved.
    """

    seed: int
    table: Tensor  # M x d
    fit: Callable[[Tensor, Tensor], SingleTaskGP]
    n_chunk: int = 256

    def propose(self, counts: Ints, indices: Ints) -> Ints:
        chosen = RandomSearch(seed=self.seed).propose(counts, indices)
        if counts.shape[1] < N_INITIAL:
            return chosen
        return self.in_chunks(self.decide, counts, indices, chosen)

    def recommend(self, counts: Ints, indices: Ints) -> Ints:
        tried_best = best_observed_mean(counts, indices)
        return self.in_chunks(self.best_tried, counts, indices, tried_best)

    def in_chunks(
        self,
        work: Callable[[Ints, Tensor], Ints],
        counts: Ints,
        indices: Ints,
        otherwise: Ints,
    ) -> Ints:
        """What the work says for each chunk, and for patients that cannot be fitted, otherwise."""
        result = otherwise.copy()
        y = targets(counts)[..., None]
        chunks = np.array_split(np.arange(len(counts)), -(-len(counts) // self.n_chunk))
        while chunks:
            rows = chunks.pop()
            try:
                result[rows] = work(indices[rows], y[torch.from_numpy(rows)])
            except NO_FIT:
                if len(rows) > 1:
                    chunks.extend(np.array_split(rows, 2))
        return result

    def decide(self, index: Ints, y: Tensor) -> Ints:
        """Indices to try next after `B x t` and `B x t x 1`."""
        # The list goes first and the patients second, `M x B x 1 x d`, so that the model's batch
        # of B broadcasts; best_f is B x 1, as BoTorch's means there are M x B x 1.
        x = self.table[index]
        score = log_ei(self.fit(x, y), x, y)
        listed = self.table[:, None, None, :].expand(-1, len(index), -1, -1)
        with torch.no_grad():
            return np.asarray(score(listed).argmax(0))

    def best_tried(self, index: Ints, y: Tensor) -> Ints:
        """Of the indices tried, `B x t`, those with the best posterior mean."""
        x = self.table[index]
        model = self.fit(x, y)
        with torch.no_grad():
            best = np.asarray(model.posterior(x).mean.argmax(-2))  # B x 1
        return np.take_along_axis(index, best, 1)[:, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptunaTPE:
    """Optuna's tree-structured Parzen estimator, one study per patient, with its own start."""

    seed: int
    studies: list[Any] = field(default_factory=list)
    pending: list[Any] = field(default_factory=list)

    def propose(self, counts: Ints, indices: Ints) -> Ints:
        optuna = optuna_or_sentence()
        if not self.studies:
            self.studies.extend(
                optuna.create_study(sampler=optuna.samplers.TPESampler(seed=self.seed + patient))
                for patient in range(len(counts))
            )
        for study, trial, count in zip(self.studies, self.pending, counts[:, -1:], strict=False):
            study.tell(trial, float(np.log(count[0] + 0.5)))
        self.pending[:] = [study.ask() for study in self.studies]
        return np.array([self.index(trial) for trial in self.pending])

    def index(self, trial: Any) -> int:
        """The index of what a trial suggests."""
        site = trial.suggest_categorical("site", range(N_SITES))
        amplitude = trial.suggest_int("amplitude", 0, len(AMPLITUDES) - 1)
        frequency = trial.suggest_int("frequency", 0, len(LOG_FREQUENCIES) - 1)
        return int((site * len(AMPLITUDES) + amplitude) * len(LOG_FREQUENCIES) + frequency)

    def recommend(self, counts: Ints, indices: Ints) -> Ints:
        return best_observed_mean(counts, indices)


def optuna_or_sentence() -> Any:
    """The module, silenced, or one sentence on how to get it."""
    try:
        import optuna
    except ModuleNotFoundError:
        raise SystemExit("The policy optuna needs Optuna: pip install optuna.") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def singletask_loop(is_over_list: bool) -> Factory:
    """SingleTaskGP on one-hot sites, with LogEI."""
    return lambda seed: Loop(
        seed=seed,
        table=ONE_HOT,
        sites=ONE_HOT_SITES,
        fit=singletask,
        acquisition=log_ei,
        is_over_list=is_over_list,
    )


def mixed_loop(is_over_list: bool) -> Factory:
    """MixedSingleTaskGP with qLogNEI."""
    return lambda seed: Loop(
        seed=seed,
        table=MIXED,
        sites=MIXED_SITES,
        fit=mixed,
        acquisition=log_nei,
        is_over_list=is_over_list,
    )


POLICIES: dict[str, Factory] = {
    "random": lambda seed: RandomSearch(seed=seed),
    "fixed": lambda seed: Fixed.population_best(),
    "singletask": singletask_loop(is_over_list=False),
    "singletask_list": singletask_loop(is_over_list=True),
    "mixed": mixed_loop(is_over_list=False),
    "mixed_list": mixed_loop(is_over_list=True),
    "expert": lambda seed: Expert(seed=seed, table=ONE_HOT, fit=singletask),
    "expert_mixed": lambda seed: Expert(seed=seed, table=MIXED, fit=mixed),
    "optuna": lambda seed: OptunaTPE(seed=seed),
}
SLOW = {"singletask", "singletask_list", "mixed", "mixed_list"}
