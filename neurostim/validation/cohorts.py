"""All that validation needs of a simulator: diaries of a community and of four trials."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

import numpy as np

from neurostim.validation.diaries import Booleans, Counts, Diaries

TrialName: TypeAlias = Literal["sante", "rns", "vns-e03", "vns-e05"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrialDiaries:
    """The enrolled patients of replicates of one trial, replicate after replicate.

    Days count from 0 at the start of baseline, and an end is the first day after its window.
    """

    diaries: Diaries
    """Daily counts of the B = n_replicates * n_per_replicate patients who were eligible."""
    arm: Counts
    """(B,) 1 in the active arm, 0 in the control arm."""
    n_per_replicate: int
    baseline_days: int
    blinded_start_day: int
    """First day of the blinded evaluation."""
    blinded_end_day: int
    """First day after the blinded evaluation."""
    year_end_days: tuple[int, ...] = ()
    """First day after each year since the device was switched on, the open-label years 1, 2, ..."""
    reporters: Mapping[str, Booleans] = field(default_factory=dict)
    """(B,) who told of each type of side effect during the blinded evaluation."""

    def __post_init__(self) -> None:
        """Check that patients fill whole replicates and that the windows lie in the diary."""
        n, n_days = self.diaries.n_patients, self.diaries.n_days
        if self.arm.shape != (n,) or not np.isin(self.arm, (0, 1)).all():
            raise ValueError(f"arm must be ({n},) of 0 and 1, not {self.arm.shape}")
        if n == 0 or n % self.n_per_replicate:
            raise ValueError(f"{n} patients are no whole replicates of {self.n_per_replicate}")
        edges = (0, self.baseline_days, self.blinded_start_day, self.blinded_end_day)
        is_ordered = edges[0] < edges[1] <= edges[2] < edges[3] <= n_days
        if not is_ordered or any(not edges[3] < end <= n_days for end in self.year_end_days):
            message = f"windows {edges} and years {self.year_end_days} do not fit {n_days} days"
            raise ValueError(message)
        for name, told in self.reporters.items():
            if told.shape != (n,):
                raise ValueError(f"reporters of {name} must be ({n},), not {told.shape}")

    @property
    def n_replicates(self) -> int:
        """How many times the trial was run."""
        return self.diaries.n_patients // self.n_per_replicate

    def replicate(self, k: int) -> slice:
        """Return which patients are those of replicate k."""
        return slice(k * self.n_per_replicate, (k + 1) * self.n_per_replicate)


class Cohorts(Protocol):
    """A simulator of diaries; the same arguments give the same diaries."""

    def community(
        self,
        n: int,
        days: int,
        *,
        seed: int,
        with_times: bool = False,
        expectation_day: float | None = None,
        written_rate_per_30_days: float | None = None,
    ) -> Diaries:
        """Return the diaries of n people of the community, nobody stimulated.

        With `expectation_day` they expect a treatment from that day on (a placebo arm). With
        `written_rate_per_30_days` everybody has that base rate, and the same seed gives the same
        people the same luck at another rate. Patient i depends on the seed and i, not on n.
        """
        ...

    def trial(
        self, name: TrialName, *, n_replicates: int, seed: int, years: int = 0
    ) -> TrialDiaries:
        """Return the patients enrolled on their observed baseline, with `years` of open label.

        The diaries must reach `year_end_days[years - 1]`, with as many of them as years.
        """
        ...
