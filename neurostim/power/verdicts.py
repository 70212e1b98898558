"""Verdicts: what each test says of each replicated trial at each size.

The regressions run on all replicates at once; the other tests are those of the endpoint table. A
test by permutation is not among them: its level is exact, but a thousand trials of it take hours.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from neurostim.estimates import FEWEST_PER_ARM, Array, Estimate
from neurostim.outcomes import FREEDOM_MONTHS, NAN, RESPONDER_PERCENTS, as_floats
from neurostim.power.pool import Pooled
from neurostim.power.regressions import (
    CountsOfMany,
    FitOfMany,
    counts_of_many,
    negative_binomials,
    robust_poissons,
    without_arm,
)
from neurostim.power.scenarios import Scenario
from neurostim.rank_tests import rank_ancova, rank_sum, signed_rank
from neurostim.rate_ratios import rate_ratio, rate_ratio_likelihood, rate_ratio_robust
from neurostim.shares import discordant, two_shares
from neurostim.survival import Waits, log_rank

PRIMARY = "rate_ratio"
SHARES = {
    **{f"rr{percent}": f"is_responder_{percent}" for percent in RESPONDER_PERCENTS},
    "seizure_free": "is_seizure_free",
    **{f"seizure_free_{m}_months": f"is_seizure_free_{m}_months" for m in FREEDOM_MONTHS},
    "worse_25": "is_worse_25",
}
PAIRED_SHARES = {"rr50_difference": "is_responder_50", "worse_25_difference": "is_worse_25"}
IMPORTANT_POINTS = 25.0
"""The minimal important difference of `important_net`, as the report has it unless told."""

COLUMNS = (
    "n_baseline", "days_baseline", "n_evaluation", "days_evaluation", "percent_change",
    "count_days", "is_count_reached", *SHARES.values(),
)  # fmt: skip

Sides = dict[str, Array]
"""Outcomes of one arm at one size: columns, replicates x patients, what is missing as NaN."""


def verdicts(
    scenario: Scenario, pool: Pooled, replicates: Sequence[int], sizes: Sequence[int]
) -> pd.DataFrame:
    """Return a row for each size, arm other than the reference, test and replicate.

    `p` is NaN where the test could not be had. `estimate` is the log rate ratio and `error` its
    standard error, for the primary test only.
    """
    ordered = pool.outcomes.sort_values(["arm", "replicate", "position"])
    by_arm = {str(arm): rows for arm, rows in ordered.groupby("arm", sort=False)}
    columns = {
        arm: {name: as_floats(rows[name]).reshape(len(replicates), -1) for name in COLUMNS}
        for arm, rows in by_arm.items()
    }
    found = []
    for n in sizes:
        sides = {a: {k: v[:, :n] for k, v in each.items()} for a, each in columns.items()}
        for arm in (each for each in scenario.arms if each != scenario.reference):
            pair = (sides[arm], sides[scenario.reference])
            if scenario.is_paired:
                tested = paired_tests(*pair)
            else:
                tested = unpaired_tests(*pair, _whole(by_arm, arm, scenario.reference, n))
            for test, values in tested:
                estimates = values if isinstance(values, FitOfMany) else None
                frame = {"n": n, "arm": arm, "test": test, "replicate": list(replicates)}
                frame["p"] = wald(estimates) if estimates else values
                frame["estimate"] = estimates.log_ratio if estimates else NAN
                frame["error"] = estimates.error if estimates else NAN
                found.append(pd.DataFrame(frame))
    return pd.concat(found, ignore_index=True)


def wald(fit: FitOfMany) -> Array:
    """Return the two-sided p of each log ratio."""
    p: Array = 2 * stats.norm.sf(np.abs(fit.log_ratio) / fit.error)
    return p


Whole = Callable[[int], tuple[pd.DataFrame, pd.DataFrame]]
"""The outcomes of both arms of a replicate, counted from 0, as the endpoint table takes them."""


def _whole(by_arm: dict[str, pd.DataFrame], arm: str, reference: str, n: int) -> Whole:
    def of(k: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        frames = []
        for name in (arm, reference):
            rows = by_arm[name]
            first = k * (int(rows["position"].max()) + 1)
            frames.append(rows.iloc[first : first + n])
        return frames[0], frames[1]

    return of


def unpaired_tests(
    left: Sides, right: Sides, whole: Whole
) -> Iterator[tuple[str, Array | FitOfMany]]:
    """Yield the tests of different people, by name, over replicates.

    What a fit of many could not do is asked of the endpoint table's own, replicate by replicate.
    """
    many = _counts(left, right)
    is_testable = _is_testable(many, left["percent_change"].shape[1])
    nb = negative_binomials(many)
    yield PRIMARY, _mended(nb, is_testable, lambda k: _log_ratio(rate_ratio, *whole(k)))
    plain = negative_binomials(without_arm(many))
    gain = 2 * (nb.log_likelihood - plain.log_likelihood)
    likelihood = np.where(is_testable, stats.chi2.sf(np.maximum(gain, 0), 1), NAN)
    for k in np.flatnonzero(is_testable & np.isnan(gain)):
        likelihood[k] = rate_ratio_likelihood(*whole(int(k))).p
    yield "rate_ratio_likelihood", likelihood
    robust = robust_poissons(many)
    ask_robust = _mended(robust, is_testable, lambda k: _log_ratio(rate_ratio_robust, *whole(k)))
    yield "rate_ratio_robust", wald(ask_robust)
    changes = (left["percent_change"], right["percent_change"])
    yield "shift", _each(_shift_p, *changes)
    yield "rank_ancova", np.array([rank_ancova(*whole(k)).p for k in range(len(many.counts))])
    for name, column in SHARES.items():
        yield name, _each(_share_p, left[column], right[column])
    waits = [side[name] for side in (left, right) for name in ("count_days", "is_count_reached")]
    yield "time_to_count", _each(_wait_p, *waits)


def paired_tests(left: Sides, right: Sides) -> Iterator[tuple[str, Array | FitOfMany]]:
    """Yield the tests within the same people, by name, over replicates."""
    differences = left["percent_change"] - right["percent_change"]
    yield "paired_difference", _each(lambda d: signed_rank(d[np.isfinite(d)]), differences)
    for name, column in PAIRED_SHARES.items():
        yield name, _each(_discordant_p, left[column] - right[column])
    important = np.where(np.abs(differences) >= IMPORTANT_POINTS, np.sign(differences), 0)
    important = np.where(np.isnan(differences), NAN, important)
    yield "important_net", _each(_discordant_p, important)


def _counts(left: Sides, right: Sides) -> CountsOfMany:
    def joined(name: str) -> Array:
        return np.concatenate([left[name], right[name]], axis=1)

    return counts_of_many(
        joined("n_baseline"),
        joined("days_baseline"),
        joined("n_evaluation"),
        joined("days_evaluation"),
        left["n_baseline"].shape[1],
    )


def _is_testable(many: CountsOfMany, n_arm: int) -> npt.NDArray[np.bool_]:
    """Where both arms have enough patients and a seizure, as `recorded_counts` asks for."""
    seizures, weights = many.counts * many.weights, many.weights
    testable = np.ones(len(weights), dtype=bool)
    for side in (slice(None, n_arm), slice(n_arm, None)):
        testable &= weights[:, side].sum(axis=1) >= FEWEST_PER_ARM
        testable &= seizures[:, side].sum(axis=1) > 0
    return testable


def _log_ratio(measure: Callable[..., Estimate], *sides: pd.DataFrame) -> tuple[float, float]:
    """Return the log rate ratio and its error that the endpoint table has."""
    found = measure(*sides)
    estimate, error = found.estimate, found.monte_carlo_error
    return float(np.log(estimate)), float(error / estimate)


def _mended(
    fit: FitOfMany,
    is_testable: npt.NDArray[np.bool_],
    ask: Callable[[int], tuple[float, float]],
) -> FitOfMany:
    """Fill in what was not fitted, and take away what is not to be tested."""
    log_ratio = np.where(is_testable, fit.log_ratio, NAN)
    error = np.where(is_testable, fit.error, NAN)
    for k in np.flatnonzero(is_testable & np.isnan(log_ratio)):
        log_ratio[k], error[k] = ask(int(k))
    return FitOfMany(log_ratio, error, fit.log_likelihood)


def _each(test: Callable[..., float], *columns: Array) -> Array:
    """Apply a test to each replicate's rows."""
    return np.array([test(*rows) for rows in zip(*columns, strict=True)], dtype=float)


def _known(values: Array) -> Array:
    return values[np.isfinite(values)]


def _shift_p(left: Array, right: Array) -> float:
    left, right = _known(left), _known(right)
    return rank_sum(left, right) if min(len(left), len(right)) >= FEWEST_PER_ARM else NAN


def _share_p(left: Array, right: Array) -> float:
    left, right = _known(left), _known(right)
    return two_shares(int(left.sum()), len(left), int(right.sum()), len(right))[0]


def _discordant_p(ways: Array) -> float:
    known = _known(ways)
    return discordant(int((known > 0).sum()), int((known < 0).sum())) if len(known) else NAN


def _wait_p(days: Array, is_event: Array, other_days: Array, is_other_event: Array) -> float:
    return log_rank(_waits(days, is_event), _waits(other_days, is_other_event))


def _waits(days: Array, is_event: Array) -> Waits:
    is_known = np.isfinite(days)
    return Waits(days[is_known], is_event[is_known] == 1)
