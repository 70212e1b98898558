"""A person at the window, for tests: waits for work, presses keys and buttons, takes pictures."""

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QPushButton, QWidget

from neurostim.app.session import Session
from neurostim.app.window import Window

PATIENCE_S = 240.0


class Person:
    """Somebody who uses one window; `pictures` is where screenshots go."""

    def __init__(self, application: QApplication, folder: Path, pictures: Path) -> None:
        self.application, self.pictures = application, pictures
        self.window = Window(Session(folder))
        self.window.show()
        QTest.qWaitForWindowExposed(self.window)
        self.window.activateWindow()
        self.longest_gap_s = 0.0

    @property
    def complaint(self) -> str:
        """What the window says went wrong, empty when nothing did."""
        alert = self.window.page.alert
        return alert.sentence.text() if alert.isVisible() else ""

    def wait(self) -> None:
        """Until nothing runs any more; how long the window was deaf meanwhile is kept."""
        end = time.monotonic() + PATIENCE_S
        last = time.monotonic()
        quiet = 0
        while quiet < 3:
            self.application.processEvents()
            now = time.monotonic()
            self.longest_gap_s = max(self.longest_gap_s, now - last)
            assert now < end, f"still at {self.window.page.header.where.text()!r}"
            last = now
            quiet = 0 if self.window.watch.job else quiet + 1
            time.sleep(0.005)

    def press(self, key: Qt.Key, *modifiers: Qt.KeyboardModifier) -> None:
        """Press a key in the window, and wait for what comes of it."""
        held = Qt.KeyboardModifier.NoModifier
        for modifier in modifiers:
            held |= modifier
        self.window.activateWindow()  # there is no window manager to do it when a dialog closes
        QTest.qWaitForWindowActive(self.window)
        QTest.keyClick(self.window, key, held)
        self.wait()

    def click(self, button: QWidget) -> None:
        """Click in the middle of something that can be seen and used, and wait."""
        assert button.isVisible()
        assert button.isEnabled()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=button.rect().center())
        self.wait()

    def in_dialog(self, act: Callable[[QDialog], None]) -> None:
        """Do something in the next dialog that opens."""

        def look() -> None:
            dialog = self.application.activeModalWidget()
            if isinstance(dialog, QDialog):
                act(dialog)
            else:
                QTimer.singleShot(20, look)

        QTimer.singleShot(20, look)

    def picture(self, name: str) -> QImage:
        """Keep what the window looks like now."""
        self.application.processEvents()
        image = self.window.grab().toImage()
        image.save(str(self.pictures / f"{name}.png"))
        return image

    def leave(self) -> None:
        """Close the window, for good."""
        self.window.close()
        self.window.deleteLater()
        self.application.processEvents()


def confirm(dialog: QDialog, text: str) -> None:
    """Click the button of a dialog that says so."""
    buttons = dialog.findChildren(QPushButton)
    found = next(button for button in buttons if button.text() == text)
    assert found.isEnabled()
    QTest.mouseClick(found, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))


def picture_of(widget: QWidget) -> QImage:
    """What one widget looks like."""
    return widget.grab().toImage()


def n_colours(image: QImage) -> int:
    """How many colours there are on a grid of points: a blank picture has one or two."""
    points = ((x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3))
    return len({image.pixel(x, y) for x, y in points})
