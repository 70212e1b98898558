"""How `Optimizer` does on response surfaces of many shapes: run this file.

A map is standardised over its grid (average 0, SD 1); a response is the map plus noise of SD 1 / d
(Cohen's d), or for counts a negative binomial whose rate has d times its noise's SD over the map.
*Share of the gap* = (map at the recommended setting - average of the map) / (best - average), so
that a setting at random is 0 and the best is 1; means over 64 or more maps with standard errors,
differences between policies on the same maps with the same luck. `n` and `c` are the shares of maps
on which `should_stop` says "neutral" or "converged".

Defaults (particles, beta) were chosen on `--surfaces tuning`; what is reported is on others: other
seeds, other shapes of peak (rotated, skewed, heavy-tailed), see `surfaces_of`.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurostim.optimizer import Optimizer

Floats = NDArray[np.float64]

GRIDS = ((8, 6), (16, 16), (32, 32))
EFFECTS = (0.1, 0.3, 1.0, 3.0)
SHAPES = ("inside", "edge", "two_peaks", "ridge", "plateau")
NULL = "null"
BASE_RATE, SIZE = 10.0, 10.0
HORIZONS = (40, 100)


def grid_of(shape: tuple[int, int]) -> Floats:
    """Settings of a grid on the unit square, `M 2`."""
    axes = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, 2)


def peak(points: Floats, centre: Floats, widths: Floats, turn: float, tail: float) -> Floats:
    """A bump, `M`: Gaussian when the tail is 0, with heavier tails else; turned by an angle."""
    away = points - centre
    c, s = np.cos(turn), np.sin(turn)
    away = away @ np.array([[c, -s], [s, c]]) / widths
    square = (away**2).sum(axis=1)
    return np.exp(-square / 2) if tail == 0 else (1 + square * tail / 2) ** (-1 / tail)


def surfaces_of(shape: str, points: Floats, n: int, purpose: str) -> Floats:
    """Standardised maps, `n M`, of one family; for tuning of simpler form than for the report."""
    is_report = purpose == "report"
    rng = np.random.default_rng([SHAPES.index(shape) if shape in SHAPES else 9, int(is_report)])
    maps = []
    for _ in range(n):
        widths = rng.uniform(0.12, 0.3, 2) if is_report else np.full(2, rng.uniform(0.12, 0.3))
        turn = rng.uniform(0, np.pi) if is_report else 0.0
        tail = rng.uniform(0.2, 1.0) if is_report else 0.0
        inside = rng.uniform(0.2, 0.8, 2)
        if shape == NULL:
            maps.append(np.zeros(len(points)))
            continue
        if shape == "inside":
            surface = peak(points, inside, widths, turn, tail)
        elif shape == "edge":
            inside[rng.integers(2)] = rng.integers(2)
            surface = peak(points, inside, widths, turn, tail)
        elif shape == "two_peaks":
            other = (inside + 0.5 + rng.uniform(-0.1, 0.1, 2)) % 1
            surface = peak(points, inside, widths, turn, tail)
            surface = surface + 0.7 * peak(points, other, widths, turn, tail)
        elif shape == "ridge":
            long = np.array([rng.uniform(0.1, 0.2), rng.uniform(0.6, 1.2)])
            angle = turn if is_report else rng.integers(2) * np.pi / 2
            surface = peak(points, inside, long, float(angle), tail)
        else:
            slope = rng.normal(size=2)
            along = (points - 0.5) @ (slope / np.linalg.norm(slope))
            surface = 1 / (1 + np.exp(-(along - rng.uniform(-0.2, 0.2)) / rng.uniform(0.05, 0.15)))
        maps.append((surface - surface.mean()) / surface.std())
    return np.array(maps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Maps of one family, and how strongly they show."""

    shape: str
    grid: tuple[int, int]
    d: float
    likelihood: str
    points: Floats  # M 2
    maps: Floats  # n M
    seed: int

    def log_rates(self) -> Floats:
        """Of counts, `n M`: strong enough for the effect size, by bisection."""
        if self.shape == NULL:
            return np.full_like(self.maps, np.log(BASE_RATE))
        low, high = np.zeros((len(self.maps), 1)), np.full((len(self.maps), 1), 3.0)
        for _ in range(50):
            middle = (low + high) / 2
            rate = BASE_RATE * np.exp(middle * self.maps)
            noise = np.sqrt((rate + rate**2 / SIZE).mean(axis=1, keepdims=True))
            is_low = rate.std(axis=1, keepdims=True) / noise < self.d
            low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
        return np.log(BASE_RATE) + low * self.maps

    def responses(self) -> Callable[[NDArray[np.int64], int], Floats]:
        """What comes of settings, `n`, at one turn; the same luck for every policy."""
        rows = np.arange(len(self.maps))
        if self.likelihood == "gaussian":

            def gaussian(index: NDArray[np.int64], turn: int) -> Floats:
                noise = np.random.default_rng([self.seed, turn]).normal(size=len(rows))
                sd = 1.0 if self.shape == NULL else 1 / self.d
                return 300.0 + 40.0 * (self.maps[rows, index] + sd * noise)

            return gaussian
        rates = np.exp(self.log_rates())

        def counts(index: NDArray[np.int64], turn: int) -> Floats:
            rng = np.random.default_rng([self.seed, turn])
            return rng.poisson(rates[rows, index] * rng.gamma(SIZE, 1 / SIZE, len(rows))) * 1.0

        return counts

    def shares(self, index: NDArray[np.int64]) -> Floats:
        """Share of the gap of settings, `n`."""
        maps = self.maps if self.likelihood == "gaussian" else np.exp(self.log_rates())
        best, average = maps.max(axis=1), maps.mean(axis=1)
        return (maps[np.arange(len(maps)), index] - average) / (best - average)


def run(task: Task, policy: str, horizons: tuple[int, ...], **options: Any) -> dict[Any, Floats]:
    """What is recommended after each horizon, `n`, and what covers zero there."""
    n = len(task.maps)
    optimizer = Optimizer(
        task.points, goal="maximize", likelihood=task.likelihood, n_subjects=n, **options
    )
    respond = task.responses()
    values, places = [], []
    found: dict[Any, Floats] = {}
    for turn in range(max(horizons)):
        if policy == "random":
            rng = np.random.default_rng([7, task.seed, turn])
            settings = [optimizer.settings[m] for m in rng.integers(len(task.points), size=n)]
        else:
            settings = optimizer.ask()
        index = np.array([optimizer.index_of(each) for each in settings])
        value = respond(index, turn)
        optimizer.tell(settings, list(value))
        values.append(value)
        places.append(index)
        if turn + 1 in horizons:
            answers = optimizer.recommend()
            found[turn + 1] = np.array([optimizer.index_of(each.setting) for each in answers])
            found["best", turn + 1] = best_observed(np.array(places).T, np.array(values).T)
            lows, highs = np.array([each.improvement_interval for each in answers]).T
            found["covers", turn + 1] = (lows <= 0) & (highs >= 0)
            found["claim", turn + 1] = np.array([each.improvement for each in answers])
            found["stop", turn + 1] = np.array([each or "" for each in optimizer.should_stop()])
    return found


def best_observed(index: NDArray[np.int64], values: Floats) -> NDArray[np.int64]:
    """The setting with the best average response among those tried, `n`."""
    same = index[:, :, None] == index[:, None, :]
    means = (same * values[:, None, :]).sum(-1) / same.sum(-1)
    return np.take_along_axis(index, means.argmax(1)[:, None], 1)[:, 0]


def botorch_loop(task: Task, n_maps: int, n_tells: int) -> NDArray[np.int64]:
    """The plain loop: SingleTaskGP on all results, LogEI over the list; best mean of those told."""
    from botorch.acquisition.analytic import LogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models.gp_regression import SingleTaskGP
    from botorch.models.transforms import Standardize
    from gpytorch.mlls import ExactMarginalLogLikelihood

    respond = task.responses()
    points = torch.from_numpy(task.points)
    n = len(task.maps)
    index = np.array(
        [
            np.random.default_rng([7, task.seed, turn]).integers(len(points), size=n)
            for turn in range(n_tells)
        ]
    ).T  # the first five are at random
    values = np.zeros((n, n_tells))
    recommended = []
    for b in range(n_maps):
        for turn in range(n_tells):
            values[b, turn] = respond(index[:, turn], turn)[b]
            if turn < 4:
                continue
            x = points[index[b, : turn + 1]]
            y = torch.from_numpy(values[b, : turn + 1, None])
            y = (y + 0.5).log() if task.likelihood == "counts" else y
            model = SingleTaskGP(x, y, outcome_transform=Standardize(1))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
                except Exception:  # as a user's loop would: go on with the prior's scales
                    model.eval()
            with torch.no_grad():
                if turn + 1 < n_tells:
                    function = LogExpectedImprovement(model, best_f=y.max())
                    index[b, turn + 1] = int(function(points[:, None]).argmax())
                else:
                    told = index[b]
                    means = model.posterior(points[told]).mean[:, 0]
                    recommended.append(told[int(means.argmax())])
    return np.array(recommended)


def tasks(
    shapes: tuple[str, ...],
    grids: tuple[tuple[int, int], ...],
    effects: tuple[float, ...],
    likelihoods: tuple[str, ...],
    n: int,
    purpose: str,
) -> Iterator[Task]:
    """Every combination."""
    for likelihood, grid, d, shape in product(likelihoods, grids, effects, shapes):
        points = grid_of(grid)
        maps = surfaces_of(shape, points, n, purpose)
        yield Task(
            shape=shape, grid=grid, d=d, likelihood=likelihood, points=points, maps=maps,
            seed=1 if purpose == "report" else 2,
        )  # fmt: skip


def shown(values: Floats) -> str:
    """Mean and standard error."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.inf
    return f"{values.mean():5.2f}±{error:.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surfaces", choices=("tuning", "report"), default="report")
    parser.add_argument("--maps", type=int, default=64)
    parser.add_argument("--horizons", type=int, nargs="+", default=list(HORIZONS))
    parser.add_argument("--grids", nargs="+", default=["8x6", "16x16", "32x32"])
    parser.add_argument("--effects", type=float, nargs="+", default=list(EFFECTS))
    parser.add_argument("--shapes", nargs="+", default=[*SHAPES])
    parser.add_argument("--likelihoods", nargs="+", default=["gaussian", "counts"])
    parser.add_argument("--beta", type=float, default=None)
    parser.add_argument("--botorch", type=int, default=0, help="maps for the plain BoTorch loop")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    horizons = tuple(options.horizons)
    grids = tuple((int(g.split("x")[0]), int(g.split("x")[1])) for g in options.grids)
    chosen = {} if options.beta is None else {"beta": options.beta}
    print("likelihood grid d shape | horizon: ask, random same posterior, best observed (ask)")
    pooled: dict[Any, list[Floats]] = {}
    cells = tasks(
        tuple(options.shapes), grids, tuple(options.effects), tuple(options.likelihoods),
        options.maps, options.surfaces,
    )  # fmt: skip
    for task in cells:
        start = time.perf_counter()
        asked, drawn = (run(task, each, horizons, **chosen) for each in ("ask", "random"))
        name = (
            f"{task.likelihood:8s} {task.grid[0]:2d}x{task.grid[1]:<2d} {task.d:3g} {task.shape:9s}"
        )
        line = name
        for t in horizons:
            if task.shape == NULL:
                line += f" | {t}: 90 % interval covers zero {asked['covers', t].mean():.2f}"
                line += f" random {drawn['covers', t].mean():.2f}"
                line += f" neutral {(asked['stop', t] == 'neutral').mean():.2f}"
                continue
            rows = {
                "ask": task.shares(asked[t]),
                "random": task.shares(drawn[t]),
                "best": task.shares(asked["best", t]),
            }
            line += f" | {t}: " + " ".join(shown(each) for each in rows.values())
            line += f" n{(asked['stop', t] == 'neutral').mean():.2f}"
            line += f" c{(asked['stop', t] == 'converged').mean():.2f}"
            is_over = asked["stop", t] == "converged"
            if is_over.any():
                pooled.setdefault((task.likelihood, task.d, t, "where converged"), []).append(
                    rows["ask"][is_over]
                )
            rows["ask - random"] = rows["ask"] - rows["random"]
            rows["ask - best"] = rows["ask"] - rows["best"]
            for policy, each in rows.items():
                pooled.setdefault((task.likelihood, task.d, t, policy), []).append(each)
                pooled.setdefault((task.likelihood, task.grid, t, policy), []).append(each)
        if options.botorch and task.shape != NULL:
            shares = task.shares(
                np.concatenate(
                    [
                        found := botorch_loop(task, options.botorch, horizons[0]),
                        np.zeros(len(task.maps) - len(found), dtype=np.int64),
                    ]
                )
            )[: options.botorch]
            ours = task.shares(asked[horizons[0]])[: options.botorch]
            line += f" | BoTorch {shown(shares)} ask, same maps {shown(ours)}"
            pooled.setdefault((task.likelihood, task.d, "BoTorch loop"), []).append(shares)
            pooled.setdefault((task.likelihood, task.d, "ask, same maps"), []).append(ours)
        print(f"{line}  {time.perf_counter() - start:.0f}s", flush=True)
    for key, parts in pooled.items():
        print(*key, shown(np.concatenate(parts)))


if __name__ == "__main__":
    main()
