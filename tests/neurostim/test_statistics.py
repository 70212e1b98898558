"""Statistics recomputed from the CSV of a trial in plain NumPy, and tests against exact answers."""

import csv
import io
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from neurostim.endpoints import endpoints
from neurostim.estimates import bootstrap_median, bootstrap_sums, error_from, ratios
from neurostim.important_differences import (
    important_net,
    important_share,
    important_size,
    important_true_share,
)
from neurostim.outcomes import outcomes
from neurostim.permutations import flipped_difference, permuted_rate_ratio
from neurostim.rank_tests import hodges_lehmann
from neurostim.rate_ratios import rate_ratio, rate_ratio_likelihood
from neurostim.requests import Requests
from neurostim.shares import discordant, paired_share
from protocols import InputError
from tests.neurostim.fabricated_trial import Trial, fabricate

FIRST_WINDOW_DAY = 56 + 168 - 84


@pytest.fixture(scope="module")
def trial() -> Trial:
    return fabricate(24)


@pytest.fixture(scope="module")
def by_patient(trial: Trial) -> pd.DataFrame:
    return outcomes(trial.epochs, trial.patients, trial.manifest["design"]["schedule"])


@pytest.fixture(scope="module")
def table(by_patient: pd.DataFrame) -> pd.DataFrame:
    return endpoints(by_patient, "sham", Requests(n_permutations=999))


def row_of(table: pd.DataFrame, endpoint: str, arm: str = "gp") -> pd.Series:
    found = table[(table["endpoint"] == endpoint) & (table["arm"] == arm)]
    assert len(found) == 1
    return found.iloc[0]


def rates_from_csv(trial: Trial, arm: str) -> dict[int, tuple[float, float]]:
    """Baseline and window seizures per recorded day of each patient, read from text."""
    sums: dict[int, np.ndarray] = {}
    for row in csv.DictReader(io.StringIO(trial.epochs.to_csv(index=False))):
        if row["arm"] != arm or not row["n_seizures"]:
            continue
        own = sums.setdefault(int(row["patient"]), np.zeros((2, 2)))
        seen = [int(row["n_seizures"]), int(row["days_recorded"])]
        if row["phase"] == "baseline":
            own[0] += seen
        elif int(row["start_day"]) >= FIRST_WINDOW_DAY:
            own[1] += seen
    return {
        patient: (own[0, 0] / own[0, 1], own[1, 0] / own[1, 1])
        for patient, own in sums.items()
        if own[0, 1] and own[1, 1]
    }


def changes_from_csv(trial: Trial, arm: str) -> dict[int, float]:
    rates = rates_from_csv(trial, arm)
    return {who: 100 * (after - before) / before for who, (before, after) in rates.items()}


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks with ties averaged, by comparing every two values."""
    below = (values[None, :] < values[:, None]).sum(axis=1)
    same = (values[None, :] == values[:, None]).sum(axis=1)
    return below + (same + 1) / 2


def test_the_shift_and_its_interval_by_sorting_every_difference(
    trial: Trial, table: pd.DataFrame
) -> None:
    left, right = (np.array([*changes_from_csv(trial, arm).values()]) for arm in ("gp", "sham"))
    differences = np.sort((left[:, None] - right[None, :]).ravel())
    n, m = len(left), len(right)
    k = round(n * m / 2 - 1.959964 * math.sqrt(n * m * (n + m + 1) / 12))
    found = row_of(table, "shift")
    assert found["estimate"] == pytest.approx(np.median(differences), abs=1e-6)
    assert found["low"] == pytest.approx(differences[k - 1], abs=1e-6)
    assert found["high"] == pytest.approx(differences[-k], abs=1e-6)
    assert (found["n"], found["analysis"], found["against"]) == (n + m, "unpaired", "sham")


def test_the_shift_interval_is_where_the_rank_sum_test_stops_rejecting() -> None:
    rng = np.random.default_rng(2)
    left, right = rng.normal(1.0, 1.0, 40), rng.normal(0.0, 2.0, 55)
    low, _, high = hodges_lehmann(left, right)
    for end, outwards in ((low, -0.03), (high, 0.03)):
        inside, outside = (
            stats.mannwhitneyu(left - end - way, right, method="asymptotic").pvalue
            for way in (-outwards, outwards)
        )
        assert outside < 0.05 < inside


def test_rank_ancova_by_least_squares_from_the_csv(trial: Trial, table: pd.DataFrame) -> None:
    gp, sham = (np.array([*rates_from_csv(trial, arm).values()]) for arm in ("gp", "sham"))
    before, after = (midranks(np.concatenate([gp[:, k], sham[:, k]]).round(12)) for k in (0, 1))
    is_gp = np.arange(len(before)) < len(gp)
    design = np.column_stack([np.ones(len(before)), is_gp, before])
    slopes, residual, *_ = np.linalg.lstsq(design, after, rcond=None)
    freedom = len(before) - 3
    error = math.sqrt(residual[0] / freedom * np.linalg.inv(design.T @ design)[1, 1])
    found = row_of(table, "rank_ancova")
    assert found["estimate"] == pytest.approx(slopes[1], rel=1e-9)
    assert found["monte_carlo_error"] == pytest.approx(error, rel=1e-9)
    expected = 2 * stats.t.sf(abs(slopes[1]) / error, freedom)
    assert found["p"] == pytest.approx(expected, rel=1e-9)


def test_paired_responders_by_counting_discordant_patients(
    trial: Trial, table: pd.DataFrame
) -> None:
    gp, sham = (changes_from_csv(trial, arm) for arm in ("gp", "sham"))
    both = sorted(gp.keys() & sham.keys())
    more = sum(gp[who] <= -50 < sham[who] for who in both)
    less = sum(sham[who] <= -50 < gp[who] for who in both)
    tail = sum(math.comb(more + less, k) for k in range(min(more, less) + 1)) / 2 ** (more + less)
    found = row_of(table, "rr50_difference")
    assert found["estimate"] == pytest.approx(100 * (more - less) / len(both))
    assert found["p"] == pytest.approx(min(1.0, 2 * tail))
    assert found["analysis"] == "paired"


def test_who_is_made_worse_and_by_how_much_from_the_csv(trial: Trial, table: pd.DataFrame) -> None:
    gp, sham = (changes_from_csv(trial, arm) for arm in ("gp", "sham"))
    differences = np.array([gp[who] - sham[who] for who in gp.keys() & sham.keys()])
    worse = differences[differences >= 25]
    assert row_of(table, "important_worse")["estimate"] == pytest.approx(
        100 * len(worse) / len(differences)
    )
    size = row_of(table, "important_worse_size")
    assert (size["estimate"], size["n"]) == (pytest.approx(np.median(worse)), len(worse))


def test_regret_and_days_above_baseline_from_the_csv(trial: Trial, table: pd.DataFrame) -> None:
    truth = {
        int(row["patient"]): (
            float(row["true_rate_off_per_day"]),
            float(row["true_rate_best_per_day"]),
        )
        for row in csv.DictReader(io.StringIO(trial.patients.to_csv(index=False)))
    }
    spared, above, days_all, final = 0.0, 0, 0, {}
    for row in csv.DictReader(io.StringIO(trial.epochs.to_csv(index=False))):
        if row["arm"] == "gp" and row["phase"] == "treatment":
            off, best = truth[int(row["patient"])]
            rate, days = float(row["true_rate_per_day"]), int(row["days"])
            spared += (rate - best) * days
            above += days * (rate > off * (1 + 1e-9))
            days_all += days
            final[int(row["patient"])] = 28 * (rate - best)
    assert row_of(table, "cumulative_regret")["estimate"] == pytest.approx(spared / len(final))
    assert row_of(table, "regret")["estimate"] == pytest.approx(28 * spared / days_all)
    assert row_of(table, "simple_regret")["estimate"] == pytest.approx(np.mean([*final.values()]))
    found = row_of(table, "days_above_baseline")
    assert found["estimate"] == pytest.approx(365.25 * above / days_all)


def test_refusals_and_battery_from_the_csv(trial: Trial, table: pd.DataFrame) -> None:
    n_epochs = n_named = n_days = used = 0
    before: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(trial.epochs.to_csv(index=False))):
        if row["arm"] != "gp":
            continue
        left = int(row["battery_permille"])
        if row["phase"] == "treatment":
            n_epochs += 1
            n_named += "charge_density" in row["rules"].split(";")
            n_days += int(row["days"])
            used += before[row["patient"]] - left
        before[row["patient"]] = left
    found = row_of(table, "refused_charge_density")
    assert found["estimate"] == pytest.approx(100 * n_named / n_epochs)
    years = n_days / 365.25
    assert row_of(table, "battery_years")["estimate"] == pytest.approx(years / (used / 1000))
    assert row_of(table, "visits")["estimate"] == pytest.approx(n_epochs / years)


def test_a_replaced_battery_leaves_its_epoch_out(trial: Trial, by_patient: pd.DataFrame) -> None:
    epochs = trial.epochs.copy()
    is_one = (epochs["arm"] == "gp") & (epochs["patient"] == 3)
    last = epochs[is_one].index[-1]
    epochs.loc[last, "battery_permille"] = 1000
    found = outcomes(epochs, trial.patients, trial.manifest["design"]["schedule"])
    before, after = (
        frame.set_index(["arm", "patient"]).loc[("gp", 3)] for frame in (by_patient, found)
    )
    assert after["battery_days"] == before["battery_days"] - epochs.loc[last, "days"]
    assert after["battery_used_permille"] < before["battery_used_permille"]


def arms_of(by_patient: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    gp, sham = (by_patient[by_patient["arm"] == arm] for arm in ("gp", "sham"))
    return gp, sham


def test_likelihood_ratio_and_wald_agree_on_the_ratio(by_patient: pd.DataFrame) -> None:
    wald, likelihood = rate_ratio(*arms_of(by_patient)), rate_ratio_likelihood(*arms_of(by_patient))
    assert likelihood.estimate == wald.estimate
    # To first order, the two tests and intervals are the same; here they differ in the second.
    assert likelihood.low == pytest.approx(wald.low, rel=0.05)
    assert likelihood.high == pytest.approx(wald.high, rel=0.05)
    assert likelihood.p == pytest.approx(wald.p, rel=0.3)
    assert likelihood.p != wald.p
    assert wald.monte_carlo_error == pytest.approx(
        wald.estimate * math.log(wald.high / wald.low) / (2 * 1.959964)
    )


def test_flipping_signs_by_listing_every_flip(by_patient: pd.DataFrame) -> None:
    gp, sham = (rows[rows["patient"] < 9] for rows in arms_of(by_patient))
    pairs = gp.merge(sham, on="patient", suffixes=("", "_sham"))
    differences = (pairs["percent_change"] - pairs["percent_change_sham"]).to_numpy()
    flips = np.array([*itertools.product((-1, 1), repeat=len(differences))])
    means = (flips * differences).mean(axis=1)
    expected = 2 * min((means >= differences.mean() - 1e-9).mean(),
                       (means <= differences.mean() + 1e-9).mean())  # fmt: skip
    all_of_them = flipped_difference(999, gp, sham)
    assert f"all {2 ** len(differences):,} flips" in all_of_them.method
    assert (all_of_them.p, all_of_them.p_error) == (pytest.approx(min(1.0, expected)), 0.0)
    drawn = flipped_difference(499, gp, sham)
    assert "499 random flips" in drawn.method
    # SciPy doubles the smaller tail, whose error is half of p's at most: four errors of it.
    assert drawn.p == pytest.approx(all_of_them.p, abs=2 * 4 * 0.5 / math.sqrt(499))
    assert drawn.p_error == pytest.approx(math.sqrt(drawn.p * (1 - drawn.p) / 499))


def test_permuting_arms_finds_an_effect_and_not_a_copy(by_patient: pd.DataFrame) -> None:
    gp, sham = arms_of(by_patient)
    fewer = sham.assign(n_evaluation=(sham["n_evaluation"] // 4).astype("Int64"))
    assert permuted_rate_ratio(999, fewer, sham).p == pytest.approx(2 / 1000)
    assert permuted_rate_ratio(999, sham, sham).p > 0.9
    assert permuted_rate_ratio(999, gp, sham).estimate == rate_ratio(gp, sham).estimate


def test_important_differences_count_the_limit_itself() -> None:
    change = pd.Series([25.0, 24.9, -25.0, 60.0, 0.0])
    arm = pd.DataFrame({"patient": range(5), "percent_change": change})
    other = arm.assign(percent_change=0.0)
    assert important_share(25, 1, arm, other).estimate == 40
    assert important_share(25, -1, arm, other).estimate == 20
    net = important_net(25, arm, other)
    assert (net.estimate, net.p) == (pytest.approx(20), pytest.approx(1.0))
    assert important_net(25, arm, arm).high == pytest.approx(100 * (1 - 0.025 ** (1 / 5)))
    assert important_size(25, arm, other).estimate == 42.5
    assert important_size(70, arm, other).method.startswith("Not estimated: no patient was worse")
    final = pd.DataFrame(
        {"patient": range(3), "true_rate_off_per_day": 0.4, "true_rate_final_per_day": 0.4}
    )
    worse = final.assign(true_rate_final_per_day=[0.5, 0.49, 0.3])
    assert important_true_share(25, worse, final).estimate == pytest.approx(100 / 3)


def test_discordant_pairs_and_paired_shares() -> None:
    assert discordant(0, 0) == 1
    assert discordant(6, 0) == pytest.approx(2 / 2**6)
    truth = pd.array([True, True, False, None, True], dtype="boolean")
    arm = pd.DataFrame({"patient": range(5), "is_x": truth})
    other = arm.assign(is_x=pd.array([False, True, False, True, None], dtype="boolean"))
    found = paired_share("is_x", arm, other)
    assert (found.estimate, found.n) == (pytest.approx(100 / 3), 3)


def test_every_pair_is_compared_once_and_adjusted_together(by_patient: pd.DataFrame) -> None:
    usual = endpoints(by_patient, "sham")
    pairs = endpoints(by_patient, "sham", Requests(is_every_pair=True))
    ratios = pairs[pairs["endpoint"] == "rate_ratio"]
    compared = {frozenset(pair) for pair in zip(ratios["arm"], ratios["against"], strict=True)}
    arms = by_patient["arm"].unique()
    assert compared == {frozenset(pair) for pair in itertools.combinations(arms, 2)}
    assert len(ratios) == 10
    smallest = ratios.loc[ratios["p"].idxmin()]
    assert smallest["p_adjusted"] == pytest.approx(min(1.0, 10 * smallest["p"]))
    same = ratios[ratios["against"] == "sham"].set_index("arm")["p"]
    expected = usual[usual["endpoint"] == "rate_ratio"].set_index("arm")["p"]
    pd.testing.assert_series_equal(same, expected)
    single = pairs[pairs["analysis"] == "one arm"]
    assert (single["against"] == "").all()
    assert single["p"].isna().all()


def test_every_comparison_says_whether_it_is_paired(table: pd.DataFrame) -> None:
    compared = table[table["against"] != ""]
    assert set(compared["analysis"]) == {"paired", "unpaired"}
    for row in compared[compared["p"].notna()].itertuples():
        assert is_word(str(row.analysis), str(row.method)), row


def is_word(word: str, text: str) -> bool:
    """Whether a word stands in a text by itself: "paired" is not in "unpaired"."""
    return word in text.replace(",", " ").replace(".", " ").replace(";", " ").split()


def test_errors_are_those_of_a_mean_a_median_and_an_interval() -> None:
    values = np.random.default_rng(1).normal(0, 1, 401)
    mean = bootstrap_sums(np.column_stack([values, np.ones(401)]), ratios)
    # A standard deviation from 2,000 resamples has a relative error of 1/sqrt(4,000).
    assert mean.error == pytest.approx(values.std() / math.sqrt(401), rel=4 / math.sqrt(4000))
    medians = [np.median(np.random.default_rng(seed).choice(values, 401)) for seed in range(2000)]
    # Each of the two deviations has that error.
    found = bootstrap_median(values)
    assert found.error == pytest.approx(np.std(medians), rel=4 * math.sqrt(2) / math.sqrt(4000))
    assert found.low < np.median(values) < found.high
    assert error_from(-1.959964, 1.959964) == pytest.approx(1.0)
    assert math.isnan(error_from(0.0, math.inf))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"n_permutations": 5}, "permutations = 5: 0, or 99 to 100000 was expected"),
        ({"n_permutations": -1}, "permutations = -1"),
        ({"important_points": 0.0}, "important difference = 0.0: more than 0"),
        ({"important_points": math.nan}, "important difference = nan"),
    ],
)
def test_what_cannot_be_asked_is_said(asked: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Requests(**asked)
