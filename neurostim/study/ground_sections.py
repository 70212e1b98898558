"""Who is hard to programme, what choosing contacts is worth, and what tuning found."""

from neurostim.study import figures
from neurostim.study.estimates import Interval
from neurostim.study.hardness import kinds, predictions, spread
from neurostim.study.parts import Sizes
from neurostim.study.section import (
    HEADINGS,
    Found,
    Numbers,
    Section,
    column,
    draws_of,
    interval_words,
    paired,
    worth,
)
from neurostim.study.steering import FIXED


def landscape_section(found: Found, sizes: Sizes, seed: int) -> Section | None:
    """The landscapes of families and what they predict."""
    families = ("reference", "clinical", "mechanistic")
    rows = {f: found[f"landscape-{f}"] for f in families if f"landscape-{f}" in found}
    if not rows:
        return None
    predicted = {family: predictions(each, seed) for family, each in rows.items()}
    tells = [
        f"{name.replace('_', ' ')} and {_outcome(outcome)} in the {family} family "
        f"({correlation.value:+.2f}, {interval_words(correlation)})"
        for family, by_name in predicted.items()
        for name, by_outcome in by_name.items()
        for outcome, correlation in by_outcome.items()
        if correlation.excludes_zero
    ]
    n_looked = sum(len(each) for by_name in predicted.values() for each in by_name.values())
    verdict = (
        f"Of {n_looked} rank correlations that were looked at, {len(tells)} have a 95 % interval "
        f"without zero, where chance alone gives about {0.05 * n_looked:.0f}: {'; '.join(tells)}."
        if tells
        else f"None of {n_looked} rank correlations has a 95 % interval without zero: the "
        "landscape at the optimum does not help to tell who is hard to programme."
    )
    table = []
    for family, each in rows.items():
        low, middle, high = spread(each)
        counted = ", ".join(f"{kind} {n}" for kind, n in sorted(kinds(each).items()))
        told = [
            f"{predicted[family][name][outcome]}"
            for name in ("good_share", "condition_number")
            for outcome in ("wait", "share")
        ]
        table.append((family, counted, f"{middle:.1f} ({low:.1f} to {high:.1f})", *told))
    return Section(
        id="landscape",
        title="Who is hard to programme",
        verdict=verdict,
        how="Curvature of the true log rate at each patient's best setting (condition number: "
        "quartiles over those where it is finite); rank correlations with the time until a setting "
        "within 10 % of the best was tried and with the share of the gap closed at the end, under "
        "the generic prior, with bootstrap intervals over patients. Not corrected for their "
        "number.",
        numbers=Numbers(
            headings=(
                "family",
                "kinds",
                "condition number",
                "good share: wait",
                "good share: closed",
                "condition: wait",
                "condition: closed",
            ),
            rows=tuple(table),
        ),
        drawings=(figures.landscapes(rows), figures.correlations(predicted)),
    )


def structure_section(found: Found, sizes: Sizes, seed: int) -> Section | None:
    """Choosing contacts."""
    by_draw = draws_of(found, "structure", sizes)
    if not by_draw:
        return None
    names = [name for name in next(iter(by_draw.values())) if name != FIXED]
    rows = {name: {k: each[name] for k, each in by_draw.items()} for name in (FIXED, *names)}
    sentences = [
        worth(
            column(rows[name], "rec 40 - fixed"), name.capitalize(), "fixed montages", "at epoch 40"
        )
        for name in names
    ]
    together = [name for name in names if name.startswith("structure")]
    if "single contacts" in rows:
        sentences += [
            worth(
                paired(rows[name], rows["single contacts"], "rec 40"),
                f"Sharing the current ({name})",
                "one contact at a time",
                "at epoch 40",
            )
            for name in together[:2]
        ]
    shown = ("rec 10", "rec 40", "trial 40", "ceiling", "rec 40 - fixed", "trial 40 - fixed")
    return Section(
        id="structure",
        title="Structure: which contacts, and how many",
        verdict=" ".join(sentences),
        how=f"An 8-contact lead; montages of up to {sizes.most_contacts} contacts in parts of "
        f"1/{sizes.n_parts}, of which the safety layer keeps the legal ones; {sizes.n_steered} "
        "patients in each draw whose target lies beside the lead (an illustrative law). The gap is "
        "to the best of all settings; the ceiling is what the best setting of an arm's own list "
        "would close.",
        numbers=Numbers(
            headings=("arm", "settings", *(HEADINGS.get(name, name) for name in shown)),
            rows=tuple(
                (
                    name,
                    f"{column(each, 'n settings').value:.0f}",
                    *(str(column(each, figure)) for figure in shown),
                )
                for name, each in rows.items()
            ),
        ),
        drawings=(
            figures.bars(
                "structure",
                "Searching over montages",
                {
                    name: {figure: column(each, figure) for figure in ("rec 40", "ceiling")}
                    for name, each in rows.items()
                },
            ),
        ),
    )


def _outcome(name: str) -> str:
    return "the wait for a good setting" if name == "wait" else "the share of the gap closed"


def tuning_section(found: Found, sizes: Sizes, seed: int) -> Section | None:
    """Tuned against default, where it was measured."""
    if "tuning" not in found:
        return None
    rows = {
        f"{each['family']}, {each['n_patients']} patients": Interval(
            value=each["value"], low=each["low"], high=each["high"], n=each["n_patients"]
        )
        for each in found["tuning"]["confirmations"]
    }
    changes = ", ".join(f"{name} = {value}" for name, value in found["tuning"]["changes"].items())
    return Section(
        id="tuning",
        title="Tuning a protocol's knobs",
        verdict=" ".join(
            worth(interval, f"Tuned ({name}), the arm", "its default", "in trial")
            for name, interval in rows.items()
        ),
        how=f"The arm gp of the design demo, tuned with a budget of {sizes.tuning_budget} whole "
        "trials and confirmed on patients that nothing was tuned on; intervals over patients. "
        f"Changed: {changes or 'nothing, the default was best'}. `neurostim tune` has the Pareto "
        "front and the effect of every knob.",
        numbers=Numbers(
            headings=("family", "tuned less default"),
            rows=tuple((name, str(interval)) for name, interval in rows.items()),
        ),
        drawings=(
            figures.bars(
                "tuning",
                "Share of the gap in trial, tuned less default",
                {name: {"difference": interval} for name, interval in rows.items()},
            ),
        ),
    )
