"""Whether twins mean what they say: on simulated people whose truth is known, and on real counts.

    python tests/benchmarks/twin_calibration.py [--people 200] [--days 364] [--figure FILE.svg]

Simulated: ranks of each truth and of the next year's count among the particles are uniform when the
posterior is right; printed are the Kolmogorov-Smirnov p, and how many lie in the middle 90 %.

Real: the 59 people of Thall and Vail (1990, Biometrics 46:657) wrote for eight weeks of baseline,
and four visits of two weeks each. The twin is given all but the last visit and says what to expect
of it; and, as a posterior predictive check, how unevenly its own visits come beside the person's.
"""

import argparse
import csv
import os
import time
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstest

from patient_models import Clinical, Device, State
from patient_models.baselines import THALL_VAIL_DAYS, THALL_VAIL_FILE
from patient_models.cohort import Cohort
from patient_models.cohort_engine import advance
from patient_models.population import DRUG_RESISTANT
from patient_models.seen import Seen
from patient_models.twin import Twin, fit_twin
from patient_models.twin_pilot import traits_of
from patient_models.twin_study import Study
from protocols import OFF
from safety import envelope_text

DEVICE = Device.from_toml(envelope_text("research"))
VISIT_DAYS = 14
N_FUTURES = 60
SEED, TRUTH_SEED = 5, 99


def main() -> None:
    """Run both parts and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--days", type=int, default=364)
    parser.add_argument("--particles", type=int, default=200)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    simulated(arguments.people, arguments.days, arguments.particles)
    observed, expected, n_uneven = real(arguments.particles)
    if arguments.figure:
        draw(observed, expected, arguments.figure)
    print(f"visits as uneven as the person's: {n_uneven}")


def simulated(n_people: int, days: int, n_particles: int) -> None:
    """Ranks of the truth over people of the population."""
    cohort = Cohort.enrol(
        DRUG_RESISTANT, seed=TRUTH_SEED, patients=range(n_people), n_sites=DEVICE.n_sites
    )
    nothing = np.zeros(n_people)
    diary = replace(cohort.parameters.diary, missing_probability=nothing, dropout_day=None)
    cohort = replace(cohort, parameters=replace(cohort.parameters, diary=diary))
    after, lives = advance(cohort, OFF, days)
    _, later = advance(after, OFF, 364)
    rng = np.random.default_rng(0)
    ranks: dict[str, list[float]] = {}
    tolerances, shares, seconds = [], [], []
    for row in range(n_people):
        began = time.process_time()
        seen = Seen.of_periods([(1, int(count)) for count in lives.written[row]])
        twin = fit_twin(seen, device=DEVICE, seed=SEED, n_particles=n_particles)
        seconds.append(time.process_time() - began)
        tolerances.append(twin.tolerance)
        shares.append([each.share for each in twin.taught])
        truths = {name: values[row] for name, values in _traits(cohort.parameters).items()}
        for name, values in _traits_of_states(twin.particles).items():
            ranks.setdefault(name, []).append(rank(values, truths[name], rng))
        counts = futures(twin, 364)
        truth = int(later.written[row].astype(np.int64).sum())
        ranks.setdefault("count of the next year", []).append(rank(counts, truth, rng))
    names = [*(each.name for each in twin.taught), "count of the next year"]
    explained = [*np.mean(shares, axis=0), float("nan")]
    print(
        f"{n_people} people, {days} days, {n_particles} particles: {np.median(seconds):.1f} CPU s "
        f"each, tolerance {np.mean(tolerances):.2f} SD"
    )
    print(f"{'':40}{'KS p':>8}{'mean':>8}{'in 90 %':>9}{'variance explained':>20}")
    for name, share in zip(names, explained, strict=True):
        each = np.array(ranks[name])
        inside = np.mean((each > 0.05) & (each < 0.95))
        p = kstest(each, "uniform").pvalue
        print(f"{name:40}{p:8.3f}{each.mean():8.3f}{100 * inside:8.0f}%{100 * share:19.0f}%")
        print(f"{'':40}{np.histogram(each, 10, (0, 1))[0]}")


def real(n_particles: int) -> tuple[NDArray[np.int64], list[NDArray[np.int64]], str]:
    """Thall and Vail: the last visit of each person, and what the twin expects of it."""
    people = visits()
    rng = np.random.default_rng(0)
    ranks, observed, expected, uneven = [], [], [], []
    for base, counts in people.values():
        known = [(THALL_VAIL_DAYS, base), *((VISIT_DAYS, count) for count in counts[:-1])]
        twin = fit_twin(Seen.of_periods(known), device=DEVICE, seed=SEED, n_particles=n_particles)
        ahead = futures(twin, VISIT_DAYS)
        ranks.append(rank(ahead, counts[-1], rng))
        observed.append(counts[-1])
        expected.append(ahead)
        theirs = np.array(twin.fitted[:, 1:])
        spread = theirs.var(axis=1) - theirs.mean(axis=1)
        own = np.var(counts[:-1]) - np.mean(counts[:-1])
        uneven.append(rank(spread, own, rng))
    inside = np.mean([0.05 < each < 0.95 for each in ranks])
    error = np.sqrt(0.9 * 0.1 / len(ranks))
    print(
        f"Thall and Vail, {len(ranks)} people: last visit within the twin's 90 % interval in "
        f"{100 * inside:.0f} % (error {100 * error:.0f}), mean rank {np.mean(ranks):.2f}, "
        f"KS p {kstest(ranks, 'uniform').pvalue:.3f}"
    )
    summary = f"mean rank {np.mean(uneven):.2f}, KS p {kstest(uneven, 'uniform').pvalue:.3f}"
    return np.array(observed), expected, summary


def visits() -> dict[str, tuple[int, list[int]]]:
    """The baseline count of each person, and those of the four visits."""
    path = Path(str(files("statsmodels").joinpath(THALL_VAIL_FILE)))
    people: dict[str, tuple[int, list[int]]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            _, counts = people.setdefault(row["subject"], (int(row["base"]), []))
            counts.append(int(row["y"]))
    return people


def futures(twin: Twin, days: int) -> NDArray[np.int64]:
    """What particles of a twin write over the coming days, if no day is missed."""
    states = [always_written(state) for state in twin.states(N_FUTURES, seed=1)]
    lived = Clinical().advance(states, [OFF] * len(states), days)
    return np.array([outcome.observation.n_seizures for outcome in lived])


def always_written(state: State) -> State:
    """The same patient, who misses no day."""
    diary = replace(state.parameters.diary, missing_probability=0.0)
    return replace(state, parameters=replace(state.parameters, diary=diary))


def rank(values: NDArray[np.float64], truth: float, rng: np.random.Generator) -> float:
    """Where the truth lies among values, 0 to 1, ties at random: uniform if it is one of them."""
    below, alike = (values < truth).sum(), (values == truth).sum()
    return float((below + rng.random() * (alike + 1)) / (len(values) + 1))


def _traits(parameters: object) -> dict[str, NDArray[np.float64]]:
    nothing = Study(
        first_day=(0,),
        n_days=(1,),
        schedule=(),
        n_sites=1,
        seed=0,
        population=DRUG_RESISTANT,
        enrolment=None,
    )
    return traits_of(parameters, nothing)


def _traits_of_states(states: tuple[State, ...]) -> dict[str, NDArray[np.float64]]:
    each = [_traits(state.parameters) for state in states]
    return {name: np.array([float(traits[name]) for traits in each]) for name in each[0]}


def draw(observed: NDArray[np.int64], expected: list[NDArray[np.int64]], path: Path) -> None:
    """Each person's last visit beside the 90 % interval of their twin, in order of the median."""
    import matplotlib.pyplot as plt

    low, middle, high = np.percentile(np.array(expected), (5, 50, 95), axis=1)
    order = np.argsort(middle, kind="stable")
    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    place = np.arange(len(order))
    axes.vlines(place, low[order], high[order], color="#9db7d5", lw=4, label="twin, 90 % interval")
    axes.plot(place, middle[order], "_", color="#1f4e79", ms=7, label="twin, median")
    axes.plot(place, observed[order], "o", color="#c2570c", ms=4, label="written")
    axes.set_yscale("symlog", linthresh=5)
    axes.set(xlabel="59 people of Thall and Vail (1990)", ylabel="seizures at the last visit")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
