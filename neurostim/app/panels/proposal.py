"""What comes next and why: previous, proposed and delivered, what is expected, in sentences."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHeaderView, QLabel, QSizePolicy, QVBoxLayout, QWidget

from neurostim.app.qt_tables import CellsView
from neurostim.app.theme import GAP_PX
from neurostim.app.views import Interval, Proposal

HEADING = "Next setting"
NOTHING, ROW_PX = "—", 26


class ProposalPanel(QFrame):
    """A card to read from top to bottom."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setAccessibleName("Proposal")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(16, GAP_PX, 16, GAP_PX)
        self.body.setSpacing(8)
        self.message = self.text("", "muted")
        self.heading = self.text(HEADING, "title")
        self.proposed = self.text("", "")
        self.rate = Figure("Expected seizures per 28 days")
        self.chance = Figure("Probability of improvement")
        self.ruling = self.text("", "")
        self.table = CellsView("Previous, proposed and delivered, side by side")
        self.table.verticalHeader().setMinimumSectionSize(ROW_PX)
        self.table.setProperty("role", "small")
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.why = Sentences("Why this setting")
        self.changed = Sentences("What safety changed")
        for part in (
            self.heading,
            self.message,
            self.proposed,
            self.rate,
            self.chance,
            self.ruling,
            self.table,
            self.why,
            self.changed,
        ):
            self.body.addWidget(part)
        self.body.addStretch(1)
        self.say("The proposal is being worked out…")

    def text(self, text: str, role: str) -> QLabel:
        """A paragraph in one of the theme's roles."""
        label = QLabel(text)
        label.setWordWrap(True)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setProperty("role", role)
        return label

    def say(self, sentence: str) -> None:
        """Say why there is nothing to show."""
        self.heading.setText(HEADING)
        self.message.setText(f"{sentence[:1].upper()}{sentence[1:]}")
        self.show_parts(is_known=False)

    def show_parts(self, *, is_known: bool) -> None:
        """Show the message, or everything but the message."""
        self.message.setVisible(not is_known)
        for part in (self.proposed, self.ruling, self.table, self.why, self.changed):
            part.setVisible(is_known)
        for figure in (self.rate, self.chance):
            figure.setVisible(is_known)

    def show_view(self, view: Proposal) -> None:
        """Show a proposal."""
        self.show_parts(is_known=True)
        self.heading.setText(f"{HEADING}, by {view.policy}")
        self.proposed.setText(view.delivered)
        self.rate.show_number(*interval_texts(view.seizures_per_28_days))
        chance = view.probability_of_improvement
        self.chance.setVisible(chance is not None)
        if chance is not None:
            self.chance.show_number(f"{100 * chance:.0f} %", "against off")
        self.rate.setVisible(view.seizures_per_28_days is not None)
        self.ruling.setText(f"Safety: {view.ruling}")
        self.table.show_table(view.table)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.table.resizeRowsToContents()
        height = self.table.verticalHeader().length() + self.table.horizontalHeader().height()
        self.table.setFixedHeight(height + 4)
        self.why.show_sentences(view.why)
        self.changed.show_sentences(view.changed)


class Figure(QFrame):
    """One number, large, with what it is above and its interval beside it."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.setProperty("role", "tile")
        self.setAccessibleName(what)
        heading = QLabel(what)
        heading.setProperty("role", "heading")
        self.number = QLabel()
        self.number.setProperty("role", "figure")
        self.beside = QLabel()
        self.beside.setProperty("role", "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GAP_PX, 8, GAP_PX, 8)
        layout.setSpacing(0)
        for part in (heading, self.number, self.beside):
            layout.addWidget(part)

    def show_number(self, number: str, beside: str) -> None:
        """Show another number."""
        self.number.setText(number)
        self.beside.setText(beside)
        self.setAccessibleDescription(f"{number}, {beside}")


class Sentences(QWidget):
    """Plain sentences under a heading; nothing at all where there is none."""

    def __init__(self, heading: str) -> None:
        super().__init__()
        self.setAccessibleName(heading)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        title = QLabel(heading)
        title.setProperty("role", "heading")
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(title)
        layout.addWidget(self.text)

    def show_sentences(self, sentences: Sequence[str]) -> None:
        """Show each sentence as a paragraph."""
        self.setVisible(bool(sentences))
        self.text.setText("\n\n".join(sentences))
        self.setAccessibleDescription(" ".join(sentences))


def interval_texts(interval: Interval | None) -> tuple[str, str]:
    """A number and its interval in words."""
    if interval is None:
        return NOTHING, "not known yet"
    return f"{interval.middle:.1f}", f"90 % interval {interval.low:.1f} to {interval.high:.1f}"
