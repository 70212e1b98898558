"""Ask and tell: every promise of `neurostim.Optimizer`, on tables and on a device."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement, UpperConfidenceBound
from hypothesis import given, settings
from hypothesis import strategies as st

import neurostim
from neurostim.optimizer import Optimizer
from neurostim.optimizer import state as state_module
from neurostim.surrogate.contrast import Mixture
from neurostim.surrogate.refit import refit
from neurostim.surrogate.table_prior import Columns, table_prior
from protocols import OFF, InputError, ParameterSpace, Setting
from safety import is_deliverable, load_envelope

GRID = [(x / 7, y / 5) for x in range(8) for y in range(6)]
SPACE = ParameterSpace(
    site=(0, 1),
    amplitude_ua=(500, 1000, 2000, 4000, 8000, 9999),  # the last is not a tick of the envelope
    frequency_hz=(20, 50, 130),
    pulse_width_us=(90,),
)


def height(row: tuple[float, ...]) -> float:
    return float(np.exp(-((row[0] - 0.57) ** 2 + (row[1] - 0.4) ** 2) / 0.08))


def on_grid(**options: Any) -> Optimizer:
    return Optimizer(GRID, **{"goal": "maximize", "likelihood": "gaussian"} | options)


def on_device(**options: Any) -> Optimizer:
    return Optimizer(SPACE, **{"envelope": "research"} | options)


def play(optimizer: Optimizer, n: int, seed: int = 0, noise: float = 0.3) -> list[Any]:
    """Let a single subject answer n times; what was asked."""
    rng = np.random.default_rng(seed)
    asked = []
    for _ in range(n):
        asked.append(optimizer.ask())
        optimizer.tell(asked[-1], 50 + 9 * (height(asked[-1]) + noise * rng.normal()))
    return asked


def next_asks(optimizer: Optimizer, n: int = 4) -> list[Any]:
    return [optimizer.ask() for _ in range(n)]


def test_a_replay_on_a_recorded_map_is_ten_lines() -> None:
    recorded = {row: [9 * height(row) + luck for luck in (-1.0, 0.0, 1.5)] for row in GRID}
    optimizer = neurostim.Optimizer(list(recorded), goal="maximize", likelihood="gaussian")
    for turn in range(40):
        setting = optimizer.ask()
        optimizer.tell(setting, recorded[setting][turn % 3])
    found = optimizer.recommend()
    assert height(found.setting) > 0.9
    assert found.interval[0] < 9 * height(found.setting) + 1 / 6 < found.interval[1]
    assert found.probability_of_improvement > 0.95


def test_a_table_is_unguarded_and_says_so() -> None:
    assert not on_grid().guarded
    assert "guarded = False" in repr(on_grid())


def test_a_device_is_only_asked_within_its_envelope() -> None:
    with pytest.raises(InputError, match="envelope: none is given"):
        Optimizer(SPACE)
    with pytest.raises(InputError, match="envelope: none is given"):
        Optimizer(list(SPACE))
    optimizer, envelope = on_device(), load_envelope("research")
    assert optimizer.guarded
    assert "envelope 'research'" in repr(optimizer)
    assert optimizer.settings[0] == OFF
    assert all(is_deliverable(each, envelope) for each in optimizer.settings)
    assert len(optimizer.settings) < len(SPACE)
    for turn in range(30):
        setting = optimizer.ask()
        assert is_deliverable(setting, envelope)
        optimizer.tell(setting, turn % 7, exposure=28.0)
    strange = Setting(site=0, amplitude_ua=9999, frequency_hz=20, pulse_width_us=90)
    for each in (strange, np.array([1, 2]), "off"):
        with pytest.raises(InputError, match="not on the list"):
            optimizer.tell(each, 1)


def test_a_table_takes_no_envelope() -> None:
    with pytest.raises(InputError, match="a table of numbers is not guarded"):
        Optimizer(GRID, envelope="research")


@pytest.mark.parametrize(
    ("setting", "value", "exposure", "side_effect", "sentence"),
    [
        (GRID[3], float("nan"), 1, None, "value = nan: a finite number"),
        (GRID[3], float("inf"), 1, None, "value = inf: a finite number"),
        (GRID[3], 10**400, 1, None, "value = inf"),
        (GRID[3], "5", 1, None, "value = '5': a number"),
        (GRID[3], True, 1, None, "value = True: a number"),
        (GRID[3], -1, 1, None, "value = -1: a count"),
        (GRID[3], 2.5, 1, None, "value = 2.5: a count"),
        (GRID[3], 3, 0, None, "exposure = 0: more than 0"),
        (GRID[3], 3, -2, None, "exposure = -2: more than 0"),
        (GRID[3], 3, float("nan"), None, "exposure = nan"),
        (GRID[3], 3, 1, 9, "side_effect = 9: a grade"),
        (GRID[3], 3, 1, "yes", "side_effect = 'yes'"),
        ((0.123, 0.4), 3, 1, None, "is not a row of the table"),
        ((0.1, 0.2, 0.3), 3, 1, None, "2 numbers were expected"),
        ("left", 3, 1, None, "2 numbers were expected"),
        (None, 3, 1, None, "comes without a setting"),
        (None, None, 1, None, "one or more settings were expected"),
    ],
)
def test_bad_input_is_a_sentence_and_changes_nothing(
    setting: Any, value: Any, exposure: Any, side_effect: Any, sentence: str
) -> None:
    optimizer, untouched = (on_grid(likelihood="counts", n_initial=2) for _ in range(2))
    for each in (optimizer, untouched):
        each.tell(GRID[7], 4)
        each.ask()
    with pytest.raises(InputError, match=sentence):
        optimizer.tell(setting, value, exposure, side_effect)
    assert optimizer.recommend() == untouched.recommend()
    assert next_asks(optimizer) == next_asks(untouched)


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ([GRID[0]], [1.0], "setting has 1 entries"),
        ([GRID[0], None], [1.0], "value has 1 entries"),
        ([GRID[0], GRID[1]], [1.0, float("nan")], "subject 1: value = nan"),
        ([None, None], [None, None], "one or more settings"),
        (3, [1.0, 2.0], "setting = 3: a list of 2"),
    ],
)
def test_a_batch_wants_one_entry_for_each_subject(setting: Any, value: Any, sentence: str) -> None:
    optimizer, untouched = on_grid(n_subjects=2), on_grid(n_subjects=2)
    with pytest.raises(InputError, match=sentence):
        optimizer.tell(setting, value)
    assert next_asks(optimizer) == next_asks(untouched)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"goal": "best"}, "goal = 'best'"),
        ({"likelihood": "poisson"}, "likelihood = 'poisson'"),
        ({"acquisition": "magic"}, "acquisition = 'magic'"),
        ({"beta": -1}, "beta = -1"),
        ({"beta": float("nan")}, "beta = nan"),
        ({"n_subjects": 0}, "n_subjects = 0"),
        ({"seed": 0.5}, "seed = 0.5"),
        ({"known_unsafe": GRID}, "nothing is left to ask"),
        ({"known_unsafe": [(9, 9)]}, "not a row of the table"),
        ({"known_unsafe": 5}, "known_unsafe = 5"),
        ({"goal": np.array([1, 2])}, "minimize or maximize"),
        ({"prior": 3}, "prior is a int"),
        ({"prior": table_prior(torch.rand(5, 2).double(), "counts")}, "prior is over 5 settings"),
    ],
)
def test_bad_options_are_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        on_grid(**options)


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ([[1.0, float("nan")], [0, 1]], "NaN or infinity"),
        ([[1.0, 2.0], [1.0, 2.0]], "twice"),
        ([[1.0]], "one setting"),
        ([], "shape"),
        (np.zeros((3, 2, 2)), "shape"),
        (["a", "b"], "a table of numbers"),
        (np.array([1.0, 2j]), "complex numbers"),
        (np.arange(20_000.0), "at most 16384"),
    ],
)
def test_a_bad_table_is_a_sentence(space: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Optimizer(space)


def test_asking_again_asks_for_something_else() -> None:
    optimizer = on_grid()
    play(optimizer, 20)
    asked = next_asks(optimizer, 5)
    assert len(set(asked)) == 5
    assert optimizer.pending == tuple(asked)
    optimizer.tell(asked[1], 55.0)
    assert optimizer.pending == (asked[0], *asked[2:])
    optimizer.tell(asked[0], None)  # nothing came of it
    assert optimizer.pending == tuple(asked[2:])
    assert optimizer.n_told == 21


def test_a_result_never_asked_for_or_late_is_ordinary() -> None:
    optimizer = on_grid()
    first, second = optimizer.ask(), optimizer.ask()
    optimizer.tell(GRID[30], 1.0)
    optimizer.tell(second, 2.0)
    optimizer.tell(first, 3.0)
    assert optimizer.pending == ()
    assert optimizer.n_told == 3


@pytest.mark.parametrize("likelihood", ["gaussian", "counts"])
def test_the_order_of_telling_does_not_matter(likelihood: Any) -> None:
    rng = np.random.default_rng(4)
    told = [
        (GRID[m], int(v), float(e))
        for m, v, e in zip(
            rng.integers(48, size=25), rng.poisson(6, 25), rng.uniform(0.5, 2, 25), strict=True
        )
    ]
    forwards, backwards = (on_grid(likelihood=likelihood) for _ in range(2))
    for each, order in ((forwards, told), (backwards, told[::-1])):
        for setting, value, exposure in order:
            each.tell(setting, value, exposure)
    ours, theirs = forwards.recommend(), backwards.recommend()
    assert ours.setting == theirs.setting
    assert ours.expected == pytest.approx(theirs.expected, rel=1e-5)
    assert ours.improvement_interval == pytest.approx(theirs.improvement_interval, abs=1e-5)


@pytest.mark.parametrize("acquisition", ["upper_confidence_bound", "thompson"])
@pytest.mark.parametrize("likelihood", ["gaussian", "counts"])
def test_a_subject_in_a_batch_is_asked_what_it_is_asked_alone(
    acquisition: Any, likelihood: Any
) -> None:
    options = {"acquisition": acquisition, "likelihood": likelihood, "n_initial": 3}
    batch = on_grid(n_subjects=3, first_subject=5, **options)
    alone = on_grid(first_subject=6, **options)
    rng = np.random.default_rng(1)
    for turn in range(14):
        asked = batch.ask()
        values: list[Any] = [float(each) for each in rng.poisson(7 * (1 + turn % 3), 3)]
        assert alone.ask() == asked[1]
        alone.tell(asked[1], values[1])
        if turn % 4 == 2:
            asked[0], values[0] = None, None  # ragged: no result of this one
        batch.tell(asked, values)
    assert batch.n_told == [11, 14, 14]
    ours, theirs = batch.recommend()[1], alone.recommend()
    assert ours.setting == theirs.setting
    assert ours.expected == pytest.approx(theirs.expected, rel=1e-9)
    assert batch.should_stop()[1] == alone.should_stop()


@pytest.mark.parametrize("n_undone", [1, 3, 12])
@pytest.mark.parametrize("likelihood", ["gaussian", "counts"])
def test_undo_goes_back_exactly(n_undone: int, likelihood: Any) -> None:
    def told(n: int) -> Optimizer:
        optimizer = on_grid(likelihood=likelihood, n_initial=2)
        for turn in range(n):
            optimizer.tell(optimizer.ask(), (turn * 5) % 11, side_effect=turn % 5 == 4)
        return optimizer

    optimizer, reference = told(14), told(14 - n_undone)
    if n_undone < 14:
        reference.ask()  # it was asked before the first result that is taken back
    for _ in range(n_undone):
        optimizer.undo()
    assert optimizer.n_told == 14 - n_undone
    assert next_asks(optimizer) == next_asks(reference)
    assert optimizer.recommend() == reference.recommend()


def test_undo_without_a_result_is_a_sentence() -> None:
    with pytest.raises(InputError, match="nothing was told yet"):
        on_grid().undo()


@pytest.mark.parametrize("kind", ["table", "device", "prior", "batch"])
def test_a_loaded_optimizer_goes_on_exactly(kind: str, tmp_path: Path) -> None:
    prior = table_prior(torch.tensor(GRID, dtype=torch.float64), "counts")
    optimizer = {
        "table": lambda: on_grid(known_unsafe=[GRID[5]], reference=GRID[0]),
        "device": on_device,
        "prior": lambda: on_grid(prior=prior, likelihood="counts", acquisition="thompson"),
        "batch": lambda: on_grid(n_subjects=2),
    }[kind]()
    for turn in range(12):
        asked = optimizer.ask()
        if kind == "batch":
            optimizer.tell(asked, [None if turn == 3 else 0.1 * turn, -1.0 * turn])
        else:
            optimizer.tell(asked, turn % 6, exposure=1.5, side_effect=turn % 3 == 1)
    optimizer.ask()  # one is pending
    optimizer.save(tmp_path / "subject.npz")
    loaded = Optimizer.load(tmp_path / "subject.npz")
    assert repr(loaded) == repr(optimizer)
    assert loaded.pending == optimizer.pending
    assert loaded.recommend() == optimizer.recommend()
    assert next_asks(loaded) == next_asks(optimizer)
    loaded.undo()
    optimizer.undo()
    assert next_asks(loaded) == next_asks(optimizer)


def test_what_is_not_a_saved_optimizer_is_a_sentence(tmp_path: Path) -> None:
    for name, content in (("text.npz", b"hello"), ("empty.npz", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="not a saved optimizer"):
            Optimizer.load(tmp_path / name)
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="not a saved optimizer"):
        Optimizer.load(tmp_path / "other.npz")
    with pytest.raises(InputError, match="not a saved optimizer"):
        Optimizer.load(tmp_path / "missing.npz")


def test_an_acquisition_of_ones_own_scores_the_list_and_is_not_saved(tmp_path: Path) -> None:
    def improvement(model: Any) -> LogExpectedImprovement:
        return LogExpectedImprovement(model, best_f=model.list_mean.amax(1, keepdim=True))

    optimizer = on_grid(acquisition=improvement)
    asked = play(optimizer, 30)
    assert len(set(asked)) > 10
    with pytest.raises(InputError, match="acquisition of your own"):
        optimizer.save(tmp_path / "mine.npz")


@pytest.mark.parametrize("acquisition", ["log_expected_improvement", "thompson"])
def test_the_other_acquisitions_find_the_peak(acquisition: Any) -> None:
    optimizer = on_grid(acquisition=acquisition)
    play(optimizer, 40)
    assert height(optimizer.recommend().setting) > 0.6


def test_what_is_known_to_be_unsafe_is_never_asked_nor_recommended() -> None:
    unsafe = [row for row in GRID if height(row) > 0.6]
    optimizer = on_grid(known_unsafe=unsafe)
    asked = play(optimizer, 30)
    asked += next_asks(optimizer, 10)
    assert not {*asked} & {*unsafe}
    optimizer.tell(unsafe[0], 99.0)  # it happened all the same
    assert optimizer.recommend().setting not in unsafe


def test_side_effects_rule_out_what_is_at_or_above_them() -> None:
    optimizer = on_device()
    strong = Setting(site=1, amplitude_ua=2000, frequency_hz=50, pulse_width_us=90)
    optimizer.tell(strong, 3, exposure=7, side_effect=2)
    for _ in range(25):
        setting = optimizer.ask()
        assert not (setting.site == 1 and setting.amplitude_ua >= 2000)
        optimizer.tell(setting, 3, exposure=7, side_effect=0)
    found = optimizer.recommend().setting
    assert not (found.site == 1 and found.amplitude_ua >= 2000)


def test_a_device_whose_every_setting_bothers_is_asked_to_be_off() -> None:
    optimizer = on_device()
    for setting in optimizer.settings[1:]:
        optimizer.tell(setting, 1, side_effect=True)
    assert optimizer.ask() == OFF
    assert optimizer.recommend().setting == OFF


def test_a_table_whose_every_row_bothers_has_nothing_to_ask() -> None:
    optimizer = Optimizer([0.0, 1.0, 2.0])
    for setting in optimizer.settings:
        optimizer.tell(setting, 1, side_effect=True)
    assert optimizer.ask() is None


def test_side_effects_over_a_table_are_avoided_nearby() -> None:
    optimizer, rng = on_grid(), np.random.default_rng(2)
    n_harms = 0
    for _ in range(40):
        setting = optimizer.ask()
        is_harm = setting[0] > 0.6
        n_harms += is_harm
        optimizer.tell(setting, rng.normal(), side_effect=is_harm)
    assert n_harms < 8  # of 40, where a random search would do 17


def test_the_recommendation_is_not_the_luckiest_result() -> None:
    optimizer, rng = on_grid(), np.random.default_rng(3)
    for _ in range(3):
        for row in GRID:
            optimizer.tell(row, 9 * height(row) + rng.normal())
    optimizer.tell((0.0, 1.0), 13.0)  # lucky once, in a corner
    assert height(optimizer.recommend().setting) > 0.85


@pytest.mark.parametrize("likelihood", ["gaussian", "counts"])
def test_on_nothing_but_noise_little_is_claimed(likelihood: Any) -> None:
    n = 40
    optimizer, rng = on_grid(likelihood=likelihood, n_subjects=n), np.random.default_rng(8)
    for _ in range(40):
        optimizer.tell(optimizer.ask(), list(rng.poisson(8.0, n).astype(float)))
    lows, highs = np.array([each.improvement_interval for each in optimizer.recommend()]).T
    covers = (lows <= 0) & (highs >= 0)
    assert covers.mean() >= 0.85


def test_it_stops_when_nothing_is_left_to_gain() -> None:
    sharp = on_grid(n_initial=6)
    assert sharp.should_stop() is None
    play(sharp, 60, noise=0.01)
    assert sharp.should_stop() == "converged"
    flat = on_grid(likelihood="counts", n_initial=6, tolerance=0.05)
    for _ in range(60):
        flat.tell(flat.ask(), 400)
    assert flat.should_stop() == "neutral"


@settings(max_examples=25)
@given(
    shift=st.floats(-1e6, 1e6),
    scale=st.floats(1e-3, 1e3),
    values=st.lists(st.integers(-50, 50), min_size=2, max_size=12).filter(
        lambda each: len(set(each)) > 1
    ),
)
def test_units_do_not_matter(shift: float, scale: float, values: list[int]) -> None:
    plain, other = on_grid(n_initial=0), on_grid(n_initial=0)
    for place, value in enumerate(values):
        plain.tell(GRID[(7 * place) % 48], value / 10)
        other.tell(GRID[(7 * place) % 48], shift + scale * value / 10)
    ours, theirs = plain.recommend(), other.recommend()
    assert theirs.improvement == pytest.approx(scale * ours.improvement, rel=1e-3, abs=1e-4 * scale)
    assert theirs.expected == pytest.approx(
        shift + scale * ours.expected, rel=1e-6, abs=1e-3 * scale
    )


def test_standardising_anew_is_exact() -> None:
    optimizer, rng = on_grid(n_subjects=2), np.random.default_rng(5)
    for turn in range(20):
        asked, values = optimizer.ask(), list(rng.normal(size=2) * 10 ** (turn / 10))
        if turn % 4 == 1:
            asked[1], values[1] = None, None
        optimizer.tell(asked, values, exposure=list(rng.uniform(0.5, 2.0, 2)))
    belief = optimizer.model().belief
    exact, again = refit(belief), optimizer._state.belief
    for name in ("mean", "log_weight", "extra_mean", "variance"):
        torch.testing.assert_close(getattr(again, name), getattr(exact, name), rtol=1e-6, atol=1e-6)


@settings(max_examples=40)
@given(
    likelihood=st.sampled_from(["gaussian", "counts"]),
    values=st.lists(
        st.one_of(
            st.floats(-1e150, 1e150, allow_nan=False),
            st.floats(-1e-300, 1e-300),
            st.integers(0, 10**9),
        ),
        min_size=1,
        max_size=8,
    ),
    exposure=st.floats(1e-3, 1e4),
)
def test_wild_values_leave_a_sound_answer(
    likelihood: Any, values: list[float], exposure: float
) -> None:
    optimizer = on_grid(likelihood=likelihood, n_initial=2)
    for value in values:
        number = min(abs(int(value)), 10**9) if likelihood == "counts" else value
        setting = optimizer.ask()
        assert setting in optimizer.settings
        optimizer.tell(setting, number, exposure)
    found = optimizer.recommend()
    numbers = [found.expected, *found.interval, found.improvement, *found.improvement_interval]
    assert np.isfinite(numbers).all()
    assert 0 <= found.probability_of_improvement <= 1


@settings(max_examples=30)
@given(
    table=st.lists(
        st.tuples(st.floats(-1e9, 1e9), st.integers(0, 4), st.sampled_from([0.0, 1e-12, 7.0])),
        min_size=2,
        max_size=12,
        unique=True,
    )
)
def test_any_table_of_numbers_will_do(table: list[tuple[float, ...]]) -> None:
    optimizer = Optimizer(table, likelihood="gaussian")
    for _ in range(len(table) + 2):
        setting = optimizer.ask()
        assert setting in optimizer.settings
        optimizer.tell(setting, setting[0])
    assert optimizer.recommend().setting in optimizer.settings


def test_columns_are_read_as_amounts_logarithms_or_names() -> None:
    table = torch.tensor([[1.0, 0, 5], [10, 1, 5], [100, 2, 5], [1000, 0, 5]]).double()
    columns = Columns.of(table)
    assert columns.unit.shape == (4, 2)  # the constant column says nothing
    torch.testing.assert_close(columns.unit[:, 0], torch.tensor([0, 1, 2, 3]).double() / 3)
    assert columns.is_category == (False, True)


def test_a_prior_of_a_table_has_particles_from_pure_noise_to_pure_signal() -> None:
    prior = table_prior(torch.tensor(GRID).double(), "gaussian")
    ratio = (prior.variance.mean(1).sqrt() / prior.dispersion).tolist()
    assert prior.n_particles <= 16
    assert min(ratio) < 0.06
    assert max(ratio) > 9
    torch.testing.assert_close(  # surface and noise add up to the spread of the responses
        prior.variance.mean(1) + prior.dispersion.square(), torch.ones(16).double()
    )


def test_an_explanation_is_data() -> None:
    optimizer = on_grid()
    play(optimizer, 30)
    why = optimizer.explain()
    assert why.n_told == 30
    assert why.next_setting == optimizer.ask()
    assert why.recommended != why.runner_up
    assert 0 <= why.probability_over_runner_up <= 1
    assert why.intent in ("explore", "exploit")
    assert why.signal_to_noise > 0.3
    assert "runner-up" in why.would_change


def test_a_reference_of_ones_own_is_what_improvement_is_counted_from() -> None:
    optimizer = on_grid(reference=(0.0, 0.0))
    for _ in range(4):
        for row in GRID:
            optimizer.tell(row, 9 * height(row))
    found = optimizer.recommend()
    assert found.reference == (0.0, 0.0)
    assert found.improvement == pytest.approx(9 * (height(found.setting) - height((0, 0))), abs=1)


def test_quantiles_of_a_mixture() -> None:
    mixture = Mixture(
        weight=torch.tensor([[0.5, 0.5]]),
        mean=torch.tensor([[0.0, 10.0]]),
        variance=torch.tensor([[1.0, 1.0]]),
    )
    assert float(mixture.quantile(0.25)) == pytest.approx(0.0, abs=1e-4)
    assert float(mixture.below(torch.tensor([5.0]))) == pytest.approx(0.5, abs=1e-5)
    assert float(mixture.expected()) == pytest.approx(5.0)


def test_a_large_list_is_no_trouble() -> None:
    table = np.stack(np.meshgrid(np.arange(64.0), np.arange(32.0)), -1).reshape(-1, 2)
    optimizer = Optimizer(table, likelihood="gaussian", n_initial=4)
    for turn in range(8):
        optimizer.tell(optimizer.ask(), float(turn % 3))
    assert optimizer.recommend().setting in optimizer.settings


@pytest.mark.parametrize("score", [float("nan"), -float("inf")])
def test_without_a_score_nothing_unsafe_is_asked(score: float) -> None:
    def blind(model: Any) -> Any:
        return lambda points: torch.full(points.shape[:-2], score)

    optimizer = on_grid(n_initial=0, known_unsafe=GRID[:2], acquisition=blind)
    assert optimizer.ask() == GRID[2]


def test_when_nothing_is_allowed_nothing_is_recommended() -> None:
    optimizer = Optimizer([0.0, 1.0, 2.0], known_unsafe=[0.0])
    for setting in optimizer.settings[1:]:
        optimizer.tell(setting, 1, side_effect=True)
    assert optimizer.ask() is None
    assert optimizer.recommend() is None
    found = optimizer.explain()
    assert (found.recommended, found.runner_up, found.next_setting) == (None, None, None)


def test_the_runner_up_is_allowed() -> None:
    optimizer = Optimizer([0.0, 1.0, 2.0], known_unsafe=[0.0, 2.0])
    optimizer.tell(1.0, 3)
    found = optimizer.explain()
    assert (found.recommended, found.runner_up) == ((1.0,), None)
    assert "no other setting" in found.would_change


def test_a_subject_without_results_keeps_its_first_settings() -> None:
    batch, alone = on_grid(n_subjects=2), on_grid(first_subject=1)
    for turn in range(16):
        first, second = batch.ask()
        assert second == alone.ask()
        batch.tell([first, None], [float(turn), None])


def test_what_bothered_while_off_rules_out_no_site() -> None:
    optimizer = on_device()
    optimizer.tell(OFF, 3, exposure=28, side_effect=2)
    optimizer.tell(OFF, 3, exposure=28 * 50, side_effect=0)
    asked = next_asks(optimizer, 8)
    assert {setting.site for setting in asked if setting != OFF} == {0, 1}


@pytest.mark.parametrize("unit", [1.0, 24.0, 86_400.0, 86_400e3])
def test_rates_are_found_in_any_unit_of_time(unit: float) -> None:
    found = []
    for scale in (1.0, unit):
        optimizer = Optimizer(GRID, n_initial=0)
        for row in GRID:
            optimizer.tell(row, 30 if height(row) > 0.5 else 60, exposure=28 * scale)
        found.append(optimizer.recommend())
    usual, other = found
    assert other.setting == usual.setting
    assert other.expected * unit == pytest.approx(usual.expected, rel=0.01)
    assert other.improvement == pytest.approx(usual.improvement, abs=0.03)


@pytest.mark.parametrize("exposure", [1e-9, 1e12])
def test_an_exposure_beyond_all_units_is_a_sentence(exposure: float) -> None:
    optimizer = Optimizer(GRID)
    with pytest.raises(InputError, match="take another unit"):
        optimizer.tell(GRID[0], 3, exposure)
    assert optimizer.n_told == 0


def test_what_is_pending_tells_as_much_as_results_do() -> None:
    """Two asks are as far apart when days are told in one result as when in 28."""
    optimizer = on_device()
    for setting in optimizer.settings[::3]:
        optimizer.tell(setting, 8, exposure=28)
    before = optimizer.model().list_variance[0]
    place = optimizer.index_of(optimizer.ask())
    imagined = state_module.imagined(optimizer._state)
    after = (imagined.weight[..., None] * imagined.variance).sum(1)[0]
    told = on_device()
    for setting in optimizer.settings[::3]:
        told.tell(setting, 8, exposure=28)
    told.tell(optimizer.settings[place], 8, exposure=28)
    truly = told.model().list_variance[0]
    assert float(after[place]) < float(before[place])
    assert float(after[place]) == pytest.approx(float(truly[place]), rel=0.35)


def test_damage_to_a_saved_optimizer_is_a_sentence(tmp_path: Path) -> None:
    optimizer = on_grid()
    play(optimizer, 6)
    optimizer.save(tmp_path / "whole.npz")
    whole, rng = (tmp_path / "whole.npz").read_bytes(), np.random.default_rng(1)
    n_refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 4):
            damaged[place] = rng.integers(0, 256)
        (tmp_path / "damaged.npz").write_bytes(damaged)
        try:
            Optimizer.load(tmp_path / "damaged.npz")
        except InputError:
            n_refused += 1
    assert n_refused > 40  # the others were hit where a zip file has room


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("options", {"zzz": 1}),
        ("options", None),
        ("pending", []),
        ("n_asks", 5),
        ("envelope", {}),
        ("exposure", np.array([[-1.0]])),
        ("index", np.array([[-3]])),
        ("index", np.array([[99]])),
        ("has_setting", np.array([[1]])),
        ("harm", np.zeros((2, 1))),
        ("table", None),
    ],
)
def test_a_saved_optimizer_with_another_content_is_a_sentence(
    name: str, value: Any, tmp_path: Path
) -> None:
    optimizer = on_grid()
    play(optimizer, 1)
    optimizer.save(tmp_path / "whole.npz")
    with np.load(tmp_path / "whole.npz") as file:
        arrays = {each: file[each] for each in file.files}
    document = json.loads(str(arrays["document"]))
    if name in document:
        document[name] = value
    elif value is None:
        del arrays[name]
    else:
        arrays[name] = value
    arrays["document"] = np.array(json.dumps(document))
    np.savez_compressed(tmp_path / "other.npz", **arrays)
    with pytest.raises(InputError, match="saved optimizer"):
        Optimizer.load(tmp_path / "other.npz")


def test_a_loaded_prior_has_the_types_it_was_saved_with(tmp_path: Path) -> None:
    prior = table_prior(torch.tensor(GRID, dtype=torch.float64), "counts")
    on_grid(prior=prior).save(tmp_path / "subject.npz")
    loaded = Optimizer.load(tmp_path / "subject.npz")._prior
    assert loaded is not None
    for name in ("wander_sd", "wander_keep", "n_levels", "has_drift"):
        assert type(getattr(loaded, name)) is type(getattr(prior, name))


@pytest.mark.parametrize("likelihood", ["gaussian", "counts"])
def test_while_little_is_known_every_other_ask_goes_where_nothing_was_told(likelihood: Any) -> None:
    optimizer, rng = on_grid(likelihood=likelihood, n_initial=8), np.random.default_rng(4)
    asked = []
    for _ in range(40):
        asked.append(optimizer.ask())
        optimizer.tell(asked[-1], float(rng.poisson(9)))
    assert len(set(asked[:8])) == 8
    assert all(asked[turn] not in asked[:turn] for turn in range(8, 40, 2))


def test_once_the_surface_is_known_the_acquisition_is_left_alone() -> None:
    optimizer = on_grid(n_initial=8)
    asked = play(optimizer, 40, noise=0.01)
    assert len(set(asked[20:])) < 10


def test_without_first_settings_the_acquisition_is_left_alone() -> None:
    optimizer, rng = on_grid(n_initial=0), np.random.default_rng(4)
    for _ in range(20):
        best = UpperConfidenceBound(optimizer.model(), beta=16.0)
        points = torch.tensor(GRID, dtype=torch.float64)[:, None, None]
        scores = best(points)[:, 0].round(decimals=6)
        asked = optimizer.ask()
        assert asked == GRID[int(scores.argmax())]
        optimizer.tell(asked, float(rng.normal()))


@pytest.mark.parametrize("likelihood", ["gaussian", "counts"])
def test_at_low_signal_nothing_is_said_to_have_converged(likelihood: Any) -> None:
    n = 24
    optimizer = on_grid(likelihood=likelihood, n_subjects=n)
    rng = np.random.default_rng(6)
    heights = np.array([height(row) for row in GRID])
    d = 0.1 * 3**0.5 * (heights - heights.mean()) / heights.std()  # of a Poisson noise of rate 3
    for _ in range(40):
        asked = optimizer.ask()
        rates = 3.0 + d[[optimizer.index_of(each) for each in asked]]
        optimizer.tell(asked, list(rng.poisson(rates).astype(float)))
    assert "converged" not in optimizer.should_stop()


def test_to_maximize_is_the_mirror_of_to_minimize() -> None:
    up, down = on_grid(n_subjects=3), on_grid(n_subjects=3, goal="minimize")
    rng = np.random.default_rng(12)
    for _ in range(30):
        asked = up.ask()
        assert down.ask() == asked
        values = rng.normal([height(each) for each in asked], 0.5)
        up.tell(asked, list(values))
        down.tell(asked, list(-values))
    for first, second in zip(up.recommend(), down.recommend(), strict=True):
        assert first.setting == second.setting
        assert first.expected == pytest.approx(-second.expected, rel=1e-9)
        assert first.improvement == pytest.approx(second.improvement, rel=1e-9)
        assert first.interval == pytest.approx([-each for each in second.interval[::-1]], abs=1e-9)


@pytest.mark.parametrize("likelihood", ["gaussian", "counts"])
def test_the_unsafe_half_of_a_table_is_never_asked(likelihood: Any) -> None:
    unsafe = [row for row in GRID if row[0] > 0.5]  # where the peak is
    optimizer = on_grid(likelihood=likelihood, known_unsafe=unsafe, n_subjects=2)
    rng = np.random.default_rng(3)
    for turn in range(35):
        asked = optimizer.ask()
        assert not set(asked) & set(unsafe)
        if turn % 5 == 0:  # what was learnt of an unsafe setting may lead nowhere near it
            asked = [unsafe[turn % len(unsafe)], asked[1]]
        rates = [20 + 60 * height(each) for each in asked]
        optimizer.tell(asked, list(rng.poisson(rates).astype(float)))
    assert not {each.setting for each in optimizer.recommend()} & set(unsafe)
    assert not {each.runner_up for each in optimizer.explain()} & set(unsafe)


def test_a_table_of_too_many_columns_is_a_sentence() -> None:
    with pytest.raises(InputError, match="columns"):
        Optimizer(np.eye(2, 1001))
