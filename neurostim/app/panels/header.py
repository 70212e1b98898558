"""The bar above everything: which patient, which policy, and what can be done next."""

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
)

from neurostim.app.jobs import Job
from neurostim.app.plots import Line
from neurostim.app.theme import GAP_PX
from neurostim.app.views import Status

BUTTONS = ("undo", "redo", "step", "year", "pause", "cancel")


class HeaderPanel(QFrame):
    """The patient to the left, the policy and the buttons to the right, progress beneath."""

    def __init__(self, actions: Mapping[str, QAction], chosen: Callable[[str], None]) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.patient = QLabel("No patient yet")
        self.patient.setProperty("role", "title")
        self.patient.setTextFormat(Qt.TextFormat.PlainText)
        self.patient.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.standing = ""
        self.where = Line("")
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(self.patient)
        names.addWidget(self.where)
        self.policy = QComboBox()
        self.policy.setAccessibleName("Policy of this scenario")
        self.policy.setMinimumContentsLength(10)
        self.policy.textActivated.connect(chosen)
        label = QLabel("&Policy")
        label.setBuddy(self.policy)
        self.progress = QProgressBar()
        self.progress.setAccessibleName("Progress")
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1000)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addLayout(names, 1)
        row.addWidget(label)
        row.addWidget(self.policy)
        for name in BUTTONS:
            row.addWidget(button_of(actions[name], is_primary=name == "step"))
        body = QVBoxLayout(self)
        body.setContentsMargins(16, 8, GAP_PX, 4)
        body.setSpacing(4)
        body.addLayout(row)
        body.addWidget(self.progress)

    def show_status(self, status: Status) -> None:
        """Show where the session is."""
        name = status.file.replace("\\", "/").rpartition("/")[2] or "not in a file yet"
        self.patient.setText(status.patient)
        self.patient.setToolTip(status.patient)
        changed = " · changed" if status.is_changed else ""
        self.standing = f"{status.day_text} · {status.scenario} · {name}{changed}"
        self.where.say(self.standing)
        self.policy.setPlaceholderText(status.policy)
        self.policy.setCurrentIndex(self.policy.findText(status.policy))

    def show_job(self, job: Job[object] | None) -> None:
        """Show how far a job is and how long it may still take; None for no job."""
        progress = job.progress if job else None
        self.progress.setValue(round(1000 * progress.share) if progress else 0)
        if job is None or progress is None:
            self.where.say(self.standing)
            return
        texts = [progress.sentence or job.title]
        if job.is_paused:
            texts.append("paused")
        elif progress.remaining_s is not None:
            texts.append(f"about {max(1, round(progress.remaining_s))} s left")
        self.where.say(" · ".join(texts))


def button_of(action: QAction, *, is_primary: bool) -> QPushButton:
    """A button that does what an action does, and is enabled when it is."""
    button = QPushButton(action.text())
    button.setAccessibleName(action.text())
    button.setToolTip(action.toolTip())
    button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    if is_primary:
        button.setProperty("role", "primary")
    button.clicked.connect(action.trigger)

    def follow() -> None:
        button.setEnabled(action.isEnabled())
        button.setText(action.text())
        button.setAccessibleName(action.text())
        button.setToolTip(action.toolTip())

    action.changed.connect(follow)
    return button
