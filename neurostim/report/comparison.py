"""Several runs side by side: what differs between them, and what that changed.

Runs that lived the same patients are compared within them; others are compared as different people,
and the page says which.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from neurostim.endpoints import endpoints
from neurostim.report.drawing import WIDE, Drawing
from neurostim.report.endpoint_table import endpoint_rows
from neurostim.report.evidence import Evidence
from neurostim.report.page import inlined, template
from neurostim.report.svg import ARM_COLOURS, MUTED, drawing_style, inline_svg
from neurostim.report.table import Table
from neurostim.report.words import NOT_ESTIMATED, count, interval, listed, number, short
from neurostim.requests import USUAL, Requests
from protocols import InputError

FACTS = (
    "fingerprint",
    "seed",
    "n_patients",
    "compute",
    "block_size",
    "is_isolated",
    "envelope_hash",
    "versions",
    "machine",
    "deviations",
)
MARKERS = "os^DvPX"
MAIN = ("percent_change", "rr50", "rate_ratio", "gap_in_trial", "worse_25_truly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished run with the name of its folder."""

    name: str
    evidence: Evidence

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What made it."""
        return self.evidence.manifest


def comparison(runs: Sequence[Run], requests: Requests = USUAL) -> str:
    """Return one page on several runs, each compared with the first.

    Raises `InputError` when they cannot be compared.
    """
    arms = comparable(runs)
    with drawing_style():
        figures = {"runs": inlined(forest(runs, arms))}
    return template("neurostim.report", "comparison.html").render(
        title=f"{listed(run.name for run in runs)}",
        figures=figures,
        names=[run.name for run in runs],
        differences=differences(runs),
        ways=[(run.name, way_words(runs[0], run)) for run in runs[1:]],
        main=main_table(runs, arms),
        tables=[arm_table(runs, arm, requests) for arm in arms],
        arm_names=[run.name for run in runs],
        lost=lost_arms(runs, arms),
        commands=[(run.name, str(run.manifest.get("command", ""))) for run in runs],
    )


def comparable(runs: Sequence[Run]) -> list[str]:
    """Return the arms that all runs have; `InputError` says why runs cannot be compared."""
    if len(runs) < 2:
        raise InputError(f"{len(runs)} run to compare: two or more results folders were expected")
    for run in runs:
        if not run.manifest.get("is_finished", True):
            raise InputError(f"{run.name}: this run is not finished: finished runs were expected")
    windows = {run.name: int(run.evidence.schedule["evaluation_days"]) for run in runs}
    if len(set(windows.values())) > 1:
        found = listed(f"{name} the last {days} days" for name, days in windows.items())
        raise InputError(
            f"the endpoints are of different windows ({found}): runs with the same evaluation_days "
            "were expected"
        )
    first = runs[0].evidence.arms
    shared = [arm for arm in first if all(arm in run.evidence.arms for run in runs)]
    if not shared:
        found = "; ".join(f"{run.name} has {listed(run.evidence.arms)}" for run in runs)
        raise InputError(f"no arm is in every run ({found}): an arm of one name was expected")
    return shared


def differences(runs: Sequence[Run]) -> Table:
    """Return every key of the manifests that is not the same in all runs."""
    flat = [dict(facts_of(run.manifest)) for run in runs]
    keys = list(dict.fromkeys(key for facts in flat for key in facts))
    rows = [
        (key, *(facts.get(key, "not there") for facts in flat))
        for key in keys
        if len({facts.get(key) for facts in flat}) > 1
    ]
    return Table(
        label="Differences between the manifests",
        caption="What differs between the runs: keys of the design, seed, versions, fingerprints.",
        heads=("What", *(run.name for run in runs)),
        rows=rows,
        words=frozenset(range(1, 1 + len(runs))),
    )


def facts_of(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the facts that identify a run, nested ones under dotted keys."""
    for key in FACTS:
        yield from flattened(key, manifest.get(key))
    design = dict(manifest["design"])
    arms = {str(arm["name"]): arm for arm in design.pop("arms")}
    for key, value in {**design, "arms": arms}.items():
        yield from flattened(f"design.{key}", value)


def flattened(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield a value under its key, a table's own under dotted keys."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from flattened(f"{key}.{name}", inner)
    elif isinstance(value, list | tuple):
        yield key, listed(str(each) for each in value) or "none"
    else:
        yield key, "none" if value is None else str(value)


def why_unpaired(first: Run, other: Run) -> list[str]:
    """Return why two runs did not live the same patients; nothing where they did."""
    reasons = []
    if first.manifest["seed"] != other.manifest["seed"]:
        reasons.append("their seeds differ")
    one, two = (run.evidence.design["population"] for run in (first, other))
    keys = [key for key in {**one, **two} if key != "n_patients"]
    changed = [key for key in keys if one.get(key) != two.get(key)]
    if changed:
        reasons.append(f"their populations differ ({listed(changed)})")
    if first.evidence.treatment_start != other.evidence.treatment_start:
        reasons.append("treatment begins on different days")
    if not reasons and not len(shared_patients(first, other)):
        reasons.append("no patient has the same true rate in both")
    return reasons


def shared_patients(first: Run, other: Run) -> pd.Series:
    """Return the patients whose true rate without stimulation is the same in both runs."""
    columns = ["patient", "true_rate_off_per_day"]
    both = first.evidence.patients[columns].merge(
        other.evidence.patients[columns], on="patient", suffixes=("", "_other")
    )
    rates = both["true_rate_off_per_day"], both["true_rate_off_per_day_other"]
    return both.loc[np.isclose(*rates, rtol=1e-9, atol=0), "patient"]


def way_words(first: Run, other: Run) -> str:
    """Return in a sentence how two runs are compared, and why so."""
    reasons = why_unpaired(first, other)
    if reasons:
        return (
            f"unpaired, as different people, since {listed(reasons)}; only the unpaired rows of "
            "the tables compare it"
        )
    n = len(shared_patients(first, other))
    return (
        f"paired: {count(n)} patients were lived in both, with the same luck (same seed and "
        "population); unpaired rows use everybody"
    )


def against_first(first: Run, other: Run, arm: str, requests: Requests) -> pd.DataFrame:
    """Return the endpoints of one arm in two runs, which stand as arms of those names."""
    one, two = (
        run.evidence.of(arm).assign(arm=run.name, patient=lambda rows: rows["patient"].astype(int))
        for run in (first, other)
    )
    if why_unpaired(first, other):
        two = two.assign(patient=-1 - two["patient"])
    else:
        same = set(shared_patients(first, other))
        two = two.assign(patient=[each if each in same else -1 - each for each in two["patient"]])
    table = endpoints(pd.concat([one, two], ignore_index=True), first.name, requests)
    if why_unpaired(first, other):
        table = table[table["analysis"] != "paired"]
    return table


def arm_table(runs: Sequence[Run], arm: str, requests: Requests) -> dict[str, Any]:
    """Return the endpoint table of one arm, one column per run, each against the first."""
    first = runs[0]
    parts = [against_first(first, other, arm, requests) for other in runs[1:]]
    rest = [part[part["arm"] != first.name] for part in parts[1:]]
    table = pd.concat([parts[0], *rest], ignore_index=True)
    place = {name: order for order, name in enumerate(dict.fromkeys(table["endpoint"]))}
    table = table.sort_values("endpoint", key=lambda names: names.map(place), kind="stable")
    evidence = replace(
        first.evidence,
        endpoints=table,
        arms=tuple(run.name for run in runs),
        reference=first.name,
    )
    rows, notes = endpoint_rows(evidence)
    return {"arm": arm, "rows": rows, "notes": notes}


def main_table(runs: Sequence[Run], arms: Sequence[str]) -> Table:
    """Return the main endpoints of every run, each against its own reference arm."""
    rows = []
    for arm in arms:
        for run in runs:
            found = (run.evidence.estimate(name, arm) for name in MAIN)
            rows.append((arm, run.name, *map(shown, found)))
    heads = ("Median change, %", "50 % responders, %", "Rate ratio", "Gap closed, %", "Worse, %")
    return Table(
        label="Main endpoints by run",
        caption="Main endpoints of each run with 95 % intervals; the rate ratio is against the "
        "reference arm of the same run; worse: the true rate at the final setting is 25 % or more "
        "above that without stimulation.",
        heads=("Arm", "Run", *heads),
        rows=rows,
        words=frozenset({1}),
    )


def shown(row: Mapping[str, Any] | None) -> str:
    """Return an estimate with its interval in one cell."""
    if row is None or not np.isfinite(row["estimate"]):
        return NOT_ESTIMATED
    text = number(row["estimate"], str(row["unit"]))
    if np.isfinite(row["low"]):
        text += f" ({interval(row['low'], row['high'], str(row['unit']))})"
    return text


def lost_arms(runs: Sequence[Run], arms: Sequence[str]) -> str:
    """Return which arms are left out, since not every run has them."""
    lost = [
        f"{arm} (only in {listed(run.name for run in runs if arm in run.evidence.arms)})"
        for arm in dict.fromkeys(each for run in runs for each in run.evidence.arms)
        if arm not in arms
    ]
    return f"Left out, since not every run has them: {listed(lost)}." if lost else ""


def forest(runs: Sequence[Run], arms: Sequence[str]) -> Drawing:
    """Draw the median change of every arm in every run."""
    figure = Figure((WIDE, 0.9 + (0.24 * len(runs) + 0.14) * len(arms)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=MUTED, linewidth=0.8)
    ticks, labels, spoken, y = [], [], [], 0.0
    for arm in arms:
        for order, run in enumerate(runs):
            row = run.evidence.estimate("percent_change", arm)
            ticks.append(y)
            labels.append(f"{short(arm)} · {short(run.name)}")
            if row is not None and np.isfinite(row["estimate"]):
                colour = ARM_COLOURS[order % len(ARM_COLOURS)]
                if np.isfinite(row["low"]):
                    axes.plot([row["low"], row["high"]], [y, y], color=colour)
                marker = MARKERS[order % len(MARKERS)]
                axes.plot([row["estimate"]], [y], color=colour, marker=marker, markersize=6)
                spoken.append(f"{arm} in {run.name} {shown(row)} %")
            y += 1
        y += 0.6
    axes.set_yticks(ticks, labels)
    axes.set_ylim(y - 1, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("median change from baseline, % (below 0: fewer seizures)")
    return Drawing(
        name="runs",
        title="Median change from baseline, by arm and run",
        svg=inline_svg(
            figure, "runs", f"Median change from baseline: {'; '.join(spoken) or '0 estimates'}."
        ),
        caption="Median over patients with its 95 % interval; intervals of two runs that overlap "
        "say little where the runs lived the same patients: then the paired rows of the tables do.",
    )
