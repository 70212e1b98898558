"""Trial designs: TOML files in which every key is known and every value is checked."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, ValidationError, model_validator

from protocols.design_parts import (
    Broken,
    Estimand,
    Name,
    Text,
    Visits,
    refuse,
)
from protocols.design_parts import Part as Part
from protocols.design_parts import Schedule as Schedule
from protocols.documents import leaves, parse_toml, read_text, refuse_non_finite, set_key
from protocols.faults import faults as faults
from protocols.problem import InputError
from protocols.setting import Mode
from protocols.space import LOWEST_TICKS, Cycle, ParameterSpace, check_ticks

MAX_DESIGN_BYTES = 1_000_000
MAX_LIST_SETTINGS = 16_384
"""The whole list is scored at every decision; a prior is learned over at most 2,048 of them."""

Ticks = Annotated[tuple[int, ...], Strict(False), Field(min_length=1)]
Kind = Literal["paired", "parallel", "crossover", "n-of-1"]
Sequence = Annotated[tuple[Name, ...], Strict(False), Field(min_length=1)]


class Rates(Part):
    """Whom a trial recruits: log-normal rates of what is written while off."""

    median_per_28_days: Annotated[float, Field(gt=0, le=600)]
    log_sd: Annotated[float, Field(ge=0, le=4)]


class Population(Part):
    """Who is treated: a patient model, how many, where, and where their rates come from.

    Only patients are enrolled who write at least `least_per_28_days` and at most
    `most_per_28_days` seizures during baseline, on `least_days_recorded` days or more.
    """

    model: Name = "clinical"
    n_patients: Annotated[int, Field(ge=1, le=10_000_000)]
    target: Name = "focus"
    baselines: Text = "population"
    rates: Rates | None = None
    least_per_28_days: Annotated[float, Field(ge=0, le=100)] = 0.0
    most_per_28_days: Annotated[float, Field(gt=0, le=3_000)] | None = None
    least_days_recorded: Annotated[int, Field(ge=0, le=36_500)] = 0

    @property
    def is_screened(self) -> bool:
        """Whether baseline decides who is enrolled."""
        return bool(
            self.least_per_28_days or self.least_days_recorded or self.most_per_28_days is not None
        )

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        refuse(self._broken())
        return self

    def _broken(self) -> Iterator[Broken]:
        if self.rates is not None and self.baselines != "population":
            yield Broken(
                ("rates", "baselines"),
                "rates and baselines both say what patients write: one was expected",
            )
        if self.most_per_28_days is not None and self.most_per_28_days < self.least_per_28_days:
            yield Broken(
                ("most_per_28_days", "least_per_28_days"),
                f"most_per_28_days = {self.most_per_28_days} is below "
                f"least_per_28_days = {self.least_per_28_days}",
            )


class DeviceChoice(Part):
    """The device, by the envelope of what it may deliver: a shipped name or a TOML file."""

    envelope: Text


class CycleChoice(Part):
    """One way of spreading pulses over time."""

    mode: Annotated[Mode, Strict(False)] = Mode.CONTINUOUS
    on_ms: Annotated[int, Field(ge=0)] = 0
    off_ms: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _times_fit_the_mode(self) -> Self:
        if self.mode is Mode.CONTINUOUS and (self.on_ms or self.off_ms):
            raise ValueError("on_ms and off_ms are both 0 (or left out) in continuous mode")
        if self.mode is not Mode.CONTINUOUS and not (self.on_ms and self.off_ms):
            raise ValueError(f"on_ms and off_ms are both above 0 in {self.mode} mode")
        return self


class SettingsList(Part):
    """The settings that controllers choose from: off, and every combination of these ticks."""

    site: Ticks
    amplitude_ua: Ticks
    frequency_hz: Ticks
    pulse_width_us: Ticks
    cycles: Annotated[tuple[CycleChoice, ...], Strict(False), Field(min_length=1)] = (
        CycleChoice(),
    )

    @model_validator(mode="after")
    def _ticks_make_a_list(self) -> Self:
        refuse(self._broken())
        n_settings = len(self.space())
        if n_settings > MAX_LIST_SETTINGS:
            raise ValueError(
                f"the ticks make {n_settings} settings: at most {MAX_LIST_SETTINGS} were expected"
            )
        return self

    def _broken(self) -> Iterator[Broken]:
        for name, lowest in LOWEST_TICKS.items():
            try:
                check_ticks(name, getattr(self, name), lowest)
            except ValueError as error:
                yield Broken((name,), str(error))

    def space(self) -> ParameterSpace:
        """The same ticks as a parameter space."""
        cycles = tuple(Cycle(mode=c.mode, on_ms=c.on_ms, off_ms=c.off_ms) for c in self.cycles)
        return ParameterSpace(
            site=self.site,
            amplitude_ua=self.amplitude_ua,
            frequency_hz=self.frequency_hz,
            pulse_width_us=self.pulse_width_us,
            cycles=cycles,
        )


class Analysis(Part):
    """What the other arms are compared with."""

    reference: Name


class Arm(Part):
    """One protocol on trial: a controller with its options.

    In a parallel design `allocation` patients are given to this arm for every one of an arm with 1.
    """

    name: Name
    controller: Name
    allocation: Annotated[int, Field(ge=1, le=10)] = 1
    options: dict[str, Any] = Field(default_factory=dict)


class Design(Part):
    """A whole trial, fixed before anything runs.

    `kind` says who lives which arms. *paired*: every patient lives every arm with the same luck,
    which only a simulation can do. *parallel*: each patient is randomised to one arm. *crossover*:
    each patient is randomised to one of the `sequences` of arms, one arm for each period.
    *n-of-1*: periods come in cycles, in each of which a patient lives every arm once, in an order
    drawn anew.
    """

    name: Name
    title: Text
    question: Text
    kind: Kind = "paired"
    sequences: Annotated[tuple[Sequence, ...], Strict(False)] = ()
    estimand: Estimand | None = None
    population: Population
    device: DeviceChoice
    settings: SettingsList
    schedule: Schedule
    visits: Visits = Visits()
    analysis: Analysis
    arms: Annotated[tuple[Arm, ...], Strict(False), Field(min_length=1)]

    @property
    def n_lives(self) -> int:
        """How many lives each patient lives: one for each arm when paired, else one."""
        return len(self.arms) if self.kind == "paired" else 1

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        refuse((*self._broken_names(), *self._broken_kind(), *self._broken_sequences()))
        return self

    def _broken_names(self) -> Iterator[Broken]:
        names = [arm.name for arm in self.arms]
        for place, name in enumerate(names):
            if name in names[:place]:
                yield Broken((f"arms.{place}.name",), f"arms: two arms are named {name!r}")
        wanted: dict[str, str | None] = {
            "analysis.reference": self.analysis.reference,
            "schedule.open_label_arm": self.schedule.open_label_arm,
        }
        for key, wish in wanted.items():
            if wish is not None and wish not in names:
                yield Broken(
                    (key, "arms"),
                    f"{key} = {wish!r}: one of the arms ({', '.join(names)}) was expected",
                )
        days = self.population.least_days_recorded
        if days > self.schedule.baseline_days:
            yield Broken(
                ("population.least_days_recorded", "schedule.baseline_days"),
                f"population.least_days_recorded = {days} is more than "
                f"schedule.baseline_days = {self.schedule.baseline_days}",
            )

    def _broken_kind(self) -> Iterator[Broken]:
        period_days, n_arms = self.schedule.period_days, len(self.arms)
        has_periods = self.kind in ("crossover", "n-of-1")
        if has_periods != (period_days is not None):
            yield Broken(
                ("schedule.period_days", "kind"),
                f"kind = {self.kind!r} {'needs' if has_periods else 'has no'} schedule.period_days",
            )
        if self.kind != "paired" and n_arms < 2:
            yield Broken(("kind", "arms"), f"kind = {self.kind!r}: two or more arms were expected")
        if self.kind == "n-of-1" and period_days and self.schedule.n_periods % n_arms:
            yield Broken(
                ("schedule.treatment_days", "schedule.period_days", "arms", "kind"),
                f"kind = 'n-of-1': the {self.schedule.n_periods} periods are no whole number of "
                f"cycles of {n_arms} arms",
            )
        for place, arm in enumerate(self.arms):
            if arm.allocation != 1 and self.kind != "parallel":
                yield Broken(
                    (f"arms.{place}.allocation", "kind"),
                    f"arms.{arm.name}.allocation = {arm.allocation}: only a parallel design "
                    "allocates patients to arms",
                )

    def _broken_sequences(self) -> Iterator[Broken]:
        names = [arm.name for arm in self.arms]
        if bool(self.sequences) != (self.kind == "crossover"):
            word = "needs" if self.kind == "crossover" else "has no"
            yield Broken(("sequences", "kind"), f"kind = {self.kind!r} {word} sequences")
            return
        for place, sequence in enumerate(self.sequences):
            unknown = [name for name in sequence if name not in names]
            if unknown:
                yield Broken(
                    (f"sequences.{place}", "arms"),
                    f"sequences: {unknown[0]!r}: one of the arms ({', '.join(names)}) was expected",
                )
            if len(sequence) != self.schedule.n_periods:
                yield Broken(
                    (f"sequences.{place}", "schedule.period_days", "schedule.treatment_days"),
                    f"sequences: {', '.join(sequence)}: an arm for each of the "
                    f"{self.schedule.n_periods} periods was expected",
                )
        unused = [name for name in names if not any(name in each for each in self.sequences)]
        if self.sequences and unused:
            yield Broken(
                ("sequences", "arms"), f"sequences: the arm {unused[0]!r} is in none of them"
            )

    def fingerprint(self) -> str:
        """SHA-256 over everything the design fixes, independent of comments and key order."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def design_names() -> list[str]:
    """Names of the shipped designs."""
    folder = files("protocols") / "designs"
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def load_design(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None) -> Design:
    """Read a shipped design by name or any design by path, with dotted `overrides` applied.

    Raises `InputError` with every fault of the document in one sentence each.
    """
    text, place = design_text(name_or_path)
    document = parse_toml(text, place)
    for key, value in (overrides or {}).items():
        set_key(document, key, value)
    refuse_non_finite(document, place)
    try:
        return Design.model_validate(document)
    except ValidationError as error:
        raise InputError(faults(error, f"{place}: ")) from None


def deviations(name_or_path: str | Path, overrides: Mapping[str, Any]) -> list[str]:
    """What `overrides` change of a design's document, one sentence for each key."""
    text, place = design_text(name_or_path)
    planned, run = parse_toml(text, place), parse_toml(text, place)
    for key, value in overrides.items():
        set_key(run, key, value)
    before, after = dict(leaves(planned)), dict(leaves(run))
    changed = [key for key in before | after if before.get(key) != after.get(key)]
    return [
        f"{key}: {_said(before, key)} in the design, {_said(after, key)} in this run"
        for key in changed
    ]


def _said(values: Mapping[str, Any], key: str) -> str:
    return str(values[key]) if key in values else "left out"


def design_text(name_or_path: str | Path) -> tuple[str, str]:
    """The text of a design, and what to call it in a message."""
    name = str(name_or_path)
    if name in design_names():
        return (files("protocols") / "designs" / f"{name}.toml").read_text(encoding="utf-8"), name
    path = Path(name)
    if path.suffix != ".toml" and not path.exists():
        raise InputError(
            f"{name!r} is neither a design ({', '.join(design_names())}) nor a TOML file"
        )
    return read_text(path, MAX_DESIGN_BYTES), name
