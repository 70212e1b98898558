"""The filter with the generic and a learned prior: shares of the gap, and whether claims hold.

    python tests/benchmarks/filter_quality.py [--patients 1000] [--arms random,bound,...]

On the frozen reference population. The first arm draws settings at random and recommends by the
posterior, as all others do: the paired column says what choosing settings is worth. Claims are
about the setting recommended at the last epoch: the claimed log rate less the true one, how often
the 90 % interval holds the true one, and how many times the true rate the claimed one is. On the
null population (no setting does anything), how often the interval of the claimed improvement over
off holds zero.
"""

import argparse
import os
from dataclasses import dataclass, replace
from itertools import product

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import torch
from learned_prior import GENERIC_DISPERSIONS, Bound, encoded, learned_prior
from reference_population import (
    HORIZONS,
    N_SETTINGS,
    Ints,
    Patients,
    Run,
    difference,
    draw,
    in_trial,
    run,
    share_of_gap,
)
from rich.console import Console
from rich.table import Table
from scipy.stats import norm

from neurostim.controllers.acquisition import draws, scores
from neurostim.meta.mixing import mixed, pruned
from neurostim.surrogate import Belief, ListModel, refit
from neurostim.surrogate.generic import EFFECT_SDS, LENGTHSCALES, device_prior, smooth_table
from neurostim.surrogate.prior import ListPrior
from neurostim.surrogate.readout import is_supported, level_and_effect
from patient_models.randomness import uniforms

PURPOSE = 93


@dataclass(slots=True, kw_only=True)
class Filter(Bound):
    """A policy on the filter by one of the controllers' acquisition functions, or at random."""

    acquisition: str = "upper_confidence_bound"
    beta: float = 2.5

    def propose(self, counts: Ints, indices: Ints) -> Ints:
        n, t = counts.shape
        if self.acquisition == "random" or (t == 0 and not self.knows_level):
            return (uniforms(0, np.arange(n), t, PURPOSE, 0) * N_SETTINGS).astype(np.int64)
        with torch.no_grad():
            model = ListModel(self._absorbed(counts, indices), encoded())
            if self.acquisition == "thompson":
                score = draws(model, 0, np.arange(n), np.full(n, t))
            else:
                score = scores(model, self.acquisition, self.beta)  # type: ignore[arg-type]
            return np.asarray(score.argmax(1))

    def recommend(self, counts: Ints, indices: Ints) -> Ints:
        with torch.no_grad():
            return recommended(refit(self._absorbed(counts, indices)), self.knows_level)


def recommended(belief: Belief, knows_level: bool) -> Ints:
    """The best posterior mean among the supported settings."""
    model = ListModel(belief, encoded())
    supported = is_supported(model)
    supported |= ~supported.any(1, keepdim=True)
    if knows_level:
        supported |= True  # a learned prior supports every setting
    return np.asarray(torch.where(supported, model.list_mean, -torch.inf).argmax(1))


def claims(policy: Filter, result: Run) -> tuple[float, float, float, float]:
    """Claimed less true log rate, coverage in %, true over claimed rate, and null coverage."""
    patients = result.patients
    with torch.no_grad():
        belief = refit(policy._absorbed(result.counts, result.indices))
        mean, sd = (each.numpy() for each in level_and_effect(belief))  # level plus effect
        model = ListModel(belief, encoded())
        chosen = recommended(belief, policy.knows_level)
    rows = np.arange(len(patients))
    claimed, error = mean[rows, chosen], sd[rows, chosen]
    true = np.log(patients.rate(chosen))
    z = norm.ppf(0.95)
    covers = np.abs(claimed - true) <= z * error
    gain = model.list_mean.numpy()[rows, chosen]
    gain_sd = model.list_variance.sqrt().numpy()[rows, chosen]
    return (
        float((claimed - true).mean()),
        100 * float(covers.mean()),
        float(np.exp(true - claimed).mean()),
        100 * float((np.abs(gain) <= z * gain_sd).mean()),
    )


def stationary(generic: ListPrior) -> ListPrior:
    """The generic prior without its arch: as uncertain at the edges as in the middle."""
    shapes = torch.stack([smooth_table(encoded(), *each) for each in LENGTHSCALES])
    particles = list(product(EFFECT_SDS, range(len(shapes)), GENERIC_DISPERSIONS))
    tables = [sd**2 * shapes[shape] for sd, shape, _ in particles]
    return replace(generic, covariance=torch.stack(tables))


def null(patients: Patients) -> Patients:
    """The same people, whom nothing helps or harms."""
    base = np.log(patients.base_rate)[:, None]
    return replace(patients, log_rate=np.broadcast_to(base, patients.log_rate.shape).copy())


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--null-patients", type=int, default=192)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--arms",
        default="random,upper_confidence_bound,log_expected_improvement,learned random,"
        "learned upper_confidence_bound,learned log_expected_improvement",
    )
    parser.add_argument("--beta", type=float, default=2.5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generic = device_prior(encoded(), concentrations=GENERIC_DISPERSIONS)
    prior, _ = learned_prior(generic, 10, 10.0)
    among = device_prior(encoded(), concentrations=prior.dispersion.tolist())
    table = Table(title=f"{arguments.patients} patients, beta {arguments.beta:g}")
    for head in ("arm", *[f"rec {h}" for h in HORIZONS], "in trial", "rec 40 - random",
                 "claimed - true", "in 90 %", "true / claimed", "null in 90 %"):  # fmt: skip
        table.add_column(head, no_wrap=True)
    patients = draw(arguments.seed, arguments.patients)
    first: dict[bool, Run] = {}
    for arm in arguments.arms.split(","):
        kind, _, acquisition = arm.rpartition(" ")
        is_learned = kind == "learned"
        policy = Filter(
            prior={
                "learned": pruned(mixed(prior, among)),
                "stationary": stationary(generic),
                "": generic,
            }[kind],
            knows_level=is_learned,
            acquisition=acquisition,
            beta=arguments.beta,
        )
        result = run(policy, patients)
        first.setdefault(is_learned, result)
        last = max(HORIZONS)
        apart = difference(patients, result.recommended[last], first[is_learned].recommended[last])
        other = Filter(prior=policy.prior, knows_level=is_learned,
                       acquisition=policy.acquisition, beta=arguments.beta)  # fmt: skip
        nobody = run(other, null(draw(arguments.seed, arguments.null_patients)))
        off, covered, ghosts, _ = claims(policy, result)
        table.add_row(
            arm,
            *["{:.3f}±{:.3f}".format(*share_of_gap(patients, result.recommended[h]))
              for h in HORIZONS],
            "{:.3f}±{:.3f}".format(*in_trial(patients, result.indices)),
            "{:+.3f}±{:.3f}".format(*apart),
            f"{off:+.3f}", f"{covered:.0f} %", f"{ghosts:.2f}", f"{claims(other, nobody)[3]:.0f} %",
        )  # fmt: skip
        print(arm, flush=True)
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
