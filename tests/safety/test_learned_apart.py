"""What is learned of side effects is apart from the gate: off, on or wrong, the gate holds."""

from pathlib import Path

import pytest

from neurostim import run_trial
from protocols import Mode, Setting
from safety import envelope_text
from tests.safety.oracle import Oracle

ARMS = [
    {"name": "sham", "controller": "sham"},
    {"name": "learned-off", "controller": "gp"},
    {"name": "learned-on", "controller": "gp-safe"},
    {"name": "no-model", "controller": "random"},
]


@pytest.mark.req("SR-30")
@pytest.mark.req("SR-01")
def test_without_learned_limits_every_delivery_is_legal_and_no_device_refuses() -> None:
    changes = {"arms": ARMS, "schedule.treatment_days": 140}
    result = run_trial("demo", n_patients=4, seed=3, overrides=changes)
    epochs, oracle = result.epochs(), Oracle(envelope_text("research"))
    names = [f"delivered_{name}" for name in Setting.__dataclass_fields__]
    for arm, rows in epochs.groupby("arm"):
        assert not rows["n_incidents"].any(), arm
        settings = {tuple(row) for row in rows[names].itertuples(index=False)}
        assert len(settings) > 3 or arm == "sham"
        for *numbers, mode in settings:
            fields = [*map(int, numbers), Mode(mode)]
            made = Setting(**dict(zip(Setting.__dataclass_fields__, fields, strict=True)))
            assert oracle.is_legal(made), (arm, made)


@pytest.mark.req("SR-30")
def test_no_module_of_the_gate_knows_what_was_learned() -> None:
    import safety

    for path in Path(safety.__file__).parent.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "neurostim" not in text.replace('PART_OF = "neurostim"', ""), path.name
