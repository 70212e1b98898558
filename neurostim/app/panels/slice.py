"""One cut through the beliefs: how the rate would change with the amplitude, with its band."""

import pyqtgraph as pg
from PySide6.QtCore import Qt

from neurostim.app.panels.beliefs import Cell
from neurostim.app.plots import Chart, dress_axes, label_axis
from neurostim.app.qt_drawing import Hatched, band
from neurostim.app.views import Posterior, Slice, Table

TITLE = "By amplitude"


class SlicePanel(Chart):
    """The slice at the site and the frequency that the cursor of the maps is on."""

    def __init__(self) -> None:
        super().__init__(
            TITLE,
            "Expected change of the seizure rate over amplitude at the cursor's site and "
            "frequency, with a band of 90 % and the limit in force.",
        )
        self.view: Posterior | None = None
        self.cell: Cell | None = None
        self.mark: pg.InfiniteLine | None = None

    def show_view(self, view: Posterior) -> None:
        """Take what is believed; which slice is drawn follows the maps."""
        self.view = view
        self.cell = None
        if not view.maps:
            self.title.setText(TITLE)
            self.say(view.sentence)

    def follow(self, cell: Cell) -> None:
        """Draw the slice that goes through a cell of the maps."""
        if self.view is None or not self.view.maps:
            return
        is_other = self.cell is None or cell[::2] != self.cell[::2]
        self.cell = cell
        if is_other:
            self.draw()
        elif self.mark is not None:
            self.mark.setValue(self.view.maps[cell.site].amplitudes_ma[cell.amplitude])

    def draw(self) -> None:
        """Draw everything again."""
        if self.view is None or self.cell is None or not self.view.maps:
            return
        site = self.view.maps[self.cell.site]
        frequency = int(site.frequencies_hz[self.cell.frequency])
        view = self.view.slices[site.site, frequency]
        self.title.setText(f"{site.name}, {frequency} Hz")
        self.graph.clear()
        plot = self.graph.addPlot(0, 0)
        self.draw_slice(plot, view)
        self.mark = pg.InfiniteLine(
            site.amplitudes_ma[self.cell.amplitude],
            pen=pg.mkPen(self.theme.alarm, width=2),
        )
        plot.addItem(self.mark, ignoreBounds=True)
        self.explain(
            f'<span style="color:{self.theme.accent}">━</span> believed, 90 % band '
            "&nbsp;● epochs &nbsp;▨ limits"
        )
        self.show_numbers(slice_table(view))

    def draw_slice(self, plot: pg.PlotItem, view: Slice) -> None:
        """Curve, band, epochs, no change, and hatching above the limit."""
        theme = self.theme
        dress_axes(plot, theme)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)
        label_axis(plot, "bottom", "mA", theme)
        label_axis(plot, "left", "change of the rate, %", theme)
        plot.addItem(band(view.amplitudes_ma, view.low, view.high, theme.accent))
        plot.plot(view.amplitudes_ma, view.middle, pen=pg.mkPen(theme.accent, width=2))
        zero = pg.InfiniteLine(
            0, angle=0, pen=pg.mkPen(theme.muted, width=1, style=Qt.PenStyle.DashLine)
        )
        plot.addItem(zero, ignoreBounds=True)
        low = min(float(view.low.min()), -5.0)
        high = max(float(view.high.max()), 5.0)
        inside = (view.observed >= low - 20) & (view.observed <= high + 20)
        dots = pg.ScatterPlotItem(
            view.observed_ma[inside],
            view.observed[inside],
            size=7,
            brush=theme.ink,
            pen=pg.mkPen(theme.card),
        )
        plot.addItem(dots)
        first, last = float(view.amplitudes_ma.min()), float(view.amplitudes_ma.max())
        start = first if view.limit_ma is None else view.limit_ma
        low, high = low - 20, high + 20
        if start < last:
            plot.addItem(Hatched([(start, low, last - start, high - low)], theme.edge))
        plot.setRange(xRange=(first, last), yRange=(low, high), padding=0)


def slice_table(view: Slice) -> Table:
    """The slice in numbers."""
    rows = zip(view.amplitudes_ma, view.middle, view.low, view.high, strict=True)
    return Table(
        columns=("amplitude, mA", "change, %", "90 % from", "to"),
        rows=tuple(
            (f"{amplitude:g}", f"{middle:+.0f}", f"{low:+.0f}", f"{high:+.0f}")
            for amplitude, middle, low, high in rows
        ),
    )
