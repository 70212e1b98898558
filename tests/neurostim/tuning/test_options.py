"""The options of the Gaussian process that are there to be tuned, each told a story."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stories import LIST, history_of, random_history

from neurostim.controllers import Context, build_controller
from neurostim.controllers.beliefs import Beliefs
from neurostim.encoding import Encoding
from neurostim.meta.federation import generic_start
from neurostim.meta.prior_file import write_prior
from neurostim.surrogate.generic import LENGTHSCALES, device_prior
from protocols import OFF, Setting

CONTEXT = Context(candidates=LIST, seed=3)


def known(**options: Any) -> Any:
    return build_controller("gp", options, "gp").init(CONTEXT)


def chosen(n_epochs: int, **options: Any) -> list[Setting]:
    """What is proposed and recommended to 40 patients."""
    controller = build_controller("gp", options, "gp")
    history = random_history(5, list(range(40)), n_epochs)
    allowed = np.ones((40, len(LIST)), dtype=np.bool_)
    state, proposed = controller.propose(controller.init(CONTEXT), history, allowed)
    _, recommended = controller.recommend(state, history, allowed)
    return [each for each in (*proposed, *recommended) if each is not None]


def test_a_coarser_list_is_every_second_tick_from_the_highest() -> None:
    usual = chosen(6)
    assert {each.amplitude_ua for each in usual} >= {1000, 2000, 3000}
    coarse = chosen(6, amplitude_step=2, frequency_step=2)
    assert {each.amplitude_ua for each in coarse if each != OFF} == {1000, 3000}
    assert {each.frequency_hz for each in coarse if each != OFF} == {145}


def test_what_is_written_soon_after_a_change_teaches_nothing() -> None:
    first, other = LIST[3], LIST[8]
    visits = [(first, 30, 0), (first, 3, 0), (other, 40, 0), (other, 4, 0), (other, 5, 0)]
    history = history_of(20, *visits)

    def taught(days: int) -> list[bool]:
        tables = known(discarded_days=days).tables
        mask = Beliefs(tables=tables).after(history)[1].effects.observed.mask
        seen: list[bool] = mask[0].tolist()
        return seen

    assert taught(0) == [True] * 6
    assert taught(28) == [True, False, True, False, True, True]
    assert taught(29) == [True, False, False, False, False, True]
    # What is discarded changes nothing: any count could be there.
    wild = history_of(20, (first, 900, 0), *visits[1:2], (other, 0, 0), *visits[3:])
    beliefs = [
        Beliefs(tables=known(discarded_days=28).tables).after(each)[1].effects.mean
        for each in (history, wild)
    ]
    assert torch.equal(*beliefs)


def test_surfaces_are_left_out_and_edges_are_not_avoided() -> None:
    both = known().tables.effects
    rough, smooth = (known(surfaces=name).tables.effects for name in ("rough", "smooth"))
    n_both, n_rough, n_smooth = (len(each.log_weight) for each in (both, rough, smooth))
    assert n_both == 2 * n_rough == 2 * n_smooth
    encoded = Encoding.of(LIST).settings(LIST)
    for found, lengths in ((rough, LENGTHSCALES[:1]), (smooth, LENGTHSCALES[1:])):
        wanted = device_prior(encoded, wash_in=18.0, lengthscales=lengths)
        assert torch.equal(found.table, wanted.table)
    top = [place for place, each in enumerate(LIST) if each.amplitude_ua == 3000]
    flat = known(avoids_edges=False).tables.effects.table[:, top, top]
    assert (flat > 5 * both.table[:, top, top]).all()
    assert (known(avoids_edges=False).tables.effects.table[:, 0, 0] == 0).all()


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_generic_share_is_the_options(share: float, tmp_path: Path) -> None:
    start = generic_start(LIST, 18.0, (0.3,))
    path = tmp_path / "prior.safetensors"
    write_prior(path, LIST, start["effects"], start["side_effects"], [1], {"how": "test"})
    context = Context(candidates=LIST, seed=3, folder=tmp_path)
    controller = build_controller("gp", {"prior": path.name, "generic_share": share}, "gp")
    effects = controller.init(context).tables.effects
    n_learned = len(start["effects"].log_weight)
    weight = torch.softmax(effects.log_weight, 0)
    assert float(weight[n_learned:].sum()) == pytest.approx(share, abs=1e-9)
