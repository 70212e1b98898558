"""A controller that fails leads to a hold, for its patient alone, and the results say why."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from neurostim.controllers import Context
from neurostim.history import TREATMENT, History
from neurostim.loop import Batch, Gate, Lived, ask, live, prepare
from neurostim.plan import Plan, make_plan
from protocols import OFF, Setting
from protocols.design import load_design
from safety import AuditLog, Ruling

GOOD = Setting(site=0, amplitude_ua=2000, frequency_hz=145, pulse_width_us=90)


@dataclass(frozen=True)
class Broken:
    """Proposes `GOOD`, but for the patients in `victims`, where it does `what`."""

    summary: ClassVar[str] = "Breaks on purpose."

    what: str
    victims: tuple[int, ...] = (1,)

    def init(self, context: Context) -> str:
        if self.what == "raise in init":
            raise RuntimeError("no tables today")
        return "tables"

    def propose(
        self, state: str, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[str, Sequence[Any]]:
        if self.what == "one proposal short":
            return state, [GOOD] * (history.n_patients - 1)
        return state, [self._one(int(patient)) for patient in history.patients]

    def _one(self, patient: int) -> object:
        if patient not in self.victims:
            return GOOD
        if self.what == "raise":
            raise ZeroDivisionError("a poisoned diary")
        return {"nan": float("nan"), "nothing": None, "text": "2 mA", "number": 7}[self.what]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_design("demo"), seed=4, compute="cpu")


def one_epoch(plan: Plan, controller: Broken, tmp_path: Path) -> tuple[Batch, list[Lived]]:
    states = plan.model.draw(
        device=plan.device, seed=4, patients=[0, 1, 2], enrolment=plan.enrolment
    )
    index, days = np.arange(3), [7, 7, 7]
    ready, memory = prepare(controller, plan.context)
    allowed = np.ones((3, len(plan.candidates)), dtype=np.bool_)
    with AuditLog(tmp_path / "log", envelope_hash=plan.envelope.hash, durable=False) as log:
        gate = Gate(envelope=plan.envelope, log=log)
        batch = Batch.start(states)
        _, wishes = ask(ready, memory, batch.history, allowed)
        return live(batch, index, wishes, days, TREATMENT, plan.model, gate)


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ("raise", "ZeroDivisionError: a poisoned diary"),
        ("nan", "NaN was proposed"),
        ("nothing", "nothing was proposed"),
        ("text", ""),
        ("number", ""),
    ],
)
def test_a_failure_holds_its_own_patient_only(
    plan: Plan, tmp_path: Path, what: str, fault: str
) -> None:
    batch, lived = one_epoch(plan, Broken(what=what), tmp_path)
    assert [each.delivered for each in lived] == [GOOD, OFF, GOOD]
    assert [each.ruling for each in lived][1] is Ruling.HELD
    assert [each.wish.fault for each in lived] == ["", fault, ""]
    assert lived[1].findings
    assert batch.history.patient(1)[0].requested is None
    assert batch.history.patient(0)[0].requested == GOOD


@pytest.mark.parametrize("what", ["raise in init", "one proposal short"])
def test_a_failure_of_the_whole_batch_holds_everybody(
    plan: Plan, tmp_path: Path, what: str
) -> None:
    _, lived = one_epoch(plan, Broken(what=what), tmp_path)
    assert [each.delivered for each in lived] == [OFF] * 3
    assert all(each.wish.fault for each in lived)


def test_a_hold_keeps_what_was_running(plan: Plan, tmp_path: Path) -> None:
    batch, _ = one_epoch(plan, Broken(what="raise", victims=()), tmp_path)
    path = tmp_path / "second"
    with AuditLog(path, envelope_hash=plan.envelope.hash, durable=False) as log:
        gate = Gate(envelope=plan.envelope, log=log)
        allowed = np.ones((3, len(plan.candidates)), dtype=np.bool_)
        _, wishes = ask(Broken(what="nothing"), "tables", batch.history, allowed)
        _, lived = live(batch, np.arange(3), wishes, [7] * 3, TREATMENT, plan.model, gate)
    assert lived[1].ruling is Ruling.HELD
    assert lived[1].delivered == GOOD


def test_what_reaches_the_patient_is_what_the_verdict_says(plan: Plan, tmp_path: Path) -> None:
    _, lived = one_epoch(plan, Broken(what="nothing"), tmp_path)
    for each in lived:
        assert each.outcome.observation.telemetry.setting == each.delivered
        assert each.outcome.state.setting == each.delivered


def test_a_keyboard_interrupt_is_no_failure_of_the_controller(plan: Plan) -> None:
    class Interrupted(Broken):
        def propose(self, state: str, history: History, allowed: Any) -> Any:
            raise KeyboardInterrupt

    allowed = np.ones((2, len(plan.candidates)), dtype=np.bool_)
    with pytest.raises(KeyboardInterrupt):
        ask(Interrupted(what="raise"), "", History.empty([0, 1]), allowed)
