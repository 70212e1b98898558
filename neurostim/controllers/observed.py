"""What can be said of settings without a model: how often seizures came on each."""

import numpy as np

from neurostim.history import TREATMENT, History, row_setting
from protocols import Setting


def lowest_observed(history: History) -> list[Setting | None]:
    """The setting of each patient's treatment under which the fewest seizures a day were written.

    Epochs on one setting are pooled; ties fall to the earlier one.
    """
    return [_lowest(history, b) for b in range(history.n_patients)]


def _lowest(history: History, b: int) -> Setting | None:
    epochs = np.flatnonzero(
        history.is_epoch[b] & (history.phase[b] >= TREATMENT) & (history.days_recorded[b] > 0)
    )
    if not len(epochs):
        return None
    rows, which = np.unique(history.delivered[b, epochs], axis=0, return_inverse=True)
    seizures = np.bincount(which, weights=history.n_seizures[b, epochs])
    days = np.bincount(which, weights=history.days_recorded[b, epochs])
    first = np.full(len(rows), len(epochs))
    np.minimum.at(first, which, np.arange(len(epochs)))
    best = min(range(len(rows)), key=lambda i: (seizures[i] / days[i], first[i]))
    return row_setting(rows[best])
