"""Effects by subgroup, as a forest plot: which people a protocol helps more, and which less.

Groups by the diary could be formed in a real trial; groups by the truth only in a simulation.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurostim.estimates import FEWEST_PER_ARM, Estimate
from neurostim.important_differences import paired_change
from neurostim.rank_tests import shift
from neurostim.report.drawing import WIDE, Drawing, look
from neurostim.report.evidence import Evidence
from neurostim.report.svg import GRID, INK, MUTED, inline_svg
from neurostim.report.words import count, interval, number, short

RISE = 1.25
"""A baseline rises or falls when its second half differs from its first by this factor."""
RESPONSES = (30.0, 60.0)
"""Where the groups of the largest true reduction part, in percent."""
LOW_FREQUENCY_HZ = 50
MOST_SITES = 4
MOST_ARMS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """Some of the patients, by `factor`; `is_truth` says that only a simulation knows who."""

    factor: str
    level: str
    is_truth: bool
    patients: frozenset[int]


def subgroups(evidence: Evidence) -> list[Subgroup]:
    """Return every subgroup that holds a patient; factors with one level only are left out."""
    found = []
    for factor, is_truth, levels in FACTORS:
        by_patient = levels(evidence).dropna()
        names = sorted(by_patient.unique(), key=lambda name: order_of(name))
        if len(names) < 2:
            continue
        for name in names:
            who = frozenset(int(patient) for patient in by_patient.index[by_patient == name])
            level = name.split("|")[-1]
            found.append(Subgroup(factor=factor, level=level, is_truth=is_truth, patients=who))
    return found


def order_of(name: str) -> tuple[int, str]:
    """Return where a level stands among its factor's: levels are written "order|name"."""
    order, _, rest = name.partition("|")
    return int(order), rest


def by_rate(evidence: Evidence) -> pd.Series:
    """Return whether a patient's baseline rate is above the median."""
    rate = evidence.outcomes.drop_duplicates("patient").set_index("patient")["baseline_rate_28"]
    middle = rate.median()
    text = number(float(middle), "", 1)
    level = np.where(rate < middle, f"0|below {text} per 28 days", f"1|{text} or more")
    return pd.Series(level, rate.index, dtype=object).where(rate.notna())


def by_drift(evidence: Evidence) -> pd.Series:
    """Return whether a patient's diary rose or fell from the first half of baseline to the second.

    Half a seizure is added to each half, so that an empty one is no infinite change.
    """
    rows = evidence.epochs[evidence.epochs["phase"] == "baseline"]
    rows = rows[rows["arm"] == rows.groupby("patient")["arm"].transform("first")]
    is_late = rows["start_day"] >= int(evidence.schedule["baseline_days"]) / 2
    halves = [
        rows[half].groupby("patient")[["n_seizures", "days_recorded"]].sum().astype(float)
        for half in (~is_late, is_late)
    ]
    first, second = (
        (half["n_seizures"] + 0.5) / half["days_recorded"].where(half["days_recorded"] > 0)
        for half in halves
    )
    ratio = (second / first).dropna()
    level = np.select(
        [ratio <= 1 / RISE, ratio >= RISE], ["0|falling", "2|rising"], default="1|steady"
    )
    return pd.Series(level, ratio.index, dtype=object)


def by_response(evidence: Evidence) -> pd.Series:
    """Return how much the best deliverable setting would truly spare a patient."""
    truth = evidence.outcomes.drop_duplicates("patient").set_index("patient")
    off, best = truth["true_rate_off_per_day"], truth["true_rate_best_per_day"]
    spared = (100 * (off - best) / off.where(off > 0)).round(9)
    low, high = RESPONSES
    names = [f"0|below {low:g} %", f"1|{low:g} % to below {high:g} %", f"2|{high:g} % or more"]
    level = np.select([spared < low, spared < high], names[:2], default=names[2])
    return pd.Series(level, spared.index, dtype=object).where(spared.notna())


def by_kind(evidence: Evidence) -> pd.Series:
    """Return the family of each patient's response to stimulation, where it was recorded."""
    if "true_kind" not in evidence.patients:
        return pd.Series(dtype=object)
    kind = evidence.patients.set_index("patient")["true_kind"].astype(str)
    return ("0|" + kind).astype(object)


def by_site(evidence: Evidence) -> pd.Series:
    """Return the site of each patient's best setting, the rarer ones together."""
    best = best_of(evidence, "site")
    common = best.value_counts().index[:MOST_SITES]
    named = [f"{site}|site {site}" if site in common else "999|another site" for site in best]
    return pd.Series(named, best.index, dtype=object)


def best_of(evidence: Evidence, field: str) -> pd.Series:
    """Return a field of each patient's best setting, of those for whom it is not off."""
    patients = evidence.patients
    on = patients[patients["best_amplitude_ua"] > 0]
    return pd.Series(on[f"best_{field}"].to_numpy(), on["patient"])


def by_frequency(evidence: Evidence) -> pd.Series:
    """Return whether a patient's best setting has a low or a high frequency."""
    best = best_of(evidence, "frequency_hz")
    names = (f"0|below {LOW_FREQUENCY_HZ} Hz", f"1|{LOW_FREQUENCY_HZ} Hz or more")
    level = np.where(best < LOW_FREQUENCY_HZ, *names)
    return pd.Series(level, best.index, dtype=object)


FACTORS: tuple[tuple[str, bool, Callable[[Evidence], pd.Series]], ...] = (
    ("Baseline rate", False, by_rate),
    ("Drift within baseline", False, by_drift),
    ("Largest possible reduction", True, by_response),
    ("Response family", True, by_kind),
    ("Best site", True, by_site),
    ("Best frequency", True, by_frequency),
)


def effects(evidence: Evidence, arm: str) -> Iterator[tuple[Subgroup | None, Estimate]]:
    """Yield the effect of an arm in all patients (None), then in every subgroup.

    Paired where the arms treated the same patients: the median difference in percent change;
    unpaired otherwise: the Hodges-Lehmann shift.
    """
    treated, reference = evidence.of(arm), evidence.of(evidence.reference)
    measure = paired_change if evidence.is_paired else shift
    yield None, measure(treated, reference)
    for group in subgroups(evidence):
        one, other = (
            rows[rows["patient"].isin(list(group.patients))] for rows in (treated, reference)
        )
        yield group, measure(one, other)


def forest(evidence: Evidence) -> Drawing | None:
    """Draw the effect of each arm in each subgroup; None where nothing is compared."""
    shown = evidence.others[:MOST_ARMS]
    if not evidence.is_compared:
        return None
    found = {arm: list(effects(evidence, arm)) for arm in shown}
    labels, places = layout([group for group, _ in found[shown[0]]])
    n_rows = 1 + max(places)
    figure = Figure((WIDE, 1.0 + 0.2 * n_rows), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, arm in zip(panels, shown, strict=True):
        draw_effects(axes, evidence, arm, found[arm], places)
    panels[0].set_yticks([y for y, _, _ in labels], [text for _, text, _ in labels])
    for tick, (_, _, is_head) in zip(panels[0].get_yticklabels(), labels, strict=True):
        tick.set_color(INK if is_head else MUTED)
        tick.set_fontweight("bold" if is_head else "normal")
    panels[0].set_ylim(n_rows - 0.4, -0.7)
    how = "paired" if evidence.is_paired else "unpaired"
    figure.supxlabel(
        f"difference in percent change against {short(evidence.reference)}, {how}, points "
        "(left of 0: fewer seizures)",
        fontsize=8.5,
        color=MUTED,
    )
    spoken = "; ".join(spoken_effects(arm, found[arm]) for arm in shown)
    rest = len(evidence.others) - len(shown)
    return Drawing(
        name="forest",
        title="Effect by subgroup",
        svg=inline_svg(figure, "forest", f"Difference in percent change by subgroup. {spoken}."),
        caption="Median difference in percent change within the same patients"
        + (", 95 % bootstrap interval" if evidence.is_paired else " (Hodges-Lehmann, unpaired)")
        + "; n is the number of patients. Groups marked (truth) are known to a simulation only; "
        f"the others come from the diary at baseline. Drift: a change by a factor of {RISE:g} or "
        "more between the halves of baseline. Groups of fewer than five have no interval. Nothing "
        "here is adjusted for the number of groups: it shows where to look, and proves nothing."
        + (f" Further arms, not drawn: {count(rest)}." if rest > 0 else ""),
    )


def layout(groups: list[Subgroup | None]) -> tuple[list[tuple[float, str, bool]], list[int]]:
    """Return the labels of the rows, with where they stand, and the row of each group."""
    labels: list[tuple[float, str, bool]] = []
    places, row, factor = [], 0, ""
    for group in groups:
        if group is None:
            labels.append((row, "All patients", True))
        else:
            if group.factor != factor:
                factor = group.factor
                truth = " (truth)" if group.is_truth else ""
                labels.append((row, f"{factor}{truth}", True))
                row += 1
            labels.append((row, f"{group.level}, n {count(len(group.patients))}", False))
        places.append(row)
        row += 1
    return labels, places


def draw_effects(
    axes: Axes,
    evidence: Evidence,
    arm: str,
    found: list[tuple[Subgroup | None, Estimate]],
    places: list[int],
) -> None:
    """Draw one arm: a point with its interval per subgroup."""
    style = look(evidence, arm)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    if np.isfinite(found[0][1].estimate):
        axes.axvline(found[0][1].estimate, color=GRID, linewidth=1.2, linestyle=(0, (3, 2)))
    for (group, estimate), y in zip(found, places, strict=True):
        if not np.isfinite(estimate.estimate):
            continue
        if np.isfinite(estimate.low):
            axes.plot([estimate.low, estimate.high], [y, y], color=style["color"], linewidth=1.4)
        is_few = estimate.n < FEWEST_PER_ARM
        axes.plot(
            [estimate.estimate],
            [y],
            marker=style["marker"],
            markersize=6 if group is None else 4.5,
            color=style["color"],
            markerfacecolor="none" if is_few else style["color"],
        )
    axes.set_title(short(arm))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def spoken_effects(arm: str, found: list[tuple[Subgroup | None, Estimate]]) -> str:
    """Return an arm's effects in words."""
    parts = []
    for group, estimate in found:
        if np.isfinite(estimate.estimate):
            name = "all" if group is None else f"{group.factor.lower()} {group.level}"
            text = f"{name} {number(estimate.estimate, '%', 0)}"
            if np.isfinite(estimate.low):
                text += f" ({interval(estimate.low, estimate.high, '%', 0)})"
            parts.append(text)
    return f"{arm}: {', '.join(parts) or 'nobody to compare'}"
