"""How large the slow runs are meant to be, how long each may take, and what they reached.

python -m tests.safety.verification.sizes print     what the last slow run reached
python -m tests.safety.verification.sizes record    the same, and keep it in sizes.json
python -m tests.safety.verification.sizes clear     forget it, before another run
"""

import datetime
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
REACHED = ROOT / "build" / "verification"
RECORD = Path(__file__).with_name("sizes.json")
BUDGET_MINUTES = "NEUROSTIM_SLOW_MINUTES"
N_WORKERS = "PYTEST_XDIST_WORKER_COUNT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One size: the requirements it belongs to, what was asked for, its share of the time."""

    requirements: tuple[str, ...]
    target: int
    share: float


def of_parser(target: int, share: float) -> Measure:
    return Measure(requirements=("SR-28",), target=target, share=share)


MEASURES = {
    "adversarial proposals": Measure(
        requirements=("SR-01", "SR-10", "SR-11", "SR-12", "SR-13", "SR-14", "SR-17"),
        target=10_000_000,
        share=0.27,
    ),
    "clamped proposals": Measure(requirements=("SR-04",), target=1_000_000, share=0.05),
    "isolated batches": Measure(requirements=("SR-07",), target=100_000, share=0.05),
    "isolated batches of columns": Measure(requirements=("SR-07",), target=100_000, share=0.04),
    "adverse events": Measure(requirements=("SR-16",), target=10_000, share=0.03),
    "chains of envelopes": Measure(requirements=("SR-08",), target=100_000, share=0.06),
    "mutants": Measure(requirements=("SR-25",), target=1_000, share=0.20),
    "damaged envelopes": of_parser(100_000, 0.03),
    "damaged designs": of_parser(100_000, 0.03),
    "damaged diaries": of_parser(100_000, 0.03),
    "damaged baselines": of_parser(100_000, 0.02),
    "damaged rows to learn from": of_parser(20_000, 0.02),
    "damaged manifests": of_parser(100_000, 0.02),
    "damaged audit logs": of_parser(100_000, 0.03),
    "damaged priors": of_parser(20_000, 0.03),
    "damaged optimizers": of_parser(5_000, 0.03),
}
"""The shares leave a part of the time for the slow tests that have a fixed length."""


def seconds_for(name: str, n_parts: int) -> float | None:
    """Return how long one part may run; None when nobody named a budget."""
    minutes = os.environ.get(BUDGET_MINUTES)
    if minutes is None:
        return None
    n_at_once = int(os.environ.get(N_WORKERS, "1"))
    return 60 * float(minutes) * MEASURES[name].share * min(n_at_once, n_parts) / n_parts


def rounds(name: str, *, each: int, part: str = "", n_parts: int = 1) -> Iterator[int]:
    """Yield 0, 1, 2, ... until the size or the time is reached, then note the size.

    A round is `each` cases of the `n_parts`-th part of the measure; a round that fails notes
    nothing, since the exception leaves the loop before its end.
    """
    target = -(-MEASURES[name].target // n_parts)
    limit_s, began, n_rounds = seconds_for(name, n_parts), time.monotonic(), 0
    while n_rounds * each < target:
        if limit_s is not None and time.monotonic() - began >= limit_s:
            break
        yield n_rounds
        n_rounds += 1
    note(name, n_rounds * each, time.monotonic() - began, part)


def note(name: str, n: int, seconds: float, part: str = "") -> None:
    """Keep what one part reached, outside the version control."""
    REACHED.mkdir(parents=True, exist_ok=True)
    path = REACHED / f"{name} {part}.json".replace(" ", "-")
    path.write_text(json.dumps({"measure": name, "n": n, "seconds": seconds}), encoding="utf-8")


def reached() -> dict[str, tuple[int, float]]:
    """Return the number of cases and the seconds of each measure of the last run."""
    sums: dict[str, tuple[int, float]] = {}
    for path in sorted(REACHED.glob("*.json")):
        part = json.loads(path.read_text(encoding="utf-8"))
        n, seconds = sums.get(part["measure"], (0, 0.0))
        sums[part["measure"]] = n + part["n"], seconds + part["seconds"]
    return sums


def recorded() -> dict[str, dict[str, object]]:
    """Return what is committed: size, target and day of each measure's last recorded run."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


def record() -> None:
    """Write the sizes of the last run over those recorded before."""
    day = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    new = {
        name: {"n": n, "target": MEASURES[name].target, "day": day}
        for name, (n, _) in reached().items()
    }
    merged = {name: row for name, row in sorted((recorded() | new).items()) if name in MEASURES}
    RECORD.write_text(json.dumps(merged, indent=2) + "\n", encoding="utf-8")


def main(command: str) -> None:
    """Print, record or clear."""
    if command == "clear":
        for path in REACHED.glob("*.json"):
            path.unlink()
        return
    sums = reached()
    for name, measure in MEASURES.items():
        n, seconds = sums.get(name, (0, 0.0))
        word = "reached" if n >= measure.target else "of"
        print(f"{name}: {n:,} ({word} {measure.target:,}) in {seconds:.0f} s")
    if command == "record":
        record()


if __name__ == "__main__":
    if sys.argv[1:] not in (["print"], ["record"], ["clear"]):
        sys.exit(__doc__)
    main(sys.argv[1])
