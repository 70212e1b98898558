"""How long the window takes to show, and to answer a hover, a scrub and a change of theme.

    python tests/benchmarks/window_speed.py [--runs 5]

On a screen (a real one, or Xvfb by DISPLAY): medians and the largest of the runs, in ms of the
clock. The window is shown by a process of its own, from its start to its first picture; the others
are measured in one window with a year of a simulated patient, drawing included.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtWidgets import QApplication

from neurostim.app.session import Session
from neurostim.app.window import Window

SHOW = """
import sys, time
from pathlib import Path
from PySide6.QtWidgets import QApplication
from neurostim.app.session import Session
from neurostim.app.window import Window
application = QApplication([])
window = Window(Session(Path(sys.argv[1])))
window.show()
application.processEvents()
assert "torch" not in sys.modules
window.close()
window.deleteLater()
application.processEvents()
"""
Timings = dict[str, list[float]]


def timed(timings: Timings, name: str, call: Callable[[], object]) -> None:
    """Keep how long a call took, in ms."""
    before = time.perf_counter()
    call()
    timings.setdefault(name, []).append(1000 * (time.perf_counter() - before))


def measure(n_runs: int, folder: Path) -> Timings:
    """Return the times of every step."""
    timings = Timings()
    command = [sys.executable, "-c", SHOW, str(folder / "shown")]
    for _ in range(n_runs):
        timed(timings, "start to window", lambda: subprocess.run(command, check=True))
    application = QApplication([])
    window = Window(Session(folder / "measured"))
    window.resize(1440, 900)
    window.show()
    window.work(lambda: window.session.new_virtual(1))
    wait(application, window)
    window.work(window.session.run)
    wait(application, window)
    page = window.page

    def hover(day: int) -> None:
        page.timeline.set_day(day)
        application.processEvents()

    def point(place: int) -> None:
        page.beliefs.set_cell(page.beliefs.cell._replace(frequency=place, amplitude=place))
        application.processEvents()

    def repaint() -> None:
        window.next_scheme()
        application.processEvents()

    for run in range(20 * n_runs):
        timed(timings, "scrub the timeline by a day", lambda run=run: hover(100 + run))
        timed(timings, "hover another setting", lambda run=run: point(run % 5))
    for _ in range(n_runs):
        timed(timings, "another theme", repaint)
    window.close()
    window.deleteLater()
    application.processEvents()
    return timings


def wait(application: QApplication, window: Window) -> None:
    """Until nothing runs any more."""
    while window.watch.job:
        application.processEvents()
        time.sleep(0.01)


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    with TemporaryDirectory() as folder:
        timings = measure(parser.parse_args().runs, Path(folder))
    for name, times in timings.items():
        print(f"{name:30} {statistics.median(times):8.1f} ms, at most {max(times):8.1f} ms")


if __name__ == "__main__":
    main()
