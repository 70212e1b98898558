"""CPU time per decision of the filter, with its acquisition function, beside what people use.

    python tests/benchmarks/gp_speed.py [--patients 1024] [--expert-patients 192]

On the frozen reference population: 480 settings, 16 particles, float64, one thread. The filter
takes its patients in blocks, as trials do. The others, the loop a user writes with SingleTaskGP,
the same with MixedSingleTaskGP and qLogNEI, and an expert's batch, are those of `public_tools`,
timed in the same run on fewer patients, since their cost per decision hardly depends on how many
there are. CPU seconds of the process.
"""

import argparse
import os
import time
import warnings

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import torch
from public_tools import POLICIES
from reference_population import SETTINGS, Patients, draw, run

from neurostim.controllers.acquisition import scores
from neurostim.surrogate import LIKELIHOODS, Belief, ListModel, ListPrior, Observed
from neurostim.surrogate.generic import device_prior

BLOCK = 64


def encoded() -> torch.Tensor:
    """The reference list in the features of the encoding: `M 5`."""
    rows = np.zeros((len(SETTINGS), 5))
    rows[:, 0], rows[:, 1], rows[:, 4] = SETTINGS.T
    return torch.from_numpy(rows)


def sixteen(prior: ListPrior) -> ListPrior:
    """The first 16 of a prior's particles."""
    every = {
        name: getattr(prior, name)[:16]
        for name in ("mean", "covariance", "dispersion", "keep", "wash_in", "level_mean",
                     "level_sd", "level_keep", "cycle_sd", "log_weight")
    }  # fmt: skip
    return ListPrior(**every)


def seconds_of_filter(patients: Patients, epochs: int, acquisition: str) -> tuple[float, float]:
    """CPU seconds and bytes of rows per decision and per patient."""
    features = encoded()
    prior = sixteen(device_prior(features, concentrations=(1.0, 2.0, 4.0, 8.0)))
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=52)
    parser.add_argument("--loop-patients", type=int, default=2)
    parser.add_argument("--expert-patients", type=int, default=192)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
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
