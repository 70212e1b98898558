"""Which wrong priors are harmful: each learned on a population unlike the one that is treated.

    python tests/benchmarks/wrong_priors.py --patients 64

Everybody treated is of the reference population. `right` was learned on 200 others of it. The other
priors were learned on 200 people in whom nothing works (`no responders`), whose surfaces are
turned round in site, amplitude and frequency (`all mirrored`), in whom only the lower half of the
amplitudes works (`low amplitudes`), in whom all sites but one do harm (`one site`), and on 10
people of the right kind with hardly any pull towards the generic covariance (`ten patients`).
Differences are to the generic prior, on the same patients with the same luck: below zero is harm.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from neurostim.learning.fit import at_level
from neurostim.meta.hierarchy import N_PSEUDO, learned, shared
from neurostim.meta.mixing import mixed
from neurostim.study.reference_policy import (
    COUNTS,
    DISPERSIONS,
    GENERIC_DISPERSIONS,
    LEARNED_ON,
    LEARNED_SEED,
    N_EPOCHS_LEARNED,
    TESTED_SEED,
    Bound,
    encoded,
    observed_of,
)
from neurostim.study.reference_population import (
    N_SITES,
    SETTINGS,
    Patients,
    difference,
    draw,
    in_trial,
    random_history,
    run,
    share_of_gap,
)
from neurostim.surrogate.generic import device_prior
from neurostim.surrogate.prior import ListPrior

SHAPE = (N_SITES, 12, 10)
N_ROUNDS = 10
N_FEW, FEW_SEED, FEW_PSEUDO = 10, 78, 0.5
HARM_ELSEWHERE = 1.0
"""Of the log rate at full amplitude, at the sites that do harm in `one site`."""


def populations(right: Patients) -> Iterator[tuple[str, Patients, float]]:
    """Who each prior is learned on, and from how many pseudo-patients."""
    site, amplitude, frequency = np.unravel_index(np.arange(len(SETTINGS)), SHAPE)
    base = np.log(right.base_rate)[:, None]
    a, f = SETTINGS[:, 0], SETTINGS[:, 1]
    harm = 0.25 * a**2 * np.exp(-(((f - 0.1) / 0.2) ** 2) / 2)
    turned = np.ravel_multi_index((N_SITES - 1 - site, 11 - amplitude, 9 - frequency), SHAPE)
    squeezed = np.ravel_multi_index((site, np.minimum(2 * amplitude, 11), frequency), SHAPE)
    low = (right.log_rate - base)[:, squeezed] * (amplitude < 6)
    one = np.where(site == 1, right.log_rate, base + HARM_ELSEWHERE * a)
    yield "right", right, N_PSEUDO
    yield "no responders", replace(right, log_rate=base + harm), N_PSEUDO
    yield "all mirrored", replace(right, log_rate=right.log_rate[:, turned]), N_PSEUDO
    yield "low amplitudes", replace(right, log_rate=base + low), N_PSEUDO
    yield "one site", replace(right, log_rate=one), N_PSEUDO
    yield "ten patients", draw(FEW_SEED, N_FEW), FEW_PSEUDO


def prior_of(generic: ListPrior, patients: Patients, n_pseudo: float) -> ListPrior:
    """What is learned on epochs of these patients at random settings."""
    history = observed_of(*random_history(patients, N_EPOCHS_LEARNED))
    start = at_level(shared(generic, DISPERSIONS), history)
    rounds = learned(start, COUNTS, history, n_pseudo=n_pseudo)
    return next(islice(rounds, N_ROUNDS - 1, None))


def main() -> None:
    """Learn, treat and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=64)
    parser.add_argument("--learned-on", type=int, default=LEARNED_ON)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--shares", default="0,0.1", help="of generic particles, by commas")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generic = device_prior(encoded(), concentrations=GENERIC_DISPERSIONS)
    treated = draw(TESTED_SEED, arguments.patients)
    unknowing = run(Bound(prior=generic, knows_level=False), treated, arguments.epochs)
    last = max(unknowing.recommended)
    table = Table(title=f"Share of the gap, {arguments.patients} patients")
    for heading in ("prior", "in trial", "trial - generic", f"rec {last}", "rec - generic"):
        table.add_column(heading, no_wrap=True)
    trial, final = in_trial(treated, unknowing.indices), unknowing.recommended[last]
    shares = trial, share_of_gap(treated, final)
    table.add_row("generic", *(x for v, e in shares for x in (f"{v:.3f}±{e:.3f}", "")))
    for name, people, n_pseudo in populations(draw(LEARNED_SEED, arguments.learned_on)):
        prior = prior_of(generic, people, n_pseudo)
        among = device_prior(encoded(), concentrations=prior.dispersion.tolist())
        for share in map(float, arguments.shares.split(",")):
            result = run(Bound(prior=mixed(prior, among, share)), treated, arguments.epochs)
            found = (
                in_trial(treated, result.indices),
                difference(treated, result.indices, unknowing.indices),
                share_of_gap(treated, result.recommended[last]),
                difference(treated, result.recommended[last], final),
            )
            cells = [f"{value:+.3f}±{error:.3f}" for value, error in found]
            table.add_row(f"{name}, {share:.0%} generic", *cells)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
