import numpy as np
import pytest
from validation.poisson_cohorts import PoissonCohorts, from_counts

from neurostim.validation import trials
from neurostim.validation.cohorts import TrialDiaries
from neurostim.validation.monthly_gee import monthly_gee


def test_changes_are_those_of_hand_worked_diaries() -> None:
    counts = np.zeros((3, 8), dtype=int)
    counts[0] = [2, 2, 2, 2, 1, 1, 1, 1]
    counts[1] = [1, 0, 0, 0, 2, 0, 0, 0]
    counts[2, 5] = 1  # nothing at baseline: no percent change
    changes = trials.percent_changes(from_counts(counts), 4, 4, 8)
    assert changes[:2] == pytest.approx([-50, 100])
    assert np.isnan(changes[2])
    assert trials.responders(changes[:2]) == 50


def test_a_drug_that_prevents_three_in_ten_is_seen_as_such() -> None:
    rng = np.random.default_rng(1)
    placebo = from_counts(rng.poisson(5.0, (800, 140)))
    off = trials.drug_trial_figures(placebo, rng, ("D8a", "D8b"))
    on = trials.drug_trial_figures(trials.drugged(placebo, rng), rng, ("D9a", "D9b"))
    assert off["D8b"].value == pytest.approx(0, abs=4 * off["D8b"].error)
    assert on["D9b"].value == pytest.approx(30, abs=4 * on["D9b"].error)
    # The SD of one change is √(1 / 420 + 1 / 280) = 7.7 %, and 1.25 of it over √800 is the error.
    assert off["D8b"].error == pytest.approx(1.25 * 7.7 / np.sqrt(800), rel=0.4)


def test_fewer_than_eight_seizures_at_baseline_are_not_enrolled() -> None:
    counts = np.zeros((4, 140), dtype=int)
    counts[:, 0] = [7, 8, 8, 8]
    counts[:, 100] = 12
    figures = trials.drug_trial_figures(
        from_counts(counts), np.random.default_rng(1), ("D8a", "D8b")
    )
    assert figures["D8b"].note == "3 patients"
    # 8 in 56 days and 12 in 84 are the same rate
    assert figures["D8b"].value == pytest.approx(0)


def test_gee_of_a_balanced_trial_is_the_ratio_of_sums() -> None:
    rng = np.random.default_rng(2)
    arm = np.arange(60) % 2
    rates = rng.gamma(2, 0.3, 60)[:, None] * np.ones((60, 224))
    rates[arm == 1, 140:] *= 0.6
    counts = rng.poisson(rates)
    active, control, p = monthly_gee(from_counts(counts), arm, baseline_days=84, start=140, end=224)
    # With as many days in each month the exchangeable correlation cancels, so sums are exact.
    for change, of in ((active, arm == 1), (control, arm == 0)):
        ratio = counts[of, 140:].sum() / counts[of, :84].sum()
        assert change == pytest.approx(100 * (ratio - 1), abs=1e-4)
    assert p < 0.01


def test_gee_makes_up_for_days_without_an_entry() -> None:
    recorded = np.ones((8, 168), dtype=bool)
    recorded[:, 100:107] = False
    recorded[0, 112:140] = False
    counts = np.where(recorded, 1, 0)
    counts[:, ::9] *= 2
    arm = np.arange(8) % 2
    active, control, _ = monthly_gee(
        from_counts(counts, recorded), arm, baseline_days=84, start=84, end=168
    )
    # The rate is the same throughout but for how doubled days fall on months: within a few %.
    assert active == pytest.approx(0, abs=3)
    assert control == pytest.approx(0, abs=3)


def hand_worked():
    """Two replicates of four: actives halve, or fall to a quarter; controls stay, or double."""
    counts = np.zeros((8, 112), dtype=int)
    counts[:, :28] = 4
    counts[:, 84:] = np.array([2, 2, 4, 4, 1, 1, 8, 8])[:, None]
    return TrialDiaries(
        diaries=from_counts(counts),
        arm=np.array([1, 1, 0, 0] * 2),
        n_per_replicate=4,
        baseline_days=28,
        blinded_start_day=56,
        blinded_end_day=112,
    )


def test_sante_averages_the_medians_of_replicates() -> None:
    figures = trials.sante_figures(hand_worked())
    assert figures["D10a"].value == 112
    assert figures["D10b"].value == pytest.approx((-50 - 75) / 2)
    assert figures["D10c"].value == pytest.approx(50)
    assert figures["D10d"].value == pytest.approx(112.5)
    # SD of -50 and -75 over √2
    assert figures["D10b"].error == pytest.approx(12.5)
    assert figures["D10a"].error == 0


def test_a_planted_effect_is_found_in_trials_and_years() -> None:
    rng = np.random.default_rng(3)
    rns = trials.rns_figures(PoissonCohorts().trial("rns", n_replicates=10, seed=1))
    assert rns["D11b"].value == pytest.approx(-40, abs=4 * rns["D11b"].error)
    assert rns["D11c"].value == pytest.approx(0, abs=4 * rns["D11c"].error)
    high, low = trials.vagus_figures(PoissonCohorts().trial("vns-e05", n_replicates=10, seed=2))
    # The mean of a ratio exceeds the ratio of means by one over the baseline's 45 seizures.
    assert high.value == pytest.approx(-40 + 60 / 45, abs=4 * high.error)
    assert low.value == pytest.approx(0 + 100 / 45, abs=4 * low.error)
    long = PoissonCohorts().trial("sante", n_replicates=4, seed=3, years=2)
    year = trials.year_figure(long, 2, rng)
    # Half of them stay at their baseline here, so the median lies in between.
    assert -40 < year.value < 0
    with pytest.raises(IndexError):
        trials.year_figure(long, 3, rng)
