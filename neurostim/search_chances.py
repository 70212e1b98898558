"""Random search, honestly: how soon chance alone has tried a good setting, and who did better.

Whoever draws n settings at random from a list of which a share a is good has tried a good one with
the probability 1 - (1 - a)^n. A controller that has not tried one sooner has found nothing that
chance would not have found; what it may still do better is to know that it has.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurostim.waiting_times import KEYS, NEAR_BEST

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """The share of an arm's patients that have tried a good setting within n epochs, n from 1.

    `by_chance` is the mean of 1 - (1 - a)^n over the same patients, `error` the standard error of
    `tried` over them. Only patients for whom some setting is good, and off is not, are counted.
    """

    n_patients: int
    tried: Floats
    by_chance: Floats
    error: Floats

    @property
    def lead(self) -> Floats:
        """By how much more patients have tried a good one than by chance."""
        return self.tried - self.by_chance


def hit_probability(good_share: Floats, n: int) -> Floats:
    """The probability that n random draws from a list hold a good setting, for each share."""
    return np.asarray(-np.expm1(n * np.log1p(-np.minimum(good_share, 1 - 1e-15))))


def chances(treatment: pd.DataFrame, patients: pd.DataFrame, n_epochs: int) -> dict[str, Chances]:
    """How soon each arm tried a good setting, from the epochs of treatment, in their order.

    `patients` has the columns patient, true_rate_best_per_day and true_good_share. A patient whose
    treatment had fewer than `n_epochs` counts as having tried no more.
    """
    hopeful = patients[patients["true_good_share"] > 0].set_index("patient")
    rows = treatment[treatment["patient"].isin(hopeful.index)]
    best = rows["patient"].map(hopeful["true_rate_best_per_day"])
    is_good = (rows["true_rate_per_day"] <= NEAR_BEST * best) & (rows["delivered_amplitude_ua"] > 0)
    place = rows.groupby(KEYS, sort=False).cumcount()
    reached = rows.loc[is_good, KEYS].assign(place=place[is_good])
    found = {}
    for arm in dict.fromkeys(rows["arm"].astype(str)):
        who = rows.loc[rows["arm"] == arm, "patient"].unique()
        first = reached[reached["arm"] == arm].groupby("patient")["place"].min()
        when = first.reindex(who).fillna(np.inf).to_numpy(dtype=float)
        shares = hopeful["true_good_share"].reindex(who).to_numpy(dtype=float)
        tried = np.array([(when < n).mean() for n in range(1, n_epochs + 1)])
        found[arm] = Chances(
            n_patients=len(who),
            tried=tried,
            by_chance=np.array([hit_probability(shares, n).mean() for n in range(1, n_epochs + 1)]),
            error=np.sqrt(np.maximum(tried * (1 - tried), 0) / len(who)),
        )
    return found
