"""The filter against slow and plain references, and as a model of BoTorch."""

from dataclasses import replace
from typing import Any

import gpytorch
import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement, UpperConfidenceBound
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.generation import MaxPosteriorSampling
from botorch.sampling import SobolQMCNormalSampler
from reference_surrogate import conditioned, counts_conditioned, dense
from reference_surrogate import mixing as plain_mixing
from scipy.integrate import quad
from scipy.stats import nbinom, norm
from stories import LIST
from torch import Tensor

from neurostim.controllers.acquisition import draws
from neurostim.encoding import Encoding
from neurostim.surrogate import LIKELIHOODS, Belief, ListModel, ListPrior, Observed, refit
from neurostim.surrogate.covariance import Dense
from neurostim.surrogate.generic import device_prior, side_effect_prior
from neurostim.surrogate.likelihood import site_of
from neurostim.surrogate.model import MIN_VARIANCE
from neurostim.surrogate.nearby import Nearby
from neurostim.surrogate.readout import is_supported, level_and_effect, smoothed
from neurostim.surrogate.refit import mixtures

DEVICES = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
ENCODED = Encoding.of(LIST).settings(LIST)
N_SETTINGS, N_EPOCHS = 20, 12
LEVEL = (0.7, 0.6, 0.97)


def prior_of(
    *,
    keep: float = 1.0,
    wash_in: float = 0.0,
    level_keep: float = 1.0,
    cycles: tuple[float, ...] = (),
    wander_sd: float = 0.0,
    n_particles: int = 1,
    dispersion: float = 2.0,
) -> ListPrior:
    """Particles that differ in how smooth they are, on settings of no particular kind."""
    generator = torch.Generator().manual_seed(5)
    points = torch.rand(N_SETTINGS, 3, generator=generator, dtype=torch.float64)
    apart = torch.cdist(points, points)
    every = torch.ones(n_particles, dtype=torch.float64)
    tables = [0.5 * torch.exp(-((apart / (0.4 + 0.2 * k)) ** 2)) for k in range(n_particles)]
    mean = 0.3 * torch.randn(n_particles, N_SETTINGS, generator=generator, dtype=torch.float64)
    return ListPrior(
        mean=mean,
        covariance=Dense(torch.stack(tables)),
        dispersion=dispersion * every,
        keep=keep * every,
        wash_in=wash_in * every,
        level_mean=LEVEL[0] * every,
        level_sd=LEVEL[1] * every,
        level_keep=level_keep * every,
        cycle_sd=0.3 * every,
        log_weight=0 * every,
        cycle_periods=cycles,
        wander_sd=wander_sd,
        wander_keep=0.9,
    )


def story(n_patients: int, likelihood: str, seed: int = 0) -> Observed:
    """`B n` observations, of which each patient lacks some."""
    generator = torch.Generator().manual_seed(seed)
    shape = (n_patients, N_EPOCHS)
    days = 0.5 + 2 * torch.rand(shape, generator=generator, dtype=torch.float64)
    values = {
        "counts": torch.randint(0, 14, shape, generator=generator).double(),
        "gaussian": torch.randn(shape, generator=generator, dtype=torch.float64),
        "occurrence": torch.randint(0, 2, shape, generator=generator).double(),
    }
    return Observed(
        index=torch.randint(0, N_SETTINGS, shape, generator=generator),
        value=values[likelihood],
        exposure=days * 0.9,
        days=days,
        at_day=days.cumsum(1) - days / 2,
        mask=torch.rand(shape, generator=generator) < 0.85,
        is_epoch=torch.ones(shape, dtype=torch.bool),
    )


def after(prior: ListPrior, likelihood: str, observed: Observed, device: str = "cpu") -> Belief:
    there = {name: getattr(observed, name).to(device) for name in Observed.__slots__}
    belief = Belief.start(prior.to(device), LIKELIHOODS[likelihood], len(observed.index))
    for t in range(observed.index.shape[1]):
        belief = belief.told(Observed(**there).column(t))
    return belief


def some(observed: Observed, rows: slice) -> Observed:
    return Observed(**{name: getattr(observed, name)[rows] for name in Observed.__slots__})


def dense_of(prior: ListPrior, observed: Observed, b: int) -> Any:
    days = observed.days[b].tolist()
    wash_in = float(prior.wash_in[0])
    weights = plain_mixing(days, wash_in) if wash_in else np.eye(N_EPOCHS)
    keep = observed.mask[b].numpy()
    whole = dense(
        observed.index[b].tolist(),
        days,
        observed.at_day[b].tolist(),
        prior.mean[0].numpy(),
        prior.table[0].numpy(),
        weights=weights,
        keep=float(prior.keep[0]),
        level=(LEVEL[0], LEVEL[1], float(prior.level_keep[0])),
        cycles=dict.fromkeys(prior.cycle_periods, 0.3),
        wander=(prior.wander_sd, prior.wander_keep),
    )
    return replace(
        whole,
        mean=whole.mean[keep],
        covariance=whole.covariance[np.ix_(keep, keep)],
        cross=whole.cross[keep],
    )


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "drifting": {"keep": 0.95, "level_keep": 0.97},
    "slow": {"wash_in": 1.5},
    "cycling": {"cycles": (5.0, 11.0)},
    "wandering": {"wander_sd": 0.4},
    "all at once": {
        "keep": 0.95,
        "level_keep": 0.97,
        "wash_in": 1.5,
        "cycles": (5.0, 11.0),
        "wander_sd": 0.4,
    },
}


@DEVICES
@pytest.mark.parametrize("kind", KINDS)
def test_the_filter_is_the_exact_posterior(kind: str, device: str) -> None:
    # plain_mixing steps the equation, with an error of 1e-8 or so
    tolerance = 1e-6 if "wash_in" in KINDS[kind] else 1e-10
    prior, observed = prior_of(**KINDS[kind]), story(6, "gaussian")
    belief = after(prior, "gaussian", observed, device)
    for b in range(6):
        seen = observed.mask[b]
        noise = (prior.dispersion[0] ** 2 / observed.exposure[b, seen]).numpy()
        value = observed.value[b, seen].numpy()
        mean, covariance = conditioned(dense_of(prior, observed, b), value, noise)
        np.testing.assert_allclose(belief.mean[b, 0].cpu().numpy(), mean, atol=tolerance)
        found = belief.variance[b, 0].cpu().numpy()
        np.testing.assert_allclose(found, np.diag(covariance), atol=tolerance)


class TableKernel(gpytorch.kernels.Kernel):
    """Covariance looked up in a table by the place on a list."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = table

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        left, right = x1[..., 0].long(), x2[..., 0].long()
        return self.table[left, right] if diag else self.table[left[..., None], right[..., None, :]]


class TableGP(gpytorch.models.ExactGP):  # type: ignore[misc]
    """An exact Gaussian process of GPyTorch's over the list."""

    def __init__(self, x: Tensor, y: Tensor, noise: Tensor, prior: ListPrior) -> None:
        likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(noise)
        super().__init__(x, y, likelihood)
        self.mean = prior.mean[0] + LEVEL[0]
        self.kernel = TableKernel(prior.table[0] + LEVEL[1] ** 2)

    def forward(self, x: Tensor) -> gpytorch.distributions.MultivariateNormal:
        mean = self.mean[x[..., 0].long()]
        return gpytorch.distributions.MultivariateNormal(mean, self.kernel(x))


def test_gpytorch_agrees_and_always_chooses_the_same() -> None:
    n_patients = 1000
    prior, observed = prior_of(), story(n_patients, "gaussian", seed=2)
    observed = replace(observed, mask=torch.ones_like(observed.mask))
    mean, sd = level_and_effect(after(prior, "gaussian", observed))  # of level plus effect
    noise = prior.dispersion[0] ** 2 / observed.exposure
    model = TableGP(observed.index[..., None].double(), observed.value, noise, prior).eval()
    everything = torch.arange(N_SETTINGS).double()[:, None].expand(n_patients, -1, -1)
    exact = gpytorch.settings
    with torch.no_grad(), exact.fast_computations(False, False, False):
        found = model(everything)
    assert (found.mean - mean).abs().max() < 1e-10
    assert (found.variance - sd.square()).abs().max() < 1e-10
    same = (found.mean + 2 * found.stddev).argmax(1) == (mean + 2 * sd).argmax(1)
    assert int(same.sum()) == n_patients


@DEVICES
@pytest.mark.parametrize("kind", KINDS)
def test_refit_counts_are_those_of_the_plain_reference(kind: str, device: str) -> None:
    tolerance = 1e-6 if "wash_in" in KINDS[kind] else 1e-9
    prior, observed = prior_of(**KINDS[kind]), story(4, "counts")
    belief = refit(after(prior, "counts", observed, device))
    for b in range(4):
        seen = observed.mask[b]
        mean, covariance = counts_conditioned(
            dense_of(prior, observed, b),
            observed.value[b, seen].numpy(),
            observed.exposure[b, seen].numpy(),
            float(prior.dispersion[0]),
        )
        np.testing.assert_allclose(belief.mean[b, 0].cpu().numpy(), mean, atol=tolerance)
        found = belief.variance[b, 0].cpu().numpy()
        np.testing.assert_allclose(found, np.diag(covariance), atol=tolerance)


def test_the_filter_of_counts_is_near_its_refit_and_can_go_on_from_it() -> None:
    prior, observed = prior_of(**KINDS["all at once"], n_particles=3), story(40, "counts")
    belief = after(prior, "counts", observed)
    fitted = refit(belief)
    away = (belief.mean - fitted.mean).abs() / fitted.variance.sqrt()
    assert float(away.mean()) < 0.05
    again = refit(fitted)
    torch.testing.assert_close(again.mean, fitted.mean, atol=1e-10, rtol=0)
    one_more = story(40, "counts", seed=9).column(0)
    torch.testing.assert_close(
        refit(fitted.told(one_more)).mean, refit(belief.told(one_more)).mean, atol=1e-9, rtol=0
    )


@pytest.mark.parametrize("kind", KINDS)
def test_refit_changes_nothing_where_the_filter_is_exact(kind: str) -> None:
    prior = prior_of(**KINDS[kind], n_particles=3)
    belief = after(prior, "gaussian", story(5, "gaussian"))
    fitted = refit(belief)
    names = ["mean", "variance", "extra_mean", "log_weight"]
    for name in names + ["carried_mean"] * ("wash_in" in KINDS[kind]):
        torch.testing.assert_close(getattr(fitted, name), getattr(belief, name), atol=1e-10, rtol=0)
    more = story(5, "gaussian", seed=3).column(2)
    torch.testing.assert_close(fitted.told(more).mean, belief.told(more).mean, atol=1e-10, rtol=0)


@DEVICES
def test_a_patient_is_the_same_in_any_batch(device: str) -> None:
    prior, observed = prior_of(**KINDS["all at once"], n_particles=3), story(7, "counts")
    together = after(prior, "counts", observed, device)
    for b in range(7):
        alone = after(prior, "counts", some(observed, slice(b, b + 1)), device)
        torch.testing.assert_close(alone.mean[0], together.mean[b], atol=1e-12, rtol=0)
        torch.testing.assert_close(
            refit(alone).mean[0], refit(together).mean[b], atol=1e-10, rtol=0
        )
        chosen = together.of(torch.tensor([b], device=device))
        torch.testing.assert_close(chosen.mean[0], together.mean[b], atol=0, rtol=0)


def test_a_day_without_a_diary_teaches_nothing_and_a_gap_takes_no_time() -> None:
    prior, observed = prior_of(keep=0.9, wash_in=2.0), story(3, "counts")
    wild = replace(observed, value=torch.where(observed.mask, observed.value, torch.nan))
    reference = after(prior, "counts", observed)
    torch.testing.assert_close(after(prior, "counts", wild).mean, reference.mean)
    gap = replace(observed.column(0), mask=torch.zeros(3).bool(), is_epoch=torch.zeros(3).bool())
    torch.testing.assert_close(reference.told(gap).mean, reference.mean, atol=0, rtol=0)
    torch.testing.assert_close(
        refit(reference.told(gap)).mean, refit(reference).mean, atol=1e-10, rtol=0
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_one_patients_nonsense_does_not_reach_another(value: float) -> None:
    prior, observed = prior_of(n_particles=2), story(4, "gaussian")
    clean = after(prior, "gaussian", observed)
    values = observed.value.clone()
    values[2, 5] = value
    mask = observed.mask.clone()
    mask[2, 5] = True
    belief = after(prior, "gaussian", replace(observed, value=values, mask=mask))
    others = [0, 1, 3]
    torch.testing.assert_close(belief.mean[others], clean.mean[others], atol=0, rtol=0)
    fitted = refit(belief)
    torch.testing.assert_close(fitted.mean[others], clean.mean[others], atol=1e-10, rtol=0)
    assert bool(torch.isfinite(belief.mean).all())
    assert bool(torch.isfinite(fitted.mean).all())
    assert belief.n_dropped.tolist() == [0, 0, 1, 0]


def test_two_futures_of_one_belief_do_not_meet() -> None:
    prior, observed = prior_of(), story(3, "counts")
    past = after(prior, "counts", observed)
    one, other = (story(3, "counts", seed=s).column(0) for s in (11, 12))
    left = past.told(one).told(other)
    before = left.rows.buffer[:, :, : left.n_rows].clone()
    right = past.told(other).told(one)
    torch.testing.assert_close(left.rows.buffer[:, :, : left.n_rows], before, atol=0, rtol=0)
    torch.testing.assert_close(past.told(one).told(other).mean, left.mean, atol=0, rtol=0)
    assert not torch.equal(left.rows.buffer[:, :, N_EPOCHS], right.rows.buffer[:, :, N_EPOCHS])


@pytest.mark.parametrize("wash_in", [0.5, 2.0, 9.0])
def test_mixtures_follow_the_equation_of_wash_in(wash_in: float) -> None:
    observed = story(1, "counts")
    belief = after(prior_of(wash_in=wash_in), "counts", observed)
    _, weights, _ = mixtures(belief)
    plain = plain_mixing(observed.days[0].tolist(), wash_in)
    np.testing.assert_allclose(weights[0, 0].numpy(), plain, atol=1e-6)
    assert (weights[0, 0].sum(1) < 1).all()


def test_the_evidence_is_the_integral_it_approximates() -> None:
    # Laplace's own error is of the order of the third derivative, a few hundredths here.
    mean, variance, exposure = 0.4, 0.5, 5.0

    def of(name: str, value: float, dispersion: float) -> float:
        site = site_of(
            LIKELIHOODS[name],
            *(torch.tensor([x], dtype=torch.float64) for x in (mean, variance, value, exposure)),
            torch.tensor([dispersion], dtype=torch.float64),
        )
        return float(site.log_evidence)

    def integral(density: Any) -> float:
        sd = variance**0.5
        return float(np.log(quad(lambda f: density(f) * norm.pdf(f, mean, sd), -8, 8)[0]))

    size = 0.6 * exposure
    counts = integral(lambda f: nbinom.pmf(7, size, size / (size + exposure * np.exp(f))))
    assert of("counts", 7.0, 0.6) == pytest.approx(counts, abs=0.03)
    response = integral(lambda f: norm.pdf(1.3, f, 0.8 / exposure**0.5))
    assert of("gaussian", 1.3, 0.8) == pytest.approx(response, abs=1e-9)
    for came in (0.0, 1.0):
        chance = integral(
            lambda f, came=came: (
                abs(1 - came - (1 - np.exp(-exposure * np.exp(f))))
                if came == 0
                else 1 - np.exp(-exposure * np.exp(f))
            )
        )
        assert of("occurrence", came, 1.0) == pytest.approx(chance, abs=0.05)


def test_evidence_prefers_the_particle_that_made_the_counts() -> None:
    generator = np.random.default_rng(3)
    prior = prior_of(n_particles=2)
    prior = replace(
        prior,
        covariance=Dense(prior.table[:1].expand(2, -1, -1)),
        mean=prior.mean[:1].expand(2, -1),
        dispersion=torch.tensor([20.0, 0.3], dtype=torch.float64),
    )
    observed = replace(story(60, "counts"), mask=torch.ones(60, N_EPOCHS).bool())
    mean = np.exp(LEVEL[0] + prior.mean[0].numpy()[observed.index.numpy()])
    for particle, concentration in enumerate((20.0, 0.3)):
        size = concentration * observed.exposure.numpy()
        rate = generator.gamma(size, mean * observed.exposure.numpy() / size)
        value = torch.from_numpy(generator.poisson(rate)).double()
        belief = after(prior, "counts", replace(observed, value=value))
        assert float(belief.weight[:, particle].mean()) > 0.7


def model_of(n_patients: int = 5) -> ListModel:
    prior = prior_of(keep=0.97, wash_in=1.0, n_particles=3)
    belief = after(prior, "counts", story(n_patients, "counts"))
    settings = torch.stack((torch.arange(N_SETTINGS), torch.arange(N_SETTINGS) % 3), 1).double()
    return ListModel(belief, settings)


def on_list(model: ListModel) -> Tensor:
    """Each setting alone, for all patients: `M B 1 d`."""
    return model.settings[:, None, None].expand(-1, model.batch_shape[0], -1, -1)


def test_the_joint_posterior_is_the_mixture_of_the_particles() -> None:
    model = model_of()
    belief = model.belief
    places = torch.tensor([3, 8, 11])
    joint = model.posterior(model.settings[places]).distribution
    rows = belief.rows.buffer[:, :, : belief.n_rows] * belief.row_share()[..., None]
    whole = belief.prior.table - rows.mT @ rows  # B K M M
    center = torch.einsum("bk,bkm->bm", belief.weight, belief.mean)
    apart = belief.mean - center[:, None]
    matrices = whole + apart[..., :, None] * apart[..., None, :]
    mixture = torch.einsum("bk,bkml->bml", belief.weight, matrices)
    expected = mixture[:, places][:, :, places] + MIN_VARIANCE * torch.eye(3).double()
    torch.testing.assert_close(joint.covariance_matrix, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(joint.mean, -center[:, places], atol=1e-12, rtol=0)
    alone = model.posterior(on_list(model))
    torch.testing.assert_close(alone.mean[..., 0, 0].T, -center, atol=1e-12, rtol=0)
    diagonal = mixture.diagonal(dim1=1, dim2=2) + MIN_VARIANCE
    torch.testing.assert_close(alone.variance[..., 0, 0].T, diagonal, atol=1e-12, rtol=0)


def test_botorch_scores_the_list_for_all_patients_at_once() -> None:
    model = model_of()
    tried = model.settings[model.belief.observed.index]  # B n d
    sampler = SobolQMCNormalSampler(torch.Size([64]), seed=1)
    best = model.list_mean.amax(1, keepdim=True)
    functions = {
        "LogEI": LogExpectedImprovement(model, best_f=best),
        "UCB": UpperConfidenceBound(model, beta=4.0),
        "qLogEI": qLogExpectedImprovement(model, best_f=best[:, 0], sampler=sampler),
        "qLogNEI": qLogNoisyExpectedImprovement(
            model, X_baseline=tried, sampler=sampler, prune_baseline=False, cache_root=False
        ),
    }
    with torch.no_grad():
        values = {name: function(on_list(model)) for name, function in functions.items()}
    for name, value in values.items():
        assert value.shape == (N_SETTINGS, 5), name
        assert bool(torch.isfinite(value).all()), name
    ranks = [values[name].argsort(0).argsort(0).double() for name in ("LogEI", "qLogEI")]
    assert float(torch.corrcoef(torch.stack([r.flatten() for r in ranks]))[0, 1]) > 0.95


def test_botorch_draws_the_maximum_from_the_posterior() -> None:
    model = model_of(3)
    sampling = MaxPosteriorSampling(model, replacement=True)
    with torch.no_grad():
        chosen = sampling(model.settings.expand(3, -1, -1), num_samples=4)
    assert chosen.shape == (3, 4, 2)
    assert bool((chosen[..., None, :] == model.settings).all(-1).any(-1).all())


def test_conditioning_is_telling() -> None:
    model = model_of()
    places = torch.tensor([[2, 7]] * 5)
    value = torch.tensor([[3.0, torch.nan]] * 5, dtype=torch.float64)
    exposure = torch.full((5, 2), 1.5, dtype=torch.float64)
    found = model.condition_on_observations(model.settings[places], value[..., None], exposure)
    belief = model.belief
    for t in range(2):
        belief = belief.told(
            Observed(
                index=places[:, t],
                value=value[:, t],
                exposure=exposure[:, t],
                days=exposure[:, t],
                at_day=belief.day + 0.75,
                mask=torch.isfinite(value[:, t]),
                is_epoch=torch.ones(5).bool(),
            )
        )
    torch.testing.assert_close(found.belief.mean, belief.mean, atol=0, rtol=0)
    assert model.belief.n_rows == N_EPOCHS


def test_what_a_model_cannot_do_is_said() -> None:
    model = model_of()
    with pytest.raises(ValueError, match="settings of the list"):
        model.posterior(torch.full((1, 2), 0.5, dtype=torch.float64))
    with pytest.raises(ValueError, match="has no noise"):
        model.posterior(on_list(model), observation_noise=True)
    with pytest.raises(ValueError, match="B n d and B n 1"):
        model.condition_on_observations(model.settings[:3], torch.zeros(2, 1).double())
    with pytest.raises(ValueError, match="noise: X, Y and exposure"):
        model.condition_on_observations(model.settings[:1], torch.zeros(1, 1), noise=1)
    prior = prior_of()
    with pytest.raises(ValueError, match="covariance has shape"):
        Dense(prior.table[:, :3])
    with pytest.raises(ValueError, match="3 particles and 20 settings: 1 and 20 were expected"):
        replace(prior, covariance=prior.covariance.of(torch.tensor([0, 0, 0])))
    with pytest.raises(ValueError, match="keep has shape"):
        replace(prior, keep=prior.keep[:0])


def test_smoothing_is_the_exact_posterior_of_the_weighted_means() -> None:
    model = model_of()
    weights = torch.softmax(torch.randn(N_SETTINGS, N_SETTINGS).double(), dim=1)
    joint = model.posterior(model.settings).distribution
    place = torch.arange(N_SETTINGS).expand(N_SETTINGS, -1)
    read = ListModel(smoothed(model.belief, Nearby(place=place, weight=weights)), model.settings)
    torch.testing.assert_close(read.list_mean, joint.mean @ weights.T, atol=1e-12, rtol=0)
    floor = MIN_VARIANCE * torch.eye(N_SETTINGS).double()
    covariance = weights @ (joint.covariance_matrix - floor) @ weights.T
    expected = covariance.diagonal(dim1=1, dim2=2) + MIN_VARIANCE
    torch.testing.assert_close(read.list_variance, expected, atol=1e-12, rtol=0)


def test_draws_have_the_posteriors_mean_and_covariance() -> None:
    n = 4000
    one = story(1, "counts")
    many = Observed(
        **{name: getattr(one, name).expand(n, -1).contiguous() for name in Observed.__slots__}
    )
    prior = prior_of(keep=0.97)
    model = ListModel(after(prior, "counts", many), torch.arange(N_SETTINGS).double()[:, None])
    drawn = draws(model, 3, np.arange(n), np.full(n, N_EPOCHS))
    joint = model.posterior(model.settings.expand(n, -1, -1)[:1].expand(n, -1, -1)).distribution
    mean, covariance = joint.mean[0], joint.covariance_matrix[0]
    # 4.5 standard errors over 20 means and 210 covariances: a false alarm in a thousand seeds
    error = (covariance.diagonal() / n).sqrt()
    assert float(((drawn.mean(0) - mean).abs() / error).max()) < 4.5
    variance = covariance.diagonal()
    spread = ((variance[:, None] * variance + covariance.square()) / n).sqrt()
    assert float(((torch.cov(drawn.T) - covariance).abs() / spread).max()) < 4.5


def test_off_has_no_effect_and_side_effects_rise_with_the_amplitude() -> None:
    prior = device_prior(ENCODED, wash_in=18.0)
    assert float(prior.table[:, 0].abs().max()) == 0
    eigenvalues = torch.linalg.eigvalsh(prior.table)
    assert float(eigenvalues.min()) > -1e-12
    harm = side_effect_prior(ENCODED)
    amplitude = ENCODED[:, 0]
    order = amplitude.argsort()
    assert bool((harm.mean[0][order].diff() >= 0).all())
    assert float(harm.variance[:, 0].abs().max()) == 0


def test_support_comes_with_data_only() -> None:
    prior = device_prior(ENCODED)
    belief = Belief.start(prior, LIKELIHOODS["counts"], 2)
    off = 0
    assert is_supported(ListModel(belief, ENCODED))[:, 1:].sum() == 0
    for _ in range(8):
        belief = belief.told(
            Observed(
                index=torch.tensor([off, 3]),
                value=torch.tensor([8.0, 8.0]).double(),
                exposure=torch.full((2,), 14.0).double(),
                days=torch.full((2,), 14.0).double(),
                at_day=belief.day + 7,
                mask=torch.ones(2).bool(),
                is_epoch=torch.ones(2).bool(),
            )
        )
    supported = is_supported(ListModel(belief, ENCODED))
    assert not bool(supported[0, 1:].any())
    assert bool(supported[1, 3])
    assert not bool(supported[1].all())
