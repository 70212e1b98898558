"""What a prior learned on one family of patients is worth on another, through the loop and gate.

    neurostim learn demo --patients 200 --seed 1 --out prior.safetensors
    python tests/benchmarks/learned_prior_families.py prior.safetensors --patients 96

The share of the gap closed in trial, with standard errors over patients, for several shares of
generic particles, and the paired difference to the generic prior. Where a family has no gap, the
regret: seizures per 28 days beyond those at the best setting.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from neurostim.controllers.gp import GaussianProcess
from neurostim.encoding import Encoding
from neurostim.learning.judgement import lived, ratio
from neurostim.learning.learn import training_plan
from neurostim.learning.probe import Probe
from neurostim.meta.mixing import mixed_for_device
from neurostim.meta.prior_file import read_prior
from neurostim.surrogate.generic import device_prior


def cells(outcomes: pd.DataFrame, generic: pd.DataFrame) -> list[str]:
    """In trial, at the last setting, and the paired difference in trial."""
    gap = outcomes["gap"].to_numpy(float)
    closed, other = (each["gap_closed"].to_numpy(float) for each in (outcomes, generic))
    if not gap.sum() > 0:
        days = outcomes["treatment_days"].to_numpy(float) / 28
        lost, apart = (gap - closed) / days, (closed - other) / days
        return [
            f"regret {lost.mean():.3f} ± {lost.std(ddof=1) / len(lost) ** 0.5:.3f}",
            "",
            f"{apart.mean():+.3f} ± {apart.std(ddof=1) / len(apart) ** 0.5:.3f}",
        ]
    final = ratio(outcomes["gap_closed_final"].to_numpy(float), gap)
    difference = ratio(closed - other, gap)
    return [
        str(ratio(closed, gap)),
        str(final),
        f"{difference.value:+.3f} ± {difference.standard_error:.3f}",
    ]


def main() -> None:
    """Run each family with each prior and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prior", type=Path)
    parser.add_argument("--design", default="demo")
    parser.add_argument("--families", default="clinical,mechanistic,null")
    parser.add_argument("--patients", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--shares", default="0.1", help="of generic particles, by commas")
    parser.add_argument("--seed", type=int, default=5, help="other than the prior's")
    parser.add_argument("--beta", type=float, default=2.0)
    parser.add_argument("--wash-in", type=float, default=18.0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(title=f"{arguments.patients} patients, {arguments.epochs} epochs")
    for heading in ("family", "prior", "in trial", "last setting", "in trial - generic"):
        table.add_column(heading, no_wrap=True)
    for family in arguments.families.split(","):
        plan = training_plan(
            arguments.design,
            n_patients=arguments.patients,
            n_epochs=arguments.epochs,
            seed=arguments.seed,
            changes={"population.model": family},
        )
        found = read_prior(arguments.prior, plan.candidates).effects
        encoded = Encoding.of(plan.candidates).settings(plan.candidates)
        rule = GaussianProcess(beta=arguments.beta, wash_in_days=arguments.wash_in)
        unknowing = device_prior(encoded, wash_in=arguments.wash_in)
        generic = lived(
            plan, plan.patients, Probe(effects=unknowing, rule=rule, knows_levels=False)
        )
        table.add_row(family, "generic", *cells(generic, generic))
        for share in map(float, arguments.shares.split(",")):
            effects = mixed_for_device(found, encoded, share)
            outcomes = lived(plan, plan.patients, Probe(effects=effects, rule=rule))
            assert np.array_equal(outcomes["patient"], generic["patient"])
            table.add_row(family, f"learned, {share:.0%} generic", *cells(outcomes, generic))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
