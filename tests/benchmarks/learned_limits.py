"""Learned limits on side effects: how often they are overstepped, and what they cost.

    python tests/benchmarks/learned_limits.py [--patients 384] [--arms unlimited,learned,...]

The frozen reference population with the hidden thresholds of `hidden_side_effects`. Priors for
effects and for side effects are learned on 200 other patients x 30 random epochs of noisy reports;
without a learned one the limit is held by two standard deviations and no margin. Arms: without
limits; with limits by the learned and by the generic prior; constrained expected improvement, which
rates a setting by its chance to be safe; limits by an ideal observer, who knows the law by which
thresholds differ between patients and what came in each epoch, and keeps to settings that are
unsafe with a probability of at most `--ideal-risk`; and with an oracle that knows each patient's
thresholds. What the ideal observer does not reach, no better prior does in its place.
*Unsafe* is a setting at which a bothersome side effect comes on more than 1 % of days. *Severity*
is the mean hazard beyond the limit over all evaluations, in limits. A *false refusal* is a safe
setting, better than the one delivered, that the limit left out. Variants: side effects at lower
amplitudes than those of the patients learned from; thresholds that fall at epoch 20; 30 % of
reports missing, taken for nothing felt; reports one epoch late. Intervals are Clopper-Pearson's
over patients (95 %).
"""

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from hidden_side_effects import (
    EPOCH_DAYS,
    HAZARD_AT_THRESHOLD,
    SideEffects,
    side_effects_of,
)
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest, norm

from neurostim.learning.fit import side_effects_by
from neurostim.meta.hierarchy import shared
from neurostim.meta.mixing import mixed, pruned
from neurostim.study.reference_policy import (
    GENERIC_DISPERSIONS,
    LEARNED_ON,
    LEARNED_SEED,
    N_EPOCHS_LEARNED,
    Bound,
    encoded,
    learned_prior,
    observed_of,
)
from neurostim.study.reference_population import (
    N_SETTINGS,
    OFF,
    Floats,
    Ints,
    Patients,
    Share,
    difference,
    draw,
    random_history,
    share_of_rates,
)
from neurostim.surrogate import LIKELIHOODS, Belief, ListPrior, Observed
from neurostim.surrogate.generic import device_prior, side_effect_prior
from neurostim.surrogate.readout import level_and_effect

Booleans = np.ndarray
N_EPOCHS = 40
BETA = 1.0
LAW_SEED, N_PEOPLE = 12345, 6000
LIMIT_BETA, MARGIN = 0.75, 0.55
"""Standard deviations of the bound on the log hazard, and the share of the limit it is held
to: chosen on patients of seed 2."""


def occurrences(indices: Ints, reports: Booleans, first: int = 0) -> Observed:
    """Two-week epochs with or without a bothersome side effect, `n x T`."""
    observed = observed_of(indices, reports.astype(np.int64), first)
    days = torch.full_like(observed.exposure, EPOCH_DAYS)
    return replace(observed, exposure=days, days=days, at_day=observed.at_day * EPOCH_DAYS)


def learned_side_effects(generic: ListPrior) -> ListPrior:
    """The prior for side effects, from the noisy reports of earlier patients."""
    patients = draw(LEARNED_SEED, LEARNED_ON)
    hidden = side_effects_of(patients)
    indices, _ = random_history(patients, N_EPOCHS_LEARNED)
    reports = np.stack([hidden.reports(indices[:, t], t) for t in range(N_EPOCHS_LEARNED)], axis=1)
    return side_effects_by(shared(generic), occurrences(indices, reports), 10.0, lambda: None)


@dataclass(slots=True, kw_only=True)
class Limited(Bound):
    """The bound among settings within the limit; `harm_prior` is None without one.

    With `is_expected_improvement` a setting is rated by its expected improvement times its chance
    to be safe, and nothing is left out. `thresholds` of an oracle take the place of the prior.
    """

    harm_prior: ListPrior | None = None
    is_expected_improvement: bool = False
    limit_beta: float = LIMIT_BETA
    margin: float = MARGIN
    knows: SideEffects | None = None
    harm: Belief | None = None

    def told(self, reports: Booleans, indices: Ints, epoch: int) -> None:
        """Take up whether each patient told of a side effect in this epoch, `n`."""
        if self.harm_prior is None:
            return
        if self.harm is None:
            self.harm = Belief.start(self.harm_prior, LIKELIHOODS["occurrence"], len(reports))
        seen = occurrences(indices[:, None], reports[:, None], epoch)
        self.harm = self.harm.told(seen.column(0))

    def within(self, n: int, epoch: int) -> Booleans:
        """Which settings are kept to, `n x M`."""
        if self.knows is not None:
            return ~self.knows.is_unsafe(epoch)
        if self.harm_prior is None or self.is_expected_improvement:
            return np.ones((n, N_SETTINGS), dtype=bool)
        mean, sd = self.log_hazard(n)
        return np.asarray(mean + self.limit_beta * sd <= np.log(self.margin * HAZARD_AT_THRESHOLD))

    def log_hazard(self, n: int) -> tuple[Floats, Floats]:
        """Posterior mean and standard deviation of the log hazard per day, `n x M`."""
        assert self.harm_prior is not None
        harm = self.harm or Belief.start(self.harm_prior, LIKELIHOODS["occurrence"], n)
        mean, sd = level_and_effect(harm)
        return mean.numpy(), sd.numpy()

    def choose(self, counts: Ints, indices: Ints) -> Ints:
        """What to deliver in the next epoch, `n`; `OFF` where nothing is within the limit."""
        n, epoch = counts.shape
        belief = self._absorbed(counts, indices)
        mean, variance = (each.numpy() for each in self._moments(belief))
        if self.is_expected_improvement:
            at, sd = self.log_hazard(n)
            is_safe = norm.cdf((np.log(HAZARD_AT_THRESHOLD) - at) / np.maximum(sd, 1e-9))
            best = np.minimum(np.where(is_safe > 0.5, mean, 0.0).min(1, keepdims=True), 0.0)
            spread = np.maximum(np.sqrt(variance), 1e-9)
            z = (best - mean) / spread
            score = spread * (z * norm.cdf(z) + norm.pdf(z)) * is_safe
        else:
            score = BETA * np.sqrt(variance) - mean
        within = self.within(n, epoch)
        score = np.where(within, score, -np.inf)
        return np.where(within.any(1), score.argmax(1), OFF)

    def best(self, counts: Ints, indices: Ints) -> Ints:
        """The setting within the limit with the lowest posterior mean."""
        mean, _ = self.beliefs(counts, indices)
        within = self.within(*counts.shape)
        chosen = np.where(within, mean.numpy(), np.inf).argmin(1)
        return np.where(within.any(1), chosen, OFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """Many people of the law that patients are of: what the ideal observer weighs."""

    log_none: Floats  # N_PEOPLE x M, log probability of an epoch without a report
    log_some: Floats
    is_unsafe: Booleans

    @classmethod
    def drawn(cls) -> "Law":
        """People who are no patients of any arm."""
        people = side_effects_of(draw(LAW_SEED, N_PEOPLE))
        log_none = -EPOCH_DAYS * people.daily_hazard(0)
        log_some = np.log(-np.expm1(np.minimum(log_none, -1e-300)))
        return cls(log_none=log_none, log_some=log_some, is_unsafe=people.is_unsafe(0))


@dataclass(slots=True, kw_only=True)
class Ideal(Limited):
    """The bound among settings whose exact probability to be unsafe is at most `risk`."""

    law: Law
    risk: float
    log_weight: Floats | None = None  # n x N_PEOPLE

    def told(self, reports: Booleans, indices: Ints, epoch: int) -> None:
        """Weigh the people by how likely each would have told this."""
        some, none = self.law.log_some[:, indices].T, self.law.log_none[:, indices].T
        before = 0.0 if self.log_weight is None else self.log_weight
        self.log_weight = before + np.where(reports[:, None], some, none)

    def within(self, n: int, epoch: int) -> Booleans:
        """Which settings are kept to, `n x M`."""
        logs = np.zeros((n, N_PEOPLE)) if self.log_weight is None else self.log_weight
        weight = np.exp(logs - logs.max(1, keepdims=True))
        probability = weight @ self.law.is_unsafe / weight.sum(1, keepdims=True)
        return np.asarray(probability <= self.risk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """What was delivered, recommended, unsafe and needlessly left out."""

    indices: Ints  # n x T
    recommended: Ints  # n
    unsafe: Booleans  # n x T
    severity: Floats  # n x T
    refused: float  # share of patient-epochs


def live(policy: Limited, patients: Patients, hidden: SideEffects, late: int = 0) -> Lived:
    """Let a policy treat these patients; it is told of side effects `late` epochs later."""
    n = len(patients)
    indices = np.full((n, N_EPOCHS), OFF)
    counts, reports = np.zeros_like(indices), np.zeros((n, N_EPOCHS), dtype=bool)
    unsafe, severity = np.zeros_like(reports), np.zeros(reports.shape)
    everyone, needless = np.arange(n), 0
    for t in range(N_EPOCHS):
        chosen = policy.choose(counts[:, :t], np.maximum(indices[:, :t], 0))
        is_on = chosen != OFF
        at = np.maximum(chosen, 0)
        indices[:, t] = chosen
        counts[:, t] = patients.counts(chosen, t)
        hazard = np.where(is_on, hidden.daily_hazard(t)[everyone, at], 0.0)
        unsafe[:, t] = hazard > HAZARD_AT_THRESHOLD
        severity[:, t] = np.maximum(hazard / HAZARD_AT_THRESHOLD - 1, 0.0)
        reports[:, t] = hidden.reports(at, t) & is_on
        rate = patients.rate(chosen)
        left_out = ~policy.within(n, t) & ~hidden.is_unsafe(t)
        needless += int(((np.exp(patients.log_rate) < rate[:, None]) & left_out).any(1).sum())
        if t >= late:
            policy.told(reports[:, t - late], np.maximum(indices[:, t - late], 0), t - late)
    return Lived(
        indices=indices,
        recommended=policy.best(counts, np.maximum(indices, 0)),
        unsafe=unsafe,
        severity=severity,
        refused=needless / (n * N_EPOCHS),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What is other than the prior was learned on."""

    name: str
    hidden: Callable[[SideEffects], SideEffects] = lambda hidden: hidden
    late: int = 0


VARIANTS = (
    Variant(name="as learned"),
    Variant(name="felt earlier by 0.10", hidden=lambda hidden: hidden.shifted(0.10)),
    Variant(
        name="falls by 0.10 at 20",
        hidden=lambda hidden: replace(hidden, falls_from_epoch=20, fall=0.10),
    ),
    Variant(name="30 % not told", hidden=lambda hidden: replace(hidden, told_share=0.7)),
    Variant(name="told one epoch late", late=1),
)


def cells(lived: Lived, free: Lived, patients: Patients) -> Iterator[str]:
    """One row of the table."""
    n, n_evaluations = lived.unsafe.shape[0], lived.unsafe.size
    yield f"{100 * lived.unsafe.mean():.2f}"
    n_patients = int(lived.unsafe.any(1).sum())
    interval = binomtest(n_patients, n).proportion_ci(method="exact")
    yield f"{100 * n_patients / n:.1f} ({100 * interval.low:.1f}-{100 * interval.high:.1f})"
    yield f"{lived.severity.sum() / n_evaluations:.4f}"
    yield f"{100 * lived.refused:.0f}"
    pairs = ((lived.indices, free.indices), (lived.recommended, free.recommended))
    for ours, theirs in pairs:
        share, whole = gained(patients, ours), gained(patients, theirs)
        apart = difference(patients, ours, theirs)
        yield f"{share.value:.3f}±{share.standard_error:.3f}"
        per_cent = 100 / whole.value
        yield f"{per_cent * share.value:.0f} ± {per_cent * apart.standard_error:.0f}"


def gained(patients: Patients, indices: Ints) -> Share:
    """The share of the gap at indices, `n` or `n x T`, among which `OFF` may be."""
    rate = patients.rate(indices).reshape(len(patients), -1).mean(1)
    return share_of_rates(patients, patients.base_rate - rate)


def main() -> None:
    """Learn, run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=384)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-beta", type=float, default=LIMIT_BETA)
    parser.add_argument("--margin", type=float, default=MARGIN)
    parser.add_argument("--ideal-risk", type=float, default=0.01)
    parser.add_argument("--arms", default="unlimited,learned,generic,improvement,ideal,oracle")
    parser.add_argument("--variants", type=int, default=len(VARIANTS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generic = device_prior(encoded(), concentrations=GENERIC_DISPERSIONS)
    population, _ = learned_prior(generic, 10, 10.0)
    among = device_prior(encoded(), concentrations=population.dispersion.tolist())
    effects = pruned(mixed(population, among))
    harms = {"generic": side_effect_prior(encoded())}
    harms["learned"] = harms["improvement"] = learned_side_effects(harms["generic"])
    patients, law = draw(arguments.seed, arguments.patients), Law.drawn()
    for variant in VARIANTS[: arguments.variants]:
        hidden = variant.hidden(side_effects_of(patients))
        table = Table(title=f"{variant.name}: {arguments.patients} patients x {N_EPOCHS} epochs")
        for head in ("arm", "unsafe %", "patients % (95 %)", "severity", "refused %", "in trial",
                     "% of unlimited", "rec", "% of unlimited "):  # fmt: skip
            table.add_column(head, no_wrap=True)
        free = None
        for arm in arguments.arms.split(","):
            policy = (
                Ideal(prior=effects, law=law, risk=arguments.ideal_risk)
                if arm == "ideal"
                else Limited(
                    prior=effects,
                    harm_prior=harms.get(arm),
                    is_expected_improvement=arm == "improvement",
                    limit_beta=2.0 if arm == "generic" else arguments.limit_beta,
                    margin=1.0 if arm == "generic" else arguments.margin,
                    knows=hidden if arm == "oracle" else None,
                )
            )
            lived = live(policy, patients, hidden, variant.late)
            free = free or lived
            table.add_row(arm, *cells(lived, free, patients))
        Console(width=170).print(table)


if __name__ == "__main__":
    main()
