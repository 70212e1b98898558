"""Comparisons of arms lived in periods, against effects that are known and a textbook's formula."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from neurostim.endpoints import endpoints
from neurostim.period_ratios import carry_over_ratio, period_ratio, within_ratio

RATIO, TREND, CARRIED = 0.6, 1.2, 0.8
DAYS = 84


def lived(
    orders: list[list[bool]],
    seed: int,
    *,
    ratio: float = RATIO,
    trend: float = TREND,
    carried: float = 1.0,
    spread: float = 0.0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Outcomes of the arm and the reference, of one patient for each order of periods.

    Counts are Poisson around rates that are the patient's own, times the trend for each period,
    the ratio in the arm (whose logarithm varies between patients by `spread`), and what is carried
    over from the arm into the period after it.
    """
    rng = np.random.default_rng(seed)
    frames: tuple[list[dict[str, object]], list[dict[str, object]]] = ([], [])
    for patient, order in enumerate(orders):
        rate, own = rng.lognormal(0.0, 0.5), np.log(ratio) + spread * rng.standard_normal()
        rows: list[dict[str, object]] = [{"patient": patient, "arm": arm} for arm in ("a", "r")]
        for k, is_arm in enumerate(order):
            after = k > 0 and order[k - 1] and not is_arm
            mean = rate * trend**k * (np.exp(own) if is_arm else 1.0) * (carried if after else 1.0)
            rows[0 if is_arm else 1] |= {
                f"n_period_{k + 1}": rng.poisson(mean * DAYS),
                f"days_period_{k + 1}": DAYS,
            }
        for frame, row in zip(frames, rows, strict=True):
            frame.append(row)
    return pd.DataFrame(frames[0]), pd.DataFrame(frames[1])


def balanced(n: int) -> list[list[bool]]:
    return [[True, False] if k % 2 else [False, True] for k in range(n)]


def test_a_crossover_is_the_textbooks() -> None:
    arm, reference = lived(balanced(40), 1)
    log = {
        name: np.log((frame[[f"n_period_{k}" for k in (1, 2)]].sum(axis=1) + 0.5) / DAYS)
        for name, frame in (("arm", arm), ("reference", reference))
    }
    # Jones and Kenward 2014, chapter 2: half the difference between the sequences' means of the
    # difference between the first period and the second, by the two-sample t test.
    is_arm_first = np.arange(40) % 2 == 1
    first_less_second = np.where(is_arm_first, 1, -1) * (log["arm"] - log["reference"])
    test = stats.ttest_ind(first_less_second[is_arm_first], first_less_second[~is_arm_first])
    interval = test.confidence_interval()
    found = within_ratio(arm, reference)
    means = [first_less_second[each].mean() for each in (is_arm_first, ~is_arm_first)]
    assert np.log(found.estimate) == pytest.approx((means[0] - means[1]) / 2)
    assert found.p == pytest.approx(test.pvalue)
    assert np.log(found.low) == pytest.approx(interval.low / 2)
    assert np.log(found.high) == pytest.approx(interval.high / 2)


def test_known_effects_of_treatment_and_period_are_recovered() -> None:
    arm, reference = lived(balanced(400), 2)
    for found, truth in (
        (within_ratio(arm, reference), RATIO),
        (period_ratio(arm, reference), TREND),
    ):
        assert abs(found.estimate - truth) < 4 * found.monte_carlo_error
        assert found.monte_carlo_error < 0.03


def test_carry_over_is_seen_between_sequences() -> None:
    arm, reference = lived(balanced(2000), 3, carried=CARRIED)
    found = carry_over_ratio(arm, reference)
    # Only those with the arm first carry over: the products of their rates are CARRIED times as
    # large as those of the others.
    assert abs(found.estimate - CARRIED) < 4 * found.monte_carlo_error
    assert found.p < 0.001
    none = carry_over_ratio(*lived(balanced(2000), 4))
    assert abs(none.estimate - 1) < 4 * none.monte_carlo_error


def test_the_interval_of_a_crossover_covers_as_often_as_it_says() -> None:
    covers = []
    for seed in range(400):
        found = within_ratio(*lived(balanced(12), 100 + seed, spread=0.3))
        covers.append(found.low <= RATIO <= found.high)
    # A binomial share of 0.95 over 400 has a standard error of 0.011; four are allowed.
    assert abs(np.mean(covers) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 400)


def test_one_patient_in_cycles_has_an_effect_of_their_own() -> None:
    order = [True, False, False, True, True, False, False, True] * 5
    found = within_ratio(*lived([order], 5))
    assert abs(found.estimate - RATIO) < 4 * found.monte_carlo_error
    assert found.n == 1
    assert "these very patients" in found.method


def test_patients_who_differ_in_their_effect_are_the_units() -> None:
    order = [True, False, False, True, True, False]
    arm, reference = lived([order, [not each for each in order]] * 30, 6, spread=0.5)
    found = within_ratio(arm, reference)
    assert "over patients" in found.method
    assert abs(found.estimate - RATIO) < 4 * found.monte_carlo_error
    # 0.5 / sqrt(60) is the error that the spread alone leaves; periods as units would say less.
    assert found.monte_carlo_error / found.estimate > 0.8 * 0.5 / np.sqrt(60)


@pytest.mark.parametrize("n", [0, 1])
def test_too_little_is_not_estimated(n: int) -> None:
    arm, reference = lived(balanced(2), 7)
    for measure in (within_ratio, period_ratio, carry_over_ratio):
        found = measure(arm.iloc[:n], reference.iloc[:n])
        assert np.isnan(found.estimate)
        assert found.method.startswith("Not estimated")


def test_arms_lived_in_periods_are_never_taken_for_different_people() -> None:
    from tests.neurostim.fabricated_trial import ARMS, fabricate
    from tests.neurostim.test_endpoints import outcomes_of

    usual = outcomes_of(fabricate(12, arms=ARMS[:2]))
    crossed = usual.assign(
        n_period_1=usual["n_evaluation"].where(usual["arm"] == "sham"),
        days_period_1=usual["days_evaluation"].where(usual["arm"] == "sham"),
        n_period_2=usual["n_evaluation"].where(usual["arm"] != "sham"),
        days_period_2=usual["days_evaluation"].where(usual["arm"] != "sham"),
    )
    table = endpoints(crossed, "sham").set_index(["endpoint", "arm"])
    unpaired = table[table["analysis"] == "unpaired"]
    assert unpaired["p"].isna().all()
    assert table.loc[("rr50", "fixed"), "analysis"] == "one arm"
    assert table.loc[("paired_difference", "fixed"), "analysis"] == "paired"
    assert np.isfinite(table.loc[("paired_difference", "fixed"), "p"])
