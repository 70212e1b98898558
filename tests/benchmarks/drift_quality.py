"""What forgetting is worth when the best setting moves in mid-trial, and costs when nothing does.

    python tests/benchmarks/drift_quality.py [--patients 192]

On the frozen reference population with a learned prior: at epoch 20 of 40 every patient's effects
become those of the next patient of the list, at the same base rate. The share of the gap in trial
over the last half, with particles that never forget and with those that may.
"""

import argparse
import os
from dataclasses import replace

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import torch
from filter_quality import Filter

from neurostim.meta.mixing import mixed, pruned
from neurostim.study.reference_policy import GENERIC_DISPERSIONS, encoded, learned_prior
from neurostim.study.reference_population import Ints, Patients, draw, share_of_rates
from neurostim.surrogate.generic import device_prior
from neurostim.surrogate.prior import ListPrior

N_EPOCHS, MOVES_AT = 40, 20
KEEPS = (1.0, 0.98, 0.94)


def moved(patients: Patients) -> Patients:
    """The same people with the effects of the next one each."""
    effect = patients.log_rate - np.log(patients.base_rate)[:, None]
    return replace(
        patients, log_rate=np.log(patients.base_rate)[:, None] + np.roll(effect, 1, axis=0)
    )


def treated(prior: ListPrior, before: Patients, after: Patients) -> Ints:
    """What was delivered, `n x T`."""
    policy = Filter(prior=prior, beta=1.5)
    shape = (len(before), N_EPOCHS)
    counts, indices = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
    for epoch in range(N_EPOCHS):
        patients = before if epoch < MOVES_AT else after
        indices[:, epoch] = policy.propose(counts[:, :epoch], indices[:, :epoch])
        counts[:, epoch] = patients.counts(indices[:, epoch], epoch)
    return indices


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=192)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generic = device_prior(encoded(), concentrations=GENERIC_DISPERSIONS)
    prior, _ = learned_prior(generic, 10, 10.0)
    among = device_prior(encoded(), concentrations=prior.dispersion.tolist())
    learned = pruned(mixed(prior, among))
    before = draw(1, arguments.patients)
    for name, after in (("moves at epoch 20", moved(before)), ("stays", before)):
        gains = {}
        for keeps in ((1.0,), KEEPS):
            indices = treated(learned.with_keeps(keeps), before, after)[:, MOVES_AT:]
            gains[keeps] = after.base_rate - after.rate(indices).mean(1)
            share = share_of_rates(after, gains[keeps])
            print(
                f"{name}, keeps {keeps}: {share.value:.3f} ± {share.standard_error:.3f}", flush=True
            )
        apart = share_of_rates(after, gains[KEEPS] - gains[(1.0,)])
        print(f"{name}, forgetting is worth {apart.value:+.3f} ± {apart.standard_error:.3f}")


if __name__ == "__main__":
    main()
