"""What an optimiser can be set to, each checked once."""

from dataclasses import dataclass
from math import inf
from typing import Literal, TypeAlias, get_args

from protocols import InputError

Goal: TypeAlias = Literal["minimize", "maximize"]
LikelihoodName: TypeAlias = Literal["counts", "gaussian"]

BETA = {"device": 2.5, "table": 4.0}
N_INITIAL = {"device": 0, "table": 16}
"""Measured: on the reference population of devices, and on `tests/benchmarks/response_maps.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """See `Optimizer`, whose arguments these are; raises `InputError`."""

    goal: Goal
    likelihood: LikelihoodName
    seed: int
    n_subjects: int | None
    first_subject: int
    beta: float
    n_initial: int
    side_effect_limit: float
    tolerance: float

    def __post_init__(self) -> None:
        check_choice("goal", self.goal, get_args(Goal))
        check_choice("likelihood", self.likelihood, get_args(LikelihoodName))
        for name in ("beta", "side_effect_limit", "tolerance"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise InputError(f"{name} = {number!r}: a number was expected")
            if not 0 <= number < inf:
                raise InputError(f"{name} = {number}: 0 or more was expected")
        for name, lowest in (("seed", 0), ("first_subject", 0), ("n_initial", 0)):
            _check_whole(name, getattr(self, name), lowest)
        if self.n_subjects is not None:
            _check_whole("n_subjects", self.n_subjects, 1)

    @property
    def sign(self) -> float:
        """What a response is multiplied with to make more of it better."""
        return -1.0 if self.goal == "minimize" else 1.0

    @property
    def is_batch(self) -> bool:
        """Whether the caller speaks in lists."""
        return self.n_subjects is not None


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise unless a value is one of these texts."""
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{name} = {value!r}: {' or '.join(choices)} was expected")


def _check_whole(name: str, value: object, lowest: int) -> None:
    if type(value) is not int or not lowest <= value < 1 << 32:
        raise InputError(f"{name} = {value!r}: a whole number from {lowest} up was expected")
