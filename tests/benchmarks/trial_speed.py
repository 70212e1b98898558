"""What a trial costs per patient, from shards to report, and how much memory it takes.

    python tests/benchmarks/trial_speed.py [--patients 100 1000] [--workers 2] [--block-size 20]
        [--report] [--figure FILE] [--keep FOLDER]

Three arms (sham, fixed, and a Gaussian process that starts from the shipped prior) of one year in
52 weekly epochs. Each size runs in a process of its own; CPU seconds are those of all processes,
memory is the peak of the largest one and, for the workers, of the largest of them. With `--keep`
a run goes on where it was stopped, and what is measured is only the rest of it.
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from neurostim.plan import make_plan
from neurostim.results import load
from neurostim.trial import Means, Standing, run
from protocols.design import Design, load_design

ARMS = ("sham", "fixed", "learned")
N_EPOCHS = 52
YEAR = {
    "schedule.baseline_days": 56,
    "schedule.treatment_days": 308,
    "schedule.epoch_days": 7,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one trial took; times in seconds, memory in megabytes."""

    n_patients: int
    n_run: int
    wall_s: float
    cpu_s: float
    load_s: float
    outcomes_s: float
    report_s: float
    memory_mb: float
    worker_memory_mb: float

    @property
    def ms_per_patient(self) -> float:
        """CPU milliseconds to run one patient through all arms."""
        return 1e3 * self.cpu_s / max(self.n_run, 1)


def design_of(n_patients: int) -> Design:
    """The trial that is measured."""
    whole = load_design("learned", YEAR | {"population.n_patients": n_patients})
    arms = tuple(arm for arm in whole.arms if arm.name in ARMS)
    return whole.model_copy(update={"arms": type(whole.arms)(arms)})


def cpu_s() -> float:
    """CPU seconds of this process and of those it has waited for."""
    of = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(use.ru_utime + use.ru_stime for use in map(resource.getrusage, of))


def peak_mb(who: int) -> float:
    """The largest memory of this process, or of the largest of its children."""
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(who).ru_maxrss / unit


def cost_of(
    n_patients: int, n_workers: int, block_size: int, folder: Path, *, with_report: bool
) -> Cost:
    """Run, load, and if asked for report one trial."""
    plan = make_plan(design_of(n_patients), seed=1, compute="cpu", block_size=block_size)
    standings: list[Standing] = []

    def show(standing: Standing) -> None:
        if not standings or standing.n_shards > standings[-1].n_shards:
            standings.append(standing)

    began, began_cpu = time.monotonic(), cpu_s()
    run(plan, folder, means=Means(n_workers=n_workers, show=show))
    wall_s, run_cpu_s = time.monotonic() - began, cpu_s() - began_cpu
    before = standings[0].n_days if standings else 0
    days = plan.design.schedule.end_day * len(ARMS)
    marks = [time.monotonic()]
    result = load(folder)
    marks.append(time.monotonic())
    result.outcomes()
    marks.append(time.monotonic())
    if with_report:
        result.report(folder / "report.html")
    marks.append(time.monotonic())
    load_s, outcomes_s, report_s = (b - a for a, b in itertools.pairwise(marks))
    return Cost(
        n_patients=n_patients,
        n_run=n_patients - round(before / days),
        wall_s=wall_s,
        cpu_s=run_cpu_s,
        load_s=load_s,
        outcomes_s=outcomes_s,
        report_s=report_s,
        memory_mb=peak_mb(resource.RUSAGE_SELF),
        worker_memory_mb=peak_mb(resource.RUSAGE_CHILDREN),
    )


def draw(costs: list[Cost], path: Path) -> None:
    """Draw the cost per patient and the memory against the size of the trial."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sizes = [cost.n_patients for cost in costs]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    left.plot(sizes, [cost.ms_per_patient for cost in costs], "o-", color="#0072B2")
    left.set(xscale="log", ylim=(0, None), xlabel="patients")
    left.set_ylabel(f"CPU ms per patient, {len(ARMS)} arms x {N_EPOCHS} epochs")
    right.plot(sizes, [cost.memory_mb for cost in costs], "o-", color="#0072B2", label="report")
    right.plot(
        sizes, [cost.worker_memory_mb for cost in costs], "s--", color="#D55E00", label="worker"
    )
    right.set(xscale="log", ylim=(0, None), xlabel="patients", ylabel="peak memory, MB")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def measured(arguments: argparse.Namespace, n_patients: int) -> Cost:
    """The cost of one size, in a process of its own."""
    command = [sys.executable, __file__, "--one", "--patients", str(n_patients)]
    command += ["--workers", str(arguments.workers), "--block-size", str(arguments.block_size)]
    command += ["--report"] if arguments.report else []
    command += ["--keep", str(arguments.keep)] if arguments.keep else []
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--block-size", type=int, default=20)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--keep", type=Path, help="keep the results in FOLDER/PATIENTS")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        [n_patients] = arguments.patients
        with tempfile.TemporaryDirectory() as scratch:
            folder = (arguments.keep or Path(scratch)) / str(n_patients)
            size = arguments.block_size
            cost = cost_of(
                n_patients, arguments.workers, size, folder, with_report=arguments.report
            )
        print(json.dumps(asdict(cost)))
        return
    print("patients  wall s  CPU s  ms/patient  load s  outcomes s  report s  MB  MB of a worker")
    costs = []
    for n_patients in arguments.patients:
        cost = measured(arguments, n_patients)
        costs.append(cost)
        print(
            f"{cost.n_patients:8d} {cost.wall_s:7.1f} {cost.cpu_s:6.1f} {cost.ms_per_patient:11.1f}"
            f" {cost.load_s:7.2f} {cost.outcomes_s:11.2f} {cost.report_s:9.1f}"
            f" {cost.memory_mb:5.0f} {cost.worker_memory_mb:5.0f}",
            flush=True,
        )
    if arguments.figure:
        draw(costs, arguments.figure)


if __name__ == "__main__":
    main()
