"""Figures of the search: how soon chance alone would have found a good setting, and for whom."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from scipy import stats

from neurostim.estimates import Z_975
from neurostim.outcomes import as_floats
from neurostim.report.drawing import PANEL, Drawing, legend_below, look
from neurostim.report.evidence import Evidence
from neurostim.report.svg import GRID, INK, inline_svg
from neurostim.report.words import listed, number, short
from neurostim.search_chances import Chances, chances

MOST_EPOCHS = 60
CLEAR_ERRORS = 2.0
"""An arm is called ahead of chance, or behind it, from so many standard errors on."""

FEWEST_FOR_RANKS = 10
N_GROUPS = 5
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def search(evidence: Evidence) -> Drawing | None:
    """Draw how many patients have tried a good setting by each epoch, in each arm and by chance."""
    found = found_chances(evidence)
    if not found:
        return None
    figure = Figure(PANEL, layout="constrained")
    axes = figure.subplots()
    by_chance = np.mean([each.by_chance for each in found.values()], axis=0)
    epochs = np.arange(1, len(by_chance) + 1)
    axes.plot(epochs, 100 * by_chance, color=INK, linewidth=3, alpha=0.35, label="chance, 1−(1−a)ⁿ")
    for arm, each in found.items():
        every = max(1, len(epochs) // 6)
        axes.plot(
            epochs, 100 * each.tried, label=short(arm), markevery=every, **look(evidence, arm)
        )
    axes.set(xlabel="epochs of treatment", ylabel="tried a good setting (%)", ylim=(0, 102))
    axes.grid(axis="y", color=GRID)
    legend_below(figure, axes, evidence)
    spoken = "; ".join(f"{arm} {100 * each.tried[-1]:.0f} %" for arm, each in found.items())
    n_patients = max(each.n_patients for each in found.values())
    return Drawing(
        name="search",
        title="How soon a good setting was tried, and how soon by chance",
        svg=inline_svg(
            figure,
            "search",
            f"Share of patients who had tried a good setting by epoch {len(epochs)}: {spoken}; by "
            f"chance {100 * by_chance[-1]:.0f} %.",
        ),
        caption=f"Share of the {n_patients} patients with a setting to find who have been on one "
        "whose true rate is within 10 % of the best. The thick line is what drawing n settings "
        "from the list at random gives them, 1 − (1 − a)ⁿ, a being the share of good ones. "
        f"{verdict(found)} Having tried one is not knowing it: see the gap closed by the final "
        "setting.",
    )


def found_chances(evidence: Evidence) -> dict[str, Chances]:
    """The chances of each arm in the order of the design, empty where nothing is known of them."""
    if "true_good_share" not in evidence.patients:
        return {}
    treatment = evidence.treatment
    n_epochs = int(treatment.groupby(["arm", "patient"]).size().max() if len(treatment) else 0)
    found = chances(treatment, evidence.patients, min(max(n_epochs, 1), MOST_EPOCHS))
    return {arm: found[arm] for arm in evidence.arms if arm in found}


def verdict(found: dict[str, Chances]) -> str:
    """Who was ahead of chance by the middle of the search, and who behind it, in a sentence."""
    ahead, behind = [], []
    for arm, each in found.items():
        middle = (len(each.tried) - 1) // 2
        error = max(float(each.error[middle]), 0.5 / each.n_patients)
        if each.lead[middle] > CLEAR_ERRORS * error:
            ahead.append(arm)
        elif each.lead[middle] < -CLEAR_ERRORS * error:
            behind.append(arm)
    words = [
        f"{listed(arms)} {'were' if len(arms) > 1 else 'was'} {what} halfway"
        for arms, what in ((ahead, "ahead of chance"), (behind, "behind it"))
        if arms
    ]
    if not words:
        return "No arm was clearly ahead of chance or behind it halfway."
    return f"{'; '.join(words)}."


def landscape(evidence: Evidence) -> Drawing | None:
    """Draw how many patients are easy or hard to programme, and what that led to in each arm."""
    patients = evidence.patients
    if "true_good_share" not in patients:
        return None
    hopeful = patients[patients["true_good_share"] > 0].set_index("patient")
    if len(hopeful) < FEWEST_FOR_RANKS:
        return None
    figure = Figure(PANEL, layout="constrained")
    axes = figure.subplots()
    share = 100 * hopeful["true_good_share"]
    group = pd.qcut(share, N_GROUPS, labels=False, duplicates="drop")
    gaps = gaps_closed(evidence)
    for arm in evidence.arms:
        values = gaps.get(arm, pd.Series(dtype=float)).reindex(hopeful.index)
        points = [
            (share[inside].median(), 100 * values[inside].median())
            for number_of in sorted(group.unique())
            if (inside := (group == number_of) & values.notna()).any()
        ]
        if points:
            x, y = np.array(points).T
            axes.plot(x, y, label=short(arm), **look(evidence, arm))
    axes.axhline(0, color=GRID, linewidth=0.8)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in TICKS if low <= tick <= high])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("settings that are good for the patient (%)")
    axes.set_ylabel("gap closed, final setting (%)")
    legend_below(figure, axes, evidence)
    kinds = hopeful["true_kind"].value_counts()
    ranks = "; ".join(correlations(evidence, share, gaps))
    return Drawing(
        name="landscape",
        title="Who is hard to programme",
        svg=inline_svg(
            figure,
            "landscape",
            "Median share of the gap closed by the final setting over how many settings are good "
            f"for a patient. Rank correlations: {ranks or 'not estimated'}.",
        ),
        caption="Median share of the gap that the final setting closed, in fifths of the patients "
        "by how many settings of the list are good for them (truth). Around the best setting the "
        f"response is {listed([f'a {kind} in {n}' for kind, n in kinds.items()])} of "
        f"{len(hopeful)} patients, and the best lies at an end of the list in "
        f"{int(hopeful['true_is_at_edge'].sum())}. Rank correlation of the two: "
        f"{ranks or 'not estimated'}.",
    )


def gaps_closed(evidence: Evidence) -> dict[str, pd.Series]:
    """Each patient's share of the gap closed by the final setting, by arm."""
    found = {}
    for arm, rows in evidence.outcomes.groupby("arm", sort=False):
        by_patient = rows.set_index("patient")
        gap = by_patient["gap"].where(by_patient["gap"] > 0)
        found[str(arm)] = (by_patient["gap_closed_final"] / gap).astype(float)
    return found


def correlations(evidence: Evidence, share: pd.Series, gaps: dict[str, pd.Series]) -> list[str]:
    """Spearman's correlation of the two for each arm that varies, with its 95 % interval."""
    words = []
    for arm in evidence.arms:
        values = gaps.get(arm, pd.Series(dtype=float)).reindex(share.index)
        known = values.notna()
        x, y = as_floats(share[known]), as_floats(values[known])
        if len(x) < FEWEST_FOR_RANKS or np.ptp(x) == 0 or np.ptp(y) == 0:
            continue
        rho = float(stats.spearmanr(x, y).statistic)
        # Fisher's z with the variance of Bonett and Wright (2000, Psychometrika 65:23).
        error = np.sqrt((1 + rho**2 / 2) / (len(x) - 3))
        z = np.arctanh(np.clip(rho, -0.999, 0.999))
        low, high = np.tanh(z - Z_975 * error), np.tanh(z + Z_975 * error)
        words.append(
            f"{arm} {number(rho, 'ratio')} ({number(float(low), 'ratio')} to "
            f"{number(float(high), 'ratio')})"
        )
    return words
