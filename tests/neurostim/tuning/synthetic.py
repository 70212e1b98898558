"""A made-up response of patients to knobs, whose best choice is known."""

from functools import cache

import numpy as np

from neurostim.tuning.ground import Lives
from neurostim.tuning.knobs import Choice, Knob, Space
from neurostim.tuning.search import Known, Rung, next_asked

SPACE = Space(
    knobs=(
        Knob(name="first", values=tuple(range(5)), usual=0, is_ordered=True),
        Knob(name="second", values=tuple(range(5)), usual=0, is_ordered=True),
        Knob(name="third", values=("a", "b", "c", "d"), usual=0, is_ordered=False),
        Knob(name="fourth", values=("a", "b", "c", "d"), usual=0, is_ordered=False),
        Knob(name="fifth", values=(0, 1, 2), usual=0, is_ordered=True, needs=("third", ("b", "c"))),
        *(
            Knob(name=name, values=tuple(range(5)), usual=1, is_ordered=True)
            for name in ("sixth", "seventh", "eighth")
        ),
    )
)
RUNGS = (
    Rung(n_patients=10, cost=0.25),
    Rung(n_patients=20, cost=0.25),
    Rung(n_patients=40, cost=0.5),
)


def true_share(choice: Choice) -> float:
    """Of the gap: highest, 0.75, at 3, 2, c, b, 2, 4, 3 and 0."""
    first, second, third, fourth, fifth, sixth, seventh, eighth = choice
    return (
        0.75
        - 0.03 * (first - 3) ** 2
        - 0.02 * (second - 2) ** 2
        - 0.15 * (third != 2)
        - 0.1 * (fourth != 1)
        - 0.05 * (2 - fifth) * (third in (1, 2))
        - 0.04 * (4 - sixth)
        - 0.04 * abs(seventh - 3)
        - 0.04 * eighth
    )


def lives(choice: Choice, rung: int, seed: int) -> Lives:
    """Patients who share their luck in part, so that pairing helps and does not end all noise."""
    n, days = RUNGS[rung].n_patients, 200
    shared = np.random.default_rng(seed).normal(size=RUNGS[-1].n_patients)[:n]
    own = np.random.default_rng([seed, *choice]).normal(size=RUNGS[-1].n_patients)[:n]
    gained = true_share(choice) + 0.3 * shared + 0.15 * own
    return Lives(
        patients=tuple(range(n)),
        days=(days,) * n,
        gained=tuple((days * gained).tolist()),
        gap=(float(days),) * n,
        unsafe_days=(0,) * n,
        n_changes=(choice[0],) * n,
    )


@cache
def searched(budget: float, seed: int) -> Known:
    """What a search of this budget evaluates."""
    known = Known(space=SPACE, rungs=RUNGS, lives={})
    while asked := next_asked(known, seed):
        if known.cost + RUNGS[asked.rung].cost > budget:
            break
        done = {(asked.choice, asked.rung): lives(asked.choice, asked.rung, seed)}
        known = Known(space=SPACE, rungs=RUNGS, lives={**known.lives, **done})
    return known


def best_of_random(budget: float, seed: int) -> Choice:
    """The best of as many whole trials at random."""
    whole = int(budget)
    drawn = list(dict.fromkeys([SPACE.usual, *SPACE.drawn(4 * whole, 500 + seed)]))[:whole]
    return max(drawn, key=lambda choice: sum(lives(choice, 2, seed).gained))
