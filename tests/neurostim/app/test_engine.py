"""What the app lives is what the trial engine computes, to the byte."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import neurostim
from neurostim.app.engine import Engine
from neurostim.app.life import Life
from neurostim.app.limits import loosened, tightened
from neurostim.app.offers import virtual_subject
from neurostim.storage import EPOCHS, table_bytes
from protocols.design import Arm
from safety import Person, Role, verify

SEED = 18  # one of whose epochs is cut off by a side effect
SHORT = {
    "population.n_patients": 1,
    "schedule.baseline_days": 28,
    "schedule.treatment_days": 70,
    "schedule.evaluation_days": 28,
}
MORE = [
    {"name": "gp-safe", "controller": "gp-safe"},
    {"name": "thompson", "controller": "thompson"},
]


def trial_bytes(overrides: dict[str, Any], is_isolated: bool) -> dict[str, bytes]:
    """The table of epochs of each arm of a trial with one patient, as its file holds it."""
    result = neurostim.run_trial(
        "demo", seed=SEED, compute="cpu", overrides=overrides, is_isolated=is_isolated
    )
    epochs = result.epochs()
    assert (epochs["days"] % 14 != 0).any()  # an epoch was cut off, so that later ones are shifted
    tables = {}
    for arm in epochs["arm"].unique():
        rows = epochs[epochs["arm"] == arm]
        table = pa.Table.from_pandas(rows, schema=EPOCHS, preserve_index=False)
        tables[arm] = table_bytes(table.to_pylist(), EPOCHS, "")
    return tables


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine for a patient whose schedule is years longer than that of the short trial."""
    subject = virtual_subject(SEED, "demo", "Somebody")
    schedule = subject.design.schedule.model_copy(update={"baseline_days": 28})
    design = subject.design.model_copy(update={"schedule": schedule})
    made = Engine(replace(subject, design=design), tmp_path)
    yield made
    made.close()


def lived(engine: Engine, arm: Arm, until_day: int) -> Life:
    """The life of the engine's patient under an arm."""
    return list(engine.lives(engine.start, arm, (), until_day))[-1]


def assert_same(
    engine: Engine, overrides: dict[str, Any], until_day: int, is_isolated: bool
) -> None:
    wanted = trial_bytes(overrides, is_isolated)
    arms = [arm for arm in engine.plan.design.arms if arm.name in wanted]
    assert len(arms) == len(wanted) >= 5
    found = {
        arm.name: table_bytes(engine.rows(lived(engine, arm, until_day), arm.name), EPOCHS, "")
        for arm in arms
    }
    assert found == wanted


def test_every_policy_lives_the_epochs_of_the_trial(engine: Engine) -> None:
    assert_same(engine, SHORT, 98, is_isolated=False)


@pytest.mark.slow
def test_a_year_of_every_policy_is_that_of_the_trial(engine: Engine) -> None:
    design = json.loads(json.dumps([arm.model_dump() for arm in engine.plan.design.arms]))
    assert [arm["name"] for arm in design][-2:] == ["gp-safe", "thompson"]
    assert_same(engine, SHORT | {"schedule.treatment_days": 364, "arms": design}, 28 + 364, True)


def test_stepping_is_running(engine: Engine) -> None:
    arm = next(arm for arm in engine.plan.design.arms if arm.name == "titration")
    whole, step = lived(engine, arm, 98), engine.start
    while step.day < 98:
        step = next(iter(engine.lives(step, arm, (), 98)))
    assert engine.rows(step, arm.name) == engine.rows(whole, arm.name)


def test_replaying_wishes_lives_the_same_without_asking_anybody(engine: Engine) -> None:
    arm = next(arm for arm in engine.plan.design.arms if arm.name == "titration")
    whole, again = lived(engine, arm, 98), engine.start
    engine.close()
    for turn in whole.turns:
        again = engine.replayed(again, turn.lived.wish, turn.asked_days, ())
    assert not engine._asked
    assert engine.rows(again, arm.name) == engine.rows(whole, arm.name)


def test_each_life_has_a_sound_audit_log(engine: Engine, tmp_path: Path) -> None:
    arms = {arm.name: arm for arm in engine.plan.design.arms}
    trunk = lived(engine, arms["titration"], 70)
    list(engine.lives(trunk.until(56), arms["fixed"], (), 98))
    engine.close()
    logs = sorted(tmp_path.glob("audit-*.jsonl"))
    assert len(logs) == 2  # the branch has one of its own
    checks = [verify(log) for log in logs]
    assert all(check.is_whole for check in checks)
    n_turns = len(trunk.turns)
    assert checks[0].n_records >= 2 + 2 * n_turns


def test_changes_of_the_limits_are_in_the_audit_log_with_who_made_them(
    engine: Engine, tmp_path: Path
) -> None:
    arm = next(arm for arm in engine.plan.design.arms if arm.name == "titration")
    trunk = lived(engine, arm, 56)
    clinician, officer = Person("Dr A", Role.CLINICIAN), Person("Dr B", Role.SAFETY_OFFICER)
    first = tightened(engine.manufacturer, "amplitude_ua", "2", clinician, 56)
    second = loosened(first.chain, "amplitude_ua", "4", [clinician, officer], "it helped", 56)
    list(engine.lives(trunk, arm, (first, second), 98))
    engine.close()
    (log,) = tmp_path.glob("audit-*.jsonl")
    assert verify(log).is_whole
    records = [json.loads(line) for line in log.read_text().splitlines()]
    changes = [record for record in records if record["kind"] == "envelope-change"]
    names = [[person["name"] for person in change["by"]] for change in changes]
    assert names == [["Dr A"], ["Dr A", "Dr B"]]
    assert [change["envelope"] for change in changes] == [
        first.chain.active.hash,
        second.chain.active.hash,
    ]
    assert {change["manufacturer"] for change in changes} == {engine.plan.envelope.hash}
