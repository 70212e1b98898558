"""The figures of what happened over time: seizures, and the settings that were delivered."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from neurostim.report.drawing import PANEL, Drawing, legend_below, look
from neurostim.report.evidence import Evidence
from neurostim.report.svg import GRID, LEVEL_COLOURS, MUTED, PAPER, inline_svg
from neurostim.report.words import listed, number, short

Array = npt.NDArray[np.float64]
MOST_BANDS = 5
THIRD = 3.0


def time_course(evidence: Evidence) -> Drawing:
    """Draw the mean rate of each arm over time with its interval."""
    figure = Figure(PANEL, layout="constrained")
    axes = figure.subplots()
    draw_time_course(axes, evidence)
    legend_below(figure, axes, evidence)
    phrases = []
    for arm in evidence.arms:
        course = rates(evidence, arm)
        if len(course):
            first, last = course.iloc[0], course.iloc[-1]
            phrases.append(f"{arm} from {number(first['rate'])} to {number(last['rate'])}")
    return Drawing(
        name="course",
        title="Time course",
        svg=inline_svg(
            figure,
            "course",
            "Mean seizures per 28 days, from the first period to the last: "
            f"{'; '.join(phrases) or 'no diary'}.",
        ),
        caption=f"Seizures written in the diary per 28 recorded days, in periods of "
        f"{evidence.period_days} days; bands are 95 % intervals over patients. Treatment begins at "
        "the vertical line; the shaded time is the evaluation window.",
    )


def draw_time_course(axes: Axes, evidence: Evidence) -> None:
    """Draw one line with its band per arm."""
    start, end = evidence.treatment_start, last_day(evidence)
    axes.axvspan(evidence.evaluation_start, end, color=GRID, alpha=0.45, linewidth=0)
    axes.axvline(start, color=MUTED, linewidth=0.8)
    top = 0.0
    for arm in evidence.arms:
        course = rates(evidence, arm)
        style = look(evidence, arm)
        axes.fill_between(
            course["day"],
            course["low"],
            course["high"],
            color=style["color"],
            alpha=0.08,
            linewidth=0,
        )
        axes.plot(course["day"], course["rate"], label=short(arm), **style)
        top = max(top, float(course[["high", "rate"]].max().max()) if len(course) else 0.0)
    axes.set_ylim(0, max(1.0, 1.14 * top) if np.isfinite(top) else 1.0)
    for day, words in ((start, "treatment"), (evidence.evaluation_start, "evaluation")):
        axes.annotate(
            words,
            (day, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, -3),
            textcoords="offset points",
            va="top",
            fontsize=7.5,
            color=MUTED,
        )
    axes.set_xlim(0, end)
    axes.set_xlabel("day")
    axes.set_ylabel("seizures per 28 days")
    axes.grid(axis="y")


def last_day(evidence: Evidence) -> int:
    """Return the day on which treatment ends, as planned or as lived."""
    planned = evidence.treatment_start + int(evidence.schedule["treatment_days"])
    return max(planned, int((evidence.epochs["start_day"] + evidence.epochs["days"]).max()))


def rates(evidence: Evidence, arm: str) -> pd.DataFrame:
    """Return an arm's mean diary rate per period: a ratio of sums, with its linearised error."""
    rows = evidence.epochs[(evidence.epochs["arm"] == arm) & (evidence.epochs["days_recorded"] > 0)]
    by_patient = rows.assign(n=rows["n_seizures"].astype(float)).groupby(["period", "patient"])
    sums = by_patient.agg(n=("n", "sum"), days=("days_recorded", "sum"))
    found = []
    for period, group in sums.groupby(level="period"):
        rate = float(group["n"].sum() / group["days"].sum())
        n = len(group)
        error = float("nan")
        if n > 1:
            residual = group["n"] - rate * group["days"]
            error = float(np.sqrt(n / (n - 1) * (residual**2).sum()) / group["days"].sum())
        day = evidence.treatment_start + (int(str(period)) + 0.5) * evidence.period_days
        found.append(
            {
                "day": min(max(day, 0.0), float(last_day(evidence))),
                "rate": 28 * rate,
                "low": max(0.0, 28 * (rate - 1.96 * error)) if n > 1 else float("nan"),
                "high": 28 * (rate + 1.96 * error),
            }
        )
    return pd.DataFrame(found, columns=["day", "rate", "low", "high"], dtype=float)


def occupancy(evidence: Evidence) -> Drawing:
    """Draw what was delivered over time: amplitude, frequency and site, one panel for each."""
    by_frequency = range_words(evidence, "frequency_hz", "Hz")
    by_site = range_words(evidence, "site", "")
    panels = [
        occupancy_panel(
            evidence, "amplitude_ua", "Amplitude", "mA", 1000, occupancy_words(evidence)
        ),
        occupancy_panel(evidence, "frequency_hz", "Frequency", "Hz", 1, by_frequency),
        occupancy_panel(evidence, "site", "Site", "", 1, by_site),
    ]
    return Drawing(
        name="occupancy",
        title="Amplitude, frequency and site by arm",
        svg="\n".join(f"<div>{panel}</div>" for panel in panels),
        caption="Share of patient-days of treatment spent at each amplitude, frequency and site, "
        f"in periods of {evidence.period_days} days, by arm. The key runs from off to the most.",
    )


def occupancy_panel(
    evidence: Evidence, field: str, title: str, unit: str, divisor: int, alternative: str
) -> str:
    """Draw one strip per arm: the share of patient-days at each level of a field of the setting."""
    rows = evidence.treatment
    is_off = rows["delivered_amplitude_ua"].to_numpy(dtype=float) == 0
    values = rows[f"delivered_{field}"].to_numpy(dtype=float)
    groups = bands(values[~is_off])
    labels = ["off", *(band_label(group, divisor, unit) for group in groups)]
    level = np.zeros(len(rows), dtype=int)
    for order, group in enumerate(groups, start=1):
        level[~is_off & np.isin(values, group)] = order
    colours = level_colours(len(labels))
    arms = evidence.arms
    # Fixed margins in inches, so that the strips of the three panels stand level.
    height = 1.62 + 0.66 * len(arms)
    figure = Figure((THIRD, height))
    strips = figure.subplots(
        len(arms),
        1,
        squeeze=False,
        sharex=True,
        gridspec_kw={
            "left": 0.45 / THIRD,
            "right": 0.99,
            "top": 1 - 0.52 / height,
            "bottom": 1.08 / height,
            "hspace": 0.62,
        },
    )[:, 0]
    for axes, arm in zip(strips, arms, strict=True):
        is_arm = (rows["arm"] == arm).to_numpy()
        draw_shares(axes, evidence, rows[is_arm], level[is_arm], colours)
        axes.set_title(short(arm), fontsize=8, pad=3)
    strips[-1].set_xlabel("day")
    heading = f"{title} ({unit})" if unit else title
    figure.text(0, 1 - 0.08 / height, heading, ha="left", va="top", fontsize=9)
    draw_key(figure, labels, colours)
    return inline_svg(figure, f"occupancy-{field}", f"{title}. {alternative}")


def bands(values: Array) -> list[Array]:
    """Return the different values in at most a handful of neighbouring groups."""
    different = np.unique(values)
    if len(different) <= MOST_BANDS:
        return [different[order : order + 1] for order in range(len(different))]
    return [np.asarray(part) for part in np.array_split(different, MOST_BANDS)]


def band_label(group: Array, divisor: int, unit: str) -> str:
    """Return a group of values in words."""
    low, high = (f"{value / divisor:g}" for value in (float(group[0]), float(group[-1])))
    text = low if low == high else f"{low} to {high}"
    return f"{text} {unit}" if unit else f"site {text}"


def level_colours(n: int) -> list[str]:
    """Return `n` shades from off to the most, as far apart as they can be."""
    places = np.linspace(1, len(LEVEL_COLOURS) - 1, max(1, n - 1)).round().astype(int)
    return [LEVEL_COLOURS[0], *(LEVEL_COLOURS[place] for place in places)][:n]


def draw_shares(
    axes: Axes,
    evidence: Evidence,
    rows: pd.DataFrame,
    level: npt.NDArray[np.int_],
    colours: Sequence[str],
) -> None:
    """Stack the share of patient-days at each level, one bar per period."""
    table = rows.assign(level=level).pivot_table(
        index="period", columns="level", values="days", aggfunc="sum", fill_value=0
    )
    table = table.reindex(columns=range(len(colours)), fill_value=0)
    shares = 100 * table.to_numpy(dtype=float) / table.to_numpy(dtype=float).sum(axis=1)[:, None]
    width = evidence.period_days
    left = evidence.treatment_start + table.index.to_numpy(dtype=float) * width
    below = np.zeros(len(left))
    for order, colour in enumerate(colours):
        if shares[:, order].any():
            axes.bar(
                left,
                shares[:, order],
                width,
                bottom=below,
                align="edge",
                color=colour,
                edgecolor=PAPER,
                linewidth=0.5,
            )
        below = below + shares[:, order]
    axes.set_xlim(evidence.treatment_start, last_day(evidence))
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 100])
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=" %"))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=2)


def draw_key(figure: Figure, labels: Sequence[str], colours: Sequence[str]) -> None:
    """Draw the key of one panel under it, in two columns."""
    patches = [
        Patch(facecolor=colour, edgecolor=MUTED, linewidth=0.4, label=label)
        for label, colour in zip(labels, colours, strict=True)
    ]
    figure.legend(
        handles=patches,
        loc="upper left",
        bbox_to_anchor=(0.45 / THIRD, 0.62 / figure.get_figheight()),
        ncols=2,
        fontsize=8,
        borderaxespad=0,
        borderpad=0.1,
        handlelength=1.1,
        handleheight=0.9,
        columnspacing=1.4,
    )


def occupancy_words(evidence: Evidence) -> str:
    """Return in one sentence how much of the time each arm stimulated, and how strongly."""
    phrases = []
    for arm in evidence.arms:
        rows = evidence.treatment[evidence.treatment["arm"] == arm]
        days = rows["days"].to_numpy(dtype=float)
        amplitude = rows["delivered_amplitude_ua"].to_numpy(dtype=float) / 1000
        if not days.sum():
            continue
        share = 100 * days[amplitude > 0].sum() / days.sum()
        phrase = f"{arm} on for {number(share, '%', 0)} % of patient-days"
        if share > 0:
            mean = float(np.average(amplitude[amplitude > 0], weights=days[amplitude > 0]))
            phrase += f" at {number(mean, '', 1)} mA on average"
        phrases.append(phrase)
    return f"Settings delivered over time: {listed(phrases) or 'no treatment'}."


def range_words(evidence: Evidence, field: str, unit: str) -> str:
    """Return in one sentence how many values of a field each arm delivered, and between which."""
    rows = evidence.treatment[evidence.treatment["delivered_amplitude_ua"] > 0]
    phrases = []
    for arm in evidence.arms:
        values = sorted(rows.loc[rows["arm"] == arm, f"delivered_{field}"].unique().tolist())
        ends = " to ".join(f"{value:g}" for value in dict.fromkeys(values[:1] + values[-1:]))
        phrases.append(f"{arm} {len(values)}" + (f" ({ends} {unit}".rstrip() + ")" if ends else ""))
    return f"Number of different values delivered: {'; '.join(phrases)}."
