"""Ten tasks of a clinician, in one window on a real X server, each judged by what is shown."""

import csv
import re
from pathlib import Path

import numpy as np
from app.driving import Person, confirm, n_colours, picture_of
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog

from neurostim.app.qt_dialogs import DiaryReading
from neurostim.app.views import NOTICE

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
MISSING_DAYS = (5, 6)
COUNTS = [None if day in MISSING_DAYS else day % 3 for day in range(84)]
BLANK_COLOURS = 12
"""A card without a plot has its text's shades of grey, and few others."""

DEAF_S = 2.0
"""The first import of numerical libraries holds Python's lock for a while, in any thread."""


def test_ten_tasks(application: QApplication, tmp_path: Path) -> None:
    person = Person(application, tmp_path / "first", tmp_path)
    try:
        open_sample(person)
        import_diary(person, tmp_path / "diary.csv")
        read_proposal(person)
        step_a_year(person)
        compare_policies(person)
        branch_what_if(person)
        tighten_limit(person)
        undo(person)
        export(person, tmp_path)
        save_and_reopen(person, application, tmp_path)
    finally:
        person.leave()
    assert len(list(tmp_path.glob("*.png"))) == 10


def open_sample(person: Person) -> None:
    person.window.begin(None)
    person.wait()
    person.picture("01-sample")
    page = person.window.page
    assert person.complaint == ""
    assert page.banner.text() == NOTICE
    assert page.banner.isVisible()
    assert page.header.patient.text() == person.window.session.status().patient
    assert page.timeline.view is not None
    assert page.timeline.view.n_days >= 56
    for panel in (page.timeline, page.beliefs, page.slice):
        assert panel.stack.currentWidget() is panel.graph
        assert n_colours(picture_of(panel.graph)) > BLANK_COLOURS


def import_diary(person: Person, path: Path) -> None:
    lines = (
        f"2026-{1 + day // 28:02d}-{1 + day % 28:02d},{'' if count is None else count}"
        for day, count in enumerate(COUNTS)
    )
    path.write_text("\n".join(["Day,Seizures", *lines]) + "\n", encoding="utf-8")
    window = person.window
    window.ask_path = lambda _title, _files, _is_written: path
    seen = []

    def read(dialog: QDialog) -> None:
        assert isinstance(dialog, DiaryReading)
        seen.append(dialog.mapping)
        confirm(dialog, "Import")

    person.in_dialog(read)
    person.press(Qt.Key.Key_I, CONTROL)
    person.picture("02-diary")
    assert seen == [{"date": "Day", "count": "Seizures"}]
    assert person.complaint == ""
    view = window.page.timeline.view
    assert view is not None
    written = [None if np.isnan(count) else int(count) for count in view.counts]
    assert [count for count in written if count is not None] == [
        count for count in COUNTS if count is not None
    ]
    assert np.isnan(view.counts[list(MISSING_DAYS)]).all()
    assert not window.actions_["step"].isEnabled()
    person.press(Qt.Key.Key_N, CONTROL, SHIFT)
    assert window.actions_["step"].isEnabled()


def read_proposal(person: Person) -> None:
    panel = person.window.page.proposal
    person.picture("03-proposal")
    why = panel.why.text.text().split("\n\n")
    assert 3 <= len(why) <= 5
    assert all(sentence.endswith(".") for sentence in why)
    table = panel.table.cells.table
    assert table.columns[1:] == ("previous", "proposed", "delivered")
    assert re.fullmatch(r"\d+\.\d", panel.rate.number.text())
    assert re.fullmatch(r"90 % interval \d+\.\d to \d+\.\d", panel.rate.beside.text())
    assert panel.chance.number.text().endswith(" %")


def step_a_year(person: Person) -> None:
    window = person.window
    before = window.session.status().day
    person.longest_gap_s = 0.0
    person.press(Qt.Key.Key_F6)
    person.picture("04-year")
    after = window.session.status().day
    assert after >= before + 84
    assert window.page.timeline.view is not None
    assert window.page.timeline.view.n_days == after
    assert person.longest_gap_s < DEAF_S


def compare_policies(person: Person) -> None:
    window = person.window
    names = list(window.session.policies())[:3]
    for choice, name in zip(window.page.policies.choice.choices, names, strict=False):
        choice.setCurrentText(name)
    person.press(Qt.Key.Key_F9)
    person.picture("05-policies")
    view = window.page.policies.view
    assert view is not None
    assert [column.policy for column in view.columns] == names
    assert not np.nan_to_num(view.difference[0]).any()
    assert len(window.page.policies.timelines) == 3
    tops = {panel.plots["rate"].viewRange()[1][1] for panel in window.page.policies.timelines}
    assert len(tops) == 1


def branch_what_if(person: Person) -> None:
    window = person.window
    panel = window.page.what_if
    original = window.session.timeline("original").table
    person.press(Qt.Key.Key_3, CONTROL)
    panel.day.setValue(112)
    panel.what.setCurrentIndex(panel.what.findData("stop"))
    person.click(panel.branch)
    person.picture("06-what-if")
    assert person.complaint == ""
    assert [line.name for line in panel.lines] == ["original", "stop from day 112"]
    assert panel.lines[1].is_current
    assert window.session.timeline("original").table == original
    branch = window.page.timeline.view
    assert branch is not None
    assert branch.strips[-1].site == "off"
    assert branch.strips[-1].end_day == branch.n_days


def tighten_limit(person: Person) -> None:
    window = person.window
    person.press(Qt.Key.Key_1, CONTROL)
    beliefs = window.page.beliefs
    assert beliefs.view is not None
    before, picture = n_permitted(person), picture_of(beliefs.graph)
    person.press(Qt.Key.Key_5, CONTROL)
    panel = window.page.limits
    assert not panel.tighten.isEnabled()
    person.click(panel.lock)
    panel.which.setCurrentIndex(panel.which.findText("Amplitude"))
    panel.value.setCurrentText("2")
    panel.person.setText("A. Clinician")
    person.click(panel.tighten)
    assert person.complaint == ""
    assert panel.log.cells.table.rows
    person.press(Qt.Key.Key_1, CONTROL)
    person.picture("07-limit")
    assert n_permitted(person) < before
    assert picture_of(beliefs.graph) != picture


def n_permitted(person: Person) -> int:
    view = person.window.page.beliefs.view
    assert view is not None
    return int(sum(each.is_permitted.sum() for each in view.maps))


def undo(person: Person) -> None:
    tightened = n_permitted(person)
    person.press(Qt.Key.Key_Z, CONTROL)
    person.press(Qt.Key.Key_3, CONTROL)
    person.picture("08-undo")
    assert [line.name for line in person.window.page.what_if.lines] == ["original"]
    assert n_permitted(person) <= tightened
    assert person.window.actions_["redo"].isEnabled()


def export(person: Person, folder: Path) -> None:
    window = person.window
    paths = {"PDF": folder / "screen.pdf", "CSV": folder / "epochs.csv"}
    window.ask_path = lambda _title, files, _is_written: paths[files[:3]]
    person.press(Qt.Key.Key_2, CONTROL)
    person.press(Qt.Key.Key_E, CONTROL)
    person.press(Qt.Key.Key_E, CONTROL, SHIFT)
    person.picture("09-exports")
    assert person.complaint == ""
    content = paths["PDF"].read_bytes()
    assert content.startswith(b"%PDF-")
    # One page of what is on screen, and the comparison in full on two or more.
    assert len(re.findall(rb"/Type /Page\b", content)) >= 3
    with paths["CSV"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    view = window.page.timeline.view
    assert view is not None
    assert sum(int(row["days"]) for row in rows) == view.n_days


def save_and_reopen(person: Person, application: QApplication, folder: Path) -> None:
    path = folder / "patient.json"
    person.window.ask_path = lambda _title, _files, _is_written: path
    person.press(Qt.Key.Key_S, CONTROL)
    assert person.complaint == ""
    shown = person.window.page.timeline.view
    limits = person.window.session.limits().table
    other = Person(application, folder / "second", folder)
    try:
        other.window.begin(path)
        other.wait()
        other.picture("10-reopened")
        assert other.complaint == ""
        assert shown is not None
        assert other.window.page.timeline.view is not None
        assert other.window.page.timeline.view.table == shown.table
        assert other.window.session.limits().table == limits
        assert other.window.session.status().file == str(path)
    finally:
        other.leave()
