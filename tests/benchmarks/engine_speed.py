"""Milliseconds of one core per patient-year in both engines, and what SimPy itself takes.

    python tests/benchmarks/engine_speed.py [--patients 4000] [--alone 200] [--in-memory 100000]

Patient-years are of 365 days from enrolment on, off or at one setting. The event engine makes each
patient's luck anew. The last lines are the events per second of a SimPy process that does nothing
but wait, and the peak memory of a fresh process in which that many patients live a year. CPU
seconds, one thread, the best of three.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import simpy
import torch

from patient_models import Clinical, Device, Population, event_engine
from patient_models.cohort import Cohort
from patient_models.cohort_engine import advance
from patient_models.luck import luck_of_block, wandering_of_block
from patient_models.population import COMMUNITY_RATE, DRUG_RESISTANT
from protocols import OFF, Setting

ROOT = Path(__file__).parents[2]
YEAR_DAYS = 365
N_TIMEOUTS = 200_000
ON = Setting(site=0, amplitude_ua=4000, frequency_hz=145, pulse_width_us=90)
POPULATIONS = {
    "drug-resistant": DRUG_RESISTANT,
    "community": replace(DRUG_RESISTANT, written_rate_per_day=COMMUNITY_RATE),
}


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """CPU seconds of the fastest of a few runs."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def enrolled(population: Population, n_patients: int) -> Cohort:
    """Patients of the benchmark on day 0."""
    return Cohort.enrol(population, seed=1, patients=range(n_patients), n_sites=4)


def alone(population: Population, setting: Setting, n_patients: int) -> Callable[[], None]:
    """What the event engine has to do: one patient after the other, with new luck."""
    device = Device.from_toml((ROOT / "safety/envelopes/research.toml").read_text())
    states = Clinical(population=population).draw(device=device, seed=1, patients=range(n_patients))

    def work() -> None:
        luck_of_block.cache_clear()
        wandering_of_block.cache_clear()
        for state in states:
            while state.day < YEAR_DAYS:
                state = event_engine.advance(state, setting, YEAR_DAYS - state.day).state

    return work


def wait_only() -> None:
    """A process that only waits."""

    def process() -> Iterator[simpy.Event]:
        for _ in range(N_TIMEOUTS):
            yield clock.timeout(1.0)

    clock = simpy.Environment()
    clock.process(process())
    clock.run()


def print_peak_memory(n_patients: int) -> None:
    """Live a year of this many patients, and print the peak memory of this process in MB."""
    cohort = enrolled(DRUG_RESISTANT, n_patients)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    began = time.perf_counter()
    _, lives = advance(cohort, ON, YEAR_DAYS)
    wall = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    counts = sum(
        each.nbytes
        for each in (lives.seizures, lives.written, lives.is_recorded, lives.worst_grade)
    )
    print(
        f"{n_patients} patient-years: {wall:.0f} s, peak {peak:.0f} MB, of which {before:.0f} MB "
        f"imports and patients, {counts / 1e6:.0f} MB the result"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=4000)
    parser.add_argument("--alone", type=int, default=200)
    parser.add_argument("--in-memory", type=int, default=100_000)
    parser.add_argument("--only-memory", action="store_true", help="in this process")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.only_memory:
        print_peak_memory(arguments.in_memory)
        return
    print(f"{'ms per patient-year':24}{'seizures':>10}{'cohort engine':>15}{'event engine':>15}")
    for name, population in POPULATIONS.items():
        cohort = enrolled(population, arguments.patients)
        for label, setting in (("off", OFF), ("on", ON)):
            together = seconds(lambda: advance(cohort, setting, YEAR_DAYS)) / arguments.patients  # noqa: B023
            each = seconds(alone(population, setting, arguments.alone)) / arguments.alone
            mean = advance(cohort, setting, YEAR_DAYS)[1].seizures.sum() / arguments.patients
            print(f"{name + ', ' + label:24}{mean:10.0f}{1e3 * together:15.3f}{1e3 * each:15.2f}")
    print(f"SimPy that only waits: {N_TIMEOUTS / seconds(wait_only):.0f} events per second")
    subprocess.run(
        [sys.executable, __file__, "--only-memory",
         "--in-memory", str(arguments.in_memory)],
        check=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
