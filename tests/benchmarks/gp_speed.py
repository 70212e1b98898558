"""Decisions per second of the `gp` controller against the loop a user writes, one thread each.

    python tests/benchmarks/gp_speed.py [--patients 200] [--epochs 26] [--loop-patients 4]

Both choose from the same list on the same counts. The loop fits a SingleTaskGP to each patient's
log rates by `fit_gpytorch_mll` and maximises LogExpectedImprovement by `optimize_acqf` with 10
restarts and 512 raw samples, then takes the nearest setting of the list; it is timed on the first
few patients, at every epoch, since its cost per decision is nearly independent of the number of
patients. CPU seconds.
"""

import argparse
import time
import warnings

import numpy as np
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Normalize, Standardize
from botorch.optim import optimize_acqf
from gpytorch.mlls import ExactMarginalLogLikelihood

from neurostim.controllers import Context, build_controller
from neurostim.encoding import Encoding
from neurostim.history import BASELINE, TREATMENT, History
from protocols import OFF, Observation, Setting, Telemetry
from protocols.design import load_design

N_BASELINE_EPOCHS = 4
DAYS = 14


def observed(setting: Setting, epoch: int, luck: np.random.Generator) -> Observation:
    """An epoch of counts that depend a little on the amplitude."""
    mean = 6 * np.exp(-0.1 * setting.amplitude_ua / 1000)
    return Observation(
        start_day=DAYS * epoch,
        days=DAYS,
        n_seizures=int(luck.poisson(luck.gamma(4, mean / 4))),
        days_recorded=DAYS,
        worst_grade=0,
        telemetry=Telemetry(
            setting=setting,
            stimulation_s=0,
            charge_uc=0,
            energy_mj=0,
            impedance_ohm=1000,
            battery_permille=1000,
            n_incidents=0,
        ),
    )


def run_gp(
    candidates: tuple[Setting, ...], n_patients: int, n_epochs: int
) -> tuple[float, History]:
    """CPU seconds per decision of the batched controller, and the history it made."""
    luck = np.random.default_rng(0)
    index = np.arange(n_patients)
    history = History.empty(range(n_patients))
    for epoch in range(N_BASELINE_EPOCHS):
        off = [OFF] * n_patients
        history = history.append(index, BASELINE, off, [observed(OFF, epoch, luck) for _ in index])
    controller = build_controller("gp", {}, "gp")
    state = controller.init(Context(candidates=candidates, seed=0))
    allowed = np.ones((n_patients, len(candidates)), dtype=np.bool_)
    seconds = 0.0
    for epoch in range(n_epochs):
        began = time.process_time()
        state, chosen = controller.propose(state, history, allowed)
        seconds += time.process_time() - began
        settings = [setting or OFF for setting in chosen]
        history = history.append(
            index, TREATMENT, settings,
            [observed(s, N_BASELINE_EPOCHS + epoch, luck) for s in settings],
        )  # fmt: skip
    return seconds / (n_patients * n_epochs), history


def run_loop(candidates: tuple[Setting, ...], history: History, n_patients: int) -> float:
    """CPU seconds per decision of the loop, replayed on the same histories."""
    encoding = Encoding.of(candidates)
    listed = encoding.settings(candidates)
    bounds = torch.stack([listed.amin(0), listed.amax(0) + 1e-6])
    seconds, n_decisions = 0.0, 0
    for patient in range(n_patients):
        x = encoding.rows(history.delivered[patient])
        rate = torch.from_numpy(history.n_seizures[patient] + 0.5).log()[:, None]
        for n in range(N_BASELINE_EPOCHS, int(history.n_epochs[patient])):
            began = time.process_time()
            decide(x[:n], -rate[:n], bounds, listed)
            seconds += time.process_time() - began
            n_decisions += 1
    return seconds / n_decisions


def decide(x: torch.Tensor, y: torch.Tensor, bounds: torch.Tensor, listed: torch.Tensor) -> int:
    """One decision of the loop."""
    model = SingleTaskGP(
        x,
        y,
        input_transform=Normalize(x.shape[-1], bounds=bounds),
        outcome_transform=Standardize(1),
    )
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    score = LogExpectedImprovement(model, best_f=y.max())
    point, _ = optimize_acqf(score, bounds=bounds, q=1, num_restarts=10, raw_samples=512)
    return int((listed - point).square().sum(-1).argmin())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=26)
    parser.add_argument("--loop-patients", type=int, default=4)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    candidates = load_design("demo").settings.space().settings()
    gp, history = run_gp(candidates, arguments.patients, arguments.epochs)
    loop = run_loop(candidates, history, arguments.loop_patients)
    print(f"{arguments.patients} patients x {arguments.epochs} epochs, {len(candidates)} settings")
    print(f"gp          {1000 * gp:8.2f} ms per decision  {1 / gp:8.0f} decisions per second")
    print(f"plain loop  {1000 * loop:8.2f} ms per decision  {1 / loop:8.1f} decisions per second")
    print(f"ratio       {loop / gp:8.0f}")


if __name__ == "__main__":
    main()
