"""Virtual patients as Gymnasium environments: the library's own check, and that nothing leaks."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from neurostim.asking import Wish
from neurostim.loop import Batch, Gate, live
from neurostim.plan import make_plan
from neurostim.rl.environments import PatientEnv, PatientVectorEnv
from neurostim.rl.ward import OBSERVED
from protocols import OFF, InputError, Proposal
from protocols.design import load_design
from safety import AuditLog, review

SMALL = {
    "population.n_patients": 400,
    "schedule.baseline_days": 28,
    "schedule.treatment_days": 70,
    "schedule.evaluation_days": 14,
    "settings.site": [0, 1],
    "settings.amplitude_ua": [1000, 8000],
    "settings.frequency_hz": [20, 200],
    "settings.pulse_width_us": [60, 200],
}
"""Twelve settings and off; the strongest of them has side effects that latch a site."""


@pytest.fixture
def env():
    env = PatientEnv("demo", seed=3, overrides=SMALL)
    yield env
    env.close()


@pytest.fixture
def envs():
    envs = PatientVectorEnv(5, "demo", seed=3, overrides=SMALL)
    yield envs
    envs.close()


def test_gymnasium_finds_nothing_to_complain_about(env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*not within the recommended range.*")
        check_env(env, skip_render_check=True)


def test_both_kinds_are_made_by_name():
    env = gymnasium.make("neurostim.rl:neurostim/Patient-v0", design="demo", overrides=SMALL)
    observed, info = env.reset(seed=1)
    assert env.observation_space.contains(observed)
    assert info["action_mask"].shape == (env.action_space.n,)
    env.close()
    name = "neurostim.rl:neurostim/Patient-v0"
    envs = gymnasium.make_vec(name, num_envs=3, design="demo", overrides=SMALL)
    observed, info = envs.reset(seed=1)
    assert envs.observation_space.contains(observed)
    assert info["action_mask"].shape == (3, envs.single_action_space.n)
    envs.close()


def test_the_mask_says_what_the_gate_then_delivers(env):
    rng = np.random.default_rng(0)
    seen = set()
    for episode in range(20):
        _, info = env.reset(seed=episode)
        is_over = False
        while not is_over:
            action = int(rng.choice([1, env.action_space.n - 1]))
            is_as_it_stands = bool(info["action_mask"][action])
            assert (env.action_masks() == info["action_mask"]).all()
            wanted = env._plan.candidates[action]
            _, _, _, is_over, info = env.step(action)
            assert (info["delivered"] == wanted) == is_as_it_stands
            assert (info["ruling"] == "accepted") == is_as_it_stands
            seen.add(is_as_it_stands)
    assert seen == {True, False}


def test_the_mask_is_what_review_says_of_each_setting_alone():
    plan = plan_of("demo")
    envs = PatientVectorEnv(12, "demo", seed=3, overrides=SMALL)
    envs.reset(seed=0)
    envs.step(np.full(12, len(plan.candidates) - 1))
    ward = envs._ward
    mask = ward.deliverable()
    for b, state in enumerate(ward.batch.states):
        past = ward.batch.pasts.past(b)
        for m, setting in enumerate(plan.candidates):
            proposal = _proposal(past, state.day * 86_400, setting, plan.envelope)
            verdict = review(proposal, past, plan.envelope, state.day * 86_400)
            assert mask[b, m] == (verdict.ruling == "accepted")
    assert not mask.all()
    envs.close()


def plan_of(design):
    arms = {"arms": [{"name": "sham", "controller": "sham"}]}
    return make_plan(load_design(design, SMALL | arms), seed=3, compute="cpu")


def _proposal(past, at_s, setting, envelope):
    return Proposal(
        patient=past.patient,
        sequence=past.sequence + 1,
        at_s=at_s,
        envelope_hash=envelope.hash,
        setting=setting,
    )


def test_an_episode_is_the_life_that_a_trial_would_give(env, tmp_path):
    _, info = env.reset(seed=5)
    patient = info["patient"]
    plan = plan_of("demo")
    states = plan.model.draw(
        device=plan.device, seed=3, patients=[patient], enrolment=plan.enrolment
    )
    rewards, counts = [], []
    with AuditLog(tmp_path / "log", envelope_hash=plan.envelope.hash, durable=False) as log:
        gate, batch, index = (
            Gate(envelope=plan.envelope, log=log),
            Batch.start(states),
            np.array([0]),
        )
        baseline, recorded = 0, 0
        for _ in range(2):
            batch, (lived,) = live(batch, index, [Wish(setting=OFF)], [14], 0, plan.model, gate)
            baseline += lived.outcome.observation.n_seizures or 0
            recorded += lived.outcome.observation.days_recorded
        while batch.states[0].day < 98:
            days = min(14, 98 - batch.states[0].day)
            wish = Wish(setting=plan.candidates[1])
            batch, (lived,) = live(batch, index, [wish], [days], 2, plan.model, gate)
            seen = lived.outcome.observation
            counts.append((seen.n_seizures, seen.days_recorded))
    is_over = False
    while not is_over:
        _, reward, _, is_over, _ = env.step(1)
        rewards.append(reward)
    per_28_days = max(28 * baseline / recorded, 1.0)
    expected = [-28 * n / days / per_28_days for n, days in counts if days]
    assert rewards == pytest.approx(expected)


def test_nothing_hidden_is_seen(env):
    """Two families of one seed write the same until stimulation, whatever their truths are."""
    _, info = env.reset(seed=0, options={"patient": 3})
    assert set(info) == {"action_mask", "patient"}
    *_, info = env.step(0)
    assert set(info) == {"action_mask", "patient", "delivered", "ruling", "findings"}
    assert len(OBSERVED) == env.observation_space.shape[0]
    null = PatientEnv("demo", seed=3, overrides=SMALL | {"population.model": "null"})
    same, _ = env.reset(options={"patient": 3})
    other, _ = null.reset(options={"patient": 3})
    assert (same == other).all()
    null.close()


def test_a_batch_gives_each_patient_the_life_it_has_alone(envs, env):
    observed, info = envs.reset(seed=2)
    patients = info["patient"].tolist()
    actions = np.array([0, 1, 2, 3, 1])
    steps = [envs.step(actions)[:2] for _ in range(5)]
    for b, patient in enumerate(patients):
        first, _ = env.reset(options={"patient": patient})
        assert (first == observed[b]).all()
        for together, rewards in steps:
            alone, reward, *_ = env.step(int(actions[b]))
            assert (alone == together[b]).all()
            assert reward == rewards[b]


def test_patients_whose_treatment_ended_are_replaced_at_the_next_step(envs):
    _, before = envs.reset(seed=2)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    truncated = np.zeros(5, dtype=bool)
    n_steps = 0
    while not truncated.any():
        _, _, terminated, truncated, info = envs.step(np.zeros(5, dtype=np.int64))
        n_steps += 1
        assert not terminated.any()
    assert n_steps == 5
    assert (info["patient"] == before["patient"]).all()
    observed, rewards, _, truncated, info = envs.step(np.ones(5, dtype=np.int64))
    assert not truncated.any()
    assert (rewards == 0).all()
    assert (observed[:, list(OBSERVED).index("amplitude_ma")] == 0).all()
    assert (observed[:, list(OBSERVED).index("share_of_treatment")] == 0).all()


def test_the_same_seed_gives_the_same_episodes(envs):
    first = envs.reset(seed=9)[1]["patient"].tolist()
    again = envs.reset(seed=9)[1]["patient"].tolist()
    other = envs.reset(seed=10)[1]["patient"].tolist()
    assert first == again != other


def test_side_effects_cost_what_was_said():
    costly = PatientVectorEnv(12, "demo", seed=3, overrides=SMALL, side_effect_cost=2.0)
    free = PatientVectorEnv(12, "demo", seed=3, overrides=SMALL)
    for each in (costly, free):
        each.reset(seed=1)
    at_most = len(costly._plan.candidates) - 1
    differences, grades = [], []
    for _ in range(5):
        dear = costly.step(np.full(12, at_most))
        cheap = free.step(np.full(12, at_most))
        assert (dear[0] == cheap[0]).all()
        differences += (cheap[1] - dear[1]).tolist()
        grades += dear[0][:, list(OBSERVED).index("worst_grade")].tolist()
    assert differences == pytest.approx([2.0 if grade >= 2 else 0.0 for grade in grades])
    assert max(grades) >= 2
    costly.close()
    free.close()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda env: env.step(0), "reset was expected first"),
        (lambda env: env.action_masks(), "reset was expected first"),
        (lambda env: (env.reset(), env.step(99)), "action = 99: the number of a setting, 0 to 12"),
        (lambda env: (env.reset(), env.step(-1)), "action = -1: the number of a setting"),
        (lambda env: (env.reset(), env.step(0.5)), "action = 0.5: the number of a setting"),
        (lambda env: env.reset(options={"patient": 400}), "patient = 400: one of the design's"),
    ],
)
def test_mistakes_are_sentences(env, call, sentence):
    with pytest.raises(InputError, match=sentence):
        call(env)


@pytest.mark.parametrize("cost", [-1.0, float("nan"), float("inf")])
def test_costs_are_checked(cost):
    with pytest.raises(InputError, match="a number from 0 was expected"):
        PatientEnv("demo", overrides=SMALL, side_effect_cost=cost)


def test_the_number_of_patients_is_checked(envs):
    with pytest.raises(InputError, match="num_envs = 0: 1 or more was expected"):
        PatientVectorEnv(0, "demo", overrides=SMALL)
    envs.reset(seed=0)
    with pytest.raises(InputError, match="3 actions: 5 were expected"):
        envs.step(np.zeros(3, dtype=np.int64))
