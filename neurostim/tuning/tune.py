"""From a design to a tuned one: search, confirm, and write."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurostim.plan import versions
from neurostim.tuning.difference import SHARE, UNSAFE, Measured, difference, measured
from neurostim.tuning.ground import Ground, chosen_arm, ground_of
from neurostim.tuning.knobs import Choice, Space, space_of
from neurostim.tuning.record import TRAINING, Log, open_log
from neurostim.tuning.search import (
    Asked,
    Known,
    Rung,
    check_budget,
    next_asked,
    rungs_of,
    winner,
)
from patient_models import MODELS
from protocols import InputError
from protocols.design import Design, load_design

OTHER_FAMILY = {"clinical": "mechanistic"}
"""The family that a choice is confirmed on beside the design's own."""

VALIDATION = "validation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be tuned, by how much work, and on whom."""

    design: str
    arm: str | None = None
    budget: int = 64
    n_training: int = 96
    n_validation: int = 192
    seed: int = 0
    priors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The tuned choice against the default on patients that were never tuned on."""

    family: str
    n_patients: int
    usual: Measured
    tuned: Measured
    difference: Measured

    @property
    def is_better(self) -> bool:
        """Whether the 95 % interval of the share excludes zero from above."""
        return self.difference.interval(SHARE)[0] > 0

    @property
    def harms(self) -> list[str]:
        """What is worse by an interval that excludes zero, in words."""
        found = {
            "a smaller share of the gap": self.difference.interval(SHARE)[1] < 0,
            "more unsafe days": self.difference.interval(UNSAFE)[0] > 0,
        }
        return [words for words, is_so in found.items() if is_so]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """A finished tuning."""

    request: Request
    design: Design
    ground: Ground
    known: Known
    chosen: Choice
    confirmations: tuple[Confirmation, ...]

    @property
    def changes(self) -> dict[str, Any]:
        """The values in which the tuned arm differs from the design's."""
        return self.known.space.changes(self.chosen)


Show = Callable[[Known, Asked | None], None]
"""Told what is known and what is being evaluated, before each evaluation and at the end."""


def folder_of(design: str) -> Path:
    """Where the relative paths of a design start."""
    return Path(design).parent if design.endswith(".toml") else Path()


def prepared(request: Request) -> tuple[Design, Ground, Space]:
    """The design, the ground and the space of a request; `InputError` for what is wrong with it."""
    design = load_design(request.design)
    arm = chosen_arm(design, request.arm)
    ground = ground_of(
        design,
        arm,
        n_training=request.n_training,
        n_validation=request.n_validation,
        seed=request.seed,
        folder=folder_of(request.design),
    )
    space = space_of(design, arm, request.priors)
    for prior in request.priors:
        ground.planned({"prior": prior})
    check_budget(request.budget, rungs_of(request.n_training))
    return design, ground, space


def tune(request: Request, log_path: Path, show: Show) -> Tuning:
    """Search until the budget is spent, and confirm; goes on from what the log holds."""
    design, ground, space = prepared(request)
    rungs = rungs_of(request.n_training)
    log = open_log(log_path, _identity(ground, space, rungs, request))
    known = searched(ground, space, rungs, log, request, show)
    chosen = winner(known)
    confirmations = _confirmed(design, ground, space, log, request, chosen)
    return Tuning(
        request=request,
        design=design,
        ground=ground,
        known=known,
        chosen=chosen,
        confirmations=confirmations,
    )


def searched(
    ground: Ground,
    space: Space,
    rungs: tuple[Rung, ...],
    log: Log,
    request: Request,
    show: Show,
) -> Known:
    """Evaluate one choice after the other until the next would cost more than is left."""
    while True:
        known = Known(space=space, rungs=rungs, lives=log.training)
        asked = next_asked(known, request.seed)
        if asked is None or known.cost + rungs[asked.rung].cost > request.budget + 1e-9:
            show(known, None)
            return known
        show(known, asked)
        evaluate(ground, space, rungs, log, asked)


def evaluate(ground: Ground, space: Space, rungs: Sequence[Rung], log: Log, asked: Asked) -> None:
    """Live a choice's trial on a rung; the patients of the rung below lived it already."""
    before = log.training.get((asked.choice, asked.rung - 1))
    n_begun = 0 if before is None else len(before.patients)
    patients = ground.training[n_begun : rungs[asked.rung].n_patients]
    lives = ground.lived(space.changes(asked.choice), patients)
    whole = lives if before is None else before.and_those(lives)
    log.add((TRAINING, asked.choice, asked.rung), whole)


def _identity(
    ground: Ground, space: Space, rungs: Sequence[Rung], request: Request
) -> dict[str, Any]:
    """What decides every line of a log; the budget only decides where it ends."""
    return {
        "what": "neurostim tune",
        "fingerprint": ground.plan.fingerprint(),
        "arm": ground.arm.name,
        "seed": request.seed,
        "n_training": request.n_training,
        "n_validation": request.n_validation,
        "knobs": {knob.name: list(knob.values) for knob in space.knobs},
        "rungs": [rung.n_patients for rung in rungs],
        "versions": versions(),
    }


def _confirmed(
    design: Design, ground: Ground, space: Space, log: Log, request: Request, chosen: Choice
) -> tuple[Confirmation, ...]:
    """The tuned choice and the default on the validation patients, and on another family's."""
    grounds = {VALIDATION: ground}
    family = design.population.model
    other = OTHER_FAMILY.get(family)
    if other in MODELS:
        grounds[str(other)] = ground_of(
            design,
            ground.arm,
            n_training=request.n_training,
            n_validation=request.n_validation,
            seed=request.seed,
            folder=folder_of(request.design),
            model=other,
        )
    found = []
    for name, where in grounds.items():
        lives = []
        for choice in (space.usual, chosen):
            key = (name, choice, 0)
            if key not in log.lives:
                done = where.lived(space.changes(choice), where.validation)
                log.add(key, done)
            lives.append(log.lives[key])
        usual, tuned = lives
        found.append(
            Confirmation(
                family=where.plan.design.population.model,
                n_patients=len(where.validation),
                usual=measured(usual),
                tuned=measured(tuned),
                difference=difference(tuned, usual),
            )
        )
    return tuple(found)


def refuse_other(out: Path, log_path: Path) -> None:
    """Raise `InputError` when the file to write is there and no tuning wrote it."""
    if out.suffix != ".toml":
        raise InputError(f"--out {out}: a .toml file was expected")
    if out.exists() and not log_path.exists():
        raise InputError(f"{out} is there already: another file was expected")
