"""What a learned prior is worth on the reference population, and on populations unlike it.

    python tests/benchmarks/learned_prior.py --patients 192

Learned on 200 patients x 30 epochs at random settings, tested on others of the same population; of
populations whose sites are numbered the other way round, or from another one on; of one whose
frequencies are mirrored; and of one in which no setting does anything but the harm at low
frequencies. There the regret, in seizures per epoch and patient, stands in for the share of a gap
that is hardly there. The last two columns compare with the generic prior, on the same patients with
the same luck.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from neurostim.learning.fit import posterior_means
from neurostim.meta.anchors import anchors
from neurostim.meta.mixing import mixed
from neurostim.study.reference_policy import (
    GENERIC_DISPERSIONS,
    TESTED_SEED,
    Bound,
    encoded,
    learned_prior,
)
from neurostim.study.reference_population import (
    HORIZONS,
    N_SITES,
    SETTINGS,
    Ints,
    Patients,
    Run,
    difference,
    draw,
    in_trial,
    run,
    share_of_gap,
)
from neurostim.surrogate.generic import device_prior


def shifted(patients: Patients) -> Iterator[tuple[str, Patients]]:
    """The population, and others that a prior learned on it is wrong about."""
    site, amplitude, frequency = np.unravel_index(np.arange(len(SETTINGS)), (N_SITES, 12, 10))
    shape = (N_SITES, 12, 10)
    other_sites = np.ravel_multi_index((N_SITES - 1 - site, amplitude, frequency), shape)
    mirrored = np.ravel_multi_index((site, amplitude, 9 - frequency), shape)
    yield "same", patients
    yield "sites reversed", replace(patients, log_rate=patients.log_rate[:, other_sites])
    rotated = np.ravel_multi_index(((site + 1) % N_SITES, amplitude, frequency), shape)
    yield "sites rotated", replace(patients, log_rate=patients.log_rate[:, rotated])
    yield "frequency mirrored", replace(patients, log_rate=patients.log_rate[:, mirrored])
    base = np.log(patients.base_rate)[:, None]
    a, f = SETTINGS[:, 0], SETTINGS[:, 1]
    harm = 0.25 * a**2 * np.exp(-(((f - 0.1) / 0.2) ** 2) / 2)
    yield "no responders", replace(patients, log_rate=base + harm)


def regret(patients: Patients, indices: Ints) -> tuple[float, float]:
    """Seizures per epoch beyond those at the best setting, and the standard error."""
    best = np.broadcast_to(patients.best[:, None], indices.reshape(len(patients), -1).shape)
    return spared(patients, best.reshape(indices.shape), indices)


def spared(patients: Patients, left: Ints, right: Ints) -> tuple[float, float]:
    """Seizures per epoch fewer at the left indices, and the standard error."""
    rates = [patients.rate(each).reshape(len(patients), -1).mean(1) for each in (left, right)]
    fewer = rates[1] - rates[0]
    return float(fewer.mean()), float(fewer.std(ddof=1) / np.sqrt(len(fewer)))


def row(result: Run, generic: Run) -> list[str]:
    """The cells of one policy on one population."""
    patients, last = result.patients, max(result.recommended)
    pairs = [
        (result.indices, generic.indices),
        (result.recommended[last], generic.recommended[last]),
    ]
    if patients.rate(patients.best).sum() > 0.999 * patients.base_rate.sum():
        lost = [regret(patients, result.recommended[h]) for h in HORIZONS]
        lost += [regret(patients, result.indices[:, :h]) for h in HORIZONS]
        apart = [spared(patients, *pair) for pair in pairs]
        return [
            *[f"R {v:.2f}±{e:.2f}" for v, e in lost],
            *[f"R {v:+.3f}±{e:.3f}" for v, e in apart],
        ]
    shares = [share_of_gap(patients, result.recommended[h]) for h in HORIZONS]
    shares += [in_trial(patients, result.indices[:, :h]) for h in HORIZONS]
    apart = [tuple(difference(patients, *pair)) for pair in pairs]
    return [*[f"{v:.2f}±{e:.2f}" for v, e in shares], *[f"{v:+.3f}±{e:.3f}" for v, e in apart]]


def letting_go(makers: Mapping[str, Callable[[], Bound]], patients: Patients) -> Table:
    """What is claimed of patients in whom nothing does anything, at the setting recommended.

    The mean claimed fall of the rate, and the share of patients whose 90 % interval covers none.
    """
    level = np.log(patients.base_rate)[:, None]
    nobody = replace(patients, log_rate=np.repeat(level, len(SETTINGS), axis=1))
    table = Table(title="Nothing has an effect: claimed fall, and how often 90 % covers none")
    for heading in ("prior", *map(str, HORIZONS)):
        table.add_column(heading, no_wrap=True)
    for name, make in makers.items():
        result, cells = run(make(), nobody), []
        for horizon in HORIZONS:
            mean, variance = make().beliefs(result.counts[:, :horizon], result.indices[:, :horizon])
            best = mean.argmin(1, keepdim=True)
            claimed, sd = mean.gather(1, best), variance.gather(1, best).sqrt()
            covers = (claimed + 1.645 * sd > 0).double()
            fall = 1 - float(claimed.exp().mean())
            error = float(covers.std()) / len(covers) ** 0.5
            cells.append(f"{fall:.0%}, {float(covers.mean()):.2f}±{error:.2f}")
        table.add_row(name, *cells)
    return table


def main(line: list[str] | None = None) -> None:
    """Learn, run and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--pseudo", type=float, default=10.0)
    parser.add_argument("--shares", default="0,0.1", help="of generic particles, by commas")
    parser.add_argument("--anchors", type=int, default=0, help="how many settings to try first")
    arguments = parser.parse_args(line)
    torch.set_num_threads(1)
    generic = device_prior(encoded(), concentrations=GENERIC_DISPERSIONS)
    prior, history = learned_prior(generic, arguments.rounds, arguments.pseudo)
    first = anchors(posterior_means(prior, history), arguments.anchors) if arguments.anchors else ()
    among = device_prior(encoded(), concentrations=prior.dispersion.tolist())
    makers = {"generic": partial(Bound, prior=generic, knows_level=False)}
    for share in map(float, arguments.shares.split(",")):
        makers[f"learned, {share:.0%} generic"] = partial(
            Bound, prior=mixed(prior, among, share), first_tried=first
        )
    title = f"Share of the gap (R: regret, seizures per epoch), {arguments.patients} patients"
    table = Table(title=title)
    for heading in (
        "population",
        "prior",
        *[f"rec {h}" for h in HORIZONS],
        *[f"trial {h}" for h in HORIZONS],
        "trial - generic",
        "rec - generic",
    ):
        table.add_column(heading, no_wrap=True)
    for population, patients in shifted(draw(TESTED_SEED, arguments.patients)):
        results = {name: run(make(), patients) for name, make in makers.items()}
        for name, result in results.items():
            table.add_row(population, name, *row(result, results["generic"]))
    console = Console(width=220)
    console.print(table)
    console.print(letting_go(makers, draw(TESTED_SEED, arguments.patients)))


if __name__ == "__main__":
    main()
