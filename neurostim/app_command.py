"""The desktop app: `neurostim app [FILE]`."""

import ctypes
import os
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from protocols import InputError

DISTRIBUTIONS = {"PySide6": "PySide6-Essentials", "pyqtgraph": "pyqtgraph"}
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
}
X11_LIBRARIES = {
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
}
"""What Qt loads on Linux, and the packages of Debian and Ubuntu that bring it; under X11 more:
https://doc.qt.io/qt-6/linux-requirements.html. Without one of them Qt ends the process."""


def app(
    file: Annotated[
        Path | None, typer.Argument(help="A patient file.  [default: where you left off]")
    ] = None,
) -> None:
    """Open the desktop app: explore policies for one simulated patient."""
    problem = what_is_missing(os.environ, sys.platform, is_installed, is_on_system)
    if problem:
        raise InputError(problem)
    from neurostim.app.window import run

    raise typer.Exit(run(file))


def what_is_missing(
    environment: Mapping[str, str],
    platform: str,
    is_module: Callable[[str], bool],
    is_library: Callable[[str], bool],
) -> str:
    """Why no window can open here, in one sentence; empty when one can."""
    modules = [name for name in DISTRIBUTIONS if not is_module(name)]
    if modules:
        names = " and ".join(DISTRIBUTIONS[name] for name in modules)
        return f"the app needs {names}: pip install neurostim[app]"
    if platform != "linux":
        return ""
    asked_for = environment.get("QT_QPA_PLATFORM", "")
    is_wayland = bool(environment.get("WAYLAND_DISPLAY"))
    if not (asked_for or is_wayland or environment.get("DISPLAY")):
        return "there is no screen to open a window on: DISPLAY or WAYLAND_DISPLAY was expected"
    is_x11 = asked_for.startswith("xcb") or not (asked_for or is_wayland)
    wanted = LIBRARIES | (X11_LIBRARIES if is_x11 else {})
    missing = [name for name in wanted if not is_library(name)]
    if not missing:
        return ""
    packages = " ".join(wanted[name] for name in missing)
    return (
        f"the app needs system libraries that are not here ({', '.join(missing)}): "
        f"sudo apt-get install {packages}"
    )


def is_installed(module: str) -> bool:
    """Whether a module can be imported."""
    return find_spec(module) is not None


def is_on_system(library: str) -> bool:
    """Whether a shared library can be loaded."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
