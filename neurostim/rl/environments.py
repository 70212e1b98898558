"""One virtual patient, or many at once, as environments of Gymnasium.

An action is the number of a setting of the design's list; one step is one epoch of treatment. What
is observed are the columns of `neurostim.rl.ward.OBSERVED`, which a clinic would see: no truth is
among them, nor in `info`. The reward is minus the rate written in the epoch over the rate written
during baseline (an epoch in which nothing was written repeats the reward before it), less
`side_effect_cost` where a bothersome side effect was told of. `info["action_mask"]` says which
settings the gate would deliver as they stand; any other action is answered by the gate as it always
answers, and `info` says what was delivered instead. An episode is truncated when treatment ends.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from neurostim.history import Integers
from neurostim.loop import Lived
from neurostim.plan import Plan, make_plan
from neurostim.rl.ward import OBSERVED, Floats, Ward
from protocols import InputError
from protocols.design import Arm, load_design
from protocols.observation import BOTHERSOME_GRADE

LOWEST_BASELINE_PER_28_DAYS = 1.0
"""Rewards are relative to what was written during baseline, and at least to this."""

Observed = NDArray[np.float32]


class PatientEnv(gymnasium.Env[Observed, np.int64]):
    """A virtual patient of a design.

    Args:
        design: a shipped design's name or a TOML file; its arms are not used.
        seed: whose patients and luck: the same patient number lives the same life.
        overrides: values for dotted keys of the design; `population.n_patients` says from how many
            patients `reset` draws.
        side_effect_cost: taken from the reward of an epoch with a bothersome side effect.

    `reset(options={"patient": 7})` asks for one patient by number.

    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 as Gymnasium declares it

    def __init__(
        self,
        design: str | Path = "demo",
        *,
        seed: int = 0,
        overrides: Mapping[str, Any] | None = None,
        side_effect_cost: float = 0.0,
    ) -> None:
        self._plan = _plan(design, seed, overrides)
        self._cost = _checked_cost(side_effect_cost)
        self._ward: Ward | None = None
        self._reward = np.zeros(1)
        self.observation_space = observation_space()
        self.action_space = Discrete(len(self._plan.candidates))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """A patient at the end of baseline and recovery."""
        super().reset(seed=seed)
        self.close()
        patient = (options or {}).get("patient")
        if patient is None:
            patient = int(self.np_random.choice(self._plan.patients))
        elif patient not in self._plan.patients:
            raise InputError(f"patient = {patient!r}: one of the design's patients was expected")
        self._ward = Ward.of(self._plan, [int(patient)])
        self._reward = _no_change(1)
        return self._ward.observed()[0], self._info(self._ward, None)

    def step(self, action: np.int64 | int) -> tuple[Observed, float, bool, bool, dict[str, Any]]:
        """One epoch with the setting of this number."""
        ward = self._ward
        if ward is None or ward.is_over()[0]:
            raise InputError("step: reset was expected first, since no patient is under treatment")
        choices = _checked([action], len(self._plan.candidates))
        lived = ward.treat(np.array([0]), choices)
        self._reward = _rewards(ward, self._reward, np.array([True]))
        reward = self._reward[0] - self._cost * _is_bothered(ward)[0]
        is_over = bool(ward.is_over()[0])
        return ward.observed()[0], float(reward), False, is_over, self._info(ward, lived[0])

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions would be delivered as they stand, `M`, as masked policies ask for it."""
        if self._ward is None:
            raise InputError("action_masks: reset was expected first")
        return self._ward.deliverable()[0]

    def close(self) -> None:
        """Remove the audit log of the last episode."""
        if self._ward is not None:
            self._ward.close()
            self._ward = None

    def _info(self, ward: Ward, lived: Lived | None) -> dict[str, Any]:
        info: dict[str, Any] = {
            "action_mask": ward.deliverable()[0].astype(np.int8),
            "patient": int(ward.batch.history.patients[0]),
        }
        if lived is not None:
            info["delivered"] = lived.delivered
            info["ruling"] = lived.ruling.value
            info["findings"] = " ".join(finding.sentence for finding in lived.findings)
        return info


class PatientVectorEnv(VectorEnv[Observed, Integers, NDArray[Any]]):
    """Many virtual patients of a design at once, in one batch; arguments as for `PatientEnv`.

    A patient whose treatment has ended is replaced by another one at the next step, whose action
    and reward count for nothing (`AutoresetMode.NEXT_STEP`).
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012 as Gymnasium declares it

    def __init__(
        self,
        num_envs: int = 1,
        design: str | Path = "demo",
        *,
        seed: int = 0,
        overrides: Mapping[str, Any] | None = None,
        side_effect_cost: float = 0.0,
    ) -> None:
        if type(num_envs) is not int or num_envs < 1:
            raise InputError(f"num_envs = {num_envs!r}: 1 or more was expected")
        self.num_envs = num_envs
        self._plan = _plan(design, seed, overrides)
        self._cost = _checked_cost(side_effect_cost)
        self._ward: Ward | None = None
        self._reward = np.zeros(num_envs)
        self._is_over = np.zeros(num_envs, dtype=np.bool_)
        self.single_observation_space = observation_space()
        self.single_action_space = Discrete(len(self._plan.candidates))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """New patients in every bed."""
        super().reset(seed=seed)
        self.close_extras()
        self._ward = Ward.of(self._plan, self._drawn(self.num_envs))
        self._reward = _no_change(self.num_envs)
        self._is_over = np.zeros(self.num_envs, dtype=np.bool_)
        return self._ward.observed(), self._info(self._ward)

    def step(
        self, actions: Integers
    ) -> tuple[Observed, Floats, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One epoch of every patient with the setting of its number."""
        ward = self._ward
        if ward is None:
            raise InputError("step: reset was expected first")
        choices = _checked(actions, len(self._plan.candidates))
        if len(choices) != self.num_envs:
            raise InputError(f"{len(choices)} actions: {self.num_envs} were expected")
        new = np.flatnonzero(self._is_over)
        going_on = np.flatnonzero(~self._is_over)
        if new.size:
            ward.admit(new, self._drawn(len(new)))
            self._reward[new] = _no_change(len(new))
        if going_on.size:
            ward.treat(going_on, [choices[b] for b in going_on])
        self._reward = _rewards(ward, self._reward, ~self._is_over)
        is_bothered = _is_bothered(ward) & ~self._is_over
        rewards = np.where(self._is_over, 0.0, self._reward - self._cost * is_bothered)
        self._is_over = ward.is_over()
        terminated = np.zeros(self.num_envs, dtype=np.bool_)
        return ward.observed(), rewards, terminated, self._is_over.copy(), self._info(ward)

    def close_extras(self, **kwargs: Any) -> None:
        """Remove the audit logs."""
        if self._ward is not None:
            self._ward.close()
            self._ward = None

    def _drawn(self, n: int) -> list[int]:
        return [int(each) for each in self.np_random.choice(self._plan.patients, size=n)]

    def _info(self, ward: Ward) -> dict[str, Any]:
        everyone = np.ones(self.num_envs, dtype=np.bool_)
        return {
            "action_mask": ward.deliverable().astype(np.int8),
            "_action_mask": everyone,
            "patient": ward.batch.history.patients.copy(),
            "_patient": everyone,
        }


def observation_space() -> Space[Observed]:
    """The columns of `OBSERVED` with their bounds."""
    lowest, highest = np.array(list(OBSERVED.values()), dtype=np.float32).T
    space: Space[Any] = Box(lowest, highest, dtype=np.float32)
    return space


def _plan(design: str | Path, seed: int, overrides: Mapping[str, Any] | None) -> Plan:
    folder = Path(design).parent if str(design).endswith(".toml") else Path()
    found = load_design(design, overrides)
    without_arms = found.model_copy(update={"arms": (Arm(name="sham", controller="sham"),)})
    return make_plan(without_arms, seed=seed, compute="cpu", folder=folder)


def _checked_cost(cost: float) -> float:
    if not 0 <= cost < float("inf"):
        raise InputError(f"side_effect_cost = {cost!r}: a number from 0 was expected")
    return float(cost)


def _checked(actions: Sequence[Any] | Integers, n_settings: int) -> list[int]:
    for action in actions:
        if not isinstance(action, int | np.integer) or not 0 <= action < n_settings:
            raise InputError(
                f"action = {action!r}: the number of a setting, 0 to {n_settings - 1}, was expected"
            )
    return [int(action) for action in actions]


def _no_change(n: int) -> Floats:
    return np.full(n, -1.0)


def _rewards(ward: Ward, before: Floats, is_new: NDArray[np.bool_]) -> Floats:
    written = ward.written_per_28_days()
    baseline = np.maximum(ward.baseline_per_28_days, LOWEST_BASELINE_PER_28_DAYS)
    return np.where(is_new & ~np.isnan(written), -written / baseline, before)


def _is_bothered(ward: Ward) -> NDArray[np.bool_]:
    return ward.worst_grades() >= BOTHERSOME_GRADE
