"""Lists that are too long for a table: the same beliefs, computed from the same surfaces."""

from typing import Any

import numpy as np
import pytest
import torch
from stories import LIST, random_history
from torch import Tensor

from neurostim.controllers.acquisition import draws
from neurostim.controllers.controller import Context
from neurostim.controllers.gp import (
    DriftingGaussianProcess,
    GaussianProcess,
    SafeGaussianProcess,
)
from neurostim.encoding import Encoding
from neurostim.meta.hierarchy import shared
from neurostim.optimizer import Optimizer
from neurostim.surrogate import LIKELIHOODS, Belief, ListModel, ListPrior, Observed, memory, refit
from neurostim.surrogate import covariance as covariances
from neurostim.surrogate.covariance import Computed, Dense
from neurostim.surrogate.generic import AMPLITUDE, device_prior, side_effect_prior
from neurostim.surrogate.model import MIN_VARIANCE
from neurostim.surrogate.nearby import Nearby, Smoothed
from neurostim.surrogate.readout import is_supported, level_and_effect, smoothed
from neurostim.surrogate.table_prior import (
    device_gaussian_prior,
    table_prior,
    table_side_effect_prior,
)
from protocols import InputError

ENCODED = Encoding.of(LIST).settings(LIST)
AXES = np.arange(3.0), np.linspace(1, 9, 5), 10 ** np.linspace(0, 2, 4)
GRID = torch.from_numpy(np.stack(np.meshgrid(*AXES), -1).reshape(-1, 3))
SOME = GRID[torch.randperm(60, generator=torch.Generator().manual_seed(1))[:41]]
SCATTERED = torch.rand(30, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

PRIORS: dict[str, Any] = {
    "device": lambda: device_prior(ENCODED, keeps=(1.0, 0.95), wash_in=5.0, wander=(0.5, 60.0)),
    "side effects": lambda: side_effect_prior(ENCODED),
    "continuous device": lambda: device_gaussian_prior(ENCODED),
    "grid": lambda: table_prior(GRID, "counts"),
    "part of a grid": lambda: table_prior(SOME, "gaussian"),
    "no grid": lambda: table_prior(SCATTERED, "gaussian"),
    "side effects of a table": lambda: table_side_effect_prior(SOME),
}
KINDS = pytest.mark.parametrize("kind", PRIORS)


def both_forms(kind: str, monkeypatch: pytest.MonkeyPatch) -> tuple[ListPrior, ListPrior]:
    """The same prior with a table and without."""
    kept = PRIORS[kind]()
    monkeypatch.setattr(covariances, "LARGEST_TABLE", 0)
    computed = PRIORS[kind]()
    assert isinstance(kept.covariance, Dense)
    assert isinstance(computed.covariance, Computed)
    return kept, computed


def close(found: Tensor, expected: Tensor) -> None:
    """To 1e-12 of the largest: variances of a prior go up to 1 times the noise."""
    size = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(found, expected, atol=1e-12 * size, rtol=0)


def agree(computed: Any, kept: Any) -> None:
    places = torch.arange(kept.n_settings)
    several = torch.tensor([[3, 0], [5, 3]])
    close(computed.columns(places), kept.columns(places))
    close(computed.columns(several), kept.columns(several))
    close(computed.block(several[:, :, None], several[:, None]),
          kept.block(several[:, :, None], several[:, None]))  # fmt: skip
    close(computed.diagonal(), kept.diagonal())
    close(computed.average(), kept.average())


def story(n_patients: int, n_settings: int) -> Observed:
    """`B n` counts, of which each patient lacks some."""
    generator = torch.Generator().manual_seed(0)
    shape = (n_patients, 9)
    days = 0.5 + 2 * torch.rand(shape, generator=generator, dtype=torch.float64)
    return Observed(
        index=torch.randint(0, n_settings, shape, generator=generator),
        value=torch.randint(0, 14, shape, generator=generator).double(),
        exposure=days * 0.9,
        days=days,
        at_day=days.cumsum(1) - days / 2,
        mask=torch.rand(shape, generator=generator) < 0.85,
        is_epoch=torch.ones(shape, dtype=torch.bool),
    )


def after(prior: ListPrior, observed: Observed) -> Belief:
    belief = Belief.start(prior, LIKELIHOODS["counts"], len(observed.index))
    for t in range(observed.index.shape[1]):
        belief = belief.told(observed.column(t))
    return belief


@KINDS
def test_what_is_computed_is_the_table(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, computed = both_forms(kind, monkeypatch)
    agree(computed.covariance, kept.covariance)
    particles = torch.tensor([1, 0, 1])
    agree(computed.of(particles).covariance, kept.of(particles).covariance)
    mixed = [each.mixed_with(each.of(particles), 0.3).covariance for each in (computed, kept)]
    agree(*mixed)
    agree(computed.to("cpu", torch.float64).covariance, kept.covariance)
    with pytest.raises(ValueError, match="both of one form"):
        kept.mixed_with(computed, 0.5)


@KINDS
def test_settings_that_may_be_missed_are_the_same_without_a_table(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, computed = both_forms(kind, monkeypatch)
    features = ENCODED if kept.n_settings == len(ENCODED) else PLACES[kept.n_settings]
    nearby = Nearby.along(features, AMPLITUDE, 2)
    weights = nearby.matrix()
    close(weights.sum(1), torch.ones(len(weights)).double())
    table = Dense(weights @ kept.table @ weights.T)
    agree(Smoothed(base=computed.covariance, nearby=nearby), table)
    observed = story(3, kept.n_settings)
    read = [smoothed(after(each, observed), nearby) for each in (computed, kept)]
    close(read[0].mean, read[1].mean)
    close(read[0].variance, read[1].variance)
    agree(read[0].of(torch.tensor([0])).prior.to("cpu").covariance, table)


PLACES = {len(each): each for each in (GRID, SOME, SCATTERED)}


@KINDS
def test_beliefs_and_decisions_are_the_same_without_a_table(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, computed = both_forms(kind, monkeypatch)
    observed = story(4, kept.n_settings)
    settings = torch.arange(kept.n_settings).double()[:, None]
    for step in (lambda belief: belief, refit):
        ours, theirs = (step(after(each, observed)) for each in (computed, kept))
        torch.testing.assert_close(ours.mean, theirs.mean, atol=1e-9, rtol=0)
        torch.testing.assert_close(ours.variance, theirs.variance, atol=1e-9, rtol=0)
        torch.testing.assert_close(ours.weight, theirs.weight, atol=1e-9, rtol=0)
        for found, expected in zip(level_and_effect(ours), level_and_effect(theirs), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)
        models = [ListModel(each, settings) for each in (ours, theirs)]
        assert bool((is_supported(models[0]) == is_supported(models[1])).all())
        joint = [each.posterior(settings[:6]).distribution.covariance_matrix for each in models]
        torch.testing.assert_close(joint[0], joint[1], atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", ["device", "grid", "part of a grid"])
def test_draws_without_a_table_have_the_posteriors_mean_and_covariance(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 4000
    _, computed = both_forms(kind, monkeypatch)
    prior = computed.of(torch.tensor([computed.n_particles - 1]))
    one = story(1, prior.n_settings)
    belief = after(prior, one).of(torch.zeros(n, dtype=torch.int64))
    model = ListModel(belief, torch.arange(prior.n_settings).double()[:, None])
    drawn = draws(model, 3, np.arange(n), np.full(n, 9))
    joint = ListModel(after(prior, one), model.settings).posterior(model.settings).distribution
    mean = joint.mean[0]
    covariance = joint.covariance_matrix[0] - MIN_VARIANCE * torch.eye(len(mean)).double()
    # 5 standard errors over up to 60 means and 1,830 covariances: a false alarm in 900 seeds
    variance = covariance.diagonal().clamp_min(1e-8)
    assert float(((drawn.mean(0) - mean).abs() / (variance / n).sqrt()).max()) < 5
    spread = ((variance[:, None] * variance + covariance.square()) / n).sqrt()
    assert float(((torch.cov(drawn.T) - covariance).abs() / spread).max()) < 5


def test_a_patient_draws_the_same_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    _, computed = both_forms("grid", monkeypatch)
    belief = after(computed, story(5, 60))
    settings = torch.arange(60).double()[:, None]
    together = draws(ListModel(belief, settings), 3, np.arange(5), np.full(5, 9))
    alone = ListModel(belief.of(torch.tensor([3])), settings)
    torch.testing.assert_close(
        draws(alone, 3, np.array([3]), np.array([9])), together[3:4], atol=1e-10, rtol=0
    )


def test_what_nothing_exact_can_be_drawn_over_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(covariances, "LARGEST_TABLE", 0)
    with pytest.raises(InputError, match="30 settings are not on a grid"):
        Optimizer(SCATTERED.numpy(), acquisition="thompson", n_initial=0).ask()
    belief = smoothed(after(table_prior(GRID, "counts"), story(1, 60)), Nearby.along(GRID, 0, 1))
    with pytest.raises(InputError, match="perturbed settings"):
        draws(ListModel(belief, GRID), 3, np.arange(1), np.arange(1))


def test_a_controller_proposes_the_same_without_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    history = random_history(3, range(6), 7)
    allowed = np.ones((6, len(LIST)), dtype=np.bool_)
    rules = [
        GaussianProcess(),
        SafeGaussianProcess(),
        DriftingGaussianProcess(),
        GaussianProcess(perturbed_ticks=1),
    ]

    def proposed() -> list[Any]:
        answers: list[Any] = []
        for rule in rules:
            state = rule.init(Context(candidates=LIST, seed=1))
            answers.append(rule.propose(state, history, allowed)[1])
            answers.append(rule.recommend(state, history, allowed)[1])
        return answers

    kept = proposed()
    assert all(setting is not None for each in kept for setting in each)
    monkeypatch.setattr(covariances, "LARGEST_TABLE", 0)
    assert proposed() == kept


def test_nothing_is_learned_over_a_list_without_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    _, computed = both_forms("device", monkeypatch)
    with pytest.raises(InputError, match=f"a prior over {len(LIST)} settings keeps no table"):
        shared(computed)


def test_an_optimizer_asks_the_same_without_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> list[Any]:
        optimizer = Optimizer(GRID.numpy(), n_initial=4)
        settings = []
        for turn in range(12):
            settings.append(optimizer.ask())
            optimizer.tell(settings[-1], (5 * turn) % 7)
        found = optimizer.recommend()
        return [*settings, found.setting, found.is_supported, optimizer.should_stop()]

    kept = asked()
    monkeypatch.setattr(covariances, "LARGEST_TABLE", 0)
    assert asked() == kept


def test_a_list_of_8000_is_no_trouble() -> None:
    table = np.stack(np.meshgrid(*[np.arange(20.0)] * 3), -1).reshape(-1, 3)
    optimizer = Optimizer(table, n_initial=2)
    for turn in range(4):
        optimizer.tell(optimizer.ask(), turn)
    found = optimizer.recommend()
    assert found.setting in optimizer.settings
    assert found.interval[0] < found.expected < found.interval[1]


def test_a_list_that_is_too_long_is_a_sentence() -> None:
    with pytest.raises(InputError, match="20000 settings: at most 16384"):
        device_prior(torch.rand(20_000, 5).double())


def test_what_does_not_fit_into_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = device_prior(ENCODED)
    needed = 8 * prior.n_particles * len(LIST) * 8  # bytes of 8 results of one patient
    monkeypatch.setattr(memory, "memory_bytes", lambda: 5.0 * needed)
    observed = story(1, len(LIST))
    belief = Belief.start(prior, LIKELIHOODS["counts"], 1)
    for t in range(8):
        belief = belief.told(observed.column(t))
    with pytest.raises(InputError, match="16 results x 1 patients x 13 settings take"):
        belief.told(observed.column(8))
    with pytest.raises(InputError, match="8 results x 100000 patients x 13 settings take"):
        Belief.start(prior, LIKELIHOODS["counts"], 100_000)
