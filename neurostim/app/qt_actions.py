"""Everything the window can be told to do: its words, its keys and its menus, in one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QMainWindow, QVBoxLayout, QWidget

from neurostim.app.qt_tables import CellsView
from neurostim.app.views import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One thing to do: where it is found, what it is called, and its keys."""

    menu: str
    name: str
    text: str
    keys: str
    hint: str


def _commands() -> Mapping[str, Command]:
    rows = (
        ("File", "new", "New virtual patient…", "Ctrl+N", "Draw another simulated patient"),
        ("File", "sample", "Open the sample patient", "Ctrl+Shift+N", "Start over with the sample"),
        ("File", "open", "Open…", "Ctrl+O", "Open a patient file"),
        ("File", "import", "Import a diary…", "Ctrl+I", "Read a seizure diary from a CSV file"),
        ("File", "save", "Save", "Ctrl+S", "Save the patient file"),
        ("File", "save_as", "Save as…", "Ctrl+Shift+S", "Save under another name"),
        ("File", "pdf", "Export PDF…", "Ctrl+E", "Write what is on screen as a PDF file"),
        ("File", "csv", "Export CSV…", "Ctrl+Shift+E", "Write the epochs as a CSV file"),
        ("File", "print", "Print…", "Ctrl+P", "Print what is on screen"),
        ("File", "quit", "Quit", "Ctrl+Q", "Close the window; the work is saved"),
        ("Edit", "undo", "Undo", "Ctrl+Z", "Take the last step back"),
        ("Edit", "redo", "Redo", "Ctrl+Shift+Z", "Take the step again"),
        ("Run", "step", "Step", "F5", "Live one epoch with what the policy proposes"),
        ("Run", "year", "Run a year", "F6", "Live a year of epochs"),
        ("Run", "pause", "Pause", "F7", "Wait after this epoch, or go on"),
        ("Run", "cancel", "Cancel", "F8", "Stop the work under way"),
        ("Run", "compare", "Compare policies", "F9", "Run the chosen policies on the same luck"),
        ("View", "beliefs", "Beliefs", "Ctrl+1", "What the policy believes of each setting"),
        ("View", "policies", "Policies", "Ctrl+2", "Policies side by side"),
        ("View", "what_if", "What if", "Ctrl+3", "Scenarios that branch off on a day"),
        ("View", "futures", "Futures", "Ctrl+4", "Futures of the person of a diary"),
        ("View", "limits", "Limits", "Ctrl+5", "What may be delivered"),
        ("View", "timeline", "Timeline", "Ctrl+0", "Move to the timeline"),
        ("View", "tables", "Show as tables", "Ctrl+T", "Show the numbers of every plot"),
        ("View", "zoom_in", "Zoom in", "Ctrl++", "See fewer days"),
        ("View", "zoom_out", "Zoom out", "Ctrl+-", "See more days"),
        ("View", "zoom_all", "All days", "Ctrl+Home", "See every day"),
        ("View", "theme", "Light or dark", "Ctrl+D", "System, light, dark, in turn"),
        ("Help", "keys", "Keyboard", "F1", "Show every key"),
    )
    return {
        name: Command(menu=menu, name=name, text=text, keys=keys, hint=hint)
        for menu, name, text, keys, hint in rows
    }


COMMANDS: Final = _commands()

INSIDE_PLOTS: Final = (
    ("In a plot", "Left, Right", "Move the cursor", "Move the linked cursor by one day or setting"),
    ("In a plot", "Up, Down", "Move the cursor", "Move between settings of a map"),
    ("Anywhere", "Tab, Shift+Tab", "Next, previous control", ""),
    ("Anywhere", "Space, Enter", "Press what has the focus", ""),
)


def actions(window: QMainWindow, answers: Mapping[str, Callable[[], object]]) -> dict[str, QAction]:
    """Put every command into the window's menus, bound to what answers it."""
    made = {}
    menus = {}
    for command in COMMANDS.values():
        if command.menu not in menus:
            menus[command.menu] = window.menuBar().addMenu(f"&{command.menu}")
        action = QAction(command.text, window)
        action.setShortcut(QKeySequence(command.keys))
        action.setToolTip(f"{command.hint} ({command.keys})")
        action.setStatusTip(command.hint)
        answer = answers[command.name]
        action.triggered.connect(lambda _checked=False, answer=answer: answer())
        menus[command.menu].addAction(action)
        made[command.name] = action
    return made


class KeySheet(QDialog):
    """Every key there is, on one sheet."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard")
        self.resize(720, 640)
        self.table = CellsView("Keys")
        rows = [(each.menu, each.keys, each.text, each.hint) for each in COMMANDS.values()]
        columns = ("where", "keys", "what", "why")
        self.table.show_table(Table(columns=columns, rows=(*rows, *INSIDE_PLOTS)))
        buttons = QDialogButtonBox()
        buttons.addButton("Close", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.table)
        layout.addWidget(buttons)
