"""Operating characteristics: the share of replicated trials in which each test rejects."""

import numpy as np
import pandas as pd
from scipy import stats

from neurostim.power.verdicts import PRIMARY
from neurostim.shares import share
from protocols import InputError

LEVEL = 0.05
Z_95 = float(stats.norm.ppf(0.95))
KEYS = ["scenario", "n", "arm", "test"]
LOWEST_MARGIN, HIGHEST_MARGIN = 1.001, 100.0


def check_margin(margin: float | None) -> None:
    """Raise `InputError` unless a margin of equivalence is usable."""
    if margin is not None and not LOWEST_MARGIN <= margin <= HIGHEST_MARGIN:
        raise InputError(
            f"margin = {margin}: a rate ratio from {LOWEST_MARGIN} to {HIGHEST_MARGIN:g} was "
            "expected, such as 1.25, for 1/1.25 to 1.25"
        )


def characteristics(statistics: pd.DataFrame, margin: float | None) -> pd.DataFrame:
    """Return a row per scenario, size, arm and test: how often it rejects, in percent.

    A test rejects when its two-sided p is below 5 %; one that could not be had does not reject, and
    `n_known` counts the others. Of the primary test stand two more rows: *superiority*, where it
    also favours the arm, and, given a margin, *equivalence*: two one-sided tests at 5 %, so that
    the 90 % interval of the rate ratio lies within 1/margin to margin (Schuirmann 1987, J
    Pharmacokinet Biopharm 15:657). The interval is Wilson's, and `error` its standard error.
    """
    parts = [_rejected(statistics, statistics["test"], statistics["p"] < LEVEL)]
    primary = statistics[statistics["test"] == PRIMARY]
    if len(primary):
        ratio, error = primary["estimate"], primary["error"]
        parts.append(_rejected(primary, "superiority", (primary["p"] < LEVEL) & (ratio < 0)))
        if margin is not None:
            is_within = ratio.abs() + Z_95 * error < np.log(margin)
            parts.append(_rejected(primary, "equivalence", is_within))
    table = pd.concat(parts, ignore_index=True)
    rows = [
        dict(zip(KEYS, map(_plain, key), strict=True))
        | _counted(int(group["is_rejected"].sum()), len(group), int(group["is_known"].sum()))
        for key, group in table.groupby(KEYS, sort=False)
    ]
    return pd.DataFrame(rows)


def _rejected(rows: pd.DataFrame, test: "str | pd.Series", is_rejected: pd.Series) -> pd.DataFrame:
    found = rows[["scenario", "n", "arm"]].assign(test=test, is_rejected=is_rejected)
    return found.assign(is_known=rows["p"].notna())


def _plain(key: object) -> object:
    return int(key) if isinstance(key, (int, np.integer)) else str(key)


def _counted(n_rejected: int, n: int, n_known: int) -> dict[str, float | int]:
    found = share(n_rejected, n, "")
    return {
        "n_replicates": n,
        "n_known": n_known,
        "n_rejected": n_rejected,
        "share": found.estimate,
        "low": found.low,
        "high": found.high,
        "error": found.monte_carlo_error,
    }


def worst_error(table: pd.DataFrame) -> float:
    """The largest standard error of the table, as a share of 1."""
    return float(table["error"].max()) / 100
