"""What a setting that stays good when the amplitude is off gains in bad cases, and costs nominally.

    python tests/benchmarks/robust_quality.py --patients 192

The reference population is treated under its learned prior, and after the last epoch a setting is
recommended twice from the same belief: by its effects as they are, and by their exact means over
neighbouring amplitudes (`perturbed_ticks`). Each recommendation is then delivered with the
amplitude off by a normal error of as many steps of the list as `--errors` says (impedance, lead,
rounding). Of each patient the tenth percentile of the rate reduction over the errors is taken, as a
share of the gap; the differences are paired, robust less plain.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.special import ndtri

from neurostim.meta.mixing import mixed
from neurostim.study.reference_policy import (
    COUNTS,
    GENERIC_DISPERSIONS,
    TESTED_SEED,
    Bound,
    encoded,
    learned_prior,
    observed_of,
)
from neurostim.study.reference_population import (
    AMPLITUDES,
    N_SITES,
    Floats,
    Ints,
    Patients,
    draw,
    run,
    share_of_rates,
)
from neurostim.surrogate.filter import Belief
from neurostim.surrogate.generic import AMPLITUDE, device_prior
from neurostim.surrogate.nearby import Nearby
from neurostim.surrogate.prior import ListPrior
from neurostim.surrogate.readout import smoothed
from neurostim.surrogate.refit import refit

SHAPE = (N_SITES, len(AMPLITUDES), 10)
N_ERRORS = 41
"""Evenly spaced quantiles of the error, so that a tenth percentile is no matter of luck."""


def believed(prior: ListPrior, indices: Ints, counts: Ints) -> Belief:
    """The belief after all epochs."""
    belief, observed = Belief.start(prior, COUNTS, len(counts)), observed_of(indices, counts)
    for t in range(counts.shape[1]):
        belief = belief.told(observed.column(t))
    return refit(belief)


def recommended(belief: Belief) -> Ints:
    """The setting with the lowest posterior mean, `n`."""
    return np.asarray(torch.einsum("bk,bkm->bm", belief.weight, belief.mean).argmin(1))


def off_by(index: Ints, error: float) -> tuple[Ints, Ints, float]:
    """The settings on either side of what is delivered, and the weight of the upper one."""
    site, amplitude, frequency = np.unravel_index(index, SHAPE)
    low = int(np.floor(error))

    def moved(by: int) -> Ints:
        there = np.clip(amplitude + by, 0, len(AMPLITUDES) - 1)
        return np.asarray(np.ravel_multi_index((site, there, frequency), SHAPE))

    return moved(low), moved(low + 1), error - low


def reductions(patients: Patients, index: Ints, sd_ticks: float) -> Floats:
    """Fall of the rate at each error, `n x N_ERRORS`; between settings log rates are straight."""
    normal = ndtri((np.arange(N_ERRORS) + 0.5) / N_ERRORS)
    columns = []
    for error in sd_ticks * normal:
        below, above, weight = off_by(index, float(error))
        lower, upper = (np.log(patients.rate(each)) for each in (below, above))
        columns.append(patients.base_rate - np.exp((1 - weight) * lower + weight * upper))
    return np.stack(columns, axis=1)


def main() -> None:
    """Learn, treat, recommend, perturb and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=192)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--errors", default="1,2", help="standard deviations in steps, by commas")
    parser.add_argument("--ticks", default="1,2,4", help="perturbed_ticks, by commas")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    prior, _ = learned_prior(
        device_prior(encoded(), concentrations=GENERIC_DISPERSIONS), arguments.rounds, 10.0
    )
    among = device_prior(encoded(), concentrations=prior.dispersion.tolist())
    prior = mixed(prior, among)
    patients = draw(TESTED_SEED, arguments.patients)
    result = run(Bound(prior=prior), patients, arguments.epochs)
    belief = believed(prior, result.indices, result.counts)
    plain = recommended(belief)
    table = Table(title=f"Share of the gap, robust - plain, {arguments.patients} patients")
    for heading in ("ticks", "error", "plain p10", "p10", "mean", "nominal"):
        table.add_column(heading, justify="right")
    for ticks in map(int, arguments.ticks.split(",")):
        near = Nearby.along(encoded(), AMPLITUDE, ticks)
        robust = recommended(smoothed(belief, near))
        for sd in map(float, arguments.errors.split(",")):
            left, right = (reductions(patients, each, sd) for each in (robust, plain))
            worst, other = (np.quantile(each, 0.1, axis=1) for each in (left, right))
            nominal = patients.rate(plain) - patients.rate(robust)
            gained = (other, worst - other, left.mean(1) - right.mean(1), nominal)
            cells = ["{:+.3f} ± {:.3f}".format(*share_of_rates(patients, each)) for each in gained]
            table.add_row(str(ticks), f"{sd:g}", *cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
