"""What happened: rate, seizures per day, what was delivered, and events, under one cursor."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QColor, QKeyEvent

from neurostim.app.plots import Chart, DayAxis, dress_axes, on_hover, two_ticks
from neurostim.app.qt_drawing import Hatched, band
from neurostim.app.views import Strip, Timeline

HEIGHTS = {"rate": 46, "counts": 30, "amplitude": 26, "frequency": 24, "events": 30}
FROM_DIARY = ("rate", "counts")
LABELS = {
    "rate": "per 28 d",
    "counts": "per day",
    "amplitude": "mA",
    "frequency": "Hz",
    "events": "events",
}
LABEL_WIDTH_PX = 48
AXIS_WIDTH_PX = 34
LEAST_DAYS = 28
LEAST_PX = 250
SYMBOLS = {
    "adverse event": "t",
    "safety": "s",
    "device": "d",
    "life": "o",
    "limits": "p",
    "branch": "t1",
}


class TimelinePanel(Chart):
    """Five plots over the same days; every function in `moved` is told of the cursor's day."""

    def __init__(self, title: str = "Timeline", names: tuple[str, ...] = tuple(HEIGHTS)) -> None:
        super().__init__(
            title,
            "Seizures per 28 days with a band of 90 %, seizures per day, amplitude, frequency and "
            "events over time. Left and right move the cursor by a day, with Shift by four weeks.",
        )
        self.names = names
        self.shown: Sequence[str] = names
        self.view: Timeline | None = None
        self.day = 0
        self.rate_top = 0.0  # where columns are compared, the same for each
        self.moved: list[Callable[[int], None]] = []
        self.plots: dict[str, pg.PlotItem] = {}
        self.cursors: list[pg.InfiniteLine] = []
        self.site_colours: dict[str, str] = {}
        self.setMinimumHeight(LEAST_PX)
        self.hover = on_hover(self.graph, self.point_at)
        self.graph.installEventFilter(self)

    def show_view(self, view: Timeline) -> None:
        """Draw a timeline; the cursor goes to its last day where that is another one."""
        if self.view is None or self.view.n_days != view.n_days:
            self.day = max(view.n_days - 1, 0)
        self.view = view
        if not view.n_days:
            self.say("No day has been lived yet. Step (F5) lives the first epoch.")
            return
        self.draw()
        self.show_numbers(view.table)

    def draw(self) -> None:
        """Draw everything again."""
        view = self.view
        if view is None or not view.n_days:
            return
        self.graph.clear()
        self.plots.clear()
        self.cursors.clear()
        sites = dict.fromkeys(strip.site for strip in view.strips if strip.amplitude_ma)
        self.site_colours = dict(zip(sites, self.theme.series[1:] * 4, strict=False))
        # A diary tells of no stimulation: rows that could only be empty are left out.
        is_treated = bool(view.strips)
        self.shown = [name for name in self.names if is_treated or name in FROM_DIARY]
        for row, name in enumerate(self.shown):
            getattr(self, f"draw_{name}")(self.add_plot(row, name, view), view)
        self.explain_colours(self.colours_of(view))
        self.place_cursor(self.day)

    def colours_of(self, view: Timeline) -> dict[str, str]:
        """What the legend says: sites, kinds of seizures, and what is hatched or shaded."""
        kinds = dict(zip(view.kinds, self.theme.series[1:] * 4, strict=False))
        return {**self.site_colours, **(kinds if len(kinds) > 1 else {})}

    def add_plot(self, row: int, name: str, view: Timeline) -> pg.PlotItem:
        """Add one of the plots, its days linked to those of the first."""
        label = self.graph.addLabel(LABELS[name], row, 0, color=self.theme.muted, size="8pt")
        label.setFixedWidth(LABEL_WIDTH_PX)
        plot = self.graph.addPlot(row, 1, axisItems={"bottom": DayAxis(view.first_date)})
        self.plots[name] = plot
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=True, y=False)
        dress_axes(plot, self.theme)
        plot.getAxis("left").setWidth(AXIS_WIDTH_PX)
        if name != self.shown[-1]:
            plot.getAxis("bottom").setStyle(showValues=False)
            plot.getAxis("bottom").setHeight(3)
        last = max(view.n_days, LEAST_DAYS)
        if row:
            plot.setXLink(self.plots[self.shown[0]])
        plot.setLimits(xMin=-0.5, xMax=last + 0.5, minXRange=7)
        plot.setXRange(-0.5, last + 0.5, padding=0)
        self.graph.ci.layout.setRowStretchFactor(row, HEIGHTS[name])
        self.graph.ci.layout.setRowMinimumHeight(row, HEIGHTS[name])
        cursor = pg.InfiniteLine(angle=90, pen=pg.mkPen(self.theme.ink, width=1))
        cursor.setZValue(20)
        plot.addItem(cursor, ignoreBounds=True)
        self.cursors.append(cursor)
        if 0 < view.baseline_days < view.n_days:
            start = pg.InfiniteLine(
                view.baseline_days,
                pen=pg.mkPen(self.theme.muted, width=1, style=Qt.PenStyle.DashLine),
            )
            plot.addItem(start, ignoreBounds=True)
        return plot

    def draw_rate(self, plot: pg.PlotItem, view: Timeline) -> None:
        """The rate over the last 28 days with its band."""
        colour = self.theme.accent
        plot.addItem(band(view.rate_days, view.rate_low, view.rate_high, colour))
        plot.plot(view.rate_days, view.rate, pen=pg.mkPen(colour, width=2), connect="finite")
        top = 1.08 * max(self.rate_top, largest(view.rate_high))
        plot.setYRange(0, top, padding=0)
        two_ticks(plot, top)

    def draw_counts(self, plot: pg.PlotItem, view: Timeline) -> None:
        """Bars of seizures, hatching where nothing was written, shades behind clusters."""
        top = 1.1 * largest(view.counts)
        shade = QColor(self.theme.series[2])
        shade.setAlpha(60)
        for cluster in view.clusters:
            region = pg.LinearRegionItem(cluster, movable=False, brush=shade, pen=pg.mkPen(None))
            region.setZValue(-10)
            plot.addItem(region, ignoreBounds=True)
        missing = np.isnan(view.counts)
        plot.addItem(
            Hatched(
                [(start, 0.0, end - start, top) for start, end in runs(missing)], self.theme.edge
            )
        )
        beneath = np.zeros(len(view.counts))
        kinds = view.kinds if len(view.kinds) > 1 else {"": view.counts}
        for counts, colour in zip(kinds.values(), self.theme.series[1:] * 4, strict=False):
            heights = np.nan_to_num(counts)
            days = np.flatnonzero(heights)
            plot.addItem(
                pg.BarGraphItem(
                    x0=days,
                    width=1,
                    y0=beneath[days],
                    height=heights[days],
                    pen=pg.mkPen(None),
                    brush=colour if len(kinds) > 1 else self.theme.ink,
                )
            )
            beneath = beneath + heights
        plot.setYRange(0, top, padding=0)
        two_ticks(plot, top)

    def draw_amplitude(self, plot: pg.PlotItem, view: Timeline) -> None:
        """How much current flowed, in the colour of its site."""
        for site, colour in self.site_colours.items():
            strips = [strip for strip in view.strips if strip.site == site]
            plot.addItem(
                pg.BarGraphItem(
                    x0=[strip.first_day for strip in strips],
                    width=[strip.end_day - strip.first_day for strip in strips],
                    height=[strip.amplitude_ma for strip in strips],
                    pen=pg.mkPen(None),
                    brush=colour,
                )
            )
        top = 1.15 * largest(np.array([strip.amplitude_ma for strip in view.strips]))
        plot.setYRange(0, top, padding=0)
        two_ticks(plot, top)

    def draw_frequency(self, plot: pg.PlotItem, view: Timeline) -> None:
        """At which frequency; nothing where the stimulation was off."""
        edges = [edge for each in view.strips for edge in (each.first_day, each.end_day)]
        shown = [each.frequency_hz if each.amplitude_ma else np.nan for each in view.strips]
        values = np.repeat(np.array(shown, dtype=float), 2)
        pen = pg.mkPen(self.theme.ink, width=2)
        plot.plot(np.array(edges, dtype=float), values, pen=pen, connect="finite")
        top = 1.2 * largest(values)
        plot.setYRange(0, top, padding=0)
        two_ticks(plot, top)

    def draw_events(self, plot: pg.PlotItem, view: Timeline) -> None:
        """A sign for each event, whose sentence is read out under the cursor."""
        plot.getAxis("left").setTicks([])
        signs = [
            {
                "pos": (mark.day + 0.5, 0.5),
                "symbol": SYMBOLS[mark.kind],
                "brush": self.theme.alarm if mark.kind == "adverse event" else self.theme.muted,
            }
            for mark in view.marks
        ]
        plot.addItem(pg.ScatterPlotItem(signs, size=10, pen=pg.mkPen(self.theme.card)))
        plot.setYRange(0, 1, padding=0)

    def point_at(self, place: QPointF) -> None:
        """Move the cursor to the day under the mouse."""
        for plot in self.plots.values():
            if plot.sceneBoundingRect().contains(place):
                self.set_day(int(np.floor(plot.vb.mapSceneToView(place).x())))
                return

    def set_day(self, day: int) -> None:
        """Move the cursor to a day, and tell whoever follows it."""
        if self.view is not None and self.view.n_days:
            self.place_cursor(day)
            for told in self.moved:
                told(self.day)

    def place_cursor(self, day: int) -> None:
        """Move the cursor to a day, and say what was on it."""
        view = self.view
        if view is None or not view.n_days:
            return
        self.day = min(max(day, 0), view.n_days - 1)
        for cursor in self.cursors:
            cursor.setValue(self.day + 0.5)
        self.read_out(day_sentence(view, self.day))

    def zoom(self, factor: float | None) -> None:
        """See fewer days around the cursor, more of them, or with None all."""
        if self.view is None or not self.plots:
            return
        box = self.plots[self.shown[0]].vb
        if factor is None:
            box.setXRange(-0.5, max(self.view.n_days, LEAST_DAYS) + 0.5, padding=0)
        else:
            box.scaleBy(x=factor, center=QPointF(self.day + 0.5, 0))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Move the cursor by the arrow keys."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            days = 28 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            steps = {Qt.Key.Key_Left: -days, Qt.Key.Key_Right: days}
            if event.key() in steps:
                self.set_day(self.day + steps[Qt.Key(event.key())])
                return True
        return super().eventFilter(watched, event)


def day_sentence(view: Timeline, day: int) -> str:
    """What is known of one day, in one line."""
    when = f"day {day}"
    if view.first_date is not None:
        when = f"{np.datetime64(view.first_date) + day} (day {day})"
    count = view.counts[day]
    parts = ["no entry" if np.isnan(count) else f"{count:.0f} seizures"]
    at = np.flatnonzero(view.rate_days == day)
    if len(at) and not np.isnan(view.rate[at[0]]):
        rate, low, high = (each[at[0]] for each in (view.rate, view.rate_low, view.rate_high))
        parts.append(f"{rate:.1f} ({low:.1f} to {high:.1f}) per 28 days")
    parts += [strip.text for strip in view.strips if is_on(strip, day)]
    parts += [mark.sentence for mark in view.marks if mark.day == day]
    return f"{when}: {'; '.join(parts)}"


def is_on(strip: Strip, day: int) -> bool:
    """Whether a stretch has this day."""
    return strip.first_day <= day < strip.end_day


def largest(values: Any) -> float:
    """The largest number, and 1 where there is none or nothing above 0."""
    found = values[~np.isnan(values)]
    return float(found.max()) if len(found) and found.max() > 0 else 1.0


def runs(is_true: Any) -> list[tuple[int, int]]:
    """First and one past the last of every stretch of true entries."""
    padded = np.concatenate([[False], is_true, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
