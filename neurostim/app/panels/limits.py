"""What may be delivered: locked by default, tightened by one person, loosened by two."""

from collections.abc import Callable

from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from neurostim.app.plots import label_of
from neurostim.app.qt_tables import CellsView
from neurostim.app.theme import GAP_PX
from neurostim.app.views import Limit, Limits

LOCKED, UNLOCKED = "Unlock limits", "Lock limits"


class LimitsPanel(QWidget):
    """The limits in force, and a form that is locked until somebody unlocks it.

    `tightened` is told the limit, its value and who asks; `loosened` the limit and its value.
    """

    def __init__(
        self,
        tightened: Callable[[str, str, str], None],
        loosened: Callable[[str, str], None],
    ) -> None:
        super().__init__()
        self.view: Limits | None = None
        self.lock = QPushButton(LOCKED)
        self.lock.setCheckable(True)
        self.lock.setAccessibleDescription("Limits are locked until this is pressed")
        self.lock.toggled.connect(self.unlock)
        self.which, self.value, self.person = QComboBox(), QComboBox(), QLineEdit()
        self.which.currentIndexChanged.connect(lambda _place: self.offer_values())
        self.person.textChanged.connect(lambda _text: self.allow())
        self.person.setPlaceholderText("your name")
        self.tighten = QPushButton("Tighten")
        self.tighten.setProperty("role", "primary")
        self.loosen = QPushButton("Loosen…")
        self.tighten.clicked.connect(
            lambda: tightened(self.limit.name, self.value.currentText(), self.person.text())
        )
        self.loosen.clicked.connect(lambda: loosened(self.limit.name, self.value.currentText()))
        self.table, self.log = CellsView("Limits in force"), CellsView("Changes of the limits")
        self.summary = QLabel()
        self.summary.setProperty("role", "muted")
        self.summary.setWordWrap(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, GAP_PX, 0, 0)
        layout.setSpacing(GAP_PX)
        layout.addWidget(self.side(), 2)
        layout.addWidget(self.tables(), 3)
        self.unlock(is_unlocked=False)

    def side(self) -> QFrame:
        """The form."""
        card = QFrame()
        card.setProperty("role", "card")
        title = QLabel("Change a limit")
        title.setProperty("role", "title")
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        fields = {"Limit": self.which, "Value": self.value, "By": self.person}
        for label, field in fields.items():
            field.setAccessibleName(f"Limits: {label.lower()}")
            form.addRow(label_of(label, field), field)
        buttons = QHBoxLayout()
        buttons.addWidget(self.loosen)
        buttons.addStretch(1)
        buttons.addWidget(self.tighten)
        body = QVBoxLayout(card)
        body.setContentsMargins(GAP_PX, 8, GAP_PX, GAP_PX)
        body.setSpacing(8)
        body.addWidget(title)
        body.addWidget(self.summary)
        body.addWidget(self.lock)
        body.addLayout(form)
        body.addLayout(buttons)
        body.addStretch(1)
        return card

    def tables(self) -> QFrame:
        """What is in force, and who changed what."""
        card = QFrame()
        card.setProperty("role", "card")
        body = QVBoxLayout(card)
        body.setContentsMargins(GAP_PX, 8, GAP_PX, GAP_PX)
        for text, table, share in (("In force", self.table, 3), ("Log", self.log, 1)):
            title = QLabel(text)
            title.setProperty("role", "heading")
            body.addWidget(title)
            body.addWidget(table, share)
        return card

    @property
    def limit(self) -> Limit:
        """The limit that is chosen."""
        assert self.view is not None
        return self.view.limits[self.which.currentIndex()]

    def show_view(self, view: Limits) -> None:
        """Show the limits in force; the chosen one stays chosen."""
        place = max(self.which.currentIndex(), 0)
        self.view = view
        self.which.blockSignals(True)
        self.which.clear()
        self.which.addItems([each.label for each in view.limits])
        self.which.setCurrentIndex(min(place, len(view.limits) - 1))
        self.which.blockSignals(False)
        self.offer_values()
        n_tightened = sum(each.is_tightened for each in view.limits)
        tightened = f"{n_tightened} tightened" if n_tightened else "none tightened"
        self.summary.setText(
            f"{view.envelope}: {len(view.limits)} limits, {tightened}. A limit is tightened by one "
            "person. Loosening it takes a clinician, a safety officer and a reason."
        )
        self.table.show_table(view.table)
        self.log.show_table(view.log)

    def offer_values(self) -> None:
        """Offer the values that the chosen limit can take."""
        if self.view is None:
            return
        self.value.clear()
        self.value.addItems(list(self.limit.choices))
        if self.limit.kind != "one of" and self.limit.in_force:
            self.value.setCurrentText(self.limit.in_force[0])
        self.value.setToolTip(f"{self.limit.label}, {self.limit.unit}".rstrip(", "))

    def unlock(self, is_unlocked: bool) -> None:
        """Let the limits be changed, or not."""
        self.lock.setText(UNLOCKED if is_unlocked else LOCKED)
        for field in (self.which, self.value, self.person, self.loosen):
            field.setEnabled(is_unlocked)
        self.allow()

    def allow(self) -> None:
        """Tightening takes a name."""
        is_named = bool(self.person.text().strip())
        self.tighten.setEnabled(self.lock.isChecked() and is_named)
