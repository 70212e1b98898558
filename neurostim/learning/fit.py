"""Both surfaces of a cohort by several recipes, of which held-out patients choose one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from neurostim.learning.cohort import Cohort
from neurostim.meta.contributions import believed, chunks, part
from neurostim.meta.federation import Surfaces
from neurostim.meta.hierarchy import learned
from neurostim.surrogate.filter import Observed
from neurostim.surrogate.likelihood import LIKELIHOODS
from neurostim.surrogate.prior import ListPrior

SIDE_EFFECT_ROUNDS = 10
Tick = Callable[[], None]
"""Told after every round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How strongly the generic covariance pulls, and how many rounds are made."""

    n_pseudo: float
    n_rounds: int

    def __str__(self) -> str:
        return f"{self.n_pseudo:g} pseudo-patients, {self.n_rounds} rounds"


RECIPES = tuple(
    Recipe(n_pseudo=n_pseudo, n_rounds=n_rounds)
    for n_pseudo in (10.0, 40.0)
    for n_rounds in (10, 5, 20)
)
"""The usual one first: another is chosen when it is clearly better on held-out patients."""


def effects_by(
    start: ListPrior, observed: Observed, recipes: tuple[Recipe, ...], tick: Tick
) -> dict[Recipe, ListPrior]:
    """The prior that each recipe gives; rounds of one strength are made once."""
    start = at_level(start, observed)
    found: dict[Recipe, ListPrior] = {}
    for n_pseudo in dict.fromkeys(recipe.n_pseudo for recipe in recipes):
        wanted = {r.n_rounds: r for r in recipes if r.n_pseudo == n_pseudo}
        rounds = learned(start, LIKELIHOODS["counts"], observed, n_pseudo=n_pseudo)
        for number, prior in enumerate(islice(rounds, max(wanted)), start=1):
            tick()
            if number in wanted:
                found[wanted[number]] = prior
    return {recipe: found[recipe] for recipe in recipes}


def n_rounds(recipes: tuple[Recipe, ...]) -> int:
    """How many rounds `effects_by` makes."""
    strengths = {recipe.n_pseudo for recipe in recipes}
    return sum(max(r.n_rounds for r in recipes if r.n_pseudo == each) for each in strengths)


def side_effects_by(start: ListPrior, observed: Observed, n_pseudo: float, tick: Tick) -> ListPrior:
    """The surface of side effects."""
    rounds = learned(start, LIKELIHOODS["occurrence"], observed, n_pseudo=n_pseudo)
    prior = start
    for prior in islice(rounds, SIDE_EFFECT_ROUNDS):  # noqa: B007 the last one is wanted
        tick()
    return prior


def at_level(start: ListPrior, observed: Observed) -> ListPrior:
    """The prior with its level where the patients' mean log rate is: a nearer place to start."""
    seen = observed.mask
    count = torch.where(seen, observed.value, 0.0).sum(1)
    exposure = torch.where(seen, observed.exposure, 0.0).sum(1)
    level = ((count + 0.5) / exposure.clamp_min(1.0)).log()[exposure > 0]
    if not len(level):
        return start
    return replace(start, level_mean=torch.full_like(start.level_mean, float(level.mean())))


def posterior_means(prior: ListPrior, observed: Observed) -> Tensor:
    """The effects that patients are believed to have, `B M`."""
    return torch.cat(list(_means(prior, observed)))


def _means(prior: ListPrior, observed: Observed) -> Iterator[Tensor]:
    for which in chunks(prior, observed):
        belief = believed(prior, LIKELIHOODS["counts"], part(observed, which))
        yield torch.einsum("bk,bkm->bm", belief.weight, belief.mean)


def both(start: Surfaces, cohort: Cohort, recipe: Recipe, tick: Tick) -> Surfaces:
    """Both surfaces by one recipe."""
    return {
        "effects": effects_by(start["effects"], cohort.effects, (recipe,), tick)[recipe],
        "side_effects": side_effects_by(
            start["side_effects"], cohort.side_effects, recipe.n_pseudo, tick
        ),
    }
