"""The comparator from the literature: an initialisation that a few gradient steps adapt.

Model-agnostic meta-learning (Finn, Abbeel and Levine 2017, "Model-agnostic meta-learning for fast
adaptation of deep networks") of a small network from a setting to a log rate. The lengths of the
inner steps are learned with the initialisation, one for each tensor (Li and others 2017,
"Meta-SGD", which learns one for each number). It knows no uncertainty: a share of its trials is
drawn at random instead, and that share is chosen on validation patients.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vmap

from neurostim.study.reference_policy import encoded
from neurostim.study.reference_population import N_SETTINGS, N_SITES, Ints
from neurostim.study.teaching import Draw, Figures, judged, past_of
from neurostim.surrogate.filter import Observed
from patient_models.randomness import uniforms

Parameters: TypeAlias = dict[str, Tensor]
Loss: TypeAlias = Callable[[Parameters], Tensor]

FIRST_STEP = 0.02
LONGEST_SUPPORT = 20
BATCH = 32
NB_SIZE = 4.0
EXPLORES = 93
"""A purpose of addressed randomness, beside those of the reference population."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How an initialisation is learned."""

    n_hidden: int = 32
    n_inner: int = 5
    n_outer: int = 1000
    learning_rate: float = 3e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Initialisation:
    """Where adaptation starts, and how long its steps are."""

    parameters: Parameters
    log_steps: Parameters  # a number for each tensor
    n_inner: int


def adapted(start: Parameters, loss: Loss, steps: Parameters, n_inner: int) -> Parameters:
    """The parameters after so many steps down the gradient; differentiable in the start."""
    now = start
    for _ in range(n_inner):
        slope = grad(loss)(now)
        now = {name: now[name] - steps[name] * slope[name] for name in now}
    return now


def features() -> Tensor:
    """Amplitude and log frequency from -1 to 1, and the site as four columns, `M 6`."""
    table = encoded()
    site = torch.nn.functional.one_hot(table[:, -1].long(), N_SITES).double()
    return torch.cat((2 * table[:, :2] - 1, site), dim=1)


def log_rates(parameters: Parameters, inputs: Tensor) -> Tensor:
    """The network: two hidden layers and a level."""
    hidden = torch.tanh(inputs @ parameters["w1"] + parameters["b1"])
    hidden = torch.tanh(hidden @ parameters["w2"] + parameters["b2"])
    return hidden @ parameters["w3"] + parameters["level"]


def support_loss(parameters: Parameters, inputs: Tensor, counts: Tensor, mask: Tensor) -> Tensor:
    """Poisson loss per observation, `n`, in units of a typical count; 0 without any."""
    log = log_rates(parameters, inputs).clamp(-4.0, 6.0)
    loss = torch.where(mask, log.exp() - counts * log, 0.0)
    return loss.sum() / mask.sum().clamp_min(1) / 8.0


def query_loss(log: Tensor, counts: Tensor, mask: Tensor) -> Tensor:
    """Negative binomial loss of log rates per observation, but for what the counts alone add."""
    log = log.clamp(-4.0, 6.0)
    loss = (counts + NB_SIZE) * torch.log1p(log.exp() / NB_SIZE) - counts * log
    return torch.where(mask, loss, 0.0).sum() / mask.sum().clamp_min(1)


def initialised(training: Training, seed: int) -> Initialisation:
    """An initialisation that nothing was learned for yet."""
    source = np.random.default_rng(seed)
    n, n_inputs = training.n_hidden, 2 + N_SITES

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(source.normal(size=shape))

    zeros = partial(torch.zeros, dtype=torch.float64)
    parameters = {
        "w1": normal(n_inputs, n) / n_inputs**0.5,
        "b1": zeros(n),
        "w2": normal(n, n) / n**0.5,
        "b2": zeros(n),
        "w3": normal(n) / n,
        "level": zeros(()) + np.log(8.0),
    }
    start = torch.tensor(np.log(FIRST_STEP), dtype=torch.float64)
    return Initialisation(
        parameters=parameters,
        log_steps={name: start.clone() for name in parameters},
        n_inner=training.n_inner,
    )


def adapted_rates(
    found: Initialisation, inputs: Tensor, counts: Tensor, mask: Tensor, everywhere: Tensor
) -> Tensor:
    """Log rates of the list, `B M`, after adaptation to each patient's `B n` observations."""
    steps = {name: each.exp() for name, each in found.log_steps.items()}

    def one(x: Tensor, y: Tensor, seen: Tensor) -> Tensor:
        loss = partial(support_loss, inputs=x, counts=y, mask=seen)
        return log_rates(adapted(found.parameters, loss, steps, found.n_inner), everywhere)

    return vmap(one)(inputs, counts, mask)


def meta_learned(observed: Observed, training: Training, seed: int) -> Initialisation:
    """Learn an initialisation: adapt to a few epochs of a patient, be judged by the others."""
    start = initialised(training, seed)
    parameters = {name: each.requires_grad_() for name, each in start.parameters.items()}
    log_steps = {name: each.requires_grad_() for name, each in start.log_steps.items()}
    optimizer = torch.optim.Adam(
        [*parameters.values(), *log_steps.values()], lr=training.learning_rate
    )
    table = features()
    source = np.random.default_rng(seed)
    n_patients, n_epochs = observed.index.shape

    def one(x: Tensor, y: Tensor, is_support: Tensor) -> Tensor:
        loss = partial(support_loss, inputs=x, counts=y, mask=is_support)
        steps = {name: each.exp() for name, each in log_steps.items()}
        after = adapted(parameters, loss, steps, training.n_inner)
        return query_loss(log_rates(after, x), y, ~is_support)

    for _ in range(training.n_outer):
        who = torch.from_numpy(source.integers(n_patients, size=min(BATCH, n_patients)))
        n_support = torch.from_numpy(source.integers(LONGEST_SUPPORT + 1, size=len(who)))
        is_support = torch.arange(n_epochs) < n_support[:, None]
        optimizer.zero_grad()
        batch = table[observed.index[who]], observed.value[who], is_support
        loss = vmap(one)(*batch).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(parameters.values()), 10.0)
        optimizer.step()
    return Initialisation(
        parameters={name: each.detach() for name, each in parameters.items()},
        log_steps={name: each.detach() for name, each in log_steps.items()},
        n_inner=training.n_inner,
    )


@dataclass(slots=True, kw_only=True)
class Adapting:
    """The lowest log rate after adaptation, but for a share of epochs at random settings."""

    found: Initialisation
    random_share: float
    seed: int

    def propose(self, counts: Ints, indices: Ints) -> Ints:
        """What looks best, or a random setting."""
        n, epoch = counts.shape
        luck = uniforms(self.seed, np.arange(n)[:, None], epoch, EXPLORES, np.arange(2))
        drawn = (luck[:, 1] * N_SETTINGS).astype(np.int64)
        best = self.recommend(counts, indices)
        return np.where(luck[:, 0] < self.random_share, drawn, best)

    def recommend(self, counts: Ints, indices: Ints) -> Ints:
        """What looks best."""
        table = features()
        n, t = counts.shape
        places = torch.from_numpy(np.ascontiguousarray(indices)).reshape(n, t)
        values = torch.from_numpy(np.ascontiguousarray(counts)).double()
        if not t:
            places, values = places.new_zeros(n, 1), values.new_zeros(n, 1)
        mask = torch.full(places.shape, t > 0)
        with torch.no_grad():
            rates = adapted_rates(self.found, table[places], values, mask, table)
        return np.asarray(rates.argmin(1))


TRAININGS = (Training(n_inner=3), Training(n_inner=8))
RANDOM_SHARES = (0.0, 0.1, 0.3)
N_VALIDATION = 64


def gradient_meta_learning(
    people: Draw, n_earlier: int, trainings: tuple[Training, ...] = TRAININGS
) -> Figures:
    """The comparator, tuned on validation patients and judged on the test patients of a draw."""
    observed = past_of(people.earlier(n_earlier))
    validation = people.validation(N_VALIDATION)
    choices: list[tuple[float, Adapting]] = []
    for training in trainings:
        found = meta_learned(observed, training, people.number)
        for share in RANDOM_SHARES:
            policy = Adapting(found=found, random_share=share, seed=people.number)
            figures = judged(policy, validation)
            choices.append((figures["trial 40"] + figures["rec 40"], policy))
    best = max(choices, key=lambda each: each[0])[1]
    chosen = {"random share": best.random_share, "inner steps": float(best.found.n_inner)}
    return judged(best, people.tested()) | chosen
