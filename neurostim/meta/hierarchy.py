"""A hierarchical Gaussian process over a list of settings, learned by expectation maximisation.

Patients are draws from one Gaussian over the effects at the M settings, with particles over the
dispersion that share it. Each step replaces the mean and the covariance by those of the patients'
posteriors (Rasmussen and Williams 2006 name the idea in section 5.4.3; Lawrence and Platt 2004,
"Learning to learn with the informative vector machine", use it). The covariance is that of the
largest posterior under an inverse Wishart prior, which is as if `n_pseudo` more patients had been
seen whose covariance is the generic one; with as many settings as here, it is needed.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from neurostim.meta.contributions import Sums, summed
from neurostim.surrogate.covariance import Dense
from neurostim.surrogate.filter import Observed
from neurostim.surrogate.likelihood import Likelihood
from neurostim.surrogate.prior import ListPrior

N_PSEUDO = 10.0
LOWEST_LEVEL_SD = 0.05
"""Of the log rate when off: patients are never all alike."""


def shared(generic: ListPrior, dispersions: Sequence[float] | None = None) -> ListPrior:
    """One mean and one covariance for all particles, which differ in dispersion: where to start.

    Args:
        generic: its particles are averaged.
        dispersions: of the likelihood, one particle each; those of the generic prior when left out.

    Effects that are learned stand still: nothing is forgotten, cycles keep their generic size.

    """
    weight = torch.softmax(generic.log_weight, 0)
    values = (
        generic.dispersion.unique()
        if dispersions is None
        else generic.mean.new_tensor(tuple(dispersions))
    )
    every = torch.ones_like(values)

    def average(column: Tensor) -> Tensor:
        return every * (weight @ column)

    return ListPrior(
        mean=(weight @ generic.mean).expand(len(values), -1),
        covariance=Dense(
            torch.einsum("k,kmn->mn", weight, generic.table).expand(len(values), -1, -1)
        ),
        dispersion=values,
        keep=every,
        wash_in=average(generic.wash_in),
        level_mean=average(generic.level_mean),
        level_sd=average(generic.level_sd),
        level_keep=every,
        cycle_sd=average(generic.cycle_sd),
        log_weight=-every * float(len(values)),
        cycle_periods=generic.cycle_periods,
        wander_sd=generic.wander_sd,
        wander_keep=generic.wander_keep,
    )


def maximised(prior: ListPrior, sums: Sums, base: Tensor, n_pseudo: float = N_PSEUDO) -> ListPrior:
    """The maximisation step.

    Args:
        prior: what the sums are deviations from, its particles sharing mean and covariance.
        sums: over the patients.
        base: `M M`, the covariance of the pseudo-patients.
        n_pseudo: how many of them; one more is spread evenly over the particles.

    """
    n = sums.n_patients
    shift, spread = sums.shift / n, sums.spread / n
    level_shift, level_spread = (sums.level / n).unbind()
    covariance = prior.table[0] + spread - torch.outer(shift, shift)
    covariance = (n * covariance + n_pseudo * base) / (n + n_pseudo)
    level_variance = prior.level_sd[0].square() + level_spread - level_shift.square()
    k = prior.n_particles
    share = torch.softmax(prior.log_weight, 0) + sums.particles / n
    share = (n * share.clamp_min(0.0) + 1 / k) / (n + 1)
    every = torch.ones_like(prior.keep)
    return ListPrior(
        mean=(prior.mean[0] + shift).expand(k, -1),
        covariance=Dense(((covariance + covariance.mT) / 2).expand(k, -1, -1)),
        dispersion=prior.dispersion,
        keep=prior.keep,
        wash_in=prior.wash_in,
        level_mean=every * (prior.level_mean[0] + level_shift),
        level_sd=every * level_variance.clamp_min(LOWEST_LEVEL_SD**2).sqrt(),
        level_keep=prior.level_keep,
        cycle_sd=prior.cycle_sd,
        log_weight=(share / share.sum()).log(),
        cycle_periods=prior.cycle_periods,
        wander_sd=prior.wander_sd,
        wander_keep=prior.wander_keep,
    )


def learned(
    start: ListPrior,
    likelihood: Likelihood,
    observed: Observed,
    *,
    n_pseudo: float = N_PSEUDO,
) -> Iterator[ListPrior]:
    """The priors after one round, two rounds and so on, without end.

    Args:
        start: a `shared` prior; the pseudo-patients have its covariance.
        likelihood: how observations come about.
        observed: `B n`, of all patients.
        n_pseudo: how many pseudo-patients.

    """
    base, prior = start.table[0], start
    while True:
        prior = maximised(prior, summed(prior, likelihood, observed), base, n_pseudo)
        yield prior
