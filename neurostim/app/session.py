"""What a window can do, without a window: one session with one patient at a time.

What takes longer than a moment comes back as a `Job`, which runs on a thread of its own; when it
has ended the session holds the result. Mistakes are an `InputError` sentence, raised at once or
held in the job's `error`. One job runs at a time. Nothing heavy is imported before a job needs it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurostim.app.desk import Desk
from neurostim.app.folders import recent_files, remember, user_folder
from neurostim.app.jobs import Job
from neurostim.app.views import (
    Comparison,
    DiaryPreview,
    Fans,
    Limits,
    Posterior,
    Proposal,
    ScenarioLine,
    Status,
    Table,
    Timeline,
)
from protocols import InputError

if TYPE_CHECKING:
    from neurostim.app.beliefs import Reader
    from safety import Person

YEAR_DAYS = 364
AUTOSAVE_S = 20.0
FEWEST_COMPARED, MOST_COMPARED = 2, 4
NAME = re.compile(r"\w[\w .,()'-]{0,79}")


class Session:
    """A patient, the scenarios it lives through, and the way back.

    `folder` is where autosaves, audit logs and the list of recent files live; without it, the
    user's own folder for such things. Unsaved work is saved there after each deed and every
    `autosave_s` seconds.
    """

    def __init__(self, folder: Path | None = None, *, autosave_s: float = AUTOSAVE_S) -> None:
        self._home = folder or user_folder()
        self._desk = Desk(self._home, autosave_s)
        self._reader: Reader | None = None

    # What is shown.

    @property
    def has_patient(self) -> bool:
        """Whether there is anything to show; all that is shown but `status` needs it."""
        return self._desk.kept is not None

    @property
    def job(self) -> Job[Any] | None:
        """The job that runs, None when none does."""
        return self._desk.job

    def status(self) -> Status:
        """One line about the session."""
        kept = self._desk.kept
        if kept is None:
            return Status()
        from neurostim.app.showing import status_of

        return status_of(kept)

    def timeline(self, scenario: str = "") -> Timeline:
        """What happened in the current scenario, or in one of that name."""
        from neurostim.app.showing import timeline_in

        return timeline_in(self._desk.keeper(), scenario)

    def scenarios(self) -> tuple[ScenarioLine, ...]:
        """The original and its branches."""
        from neurostim.app.showing import lines_of

        return lines_of(self._desk.keeper())

    def policies(self) -> Mapping[str, str]:
        """The policies on offer: names with a sentence each."""
        from neurostim.app.offers import summary_of

        return {arm.name: summary_of(arm) for arm in self._desk.keeper().now.subject.design.arms}

    def limits(self) -> Limits:
        """The limits in force, and who changed them."""
        from neurostim.app.showing import limits_in

        return limits_in(self._desk.keeper())

    def outcomes(self, scenario: str = "") -> Table:
        """What came of a scenario, as a trial that ended now would have it."""
        from neurostim.app.showing import outcomes_in

        return outcomes_in(self._desk.keeper(is_living=True), scenario)

    # Patients.

    def open_sample(self) -> Job[None]:
        """The sample patient, some months into treatment."""

        def work(job: Job[None]) -> None:
            from neurostim.app.keeping import reopened_from
            from neurostim.app.offers import sample_text
            from neurostim.app.patient_file import parse_patient

            saved = parse_patient(sample_text(), "the sample")
            self._desk.take(
                reopened_from(saved, "the sample", None, self._desk.folder.autosave, job.tell)
            )

        return self._desk.start("Opening the sample", work)

    def new_virtual(self, seed: int, *, design: str = "demo", label: str = "") -> Job[None]:
        """The virtual patient of this seed in a shipped design, at the end of baseline."""
        label = _checked_name("label", label or "Virtual patient")

        def work(job: Job[None]) -> None:
            from neurostim.app.keeping import begun
            from neurostim.app.offers import virtual_subject

            subject = virtual_subject(seed, design, label)
            self._desk.take(begun(subject, self._desk.folder.autosave, job.tell))

        return self._desk.start("Drawing a patient", work)

    def open(self, path: Path) -> Job[None]:
        """The patient of a file, lived again through the gate."""

        def work(job: Job[None]) -> None:
            from neurostim.app.keeping import reopened_from
            from neurostim.app.patient_file import read_patient

            saved = read_patient(path)
            self._desk.take(
                reopened_from(saved, str(path), path, self._desk.folder.autosave, job.tell)
            )
            remember(self._home, path)

        return self._desk.start("Opening a patient", work)

    def preview_diary(self, path: Path, mapping: Mapping[str, str] | None = None) -> DiaryPreview:
        """What a diary file would be understood as; without a mapping one is proposed."""
        from neurostim.app.diaries import preview

        return preview(path, mapping)

    def import_diary(
        self, path: Path, mapping: Mapping[str, str], *, patient: str = ""
    ) -> Job[None]:
        """A person's diary by a confirmed mapping; `patient` names one where there are several."""

        def work(job: Job[None]) -> None:
            from neurostim.app.diaries import one_diary
            from neurostim.app.keeping import begun
            from neurostim.app.offers import diary_subject

            subject = diary_subject(one_diary(path, mapping, patient), path.stem)
            kept = begun(subject, self._desk.folder.autosave, job.tell)
            kept.forget_saved()
            self._desk.take(kept)
            kept.autosave()

        return self._desk.start("Importing a diary", work)

    # Living.

    def step(self) -> Job[None]:
        """One epoch of the current scenario by its policy."""
        epoch_days = self._desk.keeper().engine.plan.design.schedule.epoch_days
        return self._live("a step", epoch_days, True)

    def run(self, days: int = YEAR_DAYS) -> Job[None]:
        """So many days of the current scenario; cancelled, it keeps the epochs that were lived."""
        if type(days) is not int or days < 1:
            raise InputError(f"days = {days}: a whole number from 1 was expected")
        return self._live(f"{days} days", days, False)

    def beliefs(self) -> Job[tuple[Posterior, Proposal]]:
        """What the policy of the current scenario believes, and what it proposes now."""
        kept = self._desk.keeper(is_living=True)
        scenario, changes, first_date = kept.now.scenario, kept.changes, kept.now.subject.first_date

        def work(job: Job[tuple[Posterior, Proposal]]) -> tuple[Posterior, Proposal]:
            job.tell(0.05, "Reading what was learnt")
            from neurostim.app.beliefs import Reader
            from neurostim.app.reasons import beliefs_of
            from neurostim.trial import one_torch_thread

            if self._reader is None or self._reader.engine is not kept.engine:
                self._reader = Reader(kept.engine)
            with one_torch_thread():
                read = self._reader.read(scenario.life, scenario.policy, changes)
                job.tell(0.6, "Asking the policy")
                return beliefs_of(kept.engine, read, scenario, changes, first_date)

        return self._desk.start("Working out the proposal", work, changes=False)

    def compare(self, policies: Sequence[str], days: int = YEAR_DAYS) -> Job[Comparison]:
        """Two to four policies from the first day of treatment, on the same luck."""
        kept = self._desk.keeper(is_living=True)
        arms = [kept.policy(name) for name in policies]
        if not FEWEST_COMPARED <= len(set(policies)) == len(arms) <= MOST_COMPARED:
            raise InputError(
                f"{', '.join(policies) or 'no policy'}: {FEWEST_COMPARED} to {MOST_COMPARED} "
                "different policies were expected"
            )

        def work(job: Job[Comparison]) -> Comparison:
            from neurostim.app.comparing import compared

            return compared(
                kept.engine, kept.now.scenario.life, arms, days, kept.changes,
                kept.now.subject.first_date, job.tell,
            )  # fmt: skip

        return self._desk.start("Comparing policies", work, changes=False)

    def fans(self, policies: Sequence[str], days: int = YEAR_DAYS) -> Job[Fans]:
        """Futures of the twin of an imported diary under some policies."""
        kept = self._desk.keeper()
        arms = [kept.policy(name) for name in policies]
        if not kept.now.subject.counts:
            raise InputError("a twin is made of a diary: import one first")

        def work(job: Job[Fans]) -> Fans:
            from neurostim.app.futures import fans_of

            subject = kept.now.subject
            return fans_of(kept.engine, subject, arms, days, kept.changes, job.tell)

        return self._desk.start("Fitting a twin", work, changes=False)

    def branch(self, name: str, day: int, what: str) -> Job[None]:
        """A named scenario from the first visit on or after `day`: "hold", "stop" or a policy.

        It lives as long as the current scenario, which stays as it is, and becomes the current one.
        """
        from neurostim.app.offers import branch_arm

        kept = self._desk.editable(is_living=True)
        _checked_name("scenario", name)
        if any(each.name == name for each in kept.now.scenarios):
            raise InputError(f"there is a scenario {name!r} already: another name was expected")
        life = kept.now.scenario.life
        first_day = kept.engine.plan.design.schedule.treatment_start_day
        if type(day) is not int or not first_day <= day <= life.day:
            raise InputError(f"day = {day}: {first_day} to {life.day} was expected")
        arm = branch_arm(what, life.until(day), kept.engine) or kept.policy(what)

        def work(job: Job[None]) -> None:
            from neurostim.app.keeping import branched

            branched(kept, name, day, arm, job.tell)

        return self._desk.start("Branching off", work)

    def choose_scenario(self, name: str) -> None:
        """Make another scenario the current one."""
        kept = self._desk.editable()
        place = kept.now.scenarios.index(kept.scenario(name))
        if place != kept.now.current:
            kept.commit(replace(kept.now, current=place, what=f"going to {name}"))

    def remove_scenario(self, name: str) -> None:
        """Remove a branch; the original stays."""
        kept = self._desk.editable()
        now, removed = kept.now, kept.scenario(name)
        if removed.branch_of is None:
            raise InputError(f"{name} is the original: it stays")
        left = tuple(each for each in now.scenarios if each is not removed)
        current = 0 if now.scenario is removed else left.index(now.scenario)
        kept.commit(replace(now, scenarios=left, current=current, what=f"removing {name}"))

    def choose_policy(self, name: str) -> None:
        """Another policy for the current scenario, from its next visit on."""
        kept = self._desk.editable()
        if kept.now.scenario.policy.name != name:
            policy = kept.policy(name)
            kept.commit(kept.now.with_scenario(f"the policy {name}", policy=policy))

    # Limits. They are no part of what `undo` takes back: undoing would loosen.

    def tighten(self, name: str, value: str, by: "Person") -> None:
        """Lower (or raise, where that is tighter) one limit to one of its `choices`.

        For a limit of kind "one of", `value` is what is no longer permitted.
        """
        from neurostim.app.limits import tightened

        kept = self._desk.editable()
        _checked_name("name", by.name)
        chain, day = kept.engine.chain(kept.changes), kept.now.scenario.life.day
        kept.limit(tightened(chain, name, value, by, day))

    def loosen(self, name: str, value: str, by: "Sequence[Person]", reason: str) -> None:
        """Put a limit back; takes two people in two roles and a reason, which is logged."""
        from neurostim.app.limits import loosened

        kept = self._desk.editable()
        for person in by:
            _checked_name("name", person.name)
        chain, day = kept.engine.chain(kept.changes), kept.now.scenario.life.day
        kept.limit(loosened(chain, name, value, by, reason, day))

    # The way back.

    def undo(self) -> str:
        """Take back the last thing that was done; returns what it was, empty for nothing."""
        return self._desk.editable().undo()

    def redo(self) -> str:
        """Do again what was taken back; returns what it is, empty for nothing."""
        return self._desk.editable().redo()

    # Files.

    def save(self, path: Path | None = None) -> Path:
        """Write the patient file, where it lies or at `path`."""
        saved = self._desk.keeper().save(path)
        remember(self._home, saved)
        return saved

    def autosave(self) -> bool:
        """Write what is not saved yet where `recover` finds it; whether anything was written."""
        kept = self._desk.kept
        return kept is not None and kept.autosave()

    @property
    def can_recover(self) -> bool:
        """Whether an earlier session was killed and left an autosave."""
        return bool(self._desk.folder.left_behind())

    def recover(self) -> Job[None]:
        """Reopen where the killed session was; what it left goes once it is saved anew."""
        left = self._desk.folder.left_behind()
        if not left:
            raise InputError("no earlier session left anything to recover")

        def work(job: Job[None]) -> None:
            from neurostim.app.keeping import reopened_from
            from neurostim.app.patient_file import read_patient

            place = left[0]
            try:
                saved = read_patient(place)
                kept = reopened_from(saved, str(place), None, self._desk.folder.autosave, job.tell)
            except InputError:
                place.replace(place.with_suffix(".unreadable"))
                raise
            kept.forget_saved()
            self._desk.take(kept)
            kept.autosave()
            place.unlink(missing_ok=True)

        return self._desk.start("Recovering", work)

    def recent(self) -> tuple[Path, ...]:
        """The patient files that were used last, the newest first."""
        return recent_files(self._home)

    def export_csv(self, path: Path) -> Path:
        """The epochs of every scenario, one row each, as a trial's table has them."""
        from neurostim.app.exporting import write_csv

        kept = self._desk.keeper()
        return write_csv(path, kept.engine, kept.now)

    def close(self) -> None:
        """End what runs, save what is not saved, and close the audit log."""
        self._desk.close()

    def _live(self, words: str, days: int, is_one: bool) -> Job[None]:
        kept = self._desk.keeper(is_living=True)
        start, end_day = kept.now.scenario.life.day, kept.engine.end_day
        if start >= end_day:
            raise InputError(f"the schedule ended on day {end_day}: nothing comes after it")

        def work(job: Job[None]) -> None:
            from neurostim.app.keeping import lived

            what = f"{words} of {kept.now.scenario.policy.name}"
            lived(kept, min(start + days, end_day), what, is_one, job.tell)

        return self._desk.start(f"Living {words}", work)


def _checked_name(what: str, name: str) -> str:
    if not NAME.fullmatch(name):
        raise InputError(
            f"{what} = {name[:80]!r}: up to 80 letters, digits, spaces and .,()'- were expected"
        )
    return name
