"""Figures of the community: rates, the L-relationship, cycles and clusters."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from neurostim.report.drawing import PANEL, Drawing
from neurostim.report.svg import ARM_COLOURS, GRID, INK, MUTED, inline_svg
from neurostim.report.words import number
from neurostim.validation import trials
from neurostim.validation.measures import FREQUENT, log_mean_and_sd, slope
from neurostim.validation.samples import Samples

OURS, PUBLISHED, OTHER = ARM_COLOURS[1], ARM_COLOURS[2], ARM_COLOURS[0]
N_POINTS = 700
"""Patients drawn as points: more would only make the page heavy."""


def panel() -> tuple[Figure, Axes]:
    """Return a figure of the page's size with its axes."""
    figure = Figure(PANEL, layout="constrained")
    return figure, figure.subplots()


def legend(figure: Figure, axes: Axes) -> None:
    """Put the legend under the panel."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower left", ncols=2, columnspacing=1.4, handlelength=2.6
    )


def logarithmic(axes: Axes, ticks: list[float]) -> None:
    """Give an axis of log values plain numbers at some ticks."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def rates(samples: Samples) -> Drawing:
    """Draw how often seizures are written."""
    values = samples.community.monthly_rates()
    n_none = int((values == 0).sum())
    median = float(np.median(values))
    share = 100 * (values > FREQUENT).mean()
    values = values[values > 0]
    figure, axes = panel()
    axes.axvspan(FREQUENT, 600, color=GRID, alpha=0.45, linewidth=0)
    weights = np.full(len(values), 100 / len(values))
    axes.hist(values, bins=np.geomspace(0.05, 600, 36).tolist(), weights=weights, color=OURS)
    axes.axvline(median, color=INK, linewidth=1.2, label=f"our median, {median:.1f}")
    axes.axvline(2.7, color=PUBLISHED, linestyle=(0, (4, 2)), label="published median, 2.7")
    logarithmic(axes, [0.1, 0.3, 1, 3, 10, 30, 100, 300])
    axes.set_xlim(0.05, 600)
    axes.set_xlabel("written seizures per 30 recorded days")
    axes.set_ylabel("% of patients")
    legend(figure, axes)
    return Drawing(
        name="rates",
        title="Rates (D1)",
        svg=inline_svg(
            figure,
            "rates",
            f"Histogram of rates on a log scale: median {median:.1f} per 30 days, published 2.7; "
            f"{share:.0f} % lie above 4.",
        ),
        caption=f"{len(values):,} patients of the community over a year, {n_none} more without any "
        "written seizure not drawn. Shaded: rates above 4, on which several figures rest.",
    )


def l_relationship(samples: Samples) -> Drawing:
    """Draw log SD on log mean with the fitted line, the published range and Poisson."""
    x, y = log_mean_and_sd(samples.community)
    fitted = slope(x, y)
    r2 = float(np.corrcoef(x, y)[0, 1] ** 2)
    figure, axes = panel()
    axes.plot(x[:N_POINTS], y[:N_POINTS], ".", color=OTHER, markersize=2.5, alpha=0.6)
    ends = np.array([x.min(), x.max()])
    centred = ends - x.mean()
    low, high = y.mean() + 0.70 * centred, y.mean() + 0.75 * centred
    axes.fill_between(
        ends, low, high, color=PUBLISHED, alpha=0.45, linewidth=0, label="published, 0.70 to 0.75"
    )
    axes.plot(ends, y.mean() + fitted * centred, color=OURS, label=f"fitted, {fitted:.2f}")
    axes.plot(ends, ends / 2, color=INK, linestyle=(0, (1, 2)), label="Poisson, 0.5")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([-1, 0, 1, 2]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{10.0**value:g}"))
    axes.set_xlabel("mean of 30-day counts")
    axes.set_ylabel("SD of 30-day counts")
    legend(figure, axes)
    return Drawing(
        name="line",
        title="The L-relationship (D2)",
        svg=inline_svg(
            figure,
            "line",
            f"SD against mean of 30-day counts, both logarithmic: one line of slope {fitted:.2f} "
            f"with R² {r2:.2f}, steeper than Poisson's 0.5; published 0.70 to 0.75.",
        ),
        caption=f"Slopes on log axes. Points: {min(N_POINTS, len(x)):,} of {len(x):,} patients. "
        f"The published slopes are drawn through our centre. R² {number(r2)}.",
    )


def strengths(samples: Samples) -> Drawing:
    """Draw the strengths of circadian cycles."""
    cycles = samples.circadian
    share = 100 * cycles.is_significant.mean()
    figure, axes = panel()
    parts = [cycles.strength[cycles.is_significant], cycles.strength[~cycles.is_significant]]
    axes.hist(
        parts,
        bins=np.linspace(0, 0.8, 33).tolist(),
        weights=[np.full(len(part), 100 / len(cycles.strength)) for part in parts],
        stacked=True,
        color=[OURS, OTHER],
        label=["significant at 5 %", "not significant"],
    )
    axes.set_xlim(0, 0.8)
    axes.set_xlabel("strength: resultant of the times of day")
    axes.set_ylabel("% of patients")
    legend(figure, axes)
    middle = float(np.median(cycles.strength))
    return Drawing(
        name="strengths",
        title="Circadian strengths (D5)",
        svg=inline_svg(
            figure,
            "strengths",
            f"Histogram of circadian strengths, median {middle:.2f}; {share:.0f} % of patients "
            "have a significant cycle, published 80 to 92 %.",
        ),
        caption=f"{len(cycles.strength)} patients with at least 100 written seizures. 0: seizures "
        "at any time of day; 1: always at the same. Tested against permuted intervals.",
    )


def periods(samples: Samples) -> Drawing:
    """Draw the periods of significant multidien cycles."""
    cycles = samples.multidien
    values = cycles.period_days[cycles.is_significant]
    inside = 100 * ((values >= 15) & (values <= 35)).mean() if len(values) else float("nan")
    figure, axes = panel()
    axes.axvspan(15, 35, color=GRID, alpha=0.45, linewidth=0)
    # Three of the 60 periods to a bar, its edges midway between periods.
    edges = 4 * (45 / 4) ** (np.arange(-0.5, 60, 3) / 59)
    weights = np.full(len(values), 100 / max(len(values), 1))
    axes.hist(values, bins=edges.tolist(), weights=weights, color=OURS, label="ours")
    for mode in (7, 15, 20, 30):
        label = "published modes" if mode == 7 else None
        axes.axvline(mode, color=PUBLISHED, linestyle=(0, (4, 2)), linewidth=1.2, label=label)
    logarithmic(axes, [4, 7, 10, 15, 20, 30, 45])
    axes.set_xlabel("period, days")
    axes.set_ylabel("% of significant cycles")
    legend(figure, axes)
    return Drawing(
        name="periods",
        title="Multidien periods (D6)",
        svg=inline_svg(
            figure,
            "periods",
            f"Histogram of {len(values)} significant periods; {inside:.0f} % lie within 15 to 35 "
            "days. Published modes at about 7, 15, 20 and 30 days.",
        ),
        caption=f"{len(values)} significant cycles in {len(cycles.strength)} patients with at "
        "least 100 written seizures. Shaded: 15 to 35 days.",
    )


def cluster_sizes(samples: Samples) -> Drawing:
    """Draw how many seizures a cluster day holds, in the weighted cohort."""
    found = samples.clusters
    by_size = found.weights(np.ones(len(found.rate))) @ found.days_of_size
    most = 10
    share = 100 * np.append(by_size[2:most], by_size[most:].sum()) / by_size.sum()
    labels = [*map(str, range(2, 2 + len(share) - 1)), f"{1 + len(share)}+"]
    figure, axes = panel()
    axes.axvspan(-0.5, 2.5, color=PUBLISHED, alpha=0.12, linewidth=0, label="published IQR, 2 to 4")
    axes.axvline(1, color=PUBLISHED, linestyle=(0, (4, 2)), label="published median, 3")
    axes.bar(labels, share, width=0.75, color=OURS, label="ours")
    axes.set_xlim(-0.5, len(share) - 0.5)
    axes.set_xlabel("seizures on a day with two within 6 hours")
    axes.set_ylabel("% of cluster days")
    legend(figure, axes)
    return Drawing(
        name="clusters",
        title="Cluster days (D7)",
        svg=inline_svg(
            figure,
            "clusters",
            f"Bars of cluster days by size: {share[0]:.0f} % hold 2 seizures, {share[1]:.0f} % "
            "hold 3. Published median 3, quartiles 2 and 4.",
        ),
        caption="Cluster days of the community, weighted to a median of 1 seizure per 30 days.",
    )


def drug_changes(samples: Samples) -> Drawing:
    """Draw the change of every patient in the placebo arm and on the drug, sorted."""
    figure, axes = panel()
    on_drug = trials.drugged(samples.placebo, samples.rng_of("drug"))
    published = {"placebo": (21.1, -16.7), "drug": (43.2, -40.9)}
    looks = {"placebo": (OTHER, (0, (4, 2))), "drug": (OURS, "-")}
    for arm, diaries in (("placebo", samples.placebo), ("drug", on_drug)):
        changes = np.sort(trials.drug_trial_changes(diaries))
        shares = 100 * np.arange(1, len(changes) + 1) / len(changes)
        colour, dashes = looks[arm]
        axes.step(changes, shares, where="post", color=colour, linestyle=dashes, label=arm)
        responders, reduction = published[arm]
        label = "published" if arm == "placebo" else None
        axes.plot(
            [-50, reduction], [responders, 50], "D", color=PUBLISHED, markersize=5, label=label
        )
    for draw, at in ((axes.axvline, -50), (axes.axhline, 50)):
        draw(at, color=MUTED, linewidth=0.7)
    axes.set_xlim(-100, 150)
    axes.set_ylim(0, 100)
    axes.set_xlabel("change from baseline, %")
    axes.set_ylabel("% of patients with at most this change")
    legend(figure, axes)
    return Drawing(
        name="drug",
        title="A drug trial (D8 and D9)",
        svg=inline_svg(
            figure,
            "drug",
            "Cumulative share of patients by change from baseline, in the placebo arm and with "
            "30 % of seizures prevented; published responders and medians lie near the curves.",
        ),
        caption="Published: responders at −50 %, and the median reduction at half of the patients.",
    )
