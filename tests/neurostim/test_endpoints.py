import csv
import io
import itertools
import math
import statistics

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special
from statsmodels.stats.multitest import multipletests

from neurostim.endpoints import endpoints
from neurostim.estimates import holm
from neurostim.outcomes import outcomes
from tests.neurostim.fabricated_trial import ARMS, Trial, fabricate


@pytest.fixture(scope="module")
def trial() -> Trial:
    return fabricate(24)


@pytest.fixture(scope="module")
def rows(trial: Trial) -> list[dict[str, str]]:
    text = trial.epochs.to_csv(index=False)
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def table(trial: Trial) -> pd.DataFrame:
    return endpoints(outcomes_of(trial), "sham")


def outcomes_of(trial: Trial) -> pd.DataFrame:
    return outcomes(trial.epochs, trial.patients, trial.manifest["design"]["schedule"])


def row_of(table: pd.DataFrame, endpoint: str, arm: str) -> pd.Series:
    found = table[(table["endpoint"] == endpoint) & (table["arm"] == arm)]
    assert len(found) == 1
    return found.iloc[0]


def recount(rows: list[dict[str, str]], arm: str) -> dict[int, tuple[int, int, int, int]]:
    """Baseline and window counts and recorded days per patient, in plain Python from text."""
    found: dict[int, list[int]] = {}
    for row in rows:
        if row["arm"] != arm or not row["n_seizures"]:
            continue
        sums = found.setdefault(int(row["patient"]), [0, 0, 0, 0])
        if row["phase"] == "baseline":
            sums[0] += int(row["n_seizures"])
            sums[1] += int(row["days_recorded"])
        elif int(row["start_day"]) >= 56 + 168 - 84:
            sums[2] += int(row["n_seizures"])
            sums[3] += int(row["days_recorded"])
    return {patient: (a, b, c, d) for patient, (a, b, c, d) in found.items()}


def changes_of(rows: list[dict[str, str]], arm: str) -> list[float]:
    return [
        100 * (count / days - before / before_days) / (before / before_days)
        for before, before_days, count, days in recount(rows, arm).values()
        if before and days
    ]


@pytest.mark.parametrize("arm", ["sham", "gp"])
def test_median_percent_change_is_that_of_plain_python(
    table: pd.DataFrame, rows: list[dict[str, str]], arm: str
) -> None:
    found = row_of(table, "percent_change", arm)
    changes = changes_of(rows, arm)
    assert found["estimate"] == pytest.approx(statistics.median(changes), abs=1e-9)
    assert found["n"] == len(changes)
    assert found["low"] <= found["estimate"] <= found["high"]


def test_responders_and_wilson_interval_by_formula(
    table: pd.DataFrame, rows: list[dict[str, str]]
) -> None:
    found = row_of(table, "rr50", "gp")
    changes = changes_of(rows, "gp")
    n, share, z = len(changes), sum(change <= -50 for change in changes) / len(changes), 1.959964
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert found["estimate"] == pytest.approx(100 * share)
    assert found["low"] == pytest.approx(100 * (centre - half), abs=1e-4)
    assert found["high"] == pytest.approx(100 * (centre + half), abs=1e-4)


def test_rate_ratio_by_direct_maximisation_of_the_likelihood(
    table: pd.DataFrame, rows: list[dict[str, str]]
) -> None:
    found = row_of(table, "rate_ratio", "gp")
    gp, sham = (list(recount(rows, arm).values()) for arm in ("gp", "sham"))
    sums = np.array([(*sums, 1) for sums in gp] + [(*sums, 0) for sums in sham], dtype=float)
    before, before_days, counts, days, is_gp = sums.T
    log_baseline = np.log(np.maximum(before, 0.5) / before_days)

    def loss(beta: np.ndarray) -> float:
        size = np.exp(-beta[3])
        mean = days * np.exp(beta[0] + beta[1] * is_gp + beta[2] * log_baseline)
        terms = special.gammaln(counts + size) - special.gammaln(size)
        terms += size * np.log(size / (size + mean)) + counts * np.log(mean / (size + mean))
        return -float(terms.sum())

    fit = optimize.minimize(loss, np.array([0.0, 0.0, 1.0, -1.0]), method="Nelder-Mead",
                            options={"maxiter": 20_000, "xatol": 1e-9, "fatol": 1e-11})  # fmt: skip
    assert "Negative binomial" in found["method"]
    assert found["estimate"] == pytest.approx(math.exp(fit.x[1]), rel=1e-4)
    assert found["n"] == len(sums)


def test_share_of_the_gap_is_the_ratio_of_sums(
    trial: Trial, table: pd.DataFrame, rows: list[dict[str, str]]
) -> None:
    truth = trial.patients.set_index("patient")
    closed = gap = 0.0
    for row in rows:
        if row["arm"] == "gp" and row["phase"] == "treatment":
            off, best = truth.loc[int(row["patient"])].iloc[:2]
            closed += (off - float(row["true_rate_per_day"])) * int(row["days"])
            gap += (off - best) * int(row["days"])
    found = row_of(table, "gap_in_trial", "gp")
    assert found["estimate"] == pytest.approx(100 * closed / gap)
    assert row_of(table, "gap_in_trial", "sham")["estimate"] == 0


def test_holm_by_hand_and_against_statsmodels() -> None:
    adjusted = holm(np.array([0.01, math.nan, 0.04, 0.03]))
    assert adjusted[[0, 2, 3]] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(adjusted[1])
    p = np.array([0.2, 0.001, 0.9, 0.04, 0.04, 0.7])
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_safety_and_settings_are_counted(trial: Trial, rows: list[dict[str, str]]) -> None:
    found = outcomes_of(trial).set_index(["arm", "patient"]).loc[("gp", 3)]
    own = [
        row
        for row in rows
        if (row["arm"], row["patient"], row["phase"]) == ("gp", "3", "treatment")
    ]
    settings = [
        (row["delivered_site"], row["delivered_amplitude_ua"], row["delivered_frequency_hz"])
        for row in own
    ]
    pairs = itertools.pairwise(settings)
    assert found["n_epochs"] == len(own)
    assert found["n_held"] == sum(row["ruling"] == "held" for row in own)
    assert found["n_requested_changed"] == found["n_clamped"]
    assert found["n_adverse"] == sum(row["worst_grade"] in ("2", "3", "4") for row in own)
    assert found["n_settings_tried"] == len(set(settings))
    assert found["n_changes"] == sum(left != right for left, right in pairs)
    assert found["charge_c"] == pytest.approx(sum(int(row["charge_uc"]) for row in own) / 1e6)


def few(n_patients: int = 8) -> Trial:
    return fabricate(n_patients, arms=ARMS[::4])


def with_epochs(trial: Trial, **columns: object) -> Trial:
    return trial._replace(epochs=trial.epochs.assign(**columns))


def no_seizures(trial: Trial) -> Trial:
    return with_epochs(trial, n_seizures=trial.epochs["n_seizures"].where(lambda n: n.isna(), 0))


def no_diary(trial: Trial) -> Trial:
    missing = pd.array([pd.NA] * len(trial.epochs), dtype="Int64")
    return with_epochs(trial, n_seizures=missing, worst_grade=missing, days_recorded=0)


def zero_baseline(trial: Trial) -> Trial:
    n = trial.epochs["n_seizures"]
    return with_epochs(trial, n_seizures=n.mask((trial.epochs["phase"] == "baseline") & (n > 0), 0))


def no_gap(trial: Trial) -> Trial:
    off = trial.patients["true_rate_off_per_day"]
    return trial._replace(patients=trial.patients.assign(true_rate_best_per_day=off))


def no_treatment(trial: Trial) -> Trial:
    return trial._replace(epochs=trial.epochs[trial.epochs["phase"] == "baseline"])


def identical_counts(trial: Trial) -> Trial:
    return with_epochs(trial, n_seizures=pd.array([3] * len(trial.epochs), dtype="Int64"),
                       days_recorded=trial.epochs["days"])  # fmt: skip


DEGENERATE = {
    "one patient": lambda: few(1),
    "two patients": lambda: few(2),
    "a single arm": lambda: fabricate(8, arms=ARMS[4:]),
    "no seizures": lambda: no_seizures(few()),
    "no diary": lambda: no_diary(few()),
    "zero baseline": lambda: zero_baseline(few()),
    "no gap": lambda: no_gap(few()),
    "no treatment": lambda: no_treatment(few()),
    "identical counts": lambda: identical_counts(few()),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_trials_are_survived_and_explained(name: str) -> None:
    found = outcomes_of(DEGENERATE[name]())
    table = endpoints(found, "sham")
    assert table["method"].str.len().gt(0).all()
    missing = table[table["estimate"].isna()]
    assert missing["method"].str.startswith("Not estimated").all()
    assert missing[["low", "high", "p"]].isna().all(axis=None)
    known = table.dropna(subset=["estimate", "low"])
    assert (known["low"] <= known["estimate"] + 1e-9).all()
    assert (known["high"] >= known["estimate"] - 1e-9).all()
    assert table["p"].dropna().between(0, 1).all()


def test_what_cannot_be_estimated_says_so() -> None:
    no_gap_table = endpoints(outcomes_of(no_gap(few())), "sham")
    assert "no patient has a better setting" in row_of(no_gap_table, "gap_in_trial", "gp")["method"]
    assert np.isfinite(row_of(no_gap_table, "regret", "gp")["estimate"])
    zero = endpoints(outcomes_of(zero_baseline(few())), "sham")
    assert row_of(zero, "percent_change", "gp")["n"] == 0
    alone = endpoints(outcomes_of(fabricate(8, arms=ARMS[4:])), "sham")
    assert set(alone["arm"]) == {"gp"}
    assert alone["p"].isna().all()


def test_counts_without_overdispersion_name_the_model_that_was_used() -> None:
    rng = np.random.default_rng(3)
    trial = fabricate(24)
    counts = pd.array(rng.binomial(9, 0.9, size=len(trial.epochs)), dtype="Int64")
    found = outcomes_of(with_epochs(trial, n_seizures=counts, days_recorded=trial.epochs["days"]))
    row = row_of(endpoints(found, "sham"), "rate_ratio", "gp")
    assert row["method"].startswith(("Poisson", "Negative binomial"))
    assert row["low"] < row["estimate"] < row["high"]


def test_large_shares_are_compared_by_fisher(trial: Trial) -> None:
    found = outcomes_of(trial)
    many = pd.concat([found.assign(patient=found["patient"] + 100 * k) for k in range(5)])
    methods = endpoints(many, "sham").query("endpoint == 'rr50'")["method"]
    assert methods.str.contains("Fisher").all()


def test_rows_may_come_in_any_order(trial: Trial) -> None:
    epochs = trial.epochs.sample(frac=1, random_state=1).set_axis([0] * len(trial.epochs))
    shuffled = trial._replace(epochs=epochs)
    left = outcomes_of(trial).set_index(["arm", "patient"])
    right = outcomes_of(shuffled).set_index(["arm", "patient"]).loc[left.index]
    pd.testing.assert_frame_equal(left, right)
