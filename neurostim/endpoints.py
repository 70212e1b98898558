"""The endpoint table: one tidy row per endpoint, arm and arm that it is compared with.

Two analyses live side by side. *Unpaired* ones ask what a parallel trial of these sizes would find
and treat the arms as different people; *paired* ones use that every arm treats the same virtual
patients. Where each patient lived one arm only, there is nothing to pair; where patients lived
their arms in periods, arms are compared within them. Each row says in `analysis` which it is.
Intervals are 95 % and are taken over patients.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pandas as pd

from neurostim.endpoint_list import PERIODS, Endpoint, endpoints_asked
from neurostim.estimates import Estimate, holm
from neurostim.outcomes import NAN, PERIOD
from neurostim.requests import USUAL, Requests

ONE_ARM = "one arm"
WHY = {
    "paired": "Not estimated: each patient lived one arm only, so arms are compared unpaired.",
    "unpaired": "Not estimated: patients lived their arms in periods, so arms are compared within "
    "them.",
}


def endpoints(outcomes: pd.DataFrame, reference: str, requests: Requests = USUAL) -> pd.DataFrame:
    """Return one row per endpoint and arm: the estimate, its interval, p and how it was had.

    `against` is the arm compared with, empty where there is none: the reference or, where every
    pair is asked for, also each arm before this one. `monte_carlo_error` is the standard error of
    the estimate over the simulated patients, in its unit, and `p_error` that of a p by random
    permutations. `p_adjusted` is Holm's, over the comparisons within one endpoint. When `reference`
    is not among the arms nothing is compared with it.
    """
    impossible = impossible_analysis(outcomes)
    arms = {str(arm): rows for arm, rows in outcomes.groupby("arm", sort=False)}
    rows = [
        row
        for endpoint in endpoints_asked(requests, outcomes.columns)
        for row in _rows(_possible(endpoint, impossible), arms, reference, requests.is_every_pair)
    ]
    table = pd.DataFrame(rows)
    for _, group in table.groupby("endpoint", sort=False):
        table.loc[group.index, "p_adjusted"] = holm(group["p"].to_numpy(dtype=float))
    return table


def impossible_analysis(outcomes: pd.DataFrame) -> str | None:
    """Return which way of comparing arms the outcomes of a trial do not allow, if any.

    It is *paired* where no patient lived two arms, and *unpaired* where patients lived their arms
    in periods: to take them for different people would be wrong.
    """
    if any(name.startswith(PERIOD) for name in outcomes.columns):
        return "unpaired"
    is_parallel = outcomes["arm"].nunique() > 1 and not outcomes["patient"].duplicated().any()
    return "paired" if is_parallel else None


def _possible(endpoint: Endpoint, impossible: str | None) -> Endpoint:
    """Return the endpoint, without a comparison that the outcomes do not allow."""
    if endpoint.analysis is None or endpoint.analysis != impossible or endpoint in PERIODS:
        return endpoint
    if not endpoint.is_comparison:
        return endpoint._replace(analysis=None)
    return endpoint._replace(measure=lambda arm, _: Estimate(n=len(arm), method=WHY[impossible]))


def _rows(
    endpoint: Endpoint, arms: dict[str, pd.DataFrame], reference: str, is_every_pair: bool
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one endpoint: against the reference first, then every other pair."""
    compared = reference in arms and endpoint.analysis is not None
    for arm in arms:
        against = reference if compared and arm != reference else ""
        if against or not endpoint.is_comparison:
            yield _row(endpoint, arm, against, arms)
    if is_every_pair and endpoint.analysis is not None:
        others = [arm for arm in arms if arm != reference]
        for against, arm in combinations(others, 2):
            yield _row(endpoint, arm, against, arms)


def _row(
    endpoint: Endpoint, arm: str, against: str, arms: dict[str, pd.DataFrame]
) -> dict[str, Any]:
    """Return one row of the table."""
    found = endpoint.measure(arms[arm], arms[against] if against else None)
    return {
        "arm": arm,
        "against": against,
        "endpoint": endpoint.name,
        "label": endpoint.label,
        "analysis": endpoint.analysis if against else ONE_ARM,
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "monte_carlo_error": found.monte_carlo_error,
        "unit": endpoint.unit,
        "n": found.n,
        "p": found.p,
        "p_error": found.p_error,
        "p_adjusted": NAN,
        "method": found.method,
    }
