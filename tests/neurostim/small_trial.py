"""A small trial that many tests run again, spoil or interrupt, and what its folder holds."""

import json
from pathlib import Path

import neurostim
from neurostim.plan import Plan, make_plan
from protocols.design import load_design

SHORT = {
    "population.n_patients": 6,
    "schedule.baseline_days": 28,
    "schedule.treatment_days": 42,
    "schedule.evaluation_days": 28,
    "settings.frequency_hz": [5, 145],
}
SEED, BLOCK_SIZE = 3, 2
N_BLOCKS, N_ARMS = 3, 5
N_SHARDS = N_BLOCKS * N_ARMS
TIMES = ("created", "wall_time_s")
"""What differs in the manifests of two runs of one trial."""


def run_small(out: Path, **changes: object) -> neurostim.Result:
    """Run the small trial, or go on with it."""
    arguments: dict[str, object] = {"seed": SEED, "block_size": BLOCK_SIZE} | changes
    return neurostim.run_trial("demo", out=out, overrides=SHORT, compute="cpu", **arguments)  # type: ignore[arg-type]


def plan_of_small() -> Plan:
    """The small trial before it runs."""
    return make_plan(load_design("demo", SHORT), seed=SEED, compute="cpu", block_size=BLOCK_SIZE)


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file of a results folder, the manifest without its times."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(files)}
    manifest = json.loads(found["manifest.json"])
    for name in TIMES:
        del manifest[name]
    return found | {"manifest.json": json.dumps(manifest).encode()}
