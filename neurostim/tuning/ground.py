"""The ground on which choices are compared: the trial, its patients, and how one is lived."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from neurostim.controllers import build_controller
from neurostim.course import run_arm
from neurostim.history import TREATMENT
from neurostim.loop import Gate
from neurostim.plan import Plan, check_options, make_plan
from neurostim.rows import truth_of
from neurostim.trial import one_torch_thread
from neurostim.tuning.knobs import EPOCH_DAYS
from protocols import InputError
from protocols.design import Arm, Design
from safety import AuditLog

Floats = NDArray[np.float64]
FEWEST_PATIENTS = 8
DAYS_A_YEAR = 365.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """What a protocol did to N patients over their treatment, one number each.

    `gained` and `gap` are true seizures spared against off, by what was delivered and by the best
    setting of the design's list; unsafe days are those at a setting that is unsafe for the patient.
    """

    patients: tuple[int, ...]
    days: tuple[int, ...]
    gained: tuple[float, ...]
    gap: tuple[float, ...]
    unsafe_days: tuple[int, ...]
    n_changes: tuple[int, ...]

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """From plain JSON."""
        return cls(**{name: tuple(row[name]) for name in cls.__slots__})

    def plain(self) -> dict[str, Any]:
        """As plain JSON."""
        return {name: list(values) for name, values in asdict(self).items()}

    def and_those(self, other: "Lives") -> "Lives":
        """These patients and others."""
        return Lives(
            **{name: getattr(self, name) + getattr(other, name) for name in self.__slots__}
        )

    def of_first(self, n: int) -> "Lives":
        """The first `n` of these patients."""
        return Lives(**{name: getattr(self, name)[:n] for name in self.__slots__})

    def column(self, name: str) -> Floats:
        """One number of each patient, `N`."""
        return np.array(getattr(self, name), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One arm of a design by itself, and patients to try its choices on.

    The first `n_training` of the plan's patients are for tuning, and the others for nothing but the
    confirmation.
    """

    arm: Arm
    plan: Plan
    n_training: int

    @property
    def training(self) -> tuple[int, ...]:
        """The patients that choices are compared on."""
        return self.plan.patients[: self.n_training]

    @property
    def validation(self) -> tuple[int, ...]:
        """The patients that no choice was compared on."""
        return self.plan.patients[self.n_training :]

    def planned(self, changes: dict[str, Any]) -> Plan:
        """The trial with these values of knobs; `InputError` when they do not fit."""
        schedule = self.plan.design.schedule
        epochs = {EPOCH_DAYS: changes.get(EPOCH_DAYS, schedule.epoch_days)}
        arm = changed_arm(self.arm, changes)
        controller = build_controller(arm.controller, arm.options, f"arms.{arm.name}")
        check_options(arm.name, controller, self.plan.context)
        design = self.plan.design.model_copy(
            update={"schedule": schedule.model_copy(update=epochs), "arms": (arm,)}
        )
        return replace(self.plan, design=design, controllers=(controller,))

    def lived(self, changes: dict[str, Any], patients: Sequence[int]) -> Lives:
        """What the arm with these values does to these patients, with the luck of any arm."""
        plan = self.planned(changes)
        states = plan.model.draw(
            device=plan.device, seed=plan.seed, patients=list(patients), enrolment=plan.enrolment
        )
        truths = [truth_of(plan.model, state, plan.candidates) for state in states]
        off = np.array([plan.model.rate_off(state) for state in states])
        best = np.array([min(truth.rates_per_day.values()) for truth in truths])
        days, unsafe, n_changes = np.zeros((3, len(states)), dtype=np.int64)
        gained = np.zeros(len(states))
        before: dict[int, Any] = {}
        with TemporaryDirectory(prefix="neurostim-") as folder, one_torch_thread():
            path = Path(folder) / "gate.jsonl"
            with AuditLog(path, envelope_hash=plan.envelope.hash, durable=False) as log:
                gate = Gate(envelope=plan.envelope, log=log)
                for phase, _, positions, lived in run_arm(plan, 0, states, gate):
                    if phase != TREATMENT:
                        continue
                    for b, each in zip(positions.tolist(), lived, strict=True):
                        rate, is_unsafe = truths[b].at(each.delivered)
                        n_days = each.outcome.observation.days
                        days[b] += n_days
                        unsafe[b] += n_days * is_unsafe
                        gained[b] += n_days * (off[b] - rate)
                        n_changes[b] += b in before and before[b] != each.delivered
                        before[b] = each.delivered
        return Lives(
            patients=tuple(patients),
            days=tuple(days.tolist()),
            gained=tuple(gained.tolist()),
            gap=tuple((days * (off - best)).tolist()),
            unsafe_days=tuple(unsafe.tolist()),
            n_changes=tuple(n_changes.tolist()),
        )


def changed_arm(arm: Arm, changes: dict[str, Any]) -> Arm:
    """The arm with these values of its knobs; the epoch's length is the trial's."""
    options = {name: value for name, value in changes.items() if name != EPOCH_DAYS}
    kept = {name: value for name, value in arm.options.items() if name not in options}
    given = {name: _plain(value) for name, value in options.items() if value is not None}
    return arm.model_copy(update={"options": kept | given})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def ground_of(
    design: Design,
    arm: Arm,
    *,
    n_training: int,
    n_validation: int,
    seed: int,
    folder: Path,
    model: str | None = None,
) -> Ground:
    """The ground for tuning an arm, in the design's family of patients or in another one.

    Raises `InputError` for too few patients and for designs whose treatment comes in periods.
    """
    for name, n in (("patients", n_training), ("validation", n_validation)):
        if n < FEWEST_PATIENTS:
            raise InputError(f"--{name} {n}: {FEWEST_PATIENTS} or more were expected")
    if design.schedule.period_days is not None:
        raise InputError(
            f"kind = {design.kind!r}: tuning compares whole treatments, and a paired or parallel "
            "design was expected"
        )
    alone = design.model_dump()
    alone["kind"] = "paired"
    alone["arms"] = [arm.model_copy(update={"allocation": 1}).model_dump()]
    alone["analysis"]["reference"] = arm.name
    alone["schedule"] |= {"open_label_days": 0, "open_label_arm": None}
    alone["population"] |= {"n_patients": n_training + n_validation}
    if model is not None:
        alone["population"]["model"] = model
    plan = make_plan(
        Design.model_validate(alone), seed=seed, compute="cpu", is_isolated=False, folder=folder
    )
    return Ground(arm=plan.design.arms[0], plan=plan, n_training=n_training)


def chosen_arm(design: Design, name: str | None) -> Arm:
    """The arm of this name; without one, the only arm that can be tuned.

    Raises `InputError` with the names there are.
    """
    names = [arm.name for arm in design.arms]
    if name is not None:
        if name not in names:
            raise InputError(f"--arm {name}: one of {', '.join(names)} was expected")
        return design.arms[names.index(name)]
    tunable = [arm for arm in design.arms if arm.controller in TUNABLE]
    if len(tunable) == 1:
        return tunable[0]
    if not tunable:
        raise InputError(
            f"none of the arms {', '.join(names)} can be tuned: one with a controller of "
            f"{', '.join(TUNABLE)} was expected"
        )
    among = ", ".join(arm.name for arm in tunable)
    raise InputError(f"the arms {among} can be tuned: --arm with one of them was expected")


TUNABLE = ("gp", "gp-safe", "gp-drifting", "thompson")
