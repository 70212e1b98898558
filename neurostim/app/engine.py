"""Living on: the engine of the trials, for one patient, with controllers in processes of their own.

Nothing here decides anything that a trial decides otherwise: phases, questions, the gate and the
patient are those of `neurostim.course`, and the rows are the trial's rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurostim.app.life import Life, LimitChange, Subject
from neurostim.asking import Wish, ask, prepare
from neurostim.controllers import Controller
from neurostim.controllers.sham import Sham
from neurostim.course import NOBODY, Stage, stages, stays, visited
from neurostim.isolation import Companion, isolate
from neurostim.loop import Gate
from neurostim.plan import Plan, make_plan
from neurostim.rows import Row, Truth, epoch_row, number_epochs, truth_of
from protocols import SECONDS_PER_DAY, InputError
from protocols.design import Arm
from safety import AuditLog, Chain, Envelope, LogSealedError, anchor_path, chain_of, is_deliverable

PLAIN = Arm(name="off", controller="sham")


class Engine:
    """Lives the scenarios of one patient; `folder` takes its audit logs.

    Raises `InputError` for a design that does not hold together. One thread at a time.
    """

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.plan = plan_of(subject)
        self.manufacturer: Chain = chain_of(self.plan.envelope)
        states = self.plan.model.draw(
            device=self.plan.device,
            seed=self.plan.seed,
            patients=list(self.plan.patients),
            enrolment=self.plan.enrolment,
        )
        self.start = Life.of(states[0])
        self.truth: Truth = truth_of(self.plan.model, states[0], self.plan.candidates)
        self._folder = folder
        self._asked: dict[str, tuple[Controller, Any]] = {}
        self._log: AuditLog | None = None
        self._n_logged = 0
        self._tip: Life | None = None
        self._allowed: dict[str, NDArray[np.bool_]] = {}

    @property
    def end_day(self) -> int:
        """The first day after the schedule."""
        return self.plan.design.schedule.end_day

    def chain(self, changes: Sequence[LimitChange]) -> Chain:
        """The envelopes in force after these changes."""
        return changes[-1].chain if changes else self.manufacturer

    def allowed(self, envelope: Envelope) -> NDArray[np.bool_]:
        """Which candidates an envelope would deliver as they stand, `M`."""
        if envelope.hash not in self._allowed:
            self._allowed[envelope.hash] = np.array(
                [is_deliverable(setting, envelope) for setting in self.plan.candidates]
            )
        return self._allowed[envelope.hash]

    def lives(
        self, life: Life, policy: Arm, changes: Sequence[LimitChange], until_day: int
    ) -> Iterator[Life]:
        """The life after each further turn, until a day or the end of the schedule is reached.

        Raises `InputError` when the audit log cannot be written.
        """
        until_day = min(until_day, self.end_day)
        while life.day < until_day:
            stage, days = self._place(life)
            wish = self.wish(life, policy, changes)
            life = self._after(life, wish, stage.phase, min(days, until_day - life.day), changes)
            yield life

    def wish(self, life: Life, policy: Arm, changes: Sequence[LimitChange]) -> Wish:
        """What the policy wants for the next epoch; nothing is delivered."""
        stage, _ = self._place(life)
        history = life.batch.history
        if not visited(self.plan, stage, history, np.array([life.day]))[0]:
            return stays(history, 0)
        arms = (*self.plan.design.arms, policy)
        place = int(stage.asked[0])
        key = "" if place == NOBODY else arms[place].model_dump_json(exclude={"name"})
        if key not in self._asked:
            chosen = Sham() if place == NOBODY else isolate(arms[place])
            self._asked[key] = prepare(chosen, self.plan.context)
        controller, memory = self._asked[key]
        allowed = self.allowed(self.chain(changes).active)[None]
        memory, wishes = ask(controller, memory, history, allowed)
        self._asked[key] = controller, memory
        return wishes[0]

    def replayed(self, life: Life, wish: Wish, days: int, changes: Sequence[LimitChange]) -> Life:
        """The life after one more wish for so many days, or to the end of the phase.

        Nobody is asked, and the gate judges anew under these changes.
        """
        stage, longest = self._place(life)
        return self._after(life, wish, stage.phase, min(days, longest), changes)

    def rows(self, life: Life, policy: str) -> list[Row]:
        """The life as rows of a trial's table of epochs."""
        return number_epochs(
            epoch_row(policy, turn.phase, turn.lived, self.truth) for turn in life.turns
        )

    def log_of(self, envelope: Envelope) -> AuditLog:
        """A new audit log in the session's folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        number = len(list(self._folder.glob("audit-*.jsonl")))
        while (path := self._folder / f"audit-{number:05d}.jsonl").exists() or anchor_path(
            path
        ).exists():
            number += 1
        return AuditLog(
            path,
            envelope_hash=envelope.hash,
            manufacturer_hash=self.plan.envelope.hash,
            durable=False,
        )

    def close(self) -> None:
        """End the controllers' processes, and close the audit log."""
        for _, memory in self._asked.values():
            if isinstance(memory, Companion):
                memory.close()
        self._asked.clear()
        self._close_log()

    def _place(self, life: Life) -> tuple[Stage, int]:
        """Where the next epoch is, and its days; the policy's place is after those of all arms."""
        design = self.plan.design
        arms = np.array([[len(design.arms)]])
        for stage in stages(design, arms):
            if life.day < stage.end_day:
                return stage, min(design.schedule.epoch_days, stage.end_day - life.day)
        raise InputError(f"the schedule ended on day {self.end_day}: nothing comes after it")

    def _after(
        self, life: Life, wish: Wish, phase: int, days: int, changes: Sequence[LimitChange]
    ) -> Life:
        try:
            gate = self._gate(life, changes)
            after = life.after(
                wish,
                days=days,
                phase=phase,
                model=self.plan.model,
                gate=gate,
                n_changes=len(changes),
            )
        except LogSealedError as error:
            raise InputError(
                f"the audit log in {self._folder} cannot be written ({error.strerror}): nothing "
                "is lived without it"
            ) from error
        self._tip = after
        return after

    def _gate(self, life: Life, changes: Sequence[LimitChange]) -> Gate:
        """The gate, with a log that goes on where this life does, or begins where it branches."""
        if self._log is None or self._tip is not life or len(changes) < self._n_logged:
            self._close_log()
            self._log = self.log_of(self.plan.envelope)
        for change in changes[self._n_logged :]:
            at_s = min(change.day, life.day) * SECONDS_PER_DAY
            self._log.envelope_changed(change.chain.active.hash, at_s=at_s, by=change.by)
        self._n_logged = len(changes)
        return Gate(envelope=self.chain(changes).active, log=self._log)

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.__exit__(None, None, None)
        self._log, self._tip, self._n_logged = None, None, 0


def plan_of(subject: Subject) -> Plan:
    """The plan of a trial with this one patient; its arms are not prepared here."""
    alone = subject.design.model_copy(
        update={
            "arms": (PLAIN,),
            "schedule": subject.design.schedule.model_copy(update={"open_label_arm": None}),
        }
    )
    plan = make_plan(alone, seed=subject.seed, compute="cpu", is_isolated=True)
    return replace(plan, design=subject.design)
