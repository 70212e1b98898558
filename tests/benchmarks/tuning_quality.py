"""What tuning is worth: against the default, and against random search over the same knobs.

    python tests/benchmarks/tuning_quality.py default --log tuned.jsonl [--budget 24]
    python tests/benchmarks/tuning_quality.py random --log FOLDER [--budget 12] [--pool 64]

`default` tunes the gp arm of the demonstration and compares what it chose with the default on
validation patients and on the mechanistic family, patient by patient with the same luck.

`random` compares, in every repeat, a search of its own seed with as many whole trials of choices
drawn at random from a pool, all on the same training patients. The pool, near the default and far
from it in turn as tuning draws them, is lived once; every search evaluates what it asks for anew.
Of the random choices the best is taken that puts patients on unsafe settings no longer than the
default does. What both choose is judged on validation patients. The interval is over repeats: it is
about the luck of searching, on these patients. The folder keeps what is done, so that the same
command goes on.
"""

import argparse
import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from neurostim.tuning.difference import OBJECTIVES, SHARE, measured
from neurostim.tuning.ground import Ground, Lives
from neurostim.tuning.knobs import Choice, Space
from neurostim.tuning.record import TRAINING, open_log
from neurostim.tuning.search import (
    NEAR_SHARE,
    PRIMARY,
    Known,
    Rung,
    is_bearable,
    rungs_of,
    winner,
)
from neurostim.tuning.tune import Request, prepared, searched, tune

POOL_SEED = 7_000


def against_default(log: Path, budget: int) -> None:
    """Tune the demonstration, and print the confirmation."""
    done = tune(Request(design="demo", budget=budget), log, lambda known, asked: None)
    print(f"{len(done.known.lives)} evaluations, {done.known.cost:.2f} whole trials")
    print("changed:", done.changes)
    for each in done.confirmations:
        print(f"{each.family}, {each.n_patients} patients (default, tuned, difference, 95 %):")
        for place, name in enumerate(OBJECTIVES):
            low, high = each.difference.interval(place)
            print(
                f"  {name}: {each.usual.values[place]:.3f}, {each.tuned.values[place]:.3f}, "
                f"{each.difference.values[place]:+.3f} ({low:+.3f} to {high:+.3f})"
            )


def pool_of(ground: Ground, space: Space, n: int, folder: Path) -> dict[Choice, Lives]:
    """The default and `n` choices, near it and far from it in turn, and how each was lived."""
    near = space.drawn(n, POOL_SEED, NEAR_SHARE)
    far = space.drawn(n, POOL_SEED)
    drawn = [choice for pair in zip(near, far, strict=True) for choice in pair]
    choices = list(dict.fromkeys([space.usual, *drawn]))[: n + 1]
    log = open_log(folder / "pool.jsonl", {"n_training": ground.n_training})
    for choice in choices:
        key = (TRAINING, choice, 0)
        if key not in log.lives:
            log.add(key, ground.lived(space.changes(choice), ground.training))
    return {choice: log.lives[TRAINING, choice, 0] for choice in choices}


def random_in(
    pool: dict[Choice, Lives], space: Space, rungs: tuple[Rung, ...], budget: int, seed: int
) -> Choice:
    """The best of the default and so many choices of the pool that the budget is spent."""
    others = [choice for choice in pool if choice != space.usual]
    order = np.random.default_rng([seed, 1]).permutation(len(others))[: budget - 1]
    choices = [space.usual, *(others[place] for place in order)]
    top = len(rungs) - 1
    known = Known(space=space, rungs=rungs, lives={(c, top): pool[c] for c in choices})
    bearable = [choice for choice in choices if is_bearable(known, choice)]
    return max(bearable, key=lambda c: known.against_usual(c, top).weighed(PRIMARY)[0])


def against_random(
    folder: Path, *, repeats: int, budget: int, n_training: int, n_judging: int, n_pool: int
) -> None:
    """Tune and draw at random in every repeat, and judge what is chosen."""
    request = Request(design="demo", n_training=n_training, n_validation=n_judging, budget=budget)
    _, ground, space = prepared(request)
    rungs = rungs_of(n_training)
    pool = pool_of(ground, space, n_pool, folder)
    judged_log = open_log(folder / "judged.jsonl", {"n_validation": n_judging})

    def judged(choice: Choice) -> tuple[float, float]:
        key = ("validation", choice, 0)
        if key not in judged_log.lives:
            lives = ground.lived(space.changes(choice), ground.validation)
            judged_log.add(key, lives)
        found = measured(judged_log.lives[key])
        return float(found.values[SHARE]), found.weighed(PRIMARY)[0]

    rows = []
    for seed in range(repeats):
        tuning_log = open_log(folder / f"tuned-{budget}-{seed}.jsonl", {"seed": seed})
        asking = replace(request, seed=seed)
        known = searched(ground, space, rungs, tuning_log, asking, lambda known, asked: None)
        chosen = (winner(known), random_in(pool, space, rungs, budget, seed), space.usual)
        rows.append([judged(choice) for choice in chosen])
        print(seed, np.round(rows[-1], 3).tolist(), len(known.on(0)), flush=True)
    found = np.array(rows)  # repeats, ways, objectives
    names = ("tuned", "random", "default")
    for objective, label in enumerate(("share of the gap", "what is tuned for")):
        shares = found[:, :, objective]
        print(f"{label}:", dict(zip(names, shares.mean(axis=0).round(3).tolist(), strict=True)))
        for place, name in list(enumerate(names))[1:]:
            gained = shares[:, 0] - shares[:, place]
            error = gained.std(ddof=1) / np.sqrt(len(gained))
            half = student.ppf(0.975, len(gained) - 1) * error
            print(
                f"  tuned less {name}: {gained.mean():+.3f} ± {error:.3f} "
                f"({gained.mean() - half:+.3f} to {gained.mean() + half:+.3f}), "
                f"better in {int((gained > 0).sum())}, equal in {int((gained == 0).sum())}"
            )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("default", "random"))
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--budget", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--patients", type=int, default=64, help="training, in `random`")
    parser.add_argument("--judging", type=int, default=96, help="validation, in `random`")
    parser.add_argument("--pool", type=int, default=64, help="choices, in `random`")
    arguments = parser.parse_args()
    if arguments.what == "default":
        against_default(arguments.log, arguments.budget)
        return
    against_random(
        arguments.log,
        repeats=arguments.repeats,
        budget=arguments.budget,
        n_training=arguments.patients,
        n_judging=arguments.judging,
        n_pool=arguments.pool,
    )


if __name__ == "__main__":
    main()
