"""The patients that a prior is learned on, as the surrogate reads them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from neurostim.history import SETTING_COLUMNS, setting_row
from neurostim.meta.contributions import part
from neurostim.surrogate.filter import Observed
from protocols import BOTHERSOME_GRADE, Mode, Setting

LEARNED_PHASES = ("baseline", "treatment")
"""Recovery has the implant's own effect, and in the open label drugs change: days pass in them, and
nothing is learned."""

DELIVERED = [f"delivered_{name}" for name in SETTING_COLUMNS]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cohort:
    """B patients and what was seen of them, `B n`; `n_elsewhere` epochs were not on the list."""

    patients: tuple[object, ...]
    effects: Observed  # seizures
    side_effects: Observed  # whether a bothersome one was reported
    is_treatment: torch.Tensor  # B n
    n_elsewhere: int

    def __len__(self) -> int:
        return len(self.patients)

    def of(self, which: slice) -> "Cohort":
        """Some of the patients."""
        return Cohort(
            patients=self.patients[which],
            effects=part(self.effects, which),
            side_effects=part(self.side_effects, which),
            is_treatment=self.is_treatment[which],
            n_elsewhere=self.n_elsewhere,
        )


def cohort_of_rows(rows: pd.DataFrame, candidates: Sequence[Setting]) -> Cohort:
    """The patients of these epochs, each patient's in the order of the days."""
    rows = rows.sort_values(["patient", "start_day"], kind="stable")
    number = rows.groupby("patient", sort=False).cumcount().to_numpy()
    patient, names = pd.factorize(rows["patient"])
    shape = (len(names), int(number.max(initial=-1)) + 1)
    place = {setting_row(setting): index for index, setting in enumerate(candidates)}
    modes = {mode.value: index for index, mode in enumerate(Mode)}
    settings = rows[DELIVERED].assign(delivered_mode=rows["delivered_mode"].map(modes))
    places = np.array([_place(row, place) for row in settings.to_numpy().tolist()], dtype=np.int64)

    def table(values: object, empty: float) -> torch.Tensor:
        filled = np.full(shape, empty)
        filled[patient, number] = np.asarray(values, dtype=np.float64)
        return torch.from_numpy(filled)

    is_listed = places >= 0
    teaches = is_listed & rows["phase"].isin(LEARNED_PHASES).to_numpy()
    days = table(rows["days"], 1.0)
    index = table(np.maximum(places, 0), 0.0).long()
    at_day = table(rows["start_day"] + rows["days"] / 2, 0.0)
    is_epoch = table(np.ones(len(rows)), 0.0) > 0
    recorded = rows["days_recorded"].to_numpy()
    grade = rows["worst_grade"].to_numpy(dtype=float, na_value=np.nan)
    seizures = rows["n_seizures"].to_numpy(dtype=float, na_value=np.nan)

    def observed(value: object, exposure: object, is_seen: object) -> Observed:
        return Observed(
            index=index,
            value=table(np.nan_to_num(np.asarray(value, dtype=np.float64)), 0.0),
            exposure=table(exposure, 1.0),
            days=days,
            at_day=at_day,
            mask=table(np.asarray(is_seen) & teaches, 0.0) > 0,
            is_epoch=is_epoch,
        )

    return Cohort(
        patients=tuple(names),
        effects=observed(seizures, np.maximum(recorded, 1), (recorded > 0) & np.isfinite(seizures)),
        side_effects=observed(grade >= BOTHERSOME_GRADE, rows["days"], np.isfinite(grade)),
        is_treatment=table(rows["phase"] == "treatment", 0.0) > 0,
        n_elsewhere=int((~is_listed).sum()),
    )


def _place(row: list[int], place: dict[tuple[int, ...], int]) -> int:
    return 0 if row[1] == 0 else place.get(tuple(int(each) for each in row), -1)
