"""What the window asks in a dialog: how a file is to be read, who answers for wider limits."""

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from neurostim.app.plots import label_of
from neurostim.app.qt_tables import CellsView
from neurostim.app.session import Session
from neurostim.app.views import DiaryPreview, Table
from patient_models.diaries import EVERY_DATE
from protocols import InputError
from safety import Person, Role

NOT_THERE = "not in this file"
QUESTIONS: Mapping[str, str] = {
    "date": "Date of each row",
    "count": "Seizures on that day",
    "patient": "Patient",
    "kind": "Kind of event",
}


class Question(QDialog):
    """A dialog with labelled fields, an explanation above and two buttons beneath."""

    def __init__(self, parent: QWidget, title: str, explanation: str, confirm: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(520)
        self.explanation = QLabel(explanation)
        self.explanation.setWordWrap(True)
        self.form = QFormLayout()
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.setVerticalSpacing(10)
        buttons = QDialogButtonBox()
        self.confirm = buttons.addButton(confirm, QDialogButtonBox.ButtonRole.AcceptRole)
        self.confirm.setProperty("role", "primary")
        self.confirm.setDefault(True)
        buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.body = QVBoxLayout(self)
        self.body.setSpacing(12)
        self.body.addWidget(self.explanation)
        self.body.addLayout(self.form)
        self.body.addWidget(buttons)

    def add(self, label: str, field: QWidget) -> None:
        """Add a field under a label that a screen reader speaks."""
        field.setAccessibleName(label)
        self.form.addRow(label_of(label, field), field)


class Loosening(Question):
    """Two people in two roles and a reason; what they are worth is for the safety layer to say."""

    def __init__(self, parent: QWidget, what: str) -> None:
        super().__init__(
            parent,
            "Loosen a limit",
            f"{what}\n\nLoosening takes a clinician and a safety officer, two different people, "
            "and a reason. All three are written to the audit log.",
            "Loosen the limit",
        )
        self.clinician, self.officer, self.reason = QLineEdit(), QLineEdit(), QLineEdit()
        self.add("Clinician", self.clinician)
        self.add("Safety officer", self.officer)
        self.add("Reason", self.reason)
        for field in (self.clinician, self.officer, self.reason):
            field.textChanged.connect(self.allow)
        self.allow()

    def allow(self) -> None:
        """Let the button be pressed once everything is filled in."""
        fields = (self.clinician, self.officer, self.reason)
        self.confirm.setEnabled(all(field.text().strip() for field in fields))

    @property
    def people(self) -> tuple[Person, Person]:
        """Who answers for it."""
        return (
            Person(self.clinician.text().strip(), Role.CLINICIAN),
            Person(self.officer.text().strip(), Role.SAFETY_OFFICER),
        )


class DiaryReading(Question):
    """How the columns of a CSV file are to be understood, shown beside what comes of it.

    Raises `InputError` where the file cannot be read at all.
    """

    def __init__(self, parent: QWidget, session: Session, path: Path) -> None:
        super().__init__(
            parent,
            "Import a diary",
            f"Which column of {path.name} is which? A day without an entry counts as missing, "
            "never as zero seizures.",
            "Import",
        )
        self.session, self.path = session, path
        self.setMinimumWidth(720)
        preview = session.preview_diary(path)
        rows = CellsView(f"First rows of {path.name}")
        rows.show_table(Table(columns=preview.headings, rows=preview.rows))
        rows.setMinimumHeight(200)
        self.understood = CellsView("What is understood")
        self.understood.setMinimumHeight(120)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.setProperty("role", "problem")
        self.columns: dict[str, QComboBox] = {}
        for name, label in QUESTIONS.items():
            choice = QComboBox()
            choice.addItems([NOT_THERE, *preview.headings])
            if name == "count":
                choice.addItem("every column that is a date", EVERY_DATE)
            chosen = preview.mapping.get(name, NOT_THERE)
            if choice.findText(chosen) < 0:
                choice.addItem(chosen)
            choice.setCurrentText(chosen)
            choice.currentIndexChanged.connect(lambda _place: self.understand())
            self.add(label, choice)
            self.columns[name] = choice
        self.body.insertWidget(1, rows)
        self.body.insertWidget(3, self.understood)
        self.body.insertWidget(4, self.problem)
        self.show_preview(preview)

    @property
    def mapping(self) -> dict[str, str]:
        """Which column is what, for those that there are."""
        return {
            name: choice.currentData() or choice.currentText()
            for name, choice in self.columns.items()
            if choice.currentIndex() > 0
        }

    def understand(self) -> None:
        """Read the file as it is mapped now."""
        try:
            self.show_preview(self.session.preview_diary(self.path, self.mapping))
        except InputError as error:
            self.say(str(error))
            self.confirm.setEnabled(False)

    def say(self, problem: str) -> None:
        """Say what is wrong, if anything is."""
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))

    def show_preview(self, preview: DiaryPreview) -> None:
        """Show what is understood, and let it be imported only where nothing is wrong."""
        self.understood.show_table(preview.understood)
        self.say(preview.problem)
        self.confirm.setEnabled(not preview.problem)


class NewPatient(Question):
    """Which virtual patient to draw."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(
            parent,
            "New virtual patient",
            "A simulated person drawn from a population. The same seed draws the same person.",
            "Draw the patient",
        )
        self.label = QLineEdit("Virtual patient")
        self.label.setMaxLength(80)
        self.seed = QSpinBox()
        self.seed.setRange(0, 999_999_999)
        self.seed.setValue(1)
        self.add("Label (no name of a real person)", self.label)
        self.add("Seed", self.seed)
