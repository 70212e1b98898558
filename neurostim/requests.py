"""What may be asked of the endpoint table beyond comparing every arm with the reference."""

from dataclasses import dataclass

from protocols import InputError

FEWEST_PERMUTATIONS, MOST_PERMUTATIONS = 99, 100_000
HIGHEST_IMPORTANT_POINTS = 1_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """An analysis that goes beyond the usual one; what is asked changes the table, never the run.

    With `is_every_pair` arms other than the reference are compared with each other, too, and
    Holm's correction counts those comparisons. `n_permutations` adds tests by so many random
    permutations. `important_points` is the minimal important difference: percentage points of
    percent change from baseline by which a patient must differ between two arms to be counted as
    worse or better.
    """

    is_every_pair: bool = False
    n_permutations: int = 0
    important_points: float = 25.0

    def __post_init__(self) -> None:
        n = self.n_permutations
        if n != 0 and not FEWEST_PERMUTATIONS <= n <= MOST_PERMUTATIONS:
            raise InputError(
                f"permutations = {n}: 0, or {FEWEST_PERMUTATIONS} to {MOST_PERMUTATIONS} was "
                "expected"
            )
        if not 0 < self.important_points <= HIGHEST_IMPORTANT_POINTS:
            raise InputError(
                f"important difference = {self.important_points}: more than 0 and at most "
                f"{HIGHEST_IMPORTANT_POINTS:.0f} percentage points was expected"
            )


USUAL = Requests()
