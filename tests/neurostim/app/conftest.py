"""A real X server and one application for the tests of the window."""

import os
import subprocess
from collections.abc import Iterator

import pytest
import shiboken6
from PySide6.QtWidgets import QApplication


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QApplication]:
    """A Qt application on an Xvfb of its own, with settings and autosaves in an empty folder."""
    home = tmp_path_factory.mktemp("home")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x1000x24"]
    with subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        # The number and its line end are written apart; a pipe closed between them ends Xvfb.
        with os.fdopen(reading, encoding="ascii") as answer:
            display = answer.readline().strip()
        assert display, "Xvfb has not started: dev.py test installs it"
        environment = {
            "DISPLAY": f":{display}",
            "QT_QPA_PLATFORM": "xcb",
            "XDG_CONFIG_HOME": str(home),
            "XDG_DATA_HOME": str(home),
            "XDG_STATE_HOME": str(home),
        }
        os.environ.update(environment)
        made = QApplication(["neurostim"])
        yield made
        shiboken6.delete(made)
        server.terminate()
