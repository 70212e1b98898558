"""A fan of futures: the twin of an imported diary under several policies, never one line."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from neurostim.app.engine import Engine
from neurostim.app.life import LimitChange, Subject
from neurostim.app.views import Fan, Fans, Floats, Integers, Table
from neurostim.asking import ask, prepare
from neurostim.history import BASELINE, TREATMENT
from neurostim.isolation import Companion, isolate
from neurostim.loop import Batch, Gate, live
from patient_models import State
from patient_models.diaries import Diary
from patient_models.model import Kind, Outcome
from protocols import OFF, InputError, Observation
from protocols.design import Arm
from protocols.observation import Telemetry

N_PEOPLE = 100
MONTH_DAYS = 28
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FIT_SHARE = 0.5
FEWEST_DAYS = 28
FULL_PERMILLE = 1000

Tell = Callable[[float, str], None]


class Trait(Protocol):
    """What a diary taught about one trait, over the population."""

    @property
    def name(self) -> str:
        """What the trait is called."""

    @property
    def prior_mean(self) -> float:
        """Its mean in the population."""

    @property
    def prior_sd(self) -> float:
        """Its SD in the population."""

    @property
    def mean(self) -> float:
        """Its mean after the diary."""

    @property
    def sd(self) -> float:
        """Its SD after the diary."""

    @property
    def share(self) -> float:
        """The share of the population's variance that the diary explains, 0 to 1."""


class Twin(Protocol):
    """Simulated people who would have written such a diary, on the day after it ends."""

    @property
    def taught(self) -> Sequence[Trait]:
        """How much the diary taught, trait by trait."""

    def states(self, n: int, seed: int) -> Sequence[State]:
        """So many of these people."""


def twin_of(subject: Subject, engine: Engine, tell: Callable[[float], None]) -> Twin:
    """The twin of a person's diary, written with nothing delivered."""
    from patient_models.seen import Seen
    from patient_models.twin import fit_twin

    diary = Diary(patient=subject.label, counts=dict(subject.counts))
    return fit_twin(
        Seen.of_diary(diary), device=engine.plan.device, seed=subject.seed, progress=tell
    )


def fans_of(
    engine: Engine,
    subject: Subject,
    arms: Sequence[Arm],
    days: int,
    changes: Sequence[LimitChange],
    tell: Tell,
) -> Fans:
    """A fan for each policy, on the same people and the same luck."""
    from neurostim.trial import one_torch_thread

    if not arms or days < MONTH_DAYS:
        raise InputError(f"one policy or more, and {MONTH_DAYS} days or more, were expected")
    if len(subject.counts) < FEWEST_DAYS:
        raise InputError(
            f"the diary has {len(subject.counts)} recorded days: {FEWEST_DAYS} or more were "
            "expected, since fewer teach next to nothing"
        )
    with one_torch_thread():
        twin = twin_of(subject, engine, lambda share: tell(FIT_SHARE * share, "Fitting the twin"))
    states = twin.states(N_PEOPLE, subject.seed)
    fans = []
    for number, arm in enumerate(arms):
        start = FIT_SHARE + (1 - FIT_SHARE) * number / len(arms)

        def told(share: float, arm: Arm = arm, start: float = start) -> None:
            tell(start + (1 - FIT_SHARE) * share / len(arms), f"Futures under {arm.name}")

        fans.append(_fan(engine, subject, arm, states, days, changes, told))
    best = max(twin.taught, key=lambda trait: trait.share, default=None)
    sentence = f"{N_PEOPLE} simulated people who would have written such a diary."
    if best is not None:
        sentence += (
            f" It taught most about {best.name}: {100 * best.share:.0f} % of how much people "
            "differ in it."
        )
    return Fans(
        fans=tuple(fans),
        taught=Table(
            columns=("trait", "in the population", "after the diary", "explained (%)"),
            rows=tuple(
                (
                    trait.name,
                    f"{trait.prior_mean:.2f} ± {trait.prior_sd:.2f}",
                    f"{trait.mean:.2f} ± {trait.sd:.2f}",
                    f"{100 * trait.share:.0f}",
                )
                for trait in twin.taught
            ),
        ),
        sentence=sentence,
    )


def _fan(
    engine: Engine,
    subject: Subject,
    arm: Arm,
    states: Sequence[State],
    days: int,
    changes: Sequence[LimitChange],
    tell: Callable[[float], None],
) -> Fan:
    start, end = states[0].day, states[0].day + days
    epoch_days = engine.plan.design.schedule.epoch_days
    batch = _with_diary(Batch.start(states), subject, epoch_days)
    counts = np.full((len(states), days), np.nan)
    controller, memory = prepare(isolate(arm), engine.plan.context)
    chain = engine.chain(changes)
    allowed = engine.allowed(chain.active)
    try:
        with engine.log_of(chain.active) as log:
            gate = Gate(envelope=chain.active, log=log)
            while (index := np.flatnonzero([each.day < end for each in batch.states])).size:
                asked = np.tile(allowed, (len(index), 1))
                memory, wishes = ask(controller, memory, batch.history.rows(index), asked)
                lengths = [min(epoch_days, end - batch.states[b].day) for b in index]
                batch, lived = live(
                    batch, index, wishes, lengths, TREATMENT, engine.plan.model, gate
                )
                for b, each in zip(index, lived, strict=True):
                    _write(counts[b], each.outcome, start)
                tell((min(each.day for each in batch.states) - start) / days)
    finally:
        if isinstance(memory, Companion):
            memory.close()
    months, rates = monthly(counts, start)
    low, quarter, middle, three_quarters, high = np.nanquantile(rates, QUANTILES, axis=0)
    rows = tuple(
        (str(day), *(f"{each[m]:.1f}" for each in (low, quarter, middle, three_quarters, high)))
        for m, day in enumerate(months.tolist())
    )
    return Fan(
        policy=arm.name,
        days=months,
        low=low,
        quarter=quarter,
        middle=middle,
        three_quarters=three_quarters,
        high=high,
        table=Table(columns=("day", "5 %", "25 %", "50 %", "75 %", "95 %"), rows=rows),
    )


def monthly(counts: Floats, start: int) -> tuple[Integers, Floats]:
    """Last days of whole months of 28, and each person's rate in them; `W`, `N W`."""
    n_months = counts.shape[1] // MONTH_DAYS
    blocks = counts[:, : n_months * MONTH_DAYS].reshape(len(counts), n_months, MONTH_DAYS)
    n_recorded = (~np.isnan(blocks)).sum(axis=2)
    total = np.where(np.isnan(blocks), 0.0, blocks).sum(axis=2)
    rates = MONTH_DAYS * total / np.where(n_recorded > 0, n_recorded, np.nan)
    return start + MONTH_DAYS * np.arange(1, n_months + 1), rates


def _write(counts: Floats, outcome: Outcome, start: int) -> None:
    for event in outcome.events:
        if event.kind is Kind.DIARY_ENTRY:  # at the midnight that ends the day
            counts[round(event.time_day) - 1 - start] = event.n_written


def _with_diary(batch: Batch, subject: Subject, epoch_days: int) -> Batch:
    """The batch with the person's diary as its history: what a policy may know of each of them."""
    from dataclasses import replace

    first = min(subject.counts)
    n_days = (max(subject.counts) - first).days + 1
    everyone = np.arange(len(batch.states))
    history = batch.history
    by_day = {(day - first).days: count for day, count in subject.counts.items()}
    for start in range(0, n_days, epoch_days):
        days = min(epoch_days, n_days - start)
        seen = [by_day[day] for day in range(start, start + days) if day in by_day]
        observation = Observation(
            start_day=start,
            days=days,
            n_seizures=sum(seen) if seen else None,
            days_recorded=len(seen),
            worst_grade=None,
            telemetry=Telemetry(
                setting=OFF, stimulation_s=0, charge_uc=0, energy_mj=0, impedance_ohm=0,
                battery_permille=FULL_PERMILLE, n_incidents=0,
            ),
        )  # fmt: skip
        n = len(everyone)
        history = history.append(everyone, BASELINE, [OFF] * n, [observation] * n)
    return replace(batch, history=history)
