"""Share of the gap of every controller on patients of a family: in trial and recommended.

    python tests/benchmarks/clinical_quality.py [--model clinical] [--patients 192] [--epochs 40]
        [--prior prior.safetensors --controllers gp+prior,gp+prior:beta=1.5]

The trial is that of the shipped demonstration but for the enrolment, the length and the number of
patients: baseline without stimulation, then epochs of two weeks. The oracle stays on each
patient's best setting. Shares and standard errors are those of `reference_population`: ratios of
sums over patients, of true rates within months at a setting. Arms share their patients' luck.
"""

import argparse
import json
import os
import time

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from neurostim.controllers import Context, build_controller
from neurostim.controllers.gp import Known
from neurostim.history import BASELINE, TREATMENT, History
from neurostim.loop import Batch, Gate, ask, live, prepare
from neurostim.plan import Plan, make_plan
from neurostim.surrogate import ListModel, refit
from patient_models import State
from protocols import OFF, Setting
from protocols.design import load_design
from safety import AuditLog

Floats = NDArray[np.float64]
HORIZONS = (5, 10, 20, 40)
FIXED = {"site": 0, "amplitude_ua": 4000, "frequency_hz": 145, "pulse_width_us": 90}


@dataclass(kw_only=True)
class Arm:
    """What one controller did to the patients: true rates per day, and unsafe evaluations."""

    name: str
    delivered: list[Floats] = field(default_factory=list)  # per epoch, B
    recommended: dict[int, Floats] = field(default_factory=dict)
    is_unsafe: list[NDArray[np.bool_]] = field(default_factory=list)
    n_changes: Floats | None = None
    seconds: float = 0.0
    claims: tuple[float, float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Rates per day of B patients at each of M settings."""

    index: dict[Setting, int]
    rates: Floats  # B M
    unsafe: NDArray[np.bool_]  # B M

    @property
    def gap(self) -> Floats:
        """From off to the best setting."""
        return self.rates[:, 0] - self.rates.min(axis=1)

    def at(self, table: NDArray[Any], settings: Sequence[Setting | None]) -> NDArray[Any]:
        """The entries of these settings, of off where there is none."""
        places = [self.index.get(setting or OFF, 0) for setting in settings]
        return np.asarray(table[np.arange(len(places)), places])

    def share(self, rates: Floats) -> tuple[float, float]:
        """Share of the gap closed, and its standard error over patients."""
        gained = self.rates[:, 0] - rates
        if not self.gap.any():
            return float(gained.mean()), float(gained.std() / np.sqrt(len(gained)))
        value = gained.sum() / self.gap.sum()
        left = gained - value * self.gap
        error = np.sqrt((left**2).sum() / (len(left) * (len(left) - 1))) / self.gap.mean()
        return float(value), float(error)


def truth_of(plan: Plan, states: Sequence[State]) -> Truth:
    """What only a simulation can know."""
    model, candidates = plan.model, plan.candidates
    rates = [model.rate_off(s) * np.exp(model.log_multipliers(s, candidates)) for s in states]
    unsafe = [model.is_unsafe(s, candidates) for s in states]
    return Truth(
        index={setting: m for m, setting in enumerate(candidates)},
        rates=np.array(rates),
        unsafe=np.array(unsafe),
    )


def run_arm(
    plan: Plan, name: str, options: dict[str, Any], states: Sequence[State], truth: Truth,
    epochs: int, days: int, folder: Path,
) -> Arm:  # fmt: skip
    """Baseline, then so many epochs, each followed by a recommendation at the horizons."""
    context = Context(candidates=plan.candidates, seed=plan.seed, compute=plan.compute)
    controller, memory = prepare(build_controller(name, options, name), context)
    arm = Arm(name=name)
    batch = Batch.start(states)
    everyone = np.arange(len(states))
    allowed = np.ones((len(states), len(plan.candidates)), dtype=np.bool_)
    with AuditLog(folder / f"{name}.jsonl", envelope_hash=plan.envelope.hash, durable=False) as log:
        gate = Gate(envelope=plan.envelope, log=log)
        sham, nothing = prepare(build_controller("sham", {}, "sham"), context)
        start = plan.design.schedule.baseline_days
        _, wishes = ask(sham, nothing, batch.history, allowed)
        batch, _ = live(batch, everyone, wishes, [start] * len(states), BASELINE, plan.model, gate)
        last: list[Setting] = [OFF] * len(states)
        changes = np.zeros(len(states))
        for epoch in range(1, epochs + 1):
            began = time.process_time()
            memory, wishes = ask(controller, memory, batch.history, allowed)
            arm.seconds += time.process_time() - began
            end = start + epoch * days
            index, first = everyone, True
            while index.size:  # whoever was cut off by a side effect goes on to the epoch's end
                left = [end - batch.states[b].day for b in index]
                if not first:
                    memory, wishes = ask(
                        controller, memory, batch.history.rows(index), allowed[index]
                    )
                batch, lived = live(batch, index, wishes, left, TREATMENT, plan.model, gate)
                if first:
                    given = [each.delivered for each in lived]
                    arm.delivered.append(truth.at(truth.rates, given))
                    arm.is_unsafe.append(truth.at(truth.unsafe, given))
                    changes += [a != b for a, b in zip(given, last, strict=True)]
                    last = given
                index = np.array([b for b in everyone if batch.states[b].day < end], dtype=int)
                first = False
            if epoch in HORIZONS:
                _, chosen = controller.recommend(memory, batch.history, allowed)
                arm.recommended[epoch] = truth.at(truth.rates, chosen)
                if isinstance(memory, Known):
                    arm.claims = claims_of(memory, batch.history, truth, chosen)
    arm.n_changes = changes
    return arm


def claims_of(
    known: Known, history: History, truth: Truth, chosen: Sequence[Setting | None]
) -> tuple[float, float, float]:
    """Claimed less true log rate ratio to off, and how often 90 % hold the true one, and none."""
    with torch.no_grad():
        _, told = known.beliefs.after(history)
        model = ListModel(refit(told.effects), known.tables.encoded)
    mean, sd = -model.list_mean.numpy(), model.list_variance.sqrt().numpy()
    claimed, error = truth.at(mean, chosen), truth.at(sd, chosen)
    true = np.log(truth.at(truth.rates, chosen) / truth.rates[:, 0])
    return (
        float((claimed - true).mean()),
        100 * float((np.abs(claimed - true) <= 1.645 * error).mean()),
        100 * float((np.abs(claimed) <= 1.645 * error).mean()),
    )


def parsed(spec: str, prior: str) -> tuple[str, dict[str, Any]]:
    """A controller and its options, from `gp`, `gp+prior` or `gp+prior:beta=1.5:dwell_epochs=2`."""
    spec, *pairs = spec.split(":")
    name, _, learned = spec.partition("+")
    options: dict[str, Any] = {"setting": FIXED} if name == "fixed" else {}
    options |= {key: json.loads(value) for key, _, value in (p.partition("=") for p in pairs)}
    return name, options | ({"prior": prior} if learned else {})


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="clinical")
    parser.add_argument("--patients", type=int, default=192)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="index of the first patient")
    parser.add_argument("--prior", default="", help="a learned prior for gp arms that take one")
    parser.add_argument(
        "--controllers", default="sham,fixed,titration,coordinate,grid,sobol,random,"
        "random-posterior,gp,gp-safe,gp-drifting,thompson",
    )  # fmt: skip
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    design = load_design("demo", {"population.n_patients": 1, "population.model": arguments.model})
    plan = make_plan(design, seed=arguments.seed, compute="cpu")
    patients = range(arguments.first, arguments.first + arguments.patients)
    states = plan.model.draw(
        device=plan.device, seed=plan.seed, patients=list(patients), enrolment=plan.enrolment
    )
    truth = truth_of(plan, states)
    table = Table(title=f"{arguments.model}: {arguments.patients} patients, share of the gap")
    for head in ("controller", *(f"rec {h}" for h in HORIZONS), "in trial", "unsafe %",
                 "patients %", "changes a year", "ms", "claim - true", "in 90 %",
                 "0 in 90 %"):  # fmt: skip
        table.add_column(head, justify="left" if head == "controller" else "right")
    for spec in arguments.controllers.split(","):
        with TemporaryDirectory() as folder:
            name, options = parsed(spec, arguments.prior)
            arm = run_arm(plan, name, options, states, truth, arguments.epochs, arguments.days,
                          Path(folder))  # fmt: skip
            unsafe = np.array(arm.is_unsafe)
            years = arguments.epochs * arguments.days / 365
            decisions = arguments.epochs * arguments.patients
            trial = truth.share(np.mean(arm.delivered, axis=0))
            shares = [truth.share(rates) for rates in arm.recommended.values()]
            table.add_row(
                spec, *("{:.3f}±{:.3f}".format(*each) for each in [*shares, trial]),
                f"{100 * unsafe.mean():.2f}", f"{100 * unsafe.any(axis=0).mean():.1f}",
                f"{float(np.mean(arm.n_changes)) / years:.1f}",
                f"{1000 * arm.seconds / decisions:.2f}",
                *("{:+.2f} {:.0f} {:.0f}".format(*arm.claims).split() if arm.claims else [""] * 3),
            )  # fmt: skip
            print(spec, *shares, trial, flush=True)
    oracle = float(truth.share(truth.rates.min(axis=1))[0])
    table.add_row("oracle", *[f"{oracle:.3f}"] * (len(HORIZONS) + 1), *[""] * 7)
    Console(width=180).print(table)


if __name__ == "__main__":
    main()
