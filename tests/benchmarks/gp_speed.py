"""CPU time per decision of the filter, with its acquisition function, beside what people use.

    python tests/benchmarks/gp_speed.py [--patients 1024] [--expert-patients 192] [--long]

On the frozen reference population: 480 settings, 16 particles, float64, one thread. The filter
takes its patients in blocks, as trials do. The others, the loop a user writes with SingleTaskGP,
the same with MixedSingleTaskGP and qLogNEI, and an expert's batch, are those of `public_tools`,
timed in the same run on fewer patients, since their cost per decision hardly depends on how many
there are. CPU seconds of the process.

With `--long`, instead: lists beyond 2,048 settings, whose covariances are computed and not kept,
with the largest memory of the process so far.
"""

import argparse
import os
import resource
import time
import warnings
from collections.abc import Sequence

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import torch
from public_tools import POLICIES

from neurostim.controllers.acquisition import scores
from neurostim.controllers.controller import Context
from neurostim.controllers.gp import GaussianProcess, SafeGaussianProcess, Thompson
from neurostim.history import TREATMENT, History, Integers
from neurostim.optimizer import Optimizer
from neurostim.study.reference_population import SETTINGS, Patients, draw, run
from neurostim.surrogate import LIKELIHOODS, Belief, ListModel, Observed
from neurostim.surrogate.generic import device_prior
from protocols import OFF, Cycle, Observation, ParameterSpace, Setting, Telemetry

BLOCK = 64


def encoded() -> torch.Tensor:
    """The reference list in the features of the encoding: `M 5`."""
    rows = np.zeros((len(SETTINGS), 5))
    rows[:, 0], rows[:, 1], rows[:, 4] = SETTINGS.T
    return torch.from_numpy(rows)


def seconds_of_filter(patients: Patients, epochs: int, acquisition: str) -> tuple[float, float]:
    """CPU seconds and bytes of rows per decision and per patient."""
    features = encoded()
    prior = device_prior(features, concentrations=(1.0, 2.0, 4.0, 8.0)).of(torch.arange(16))
    seconds, n_bytes = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(patients), BLOCK):
            n = min(BLOCK, len(patients) - start)
            block = draw(patients.seed, n, start)
            belief = Belief.start(prior, LIKELIHOODS["counts"], n, torch.full((n,), 2.0).double())
            one = torch.ones(n, dtype=torch.float64)
            chosen = torch.zeros(n, dtype=torch.int64)
            for epoch in range(epochs):
                count = torch.from_numpy(block.counts(chosen.numpy(), epoch)).double()
                began = time.process_time()
                belief = belief.told(
                    Observed(
                        index=chosen,
                        value=count,
                        exposure=one,
                        days=one,
                        at_day=one * epoch,
                        mask=one > 0,
                        is_epoch=one > 0,
                    )
                )
                model = ListModel(belief, features)
                chosen = scores(model, acquisition, 2.5).argmax(1)  # type: ignore[arg-type]
                seconds += time.process_time() - began
            n_bytes = belief.rows.buffer[0].numel() * 8
    return seconds / (len(patients) * epochs), n_bytes


def megabytes() -> float:
    """The largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def time_optimizer(shape: tuple[int, ...], likelihood: str, acquisition: str, n: int) -> None:
    """`Optimizer` on a table that is a grid: a noisy bump, n results, then a recommendation."""
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, size) for size in shape]), -1)
    table, luck = grid.reshape(-1, len(shape)), np.random.default_rng(1)
    began = time.process_time()
    optimizer = Optimizer(table, likelihood=likelihood, acquisition=acquisition)  # type: ignore[arg-type]
    made, began = time.process_time() - began, time.process_time()
    for _ in range(n):
        setting = optimizer.ask()
        bump = np.exp(-8 * np.square(np.array(setting) - 0.6).sum())
        value = luck.normal(-bump, 0.5) if likelihood == "gaussian" else luck.poisson(8 - 5 * bump)
        optimizer.tell(setting, float(value))
    each, began = (time.process_time() - began) / n, time.process_time()
    found = optimizer.recommend()
    print(
        f"Optimizer, {' x '.join(map(str, shape)):12s} {likelihood:8s} {acquisition:22s} "
        f"made in {made:5.2f} s, {1000 * each:6.1f} ms per ask and tell, "
        f"recommends in {time.process_time() - began:5.2f} s {np.round(found.setting, 2)}, "
        f"{megabytes():6.0f} MB",
        flush=True,
    )


def told(
    history: History, settings: Sequence[Setting | None], counts: Integers, epoch: int
) -> History:
    """The history after one more week of everybody's diary."""
    observations = [
        Observation(
            start_day=7 * epoch,
            days=7,
            n_seizures=int(count),
            days_recorded=7,
            worst_grade=0,
            telemetry=Telemetry(
                setting=setting or OFF,
                stimulation_s=0,
                charge_uc=0,
                energy_mj=0,
                impedance_ohm=1000,
                battery_permille=1000,
                n_incidents=0,
            ),
        )
        for setting, count in zip(settings, counts, strict=True)
    ]
    return history.append(np.arange(len(counts)), TREATMENT, settings, observations)


def time_controller(controller: GaussianProcess, n_patients: int, n_epochs: int) -> None:
    """Time a controller on 2,881 settings of a device, on diaries without effects."""
    space = ParameterSpace(
        site=(1, 2, 3, 4),
        amplitude_ua=tuple(range(250, 3001, 250)),
        frequency_hz=(5, 10, 20, 40, 70, 100, 130, 160, 180, 200),
        pulse_width_us=(60, 90, 120, 160, 200, 250),
        cycles=(Cycle(),),
    )
    candidates = (OFF, *(each for each in space if each != OFF))
    luck = np.random.default_rng(1)
    began = time.process_time()
    state = controller.init(Context(candidates=candidates, seed=1))
    made, seconds = time.process_time() - began, 0.0
    history = History.empty(list(range(n_patients)))
    allowed = np.ones((n_patients, len(candidates)), dtype=np.bool_)
    for epoch in range(n_epochs):
        began = time.process_time()
        state, proposed = controller.propose(state, history, allowed)
        seconds += time.process_time() - began
        history = told(history, proposed, luck.poisson(12, n_patients), epoch)
    began = time.process_time()
    controller.recommend(state, history, allowed)
    print(
        f"{type(controller).__name__}, {len(candidates)} settings, {n_patients} patients x "
        f"{n_epochs} epochs: made in {made:.2f} s, "
        f"{1000 * seconds / (n_patients * n_epochs):.2f} ms per decision, "
        f"recommends in {time.process_time() - began:.1f} s, {megabytes():.0f} MB",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=52)
    parser.add_argument("--loop-patients", type=int, default=2)
    parser.add_argument("--expert-patients", type=int, default=192)
    parser.add_argument("--long", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if arguments.long:
        for shape in ((64, 64), (20, 20, 20)):
            for likelihood in ("gaussian", "counts"):
                time_optimizer(shape, likelihood, "upper_confidence_bound", 40)
            time_optimizer(shape, "counts", "thompson", 40)
        for controller in (GaussianProcess(), SafeGaussianProcess(), Thompson()):
            time_controller(controller, 64, 26)
        return
    ours = {}
    for acquisition in ("upper_confidence_bound", "log_expected_improvement"):
        patients = draw(1, arguments.patients)
        ours[acquisition], n_bytes = seconds_of_filter(patients, arguments.epochs, acquisition)
        print(
            f"filter, {acquisition:25s} {1000 * ours[acquisition]:9.3f} ms per decision, "
            f"{n_bytes / 1e6:.1f} MB of rows per patient",
            flush=True,
        )
    for name, n in (("expert", arguments.expert_patients), ("singletask", arguments.loop_patients),
                    ("mixed", arguments.loop_patients)):  # fmt: skip
        done = run(POLICIES[name](0), draw(1, n), 20)
        theirs = done.seconds_per_decision(6)
        print(
            f"{name:33s} {1000 * theirs:9.3f} ms per decision, "
            f"{theirs / max(ours.values()):7.0f} times",
            flush=True,
        )


if __name__ == "__main__":
    main()
