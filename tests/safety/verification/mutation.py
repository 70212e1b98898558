"""Runs the tests against every mutant of safety/, and writes which of them survived.

python -m tests.safety.verification.mutation [--minutes M] [--jobs N] [--only kernel rise]
    [--tests EXPRESSION] [--trial SECONDS] [--go-on] [--write]

The tests are collected and run once in this process, which notes what each of them calls. For each
mutant a copy of this process puts the changed code in place and runs the tests that call it, the
quickest first, until one fails. Nothing is written to the source. `--write` makes mutants.md anew.
`--go-on` keeps what earlier runs found: how long tests take and what they call, and which mutants
were killed of modules that have not changed since. So a long run is done in pieces, and after new
tests only the survivors are tried again.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import time
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.safety.verification.mutants import BODY, Mutant, mutants_of
from tests.safety.verification.sizes import ROOT, note

SOURCE = ROOT / "safety"
TESTS = ("tests/safety", "tests/patient_models/test_device_check.py")
QUICK = "not 200_000 and not proofs and not fuzzing"
"""Which tests are run: those that were left out take longest and notice least by themselves."""

REPORT = Path(__file__).with_name("mutants.md")
REVIEWED = Path(__file__).with_name("reviewed.toml")
LONGEST_TEST_S = 5.0
"""A test that computes for longer is cut off and left out; the others must do without it."""

LONGEST_TRIAL_S = 10.0
"""How many seconds of tests a mutant is tried by: one that no such test notices is alive."""

KEPT = ROOT / "build" / "mutation.json"

KILLED, SURVIVED, UNTESTED = "killed", "survived", "untested"


@dataclass(slots=True)
class Mutation:
    """The pytest plugin that does the work when the tests have been collected."""

    mutants: list[Mutant]
    minutes: float | None
    jobs: int
    trial_s: float = LONGEST_TRIAL_S
    seconds: dict[pytest.Item, float] = field(default_factory=dict)
    calls: dict[pytest.Item, set[tuple[str, str]]] = field(default_factory=dict)
    outcomes: dict[Mutant, str] = field(default_factory=dict)
    known: dict[str, tuple[float, list[tuple[str, str]]]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    long: list[str] = field(default_factory=list)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Let Hypothesis find the same examples each time, and not shrink what it finds."""
        from hypothesis import Phase, settings  # not before pytest, which rewrites its asserts

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile(
            "mutation", settings(), phases=phases, derandomize=True, database=None
        )
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run every test as it is, then the mutants."""
        began = time.monotonic()
        for item in session.items:
            if item.nodeid not in self.known:
                self.measure(item)
                continue
            seconds, found = self.known[item.nodeid]
            if seconds >= LONGEST_TEST_S:
                self.long.append(item.nodeid)
                continue
            self.seconds[item] = seconds
            self.calls[item] = {(each[0], each[1]) for each in found}
        seconds = time.monotonic() - began
        print(f"{len(self.seconds)} tests in {seconds:.0f} s", flush=True)
        print(
            f"{len(self.long)} are too long and {len(self.failed)} fail by themselves", flush=True
        )
        running: dict[int, Mutant] = {}
        for mutant in sorted(self.mutants, key=self.outcomes.__contains__):  # new ones first
            if self.outcomes.get(mutant) == KILLED:
                continue
            if self.minutes and time.monotonic() - began > 60 * self.minutes:
                break
            tests = self.tests_for(mutant)
            if not tests:
                self.outcomes[mutant] = UNTESTED
                continue
            while len(running) >= self.jobs:
                self.wait(running)
            if not (child := os.fork()):
                os._exit(self.is_killed(mutant, tests))
            running[child] = mutant
        while running:
            self.wait(running)
        return True

    def measure(self, item: pytest.Item) -> None:
        """Run one test as it is; note how long it takes and what of safety/ it calls."""
        found: set[tuple[str, str]] = set()

        def watch(frame: FrameType, event: str, argument: object) -> None:
            if event == "call" and frame.f_code.co_filename.startswith(f"{SOURCE}{os.sep}"):
                found.add(named(frame.f_code))

        began = time.process_time()
        signal.signal(signal.SIGPROF, cut_off)
        signal.setitimer(signal.ITIMER_PROF, LONGEST_TEST_S)
        sys.setprofile(watch)
        reports = []
        try:
            reports = runtestprotocol(item, log=False, nextitem=None)
        except Exception:  # cut off where pytest cannot say where
            item.session._setupstate.teardown_exact(None)
        finally:
            sys.setprofile(None)
            signal.setitimer(signal.ITIMER_PROF, 0)
        seconds = time.process_time() - began
        if seconds >= LONGEST_TEST_S or not reports:
            self.long.append(item.nodeid)
        elif any(report.failed for report in reports):
            self.failed.append(item.nodeid)
        else:
            self.seconds[item], self.calls[item] = seconds, found

    def tests_for(self, mutant: Mutant) -> list[pytest.Item]:
        """Return the tests that may notice a mutant, the quickest first.

        Of the values of a module any test may notice, those first that call something of it.
        """
        able = [
            item
            for item, found in self.calls.items()
            if mutant.function == BODY or (mutant.module, mutant.function) in found
        ]
        turn = {
            item: (
                all(module != mutant.module for module, _ in self.calls[item]),
                self.seconds[item],
            )
            for item in able
        }
        chosen, total_s = [], 0.0
        for item in sorted(able, key=turn.__getitem__):
            total_s += self.seconds[item]
            if chosen and total_s > self.trial_s:
                break
            chosen.append(item)
        return chosen

    def is_killed(self, mutant: Mutant, tests: list[pytest.Item]) -> bool:
        """In a copy of this process: whether a test fails; SIGALRM ends one that hangs."""
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        try:
            put_in_place(mutant)
        except Exception:  # a module that cannot be loaded is noticed
            return True
        for item in tests:
            signal.setitimer(signal.ITIMER_REAL, 10 + 10 * self.seconds[item])
            if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)):
                return True
        return False

    def wait(self, running: dict[int, Mutant]) -> None:
        """Take the result of one copy that has ended."""
        child, status = os.wait()
        has_survived = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        self.outcomes[running.pop(child)] = SURVIVED if has_survived else KILLED

    def kept(self) -> dict[str, dict[str, Any]]:
        """Return what the next run may go on with."""
        modules: dict[str, Any] = {}
        for mutant, outcome in self.outcomes.items():
            row = {"text": digest(mutant.module), "outcomes": {}}
            modules.setdefault(mutant.module, row)["outcomes"][mutant.key] = outcome
        tests: dict[str, Any] = {name: (LONGEST_TEST_S, []) for name in self.long}
        for item, item_s in self.seconds.items():
            tests[item.nodeid] = item_s, sorted(self.calls[item])
        return {"tests": tests, "modules": modules}

    def go_on(self, kept: dict[str, dict[str, Any]]) -> None:
        """Take over what an earlier run found of tests and of modules that are still the same."""
        self.known = {name: (row[0], row[1]) for name, row in kept["tests"].items()}
        for mutant in self.mutants:
            row = kept["modules"].get(mutant.module, {"text": "", "outcomes": {}})
            if row["text"] == digest(mutant.module) and mutant.key in row["outcomes"]:
                self.outcomes[mutant] = row["outcomes"][mutant.key]


def digest(module: str) -> str:
    """Return a hash of the text of a module."""
    return hashlib.sha256((SOURCE / f"{module}.py").read_bytes()).hexdigest()


class TooLongError(BaseException):
    """A test takes too long to be of use here."""


def cut_off(number: int, frame: FrameType | None) -> None:
    """End the test that runs."""
    raise TooLongError


def named(code: CodeType) -> tuple[str, str]:
    """Return module and function of code, what is nested in it counting as its own."""
    return Path(code.co_filename).stem, code.co_qualname.partition(".<locals>")[0]


def put_in_place(mutant: Mutant) -> None:
    """Change a function where it stands, or the values of a module wherever they are known."""
    module = sys.modules[f"safety.{mutant.module}"]
    if mutant.function != BODY:
        function_of(module, mutant.function).__code__ = mutant.code()
        return
    changed: dict[str, object] = {"__name__": module.__name__, "__file__": module.__file__}
    exec(mutant.code(), changed)
    for name, old in vars(module).copy().items():
        take_defaults(old, changed.get(name))
        if name in changed and not callable(old) and not isinstance(old, ModuleType):
            for other in [*sys.modules.values()]:
                is_near = getattr(other, "__name__", "").startswith(("safety", "tests"))
                if is_near and getattr(other, name, None) is old:
                    setattr(other, name, changed[name])


def take_defaults(old: object, new: object) -> None:
    """Give a function, or each of a class, the defaults that it has in the changed module."""
    if isinstance(old, FunctionType) and isinstance(new, FunctionType):
        old.__defaults__ = new.__defaults__
    elif isinstance(old, type) and isinstance(new, type):
        for name, each in vars(old).items():
            take_defaults(each, vars(new).get(name))


def function_of(module: ModuleType, name: str) -> FunctionType:
    """Return the function with a qualified name, out of what decorators made of it."""
    found: object = module
    for part in name.split("."):
        found = vars(found)[part]
    for attribute in ("fget", "__func__", "__wrapped__"):
        found = getattr(found, attribute, found)
    assert isinstance(found, FunctionType), name
    return found


def report(done: dict[Mutant, str], reasons: dict[str, str]) -> str:
    """Return the page: how many of each module were killed, and why the others survived."""
    lines = [
        "# Mutants of the safety layer",
        "",
        "Generated by `python -m tests.safety.verification.mutation --write`. A mutant is the code",
        "with one place changed; it is killed when a test of the ordinary suite fails, or hangs.",
        "Why a survivor does no harm is written in `reviewed.toml`, by a person who looked.",
        "",
        "| module | mutants | killed |",
        "|---|---|---|",
    ]
    totals = Counter(mutant.module for mutant in done)
    killed = Counter(mutant.module for mutant, outcome in done.items() if outcome == KILLED)
    lines += [f"| {module} | {totals[module]} | {killed[module]} |" for module in sorted(totals)]
    share = 100 * killed.total() / max(1, totals.total())
    lines += [f"| all | {totals.total()} | {killed.total()} ({share:.1f} %) |", ""]
    for mutant in sorted(survivors(done), key=lambda each: (each.module, each.line)):
        lines.append(f"- {mutant.key} ({done[mutant]}): {reasons.get(mutant.key, 'not reviewed')}")
    return "\n".join(lines) + "\n"


def survivors(done: dict[Mutant, str]) -> list[Mutant]:
    """Return the mutants that no test noticed."""
    return [mutant for mutant, outcome in done.items() if outcome != KILLED]


def main() -> int:
    """Run; return 0 when at least 95 % are killed and every survivor has been reviewed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="modules of safety/")
    parser.add_argument("--tests", default=QUICK, help="which tests, as pytest's -k")
    parser.add_argument("--trial", type=float, default=LONGEST_TRIAL_S, help="seconds of tests")
    parser.add_argument("--go-on", action="store_true", help="keep what earlier runs found")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    names = arguments.only or sorted(each.stem for each in SOURCE.glob("*.py"))
    mutants = [each for name in names for each in mutants_of(SOURCE / f"{name}.py")]
    random.Random(1).shuffle(mutants)  # what a budget leaves undone is then a fair sample
    began = time.monotonic()
    run = Mutation(mutants, arguments.minutes, arguments.jobs, arguments.trial)
    kept: dict[str, dict[str, Any]] = {"tests": {}, "modules": {}}
    if arguments.go_on and KEPT.exists():
        kept = json.loads(KEPT.read_text(encoding="utf-8"))
        run.go_on(kept)
    pytest.main(
        ["-p", "no:cacheprovider", "-p", "no:terminal", "-k", arguments.tests, *TESTS],
        plugins=[run],
    )
    KEPT.parent.mkdir(exist_ok=True)
    new = {name: part | run.kept()[name] for name, part in kept.items()}
    KEPT.write_text(json.dumps(new), encoding="utf-8")
    reasons = tomllib.loads(REVIEWED.read_text(encoding="utf-8"))
    page = report(run.outcomes, reasons)
    print(page, f"{len(run.outcomes)} of {len(mutants)} mutants were tried.", sep="")
    if run.failed:
        print("These tests fail without any mutant and were left out:", *run.failed, sep="\n")
    note("mutants", len(run.outcomes), time.monotonic() - began)
    if arguments.write:
        REPORT.write_text(page, encoding="utf-8")
    alive = survivors(run.outcomes)
    is_good = 20 * len(alive) <= len(run.outcomes) and all(each.key in reasons for each in alive)
    return 0 if is_good and run.outcomes and not run.failed else 1


if __name__ == "__main__":
    sys.exit(main())
