"""One patient as a session holds it: what is so now, the way back, and what is on the disk."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import RLock

from neurostim.app.engine import Engine
from neurostim.app.life import LimitChange, Scenario, Subject, Workspace
from neurostim.app.offers import first_policy
from neurostim.app.patient_file import (
    MAX_CHANGES,
    MAX_SCENARIOS,
    SUFFIX,
    PatientFile,
    patient_bytes,
    reopened,
    subject_of,
)
from neurostim.storage import write_whole
from protocols import InputError
from protocols.design import Arm

MOST_STEPS_BACK = 100

Point = tuple[Workspace, int]
"""What there is to save: a workspace, and how often the limits were changed."""

Tell = Callable[[float], None]


class Keeper:
    """Holds a patient, whom one thread at a time changes; `autosave_path` is a place of its own.

    The limits are no part of the way back, since going back would loosen them.
    """

    def __init__(
        self,
        engine: Engine,
        workspace: Workspace,
        autosave_path: Path,
        *,
        changes: tuple[LimitChange, ...] = (),
        notices: tuple[str, ...] = (),
        path: Path | None = None,
    ) -> None:
        self.engine = engine
        self.now = workspace
        self.changes = changes
        self.notices = notices
        self.path = path
        self.past: tuple[Workspace, ...] = ()
        self.future: tuple[Workspace, ...] = ()
        self._autosave_path = autosave_path
        self._lock = RLock()
        self._saved: Point | None = self.point
        self._autosaved: Point | None = None

    @property
    def point(self) -> Point:
        """What there is to save."""
        return self.now, len(self.changes)

    @property
    def is_changed(self) -> bool:
        """Whether there is anything that is in no file of the person's."""
        return self.point != self._saved

    def scenario(self, name: str) -> Scenario:
        """The scenario of this name, the current one for an empty one."""
        if not name:
            return self.now.scenario
        for each in self.now.scenarios:
            if each.name == name:
                return each
        names = ", ".join(each.name for each in self.now.scenarios)
        raise InputError(f"scenario {name!r}: one of {names} was expected")

    def policy(self, name: str) -> Arm:
        """The policy of this name."""
        arms = self.now.subject.design.arms
        for arm in arms:
            if arm.name == name:
                return arm
        names = ", ".join(arm.name for arm in arms)
        raise InputError(f"policy {name!r}: one of {names} was expected")

    def commit(self, workspace: Workspace) -> None:
        """Go on from another workspace, with a way back to this one."""
        with self._lock:
            self.past = (*self.past, self.now)[-MOST_STEPS_BACK:]
            self.now, self.future = workspace, ()
        self.autosave()

    def limit(self, change: LimitChange) -> None:
        """Put a change of the limits in force."""
        if len(self.changes) >= MAX_CHANGES:
            raise InputError(f"the limits were changed {MAX_CHANGES} times: no more fits a file")
        with self._lock:
            self.changes = (*self.changes, change)
        self.autosave()

    def undo(self) -> str:
        """Take back the last deed; returns what it was, empty for nothing."""
        with self._lock:
            if not self.past:
                return ""
            undone = self.now
            self.future = (undone, *self.future)
            self.now, self.past = self.past[-1], self.past[:-1]
            return undone.what

    def redo(self) -> str:
        """Do again what was taken back; returns what it is, empty for nothing."""
        with self._lock:
            if not self.future:
                return ""
            self.past = (*self.past, self.now)
            self.now, self.future = self.future[0], self.future[1:]
            return self.now.what

    def save(self, path: Path | None) -> Path:
        """Write the patient file, where it lies or at `path`."""
        with self._lock:
            target = path or self.path
            if target is None:
                raise InputError("no file yet: a place to save to was expected")
            point = self.point
            self._write(target)
            self.path, self._saved, self._autosaved = target, point, point
            self._autosave_path.unlink(missing_ok=True)
            return target

    def autosave(self) -> bool:
        """Write what is not saved yet to the place for that; whether anything was written."""
        with self._lock:
            point = self.point
            if point in (self._autosaved, self._saved):
                return False
            self._write(self._autosave_path)
            self._autosaved = point
            return True

    def put_aside(self) -> Path:
        """Write what is in no file beside the autosave, under a name of its own; returns where."""
        with self._lock:
            number = 1
            while (path := self._autosave_path.with_name(f"left-{number}{SUFFIX}")).exists():
                number += 1
            self._write(path)
            self._autosave_path.unlink(missing_ok=True)
            return path

    def forget_saved(self) -> None:
        """Count nothing as saved, as after a recovery."""
        self._saved = None

    def _write(self, path: Path) -> None:
        try:
            write_whole(path, patient_bytes(self.now, self.changes, self.engine))
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None


def begun(subject: Subject, autosave_path: Path, tell: Tell) -> Keeper:
    """A patient whom nobody has treated yet: at the end of baseline, or with a diary."""
    engine = Engine(subject, autosave_path.parent)
    policy = first_policy(subject)
    life = engine.start
    if not subject.counts:
        first_day = engine.plan.design.schedule.treatment_start_day
        for after in engine.lives(life, policy, (), first_day):
            tell(after.day / first_day)
            life = after
    scenario = Scenario(name="original", policy=policy, life=life)
    workspace = Workspace(subject=subject, scenarios=(scenario,), current=0, what="a patient")
    return Keeper(engine, workspace, autosave_path)


def reopened_from(
    saved: PatientFile, place: str, path: Path | None, autosave_path: Path, tell: Tell
) -> Keeper:
    """The patient of a file, whose scenarios are lived again."""
    engine = Engine(subject_of(saved.subject), autosave_path.parent)
    try:
        workspace, changes, notices = reopened(saved, engine, place, tell)
    except BaseException:
        engine.close()
        raise
    return Keeper(engine, workspace, autosave_path, changes=changes, notices=notices, path=path)


def lived(
    keeper: Keeper, until_day: int, what: str, is_one: bool, tell: Callable[[float, str], None]
) -> None:
    """Live the current scenario on; cut off, it keeps the epochs that were lived."""
    now, start = keeper.now, keeper.now.scenario.life
    life = start
    try:
        for life in keeper.engine.lives(start, now.scenario.policy, keeper.changes, until_day):
            share = (life.day - start.day) / (until_day - start.day)
            tell(min(1.0, share), f"day {life.day}")
            if is_one:
                break
    finally:
        if life is not start:
            keeper.commit(now.with_scenario(what, life=life))


def branched(
    keeper: Keeper, name: str, day: int, policy: Arm, tell: Callable[[float, str], None]
) -> None:
    """Add a scenario that leaves the current one on a day, and lives as long under a policy."""
    now, left = keeper.now, keeper.now.scenario
    if len(now.scenarios) >= MAX_SCENARIOS:
        raise InputError(f"there are {MAX_SCENARIOS} scenarios: no more fits a file; remove one")
    start = left.life.until(day)
    life, n_days = start, left.life.day - start.day
    for after in keeper.engine.lives(start, policy, keeper.changes, left.life.day):
        tell((after.day - start.day) / n_days, f"day {after.day}")
        life = after
    made = Scenario(name=name, policy=policy, life=life, branch_of=left.name, branch_day=start.day)
    scenarios = (*now.scenarios, made)
    keeper.commit(
        replace(now, scenarios=scenarios, current=len(scenarios) - 1, what=f"the scenario {name}")
    )
