"""What every part of a report reads: a trial's rows, outcomes and endpoints, computed once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from neurostim.endpoints import endpoints
from neurostim.outcomes import evaluation_start, outcomes
from neurostim.requests import USUAL, Requests

DAYS_PER_PERIOD = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A trial with its arms in the order of the design.

    `epochs` has a column `period`: which bin of `period_days` the epoch began in, treatment's first
    being 0.
    """

    epochs: pd.DataFrame
    patients: pd.DataFrame
    outcomes: pd.DataFrame
    endpoints: pd.DataFrame
    manifest: Mapping[str, Any]
    requests: Requests
    arms: tuple[str, ...]
    reference: str
    treatment_start: int
    evaluation_start: int
    period_days: int

    @property
    def design(self) -> Mapping[str, Any]:
        """The design that the manifest carries."""
        design: Mapping[str, Any] = self.manifest["design"]
        return design

    @property
    def schedule(self) -> Mapping[str, Any]:
        """The design's lengths in days."""
        schedule: Mapping[str, Any] = self.design["schedule"]
        return schedule

    @property
    def treatment(self) -> pd.DataFrame:
        """The epochs in which a controller decides."""
        return self.epochs[self.epochs["phase"] == "treatment"]

    @property
    def others(self) -> tuple[str, ...]:
        """The arms that are compared with the reference."""
        return tuple(arm for arm in self.arms if arm != self.reference)

    @property
    def is_compared(self) -> bool:
        """Whether there is a reference and something to compare with it."""
        return self.reference in self.arms and len(self.arms) > 1

    @property
    def is_paired(self) -> bool:
        """Whether arms treated the same patients, so that they can be compared within them."""
        arms = [set(self.of(arm)["patient"]) for arm in self.arms]
        return len(arms) > 1 and bool(set.intersection(*arms))

    @property
    def is_every_pair(self) -> bool:
        """Whether the endpoint table compares the other arms with each other, too."""
        return not self.endpoints["against"].isin(["", self.reference]).all()

    @property
    def is_reference_off(self) -> bool:
        """Whether the reference was treated and never stimulated."""
        amplitude = self.treatment.loc[
            self.treatment["arm"] == self.reference, "delivered_amplitude_ua"
        ]
        return len(amplitude) > 0 and bool((amplitude == 0).all())

    def of(self, arm: str) -> pd.DataFrame:
        """Return the outcomes of one arm."""
        return self.outcomes[self.outcomes["arm"] == arm]

    def estimate(self, endpoint: str, arm: str) -> Mapping[str, Any] | None:
        """Return an arm's row, alone or against the reference, or None where it has none."""
        table = self.endpoints
        is_shown = table["against"].isin(["", self.reference])
        rows = table[is_shown & (table["endpoint"] == endpoint) & (table["arm"] == arm)]
        return {str(key): value for key, value in rows.iloc[0].items()} if len(rows) else None


def evidence_of(
    epochs: pd.DataFrame,
    patients: pd.DataFrame,
    manifest: Mapping[str, Any],
    requests: Requests = USUAL,
) -> Evidence:
    """Return what a trial shows, with arms ordered as its design names them."""
    design = manifest["design"]
    epochs = epochs.assign(arm=epochs["arm"].astype(str))
    present = list(dict.fromkeys(epochs["arm"]))
    named = [str(arm["name"]) for arm in design["arms"]]
    arms = tuple(dict.fromkeys([arm for arm in named if arm in present] + present))
    place = {arm: order for order, arm in enumerate(arms)}
    by_patient = outcomes(epochs, patients, design["schedule"])
    by_patient = by_patient.sort_values(
        ["arm", "patient"], key=lambda column: column.map(place) if column.name == "arm" else column
    ).reset_index(drop=True)
    reference = str(design["analysis"]["reference"])
    treated = epochs.loc[epochs["phase"] == "treatment", "start_day"]
    start = int(treated.min()) if len(treated) else int(design["schedule"]["baseline_days"])
    epoch_days = int(design["schedule"]["epoch_days"])
    period_days = epoch_days * -(-DAYS_PER_PERIOD // epoch_days)
    return Evidence(
        epochs=epochs.assign(period=(epochs["start_day"] - start) // period_days),
        patients=patients,
        outcomes=by_patient,
        endpoints=endpoints(by_patient, reference, requests),
        manifest=manifest,
        requests=requests,
        arms=arms,
        reference=reference,
        treatment_start=start,
        evaluation_start=evaluation_start(epochs, design["schedule"]),
        period_days=period_days,
    )
