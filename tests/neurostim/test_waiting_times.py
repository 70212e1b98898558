import math

import numpy as np
import pandas as pd
import pytest

from neurostim.survival import Waits, kaplan_meier_median, log_rank, median_wait
from neurostim.waiting_times import days_to_count, days_to_near_best


def treatment(*epochs: tuple[int | None, int]) -> pd.DataFrame:
    """Epochs of 14 days of one patient: what was counted, on how many recorded days."""
    rows = [
        {
            "arm": "only", "patient": 0, "start_day": 56 + 14 * k, "n_seizures": n,
            "days_recorded": days, "true_rate_per_day": 1.0,
        }
        for k, (n, days) in enumerate(epochs)
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"n_seizures": "Int64"})


def to_count(rows: pd.DataFrame, rate: float) -> tuple[float, object]:
    index = pd.MultiIndex.from_tuples([("only", 0)], names=["arm", "patient"])
    found = days_to_count(rows, pd.Series([rate], index=index))
    return found["count_days"].iloc[0], found["is_count_reached"].iloc[0]


@pytest.mark.parametrize(
    ("rate", "days", "is_reached"),
    [
        (1.0, 14 * 1 / 4, True),  # the first of three evenly spread seizures
        (3.0, 14 * 3 / 4, True),
        (3.5, 14 + 14 * 1 / 2, True),  # counts are whole: the fourth seizure
        (4.0, 14 + 14 * 1 / 2, True),
        (5.0, 28.0, False),
    ],
)
def test_the_count_is_reached_within_an_epoch(rate: float, days: float, is_reached: bool) -> None:
    assert to_count(treatment((3, 14), (1, 14)), rate) == (pytest.approx(days), is_reached)


def test_days_without_a_diary_stop_the_clock() -> None:
    rows = treatment((1, 7), (None, 0), (1, 10))
    assert to_count(rows, 2.0) == (pytest.approx(7 + 10 / 2), True)
    assert to_count(rows, 3.0) == (17.0, False)


@pytest.mark.parametrize("rate", [0.0, math.nan])
def test_without_seizures_at_baseline_there_is_no_count_to_reach(rate: float) -> None:
    days, is_reached = to_count(treatment((3, 14)), rate)
    assert math.isnan(days)
    assert is_reached is pd.NA


def test_without_any_diary_nobody_was_followed() -> None:
    days, is_reached = to_count(treatment((None, 0), (None, 0)), 2.0)
    assert math.isnan(days)
    assert is_reached is pd.NA


def near_best(rates: list[float], off: float, best: float) -> tuple[float, object]:
    rows = treatment(*[(1, 14)] * len(rates)).assign(true_rate_per_day=rates)
    index = pd.MultiIndex.from_tuples([("only", 0)], names=["arm", "patient"])
    frame = pd.DataFrame(
        {
            "true_rate_off_per_day": [off], "true_rate_best_per_day": [best],
            "treatment_days": [14 * len(rates)],
        },
        index=index,
    )  # fmt: skip
    found = days_to_near_best(rows, frame)
    return found["near_best_days"].iloc[0], found["is_near_best_reached"].iloc[0]


def test_near_best_is_within_a_tenth_and_needs_something_to_find() -> None:
    assert near_best([1.0, 0.56, 0.54, 1.0], off=1.0, best=0.5) == (28.0, True)
    assert near_best([0.5, 1.0], off=1.0, best=0.5) == (0.0, True)
    assert near_best([1.0, 1.0], off=1.0, best=0.5) == (28.0, False)
    assert near_best([1.0, 1.0], off=1.0, best=0.95)[1] is pd.NA


def curve_by_hand(days: np.ndarray, is_event: np.ndarray) -> list[tuple[float, float, float]]:
    """Event days, the Kaplan-Meier curve and Greenwood's sum, in plain loops."""
    steps, share, greenwood = [], 1.0, 0.0
    for day in sorted(set(days[is_event].tolist())):
        n_at_risk = int((days >= day).sum())
        n_events = int(((days == day) & is_event).sum())
        share *= 1 - n_events / n_at_risk
        if n_at_risk > n_events:
            greenwood += n_events / (n_at_risk * (n_at_risk - n_events))
        steps.append((day, share, greenwood))
    return steps


def drawn(seed: int, scale: float, n: int = 60) -> Waits:
    rng = np.random.default_rng(seed)
    days, ends = np.ceil(rng.exponential(scale, n)), 90.0
    return Waits(np.minimum(days, ends), days <= ends)


@pytest.mark.parametrize(("seed", "scale"), [(1, 30.0), (2, 60.0), (3, 100.0)])
def test_kaplan_meier_median_and_its_interval_by_hand(seed: int, scale: float) -> None:
    waits = drawn(seed, scale)
    low, median, high = kaplan_meier_median(waits)
    z, ends = 1.959964, {"low": math.inf, "median": math.inf, "high": math.inf}
    for day, share, greenwood in curve_by_hand(*waits):
        if not 0 < share < 1:
            continue
        half = z * math.sqrt(greenwood) / abs(math.log(share))
        limits = share ** math.exp(half), share, share ** math.exp(-half)
        for name, limit in zip(ends, limits, strict=True):
            if limit <= 0.5:
                ends[name] = min(ends[name], day)
    assert (low, median, high) == (ends["low"], ends["median"], ends["high"])


def log_rank_by_hand(left: Waits, right: Waits) -> float:
    """The p of the log-rank test, by observed less expected at each event day."""
    days = np.concatenate([left.days, right.days])
    is_event = np.concatenate([left.is_event, right.is_event])
    is_left = np.arange(len(days)) < len(left.days)
    excess = variance = 0.0
    for day in np.unique(days[is_event]):
        n, n_left = (days >= day).sum(), ((days >= day) & is_left).sum()
        d, d_left = ((days == day) & is_event).sum(), ((days == day) & is_event & is_left).sum()
        excess += d_left - d * n_left / n
        if n > 1:
            variance += d * (n_left / n) * (1 - n_left / n) * (n - d) / (n - 1)
    return math.erfc(abs(excess) / math.sqrt(variance) / math.sqrt(2))


def test_log_rank_by_hand() -> None:
    for seed in (1, 5, 9):
        left, right = drawn(seed, 30.0), drawn(seed + 1, 55.0)
        assert log_rank(left, right) == pytest.approx(log_rank_by_hand(left, right), rel=1e-9)


def frame_of(waits: Waits) -> pd.DataFrame:
    return pd.DataFrame({"count_days": waits.days, "is_count_reached": waits.is_event}).astype(
        {"is_count_reached": "boolean"}
    )


def test_an_unreached_median_says_so_and_keeps_its_test() -> None:
    slow, fast = frame_of(drawn(4, 400.0)), frame_of(drawn(5, 30.0))
    found = median_wait("count", "the count", slow, fast)
    assert math.isnan(found.estimate)
    assert found.method.startswith("Not estimated: fewer than half")
    assert found.p < 0.001
    alone = median_wait("count", "the count", fast, None)
    assert alone.low <= alone.estimate <= alone.high
    assert math.isnan(alone.p)


def test_without_an_event_or_an_arm_there_is_no_log_rank() -> None:
    never = Waits(np.array([9.0, 9.0]), np.array([False, False]))
    nobody = Waits(np.array([]), np.array([], dtype=bool))
    assert math.isnan(log_rank(never, never))
    assert math.isnan(log_rank(drawn(1, 30.0), nobody))
