"""How quickly the app answers, printed: `python tests/benchmarks/app_speed.py`.

Import to ready, opening the sample, one policy step, three policies through a year, what is shown,
and memory. Times are of the wall, and hold for an otherwise idle machine; the load is printed with
them. Targets are those of issue 7: a step within 0.5 s, three policies a year within 10 s, a hover
or a scrub within 50 ms.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurostim.app.jobs import Job
from neurostim.app.session import Session

N_TIMES = 5
POLICIES = ("titration", "random", "gp")
IMPORT = "import time; t = time.perf_counter(); import neurostim.app.session; print(time.perf_counter() - t)"  # noqa: E501


def seconds(deed: Callable[[], Any]) -> float:
    """How long a deed takes; of a job, to its end."""
    began = time.perf_counter()
    done = deed()
    if isinstance(done, Job):
        done.wait()
        if done.error:
            raise SystemExit(f"{done.title}: {done.error}")
    return time.perf_counter() - began


def show(what: str, times: list[float], target: str = "") -> None:
    """Print the median and the worst of some times."""
    ordered = sorted(times)
    print(f"{what:44} {ordered[len(ordered) // 2]:8.3f} s, at most {ordered[-1]:8.3f} s  {target}")


def main() -> None:
    """Measure, and print."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
    imports = [
        float(
            subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, check=True).stdout
        )
        for _ in range(N_TIMES)
    ]
    show("importing the session", imports)
    session = Session(Path(tempfile.mkdtemp()))
    show("opening the sample, first", [seconds(session.open_sample)], "(window at once)")
    show("beliefs, first: loads torch twice", [seconds(session.beliefs)])
    show("beliefs", [seconds(session.beliefs) for _ in range(N_TIMES)])
    show("one step of gp", [seconds(session.step) for _ in range(N_TIMES)], "target 0.5")
    compare = lambda: session.compare(POLICIES)  # noqa: E731
    show("three policies a year, first", [seconds(compare)], "target 10")
    show("three policies a year", [seconds(compare) for _ in range(N_TIMES)], "target 10")
    show("a year of gp", [seconds(session.run)])
    for name in ("timeline", "status", "scenarios", "limits", "policies"):
        show(name, [seconds(getattr(session, name)) for _ in range(N_TIMES)], "target 0.05")
    branch = lambda: session.branch("held", 160, "hold")  # noqa: E731
    show("a branch of a year and more", [seconds(branch)])
    show("saving", [seconds(lambda: session.save(Path(tempfile.mkdtemp()) / "p.json"))])
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    session.close()
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    print(f"memory: {megabytes:.0f} MB here, {children:.0f} MB in the largest controller process")


if __name__ == "__main__":
    main()
