"""From a design, or from finished runs, to a prior in a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from neurostim.controllers.gp import LEARNED_BETA, GaussianProcess
from neurostim.encoding import Encoding
from neurostim.learning.cohort import Cohort, cohort_of_rows
from neurostim.learning.fit import (
    RECIPES,
    SIDE_EFFECT_ROUNDS,
    Recipe,
    at_level,
    both,
    effects_by,
    n_rounds,
    posterior_means,
)
from neurostim.learning.judgement import IN_TRIAL, PREDICTED, Judged, in_trial, predicted
from neurostim.learning.probe import Probe
from neurostim.learning.sources import fingerprint, rows_from
from neurostim.meta.anchors import anchors
from neurostim.meta.federation import DISPERSIONS_PER_DAY, Surfaces, check_wash_in, generic_start
from neurostim.meta.mixing import mixed_for_device, pruned
from neurostim.meta.prior_file import refuse_existing, write_prior
from neurostim.plan import Plan, make_plan
from neurostim.results import load
from neurostim.storage import digest
from neurostim.surrogate.generic import WANDER, device_prior
from neurostim.surrogate.prior import ListPrior
from neurostim.trial import run
from protocols import InputError, Setting
from protocols.design import load_design

FEWEST_PATIENTS = 5
HELD_OUT_SHARE = 0.2
MOST_JUDGED = 60
MOST_EPOCHS_JUDGED = 20
WASH_IN_DAYS = 18.0

Step = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """What was learned, and how it fared on patients it was not learned on."""

    candidates: tuple[Setting, ...]
    anchors: tuple[Setting, ...]
    judged_by: str
    recipes: Mapping[Recipe, Judged]
    chosen: Recipe
    learned: Judged
    generic: Judged
    n_patients: int
    n_elsewhere: int


def training_plan(
    design: str, *, n_patients: int, n_epochs: int, seed: int, changes: Mapping[str, Any]
) -> Plan:
    """A design with one arm, in which settings are drawn at random for so many epochs."""
    if n_epochs < 2:
        raise InputError(f"--epochs {n_epochs}: 2 or more were expected")
    _check_patients(n_patients)
    epoch_days = load_design(design, changes).schedule.epoch_days
    fixed = load_design(
        design,
        {
            **changes,
            "population.n_patients": n_patients,
            "schedule.treatment_days": n_epochs * epoch_days,
            "schedule.evaluation_days": epoch_days,
            "schedule.open_label_days": 0,
            "schedule.open_label_arm": None,
            "arms": [{"name": "random", "controller": "random"}],
            "analysis.reference": "random",
        },
    )
    folder = Path(design).parent if design.endswith(".toml") else Path()
    return make_plan(fixed, seed=seed, compute="cpu", folder=folder)


def _check_patients(n_patients: int) -> None:
    if n_patients < FEWEST_PATIENTS:
        raise InputError(f"--patients {n_patients}: {FEWEST_PATIENTS} or more were expected")


def learn_from_design(
    design: str,
    out: Path,
    *,
    n_patients: int,
    n_epochs: int,
    seed: int,
    changes: Mapping[str, Any],
    wash_in_days: float = WASH_IN_DAYS,
    recipes: tuple[Recipe, ...] = RECIPES,
    step: Step,
) -> Learning:
    """Draw virtual patients, live them at random settings, learn, judge and write the prior.

    The recipe is chosen by a trial on a fifth of the patients, whom the candidates did not see;
    the prior is then learned on all, and what it is worth is told by as many fresh patients.
    """
    refuse_existing(out)
    check_wash_in(wash_in_days)
    _check_patients(n_patients)
    n_held = min(max(2, round(HELD_OUT_SHARE * n_patients)), MOST_JUDGED)
    n_drawn = n_patients + n_held
    plan = training_plan(design, n_patients=n_drawn, n_epochs=n_epochs, seed=seed, changes=changes)
    start = generic_start(plan.candidates, wash_in_days, DISPERSIONS_PER_DAY)
    short = training_plan(
        design,
        n_patients=n_drawn,
        n_epochs=min(n_epochs, MOST_EPOCHS_JUDGED),
        seed=seed,
        changes=changes,
    )
    with TemporaryDirectory(prefix="neurostim-") as scratch:
        folder = Path(scratch) / "run"
        run(plan, folder, progress=lambda done, total: step("Living", done, total))
        epochs = load(folder).epochs()
    learned_on = epochs[epochs["patient"].isin(plan.patients[:n_patients])]
    people = cohort_of_rows(learned_on, plan.candidates)
    held, fresh = plan.patients[n_patients - n_held : n_patients], plan.patients[n_patients:]
    encoded = Encoding.of(plan.candidates).settings(plan.candidates)
    rule = GaussianProcess(beta=LEARNED_BETA, wash_in_days=wash_in_days)

    def share(prior: ListPrior, who: tuple[int, ...]) -> Judged:
        effects = mixed_for_device(pruned(prior), encoded)
        return in_trial(short, who, Probe(effects=effects, rule=rule))

    total = n_rounds(recipes) + len(recipes)
    tick = _Counter("Choosing", total, step)
    priors = effects_by(
        start["effects"], people.of(slice(n_patients - n_held)).effects, recipes, tick
    )
    judged = {}
    for recipe, prior in priors.items():
        judged[recipe] = share(prior, held)
        tick()
    best = _best(judged)
    surfaces = _learned(start, people, best, step)
    generic = Probe(
        effects=device_prior(encoded, wash_in=wash_in_days, wander=WANDER),
        rule=rule,
        knows_levels=False,
    )
    return _written(
        out,
        plan.candidates,
        people,
        surfaces,
        best,
        judged,
        judged_by=IN_TRIAL,
        learned=share(surfaces["effects"], fresh),
        generic=in_trial(short, fresh, generic),
        about={
            "design": plan.design.name,
            "fingerprint": plan.fingerprint(),
            "seed": seed,
            "n_patients": n_patients,
            "n_epochs": n_epochs,
        },
    )


def learn_from_results(
    design: str,
    sources: Sequence[Path],
    out: Path,
    *,
    arm: str | None,
    seed: int,
    changes: Mapping[str, Any],
    wash_in_days: float = WASH_IN_DAYS,
    recipes: tuple[Recipe, ...] = RECIPES,
    step: Step,
) -> Learning:
    """Learn from finished runs or from files of rows; the truth about patients is not asked for.

    The recipe is chosen by how well it predicts a fifth of the patients, and what the prior is
    worth is told by the same patients: a little too well, therefore.
    """
    refuse_existing(out)
    check_wash_in(wash_in_days)
    plan = training_plan(design, n_patients=FEWEST_PATIENTS, n_epochs=2, seed=seed, changes=changes)
    people = cohort_of_rows(rows_from(sources, arm), plan.candidates)
    n_patients = len(people)
    if n_patients < FEWEST_PATIENTS:
        raise InputError(f"{n_patients} patients: {FEWEST_PATIENTS} or more were expected")
    n_held = max(2, round(HELD_OUT_SHARE * n_patients))
    encoded = Encoding.of(plan.candidates).settings(plan.candidates)
    start = generic_start(plan.candidates, wash_in_days, DISPERSIONS_PER_DAY)
    known, held = people.of(slice(n_patients - n_held)), people.of(slice(n_patients - n_held, None))
    tick = _Counter("Choosing", n_rounds(recipes), step)
    priors = effects_by(start["effects"], known.effects, recipes, tick)
    judged = {
        recipe: predicted(mixed_for_device(pruned(prior), encoded), held)
        for recipe, prior in priors.items()
    }
    best = _best(judged)
    generic = at_level(device_prior(encoded, wash_in=wash_in_days, wander=WANDER), known.effects)
    return _written(
        out,
        plan.candidates,
        people,
        _learned(start, people, best, step),
        best,
        judged,
        judged_by=PREDICTED,
        learned=judged[best],
        generic=predicted(generic, held),
        about={
            "design": plan.design.name,
            "fingerprint": digest([fingerprint(source) for source in sources]),
            "from": [fingerprint(source) for source in sources],
            "n_patients": n_patients,
            "n_epochs": int(people.effects.is_epoch.sum(1).max()),
        },
    )


def _learned(start: Surfaces, people: Cohort, recipe: Recipe, step: Step) -> Surfaces:
    tick = _Counter("Learning", recipe.n_rounds + SIDE_EFFECT_ROUNDS, step)
    return both(start, people, recipe, tick)


def _written(
    out: Path,
    candidates: tuple[Setting, ...],
    people: Cohort,
    surfaces: Surfaces,
    chosen: Recipe,
    judged: Mapping[Recipe, Judged],
    *,
    judged_by: str,
    learned: Judged,
    generic: Judged,
    about: Mapping[str, Any],
) -> Learning:
    places = anchors(posterior_means(surfaces["effects"], people.effects))
    header = {
        "how": "learned",
        "cohort": dict(about),
        "n_patients": len(people),
        "recipe": {"n_pseudo": chosen.n_pseudo, "n_rounds": chosen.n_rounds},
        "judged_by": judged_by,
        "held_out": _plain(learned),
        "generic": _plain(generic),
        "recipes": [_plain(each) | {"recipe": str(recipe)} for recipe, each in judged.items()],
    }
    effects = pruned(surfaces["effects"])
    write_prior(out, candidates, effects, surfaces["side_effects"], places, header)
    return Learning(
        candidates=candidates,
        anchors=tuple(candidates[place] for place in places),
        judged_by=judged_by,
        recipes=judged,
        chosen=chosen,
        learned=learned,
        generic=generic,
        n_patients=len(people),
        n_elsewhere=people.n_elsewhere,
    )


def _best(judged: Mapping[Recipe, Judged]) -> Recipe:
    """The recipe with the highest value, if that is a standard error above the first one's.

    A handful of held-out patients tells recipes apart poorly, and the highest of several values is
    the luckiest.
    """
    usual = next(iter(judged))
    best = max(judged, key=lambda each: v if isfinite(v := judged[each].value) else -1e9)
    is_clear = judged[best].value - judged[usual].value > judged[best].standard_error
    return best if is_clear else usual


def _plain(judged: Judged) -> dict[str, float | int | None]:
    finite = {
        name: round(value, 6) if isfinite(value := getattr(judged, name)) else None
        for name in ("value", "standard_error")
    }
    return finite | {"n_patients": judged.n_patients}


class _Counter:
    """Counts the parts of one step, and tells of each."""

    def __init__(self, name: str, total: int, step: Step) -> None:
        self.name, self.total, self.step, self.done = name, total, step, 0

    def __call__(self) -> None:
        self.done += 1
        self.step(self.name, self.done, self.total)
