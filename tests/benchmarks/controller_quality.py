"""The share of the gap that each policy closes on the reference population, and what it costs.

    python tests/benchmarks/controller_quality.py --patients 192 --policies random,expert,optuna

Standard errors are over patients. The paired columns compare a policy's recommendation with that
of the first policy named, on the patients both treated: slow policies treat the first few only.
Milliseconds are CPU time per decision, from the sixth epoch on, one thread. Policies from elsewhere
are named by a module whose POLICIES maps a name to a factory that takes a seed:

    python tests/benchmarks/controller_quality.py --also my_policies --policies random,mine
"""

import argparse
import importlib
import os
import warnings
from dataclasses import dataclass, replace

# Before numpy and torch load: on a busy machine, BLAS threads that wait cost up to ten times the
# CPU time of the work.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import torch
from public_tools import N_INITIAL, SLOW, Factory
from public_tools import POLICIES as PUBLIC_TOOLS
from rich.console import Console
from rich.table import Table

from neurostim.study.reference_population import (
    HORIZONS,
    Patients,
    Run,
    Share,
    difference,
    draw,
    run,
    shares,
)

POLICIES: dict[str, Factory] = dict(PUBLIC_TOOLS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A policy's result, by its name."""

    name: str
    result: Run


def arguments_of(line: list[str] | None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=192)
    parser.add_argument("--slow-patients", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--policies", default="random,fixed,expert,optuna")
    parser.add_argument("--seed", type=int, default=1, help="of the patients")
    parser.add_argument("--policy-seed", type=int, default=0)
    parser.add_argument("--also", default="", help="modules with more POLICIES, by commas")
    return parser.parse_args(line)


def first(result: Run, n: int) -> Run:
    """The same run, of the first patients only."""
    patients = result.patients
    return replace(
        result,
        patients=Patients(
            seed=patients.seed,
            ids=patients.ids[:n],
            base_rate=patients.base_rate[:n],
            log_rate=patients.log_rate[:n],
            dispersion=patients.dispersion[:n],
        ),
        indices=result.indices[:n],
        counts=result.counts[:n],
        recommended={horizon: index[:n] for horizon, index in result.recommended.items()},
    )


def paired(left: Run, right: Run) -> Share:
    """How much more of the gap the left run's last recommendation closes than the right's."""
    n = min(len(left.patients), len(right.patients))
    left, right = first(left, n), first(right, n)
    horizon = max(left.recommended)
    return difference(left.patients, left.recommended[horizon], right.recommended[horizon])


def cell(share: Share) -> str:
    return f"{share.value:.2f} ± {share.standard_error:.2f}"


def table_of(rows: list[Row]) -> Table:
    """Recommended on the left, in trial on the right."""
    horizons = list(rows[0].result.recommended)
    table = Table(title="Share of the gap ± standard error")
    table.add_column("policy")
    table.add_column("n", justify="right")
    for kind in ("rec", "trial"):
        for horizon in horizons:
            table.add_column(f"{kind} {horizon}", justify="right", no_wrap=True)
    table.add_column(f"rec {horizons[-1]} - {rows[0].name}", justify="right", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    for row in rows:
        by_horizon = list(shares(row.result))
        table.add_row(
            row.name,
            str(len(row.result.patients)),
            *[cell(recommended) for _, recommended, _ in by_horizon],
            *[cell(delivered) for _, _, delivered in by_horizon],
            cell(paired(row.result, rows[0].result)),
            f"{1000 * row.result.seconds_per_decision(N_INITIAL):.3g}",
        )
    return table


def main(line: list[str] | None = None) -> None:
    """Run the policies named and print the table."""
    arguments = arguments_of(line)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for module in filter(None, arguments.also.split(",")):
        POLICIES.update(importlib.import_module(module).POLICIES)
    names = arguments.policies.split(",")
    if unknown := [name for name in names if name not in POLICIES]:
        raise SystemExit(f"Unknown policies {unknown}; there are {', '.join(POLICIES)}.")
    if arguments.epochs < HORIZONS[0]:
        raise SystemExit(f"--epochs {arguments.epochs}: at least {HORIZONS[0]} were expected.")
    rows = []
    for name in names:
        n = min(arguments.slow_patients, arguments.patients) if name in SLOW else arguments.patients
        patients = draw(arguments.seed, n)
        result = run(POLICIES[name](arguments.policy_seed), patients, arguments.epochs)
        rows.append(Row(name=name, result=result))
    Console(width=200).print(table_of(rows))


if __name__ == "__main__":
    main()
