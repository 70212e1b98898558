import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from reference_surrogate import kernel as plain_kernel
from reference_surrogate import mixing as plain_mixing
from reference_surrogate import posterior as plain_posterior
from scipy.integrate import quad
from scipy.stats import nbinom, norm
from stories import LIST
from torch import Tensor

from neurostim.encoding import Encoding
from neurostim.surrogate import Counts, EffectKernel, EffectModel, Particles, mixing
from neurostim.surrogate.laplace import laplace
from neurostim.surrogate.model import INTERCEPT_SD, MIN_VARIANCE

DEVICES = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
ENCODED = Encoding.of(LIST).settings(LIST)
N_EPOCHS = 9


def one_particle(outputscale: float = 0.6) -> Particles:
    tensors = [torch.tensor([x], dtype=torch.float64) for x in (outputscale, 0.4, 0.5, 0.3)]
    return Particles(
        outputscale=tensors[0],
        amplitude_lengthscale=tensors[1],
        frequency_lengthscale=tensors[2],
        concentration_per_day=tensors[3],
    )


def counts_of(n_patients: int, wash_in_days: float = 7.0, seed: int = 0) -> Counts:
    generator = torch.Generator().manual_seed(seed)
    shape = (n_patients, N_EPOCHS)
    days = torch.randint(5, 15, shape, generator=generator).double()
    return Counts(
        counts=torch.randint(0, 12, shape, generator=generator).double(),
        days=days,
        mask=torch.rand(shape, generator=generator) < 0.9,
        index=torch.randint(0, len(LIST), shape, generator=generator),
        mixing=mixing(days, wash_in_days),
        settings=ENCODED,
    )


def alone(data: Counts, patient: int) -> Counts:
    rows = ("counts", "days", "mask", "index", "mixing")
    return replace(data, **{name: getattr(data, name)[patient : patient + 1] for name in rows})


def points_for(n_patients: int, device: str = "cpu") -> Tensor:
    return ENCODED.to(device)[:, None, None].expand(-1, n_patients, -1, -1)


def model_of(particles: Particles, data: Counts, device: str) -> EffectModel:
    there = {field.name: getattr(data, field.name).to(device) for field in fields(data)}
    return EffectModel(EffectKernel(particles).to(torch.device(device)), Counts(**there))


@pytest.mark.parametrize("wash_in_days", [2.0, 7.0, 28.0])
def test_mixing_follows_the_equation_of_wash_in(wash_in_days: float) -> None:
    days = [14.0, 3.0, 14.0, 28.0]
    closed = mixing(torch.tensor([days], dtype=torch.float64), wash_in_days)[0].numpy()
    np.testing.assert_allclose(closed, plain_mixing(days, wash_in_days), atol=1e-7)
    assert (closed.sum(axis=1) < 1).all()


def test_without_wash_in_an_epoch_shows_its_own_setting() -> None:
    assert torch.equal(mixing(torch.ones(2, 3), 0.0), torch.eye(3).expand(2, 3, 3))


def test_the_kernel_is_the_plain_one() -> None:
    table = EffectKernel(one_particle(), site_correlation=0.4).table(ENCODED, ENCODED)[0].numpy()
    lengthscales = np.array([0.4, 0.5, 1.0, 1.0])
    points = ENCODED.numpy()
    plain = [[plain_kernel(a, b, 0.6, lengthscales, 0.4) for b in points] for a in points]
    np.testing.assert_allclose(table, plain, atol=1e-12)


def test_off_has_no_effect_and_nothing_to_learn() -> None:
    table = EffectKernel(Particles.generic()).table(ENCODED, ENCODED)
    assert torch.equal(table[:, 0], torch.zeros_like(table[:, 0]))
    model = EffectModel(EffectKernel(Particles.generic()), counts_of(4))
    posterior = model.posterior(points_for(4))
    assert posterior.mean[0].abs().max() == 0
    assert torch.allclose(posterior.variance[0], torch.tensor(MIN_VARIANCE, dtype=torch.float64))


@DEVICES
def test_mean_and_covariance_are_those_of_the_plain_reference(device: str) -> None:
    data = alone(counts_of(1), 0)
    model = model_of(one_particle(), data, device)
    keep = data.mask[0].numpy()
    between = EffectKernel(one_particle()).table(ENCODED, ENCODED)[0].numpy()
    mixed = data.mixing[0].numpy()
    index = data.index[0].numpy()
    covariance = mixed @ between[np.ix_(index, index)] @ mixed.T + INTERCEPT_SD**2
    cross = mixed @ between[index]
    days, counts = data.days[0].numpy()[keep], data.counts[0].numpy()[keep]
    log_mean = math.log((counts.sum() + 0.5) / days.sum()) + np.log(days)
    mean, expected = plain_posterior(
        covariance[np.ix_(keep, keep)], cross[keep], between, counts, log_mean, 0.3 * days
    )
    joint = model.posterior(ENCODED.to(device)[None, None]).distribution
    np.testing.assert_allclose(joint.mean[0, 0].cpu().numpy(), mean, atol=1e-9)
    found = joint.covariance_matrix[0, 0].cpu().numpy()
    np.testing.assert_allclose(found, expected + MIN_VARIANCE * np.eye(len(LIST)), atol=1e-9)
    tried = model.means_when_tried()[0].cpu().numpy()
    np.testing.assert_allclose(tried, mean[index], atol=1e-9)


@DEVICES
def test_a_patient_gets_the_same_from_any_batch(device: str) -> None:
    data = counts_of(6)
    together = model_of(Particles.generic(), data, device).posterior(points_for(6, device))
    for patient in range(6):
        one = model_of(Particles.generic(), alone(data, patient), device)
        single = one.posterior(points_for(1, device))
        torch.testing.assert_close(together.mean[:, patient], single.mean[:, 0], atol=1e-10, rtol=0)
        torch.testing.assert_close(
            together.variance[:, patient], single.variance[:, 0], atol=1e-10, rtol=0
        )


def test_an_epoch_without_a_diary_teaches_nothing() -> None:
    data = counts_of(3, wash_in_days=0.0)
    kernel = EffectKernel(Particles.generic())
    wild = replace(data, counts=torch.where(data.mask, data.counts, 1e9))
    reference = EffectModel(kernel, data).posterior(points_for(3)).mean
    assert torch.equal(EffectModel(kernel, wild).posterior(points_for(3)).mean, reference)


def test_without_any_data_the_posterior_is_the_prior() -> None:
    data = counts_of(2)
    empty = replace(data, mask=torch.zeros_like(data.mask))
    kernel = EffectKernel(Particles.generic())
    posterior = EffectModel(kernel, empty).posterior(points_for(2))
    prior = kernel.table(ENCODED, ENCODED).diagonal(dim1=1, dim2=2).mean(0) + MIN_VARIANCE
    torch.testing.assert_close(posterior.mean, torch.zeros_like(posterior.mean))
    torch.testing.assert_close(posterior.variance[:, 0, 0, 0], prior)


def test_the_evidence_is_the_integral_it_approximates() -> None:
    # One count, one latent: Laplace's evidence against quadrature. The approximation's own error is
    # of the order of the third derivative of the likelihood, well below 2 % of the integral here.
    variance, count, log_mean, size = 0.5, 7.0, math.log(5.0), 3.0
    found = laplace(
        *(
            torch.tensor(x, dtype=torch.float64)
            for x in ([[variance]], [count], [log_mean], [size])
        ),
        mask=torch.tensor([True]),
    )

    def integrand(f: float) -> float:
        mean = math.exp(log_mean + f)
        likelihood = nbinom.pmf(count, size, size / (size + mean))
        return float(likelihood * norm.pdf(f, scale=math.sqrt(variance)))

    integral = quad(integrand, -8, 8)[0]
    assert float(found.log_evidence) == pytest.approx(math.log(integral), abs=0.02)


def test_evidence_prefers_the_particle_that_made_the_counts() -> None:
    calm, wild = 20.0, 0.05
    generator = np.random.default_rng(3)
    both = Particles(
        outputscale=torch.tensor([0.6, 0.6], dtype=torch.float64),
        amplitude_lengthscale=torch.tensor([0.4, 0.4], dtype=torch.float64),
        frequency_lengthscale=torch.tensor([0.4, 0.4], dtype=torch.float64),
        concentration_per_day=torch.tensor([calm, wild], dtype=torch.float64),
    )
    data = counts_of(40)
    off = replace(data, index=torch.zeros_like(data.index), mask=torch.ones_like(data.mask))
    for particle, concentration in enumerate((calm, wild)):
        mean = 0.5 * off.days.numpy()
        size = concentration * off.days.numpy()
        drawn = generator.poisson(generator.gamma(size, mean / size))
        model = EffectModel(
            EffectKernel(both), replace(off, counts=torch.from_numpy(drawn).double())
        )
        assert float(model.weights[:, particle].mean()) > 0.7


def test_botorch_scores_the_list_for_all_patients_at_once() -> None:
    model = EffectModel(EffectKernel(Particles.generic()), counts_of(5))
    score = LogExpectedImprovement(model, best_f=torch.zeros(5, 1).double(), maximize=False)
    with torch.no_grad():
        assert score(points_for(5)).shape == (len(LIST), 5)


def test_a_list_that_is_not_shared_is_refused() -> None:
    model = EffectModel(EffectKernel(Particles.generic()), counts_of(3))
    for points in (points_for(3).clone(), ENCODED[:, None], points_for(2)):
        with pytest.raises(ValueError, match="expanded to"):
            model.posterior(points)
    with pytest.raises(ValueError, match="observation_noise"):
        model.posterior(points_for(3), observation_noise=True)
