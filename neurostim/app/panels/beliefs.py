"""What the policy believes: a map for each site on one colour scale, its limits and its tests."""

from collections.abc import Callable
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QComboBox

from neurostim.app.plots import Chart, dress_axes, label_axis, label_of, on_hover
from neurostim.app.qt_drawing import Hatched, add_colour_bar, colour_table
from neurostim.app.views import Posterior, SiteMap

MEAN, SPREAD = "Mean", "Uncertainty"
LOW_PX, READING_PX = 260, 300
LABELS = {MEAN: "change of the rate, %", SPREAD: "standard deviation, points"}
MOVES = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}
DARK_DOT, LIGHT_DOT = "#10151b", "#fefefe"
"""Dots stand on the colour map, which is the same in both themes."""


class Cell(NamedTuple):
    """One setting on the maps, by positions."""

    site: int
    amplitude: int
    frequency: int


class BeliefsPanel(Chart):
    """Amplitude across, frequency up; every function in `moved` is told of the cursor's cell."""

    def __init__(self) -> None:
        super().__init__(
            "Beliefs",
            "Expected change of the seizure rate at each amplitude and frequency, a map for each "
            "site. Arrow keys move between settings, Page up and Page down between sites.",
        )
        self.view: Posterior | None = None
        self.cell = Cell(0, 0, 0)
        self.moved: list[Callable[[Cell], None]] = []
        self.n_columns = 0
        self.plots: list[pg.PlotItem] = []
        self.cursors: list[pg.PlotDataItem] = []
        self.quantity = QComboBox()
        self.quantity.addItems([MEAN, SPREAD])
        self.quantity.currentTextChanged.connect(self.draw)
        self.head.insertWidget(2, label_of("Show", self.quantity))
        self.head.insertWidget(3, self.quantity)
        self.reading.setMinimumWidth(READING_PX)
        self.hover = on_hover(self.graph, self.point_at)
        self.graph.installEventFilter(self)

    def show_view(self, view: Posterior) -> None:
        """Draw what is believed; the cursor goes to what is proposed where that is known."""
        self.view = view
        if not view.maps:
            self.say(view.sentence)
            return
        self.note.say(view.sentence)
        proposed = [
            Cell(site, *each.proposed) for site, each in enumerate(view.maps) if each.proposed
        ]
        self.cell = proposed[0] if proposed else self.within(self.cell)
        self.draw()
        self.show_numbers(view.table)

    def within(self, cell: Cell) -> Cell:
        """The nearest cell that there is."""
        maps = self.view.maps if self.view else ()
        site = min(max(cell.site, 0), len(maps) - 1)
        n_amplitudes, n_frequencies = maps[site].mean.shape
        return Cell(
            site,
            min(max(cell.amplitude, 0), n_amplitudes - 1),
            min(max(cell.frequency, 0), n_frequencies - 1),
        )

    def columns_for(self, n_maps: int) -> int:
        """How many maps stand beside one another: all of them where there is little height."""
        is_low = self.stack.height() < LOW_PX
        return n_maps if n_maps < 4 or is_low else ceil(sqrt(n_maps))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Arrange the maps anew where another arrangement fits better."""
        super().resizeEvent(event)
        if self.view and self.view.maps and self.columns_for(len(self.view.maps)) != self.n_columns:
            self.draw()

    def draw(self) -> None:
        """Draw everything again."""
        view = self.view
        if view is None or not view.maps:
            return
        self.graph.clear()
        self.plots.clear()
        self.cursors.clear()
        is_mean = self.quantity.currentText() == MEAN
        levels = (view.low, view.high) if is_mean else (0.0, view.sd_high)
        n_columns = self.n_columns = self.columns_for(len(view.maps))
        n_rows = ceil(len(view.maps) / n_columns)
        for number, each in enumerate(view.maps):
            row, column = divmod(number, n_columns)
            plot = self.graph.addPlot(row, column)
            self.plots.append(plot)
            self.draw_map(plot, each, each.mean if is_mean else each.sd, levels)
            plot.setTitle(each.name, color=self.theme.ink, size="9pt", justify="left")
            if column == 0:
                label_axis(plot, "left", "Hz", self.theme)
            else:
                plot.getAxis("left").setStyle(showValues=False)
                plot.getAxis("left").setWidth(6)
            if row == n_rows - 1:
                label_axis(plot, "bottom", "mA", self.theme)
        label = LABELS[self.quantity.currentText()]
        add_colour_bar(self.graph, (0, n_columns, n_rows, 1), levels, label, self.theme)
        self.explain("● tested &nbsp;◯ side effect &nbsp;◆ next &nbsp;▨ limits")
        self.set_cell(self.cell)

    def draw_map(
        self, plot: pg.PlotItem, view: SiteMap, values: np.ndarray, levels: tuple[float, float]
    ) -> None:
        """One site: colours, hatching outside the limits, dots of what was tested."""
        n_amplitudes, n_frequencies = values.shape
        dress_axes(plot, self.theme)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)
        image = pg.ImageItem(values, levels=levels)
        image.setLookupTable(colour_table(self.theme))
        image.setRect(QRectF(-0.5, -0.5, n_amplitudes, n_frequencies))
        plot.addItem(image)
        plot.setRange(
            xRange=(-0.5, n_amplitudes - 0.5), yRange=(-0.5, n_frequencies - 0.5), padding=0
        )
        most = 6 if self.n_columns < 3 else 3
        amplitudes = [f"{each:g}" for each in view.amplitudes_ma]
        plot.getAxis("bottom").setTicks([ticks(amplitudes, most)])
        plot.getAxis("left").setTicks([ticks([str(each) for each in view.frequencies_hz], 5)])
        barred = np.argwhere(~view.is_permitted).tolist()
        cells = [(a - 0.5, f - 0.5, 1.0, 1.0) for a, f in barred]
        plot.addItem(shaded(cells, self.theme.card))
        plot.addItem(Hatched(cells, self.theme.edge))
        left_out = np.argwhere(view.is_permitted & ~view.is_tolerated).tolist()
        plot.addItem(
            Hatched(
                [(a - 0.5, f - 0.5, 1.0, 1.0) for a, f in left_out],
                LIGHT_DOT,
                Qt.BrushStyle.FDiagPattern,
            )
        )
        plot.addItem(self.dots_of(view))
        cursor = plot.plot([], [], pen=pg.mkPen(self.theme.alarm, width=2))
        self.cursors.append(cursor)

    def dots_of(self, view: SiteMap) -> pg.ScatterPlotItem:
        """What was tested, ringed where a side effect bothered; what runs; what is proposed."""
        thin, thick = pg.mkPen(LIGHT_DOT, width=1), pg.mkPen(LIGHT_DOT, width=1.5)
        spots = []
        for dot in view.dots:
            place = (dot.amplitude_index, dot.frequency_index)
            size = min(5 + sqrt(dot.days) / 2, 11)
            spots.append({"pos": place, "size": size, "brush": DARK_DOT, "pen": thin})
            if dot.has_side_effect:
                ring = pg.mkPen(LIGHT_DOT, width=2)
                spots.append({"pos": place, "size": size + 7, "brush": None, "pen": ring})
        if view.proposed:
            spots.append(
                {
                    "pos": view.proposed,
                    "size": 13,
                    "symbol": "d",
                    "brush": self.theme.alarm,
                    "pen": thick,
                }
            )
        return pg.ScatterPlotItem(spots)

    def point_at(self, place: QPointF) -> None:
        """Move the cursor to the setting under the mouse."""
        for site, plot in enumerate(self.plots):
            if plot.vb.sceneBoundingRect().contains(place):
                point = plot.vb.mapSceneToView(place)
                self.set_cell(Cell(site, round(point.x()), round(point.y())))
                return

    def set_cell(self, cell: Cell) -> None:
        """Move the cursor to a setting, and read out what is believed of it."""
        view = self.view
        if view is None or not view.maps:
            return
        self.cell = self.within(cell)
        a, f = self.cell.amplitude, self.cell.frequency
        for site, cursor in enumerate(self.cursors):
            if site == self.cell.site:
                x = np.array([a - 0.5, a + 0.5, a + 0.5, a - 0.5, a - 0.5])
                y = np.array([f - 0.5, f - 0.5, f + 0.5, f + 0.5, f - 0.5])
                cursor.setData(x, y)
            else:
                cursor.setData([], [])
        self.read_out(view.maps[self.cell.site].reading(a, f))
        for told in self.moved:
            told(self.cell)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Move the cursor by the arrow keys, and between sites by Page up and Page down."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            key = Qt.Key(event.key())
            sites = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}
            if key in MOVES or key in sites:
                across, up = MOVES.get(key, (0, 0))
                site, amplitude, frequency = self.cell
                self.set_cell(Cell(site + sites.get(key, 0), amplitude + across, frequency + up))
                return True
        return super().eventFilter(watched, event)


def shaded(cells: list[tuple[float, float, float, float]], colour: str) -> Hatched:
    """Cells behind hatching, in the colour of the card."""
    return Hatched(cells, colour, Qt.BrushStyle.SolidPattern)


def ticks(texts: list[str], most: int) -> list[tuple[int, str]]:
    """At most so many of the texts, evenly spread, at their positions."""
    step = ceil(len(texts) / most)
    return [(place, text) for place, text in enumerate(texts) if place % step == 0]
