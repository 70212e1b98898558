"""The gradient-based comparator: an inner step by hand, and that it learns."""

from functools import partial

import numpy as np
import pytest
import torch

from neurostim.study.meta_gradient import (
    Adapting,
    Training,
    adapted,
    adapted_rates,
    features,
    initialised,
    log_rates,
    meta_learned,
    query_loss,
)
from neurostim.study.reference_population import N_SETTINGS, draw
from neurostim.study.teaching import past_of

SMALL = Training(n_hidden=8, n_inner=2, n_outer=150, learning_rate=1e-2)
STEP = {"w": torch.tensor(0.1, dtype=torch.float64)}


def line_loss(parameters, x, y):
    return (parameters["w"] * x - y).square()


def test_an_inner_step_on_a_line_is_the_one_by_hand():
    # d/dw (w x - y)^2 = 2 x (w x - y): at w = 1, x = 2, y = 6 it is -16, and a step of 0.1 makes
    # w 2.6; there it is -3.2, and the next step makes it 2.92.
    start = {"w": torch.tensor(1.0, dtype=torch.float64)}
    loss = partial(line_loss, x=2.0, y=6.0)
    assert float(adapted(start, loss, STEP, 1)["w"]) == pytest.approx(2.6)
    assert float(adapted(start, loss, STEP, 2)["w"]) == pytest.approx(2.92)


def test_the_outer_gradient_goes_through_the_inner_step():
    # After one step w' = w - 2 a x (w x - y), so that dw'/dw = 1 - 2 a x^2 = 0.2, and the outer
    # loss (w' - 5)^2 has the gradient 2 (2.6 - 5) * 0.2 = -0.96.
    start = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    after = adapted({"w": start}, partial(line_loss, x=2.0, y=6.0), STEP, 1)
    (after["w"] - 5.0).square().backward()
    assert float(start.grad) == pytest.approx(-0.96)


def test_without_an_observation_nothing_is_adapted():
    found, table = initialised(SMALL, 1), features()
    nothing = torch.zeros(2, 1)
    rates = adapted_rates(found, table[:1].expand(2, 1, -1), nothing, nothing > 0, table)
    assert torch.allclose(rates, log_rates(found.parameters, table).expand(2, -1))


def test_many_seizures_at_a_setting_raise_what_is_expected_there():
    found, table = initialised(SMALL, 1), features()
    many = torch.full((1, 1), 40.0, dtype=torch.float64)
    rates = adapted_rates(found, table[None, :1], many, many > 0, table)
    assert float(rates[0, 0]) > float(log_rates(found.parameters, table)[0])


def test_learning_lowers_the_loss_of_patients_not_learned_on():
    others, table = past_of(draw(12, 32)), features()

    def loss(found):
        support = torch.arange(others.index.shape[1]) < 10
        seen = support.expand_as(others.index)
        after = adapted_rates(found, table[others.index], others.value, seen, table)
        return float(query_loss(after.gather(1, others.index), others.value, ~seen))

    found = meta_learned(past_of(draw(11, 48)), SMALL, seed=1)
    assert loss(found) < loss(initialised(SMALL, 1))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_its_epochs_is_drawn_at_random(share):
    policy = Adapting(found=initialised(SMALL, 1), random_share=share, seed=3)
    empty = np.zeros((40, 0), dtype=np.int64)
    chosen = policy.propose(empty, empty)
    assert len(set(chosen.tolist())) > 20 if share else len(set(chosen.tolist())) == 1
    assert chosen.max() < N_SETTINGS
