#!/usr/bin/env python3
"""Set up, show and check neurostim from a clone, with nothing but Python 3.11 or newer.

python3 dev.py demo     install into .venv, run the demonstration trial, write its report
python3 dev.py test     install into .venv, run every check
python3 dev.py test --slow --budget MINUTES   the long runs instead, and the sizes they reached
python3 dev.py app      install into .venv, open the desktop app
python3 dev.py bundle   install into .venv, make dist/neurostim, which needs no Python
python3 dev.py install  install into .venv
"""

import argparse
import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 a person may start this with any Python
    sys.exit(f"Python 3.11 or newer was expected, this is {platform.python_version()}.")

import tomllib

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
CONSTRAINTS = ROOT / "constraints.txt"
PYTORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
EXTRAS = {"app": ("app",), "bundle": ("app",), "test": ("app", "cluster", "pdf", "rl")}
"""What a command needs beyond the ordinary installation."""
SYSTEM_PACKAGES = {
    "Xvfb": "xvfb",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
}
"""What the tests of the window and of PDF need from Debian: a program or library, its package."""
PACKAGES = ("neurostim", "patient_models", "protocols", "safety")
KERNEL = ("case", "clamps", "day", "kernel", "legality", "quantity", "reading", "rise", "verdict")


def main() -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["demo", "test", "app", "bundle", "install"])
    parser.add_argument("--gpu", action="store_true", help="install torch with CUDA")
    parser.add_argument("--slow", action="store_true", help="test: the long runs instead")
    parser.add_argument(
        "--budget", type=float, metavar="MINUTES", help="about how long --slow may take"
    )
    parser.add_argument(
        "--record", action="store_true", help="keep the sizes that --slow reached, and their page"
    )
    arguments = parser.parse_args()
    if arguments.budget is not None and not arguments.budget > 0:
        parser.error(f"--budget {arguments.budget:g}: minutes above 0 were expected")
    has_gpu = arguments.gpu or shutil.which("nvidia-smi") is not None
    if arguments.command == "test":
        install_system_packages()
    if not install(EXTRAS.get(arguments.command, ()), has_gpu=has_gpu):
        return 1
    if arguments.command == "app":
        return 0 if run(str(PYTHON), "-m", "neurostim", "app") else 1
    if arguments.command == "bundle":
        return bundle()
    if arguments.command == "demo":
        return demo()
    if arguments.command == "test":
        if arguments.slow:
            return slow_tests(arguments.budget, is_recorded=arguments.record)
        return test(has_gpu=has_gpu)
    return 0


def install(extras: Sequence[str], *, has_gpu: bool) -> bool:
    """Make .venv and install into it, unless that was done for these very files before."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tools = project["dependency-groups"]["dev"] if extras == EXTRAS["test"] else []
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    state = hashlib.sha256()
    for part in (CONSTRAINTS.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(ROOT)):
        state.update(part if isinstance(part, bytes) else part.encode())
    stamp = VENV / "-".join(["installed", *extras])
    if stamp.exists() and stamp.read_text() == state.hexdigest():
        return True
    if not PYTHON.exists() and not make_venv():
        return False
    began = time.monotonic()
    say("Installing (a few minutes the first time) ...")
    if not install_torch(has_gpu=has_gpu) or not pip("install", "-e", target, *tools):
        return False
    stamp.write_text(state.hexdigest())
    say(f"Installed in {time.monotonic() - began:.0f} s.")
    return True


def install_system_packages() -> None:
    """Install what the window and PDF need where apt may; elsewhere print the line that does."""
    if platform.system() != "Linux":
        return
    missing = [package for name, package in SYSTEM_PACKAGES.items() if not is_on_system(name)]
    if not missing:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        for command in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            run("apt-get", "-qq", *command, is_quiet=True)
        missing = [package for name, package in SYSTEM_PACKAGES.items() if not is_on_system(name)]
    if missing:
        say(f"The tests of the window and of PDF want: sudo apt-get install {' '.join(missing)}")


def is_on_system(name: str) -> bool:
    """Whether a program is on the path, or a shared library can be loaded."""
    if ".so" not in name:
        return shutil.which(name) is not None
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def make_venv() -> bool:
    """Make .venv; where Python came without the means, say which package brings them."""
    if run(sys.executable, "-m", "venv", str(VENV)):
        return True
    shutil.rmtree(VENV, ignore_errors=True)
    say("A virtual environment could not be made; on Debian: apt-get install python3-venv")
    return False


def install_torch(*, has_gpu: bool) -> bool:
    """Install torch: the CPU build unless there is a GPU, since the CUDA build takes several GB.

    On Linux the package index has only the CUDA build. A build that lies on this machine (pip's
    find-links) is taken first, then the PyTorch project's own CPU index.
    """
    torch = next(
        line
        for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines()
        if line.startswith("torch==")
    )
    is_local = run(
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--dry-run",
        "--no-deps",
        "--no-index",
        "--ignore-installed",
        torch,
        is_quiet=True,
    )
    if has_gpu or is_local or platform.system() != "Linux":
        return pip("install", torch)
    if pip("install", torch, "--index-url", PYTORCH_CPU_INDEX):
        return True
    say("The PyTorch CPU index cannot be reached; taking the ordinary build.")
    return pip("install", torch)


def demo() -> int:
    """Run the demonstration trial and write its report."""
    folder = Path("runs") / time.strftime("demo-%Y%m%d-%H%M%S")
    neurostim = [str(PYTHON), "-m", "neurostim"]
    if not run(*neurostim, "run", "demo", "--seed", "1", "--out", str(folder)):
        return 1
    return 0 if run(*neurostim, "report", str(folder)) else 1


def bundle() -> int:
    """Make a folder for this platform that holds the program and all that it needs."""
    if not pip("install", "pyinstaller>=6.11"):
        return 1
    began = time.monotonic()
    collected = [
        f"--collect-{what}={package}" for package in PACKAGES for what in ("data", "submodules")
    ]
    made = run(
        *(str(PYTHON), "-m", "PyInstaller", "--noconfirm", "--log-level=WARN", "--name=neurostim"),
        *("--distpath=dist", "--workpath=build", "--specpath=build"),
        *("--copy-metadata=neurostim", "--recursive-copy-metadata=neurostim", *collected),
        *("--exclude-module=tkinter", "--exclude-module=pytest"),
        str(ROOT / "neurostim" / "bundled.py"),
    )
    if not made:
        return 1
    folder = ROOT / "dist" / "neurostim"
    size = sum(file.stat().st_size for file in folder.rglob("*") if not file.is_symlink())
    say(f"Bundled in {time.monotonic() - began:.0f} s: {folder}, {size / 1e6:.0f} MB.")
    return 0


def test(*, has_gpu: bool) -> int:
    """Run formatter, linters, types and tests; every check runs, and the failed ones are named."""
    tool = [str(PYTHON), "-m"]
    kernel = ",".join(f"safety/{module}.py" for module in KERNEL)
    checks: dict[str, Sequence[str]] = {
        "format": [*tool, "ruff", "format", "--check", "."],
        "lint": [*tool, "ruff", "check", "."],
        "types": [*tool, "mypy"],
        "imports": [str(BIN / "lint-imports"), "--no-cache"],
        "tests": [*tool, "pytest", "-q", "-n", "auto", "--durations=10", "--cov", "--cov-report="],
        "coverage": [*tool, "coverage", "report", "--skip-covered"],
        "kernel coverage": [
            *tool,
            "coverage",
            "report",
            f"--include={kernel}",
            "--fail-under=100",
        ],
    }
    if has_gpu:
        checks["gpu tests"] = [*tool, "pytest", "-q", "-m", "gpu"]
    failed = []
    for name, command in checks.items():
        say(f"== {name}")
        if not run(*command):
            failed.append(name)
    say(f"Failed: {', '.join(failed)}." if failed else "Everything passed.")
    return 1 if failed else 0


def slow_tests(budget_minutes: float | None, *, is_recorded: bool) -> int:
    """Run the long statistical, fuzzing, mutation and enumeration tests; print their sizes.

    Without a budget each of them runs to the size it is meant to have.
    """
    verification = [str(PYTHON), "-m", "tests.safety.verification.sizes"]
    if budget_minutes is not None:
        os.environ["NEUROSTIM_SLOW_MINUTES"] = str(budget_minutes)
    run(*verification, "clear")
    pytest = [str(PYTHON), "-m", "pytest", "-q", "-n", "auto", "-m", "slow", "--durations=10"]
    has_passed = run(*pytest)
    run(*verification, "record" if is_recorded and has_passed else "print")
    if is_recorded and has_passed:
        run(str(PYTHON), "-m", "tests.safety.verification.traceability")
    return 0 if has_passed else 1


def pip(*arguments: str) -> bool:
    """Run pip in .venv under the constraints."""
    quiet = ("--quiet", "--disable-pip-version-check")
    return run(str(PYTHON), "-m", "pip", *arguments, *quiet, "--constraint", str(CONSTRAINTS))


def run(*command: str, is_quiet: bool = False) -> bool:
    """Run a command in the clone; whether it succeeded."""
    output = subprocess.DEVNULL if is_quiet else None
    return subprocess.run(command, cwd=ROOT, stdout=output, stderr=output).returncode == 0


def say(sentence: str) -> None:
    """Print a line now, in order with what the commands print."""
    print(sentence, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
