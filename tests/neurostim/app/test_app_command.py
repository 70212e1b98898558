"""Starting: nothing heavy before the window shows, and a sentence where none can show."""

import subprocess
import sys

import pytest

from neurostim.app_command import LIBRARIES, X11_LIBRARIES, what_is_missing

HEAVY = ("torch", "botorch", "gpytorch", "pandas", "scipy", "pyarrow", "simpy")
SCREEN = {"DISPLAY": ":0"}


def test_a_session_begins_without_anything_heavy() -> None:
    program = (
        "import sys, neurostim.app.session as s; s.Session().status(); "
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


def always(_name: str) -> bool:
    return True


def never(_name: str) -> bool:
    return False


def test_where_everything_is_there_nothing_is_missing() -> None:
    assert what_is_missing(SCREEN, "linux", always, always) == ""
    assert what_is_missing({}, "darwin", always, never) == ""


def test_without_qt_one_sentence_says_what_to_install() -> None:
    sentence = "the app needs PySide6-Essentials and pyqtgraph: pip install neurostim[app]"
    assert what_is_missing(SCREEN, "linux", never, always) == sentence


def test_without_a_screen_one_sentence_says_so() -> None:
    assert "DISPLAY or WAYLAND_DISPLAY" in what_is_missing({}, "linux", always, always)
    assert what_is_missing({"QT_QPA_PLATFORM": "offscreen"}, "linux", always, always) == ""


ENVIRONMENTS = [
    (SCREEN, True),
    ({"QT_QPA_PLATFORM": "xcb", "WAYLAND_DISPLAY": "wayland-0"}, True),
    ({"WAYLAND_DISPLAY": "wayland-0"}, False),
    ({"QT_QPA_PLATFORM": "offscreen"}, False),
]


@pytest.mark.parametrize(("environment", "is_x11"), ENVIRONMENTS)
def test_without_libraries_one_sentence_names_their_packages(
    environment: dict[str, str], is_x11: bool
) -> None:
    sentence = what_is_missing(environment, "linux", always, never)
    wanted = LIBRARIES | (X11_LIBRARIES if is_x11 else {})
    assert sentence.endswith("sudo apt-get install " + " ".join(wanted.values()))
    assert "\n" not in sentence
    one = what_is_missing(SCREEN, "linux", always, lambda name: name != "libEGL.so.1")
    assert one == (
        "the app needs system libraries that are not here (libEGL.so.1): "
        "sudo apt-get install libegl1"
    )


def test_the_command_line_prints_the_sentence_alone() -> None:
    program = (
        "import sys; from neurostim import app_command, command_line\n"
        "app_command.is_installed = lambda name: False\n"
        "sys.argv = ['neurostim', 'app']; command_line.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "neurostim: the app needs PySide6-Essentials and pyqtgraph: pip install neurostim[app]\n"
    )
