"""What earlier patients taught: the sections on learning, hospitals and first settings."""

from typing import Any

from neurostim.study import figures
from neurostim.study.parts import Sizes
from neurostim.study.section import (
    HEADINGS,
    SHOWN,
    Found,
    Numbers,
    Section,
    column,
    draws_of,
    paired,
    worth,
)

SAME_SHARE = 0.01
"""How near a federated prior must come to the pooled one: the acceptance of the issue."""


def curve_section(found: Found, sizes: Sizes, seed: int) -> Section | None:
    """The learning curve."""
    curve = {n: rows for n in sizes.curve if (rows := draws_of(found, f"curve-{n}", sizes))}
    if 0 not in curve or len(curve) < 2:
        return None
    sentences = [
        worth(paired(curve[n], curve[0], "trial 40"), f"A prior from {n} earlier patients", "none")
        for n in curve
        if n in (min(set(curve) - {0}), max(curve))
    ]
    points = {
        name: {n: column(rows, name) for n, rows in curve.items()}
        for name in ("rec 5", "rec 10", "rec 40", "trial 40")
    }
    return Section(
        id="curve",
        title="How many earlier patients it takes",
        verdict=" ".join(dict.fromkeys(sentences)),
        how=f"Reference population; the prior learned by expectation maximisation on n patients x "
        f"30 epochs at random settings, mixed with a tenth of generic particles; {sizes.n_tested} "
        "other patients treated by the lower confidence bound. Each draw has new earlier and new "
        "test patients; intervals are Student's over draws. n = 0 is the generic prior.",
        numbers=Numbers(
            headings=("earlier patients", *(HEADINGS[name] for name in SHOWN)),
            rows=tuple(
                (str(n), *(str(column(rows, name)) for name in SHOWN)) for n, rows in curve.items()
            ),
        ),
        drawings=(figures.learning_curve(points),),
    )


def hospital_section(found: Found, sizes: Sizes, seed: int) -> Section | None:
    """Pooled, federated and local."""
    pooled = draws_of(found, f"curve-{sizes.n_earlier}", sizes)
    rows: dict[str, dict[int, Any]] = {"pooled, 1 hospital": pooled} if pooled else {}
    sentences = []
    for n in sizes.hospitals:
        by_draw = draws_of(found, f"hospitals-{n}", sizes)
        for how in ("federated", "local"):
            rows[f"{how}, {n} hospitals"] = {k: each[how] for k, each in by_draw.items()}
        common = [k for k in by_draw if k in pooled]
        if not common:
            continue
        apart = [
            abs(by_draw[k]["federated"][name] - pooled[k][name]) for k in common for name in SHOWN
        ]
        word = "within" if max(apart) <= SAME_SHARE else "not within"
        sentences.append(
            f"Federated over {n} hospitals is {word} {SAME_SHARE} share of pooled in "
            f"{len(common)} draws (largest difference {max(apart):.1g})."
        )
        local = {k: by_draw[k]["local"] for k in common}
        unit = "in trial over 40 epochs"
        sentences.append(
            worth(paired(pooled, local, "trial 40"), "Sharing sums", f"each of {n} alone", unit)
        )
    rows = {name: each for name, each in rows.items() if each}
    if len(rows) < 2:
        return None
    return Section(
        id="hospitals",
        title="Pooled, federated, local",
        verdict=" ".join(sentences),
        how=f"The same {sizes.n_earlier} earlier patients, dealt to hospitals in turn. Federated "
        "hospitals add up sums of every round and share no row; local ones learn by themselves, "
        "and the mean of up to five of them is shown.",
        numbers=Numbers(
            headings=("prior", *(HEADINGS[name] for name in SHOWN)),
            rows=tuple(
                (name, *(str(column(each, shown)) for shown in SHOWN))
                for name, each in rows.items()
            ),
        ),
        drawings=(
            figures.bars(
                "hospitals",
                "Share of the gap by who shared what",
                {
                    name: {shown: column(each, shown) for shown in ("rec 10", "trial 40")}
                    for name, each in rows.items()
                },
            ),
        ),
    )


def gradient_section(found: Found, sizes: Sizes, seed: int) -> Section | None:
    """The gradient-based comparator beside the learned prior."""
    learned = draws_of(found, f"curve-{sizes.n_earlier}", sizes)
    gradient = draws_of(found, "gradient", sizes)
    generic = draws_of(found, "curve-0", sizes)
    if not learned or not gradient:
        return None
    rows = {
        "learned prior": learned,
        "gradient meta-learning": gradient,
        "generic prior": generic,
    }
    options = {
        f"{int(each['inner steps'])} inner steps and {each['random share']:.0%} at random"
        for each in gradient.values()
    }
    shown = {name: each for name, each in rows.items() if each}
    return Section(
        id="gradient",
        title="Beside gradient-based meta-learning",
        verdict=worth(
            paired(learned, gradient, "trial 40"), "The learned prior", "the adapted network"
        )
        + " "
        + worth(paired(gradient, generic, "rec 5"), "The network", "the generic prior", "at 5"),
        how="An initialisation of a small network learned so that a few gradient steps adapt it to "
        "a patient (Finn, Abbeel and Levine 2017), on the same earlier patients; inner steps and "
        "the share of random settings chosen on 64 validation patients of each draw "
        f"({'; '.join(sorted(options))}). It was tuned a little, not to its end.",
        numbers=Numbers(
            headings=("what was learned", *(HEADINGS[name] for name in SHOWN)),
            rows=tuple(
                (name, *(str(column(each, figure)) for figure in SHOWN))
                for name, each in shown.items()
            ),
        ),
        drawings=(
            figures.bars(
                "gradient",
                "Two ways of learning from the same patients",
                {
                    name: {figure: column(each, figure) for figure in SHOWN}
                    for name, each in shown.items()
                },
            ),
        ),
    )


def first_section(found: Found, sizes: Sizes, seed: int) -> Section | None:
    """First settings to try."""
    by_draw = draws_of(found, "first", sizes)
    if not by_draw:
        return None
    names = list(next(iter(by_draw.values())))
    rows = {name: {k: each[name] for k, each in by_draw.items()} for name in names}
    sentences = [
        worth(
            paired(rows[f"{prior} prior, learned"], rows[f"{prior} prior, {other}"], "trial 40"),
            f"Under the {prior} prior, first settings that were learned",
            than,
        )
        for prior in ("learned", "generic")
        for other, than in (("by hand", "those set by hand"), ("none", "none"))
    ]
    return Section(
        id="first",
        title="The first settings to try",
        verdict=" ".join(sentences),
        how="Three settings that every patient tries first: chosen so that the best of them suits "
        "most earlier patients, or the middle of the first three sites, or none. 200 earlier "
        "patients unless the size says otherwise.",
        numbers=Numbers(
            headings=("prior, first settings", *(HEADINGS[name] for name in SHOWN)),
            rows=tuple(
                (name, *(str(column(each, figure)) for figure in SHOWN))
                for name, each in rows.items()
            ),
        ),
        drawings=(
            figures.bars(
                "first",
                "First settings: learned, by hand, none",
                {
                    name: {figure: column(each, figure) for figure in ("rec 5", "trial 40")}
                    for name, each in rows.items()
                },
            ),
        ),
    )


def clinical_section(found: Found, sizes: Sizes, seed: int) -> Section | None:
    """The learning curve of the clinical family."""
    rows = {
        n: each for n in sizes.clinical_curve if (each := draws_of(found, f"clinical-{n}", sizes))
    }
    if not rows:
        return None
    unit = f"in trial over {sizes.n_epochs} epochs"
    sentences = [
        worth(
            column(each, "learned - generic"),
            f"In the clinical family, a prior from {n} earlier patients",
            "the generic one",
            unit,
        )
        for n, each in rows.items()
    ]
    arms = ("learned", "generic", "learned - generic")
    return Section(
        id="clinical",
        title="The same on the clinical family",
        verdict=" ".join(sentences),
        how=f"Patients of the design demo, through the loop and the gate; {sizes.n_clinical} other "
        f"patients in each draw, {sizes.n_epochs} epochs.",
        numbers=Numbers(
            headings=("earlier patients", *arms),
            rows=tuple(
                (str(n), *(str(column(each, arm)) for arm in arms)) for n, each in rows.items()
            ),
        ),
        drawings=(
            figures.bars(
                "clinical",
                "Share of the gap in trial, clinical family",
                {
                    f"{n} earlier": {arm: column(each, arm) for arm in arms[:2]}
                    for n, each in rows.items()
                },
            ),
        ),
    )
