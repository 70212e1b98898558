"""Futures of the person of a diary: a fan for each policy, never one line."""

from collections.abc import Callable, Sequence

import pyqtgraph as pg
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from neurostim.app.panels.policies import PolicyChoice
from neurostim.app.panels.timeline import largest
from neurostim.app.plots import Chart, dress_axes, label_axis
from neurostim.app.qt_drawing import band
from neurostim.app.qt_tables import CellsView
from neurostim.app.theme import GAP_PX
from neurostim.app.views import Fans, Table

MOST = 3
NOT_YET = (
    "Import a diary (Ctrl+I) first: its twin is many simulated people who could have written that "
    "diary, and their futures under a policy are drawn here as a fan."
)


class FuturesPanel(QWidget):
    """Which policies, their fans, and how much the diary taught; `asked` is told the policies."""

    def __init__(self, asked: Callable[[Sequence[str]], None]) -> None:
        super().__init__()
        self.choice = PolicyChoice("Work out futures", MOST)
        self.choice.button.clicked.connect(lambda: asked(self.choice.names))
        self.fans = FansPanel()
        self.fans.say(NOT_YET)
        self.taught = CellsView("What the diary taught")
        card = QFrame()
        card.setProperty("role", "card")
        title = QLabel("What the diary taught")
        title.setProperty("role", "title")
        body = QVBoxLayout(card)
        body.setContentsMargins(GAP_PX, 8, GAP_PX, GAP_PX)
        body.addWidget(title)
        body.addWidget(self.taught)
        beneath = QHBoxLayout()
        beneath.setSpacing(GAP_PX)
        beneath.addWidget(self.fans, 3)
        beneath.addWidget(card, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, GAP_PX, 0, 0)
        layout.setSpacing(GAP_PX)
        layout.addWidget(self.choice)
        layout.addLayout(beneath, 1)

    def show_view(self, view: Fans) -> None:
        """Show the futures, or why there are none."""
        self.taught.show_table(view.taught)
        self.fans.show_view(view)


class FansPanel(Chart):
    """A plot for each policy beside one another, on the same axes."""

    def __init__(self) -> None:
        super().__init__(
            "Futures",
            "Seizures per 28 days of simulated people who fit the diary: the median, the middle "
            "half and 90 % of them, for each policy.",
        )
        self.view: Fans | None = None

    def show_view(self, view: Fans) -> None:
        """Draw fans, or say why there are none."""
        self.view = view
        if not view.fans:
            self.say(view.sentence)
            return
        self.note.say(view.sentence)
        self.draw()
        self.show_numbers(joined(view))

    def draw(self) -> None:
        """Draw everything again."""
        if self.view is None or not self.view.fans:
            return
        theme = self.theme
        self.graph.clear()
        top = 1.05 * max(largest(fan.high) for fan in self.view.fans)
        for place, fan in enumerate(self.view.fans):
            plot = self.graph.addPlot(0, place)
            dress_axes(plot, theme)
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.setMouseEnabled(x=False, y=False)
            plot.setTitle(fan.policy, color=theme.ink, size="9pt")
            label_axis(plot, "bottom", "day", theme)
            if place == 0:
                label_axis(plot, "left", "per 28 d", theme)
            plot.addItem(band(fan.days, fan.low, fan.high, theme.accent))
            plot.addItem(band(fan.days, fan.quarter, fan.three_quarters, theme.accent, 90))
            plot.plot(fan.days, fan.middle, pen=pg.mkPen(theme.accent, width=2))
            plot.setYRange(0, top, padding=0)
        self.explain(
            f'<span style="color:{theme.accent}">━</span> median &nbsp;dark: the middle half '
            "&nbsp;light: 90 %"
        )


def joined(view: Fans) -> Table:
    """The numbers of every fan in one table, its policy first."""
    return Table(
        columns=("policy", *view.fans[0].table.columns),
        rows=tuple((fan.policy, *row) for fan in view.fans for row in fan.table.rows),
    )
