"""The window: one session on screen; whatever takes longer than a moment runs beside it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtPrintSupport import QPrintDialog, QPrinter
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMainWindow

from neurostim.app import theme as themes
from neurostim.app.jobs import Job
from neurostim.app.panels.futures import FuturesPanel
from neurostim.app.panels.header import HeaderPanel
from neurostim.app.panels.limits import LimitsPanel
from neurostim.app.panels.page import Page
from neurostim.app.panels.policies import PoliciesPanel
from neurostim.app.panels.what_if import WhatIfPanel
from neurostim.app.plots import Chart
from neurostim.app.qt_actions import KeySheet, actions
from neurostim.app.qt_dialogs import DiaryReading, Loosening, NewPatient
from neurostim.app.qt_jobs import Watch
from neurostim.app.qt_paper import Sheet, paint, write_pdf
from neurostim.app.session import Session
from neurostim.app.views import NOTICE
from protocols import InputError
from safety import Person, Role

SIZE_PX, LEAST_SIZE_PX = (1440, 900), (1040, 640)
PATIENT_FILES, DIARIES, PDF_FILES, CSV_FILES = (
    "Patient files (*.json)",
    "Diaries (*.csv *.tsv)",
    "PDF files (*.pdf)",
    "CSV files (*.csv)",
)
SCHEMES: tuple[themes.Scheme, ...] = ("system", "light", "dark")
TABS = ("beliefs", "policies", "what_if", "futures", "limits")
WAITING = ("new", "sample", "open", "import", "step", "year", "compare", "undo", "redo")
"""What cannot be asked for while a job runs."""

ZOOMS = {"zoom_in": 0.7, "zoom_out": 1 / 0.7, "zoom_all": None}


class Window(QMainWindow):
    """One session on screen.

    `ask_path` asks a person for a file: it is given a title, what files are meant and whether the
    file is to be written, and returns None where no file was chosen.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.scheme: themes.Scheme = "system"
        self.ask_path = self.file_dialog
        self.watch = Watch(self, self.show_progress, self.job_ended, self.refused)
        self.actions_ = actions(self, self.answers())
        self.page = Page(
            HeaderPanel(self.actions_, self.choose_policy),
            PoliciesPanel(self.compare),
            WhatIfPanel(self.branch, self.choose_scenario, self.remove_scenario),
            FuturesPanel(self.show_futures),
            LimitsPanel(self.tighten, self.loosen),
            tab_names=[self.actions_[name].text() for name in TABS],
        )
        self.setCentralWidget(self.page)
        self.setMinimumSize(*LEAST_SIZE_PX)
        self.resize(*SIZE_PX)
        self.setWindowTitle("neurostim")
        self.dress()
        self.application.styleHints().colorSchemeChanged.connect(lambda _scheme: self.dress())
        self.page.say("Opening the patient…")

    @property
    def application(self) -> QApplication:
        """The application that this window belongs to."""
        found = QApplication.instance()
        assert isinstance(found, QApplication)
        return found

    def answers(self) -> dict[str, Callable[[], object]]:
        """What answers each command."""
        tabs = {name: lambda at=at: self.show_tab(at) for at, name in enumerate(TABS)}
        zooms = {
            name: lambda factor=factor: self.page.timeline.zoom(factor)
            for name, factor in ZOOMS.items()
        }
        return {
            **tabs,
            **zooms,
            "new": self.new,
            "sample": lambda: self.work(self.session.open_sample),
            "open": self.open,
            "import": self.import_diary,
            "save": lambda: self.save(None),
            "save_as": self.save_as,
            "pdf": self.export_pdf,
            "csv": self.export_csv,
            "print": self.print,
            "quit": self.close,
            "undo": self.undo,
            "redo": self.redo,
            "step": lambda: self.work(self.session.step),
            "year": lambda: self.work(self.session.run),
            "pause": self.pause,
            "cancel": self.cancel,
            "compare": lambda: self.compare(self.page.policies.choice.names),
            "timeline": lambda: self.page.timeline.graph.setFocus(
                Qt.FocusReason.ShortcutFocusReason
            ),
            "tables": self.show_tables,
            "theme": self.next_scheme,
            "keys": lambda: KeySheet(self).exec(),
        }

    # Work, and what is shown of it.

    def begin(self, path: Path | None) -> None:
        """Open a file, what a killed session left, or the sample: the window is never blank."""
        if path is not None:
            self.work(lambda: self.session.open(path))
        elif self.session.can_recover:
            self.work(self.session.recover)
        else:
            self.work(self.session.open_sample)

    def work(self, make: Callable[[], Job[Any]]) -> None:
        """Start what a person asked for, and show the patient again when it has ended."""
        self.attempt(lambda: self.watch.start(make, lambda _job: self.refresh()))

    def attempt(self, deed: Callable[[], object]) -> bool:
        """Do something at once; whether it went well, else the sentence is shown."""
        try:
            deed()
        except (InputError, OSError) as error:
            self.page.alert.say(str(error))
            return False
        return True

    def show_progress(self, job: Job[Any]) -> None:
        """Show how far a job is, and allow what is possible meanwhile."""
        self.page.header.show_job(job)
        self.allow()

    def job_ended(self, job: Job[Any]) -> None:
        """Say what went wrong, if anything did."""
        if job.error:
            self.page.alert.say(job.error)
        self.page.header.show_job(None)
        self.allow()

    def refused(self, sentence: str) -> None:
        """Say why what waited was not started."""
        self.page.alert.say(sentence)

    def allow(self) -> None:
        """Enable what can be done now."""
        is_busy, has_patient = self.watch.is_busy, self.session.has_patient
        for name in WAITING:
            self.actions_[name].setEnabled(not is_busy)
        for name in ("pause", "cancel"):
            self.actions_[name].setEnabled(is_busy)
        job = self.watch.job
        self.actions_["pause"].setText("Go on" if is_busy and job and job.is_paused else "Pause")
        for name in ("save", "save_as", "pdf", "csv", "print"):
            self.actions_[name].setEnabled(has_patient)
        if has_patient and not is_busy:
            status = self.session.status()
            for name, what in (("undo", status.can_undo), ("redo", status.can_redo)):
                self.actions_[name].setEnabled(bool(what))
                self.actions_[name].setToolTip(f"{name.capitalize()}: {what}" if what else "")
            for name in ("step", "year"):
                self.actions_[name].setEnabled(status.can_step)

    def refresh(self) -> None:
        """Show the session as it is now, and have the beliefs worked out behind it."""
        session = self.session
        if not session.has_patient:
            return
        policies = session.policies()
        if self.page.header.policy.count() != len(policies):
            self.page.offer(policies, session.status().policy)
        self.show_status()
        self.page.timeline.show_view(session.timeline())
        lines = session.scenarios()
        self.page.what_if.show_view(lines, [session.timeline(line.name) for line in lines])
        self.page.what_if.point_at(self.page.timeline.day)
        self.page.limits.show_view(session.limits())
        try:
            self.watch.start(session.beliefs, self.show_beliefs, is_background=True)
        except InputError as error:
            self.page.say_beliefs(str(error))

    def show_status(self) -> None:
        """Show whose session it is and what is saved."""
        status = self.session.status()
        self.page.header.show_status(status)
        self.setWindowTitle(f"{status.patient} · neurostim")
        self.allow()

    def show_beliefs(self, job: Job[Any]) -> None:
        """Show what is believed and proposed, or why nothing is."""
        if job.result is None:
            self.page.proposal.say(job.error or "The proposal was not worked out.")
            return
        posterior, proposal = job.result
        self.page.slice.show_view(posterior)
        self.page.beliefs.show_view(posterior)
        self.page.proposal.show_view(proposal)

    # What a person does.

    def new(self) -> None:
        """Ask which virtual patient to draw."""
        asked = NewPatient(self)
        if asked.exec() == QDialog.DialogCode.Accepted:
            seed, label = asked.seed.value(), asked.label.text()
            self.work(lambda: self.session.new_virtual(seed, label=label))

    def open(self) -> None:
        """Ask for a patient file and open it."""
        path = self.ask_path("Open a patient", PATIENT_FILES, False)
        if path is not None:
            self.work(lambda: self.session.open(path))

    def import_diary(self) -> None:
        """Ask for a diary, and how its columns are meant."""
        path = self.ask_path("Import a diary", DIARIES, False)
        if path is None:
            return
        asked: list[DiaryReading] = []
        if not self.attempt(lambda: asked.append(DiaryReading(self, self.session, path))):
            return
        if asked[0].exec() == QDialog.DialogCode.Accepted:
            mapping = asked[0].mapping
            self.work(lambda: self.session.import_diary(path, mapping))

    def save(self, path: Path | None) -> None:
        """Save where the patient lies already, or ask where."""
        if path is None and not self.session.status().file:
            self.save_as()
        elif self.attempt(lambda: self.session.save(path)):
            self.show_status()

    def save_as(self) -> None:
        """Ask where to save."""
        path = self.ask_path("Save the patient", PATIENT_FILES, True)
        if path is not None:
            self.save(path)

    def export_csv(self) -> None:
        """Write the epochs as a table."""
        path = self.ask_path("Export the epochs", CSV_FILES, True)
        if path is not None:
            self.attempt(lambda: self.session.export_csv(path))

    def export_pdf(self) -> None:
        """Write what is on screen as pages."""
        path = self.ask_path("Export what is on screen", PDF_FILES, True)
        if path is not None:
            with self.on_paper() as sheet:
                self.attempt(lambda: write_pdf(path, sheet))

    def print(self) -> None:
        """Print what is on screen."""
        printer = QPrinter(QPrinter.PrinterMode.HighResolution)
        if QPrintDialog(printer, self).exec() == QDialog.DialogCode.Accepted:
            with self.on_paper() as sheet:
                paint(printer, sheet)

    @contextmanager
    def on_paper(self) -> Iterator[Sheet]:
        """What is on screen in the light theme, as a sheet for paper."""
        scheme = self.scheme
        self.scheme = "light"
        self.dress()
        status = self.session.status()
        where = f"{status.day_text} · {status.scenario} · {status.policy}"
        try:
            yield Sheet(
                title=status.patient,
                subtitle=where,
                banner=NOTICE,
                panels=self.page.panels_on_screen,
            )
        finally:
            self.scheme = scheme
            self.dress()

    def undo(self) -> None:
        """Take back the last thing that was done."""
        if self.attempt(self.session.undo):
            self.refresh()

    def redo(self) -> None:
        """Do again what was taken back."""
        if self.attempt(self.session.redo):
            self.refresh()

    def pause(self) -> None:
        """Have the job wait, or go on."""
        job = self.watch.job
        if job is not None:
            (job.go_on if job.is_paused else job.pause)()
            self.show_progress(job)

    def cancel(self) -> None:
        """Have the job end."""
        if self.watch.job is not None:
            self.watch.job.cancel()

    def choose_policy(self, name: str) -> None:
        """Have another policy propose from the next visit on."""
        if self.attempt(lambda: self.session.choose_policy(name)):
            self.refresh()

    def compare(self, policies: Sequence[str]) -> None:
        """Run policies on the same patient and luck, and show them side by side."""
        self.show_tab(TABS.index("policies"))

        def answer(job: Job[Any]) -> None:
            if job.result is not None:
                self.page.policies.show_view(job.result)

        self.attempt(lambda: self.watch.start(lambda: self.session.compare(policies), answer))

    def show_futures(self, policies: Sequence[str]) -> None:
        """Have the futures of the twin of a diary worked out."""

        def answer(job: Job[Any]) -> None:
            if job.result is not None:
                self.page.futures.show_view(job.result)

        self.attempt(lambda: self.watch.start(lambda: self.session.fans(policies), answer))

    def branch(self, name: str, day: int, what: str) -> None:
        """Branch a scenario off the one that is shown."""
        self.work(lambda: self.session.branch(name, day, what))

    def choose_scenario(self, name: str) -> None:
        """Show another scenario."""
        if self.attempt(lambda: self.session.choose_scenario(name)):
            self.refresh()

    def remove_scenario(self, name: str) -> None:
        """Forget a scenario; undo brings it back."""
        if self.attempt(lambda: self.session.remove_scenario(name)):
            self.refresh()

    def tighten(self, limit: str, value: str, by: str) -> None:
        """Tighten a limit in the name of one person."""
        if self.attempt(lambda: self.session.tighten(limit, value, Person(by, Role.CLINICIAN))):
            self.refresh()

    def loosen(self, limit: str, value: str) -> None:
        """Ask two people and a reason, and loosen a limit."""
        asked = Loosening(self, f"{self.page.limits.limit.label}: {value}")
        if asked.exec() != QDialog.DialogCode.Accepted:
            return
        reason = asked.reason.text()
        if self.attempt(lambda: self.session.loosen(limit, value, asked.people, reason)):
            self.refresh()

    # How it looks.

    def show_tab(self, place: int) -> None:
        """Bring one of the views to the front."""
        self.page.tabs.setCurrentIndex(place)
        self.page.tabs.tabBar().setFocus(Qt.FocusReason.ShortcutFocusReason)

    def show_tables(self) -> None:
        """Show every plot as a table, or every one as a plot again."""
        is_table = not self.page.timeline.toggle.isChecked()
        for chart in self.page.findChildren(Chart):
            chart.toggle.setChecked(is_table)

    def next_scheme(self) -> None:
        """System, light and dark, in turn."""
        self.scheme = SCHEMES[(SCHEMES.index(self.scheme) + 1) % len(SCHEMES)]
        self.dress()

    def dress(self) -> None:
        """Dress everything in the theme that is chosen now."""
        self.page.dress(themes.apply(self.application, self.scheme))

    def file_dialog(self, title: str, files: str, is_written: bool) -> Path | None:
        """Ask a person for a file."""
        ask = QFileDialog.getSaveFileName if is_written else QFileDialog.getOpenFileName
        name = ask(self, title, "", files)[0]
        return Path(name) if name else None

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """End what runs; the session saves what is not saved yet."""
        self.watch.stop()
        self.session.close()
        event.accept()


def run(path: Path | None) -> int:
    """Open the window, on a file where one is named; returns the exit code when it is closed."""
    application = QApplication.instance() or QApplication(sys.argv[:1])
    application.setApplicationName("neurostim")
    window = Window(Session())
    window.show()
    QTimer.singleShot(0, lambda: window.begin(path))
    code = application.exec()
    # Plots that outlive the application crash the process as it ends.
    window.deleteLater()
    application.processEvents()
    return code
