"""Everything in the window by keyboard alone, and under a name for a screen reader."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from app.driving import Person
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QSpinBox, QWidget

from neurostim.app.plots import Chart
from neurostim.app.qt_actions import COMMANDS, KeySheet
from neurostim.app.theme import DARK, HIT_TARGET_PX, LIGHT
from neurostim.app.window import TABS, Window

MOST_STOPS = 200


@pytest.fixture(scope="module")
def person(application: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    folder = tmp_path_factory.mktemp("keyboard")
    somebody = Person(application, folder / "session", folder)
    somebody.window.work(lambda: somebody.window.session.new_virtual(3))
    somebody.wait()
    yield somebody
    somebody.leave()


def reachable(window: Window) -> set[QWidget]:
    """Every visible and enabled widget that says the Tab key leads to it."""
    return {
        widget
        for widget in window.page.findChildren(QWidget)
        if widget.isVisible()
        and widget.isEnabled()
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.focusProxy() is None
    }


def tabbed(person: Person) -> set[QWidget]:
    """Where the Tab key leads, until it is back where it began."""
    window = person.window
    first = window.page.header.policy
    first.setFocus()
    stops: list[QWidget] = []
    for _ in range(MOST_STOPS):
        stop = person.application.focusWidget()
        if stop is None or (stops and stop is stops[0]):
            break
        stops.append(stop)
        QTest.keyClick(stop, Qt.Key.Key_Tab)
    return set(stops)


@pytest.mark.parametrize("tab", range(len(TABS)), ids=TABS)
def test_tab_leads_to_every_control_and_each_has_a_name(person: Person, tab: int) -> None:
    person.window.page.limits.lock.setChecked(True)
    person.window.page.limits.person.setText("A. Clinician")
    person.window.page.tabs.setCurrentIndex(tab)
    person.wait()
    expected = reachable(person.window)
    assert len(expected) >= 10
    assert expected <= tabbed(person)
    unnamed = [widget for widget in expected if not spoken_name(widget)]
    assert not unnamed
    names = Counter((spoken_name(widget), type(widget)) for widget in expected)
    assert not [name for name, n in names.items() if n > 1]


def spoken_name(widget: QWidget) -> str:
    """What a screen reader calls a widget: by its label, else by its own name.

    The name of a combo box is its value where the accessibility bus of Unix is spoken.
    """
    interface = QAccessible.queryAccessibleInterface(widget)
    labels = interface.relations(QAccessible.RelationFlag.Label)
    if labels or isinstance(widget, QComboBox | QSpinBox):
        return " ".join(label.text(QAccessible.Text.Name) for label, _ in labels)
    return interface.text(QAccessible.Text.Name)


def test_every_plot_has_a_description_and_a_table(person: Person) -> None:
    charts = person.window.page.findChildren(Chart)
    assert len(charts) >= 5
    for chart in charts:
        interface = QAccessible.queryAccessibleInterface(chart.graph)
        assert interface.text(QAccessible.Text.Name)
        assert len(interface.text(QAccessible.Text.Description)) > 20
    QTest.keyClick(person.window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    page = person.window.page
    for chart in (page.timeline, page.beliefs, page.slice, page.what_if.rates):
        assert chart.stack.currentWidget() is chart.table
        assert chart.table.cells.rowCount() > 0
    QTest.keyClick(person.window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert page.timeline.stack.currentWidget() is page.timeline.graph


def test_every_command_has_a_key_of_its_own_on_the_sheet(person: Person) -> None:
    keys = [action.shortcut().toString() for action in person.window.actions_.values()]
    assert all(keys)
    assert len(set(keys)) == len(keys) == len(COMMANDS)
    sheet = KeySheet(person.window)
    shown = {row[1] for row in sheet.table.cells.table.rows}
    assert {command.keys for command in COMMANDS.values()} <= shown
    sheet.deleteLater()


def test_what_is_clicked_is_large_enough(person: Person) -> None:
    kinds = (QAbstractButton, QComboBox, QLineEdit, QSpinBox)
    for tab in range(len(TABS)):
        person.window.page.tabs.setCurrentIndex(tab)
        person.application.processEvents()
        for widget in person.window.page.findChildren(QWidget):
            is_inner = isinstance(widget.parent(), QSpinBox | QComboBox)
            if isinstance(widget, kinds) and widget.isVisible() and not is_inner:
                size = (widget.width(), widget.height())
                assert min(size) >= HIT_TARGET_PX, (spoken_name(widget), size)


def test_arrow_keys_move_the_cursors_and_what_follows_them(person: Person) -> None:
    page = person.window.page
    page.tabs.setCurrentIndex(0)
    day = page.timeline.day
    QTest.keyClick(page.timeline.graph, Qt.Key.Key_Left)
    assert page.timeline.day == day - 1
    assert page.what_if.day.value() == day - 1
    assert f"(day {day - 1})" in page.timeline.reading.text()
    page.beliefs.set_cell(page.beliefs.cell._replace(frequency=0))
    before = page.slice.title.text()
    QTest.keyClick(page.beliefs.graph, Qt.Key.Key_Up)
    assert page.beliefs.cell.frequency == 1
    assert page.slice.title.text() != before


def test_the_window_needs_no_torch_before_it_shows() -> None:
    code = "import sys, neurostim.app.window; print(sorted({'torch', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_theme_follows_a_choice(person: Person) -> None:
    control = Qt.KeyboardModifier.ControlModifier
    QTest.keyClick(person.window, Qt.Key.Key_D, control)
    assert person.window.page.timeline.theme is LIGHT
    QTest.keyClick(person.window, Qt.Key.Key_D, control)
    assert person.window.page.timeline.theme is DARK
    QTest.keyClick(person.window, Qt.Key.Key_D, control)
    assert person.window.scheme == "system"


def test_a_mistake_is_said_in_the_window_and_can_be_dismissed(
    person: Person, tmp_path: Path
) -> None:
    path = tmp_path / "patient.json"
    path.write_text("<b>no patient</b>", encoding="utf-8")
    person.window.work(lambda: person.window.session.open(path))
    person.wait()
    assert str(path) in person.complaint
    assert "Traceback" not in person.complaint
    person.click(person.window.page.alert.dismiss)
    assert person.complaint == ""
