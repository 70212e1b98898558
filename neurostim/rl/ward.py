"""A ward: beds whose patients live one epoch at a time, each with a setting chosen from a list."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from neurostim.asking import Wish
from neurostim.deliverable import deliverable_now
from neurostim.history import BASELINE, MISSING, RECOVERY, TREATMENT, History, Integers
from neurostim.loop import Batch, Gate, Lived, live
from neurostim.plan import Plan
from patient_models import State
from protocols import OFF, SECONDS_PER_DAY, Mode
from safety import AuditLog

Floats = NDArray[np.float64]

MOST_PER_28_DAYS = 40_320.0
"""One seizure a minute: where what is observed ends."""

OBSERVED = {
    "baseline_per_28_days": (0.0, MOST_PER_28_DAYS),
    "written_per_28_days": (-1.0, MOST_PER_28_DAYS),
    "share_of_days_recorded": (0.0, 1.0),
    "worst_grade": (-1.0, 4.0),
    "share_of_treatment": (0.0, 1.0),
    "site": (0.0, 1_000.0),
    "amplitude_ma": (0.0, 1_000.0),
    "frequency_hz": (0.0, 10_000.0),
    "pulse_width_us": (0.0, 10_000.0),
    "share_of_time_on": (0.0, 1.0),
}
"""What is seen of the last epoch, with its bounds: -1 stands for what nobody wrote down."""

EPOCHS_OF_A_LOG = 20_000
"""After so many epochs of the ward the audit log is closed, and a new one begun."""


@dataclass(kw_only=True)
class Ward:
    """B beds. Everything that reaches a patient passes the gate, and is in an audit log."""

    plan: Plan
    batch: Batch
    baseline_per_28_days: Floats  # B
    _scratch: tempfile.TemporaryDirectory[str]
    _logging: ExitStack
    _gate: Gate
    _n_logs: int = 1
    _n_epochs: int = 0

    @classmethod
    def of(cls, plan: Plan, patients: Sequence[int]) -> Self:
        """A ward with these patients, who have lived through baseline and recovery."""
        scratch = tempfile.TemporaryDirectory(prefix="neurostim-ward-")
        logging = ExitStack()
        ward = cls(
            plan=plan,
            batch=Batch.start(_drawn(plan, patients)),
            baseline_per_28_days=np.zeros(len(patients)),
            _scratch=scratch,
            _logging=logging,
            _gate=_logged(plan, logging, scratch, 0),
        )
        ward._before_treatment(np.arange(len(patients)))
        return ward

    def admit(self, index: Integers, patients: Sequence[int]) -> None:
        """Give the beds at `index` to new patients, who live through baseline and recovery."""
        new = Batch.start(_drawn(self.plan, patients))
        states = list(self.batch.states)
        numbers = self.batch.history.patients.copy()
        for b, state in zip(index, new.states, strict=True):
            states[b], numbers[b] = state, state.patient
        self.batch = Batch(
            states=tuple(states),
            pasts=self.batch.pasts.with_rows(index, new.pasts),
            history=replace(self.batch.history.with_rows(index, new.history), patients=numbers),
        )
        self._before_treatment(index)

    def treat(self, index: Integers, choices: Sequence[int]) -> list[Lived]:
        """One epoch of treatment of the beds at `index`, each at its choice from the list."""
        wishes = [Wish(setting=self.plan.candidates[choice]) for choice in choices]
        return self._live(index, wishes, TREATMENT, self.plan.design.schedule.treatment_end_day)

    def deliverable(self) -> NDArray[np.bool_]:
        """Whether the gate would deliver each setting of the list as it stands now, `B M`."""
        now = np.array([s.day for s in self.batch.states], dtype=np.int64) * SECONDS_PER_DAY
        return deliverable_now(self.plan.candidates, self.batch.pasts, self.plan.envelope, now)

    def is_over(self) -> NDArray[np.bool_]:
        """Whether the treatment of each patient has ended, `B`."""
        end_day = self.plan.design.schedule.treatment_end_day
        return np.array([state.day >= end_day for state in self.batch.states])

    def written_per_28_days(self) -> Floats:
        """What was written in the last epoch of each patient, `B`; NaN where nothing was."""
        history, rows, last = self._last()
        days = history.days_recorded[rows, last]
        counts = history.n_seizures[rows, last]
        return np.where(days > 0, 28.0 * counts / np.maximum(days, 1), np.nan)

    def worst_grades(self) -> Integers:
        """The worst side effect told of in the last epoch, `B`; -1 where nobody reported."""
        history, rows, last = self._last()
        return history.worst_grade[rows, last]

    def observed(self) -> NDArray[np.float32]:
        """The columns of `OBSERVED` for each patient, `B 10`; nothing that is hidden is there."""
        history, rows, last = self._last()
        schedule = self.plan.design.schedule
        day = np.array([state.day for state in self.batch.states])
        site, amplitude_ua, frequency, width, on_ms, off_ms, mode = history.delivered[rows, last].T
        is_on = amplitude_ua > 0
        is_continuous = mode == tuple(Mode).index(Mode.CONTINUOUS)
        share_on = np.where(is_continuous, 1.0, on_ms / np.maximum(on_ms + off_ms, 1))
        columns = (
            self.baseline_per_28_days,
            np.nan_to_num(self.written_per_28_days(), nan=MISSING),
            history.days_recorded[rows, last] / history.days[rows, last],
            history.worst_grade[rows, last],
            (day - schedule.treatment_start_day) / schedule.treatment_days,
            site * is_on,
            amplitude_ua / 1000,
            frequency * is_on,
            width * is_on,
            share_on * is_on,
        )
        lowest, highest = np.array(list(OBSERVED.values())).T
        return np.clip(np.stack(columns, axis=1), lowest, highest).astype(np.float32)

    def close(self) -> None:
        """Close the log, and remove what the ward has written."""
        self._logging.close()
        self._scratch.cleanup()

    def _before_treatment(self, index: Integers) -> None:
        schedule = self.plan.design.schedule
        nothing = [Wish(setting=OFF)] * len(index)
        counts, days = np.zeros(len(self.batch.states)), np.zeros(len(self.batch.states))
        for phase, end in (
            (BASELINE, schedule.baseline_days),
            (RECOVERY, schedule.treatment_start_day),
        ):
            while (left := index[[self.batch.states[b].day < end for b in index]]).size:
                for b, lived in zip(
                    left, self._live(left, nothing[: len(left)], phase, end), strict=True
                ):
                    if phase == BASELINE:
                        counts[b] += lived.outcome.observation.n_seizures or 0
                        days[b] += lived.outcome.observation.days_recorded
        self.baseline_per_28_days[index] = 28 * counts[index] / np.maximum(days[index], 1)

    def _live(
        self, index: Integers, wishes: Sequence[Wish], phase: int, end_day: int
    ) -> list[Lived]:
        if self._n_epochs >= EPOCHS_OF_A_LOG:
            self._logging.close()
            self._gate = _logged(self.plan, self._logging, self._scratch, self._n_logs)
            self._n_logs, self._n_epochs = self._n_logs + 1, 0
        self._n_epochs += len(index)
        longest = self.plan.design.schedule.epoch_days
        days = [min(longest, end_day - self.batch.states[b].day) for b in index]
        self.batch, lived = live(
            self.batch, index, wishes, days, phase, self.plan.model, self._gate
        )
        return lived

    def _last(self) -> tuple[History, Integers, Integers]:
        history = self.batch.history
        return history, np.arange(history.n_patients), history.n_epochs - 1


def _drawn(plan: Plan, patients: Sequence[int]) -> tuple[State, ...]:
    return plan.model.draw(
        device=plan.device, seed=plan.seed, patients=list(patients), enrolment=plan.enrolment
    )


def _logged(
    plan: Plan, logging: ExitStack, scratch: tempfile.TemporaryDirectory[str], number: int
) -> Gate:
    path = Path(scratch.name) / f"audit-{number:04d}.jsonl"
    log = AuditLog(path, envelope_hash=plan.envelope.hash, durable=False)
    return Gate(envelope=plan.envelope, log=logging.enter_context(log))
