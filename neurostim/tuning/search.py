"""What to evaluate next: a pure function of what has been evaluated.

Every choice begins on the lowest rung, with few patients. The best third of a
rung goes on to the next, as far as the patients do not speak against it (asynchronous successive
halving, Li et al. 2020, "A system for massively parallel hyperparameter tuning", MLSys). New
choices come from a Sobol sequence, and then from the outer model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neurostim.tuning.difference import SHARE, UNSAFE, Measured, difference
from neurostim.tuning.ground import Lives
from neurostim.tuning.knobs import Choice, Space
from neurostim.tuning.outer_model import Evaluated, OuterModel, outer_model
from protocols import InputError

N_START = 12
PROMOTED_SHARE = 3
"""One in so many goes on to the next rung."""

ONE_SIDED = 1.645
"""Standard errors of a one-sided test at 5 %."""

HOPEFUL = 1.0
"""Standard errors by which a choice may be below the default and still go on."""

PRIMARY = np.array([1.0, 0.01, 0.0])
"""Share of the gap, less as much for each per cent of days at an unsafe setting."""

EXPLORED_EVERY = 4
"""Every so many-th new choice is asked for by weights drawn at random, for the Pareto front."""

POOL_SIZE = 512
NEAR_SHARE = 0.3
"""Of the knobs, changed in half of what is drawn: a design is a good place to start from."""

N_IMPROVED = 4
"""Of so many of the best choices all neighbours are in the pool."""

FEWEST_ON_A_RUNG = 16
"""Where there are enough patients: fewer tell little more than their luck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """So many of the training patients; `cost` is what it adds, in whole trials of all of them."""

    n_patients: int
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A choice to evaluate on a rung."""

    choice: Choice
    rung: int


def rungs_of(n_patients: int) -> tuple[Rung, ...]:
    """A quarter of the patients, half of them, and all, each for the whole treatment.

    A rung goes on where the one below it was, so that it costs the patients it adds and nothing is
    lived twice. Trials of half the length on the lowest rung said as much of other patients' whole
    trials (correlation 0.71 for both, 23 choices for the demonstration's gp arm on 24 and 24
    patients), but are lived again on the next rung: they would save a tenth of the budget.
    """
    half = max(2, n_patients // 2)
    quarter = min(max(FEWEST_ON_A_RUNG, n_patients // 4), half)
    sizes = (quarter, half, n_patients)
    before = (0, quarter, half)
    return tuple(
        Rung(n_patients=n, cost=(n - less) / n_patients)
        for n, less in zip(sizes, before, strict=True)
        if n > less
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that was evaluated on training patients, against the default on the same ones."""

    space: Space
    rungs: tuple[Rung, ...]
    lives: Mapping[tuple[Choice, int], Lives]

    @property
    def cost(self) -> float:
        """In whole trials."""
        return sum(self.rungs[rung].cost for _, rung in self.lives)

    @property
    def top(self) -> int:
        """The highest rung."""
        return len(self.rungs) - 1

    def on(self, rung: int) -> list[Choice]:
        """The choices evaluated there, in order."""
        return [choice for choice, at in self.lives if at == rung]

    def against_usual(self, choice: Choice, rung: int) -> Measured:
        """What a choice changes on a rung."""
        usual = self.lives[self.space.usual, rung]
        return difference(self.lives[choice, rung], usual)

    def rows(self, weights: np.ndarray) -> list[Evaluated]:
        """All evaluations, weighed, with each one's own half of the variance of its difference.

        The other half is the default's and the same in all: it is on the default's own row.
        """
        weighed = {key: self.against_usual(*key).weighed(weights) for key in self.lives}
        others = [variance for value, variance in weighed.values() if variance > 0]
        typical = float(np.median(others)) if others else 0.0
        return [
            Evaluated(
                choice=choice,
                rung=rung,
                value=value,
                variance=(typical if choice == self.space.usual else variance) / 2,
            )
            for (choice, rung), (value, variance) in weighed.items()
        ]

    def model(self, weights: np.ndarray = PRIMARY) -> OuterModel:
        """The outer model of a weighted sum of the objectives."""
        return outer_model(self.space, len(self.rungs), self.rows(weights))


def next_asked(known: Known, seed: int) -> Asked | None:
    """What to evaluate next; None when nothing is left."""
    for rung in range(len(known.rungs)):
        if (known.space.usual, rung) not in known.lives:
            return Asked(choice=known.space.usual, rung=rung)
    for rung in reversed(range(known.top)):
        for choice in promotable(known, rung):
            return Asked(choice=choice, rung=rung + 1)
    fresh = _fresh(known, seed)
    return None if fresh is None else Asked(choice=fresh, rung=0)


def promotable(known: Known, rung: int) -> list[Choice]:
    """Who is in the best third of a rung, is not known to be worse than the default, and waits."""
    here = [choice for choice in known.on(rung) if choice != known.space.usual]
    weighed = {c: known.against_usual(c, rung).weighed(PRIMARY) for c in here}
    gone_on = [known.lives[c, rung] for c in known.on(rung + 1)]
    best = sorted(here, key=lambda c: -weighed[c][0])[: len(here) // PROMOTED_SHARE]
    return [
        choice
        for choice in best
        if known.lives[choice, rung] not in gone_on  # that which acts alike has gone for it
        and weighed[choice][0] + HOPEFUL * weighed[choice][1] ** 0.5 >= 0
    ]


def _fresh(known: Known, seed: int) -> Choice | None:
    """A choice that was not tried: of the Sobol sequence at first, then of the outer model."""
    tried = dict.fromkeys(known.on(0))
    n_tried = len(tried) - 1
    drawn = [c for c in _drawn(known.space, seed) if c not in tried]
    if n_tried < N_START and drawn:
        return drawn[0]
    rng = np.random.default_rng((seed, n_tried))
    model = known.model(_weights(known, n_tried, rng))
    mean, _ = model.posterior(list(tried))
    order = mean.argsort(descending=True, stable=True)[:N_IMPROVED].tolist()
    best = [list(tried)[place] for place in order]
    near = [each for choice in best for each in known.space.neighbours(choice)]
    pairs = [each for choice in near[::7] for each in known.space.neighbours(choice)]
    wide = _drawn(known.space, seed + n_tried)
    pool = [c for c in dict.fromkeys([*near, *pairs[:POOL_SIZE], *wide]) if c not in tried]
    return model.next_of(pool, seed + n_tried) if pool else None


def _drawn(space: Space, seed: int) -> list[Choice]:
    """Choices from all over the space and near the design, in turn."""
    far = space.drawn(POOL_SIZE // 2, seed)
    near = space.drawn(POOL_SIZE // 2, seed, NEAR_SHARE)
    return [choice for pair in zip(near, far, strict=True) for choice in pair]


def _weights(known: Known, n_tried: int, rng: np.random.Generator) -> np.ndarray:
    """What counts, or, for the front, weights drawn at random in units of each one's spread."""
    if n_tried % EXPLORED_EVERY:
        return PRIMARY
    values = np.array([known.against_usual(c, 0).values for c in known.on(0)])
    spread = np.maximum(values.std(axis=0), 1e-6)
    return np.asarray(rng.dirichlet(np.ones(3)) / spread * spread[SHARE])


def winner(known: Known) -> Choice:
    """The choice with the best posterior mean among those evaluated on all training patients.

    Not one that puts patients on unsafe settings for more days than the default does, beyond what
    chance explains; the default itself where nothing is better.
    """
    finals = [choice for choice in known.on(known.top) if is_bearable(known, choice)]
    mean, _ = known.model().posterior(finals)
    best = finals[int(mean.argmax())]
    usual = finals.index(known.space.usual)
    return best if float(mean.max()) > float(mean[usual]) else known.space.usual


def is_bearable(known: Known, choice: Choice) -> bool:
    """Whether unsafe days are not known to be more than the default's."""
    found = known.against_usual(choice, known.top)
    return bool(found.values[UNSAFE] - ONE_SIDED * found.errors[UNSAFE] <= 0)


def check_budget(budget: int, rungs: Sequence[Rung]) -> None:
    """Raise `InputError` unless the budget is enough for the default and a first look around."""
    least = int(np.ceil(sum(rung.cost for rung in rungs) + N_START * rungs[0].cost))
    if not least <= budget <= 100_000:
        raise InputError(f"--budget {budget}: {least} to 100,000 whole trials were expected")
