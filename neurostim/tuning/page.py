"""The report of a tuning as one HTML file that fetches nothing."""

from collections.abc import Sequence

from neurostim.report.page import inlined, template
from neurostim.report.table import Table
from neurostim.tuning.difference import CHANGES, OBJECTIVES, SHARE, UNSAFE, Measured, measured
from neurostim.tuning.effects import WORTHWHILE, KnobEffect, Z, main_effects
from neurostim.tuning.figures import effects, front_of, pareto
from neurostim.tuning.search import PRIMARY, Known
from neurostim.tuning.tune import Tuning
from neurostim.tuning.writing import value_words, verdict, words

DECIMALS = {SHARE: 3, UNSAFE: 2, CHANGES: 1}


def render(tuning: Tuning) -> str:
    """Return the page; the same tuning gives the same bytes."""
    known = tuning.known
    model = known.model()
    found = main_effects(known, model)
    figures = (pareto(known, tuning.chosen), effects(found))
    arm = tuning.ground.arm.name
    return template("neurostim.report", "tuning.html").render(
        title=f"Tuning the arm {arm} of {tuning.design.name}",
        verdict=verdict(tuning),
        confirmation=confirmation_table(tuning),
        changed=changed_table(tuning),
        front=front_table(known),
        knobs=knob_table(found),
        not_worth=not_worth(found),
        figures={each.name: inlined(each) for each in figures},
        identity=identity(tuning, model.is_fitted),
    )


def confirmation_table(tuning: Tuning) -> Table:
    """Tuned and default on each family."""
    rows = [
        (
            f"{each.family}, {each.n_patients} patients: {name}",
            f"{each.usual.values[place]:.{DECIMALS[place]}f}",
            f"{each.tuned.values[place]:.{DECIMALS[place]}f}",
            _difference(each.difference, place),
        )
        for each in tuning.confirmations
        for place, name in enumerate(OBJECTIVES)
    ]
    return Table(
        label="Confirmation",
        caption="Tuned against default.",
        heads=("Patients and objective", "default", "tuned", "difference (95 % interval)"),
        rows=rows,
    )


def changed_table(tuning: Tuning) -> Table:
    """The knobs whose values are others than the design's."""
    usual = tuning.known.space.values(tuning.known.space.usual)
    return Table(
        label="What was changed",
        caption="Knobs that the tuned arm has otherwise than the design.",
        heads=("Knob", "default", "tuned"),
        rows=[
            (name, value_words(usual[name]), value_words(value))
            for name, value in tuning.changes.items()
        ],
    )


def front_table(known: Known) -> Table:
    """The choices on the front, by share of the gap."""
    found = {choice: measured(known.lives[choice, known.top]) for choice in front_of(known)}
    order = sorted(found, key=lambda choice: -found[choice].values[SHARE])
    return Table(
        label="Choices on the Pareto front",
        caption="Training patients, ± standard error over patients; the best of many tried are "
        "partly the luckiest.",
        heads=("Changed against the design", *OBJECTIVES),
        rows=[
            (
                words(known.space.changes(choice)) or "nothing",
                *(
                    f"{found[choice].values[k]:.{d}f} ± {found[choice].errors[k]:.{d}f}"
                    for k, d in DECIMALS.items()
                ),
            )
            for choice in order
        ],
    )


def knob_table(found: Sequence[KnobEffect]) -> Table:
    """Every knob with its best other value and what that is worth."""
    return Table(
        label="Main effects of the knobs",
        caption="By the outer model, averaged over choices near the design, ± standard error of "
        "the model. The share of variance is a first-order Sobol index.",
        heads=("Knob", "in the design", "best other value", "its effect", "variance", "verdict"),
        rows=[
            (
                each.knob.name,
                value_words(each.usual),
                value_words(each.best.value),
                f"{each.best.difference:+.3f} ± {each.best.error:.3f}",
                f"{100 * each.variance_share:.0f} %",
                each.verdict,
            )
            for each in found
        ],
        words=frozenset({1, 2, 5}),
    )


def not_worth(found: Sequence[KnobEffect]) -> str:
    """Which knobs nobody needs to touch, as far as is known."""
    names = [each.knob.name for each in found if each.verdict == "not worth tuning"]
    unknown = [each.knob.name for each in found if each.verdict == "not known"]
    first = (
        f"Not worth tuning, since no value gains {WORTHWHILE:g} within {Z:g} standard errors: "
        f"{', '.join(names)}."
        if names
        else f"Of no knob it is known that it gains less than {WORTHWHILE:g}."
    )
    second = f" Not known with this budget: {', '.join(unknown)}." if unknown else ""
    return first + second


def identity(tuning: Tuning, is_fitted: bool) -> list[tuple[str, str]]:
    """What decides the result."""
    request, known = tuning.request, tuning.known
    rungs = "; ".join(
        f"{rung.n_patients} patients: {len(known.on(number))}"
        for number, rung in enumerate(known.rungs)
    )
    return [
        ("Design", f"{tuning.design.name}, fingerprint {tuning.design.fingerprint()}"),
        ("Arm", f"{tuning.ground.arm.name} ({tuning.ground.arm.controller})"),
        ("Seed", str(request.seed)),
        ("Budget", f"{request.budget} whole trials, of which {known.cost:.2f} were spent"),
        ("Knobs", f"{len(known.space.knobs)}, {known.space.n_combinations:,} combinations"),
        ("Choices by rung", rungs),
        (
            "Tuned for",
            f"share of the gap less {PRIMARY[UNSAFE]:g} for each per cent of days at a setting "
            "that is unsafe for the patient; a choice with more of them beyond chance is not taken",
        ),
        (
            "Outer model",
            "Gaussian process with the patients' own errors"
            + ("" if is_fitted else "; its last fit did not converge"),
        ),
    ]


def _difference(each: Measured, place: int) -> str:
    low, high = each.interval(place)
    d = DECIMALS[place]
    return f"{each.values[place]:+.{d}f} ({low:+.{d}f} to {high:+.{d}f})"
