"""The filter with the generic and a learned prior: shares of the gap, and whether claims hold.

    python tests/benchmarks/filter_quality.py [--patients 1000] [--arms random,bound,...]

On the frozen reference population. The first arm draws settings at random and recommends by the
posterior, as all others do: the paired column says what choosing settings is worth. Claims are
about the setting recommended at the last epoch: the claimed log rate less the true one, how often
the 90 % interval holds the true one, in how many patients the true one is above it (a ghost peak: 5
% were to be expected), and how many times the true rate the claimed one is. On the null population
(no setting does anything), how often the interval of the claimed improvement over off holds zero.
`--figure FILE.svg` draws how often intervals of every level hold the true rate.
"""

import argparse
import os
from dataclasses import dataclass, replace
from itertools import cycle, product
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import matplotlib.pyplot as plt
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import binom, norm

from neurostim.controllers.acquisition import draws, scores
from neurostim.meta.mixing import mixed, pruned
from neurostim.study.reference_policy import GENERIC_DISPERSIONS, Bound, encoded, learned_prior
from neurostim.study.reference_population import (
    HORIZONS,
    N_SETTINGS,
    Floats,
    Ints,
    Patients,
    Run,
    difference,
    draw,
    in_trial,
    run,
    share_of_gap,
)
from neurostim.surrogate import Belief, ListModel, refit
from neurostim.surrogate.covariance import covariance_of
from neurostim.surrogate.generic import EFFECT_SDS, LENGTHSCALES, device_prior, smooth_surface
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What is claimed of the setting recommended at the last epoch, beside the truth, per patient.

    `error` is the claimed log rate less the true one and `error_sd` its posterior standard
    deviation; `gain` is the claimed improvement over off in its own standard deviations.
    """

    error: Floats  # B
    error_sd: Floats  # B
    gain: Floats  # B

    def covered(self, level: float) -> float:
        """Share of patients whose central interval of this level holds the true rate."""
        return float((np.abs(self.error / self.error_sd) <= norm.ppf(0.5 + level / 2)).mean())

    @property
    def ghosts(self) -> float:
        """Share of patients whose true rate is above the claimed 90 % interval."""
        return float((-self.error / self.error_sd > norm.ppf(0.95)).mean())

    @property
    def holds_zero(self) -> float:
        """Share of patients whose 90 % interval of the improvement over off holds zero."""
        return float((np.abs(self.gain) <= norm.ppf(0.95)).mean())


def claims(policy: Filter, result: Run) -> Claims:
    """What the policy claims of the settings that it recommends in the end."""
    patients = result.patients
    with torch.no_grad():
        belief = refit(policy._absorbed(result.counts, result.indices))
        mean, sd = (each.numpy() for each in level_and_effect(belief))  # level plus effect
        model = ListModel(belief, encoded())
        chosen = recommended(belief, policy.knows_level)
    rows = np.arange(len(patients))
    gain, gain_sd = model.list_mean.numpy(), model.list_variance.sqrt().numpy()
    return Claims(
        error=mean[rows, chosen] - np.log(patients.rate(chosen)),
        error_sd=sd[rows, chosen],
        gain=gain[rows, chosen] / gain_sd[rows, chosen],
    )


def draw_calibration(path: Path, arms: dict[str, Claims]) -> None:
    """Draw the share of intervals that hold the truth against their level, and 95 % of chance."""
    levels = np.linspace(0.02, 0.98, 49)
    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    n = len(next(iter(arms.values())).error)
    band = binom.ppf([[0.025], [0.975]], n, levels) / n
    axes.fill_between(levels, *band, color="0.9", label=f"95 % of chance, {n} patients")
    for (name, each), style in zip(arms.items(), cycle(("-", "--", ":", "-.")), strict=False):
        axes.plot(levels, [each.covered(level) for level in levels], style, label=name)
    axes.set(xlabel="level of the interval", ylabel="share that holds the true rate",
             xlim=(0, 1), ylim=(0, 1), aspect="equal")  # fmt: skip
    axes.legend()
    figure.savefig(path)


def stationary(generic: ListPrior) -> ListPrior:
    """The generic prior without its arch: as uncertain at the edges as in the middle."""
    shapes = [smooth_surface(encoded(), *each) for each in LENGTHSCALES]
    particles = product(EFFECT_SDS, range(len(shapes)), GENERIC_DISPERSIONS)
    sds, which, _ = zip(*particles, strict=True)
    scale = torch.tensor(sds, dtype=torch.float64).square()
    return replace(generic, covariance=covariance_of(shapes, torch.tensor(which), scale))


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
    parser.add_argument("--figure", type=Path, help="an SVG of the intervals' calibration")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generic = device_prior(encoded(), concentrations=GENERIC_DISPERSIONS)
    prior, _ = learned_prior(generic, 10, 10.0)
    among = device_prior(encoded(), concentrations=prior.dispersion.tolist())
    table = Table(title=f"{arguments.patients} patients, beta {arguments.beta:g}")
    for head in ("arm", *[f"rec {h}" for h in HORIZONS], "in trial", "rec 40 - random",
                 "claimed - true", "in 90 %", "ghosts", "true / claimed",
                 "null in 90 %"):  # fmt: skip
        table.add_column(head, no_wrap=True)
    patients = draw(arguments.seed, arguments.patients)
    first: dict[bool, Run] = {}
    claimed: dict[str, Claims] = {}
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
        said = claimed[arm] = claims(policy, result)
        table.add_row(
            arm,
            *["{:.3f}±{:.3f}".format(*share_of_gap(patients, result.recommended[h]))
              for h in HORIZONS],
            "{:.3f}±{:.3f}".format(*in_trial(patients, result.indices)),
            "{:+.3f}±{:.3f}".format(*apart),
            f"{said.error.mean():+.3f}", f"{said.covered(0.9):.0%}", f"{said.ghosts:.1%}",
            f"{np.exp(-said.error).mean():.2f}", f"{claims(other, nobody).holds_zero:.0%}",
        )  # fmt: skip
        print(arm, flush=True)
    Console(width=200).print(table)
    if arguments.figure:
        draw_calibration(arguments.figure, claimed)


if __name__ == "__main__":
    main()
