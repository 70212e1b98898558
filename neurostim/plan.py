"""A design made ready to run: all that it names is found, built and checked beforehand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from neurostim.controllers import CONTROLLERS as SHIPPED
from neurostim.controllers import Context, Controller, build_controller
from neurostim.isolation import isolate
from neurostim.loop import observe_off
from neurostim.meta.prior_path import prior_path
from neurostim.storage import digest
from patient_models import (
    MODELS,
    TARGETS,
    Baselines,
    Device,
    Enrolment,
    Model,
    model_named,
    read_baselines,
    thall_vail,
)
from patient_models.distributions import Distribution, LogNormal
from protocols import InputError, Mode, Observation, Setting
from protocols.design import Design, Population, SettingsList
from protocols.plugins import CONTROLLERS, PATIENT_MODELS, plugins
from safety import Envelope, envelope_text, is_deliverable, load_envelope

MAX_SEED = 2**64 - 1
BLOCK_SIZE = 40
"""Patients of one shard: few enough for progress and resuming, enough for batches to pay."""

SCREENED_AT_ONCE = 20

LOWEST_WRITTEN_PER_DAY, HIGHEST_WRITTEN_PER_DAY = 0.001, 20.0
"""Where log-normal rates of what is written are cut off."""

MAX_SCREENED_PER_PATIENT = 100
"""A trial that enrols fewer than one in so many has a mistake in its eligibility."""

PACKAGES = ("botorch", "gpytorch", "numpy", "pyarrow", "scipy", "simpy", "torch")
"""Whose versions can change a result's bytes."""

IDENTITY = (
    "fingerprint",
    "seed",
    "n_patients",
    "compute",
    "block_size",
    "is_isolated",
    "versions",
)
"""What decides the bytes of a run's results, as its manifest has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run needs; plans of one identity give the same bytes on one kind of processor."""

    design: Design
    envelope: Envelope
    device: Device
    model: Model
    baselines: Baselines | None
    enrolment: Enrolment
    patients: tuple[int, ...]  # N, those who were eligible
    candidates: tuple[Setting, ...]  # M, deliverable, off first
    controllers: tuple[Controller, ...]  # one per arm
    seed: int
    compute: str
    block_size: int
    is_isolated: bool
    folder: Path = Path()
    deviations: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[Controller, ...]:
        """What each arm is to ask: its controller, here or in a process of its own."""
        if not self.is_isolated:
            return self.controllers
        return tuple(isolate(arm) for arm in self.design.arms)

    @property
    def context(self) -> Context:
        """What every arm's controller is prepared with."""
        return Context(
            candidates=self.candidates,
            seed=self.seed,
            compute=self.compute,
            folder=self.folder,
        )

    def blocks(self) -> list[tuple[int, ...]]:
        """The patients of each shard."""
        return [
            self.patients[start : start + self.block_size]
            for start in range(0, len(self.patients), self.block_size)
        ]

    def identity(self) -> dict[str, Any]:
        """What decides the bytes of the results: design, data, seed, shards and versions."""
        return {
            "fingerprint": self.fingerprint(),
            "seed": self.seed,
            "n_patients": self.design.population.n_patients,
            "compute": self.compute,
            "block_size": self.block_size,
            "is_isolated": self.is_isolated,
            "versions": versions() | self._added_versions(),
        }

    def _added_versions(self) -> dict[str, str]:
        """Versions of the other distributions whose controllers or patients this plan uses."""
        arms = {arm.controller for arm in self.design.arms}
        controllers, families = plugins(CONTROLLERS), plugins(PATIENT_MODELS)
        used = [controllers[name] for name in sorted(arms & controllers.keys() - SHIPPED.keys())]
        model = self.design.population.model
        used += [families[model]] if model in families.keys() - MODELS.keys() else []
        return {each.distribution: each.version for each in used}

    def fingerprint(self) -> str:
        """SHA-256 over the design and the data it names, independent of where the files lie."""
        return digest(
            {
                "design": self.design.fingerprint(),
                "envelope": self.envelope.hash,
                "baselines": self.baselines.fingerprint if self.baselines else None,
                "priors": [_file_digest(self.folder, each) for each in self.controllers],
            }
        )


def make_plan(
    design: Design,
    *,
    seed: int,
    compute: str = "auto",
    block_size: int = BLOCK_SIZE,
    is_isolated: bool | None = None,
    folder: Path = Path(),
    deviations: Sequence[str] = (),
) -> Plan:
    """Find, build and check everything that a design names.

    Args:
        design: the trial.
        seed: 0 to 2**64 - 1.
        compute: auto, cpu or cuda.
        block_size: patients per shard.
        is_isolated: whether controllers run in processes of their own, within deadlines; when left
            out, they do for a single patient, and run in this process for more.
        folder: where the relative paths of the design start.
        deviations: what of the design is not as its document has it, a sentence each.

    Raises `InputError` with a sentence for whatever is unknown or does not fit together.

    """
    if type(seed) is not int or not 0 <= seed <= MAX_SEED:
        raise InputError(f"seed = {seed}: an integer from 0 to 2**64 - 1 was expected")
    if type(block_size) is not int or block_size < 1:
        raise InputError(f"block_size = {block_size}: 1 or more was expected")
    if design.population.target not in TARGETS:
        raise InputError(
            f"population.target = {design.population.target!r}: "
            f"one of {', '.join(TARGETS)} was expected"
        )
    model = model_of(design.population.model)
    envelope_name = named_file(design.device.envelope, folder)
    envelope = load_envelope(envelope_name)
    device = Device.from_toml(envelope_text(envelope_name))
    baselines = baselines_of(design.population.baselines, folder)
    enrolment = enrolment_of(design, baselines)
    plan = Plan(
        design=design,
        envelope=envelope,
        device=device,
        model=model,
        baselines=baselines,
        enrolment=enrolment,
        patients=_eligible(design, device, seed, enrolment),
        candidates=candidates_of(design, envelope),
        controllers=tuple(
            build_controller(arm.controller, arm.options, f"arms.{arm.name}") for arm in design.arms
        ),
        seed=seed,
        compute=_resolved(compute),
        block_size=block_size,
        is_isolated=design.population.n_patients == 1 if is_isolated is None else is_isolated,
        folder=folder,
        deviations=tuple(deviations),
    )
    for arm, controller in zip(design.arms, plan.controllers, strict=True):
        check_options(arm.name, controller, plan.context)
    return plan


def enrolment_of(design: Design, baselines: Baselines | None) -> Enrolment:
    """Whom a design enrols, and when surgery, expectation and the open label begin."""
    rates: Distribution | None = baselines
    if design.population.rates is not None:
        rates = LogNormal(
            median=design.population.rates.median_per_28_days / 28,
            log_sd=design.population.rates.log_sd,
            lowest=LOWEST_WRITTEN_PER_DAY,
            highest=HIGHEST_WRITTEN_PER_DAY,
        )
    end_of_baseline = design.schedule.baseline_days
    open_label_day = design.schedule.treatment_end_day if design.schedule.open_label_days else None
    return Enrolment(
        written_rate_per_day=rates,
        target=design.population.target,
        implant_day=end_of_baseline if design.schedule.recovery_days else None,
        expectation_day=end_of_baseline,
        medication_from_day=open_label_day,
        attrition_from_day=open_label_day,
    )


def _file_digest(folder: Path, controller: Controller) -> str | None:
    """SHA-256 of the learned prior that a controller reads, or None when it reads none."""
    prior = getattr(controller, "prior", None)
    return None if prior is None else sha256(prior_path(prior, folder).read_bytes()).hexdigest()


def check_options(arm: str, controller: Controller, context: Context) -> None:
    """Raise `InputError`, naming the arm, when options do not fit the list of settings."""
    sentence = misfit(controller, context)
    if sentence is not None:
        raise InputError(f"arms.{arm}.options: {sentence}")


def misfit(controller: Controller, context: Context) -> str | None:
    """Why the options of a controller do not fit the list of settings; None when they do."""
    try:
        controller.init(context)
    except InputError as error:
        return str(error)
    except Exception:
        return None  # a defect of the controller: the loop holds, and the results say why
    return None


def versions() -> dict[str, str]:
    """Versions of this program and of the packages whose arithmetic it stands on."""
    return {name: version(name) for name in ("neurostim", *PACKAGES)}


def model_of(name: str) -> Model:
    """The family of patients of this name; `InputError` lists the known ones."""
    try:
        return model_named(name)
    except InputError as error:
        raise InputError(f"population.model: {error}") from None


def named_file(name: str, folder: Path) -> str:
    """A name as it is, and a path as seen from the design's folder."""
    return str(folder / name) if name.endswith((".toml", ".csv")) else name


def baselines_of(name: str, folder: Path) -> Baselines | None:
    """The baselines of a design: shipped, in a CSV file, or None for those of the population."""
    if name == "population":
        return None
    if name == "thall-vail":
        return thall_vail()
    if not name.endswith(".csv"):
        raise InputError(
            f"population.baselines = {name!r}: population, thall-vail or a .csv file was expected"
        )
    return read_baselines(Path(named_file(name, folder)))


def _eligible(design: Design, device: Device, seed: int, enrolment: Enrolment) -> tuple[int, ...]:
    """The first patients of the seed who are eligible by what they write during baseline."""
    population, days = design.population, design.schedule.baseline_days
    if not population.is_screened:
        return tuple(range(population.n_patients))
    model = model_of(population.model)
    enrolled: list[int] = []
    screened = 0
    while len(enrolled) < population.n_patients:
        if screened > MAX_SCREENED_PER_PATIENT * population.n_patients:
            raise InputError(
                f"population.least_per_28_days = {population.least_per_28_days}, most_per_28_days "
                f"= {population.most_per_28_days}, least_days_recorded = "
                f"{population.least_days_recorded}: of {screened} people screened only "
                f"{len(enrolled)} were eligible"
            )
        people = range(screened, screened + SCREENED_AT_ONCE)
        states = model.draw(device=device, seed=seed, patients=people, enrolment=enrolment)
        for patient, seen in zip(people, observe_off(model, states, days), strict=True):
            if is_eligible(population, seen):
                enrolled.append(patient)
        screened = people.stop
    return tuple(enrolled[: population.n_patients])


def is_eligible(population: Population, baseline: Observation) -> bool:
    """Whether a person's baseline is one that the trial enrols."""
    per_28_days = 28 * (baseline.n_seizures or 0) / max(baseline.days_recorded, 1)
    most = population.most_per_28_days
    return (
        per_28_days >= population.least_per_28_days
        and (most is None or per_28_days <= most)
        and baseline.days_recorded >= population.least_days_recorded
    )


def candidates_of(design: Design, envelope: Envelope) -> tuple[Setting, ...]:
    """The list of settings without those the envelope would not deliver as they stand.

    A tick that the device does not have is a mistake in the design; a combination of good ticks
    that breaks a coupled limit, such as charge, is left out.
    """
    unknown = "\n".join(sentence for _, sentence in unknown_ticks(design.settings, envelope))
    if unknown:
        raise InputError(unknown)
    candidates = tuple(s for s in design.settings.space() if is_deliverable(s, envelope))
    if len(candidates) < 2:
        raise InputError(f"settings: the envelope {envelope.name} delivers none of them")
    return candidates


def unknown_ticks(
    settings: SettingsList, envelope: Envelope
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every tick and mode that the envelope does not have: its path in a design, and a sentence."""
    for name in ("site", "amplitude_ua", "frequency_hz", "pulse_width_us"):
        known = envelope.sites if name == "site" else getattr(envelope, name)
        for place, tick in enumerate(getattr(settings, name)):
            if tick not in known:
                yield (
                    ("settings", name, place),
                    f"settings.{name} = {tick}: the envelope {envelope.name} has {_listed(known)}",
                )
    for place, cycle in enumerate(settings.cycles):
        path = ("settings", "cycles", place)
        if cycle.mode not in envelope.modes:
            yield (
                path,
                f"settings.cycles: mode = {cycle.mode.value!r}: the envelope {envelope.name} has "
                f"{', '.join(envelope.modes)}",
            )
        elif cycle.mode is not Mode.CONTINUOUS:
            for name in ("on_ms", "off_ms"):
                known, tick = getattr(envelope, name), getattr(cycle, name)
                if tick not in known:
                    yield (
                        (*path, name),
                        f"settings.cycles: {name} = {tick}: the envelope {envelope.name} has "
                        f"{_listed(known)}",
                    )


def _listed(ticks: tuple[int, ...]) -> str:
    return (
        ", ".join(map(str, ticks))
        if len(ticks) <= 20
        else f"{len(ticks)} ticks from {ticks[0]} to {ticks[-1]}"
    )


def _resolved(compute: str) -> str:
    if compute not in ("auto", "cpu", "cuda"):
        raise InputError(f"compute = {compute!r}: auto, cpu or cuda was expected")
    if compute == "cpu":
        return compute
    import torch

    has_gpu = torch.cuda.is_available()
    if compute == "cuda" and not has_gpu:
        raise InputError("compute = 'cuda': PyTorch finds no GPU on this machine")
    return "cuda" if has_gpu else "cpu"
