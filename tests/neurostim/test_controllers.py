"""Each controller told a story; the batch never matters to a patient."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from stories import LIST, history_of, random_history

from neurostim.controllers import CONTROLLERS, Context, Controller, build_controller
from neurostim.controllers.explanation import explain
from neurostim.controllers.trade_offs import front, power_uw_per_kohm, trade_offs
from neurostim.encoding import Encoding
from neurostim.history import History
from neurostim.meta.federation import generic_start
from neurostim.meta.prior_file import load_prior, write_prior
from neurostim.meta.prior_path import prior_path
from neurostim.plan import make_plan
from neurostim.surrogate.covariance import Dense
from neurostim.surrogate.generic import device_prior, side_effect_prior
from protocols import OFF, InputError, Setting
from protocols.design import load_design

CONTEXT = Context(candidates=LIST, seed=3)
READY = [name for name in CONTROLLERS if name != "population-best"]
"""Controllers that need no file of a learned prior."""

FIXED = {"setting": {"site": 1, "amplitude_ua": 2000, "frequency_hz": 145, "pulse_width_us": 90}}


def build(name: str, **options: Any) -> Controller:
    return build_controller(name, options or (FIXED if name == "fixed" else {}), name)


def proposals(controller: Controller, history: History) -> list[Setting | None]:
    allowed = np.ones((history.n_patients, len(LIST)), dtype=np.bool_)
    return list(controller.propose(controller.init(CONTEXT), history, allowed)[1])


def next_of(controller: Controller, history: History) -> Setting | None:
    return proposals(controller, history)[0]


def at(site: int, amplitude_ua: int, frequency_hz: int = 145) -> Setting:
    return Setting(
        site=site, amplitude_ua=amplitude_ua, frequency_hz=frequency_hz, pulse_width_us=90
    )


@pytest.mark.parametrize("name", READY)
def test_patient_3_is_offered_the_same_in_a_batch_of_1_7_or_60(name: str) -> None:
    controller = build(name)
    for n_epochs in (2, 5, 12):
        everyone = random_history(5, list(range(60)), n_epochs)
        seven = proposals(controller, everyone.rows(np.arange(7)))
        alone = proposals(controller, everyone.rows(np.array([3])))
        together = proposals(controller, everyone)
        assert alone[0] == seven[3] == together[3]
        assert seven == together[:7]


@pytest.mark.gpu
def test_gp_proposes_on_the_gpu_what_it_proposes_on_the_cpu() -> None:
    gp, history = build("gp"), random_history(5, list(range(60)), 12)
    allowed = np.ones((60, len(LIST)), dtype=np.bool_)
    on_gpu = gp.init(Context(candidates=LIST, seed=3, compute="cuda"))
    assert list(gp.propose(on_gpu, history, allowed)[1]) == proposals(gp, history)


@pytest.mark.parametrize("name", READY)
def test_what_is_proposed_is_on_the_list_and_asking_twice_changes_nothing(name: str) -> None:
    controller = build(name)
    history = random_history(8, list(range(20)), 8)
    first = proposals(controller, history)
    assert len(first) == 20
    assert set(first) <= set(LIST)
    assert proposals(controller, history) == first


@pytest.mark.parametrize("name", ["random", "gp", "gp-drifting", "thompson"])
def test_what_is_not_allowed_is_not_proposed(name: str) -> None:
    controller = build(name)
    history = history_of(40, (LIST[3], 30, 0), patients=range(10))
    allowed = np.zeros((10, len(LIST)), dtype=np.bool_)
    allowed[:, 4] = True
    allowed[9] = False
    found = controller.propose(controller.init(CONTEXT), history, allowed)[1]
    assert found == [LIST[4]] * 9 + [None]


def test_sham_stays_off() -> None:
    assert next_of(build("sham"), history_of(40)) == OFF


def test_fixed_never_changes() -> None:
    assert next_of(build("fixed"), history_of(40, (LIST[5], 99, 3))) == at(1, 2000)


def test_titration_starts_at_the_lowest_step_near_its_frequency() -> None:
    assert next_of(build("titration"), history_of(40)) == at(0, 1000, 145)
    assert next_of(build("titration", frequency_hz=7), history_of(40)) == at(0, 1000, 5)


def test_titration_steps_up_until_seizures_halve_and_then_stays() -> None:
    titration = build("titration")
    history = history_of(40, (at(0, 1000), 18, 0))
    assert next_of(titration, history) == at(0, 2000)
    history = history_of(40, (at(0, 1000), 18, 0), (at(0, 2000), 10, 0))
    assert next_of(titration, history) == at(0, 2000)
    history = history_of(40, (at(0, 1000), 18, 0), (at(0, 2000), 10, 0), (at(0, 2000), 15, 0))
    assert next_of(titration, history) == at(0, 3000)


def test_titration_steps_back_on_a_side_effect_and_does_not_return_there() -> None:
    titration = build("titration")
    bothered = [(at(0, 1000), 18, 0), (at(0, 2000), 18, 2)]
    assert next_of(titration, history_of(40, *bothered)) == at(0, 1000)
    history = history_of(40, *bothered, (at(0, 1000), 18, 0))
    assert next_of(titration, history) == at(1, 1000)


def test_titration_settles_below_a_step_that_helped_and_then_bothered() -> None:
    helped = [(at(0, 1000), 30, 0), (at(0, 2000), 5, 0), (at(0, 2000), 6, 2)]
    others = [(at(0, 1000), 30, 0), *((at(1, ua), 38, 0) for ua in (1000, 2000, 3000))]
    assert next_of(build("titration"), history_of(40, *helped, *others)) == at(0, 1000)


def test_titration_goes_off_when_the_lowest_step_bothers() -> None:
    assert next_of(build("titration"), history_of(40, (at(0, 1000), 18, 3))) == OFF


def test_titration_settles_on_the_best_step_when_every_site_was_tried() -> None:
    counts = {
        (0, 1000): 19,
        (0, 2000): 15,
        (0, 3000): 18,
        (1, 1000): 19,
        (1, 2000): 17,
        (1, 3000): 16,
    }
    visits = [(at(*place), count, 0) for place, count in counts.items()]
    assert next_of(build("titration"), history_of(40, *visits)) == at(0, 2000)
    later = [*visits, (at(0, 2000), 30, 0)]
    assert next_of(build("titration"), history_of(40, *later)) == at(0, 2000)


def test_titration_waits_for_a_visit_that_has_a_diary() -> None:
    assert next_of(build("titration"), history_of(40, (at(0, 1000), None, 0))) == at(0, 1000)


def test_random_draws_every_setting_but_off_equally_often() -> None:
    history = history_of(40, patients=range(6000))
    drawn = proposals(build("random"), history)
    counts = [drawn.count(setting) for setting in LIST]
    assert counts[0] == 0
    # A chi-square test at 0.1 %: a correct generator fails it for one seed in a thousand.
    assert chisquare(counts[1:]).pvalue > 0.001


def test_random_draws_anew_at_every_visit() -> None:
    first = proposals(build("random"), history_of(40, patients=range(500)))
    second = proposals(build("random"), history_of(40, (OFF, 9, 0), patients=range(500)))
    # Two independent draws from 12 agree for about 500 / 12 = 42 patients, standard deviation 6.
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 42 + 4 * 6


def test_grid_visits_an_even_spread_and_keeps_the_best_one_seen() -> None:
    grid = build("grid", n_settings=4)
    visits: list[tuple[Setting, int | None, int]] = []
    for count in (9, 4, None, 7):
        setting = next_of(grid, history_of(40, *visits))
        assert setting is not None
        visits.append((setting, count, 0))
    tried = [setting for setting, _, _ in visits]
    assert len(set(tried)) == 4
    assert next_of(grid, history_of(40, *visits)) == tried[1]


@pytest.mark.parametrize("name", READY)
def test_what_is_recommended_was_delivered_or_is_on_the_list(name: str) -> None:
    controller = build(name)
    history = random_history(8, list(range(20)), 8)
    allowed = np.ones((20, len(LIST)), dtype=np.bool_)
    found = controller.recommend(controller.init(CONTEXT), history, allowed)[1]
    assert len(found) == 20
    assert set(found) <= {*LIST, None}
    alone = controller.recommend(
        controller.init(CONTEXT), history.rows(np.array([3])), allowed[:1]
    )[1]
    assert alone[0] == found[3]


def test_without_a_model_the_fewest_seizures_a_day_are_recommended() -> None:
    visits = [(at(0, 1000), 9, 0), (at(0, 2000), 8, 0), (at(0, 1000), 2, 0), (OFF, None, 0)]
    for name in ("grid", "sobol", "coordinate", "random"):
        controller = build(name)
        allowed = np.ones((1, len(LIST)), dtype=np.bool_)
        found = controller.recommend(controller.init(CONTEXT), history_of(40, *visits), allowed)[1]
        assert found == [at(0, 1000)]  # 11 in two visits, against 8 in one


def test_coordinate_search_varies_one_field_at_a_time_and_keeps_the_best() -> None:
    search = build("coordinate", n_values=2)
    visits: list[tuple[Setting, int | None, int]] = []
    for count in (9, 3, 5, 4, 8, 1):
        setting = next_of(search, history_of(40, *visits))
        assert setting is not None
        visits.append((setting, count, 0))
    sites, amplitudes, frequencies = visits[:2], visits[2:4], visits[4:]
    assert {s.site for s, _, _ in sites} == {0, 1}
    assert {s.site for s, _, _ in amplitudes} == {1}
    assert len({s.amplitude_ua for s, _, _ in amplitudes}) == 2
    assert {(s.site, s.amplitude_ua) for s, _, _ in frequencies} == {
        (1, amplitudes[1][0].amplitude_ua)
    }
    assert len({s.frequency_hz for s, _, _ in frequencies}) == 2


def test_sobol_visits_settings_once_each_and_then_stays_on_the_best() -> None:
    sobol = build("sobol", n_settings=8)
    visits: list[tuple[Setting, int | None, int]] = []
    for count in (9, 4, 7, 6, 8, 9, 9, 5):
        setting = next_of(sobol, history_of(40, *visits))
        assert setting is not None
        visits.append((setting, count, 0))
    tried = [setting for setting, _, _ in visits]
    assert len(set(tried)) == 8
    assert len({s.site for s in tried}) == 2
    assert next_of(sobol, history_of(40, *visits)) == tried[1]


def test_gp_recommends_what_clearly_works_and_leaves_what_clearly_harms() -> None:
    good, bad = at(0, 2000, 5), at(1, 3000, 145)
    history = history_of(80, *[(good, 2, 0), (bad, 70, 0)] * 5)
    for name in ("gp", "gp-safe", "gp-drifting", "thompson", "random-posterior"):
        gp = build(name, limit_beta=0.0)
        allowed = np.ones((1, len(LIST)), dtype=np.bool_)
        assert gp.recommend(gp.init(CONTEXT), history, allowed)[1] == [good]
        allowed[0, LIST.index(good)] = False
        assert gp.recommend(gp.init(CONTEXT), history, allowed)[1] != [bad]


def test_gp_leaves_out_what_bothered_the_patient_at_that_site() -> None:
    for acquisition in ("log_expected_improvement", "upper_confidence_bound", "thompson"):
        gp = build("gp", acquisition=acquisition)
        history = history_of(80, (at(0, 2000, 5), 1, 2), (at(1, 1000, 5), 60, 3))
        chosen = next_of(gp, history)
        assert chosen is not None
        assert chosen.is_off or (chosen.site == 0 and chosen.amplitude_ua < 2000)


def test_gp_safe_starts_low_and_leaves_what_may_harm() -> None:
    safe = build("gp-safe")
    first = next_of(safe, history_of(80))
    assert first is not None
    assert first.amplitude_ua < 3000
    bothered = history_of(80, *[(at(0, 1000, 5), 10, 2)] * 3)
    assert next_of(safe, bothered) == OFF


def test_gp_told_visit_by_visit_is_gp_told_at_once() -> None:
    gp = build("gp-safe", cycle_days=(28.0,))
    patients = list(range(12))
    state = gp.init(CONTEXT)
    for n_epochs in range(1, 14):
        history = random_history(5, patients, n_epochs)
        allowed = np.ones((12, len(LIST)), dtype=np.bool_)
        state, chosen = gp.propose(state, history, allowed)
        assert list(chosen) == proposals(gp, history)
        some = np.array([7, 2, 9])
        assert list(gp.propose(state, history.rows(some), allowed[:3])[1]) == [
            chosen[b] for b in some
        ]


@pytest.fixture
def learned(tmp_path: Path) -> Context:
    """A folder with a prior that thinks highly of one setting and ill of all the others."""
    encoded = Encoding.of(LIST).settings(LIST)
    effects = device_prior(encoded, wash_in=5.0, concentrations=(0.5,))
    mean = torch.full_like(effects.mean, 0.3)
    mean[:, 0], mean[:, LIST.index(at(1, 2000, 5))] = 0.0, -0.7
    covariance = Dense(effects.table[:1].expand_as(effects.table))
    effects = replace(effects, mean=mean, covariance=covariance, level_mean=-1 + 0 * effects.keep)
    path = tmp_path / "prior.safetensors"
    write_prior(path, LIST, effects, side_effect_prior(encoded), [7, 3, 5], {"patients": 200})
    return Context(candidates=LIST, seed=3, folder=tmp_path)


@pytest.mark.parametrize("name", ["population-best", "gp", "gp-safe", "gp-drifting", "thompson"])
def test_a_learned_prior_is_where_a_controller_starts(name: str, learned: Context) -> None:
    beta = {"beta": 0.1} if name.startswith("gp") else {}
    loose = {"unsafe_probability": 0.5, "limit_beta": 0.0} if name == "gp-safe" else {}
    controller = build(name, prior="prior.safetensors", **beta, **loose)
    known = controller.init(learned)
    history = history_of(40, patients=range(30))
    allowed = np.ones((30, len(LIST)), dtype=np.bool_)
    chosen = controller.propose(known, history, allowed)[1]
    assert list(chosen).count(at(1, 2000, 5)) > 15
    assert set(controller.recommend(known, history, allowed)[1]) == {at(1, 2000, 5)}


def test_the_first_visits_go_to_what_was_learned_to_try_first(learned: Context) -> None:
    gp = build("gp", prior="prior.safetensors", n_anchors=2)
    known, visits = gp.init(learned), []
    allowed = np.ones((1, len(LIST)), dtype=np.bool_)
    for anchor in (7, 3):
        history = history_of(40, *visits)
        assert gp.propose(known, history, allowed)[1] == [LIST[anchor]]
        visits.append((LIST[anchor], 18, 0))
    assert gp.propose(known, history_of(40, *visits), allowed)[1] != [LIST[5]]
    allowed[0, 7] = False
    assert gp.propose(known, history_of(40), allowed)[1] != [LIST[7]]


def test_a_prior_that_is_not_there_or_of_another_list_is_one_sentence(learned: Context) -> None:
    for name in ("gp", "population-best"):
        with pytest.raises(InputError, match=r"elsewhere\.safetensors: cannot be read"):
            build(name, prior="elsewhere.safetensors").init(learned)
        shorter = replace(learned, candidates=LIST[:-1])
        with pytest.raises(InputError, match="13 settings, and the design has 12"):
            build(name, prior="prior.safetensors").init(shorter)


def test_the_shipped_prior_is_about_the_demonstrations_list() -> None:
    plan = make_plan(load_design("demo", {"population.n_patients": 1}), seed=1, compute="cpu")
    learned = load_prior(prior_path("demo", Path()), plan.candidates)
    assert learned.about["n_patients"] == 200
    best = build("population-best", prior="demo").init(plan.context)
    assert best in plan.candidates[1:]
    with pytest.raises(InputError, match=r"prior = 'dem': demo or a path to a \.safetensors file"):
        build("gp", prior="dem").init(plan.context)


def test_trade_offs_are_what_nothing_beats() -> None:
    gp = build("gp-safe")
    history = random_history(5, list(range(4)), 10)
    known = gp.init(CONTEXT)
    _, told = known.beliefs.after(history)
    allowed = np.ones((4, len(LIST)), dtype=np.bool_)
    allowed[:, 5] = False
    for points in trade_offs(known.tables, told, allowed):
        assert points
        assert LIST[5] not in [point.setting for point in points]
        ratios = [point.rate_ratio for point in points]
        assert ratios == sorted(ratios)
        assert points[-1].setting == OFF  # costs nothing and harms nobody
        assert points[-1].power_uw_per_kohm == 0
        for one in points:
            for other in points:
                is_beaten = (
                    other.rate_ratio < one.rate_ratio
                    and other.power_uw_per_kohm < one.power_uw_per_kohm
                    and (other.side_effect_probability or 0) < (one.side_effect_probability or 0)
                )
                assert not is_beaten


@pytest.mark.parametrize(
    ("name", "options"), [("gp", {}), ("gp-safe", {}), ("gp", {"perturbed_ticks": 1})]
)
def test_an_explanation_is_of_what_is_recommended_and_proposed(
    name: str, options: dict[str, Any]
) -> None:
    gp = build(name, **options)
    history = random_history(5, list(range(6)), 12)
    allowed = np.ones((6, len(LIST)), dtype=np.bool_)
    known = gp.init(CONTEXT)
    _, recommended = gp.recommend(known, history, allowed)
    _, proposed = gp.propose(known, history, allowed)
    found = explain(gp, known, history, allowed)
    assert [each.proposed for each in found] == proposed
    assert [each.n_told for each in found] == history.n_epochs.tolist()
    for each, setting in zip(found, recommended, strict=True):
        assert each.n_dropped == 0
        assert each.recommended is not None
        assert each.recommended.setting == setting
        assert each.runner_up != setting
        assert (each.runner_up is None) == (each.n_left_out == len(LIST) - 1)
        assert (each.runner_up is None) == (each.margin is None)
        assert each.intent == ("exploit" if each.proposed == setting else "explore")
        low, high = each.recommended.rate_interval
        assert 0 < low < each.recommended.rate_per_28_days < high
        least, most = each.recommended.reduction_interval
        assert least <= each.recommended.reduction <= most <= 1
        assert each.margin is None or 0 <= each.margin < 1
        assert (each.n_left_out > 0) <= (name == "gp-safe" or bool(history.worst_grade.max() >= 2))
    assert len({each.recommended.setting for each in found}) > 1


def test_an_explanation_says_how_sure_it_is() -> None:
    """Where one setting halves the rate for a year, it is recommended with little doubt."""
    gp = build("gp")
    good = at(1, 2000, 145)
    treated = history_of(80, *[(good, 10, 0)] * 12)
    allowed = np.ones((1, len(LIST)), dtype=np.bool_)
    [sure] = explain(gp, gp.init(CONTEXT), treated, allowed)
    assert sure.recommended.setting == good
    assert sure.recommended.probability_of_improvement > 0.95
    assert sure.recommended.reduction_interval[0] > 0
    assert sure.recommended.rate_per_28_days == pytest.approx(10, rel=0.3)
    [unsure] = explain(gp, gp.init(CONTEXT), history_of(80, *[(OFF, 40, 0)] * 12), allowed)
    assert unsure.recommended.setting == OFF
    assert unsure.recommended.reduction_interval == (0.0, 0.0)
    assert unsure.recommended.rate_per_28_days == pytest.approx(40, rel=0.15)


def test_a_front_is_what_a_plain_search_finds() -> None:
    objectives = np.random.default_rng(1).integers(0, 6, (60, 3)).astype(float)
    plain = [
        m
        for m in range(60)
        if not any(
            (objectives[o] <= objectives[m]).all() and (objectives[o] < objectives[m]).any()
            for o in range(60)
        )
    ]
    found = front(objectives, np.arange(60))
    assert {tuple(objectives[m]) for m in found} == {tuple(objectives[m]) for m in plain}


def test_one_milliampere_at_100_hz_and_100_us_costs_ten_microwatts() -> None:
    setting = Setting(site=0, amplitude_ua=1000, frequency_hz=100, pulse_width_us=100)
    assert power_uw_per_kohm(setting) == pytest.approx(10.0)


def test_gp_dwells_and_rises_in_steps() -> None:
    patient = build("gp", dwell_epochs=3)
    visits = [(at(0, 2000, 5), 30, 0)]
    assert next_of(patient, history_of(80, *visits)) == at(0, 2000, 5)
    assert next_of(patient, history_of(80, *visits * 2)) == at(0, 2000, 5)
    assert next_of(patient, history_of(80, *visits * 3)) != at(0, 2000, 5)
    steady = build("gp", largest_rise_ua=1000)
    first = next_of(steady, history_of(80))
    assert first is not None
    assert first.amplitude_ua <= 1000


def test_gp_stays_near_what_the_gate_lowered() -> None:
    """The gate may deliver an amplitude between two of the list; that is not off."""
    lowered = Setting(site=0, amplitude_ua=2100, frequency_hz=5, pulse_width_us=90)
    history = history_of(80, (lowered, 30, 0))
    assert next_of(build("gp", dwell_epochs=3), history) == at(0, 2000, 5)
    risen = next_of(build("gp", largest_rise_ua=900), history)
    assert risen is not None
    assert risen.amplitude_ua <= 3000
    assert next_of(build("gp", largest_rise_ua=900, dwell_epochs=3), history) == at(0, 2000, 5)


def test_the_generic_share_of_a_learned_prior_stays_whole(learned: Context) -> None:
    """With particles as even as these, one by one all generic ones are rare."""
    start = generic_start(LIST, 18.0, (0.1, 0.3, 1.0, 3.0))
    write_prior(
        learned.folder / "even.safetensors", LIST, start["effects"], start["side_effects"], [], {}
    )
    effects = build("gp", prior="even.safetensors").init(learned).tables.effects
    weight = torch.softmax(effects.log_weight, 0)
    assert float(weight[4:].sum()) == pytest.approx(0.1)
    assert float(weight[:4].min()) == pytest.approx(0.225)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("gp", {"acquisition": "best"}, "acquisition = 'best'"),
        ("gp", {"beta": "1"}, "beta = '1'"),
        ("gp", {"beta": 0.0}, "beta = 0.0"),
        ("gp", {"wash_in_days": float("nan")}, "wash_in_days = nan"),
        ("gp", {"keeps_per_week": (-1.0,)}, "keeps_per_week"),
        ("gp", {"keeps_per_week": (1.0, 1.5)}, "keeps_per_week"),
        ("gp", {"cycle_days": (0.0,)}, "cycle_days"),
        ("gp", {"colour": 1}, "colour = 1: this key is unknown"),
        ("grid", {"n_settings": 0}, "n_settings = 0"),
        ("fixed", {}, "setting is missing"),
        ("fixed", {"setting": {"site": 0}}, "amplitude_ua"),
        ("fixed", {"setting": FIXED["setting"] | {"site": 1.0}}, "site = 1.0"),
        ("fixed", {"setting": FIXED["setting"] | {"mode": "pulsing"}}, "pulsing"),
        ("titration", {"target_reduction": 1.5}, "target_reduction = 1.5"),
        ("clairvoyant", {}, "one of sham, fixed, population-best"),
    ],
)
def test_a_bad_option_is_named_with_its_value(
    name: str, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        build_controller(name, options, "arms.one")
    assert sentence in str(caught.value)


def test_a_fixed_setting_that_is_not_on_the_list_is_refused() -> None:
    elsewhere = build("fixed", setting=FIXED["setting"] | {"site": 7})
    with pytest.raises(InputError, match="site 7"):
        elsewhere.init(CONTEXT)
