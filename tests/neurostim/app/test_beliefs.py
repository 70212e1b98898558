"""What is believed and proposed, against the controller that believes and proposes it."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from neurostim.app.beliefs import Read, Reader, percent_moments
from neurostim.app.engine import Engine
from neurostim.app.keeping import Keeper, reopened_from
from neurostim.app.limits import tightened
from neurostim.app.maps import posterior_view
from neurostim.app.offers import SUMMARIES, sample_text
from neurostim.app.patient_file import parse_patient
from neurostim.app.reasons import proposal_view, verdict_of
from neurostim.app.views import Posterior, Proposal
from neurostim.asking import Wish
from neurostim.controllers import build_controller, controller_class
from neurostim.surrogate.contrast import Mixture
from protocols import OFF
from safety import Person, Role

GP = "gp"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    """The sample patient."""
    saved = parse_patient(sample_text(), "the sample")
    place = tmp_path_factory.mktemp("beliefs") / "autosave.json"
    made = reopened_from(saved, "the sample", None, place, lambda share: None)
    yield made
    made.engine.close()


@pytest.fixture(scope="module")
def read(kept: Keeper) -> Read:
    """What the policy believes of the sample patient."""
    scenario = kept.now.scenario
    return Reader(kept.engine).read(scenario.life, scenario.policy, ())


def wish_of(engine: Engine, kept: Keeper) -> Wish:
    """What the controller proposes, asked in this process."""
    controller = build_controller(GP, {}, "test")
    state = controller.init(engine.plan.context)
    allowed = np.ones((1, len(engine.plan.candidates)), dtype=np.bool_)
    _, proposals = controller.propose(state, kept.now.scenario.life.batch.history, allowed)
    return Wish(setting=proposals[0])


@pytest.fixture(scope="module")
def views(kept: Keeper, read: Read) -> tuple[Posterior, Proposal]:
    """Both views of the sample patient."""
    engine, scenario = kept.engine, kept.now.scenario
    wish = wish_of(engine, kept)
    verdict = verdict_of(engine, scenario.life, wish, ())
    envelope = engine.plan.envelope
    return (
        posterior_view(read, scenario.life, scenario.policy, wish.requested, envelope),
        proposal_view(read, scenario.life, scenario.policy, wish, verdict, envelope, None),
    )


def test_off_changes_nothing_and_everything_else_is_uncertain(read: Read) -> None:
    assert read.candidates[0] == OFF
    assert read.mean[0] == pytest.approx(0, abs=1e-6)
    assert read.sd[0] == pytest.approx(0, abs=1e-3)
    assert (read.sd[1:] > 0.5).all()
    assert (read.low <= read.middle + 1e-9).all()
    assert (read.middle <= read.high + 1e-9).all()


def test_numbers_agree_with_the_controllers_own_explanation(read: Read) -> None:
    believed = read.explanation.recommended
    assert believed is not None
    place = read.candidates.index(believed.setting)
    assert read.middle[place] == pytest.approx(-100 * believed.reduction, abs=1e-6)
    assert read.low[place] == pytest.approx(-100 * believed.reduction_interval[1], abs=1e-6)
    assert read.high[place] == pytest.approx(-100 * believed.reduction_interval[0], abs=1e-6)
    rate = read.rate_at(place)
    assert rate.middle == pytest.approx(believed.rate_per_28_days, rel=1e-6)
    assert (rate.low, rate.high) == pytest.approx(believed.rate_interval, rel=1e-6)
    assert read.improves[place] == pytest.approx(believed.probability_of_improvement, abs=1e-6)


def test_moments_are_those_of_draws() -> None:
    """Mean and SD in percent of a mixture of two, against draws from it; four standard errors."""
    n_draws, weight, mean, sd = 200_000, 0.3, np.array([0.4, -0.2]), np.array([0.2, 0.5])
    mixture = Mixture(
        weight=torch.tensor([[weight, 1 - weight]]),
        mean=torch.from_numpy(mean).reshape(1, 2, 1),
        variance=torch.from_numpy(sd**2).reshape(1, 2, 1),
    )
    (found_mean,), (found_sd,) = percent_moments(mixture)
    chance = np.random.default_rng(3)
    which = (chance.random(n_draws) >= weight).astype(int)
    draws = 100 * np.expm1(-chance.normal(mean[which], sd[which]))
    assert found_mean == pytest.approx(draws.mean(), abs=4 * draws.std() / np.sqrt(n_draws))
    squares = (draws - draws.mean()) ** 2
    assert found_sd**2 == pytest.approx(squares.mean(), abs=4 * squares.std() / np.sqrt(n_draws))


def test_maps_hold_every_candidate_once(views: tuple[Posterior, Proposal], read: Read) -> None:
    posterior, _ = views
    assert [each.name for each in posterior.maps] == [
        "left deep",
        "left shallow",
        "right deep",
        "both deep",
    ]
    shown = np.concatenate([each.mean.ravel() for each in posterior.maps])
    assert sorted(shown) == sorted(read.mean[1:])
    assert posterior.low == -posterior.high == -np.abs(shown).max()
    assert all(each.is_permitted.all() for each in posterior.maps)
    assert set(posterior.slices) == {
        (each.site, frequency)
        for each in posterior.maps
        for frequency in each.frequencies_hz.tolist()
    }
    assert len(posterior.table.rows) == 241
    assert "mA" in posterior.maps[0].reading(0, 0)


def test_dots_are_the_settings_that_were_delivered(
    views: tuple[Posterior, Proposal], kept: Keeper
) -> None:
    posterior, _ = views
    turns = [turn for turn in kept.now.scenario.life.turns if not turn.lived.delivered.is_off]
    shown = sum(dot.days for each in posterior.maps for dot in each.dots)
    assert shown == sum(turn.lived.outcome.observation.days for turn in turns)
    bothered = {
        turn.lived.delivered
        for turn in turns
        if (turn.lived.outcome.observation.worst_grade or 0) >= 2
    }
    rings = sum(dot.has_side_effect for each in posterior.maps for dot in each.dots)
    assert rings == len(bothered)


def test_the_proposal_is_the_controllers_with_reasons(
    views: tuple[Posterior, Proposal], kept: Keeper
) -> None:
    posterior, proposal = views
    wish = wish_of(kept.engine, kept)
    assert wish.requested is not None
    marked = [each.proposed for each in posterior.maps if each.proposed is not None]
    assert len(marked) == (0 if wish.requested.is_off else 1)
    assert f"{wish.requested.amplitude_ua / 1000:g} mA" in proposal.proposed
    assert proposal.delivered == proposal.proposed
    assert proposal.ruling == "accepted"
    assert proposal.changed == ()
    assert 3 <= len(proposal.why) <= 5
    assert "Safety lets it through unchanged." in proposal.why
    interval = proposal.seizures_per_28_days
    assert interval is not None
    assert interval.low < interval.middle < interval.high


def test_a_tightened_limit_shows_on_the_map_and_in_the_reasons(kept: Keeper) -> None:
    engine, scenario = kept.engine, kept.now.scenario
    by = Person("Dr A", Role.CLINICIAN)
    change = tightened(engine.manufacturer, "amplitude_ua", "2", by, scenario.life.day)
    read = Reader(engine).read(scenario.life, scenario.policy, (change,))
    beyond = wish_of(engine, kept)
    assert beyond.requested is not None
    assert beyond.requested.amplitude_ua > 2000
    verdict = verdict_of(engine, scenario.life, beyond, (change,))
    envelope = engine.plan.envelope
    posterior = posterior_view(read, scenario.life, scenario.policy, beyond.requested, envelope)
    for each in posterior.maps:
        assert np.array_equal(each.is_permitted.all(axis=1), each.amplitudes_ma <= 2)
        assert np.array_equal(each.is_permitted.any(axis=1), each.amplitudes_ma <= 2)
    proposal = proposal_view(read, scenario.life, scenario.policy, beyond, verdict, envelope, None)
    assert proposal.ruling != "accepted"
    assert proposal.changed
    assert "(rule " in proposal.changed[0]
    assert any(sentence.startswith("Safety changes it: ") for sentence in proposal.why)


def test_a_policy_without_beliefs_is_read_all_the_same(kept: Keeper) -> None:
    engine, scenario = kept.engine, kept.now.scenario
    titration = kept.policy("titration")
    read = Reader(engine).read(scenario.life, titration, ())
    assert not read.is_own
    wish = Wish(fault="nothing was proposed")
    verdict = verdict_of(engine, scenario.life, wish, ())
    envelope = engine.plan.envelope
    posterior = posterior_view(read, scenario.life, titration, None, envelope)
    assert posterior.sentence.startswith("titration keeps no belief")
    proposal = proposal_view(read, scenario.life, titration, wish, verdict, envelope, None)
    assert proposal.proposed == "nothing"
    assert "The policy came up with nothing: nothing was proposed." in proposal.why


def test_summaries_are_those_of_the_controllers() -> None:
    assert {name: controller_class(name).summary for name in SUMMARIES} == SUMMARIES


@pytest.mark.slow
def test_the_sample_is_what_its_policy_asks_for(kept: Keeper) -> None:
    wanted = kept.now.scenario
    (*_, life) = kept.engine.lives(kept.engine.start, wanted.policy, (), wanted.life.day)
    asked = [turn.lived.wish for turn in life.turns]
    assert asked == [turn.lived.wish for turn in wanted.life.turns]
