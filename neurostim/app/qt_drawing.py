"""What plots draw beyond lines and dots: hatching, and a colour bar."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QPainter
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from neurostim.app.theme import Theme

TICK_FONT_PX = 11
BAR_WIDTH_PX, BAR_AXIS_PX = 92, 60
Rectangle = tuple[float, float, float, float]
"""Left, lower edge, width and height, in the units of the axes."""


class Hatched(pg.GraphicsObject):
    """Rectangles hatched by lines that keep their distance on screen, however far one zooms."""

    def __init__(
        self,
        rectangles: Sequence[Rectangle],
        colour: str,
        pattern: Qt.BrushStyle = Qt.BrushStyle.BDiagPattern,
    ) -> None:
        super().__init__()
        self.rectangles = [QRectF(*rectangle) for rectangle in rectangles]
        self.brush = QBrush(QColor(colour), pattern)

    def boundingRect(self) -> QRectF:  # noqa: N802
        """What all rectangles lie within."""
        bounds = QRectF()
        for rectangle in self.rectangles:
            bounds = bounds.united(rectangle)
        return bounds

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget) -> None:
        """Fill with a brush that the view does not stretch."""
        inverted, can_invert = painter.worldTransform().inverted()
        if not can_invert:
            return
        brush = QBrush(self.brush)
        brush.setTransform(inverted)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(brush)
        painter.drawRects(self.rectangles)


def tick_font() -> QFont:
    """The small font of figures along an axis."""
    font = QFont()
    font.setPixelSize(TICK_FONT_PX)
    return font


def band(days: Any, low: Any, high: Any, colour: str, opacity: int = 50) -> pg.FillBetweenItem:
    """The area between two curves, in a colour that lets the curves show."""
    fill = QColor(colour)
    fill.setAlpha(opacity)
    curves = [pg.PlotCurveItem(days, edge, pen=None) for edge in (low, high)]
    return pg.FillBetweenItem(*curves, brush=fill)


def colour_table(theme: Theme) -> Any:
    """The colour map as 256 rows of red, green and blue."""
    return pg.colormap.get(theme.colour_map).getLookupTable(nPts=256)


def add_colour_bar(
    layout: pg.GraphicsLayoutWidget,
    place: tuple[int, int, int, int],
    levels: tuple[float, float],
    label: str,
    theme: Theme,
) -> None:
    """Put a bar of the colour map, with its numbers and its unit, at row, column and spans."""
    plot = layout.addPlot(*place)
    image = pg.ImageItem(np.linspace(*levels, 256)[None, :], levels=levels)
    image.setLookupTable(colour_table(theme))
    image.setRect(QRectF(0, levels[0], 1, levels[1] - levels[0]))
    plot.addItem(image)
    plot.hideAxis("left")
    plot.hideAxis("bottom")
    plot.showAxis("right")
    axis = plot.getAxis("right")
    axis.setPen(pg.mkPen(theme.rule))
    axis.setTextPen(pg.mkPen(theme.muted))
    axis.setStyle(tickFont=tick_font())
    axis.setWidth(BAR_AXIS_PX)
    axis.setLabel(label, **{"color": theme.muted, "font-size": f"{TICK_FONT_PX}px"})
    plot.setMouseEnabled(x=False, y=False)
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.setRange(xRange=(0, 1), yRange=levels, padding=0.04)
    layout.ci.layout.setColumnFixedWidth(place[1], BAR_WIDTH_PX)
