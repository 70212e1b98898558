"""Trial designs: TOML files in which every key is known and every value is checked."""

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from protocols.documents import parse_toml, read_text, refuse_non_finite, set_key
from protocols.problem import InputError
from protocols.setting import Mode
from protocols.space import LOWEST_TICKS, Cycle, ParameterSpace, check_ticks

MAX_DESIGN_BYTES = 1_000_000
MAX_LIST_SETTINGS = 16_384
"""The whole list is scored at every decision; a prior is learned over at most 2,048 of them."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Days = Annotated[int, Field(ge=1, le=36_500)]
Ticks = Annotated[tuple[int, ...], Strict(False), Field(min_length=1)]


class Part(BaseModel):
    """A table of a design: strict types, no unknown keys, frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Rates(Part):
    """Whom a trial recruits: log-normal rates of what is written while off."""

    median_per_28_days: Annotated[float, Field(gt=0, le=600)]
    log_sd: Annotated[float, Field(ge=0, le=4)]


class Population(Part):
    """Who is treated: a patient model, how many, where, and where their rates come from.

    Only patients who write at least `least_per_28_days` seizures during baseline are enrolled.
    """

    model: Name = "clinical"
    n_patients: Annotated[int, Field(ge=1, le=10_000_000)]
    target: Name = "focus"
    baselines: Text = "population"
    rates: Rates | None = None
    least_per_28_days: Annotated[float, Field(ge=0, le=100)] = 0.0

    @model_validator(mode="after")
    def _rates_have_one_source(self) -> Self:
        if self.rates is not None and self.baselines != "population":
            raise ValueError("rates and baselines both say what patients write: one was expected")
        return self


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
        for name, lowest in LOWEST_TICKS.items():
            check_ticks(name, getattr(self, name), lowest)
        n_settings = len(self.space())
        if n_settings > MAX_LIST_SETTINGS:
            raise ValueError(
                f"the ticks make {n_settings} settings: at most {MAX_LIST_SETTINGS} were expected"
            )
        return self

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


class Schedule(Part):
    """Baseline without stimulation, then treatment in epochs; endpoints use its last days.

    With `recovery_days` the device is implanted when baseline ends and stays off for so long. In
    the open-label days after treatment everybody is treated as in `open_label_arm`.
    """

    baseline_days: Days
    recovery_days: Annotated[int, Field(ge=0, le=3_650)] = 0
    treatment_days: Days
    open_label_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    open_label_arm: Name | None = None
    epoch_days: Days
    evaluation_days: Days

    @property
    def treatment_start_day(self) -> int:
        """The first day of treatment."""
        return self.baseline_days + self.recovery_days

    @property
    def treatment_end_day(self) -> int:
        """The first day after treatment."""
        return self.treatment_start_day + self.treatment_days

    @property
    def end_day(self) -> int:
        """The first day after everything."""
        return self.treatment_end_day + self.open_label_days

    @model_validator(mode="after")
    def _bounds_do_not_cross(self) -> Self:
        for shorter in ("epoch_days", "evaluation_days"):
            if getattr(self, shorter) > self.treatment_days:
                raise ValueError(
                    f"{shorter} = {getattr(self, shorter)} is longer than "
                    f"treatment_days = {self.treatment_days}"
                )
        if (self.open_label_arm is None) != (self.open_label_days == 0):
            raise ValueError("open_label_days and open_label_arm come together or not at all")
        return self


class Analysis(Part):
    """What the other arms are compared with."""

    reference: Name


class Arm(Part):
    """One protocol on trial: a controller with its options."""

    name: Name
    controller: Name
    options: dict[str, Any] = Field(default_factory=dict)


class Design(Part):
    """A whole trial, fixed before anything runs."""

    name: Name
    title: Text
    question: Text
    population: Population
    device: DeviceChoice
    settings: SettingsList
    schedule: Schedule
    analysis: Analysis
    arms: Annotated[tuple[Arm, ...], Strict(False), Field(min_length=1)]

    @model_validator(mode="after")
    def _arms_are_distinct(self) -> Self:
        names = [arm.name for arm in self.arms]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"arms: two arms are named {repeated[0]!r}")
        if self.analysis.reference not in names:
            raise ValueError(
                f"analysis.reference = {self.analysis.reference!r}: one of the arms "
                f"({', '.join(names)}) was expected"
            )
        if self.schedule.open_label_arm not in (None, *names):
            raise ValueError(
                f"schedule.open_label_arm = {self.schedule.open_label_arm!r}: one of the arms "
                f"({', '.join(names)}) was expected"
            )
        return self

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


def faults(error: ValidationError, prefix: str) -> str:
    """Every fault found, one a line, with its key, the value there, and what was expected."""
    return "\n".join(f"{prefix}{fault}" for fault in map(_fault, error.errors()))


def _fault(problem: Any) -> str:
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem["loc"]).lstrip(".")
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{key} is missing"
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{key} = {_short(problem['input'])}: this key is unknown here"
    if isinstance(problem["input"], dict):
        return f"{key}: {message}" if key else message
    return f"{key} = {_short(problem['input'])}: {message[:1].lower()}{message[1:]}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
