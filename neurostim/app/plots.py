"""A card that holds a plot, its numbers as a table, and the sentence for when there is neither."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from html import escape
from math import floor, log10
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from neurostim.app.qt_drawing import TICK_FONT_PX, tick_font
from neurostim.app.qt_tables import CellsView
from neurostim.app.theme import GAP_PX, HIT_TARGET_PX, LIGHT, Theme
from neurostim.app.views import Table

AS_TABLE, AS_PLOT = "As table", "As plot"


class Line(QLabel):
    """One quiet line of plain text that ends in dots where it has no room; a tip has all of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.setProperty("role", "muted")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.say(text)

    def say(self, text: str) -> None:
        """Show another text."""
        self.setText(text)
        self.setToolTip(text)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Write as much as there is room for."""
        painter = QPainter(self)
        room = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), self.alignment() | Qt.AlignmentFlag.AlignVCenter, room)


class DayAxis(pg.AxisItem):
    """Days since the first, written as ISO dates."""

    def __init__(self, first: date | None = None) -> None:
        super().__init__("bottom")
        self.first = first

    def tickStrings(  # noqa: N802
        self, values: Sequence[float], scale: float, spacing: float
    ) -> list[str]:
        """What stands under each tick; ticks between two days have no text."""
        return [self.text(value) if float(value).is_integer() else "" for value in values]

    def tickSpacing(  # noqa: N802
        self, minimum: float, maximum: float, size: float
    ) -> list[tuple[float, float]]:
        """Whole weeks and months apart, so that no two dates touch."""
        longest = 84 if self.first else 64
        least = (maximum - minimum) / max(size / longest, 1)
        steps = (1, 2, 7, 14, 28, 56, 84, 168, 364, 728, 1820)
        return [(next((step for step in steps if step >= least), steps[-1]), 0)]

    def text(self, day: float) -> str:
        """A day as people write it."""
        if self.first is None:
            return f"day {day:.0f}"
        return (self.first + timedelta(days=int(day))).isoformat()


class Chart(QFrame):
    """A titled card: a plot, the same numbers as a table, and what is said where there is none.

    `on_dress` draws everything again in other colours.
    """

    def __init__(self, title: str, description: str, note: str = "") -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.theme = LIGHT
        self.title = QLabel(title)
        self.title.setProperty("role", "title")
        self.title.setMinimumWidth(1)
        self.note = Line(note)
        self.legend = QLabel()
        self.legend.setProperty("role", "muted")
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setMinimumWidth(1)
        self.reading = Line("")
        self.toggle = QPushButton(AS_TABLE)
        self.toggle.setCheckable(True)
        self.toggle.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.toggle.setAccessibleName(f"{title}: show as table")
        self.toggle.toggled.connect(self.show_table)
        self.graph = pg.GraphicsLayoutWidget()
        self.graph.setAccessibleName(title)
        self.graph.setAccessibleDescription(description)
        self.graph.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.graph.ci.layout.setContentsMargins(0, 0, 0, 0)
        self.table = CellsView(f"{title}, as a table")
        self.message = QLabel()
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setProperty("role", "muted")
        self.stack = QStackedWidget()
        for page in (self.graph, self.table, self.message):
            self.stack.addWidget(page)
        self.head = QHBoxLayout()
        self.head.setSpacing(GAP_PX)
        self.head.addWidget(self.title)
        self.head.addWidget(self.note, 1)
        self.head.addWidget(self.toggle)
        beneath = QHBoxLayout()
        beneath.setSpacing(GAP_PX)
        beneath.addWidget(self.legend)
        beneath.addWidget(self.reading, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GAP_PX, 8, GAP_PX, GAP_PX)
        layout.setSpacing(4)
        layout.addLayout(self.head)
        layout.addLayout(beneath)
        layout.addWidget(self.stack, 1)

    def show_table(self, is_table: bool) -> None:
        """Show the numbers, or draw them."""
        self.toggle.setText(AS_PLOT if is_table else AS_TABLE)
        if self.stack.currentWidget() is not self.message:
            self.stack.setCurrentWidget(self.table if is_table else self.graph)

    def say(self, sentence: str) -> None:
        """Say why there is no plot, in its place."""
        self.message.setText(f"{sentence[:1].upper()}{sentence[1:]}")
        self.explain("")
        self.note.say("")
        self.reading.say("")
        self.stack.setCurrentWidget(self.message)
        self.toggle.setEnabled(False)

    def read_out(self, sentence: str) -> None:
        """Say what is under the cursor, for eyes and for a screen reader."""
        self.reading.say(sentence)
        self.graph.setToolTip(sentence)

    def explain_colours(self, colours: Mapping[str, str]) -> None:
        """Say which colour is what, by a square and a name each."""
        squares = (
            f'<span style="color:{colour}">■</span> {escape(name)}'
            for name, colour in colours.items()
        )
        self.explain("&nbsp;&nbsp; ".join(squares))

    def explain(self, legend: str) -> None:
        """Say what is what, as rich text; nothing takes no room."""
        self.legend.setText(legend)
        self.legend.setVisible(bool(legend))

    def show_numbers(self, table: Table) -> None:
        """Show the plot, or its numbers where a reader chose them."""
        self.toggle.setEnabled(True)
        self.table.show_table(table)
        chosen = self.table if self.toggle.isChecked() else self.graph
        self.stack.setCurrentWidget(chosen)

    def dress(self, theme: Theme) -> None:
        """Take other colours; what is drawn is drawn again by the panel."""
        self.theme = theme
        self.graph.setBackground(theme.card)


def label_of(text: str, field: QWidget) -> QLabel:
    """A label that stands level with its field, and leads to it."""
    label = QLabel(text)
    label.setMinimumHeight(HIT_TARGET_PX)
    label.setBuddy(field)
    return label


def dress_axes(plot: pg.PlotItem, theme: Theme) -> None:
    """Give a plot quiet axes: two lines, small figures."""
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setPen(pg.mkPen(theme.rule))
        axis.setTextPen(pg.mkPen(theme.muted))
        axis.setStyle(tickLength=-4, tickFont=tick_font())


def two_ticks(plot: pg.PlotItem, top: float) -> None:
    """Name 0 and one round number near the top of the left axis, and nothing between."""
    power = 10.0 ** floor(log10(0.9 * top))
    round_number = next(each * power for each in (5, 4, 3, 2, 1) if each * power <= 0.9 * top)
    plot.getAxis("left").setTicks([[(0, "0"), (round_number, f"{round_number:g}")]])


def label_axis(plot: pg.PlotItem, side: str, text: str, theme: Theme) -> None:
    """Write what an axis shows, with its unit, beside it."""
    plot.getAxis(side).setLabel(text, **{"color": theme.muted, "font-size": f"{TICK_FONT_PX}px"})


def on_hover(graph: pg.GraphicsLayoutWidget, answer: Callable[[Any], None]) -> pg.SignalProxy:
    """Answer where the mouse is, at most sixty times a second; keep what is returned."""
    return pg.SignalProxy(
        graph.scene().sigMouseMoved, rateLimit=60, slot=lambda sent: answer(sent[0])
    )
