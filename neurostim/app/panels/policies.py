"""Policies side by side: the same patient, the same luck, two to four columns."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from neurostim.app.panels.timeline import TimelinePanel, largest
from neurostim.app.plots import Chart, DayAxis, dress_axes, label_axis
from neurostim.app.qt_tables import CellsView
from neurostim.app.theme import GAP_PX, LIGHT, Theme
from neurostim.app.views import Column, Comparison, Table

MOST = 4
NONE = "none"
TIMELINE_PX = 220
DIFFERENCE_PX = 240
ROWS = ("rate", "counts", "amplitude")


class PoliciesPanel(QWidget):
    """Which policies, and how they would have done; `asked` is called with their names."""

    def __init__(self, asked: Callable[[Sequence[str]], None]) -> None:
        super().__init__()
        self.theme = LIGHT
        self.view: Comparison | None = None
        self.timelines: list[TimelinePanel] = []
        self.difference: DifferencePanel | None = None
        self.page = QWidget()
        self.choice = PolicyChoice("Compare over a year", MOST)
        self.choice.button.setToolTip("Run them on the same patient and luck (F9)")
        self.choice.button.clicked.connect(lambda: asked(self.choice.names))
        self.message = QLabel(
            "Choose two to four policies. Each treats this same simulated patient from the first "
            "day of treatment, with the same luck, so that differences are due to the policies."
        )
        self.message.setWordWrap(True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setProperty("role", "muted")
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(self.message)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, GAP_PX, 0, 0)
        layout.setSpacing(GAP_PX)
        layout.addWidget(self.choice)
        layout.addWidget(self.area, 1)

    def show_view(self, view: Comparison) -> None:
        """Show a comparison in place of what is shown."""
        self.view = view
        self.page = QWidget()
        self.page.setObjectName("page")
        grid = QGridLayout(self.page)
        grid.setContentsMargins(0, 0, GAP_PX, 0)
        grid.setSpacing(GAP_PX)
        self.timelines = []
        for place, column in enumerate(view.columns):
            self.add_column(grid, place, column)
            grid.setColumnStretch(place, 1)
        top = max(largest(column.timeline.rate_high) for column in view.columns)
        for panel in self.timelines:
            panel.rate_top = top
            panel.dress(self.theme)
            panel.draw()
        width = len(view.columns)
        grid.addWidget(titled("Outcomes", outcomes_table(view)), 1, 0, 1, width)
        self.difference = DifferencePanel()
        self.difference.setFixedHeight(DIFFERENCE_PX)
        self.difference.dress(self.theme)
        self.difference.show_view(view)
        grid.addWidget(self.difference, 4, 0, 1, width)
        paired = titled("Paired differences", view.paired)
        grid.addWidget(paired, 5, 0, 1, width)
        self.area.setWidget(self.page)

    def add_column(self, grid: QGridLayout, place: int, column: Column) -> None:
        """One policy from top to bottom: its timeline, settings and limit hits."""
        panel = TimelinePanel(column.policy, ROWS)
        panel.show_view(column.timeline)
        panel.setFixedHeight(TIMELINE_PX)
        panel.moved.append(self.place_cursors)
        self.timelines.append(panel)
        grid.addWidget(panel, 0, place)
        parts = (
            ("Time at each setting", column.time_at),
            ("Limits reached", column.limit_hits),
        )
        for row, (what, table) in enumerate(parts, start=2):
            grid.addWidget(titled(what, table, column.policy), row, place)

    def place_cursors(self, day: int) -> None:
        """Have every timeline point at the same day."""
        for panel in self.timelines:
            panel.place_cursor(day)

    def dress(self, theme: Theme) -> None:
        """Take other colours, and draw again in them."""
        self.theme = theme
        for panel in self.timelines:
            panel.dress(theme)
            panel.draw()
        if self.difference is not None:
            self.difference.dress(theme)
            self.difference.draw()


class PolicyChoice(QWidget):
    """Which policies: two or more that must be chosen, others that may be, and a button."""

    def __init__(self, confirm: str, most: int) -> None:
        super().__init__()
        self.choices = [QComboBox() for _ in range(most)]
        self.button = QPushButton(confirm)
        self.button.setProperty("role", "primary")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        for number, choice in enumerate(self.choices):
            label = QLabel("Reference policy" if number == 0 else f"Policy {number + 1}")
            label.setProperty("role", "heading")
            label.setBuddy(choice)
            choice.setMinimumContentsLength(8)
            grid.addWidget(label, 0, number)
            grid.addWidget(choice, 1, number)
            grid.setColumnStretch(number, 1)
        grid.addWidget(self.button, 1, most)

    @property
    def names(self) -> list[str]:
        """The chosen policies, each once."""
        names = (choice.currentText() for choice in self.choices)
        return list(dict.fromkeys(name for name in names if name and name != NONE))

    def offer(self, policies: Mapping[str, str], first: Sequence[str]) -> None:
        """Offer policies, each with its sentence, and choose some to begin with."""
        for number, choice in enumerate(self.choices):
            choice.clear()
            choice.addItems([*([NONE] if number > 1 else []), *policies])
            for place in range(choice.count()):
                summary = policies.get(choice.itemText(place), "")
                choice.setItemData(place, summary, Qt.ItemDataRole.ToolTipRole)
            choice.setCurrentText(first[number] if number < len(first) else NONE)


class DifferencePanel(Chart):
    """How many more seizures each policy had than the reference, over time."""

    def __init__(self) -> None:
        super().__init__(
            "Difference from the reference",
            "Seizures per 28 days more (above 0) or fewer (below 0) than under the reference "
            "policy, on the same days and with the same luck.",
        )
        self.view: Comparison | None = None

    def show_view(self, view: Comparison) -> None:
        """Draw the differences of a comparison."""
        self.view = view
        self.note.say(f"per 28 days, against {view.columns[0].policy}; below 0 is better")
        self.draw()
        self.show_numbers(difference_table(view))

    def draw(self) -> None:
        """Draw everything again."""
        if self.view is None:
            return
        view, theme = self.view, self.theme
        self.graph.clear()
        first = view.columns[0].timeline.first_date
        plot = self.graph.addPlot(0, 0, axisItems={"bottom": DayAxis(first)})
        dress_axes(plot, theme)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)
        label_axis(plot, "left", "per 28 d", theme)
        colours = {}
        pairs = zip(view.columns, view.difference, theme.series, strict=False)
        for column, difference, colour in pairs:
            colours[column.policy] = colour
            pen = pg.mkPen(colour, width=2)
            plot.plot(view.difference_days, difference, pen=pen, connect="finite")
        self.explain_colours(colours)


def outcomes_table(view: Comparison) -> Table:
    """The same outcomes of every policy beside one another, with their units."""
    rows = zip(*(column.outcomes.rows for column in view.columns), strict=True)
    return Table(
        columns=("outcome", *(column.policy for column in view.columns), "unit"),
        rows=tuple((same[0][0], *(each[1] for each in same), same[0][2]) for same in rows),
    )


def difference_table(view: Comparison) -> Table:
    """The differences in numbers, every 28 days."""
    days = view.difference_days
    places = np.flatnonzero(days % 28 == days[-1:] % 28)
    return Table(
        columns=("day", *(column.policy for column in view.columns)),
        rows=tuple(
            (str(days[at]), *(f"{each[at]:+.1f}" for each in view.difference)) for at in places
        ),
    )


def titled(what: str, table: Table, of: str = "") -> QFrame:
    """A table on a card, as high as it has rows, under what it shows."""
    card = QFrame()
    card.setProperty("role", "card")
    title = QLabel(what)
    title.setProperty("role", "heading")
    layout = QVBoxLayout(card)
    layout.setContentsMargins(GAP_PX, 8, GAP_PX, GAP_PX)
    layout.addWidget(title)
    if not table.rows:
        layout.addWidget(QLabel("None."))
        layout.addStretch(1)
        return card
    cells = CellsView(f"{what}, {of}" if of else what)
    cells.show_whole(table)
    layout.addWidget(cells)
    layout.addStretch(1)
    return card
