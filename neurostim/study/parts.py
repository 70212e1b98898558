"""The parts of the study, each a function of its own people, which can be made in any order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

CURVE = (0, 10, 25, 50, 100, 200, 400, 800)
HOSPITALS = (5, 20)
FAMILIES = ("clinical", "mechanistic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large a study is."""

    n_draws: int = 5
    n_tested: int = 96
    curve: tuple[int, ...] = CURVE
    n_earlier: int = 200
    hospitals: tuple[int, ...] = HOSPITALS
    n_outer: int = 1000
    n_landscapes: int = 192
    clinical_curve: tuple[int, ...] = (20, 100)
    n_clinical: int = 48
    n_epochs: int = 20
    n_steered: int = 72
    most_contacts: int = 3
    n_parts: int = 4
    tuning_budget: int = 24  # whole trials; 0 leaves tuning out
    n_training: int = 48
    n_validation: int = 96


USUAL = Sizes()
QUICK = Sizes(
    n_draws=2,
    n_tested=24,
    curve=(0, 10, 40),
    n_earlier=40,
    hospitals=(4,),
    n_outer=60,
    n_landscapes=24,
    clinical_curve=(10,),
    n_clinical=12,
    n_epochs=8,
    n_steered=12,
    most_contacts=2,
    n_parts=2,
    tuning_budget=0,
)
"""Enough to see that everything runs, and too little to believe anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One piece of work, whose result is written as JSON under its name."""

    name: str
    make: Callable[[], Any]


def parts(sizes: Sizes, seed: int) -> Iterator[Part]:
    """Every part, in the order in which it is best to have them when time runs out."""
    yield Part(name="landscape-reference", make=partial(reference_landscape, sizes, seed))
    for family in FAMILIES:
        yield Part(name=f"landscape-{family}", make=partial(landscape, sizes, seed, family))
    long = [n for n in sizes.curve if n > 400]
    for number in range(sizes.n_draws):
        for n in sizes.curve:
            if n not in long:
                yield Part(name=f"curve-{n}-{number}", make=partial(curve, sizes, seed, number, n))
        for n in sizes.hospitals:
            name = f"hospitals-{n}-{number}"
            yield Part(name=name, make=partial(hospitals, sizes, seed, number, n))
        yield Part(name=f"gradient-{number}", make=partial(gradient, sizes, seed, number))
        yield Part(name=f"first-{number}", make=partial(first, sizes, seed, number))
        yield Part(name=f"structure-{number}", make=partial(structure, sizes, seed, number))
        for n in sizes.clinical_curve:
            name = f"clinical-{n}-{number}"
            yield Part(name=name, make=partial(clinical, sizes, seed, number, n))
    if sizes.tuning_budget:
        yield Part(name="tuning", make=partial(tuning, sizes, seed))
    for number in range(sizes.n_draws):
        for n in long:
            yield Part(name=f"curve-{n}-{number}", make=partial(curve, sizes, seed, number, n))


def curve(sizes: Sizes, seed: int, number: int, n_earlier: int) -> Any:
    """One point of the learning curve."""
    from neurostim.study.teaching import Draw, learning_curve

    people = Draw(seed=seed, number=number, n_tested=sizes.n_tested)
    return learning_curve(people, n_earlier)


def hospitals(sizes: Sizes, seed: int, number: int, n_hospitals: int) -> Any:
    """Federated and local priors."""
    from neurostim.study.teaching import Draw, over_hospitals

    people = Draw(seed=seed, number=number, n_tested=sizes.n_tested)
    return over_hospitals(people, sizes.n_earlier, n_hospitals)


def gradient(sizes: Sizes, seed: int, number: int) -> Any:
    """The gradient-based comparator."""
    from dataclasses import replace

    from neurostim.study.meta_gradient import TRAININGS, gradient_meta_learning
    from neurostim.study.teaching import Draw

    people = Draw(seed=seed, number=number, n_tested=sizes.n_tested)
    trainings = tuple(replace(each, n_outer=sizes.n_outer) for each in TRAININGS)
    return gradient_meta_learning(people, sizes.n_earlier, trainings)


def first(sizes: Sizes, seed: int, number: int) -> Any:
    """First settings to try."""
    from neurostim.study.teaching import Draw, first_settings

    people = Draw(seed=seed, number=number, n_tested=sizes.n_tested)
    return first_settings(people, sizes.n_earlier)


def structure(sizes: Sizes, seed: int, number: int) -> Any:
    """Searching over montages."""
    from neurostim.study.steering import lists, structure_search

    found = lists(sizes.most_contacts, sizes.n_parts)
    return structure_search(100 * seed + number + 1, sizes.n_steered, found)


def clinical(sizes: Sizes, seed: int, number: int, n_earlier: int) -> Any:
    """The learning curve of the clinical family."""
    from neurostim.study.clinical_teaching import clinical_curve

    own = 100 * seed + number + 1
    return clinical_curve("clinical", n_earlier, sizes.n_clinical, sizes.n_epochs, own)


def reference_landscape(sizes: Sizes, seed: int) -> Any:
    """Landscapes of the reference population."""
    from neurostim.study.hardness import reference_rows
    from neurostim.study.reference_population import draw

    return reference_rows(draw(3 * (1000 * seed + 999) + 1000, sizes.n_landscapes))


def landscape(sizes: Sizes, seed: int, family: str) -> Any:
    """Landscapes of another family."""
    from neurostim.study.hardness import clinical_rows

    return clinical_rows("demo", family, sizes.n_landscapes, sizes.n_epochs, seed + 1)


def tuning(sizes: Sizes, seed: int) -> Any:
    """Tuned against default on patients that nothing was tuned on."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from neurostim.tuning.difference import SHARE
    from neurostim.tuning.tune import Request, tune

    request = Request(
        design="demo",
        arm="gp",
        budget=sizes.tuning_budget,
        n_training=sizes.n_training,
        n_validation=sizes.n_validation,
        seed=seed,
    )
    with TemporaryDirectory(prefix="neurostim-") as scratch:
        done = tune(request, Path(scratch) / "tuned.jsonl", lambda known, asked: None)
    confirmations = []
    for each in done.confirmations:
        low, high = each.difference.interval(SHARE)
        value = float(each.difference.values[SHARE])
        row = {"family": each.family, "n_patients": each.n_patients}
        confirmations.append(row | {"value": value, "low": low, "high": high})
    changes = {name: str(value) for name, value in done.changes.items()}
    return {"confirmations": confirmations, "changes": changes}
