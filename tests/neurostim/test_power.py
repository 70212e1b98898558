"""Operating characteristics: the pool, the fits of many, the verdicts, the study, the command."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from typer.testing import CliRunner

from neurostim.command_line import app
from neurostim.outcomes import as_floats
from neurostim.power import pool as pools
from neurostim.power.characteristics import characteristics
from neurostim.power.pool import Pooled, pooled
from neurostim.power.regressions import (
    CountsOfMany,
    counts_of_many,
    negative_binomials,
    robust_poissons,
    without_arm,
)
from neurostim.power.scenarios import NULL, Scenario, make_scenario, parse_scenarios
from neurostim.power.search import search, size_for
from neurostim.power.study import Study, run_study
from neurostim.power.verdicts import PRIMARY, verdicts
from neurostim.rank_tests import rank_ancova, shift
from neurostim.rate_ratios import rate_ratio, rate_ratio_robust
from neurostim.shares import unpaired_share
from neurostim.survival import median_wait
from protocols import InputError

SHORT = {
    "schedule.baseline_days": 28,
    "schedule.recovery_days": 0,
    "schedule.treatment_days": 56,
    "schedule.evaluation_days": 56,
}
REPLICATES, N = range(3), 12


def scenario_of(*, is_paired: bool = False, **changes: object) -> Scenario:
    """A short trial of responsive stimulation."""
    return make_scenario("rns", "short", SHORT | changes, seed=5, is_paired=is_paired)


@pytest.fixture(scope="module")
def lived() -> tuple[Scenario, Pooled]:
    scenario = scenario_of()
    return scenario, pooled(scenario, REPLICATES, N)


def sides_of(pool: Pooled, replicate: int, n: int = N) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Outcomes of both arms of a replicate, as the endpoint table takes them."""
    rows = pool.outcomes[
        (pool.outcomes["replicate"] == replicate) & (pool.outcomes["position"] < n)
    ]
    return rows[rows["arm"] == "active"], rows[rows["arm"] == "sham"]


def test_every_arm_of_every_replicate_has_people_of_its_own(
    lived: tuple[Scenario, Pooled],
) -> None:
    outcomes = lived[1].outcomes
    assert len(outcomes) == len(REPLICATES) * 2 * N == outcomes["patient"].nunique()
    assert (outcomes["baseline_rate_28"] >= 3).all()


def test_paired_arms_have_the_same_people_with_the_same_baseline() -> None:
    outcomes = pooled(scenario_of(is_paired=True), range(2), 6).outcomes
    places = ["replicate", "position"]
    left, right = (outcomes[outcomes["arm"] == arm].set_index(places) for arm in ("sham", "active"))
    assert (left["patient"] == right["patient"]).all()
    assert (left["n_baseline"] == right["n_baseline"]).all()
    assert (left["n_evaluation"] != right["n_evaluation"]).any()


def test_who_is_in_a_replicate_depends_on_nobody_else(lived: tuple[Scenario, Pooled]) -> None:
    scenario, pool = lived
    alone = pooled(scenario, [2], N - 4).outcomes.set_index(["arm", "position"])
    before = pool.outcomes[pool.outcomes["replicate"] == 2].set_index(["arm", "position"])
    for name in ("patient", "n_baseline", "n_evaluation", "days_evaluation"):
        assert (alone[name] == before.loc[alone.index, name]).all(), name


def test_the_cohort_engine_lives_what_the_gate_and_the_event_engine_live(
    lived: tuple[Scenario, Pooled],
) -> None:
    scenario, pool = lived
    for arm, name in enumerate(scenario.arms):
        rows = pool.epochs[pool.epochs["arm"] == name].sort_values(["patient", "start_day"])
        slow = pools.looped_epochs(scenario.plan, arm, np.unique(rows["patient"]))
        slow = slow.reset_index(drop=True)
        columns = ["patient", "epoch", "phase", "start_day", "days", "n_seizures", "days_recorded"]
        pd.testing.assert_frame_equal(
            rows[columns].reset_index(drop=True), slow[columns], check_dtype=False
        )


def test_a_controller_that_decides_is_lived_through_the_gate() -> None:
    changes = {"schedule.baseline_days": 28, "schedule.treatment_days": 28} | {
        "schedule.evaluation_days": 28,
        "settings.frequency_hz": [5, 145],
    }
    scenario = make_scenario("demo", "short", changes, seed=1, is_paired=False)
    rows = pooled(scenario, [0], 5).epochs
    amplitudes = rows[rows["phase"] == "treatment"].groupby("arm")["delivered_amplitude_ua"]
    assert set(amplitudes.nunique().index) == set(scenario.arms)
    assert amplitudes.nunique().max() > 1


def drawn(n_trials: int, n_per_arm: int) -> CountsOfMany:
    """Counts with a covariate, some patients without a diary, and dispersion."""
    rng = np.random.default_rng(8)
    shape = (n_trials, 2 * n_per_arm)
    rates = np.exp(rng.normal(-1, 0.8, shape))
    days = np.where(rng.random(shape) < 0.1, 0, 84.0)
    return counts_of_many(
        rng.poisson(rates * 28).astype(float),
        np.full(shape, 28.0),
        rng.poisson(rates * 84 * rng.gamma(2, 0.5, shape)) * (days > 0).astype(float),
        days,
        n_per_arm,
    )


def one_of(many: CountsOfMany, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    is_in = many.weights[k] > 0
    return many.counts[k][is_in], many.design[k][is_in], many.offset[k][is_in]


@pytest.mark.parametrize("is_without", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_many_negative_binomials_are_what_statsmodels_fits_one_by_one(is_without: bool) -> None:
    many = drawn(12, 25)
    if is_without:
        many = without_arm(many)
    fits = negative_binomials(many)
    assert np.isfinite(fits.log_ratio).all()
    for k in range(12):
        counts, design, offset = one_of(many, k)
        model = sm.NegativeBinomial(counts, design, offset=offset)
        first = model.fit(disp=0, maxiter=200)
        fit = model.fit(disp=0, method="newton", start_params=first.params, tol=1e-11)
        assert fits.log_ratio[k] == pytest.approx(fit.params[1], abs=1e-6)
        assert fits.error[k] == pytest.approx(fit.bse[1], abs=1e-6)
        assert fits.log_likelihood[k] == pytest.approx(fit.llf, abs=1e-6)


def test_many_poisson_regressions_are_what_statsmodels_fits_one_by_one() -> None:
    many = drawn(12, 25)
    fits = robust_poissons(many)
    for k in range(12):
        counts, design, offset = one_of(many, k)
        fit = sm.GLM(counts, design, family=sm.families.Poisson(), offset=offset)
        found = fit.fit(cov_type="HC1", tol=1e-12)
        assert fits.log_ratio[k] == pytest.approx(found.params[1], abs=1e-6)
        assert fits.error[k] == pytest.approx(found.bse[1], abs=1e-6)


def test_counts_without_overdispersion_are_left_to_the_endpoint_table() -> None:
    even = np.full((1, 20), 30.0)
    counts = np.tile([29.0, 31.0], 10)[None, :]
    many = counts_of_many(even + np.arange(20) % 3, even, counts, even, 10)
    assert np.isnan(negative_binomials(many).log_ratio).all()
    assert np.isfinite(robust_poissons(many).log_ratio).all()


def test_verdicts_are_those_of_the_endpoint_table(lived: tuple[Scenario, Pooled]) -> None:
    scenario, pool = lived
    sizes, keys = [N - 2, N], ["n", "replicate"]
    rows = verdicts(scenario, pool, REPLICATES, sizes)
    for (n, replicate), each in rows.groupby(keys):
        arm, reference = sides_of(pool, int(str(replicate)), int(str(n)))
        p = each.set_index("test")["p"]
        # statsmodels stops its own search a little before the maximum
        assert p[PRIMARY] == pytest.approx(rate_ratio(arm, reference).p, abs=1e-4)
        robust = rate_ratio_robust(arm, reference).p
        assert p["rate_ratio_robust"] == pytest.approx(robust, abs=1e-6)
        assert p["shift"] == shift(arm, reference).p
        assert p["rank_ancova"] == rank_ancova(arm, reference).p
        assert p["rr50"] == unpaired_share("is_responder_50", arm, reference).p
        waited = median_wait("count", "", arm, reference).p
        assert p["time_to_count"] == pytest.approx(waited, nan_ok=True)


def test_superiority_looks_at_the_side_and_equivalence_at_both() -> None:
    statistics = pd.DataFrame(
        {
            "scenario": "s", "n": 10, "arm": "a", "test": PRIMARY, "replicate": range(4),
            "p": [0.01, 0.01, 0.9, math.nan],
            "estimate": [-0.5, 0.5, 0.01, math.nan],
            "error": [0.1, 0.1, 0.05, math.nan],
        }
    )  # fmt: skip
    table = characteristics(statistics, 1.25).set_index("test")
    assert table["n_rejected"].to_dict() == {PRIMARY: 2, "superiority": 1, "equivalence": 1}
    assert (table["n_replicates"] == 4).all()
    assert (table["n_known"] == 3).all()
    low, high = stats.binomtest(2, 4).proportion_ci(method="wilson")
    assert (table.loc[PRIMARY, "low"], table.loc[PRIMARY, "high"]) == (100 * low, 100 * high)
    # 90 % interval within log 1.25 = 0.223: an estimate of 0.15 with error 0.05 ends at 0.232.
    edge = statistics.assign(estimate=0.15, error=0.05)
    assert characteristics(edge, 1.25).set_index("test").loc["equivalence", "n_rejected"] == 0
    inside = statistics.assign(estimate=0.14, error=0.05)
    assert characteristics(inside, 1.25).set_index("test").loc["equivalence", "n_rejected"] == 4


def study_of(**changes: object) -> Study:
    usual = {"scenarios": (scenario_of(),), "sizes": (6, 10), "n_replicates": 3} | changes
    return Study(**usual)  # type: ignore[arg-type]


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_study_that_was_cut_off_goes_on_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurostim.power.study.PEOPLE_PER_PIECE", 10)
    study = study_of(is_kept=True)
    table = run_study(study, tmp_path)
    before = content_of(tmp_path)
    files = sorted((tmp_path / "statistics").iterdir())
    assert len(files) == 3
    files[1].unlink()
    files[2].write_bytes(b"cut")
    again = run_study(study, tmp_path)
    assert content_of(tmp_path) == before
    pd.testing.assert_frame_equal(table, again)
    with pytest.raises(InputError, match="a different study"):
        run_study(replace(study, sizes=(6, 11)), tmp_path)


def test_a_study_stops_when_its_errors_are_small_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurostim.power.study.PEOPLE_PER_PIECE", 10)
    told: list[tuple[int, int, float]] = []
    study = study_of(n_replicates=3, until_error=0.5)
    rows = run_study(study, tmp_path, lambda *each: told.append(each))
    assert rows["replicate"].max() == 0
    [(n_done, n_in_all, error)] = told
    assert (n_done, n_in_all) == (1, 3)
    assert error < 0.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sizes": (2, 10)}, "n = 2"),
        ({"sizes": (10, 6)}, "rising"),
        ({"n_replicates": 0}, "replicates = 0"),
        ({"until_error": 0.0}, "until error"),
        ({"margin": 0.8}, "margin = 0.8"),
    ],
)
def test_what_cannot_be_studied_is_said(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        study_of(**changes)


def test_a_scenario_is_a_name_and_a_change() -> None:
    words = ["mild:population.least_per_28_days=2", "mild:schedule.epoch_days=14"]
    changes = {"population.least_per_28_days": 2, "schedule.epoch_days": 14}
    assert parse_scenarios(words) == {"mild": changes}
    for word in ("mild", "mild:key", ":a=1"):
        with pytest.raises(InputError, match="NAME:KEY=VALUE"):
            parse_scenarios([word])


def test_the_size_is_found_from_points_that_follow_the_law() -> None:
    sizes = np.array([20, 50, 100, 200])
    power = stats.norm.cdf(-1.2 + 0.25 * np.sqrt(sizes))
    points = pd.DataFrame({"n": sizes, "n_replicates": 10_000, "n_rejected": 10_000 * power})
    true = ((stats.norm.ppf(0.8) + 1.2) / 0.25) ** 2
    n, low, high = size_for(points, 0.8)
    assert low < true < high
    # The delta method's own error; half a trial is added on either side.
    assert abs(n - true) < 1 + (high - low) / 2
    assert high - low < 6


def test_a_search_confirms_its_size_by_fresh_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)

    def simulated(study: Study, folder: Path, progress: object = None) -> pd.DataFrame:
        parts = []
        for n in study.sizes:
            power = stats.norm.cdf(-1.5 + 0.3 * math.sqrt(n))
            p = np.where(rng.random(study.n_replicates) < power, 0.01, 0.5)
            rows = {"scenario": "s", "n": n, "arm": "a", "test": PRIMARY, "p": p}
            parts.append(pd.DataFrame(rows | {"estimate": -0.4, "error": 0.1}))
        return pd.concat(parts)

    monkeypatch.setattr("neurostim.power.search.run_study", simulated)
    found = search(study_of(sizes=(10, 40), n_replicates=2000), 0.8, "superiority", tmp_path)
    true = ((stats.norm.ppf(0.8) + 1.5) / 0.3) ** 2
    # Twice the 95 % interval is four standard errors; a size is whole.
    assert abs(found.n - true) < 1 + (found.high - found.low)
    assert found.is_settled
    assert found.words()["n"] == found.n
    assert json.loads(json.dumps(replace(found, high=math.inf).words()))["high"] is None
    assert found.share_low <= 80 <= found.share_high


def test_the_command_writes_what_it_shows_and_drills_down(tmp_path: Path) -> None:
    out = tmp_path / "power"
    short = [f"--scenario=short:{key}={value}" for key, value in SHORT.items()]
    asked = ["power", "rns", "--n=6", "--replicates=2", "--keep", "--margin=1.5", *short]
    result = CliRunner().invoke(app, [*asked, f"--out={out}", f"--csv={tmp_path / 'a.csv'}"])
    assert result.exit_code == 0, result.output
    document = json.loads((out / "operating.json").read_text())
    table = pd.read_csv(tmp_path / "a.csv")
    assert {"superiority", "equivalence", PRIMARY, "rr50"} <= set(table["test"])
    assert [row["n_rejected"] for row in document["rows"]] == list(table["n_rejected"])
    assert list(document["designs"]) == ["rns: short"]
    drawn = ElementTree.parse(out / "operating.svg").getroot()
    described = "".join(drawn.itertext())
    page = (out / "operating.html").read_text()
    assert "Share of simulated trials that reject" in described
    assert 'role="img"' in page
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", page))
    assert used <= set(re.findall(r"(--[a-z0-9-]+):", page))
    shown = CliRunner().invoke(app, ["power", "show", str(out), "--replicate=1", "--patient=3"])
    assert shown.exit_code == 0
    assert "sham, patient 3" in shown.output
    missing = CliRunner().invoke(app, ["power", "show", str(out), "--replicate=9"])
    assert isinstance(missing.exception, InputError)
    again = CliRunner().invoke(app, [*asked, "--dry-run"])
    assert again.exit_code == 0
    assert "Nothing was run or written" in " ".join(again.output.split())


@pytest.mark.slow
def test_nothing_is_found_where_there_is_nothing(tmp_path: Path) -> None:
    null = make_scenario("rns", "null", SHORT | NULL, seed=5, is_paired=False)
    study = study_of(scenarios=(null,), sizes=(30,), n_replicates=300)
    table = characteristics(run_study(study, tmp_path), None)
    shares = dict(zip(table["test"], as_floats(table["share"]) / 100, strict=True))
    error = math.sqrt(0.05 * 0.95 / 300)
    for test in ("shift", "rank_ancova"):
        assert abs(shares[test] - 0.05) < 4 * error, test
    assert shares["superiority"] <= shares[PRIMARY]
