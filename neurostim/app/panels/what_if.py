"""What if: branches from any day as named scenarios, the original untouched."""

from collections.abc import Callable, Mapping, Sequence

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from neurostim.app.panels.timeline import largest
from neurostim.app.plots import Chart, DayAxis, dress_axes, label_axis, label_of
from neurostim.app.qt_tables import CellsView
from neurostim.app.theme import GAP_PX, Theme
from neurostim.app.views import ScenarioLine, Table, Timeline

HOLD, STOP = "hold", "stop"
DEEDS: Mapping[str, str] = {HOLD: "keep the setting of that day", STOP: "switch stimulation off"}


PLACES = ((0, 1, 1, 1), (0, 3, 1, 2), (1, 1, 1, 3))
"""Row, column and spans of the day, the deed and the name."""


class WhatIfPanel(QWidget):
    """A list of scenarios, a form that branches another, and their rates in one plot."""

    def __init__(
        self,
        branched: Callable[[str, int, str], None],
        chosen: Callable[[str], None],
        removed: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.lines: Sequence[ScenarioLine] = ()
        self.rates = RatesPanel()
        self.table = CellsView("Scenarios")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.name, self.day, self.what = QLineEdit(), QSpinBox(), QComboBox()
        self.name.setMaxLength(60)
        self.day.setPrefix("day ")
        self.branch = QPushButton("Branch")
        self.branch.setProperty("role", "primary")
        self.branch.clicked.connect(
            lambda: branched(
                self.name.text().strip() or self.suggested, self.day.value(), self.deed
            )
        )
        self.choose, self.remove = QPushButton("Switch to it"), QPushButton("Remove")
        self.choose.clicked.connect(lambda: self.with_selected(chosen))
        self.remove.clicked.connect(lambda: self.with_selected(removed))
        self.what.currentTextChanged.connect(
            lambda _text: self.name.setPlaceholderText(self.suggested)
        )
        self.day.valueChanged.connect(lambda _day: self.name.setPlaceholderText(self.suggested))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, GAP_PX, 0, 0)
        layout.setSpacing(GAP_PX)
        layout.addWidget(self.side(), 1)
        layout.addWidget(self.rates, 1)

    def side(self) -> QFrame:
        """The list and the form."""
        card = QFrame()
        card.setProperty("role", "card")
        title = QLabel("Scenarios")
        title.setProperty("role", "title")
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self.choose)
        head.addWidget(self.remove)
        form = QGridLayout()
        form.setColumnStretch(3, 1)
        fields = {"From": self.day, "then": self.what, "Name": self.name}
        for (label, field), place in zip(fields.items(), PLACES, strict=True):
            field.setAccessibleName(f"What if: {label.lower()}")
            form.addWidget(label_of(label, field), place[0], place[1] - 1)
            form.addWidget(field, *place)
        form.addWidget(self.branch, 1, 4)
        body = QVBoxLayout(card)
        body.setContentsMargins(GAP_PX, 8, GAP_PX, GAP_PX)
        body.setSpacing(8)
        body.addLayout(head)
        body.addWidget(self.table, 1)
        body.addLayout(form)
        return card

    @property
    def deed(self) -> str:
        """Hold, stop, or the name of a policy."""
        return str(self.what.currentData())

    @property
    def suggested(self) -> str:
        """A name for the scenario where none is given."""
        return f"{self.deed} from day {self.day.value()}"

    def offer(self, policies: Sequence[str]) -> None:
        """Offer what can be done from a day on."""
        self.what.clear()
        for deed, text in DEEDS.items():
            self.what.addItem(text, deed)
        for policy in policies:
            self.what.addItem(f"continue with {policy}", policy)

    def show_view(self, lines: Sequence[ScenarioLine], timelines: Sequence[Timeline]) -> None:
        """Show the scenarios, and the rates of each."""
        self.lines = lines
        self.table.show_table(scenarios_table(lines))
        current = next((place for place, line in enumerate(lines) if line.is_current), 0)
        self.table.selectRow(current)
        self.day.setRange(0, max((line.n_days for line in lines), default=0))
        self.remove.setEnabled(len(lines) > 1)
        self.choose.setEnabled(len(lines) > 1)
        self.rates.show_view(lines, timelines)

    def point_at(self, day: int) -> None:
        """Take the day under the timeline's cursor as the day to branch from."""
        self.day.setValue(day)

    def with_selected(self, told: Callable[[str], None]) -> None:
        """Tell the name of the scenario that is selected, if one is."""
        row = self.table.currentIndex().row()
        if 0 <= row < len(self.lines):
            told(self.lines[row].name)

    def dress(self, theme: Theme) -> None:
        """Take other colours, and draw again in them."""
        self.rates.dress(theme)
        self.rates.draw()


class RatesPanel(Chart):
    """The rate of every scenario over the same days."""

    def __init__(self) -> None:
        super().__init__(
            "Scenarios compared",
            "Seizures per 28 days of every scenario over time.",
        )
        self.lines: Sequence[ScenarioLine] = ()
        self.timelines: Sequence[Timeline] = ()

    def show_view(self, lines: Sequence[ScenarioLine], timelines: Sequence[Timeline]) -> None:
        """Draw the rates of scenarios."""
        self.lines, self.timelines = lines, timelines
        if not any(len(each.rate_days) for each in timelines):
            self.say("Fewer than 28 days have been lived: there is no rate yet.")
            return
        self.draw()
        self.show_numbers(rates_table(lines, timelines))

    def draw(self) -> None:
        """Draw everything again."""
        if not self.timelines:
            return
        theme = self.theme
        self.graph.clear()
        axes = {"bottom": DayAxis(self.timelines[0].first_date)}
        plot = self.graph.addPlot(0, 0, axisItems=axes)
        dress_axes(plot, theme)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=True, y=False)
        label_axis(plot, "left", "per 28 d", theme)
        colours = {}
        series = theme.series[1:] * len(self.timelines)
        for line, view, colour in zip(self.lines, self.timelines, series, strict=False):
            colours[line.name] = colour
            pen = pg.mkPen(colour, width=4 if line.is_current else 1.5)
            curve = plot.plot(view.rate_days, view.rate, pen=pen, connect="finite")
            curve.setZValue(-1 if line.is_current else 0)
            if line.branch_day is not None:
                dashed = pg.mkPen(colour, width=1, style=Qt.PenStyle.DashLine)
                start = pg.InfiniteLine(line.branch_day, pen=dashed)
                plot.addItem(start, ignoreBounds=True)
        top = max(largest(view.rate) for view in self.timelines)
        plot.setYRange(0, 1.1 * top, padding=0)
        self.explain_colours(colours)


def scenarios_table(lines: Sequence[ScenarioLine]) -> Table:
    """The scenarios to read; the rate is that of the last 84 days."""
    rows = []
    for line in lines:
        branch = "—" if line.branch_day is None else str(line.branch_day)
        rate = "—" if line.rate != line.rate else f"{line.rate:.1f}"
        name = f"● {line.name}" if line.is_current else line.name
        rows.append((name, line.policy, branch, rate))
    columns = ("scenario", "policy", "from day", "per 28 d")
    return Table(columns=columns, rows=tuple(rows))


def rates_table(lines: Sequence[ScenarioLine], timelines: Sequence[Timeline]) -> Table:
    """The rates in numbers, every 28 days; a dash where there is none."""
    found = [
        dict(zip(view.rate_days.tolist(), view.rate.tolist(), strict=True)) for view in timelines
    ]
    days = sorted({day for rates in found for day in rates if day % 28 == 27})
    rows = tuple(
        (str(day), *(f"{rates[day]:.1f}" if day in rates else "—" for rates in found))
        for day in days
    )
    return Table(columns=("day", *(line.name for line in lines)), rows=rows)
