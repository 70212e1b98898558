"""The learned prior: the same as a slow reference, never worse by a step, and near the truth."""

from itertools import islice

import numpy as np
import pytest
import torch
from meta.cohorts import (
    LEVEL_MEAN,
    LEVEL_SD,
    NOISE_SDS,
    TRUE_COVARIANCE,
    TRUE_MEAN,
    cohort,
    generic,
    hospitals,
)
from meta.slow_reference import Beliefs, Patient, objective, step

from neurostim.meta.anchors import anchors, sampled_effects
from neurostim.meta.contributions import Sums, believed, contributions, summed
from neurostim.meta.hierarchy import learned, maximised, shared
from neurostim.meta.mixing import mixed, pruned
from neurostim.surrogate.filter import Observed
from neurostim.surrogate.likelihood import LIKELIHOODS, Gaussian, NegativeBinomial, Occurrence
from neurostim.surrogate.prior import ListPrior


def rows_of(observed: Observed) -> list[Patient]:
    columns = (observed.index, observed.value, observed.exposure)
    return [
        tuple(each[b][observed.mask[b]].numpy() for each in columns)  # type: ignore[misc]
        for b in range(len(observed.index))
    ]


def beliefs_of(prior: ListPrior) -> Beliefs:
    return Beliefs(
        mean=prior.mean[0].numpy(),
        covariance=prior.table[0].numpy(),
        level_mean=float(prior.level_mean[0]),
        level_sd=float(prior.level_sd[0]),
        noise_sds=prior.dispersion.numpy(),
        weight=torch.softmax(prior.log_weight, 0).numpy(),
    )


def test_each_round_is_that_of_the_slow_reference_and_never_lowers_the_objective() -> None:
    observed, start, n_pseudo = cohort(3, 30, 12), shared(generic()), 5.0
    patients, base = rows_of(observed), start.table[0].numpy()
    assert min(len(place) for place, _, _ in patients) < 3  # ragged
    expected = beliefs_of(start)
    before = objective(expected, patients, base, n_pseudo)
    rounds = learned(start, Gaussian(), observed, n_pseudo=n_pseudo)
    for prior in islice(rounds, 6):
        expected = step(expected, patients, base, n_pseudo)
        found = beliefs_of(prior)
        for name in Beliefs.__slots__:
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-10)
        after = objective(found, patients, base, n_pseudo)
        assert after > before
        before = after


def test_the_mean_and_the_covariance_come_back() -> None:
    """Tolerances: four standard errors of a mean of 200, three of the norm of the covariance.

    A patient's own effects are known to about 0.45 after some 10 values, so that the variance of an
    estimated mean at one setting is about (0.25 + 0.2) / 200.
    """
    observed = cohort(5, 200, 20)
    prior = next(islice(learned(shared(generic()), Gaussian(), observed, n_pseudo=1.0), 14, None))
    # The level is told from the effects only by the zero mean that the search starts from.
    offset = float(prior.level_mean[0]) - LEVEL_MEAN
    error = (0.45 / 200) ** 0.5
    centred = prior.mean[0].numpy() + offset - TRUE_MEAN
    assert np.abs(centred).max() < 4 * (error + LEVEL_SD / 200**0.5)
    total = prior.table[0].numpy() + float(prior.level_sd[0]) ** 2
    truth = TRUE_COVARIANCE + LEVEL_SD**2
    relative = np.linalg.norm(total - truth) / np.linalg.norm(truth)
    assert relative < 3 * (2 / 200) ** 0.5
    weight = torch.softmax(prior.log_weight, 0)
    assert float(weight[0]) == pytest.approx(0.5, abs=4 * 0.5 / 200**0.5 + 0.05)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_sums_of_hospitals_are_the_sums_of_all(name: str) -> None:
    observed = cohort(7, 40, 10, has_counts=name != "gaussian")
    prior = shared(generic())
    likelihood = LIKELIHOODS[name]
    whole = summed(prior, likelihood, observed)
    parts = [summed(prior, likelihood, each) for each in hospitals(observed, (3, 20, 17))]
    joined = sum(parts, Sums.nothing(prior))
    for field in Sums.__slots__:
        torch.testing.assert_close(
            getattr(joined, field), getattr(whole, field), atol=1e-10, rtol=1e-10
        )


def test_a_patient_who_told_nothing_adds_nothing() -> None:
    observed = cohort(7, 3, 4)
    silent = Observed(
        **{n: getattr(observed, n) for n in Observed.__slots__}
        | {"mask": torch.zeros_like(observed.mask)}
    )
    added = contributions(believed(shared(generic()), Gaussian(), silent))
    assert float(added.squared_norms.max()) < 1e-20


def test_the_norm_is_that_of_the_whole_table() -> None:
    added = contributions(believed(shared(generic()), NegativeBinomial(), cohort(9, 4, 6, True)))
    for b in range(4):
        spread = added.factors[b].T @ (added.factors[b] * added.signs[b][:, None])
        flat = (added.shift[b], added.level[b], added.particles[b])
        expected = spread.square().sum() + sum(each.square().sum() for each in flat)
        assert float(added.squared_norms[b]) == pytest.approx(float(expected), rel=1e-10)


def test_side_effects_are_learned_from_whether_they_came() -> None:
    """The learned hazard of 300 patients is near the share of epochs in which something came."""
    draw = np.random.default_rng(1)
    observed = cohort(11, 300, 12)
    true = -3.0 + 2.0 * (observed.index.numpy() / 11)
    came = draw.uniform(size=true.shape) < -np.expm1(-np.exp(true) * observed.exposure.numpy())
    told = Observed(
        **{n: getattr(observed, n) for n in Observed.__slots__}
        | {"value": torch.from_numpy(came.astype(np.float64))}
    )
    start = shared(generic((1.0,)))
    prior = next(islice(learned(start, Occurrence(), told), 9, None))
    level_and_effect = (prior.mean[0] + prior.level_mean[0]).numpy()
    # Some 150 epochs at the last setting, a third of them with: a standard error of about 0.15.
    assert abs(level_and_effect[-1] - -1.0) < 0.6
    assert level_and_effect[-1] - level_and_effect[0] > 1.0


def test_a_learned_prior_stays_a_prior_when_contributions_are_clipped() -> None:
    prior = shared(generic())
    added = contributions(believed(prior, Gaussian(), cohort(13, 12, 8)))
    scale = (0.5 / added.squared_norms.sqrt()).clamp_max(1.0)
    after = maximised(prior, added.summed(scale), prior.table[0])
    assert float(torch.linalg.eigvalsh(after.table[0]).min()) > 0


def test_generic_particles_take_their_share_and_the_learned_level() -> None:
    prior = next(learned(shared(generic()), Gaussian(), cohort(3, 30, 12)))
    both = mixed(prior, generic(), 0.1)
    weight = torch.softmax(both.log_weight, 0)
    assert float(weight[prior.n_particles :].sum()) == pytest.approx(0.1, abs=1e-6)
    assert bool((both.level_mean == prior.level_mean[0]).all())
    assert mixed(prior, generic(), 0.0) is prior


def test_rare_particles_are_dropped() -> None:
    prior = shared(generic(NOISE_SDS))
    lopsided = ListPrior(
        **{n: getattr(prior, n) for n in ListPrior.__slots__ if n != "log_weight"},
        log_weight=torch.tensor([0.0, -9.0], dtype=torch.float64),
    )
    assert pruned(lopsided).dispersion.tolist() == [NOISE_SDS[0]]


def test_anchors_are_the_best_of_all_pairs_where_two_kinds_of_patients_live() -> None:
    effects = torch.zeros(10, 6, dtype=torch.float64)
    effects[:6, 1], effects[6:, 4], effects[:, 2] = -1.0, -0.9, -0.5
    assert anchors(effects, 3) == (1, 4)
    assert anchors(-effects.abs() * 0, 3) == (0,)


def test_samples_of_a_prior_have_its_moments() -> None:
    prior = shared(generic())
    samples = sampled_effects(prior, 4000)
    # Standard errors: 0.7 / 63 of a mean, and about 0.5 * 1.4 / 63 of a variance.
    assert float(samples.mean(0).abs().max()) < 4 * 0.7 / 4000**0.5
    assert float((samples.var(0) - prior.variance[0]).abs().max()) < 4 * 0.7 / 4000**0.5
    torch.testing.assert_close(samples, sampled_effects(prior, 4000), atol=0, rtol=0)
