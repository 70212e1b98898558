"""Whom and what the app offers: the sample, virtual patients, people with a diary, policies."""

import re
from dataclasses import asdict
from datetime import date
from importlib.resources import files

from neurostim.app.engine import Engine
from neurostim.app.life import Life, Origin, Subject
from neurostim.app.patient_file import MAX_COUNT, MAX_DAYS
from neurostim.controllers import controller_class
from patient_models.diaries import Diary
from protocols import InputError
from protocols.design import Arm, Design, design_names, load_design

SAMPLE = "sample.neurostim.json"
SAMPLE_SEED, SAMPLE_DAYS = 8, 196
FIRST_DATE = date(2026, 1, 5)
"""A Monday, on which virtual patients enrol."""

TREATMENT_DAYS = 1_820
MORE_POLICIES = (
    Arm(name="gp-safe", controller="gp-safe"),
    Arm(name="thompson", controller="thompson"),
)
FIRST_POLICY = "gp"
SUMMARIES = {
    "gp": (
        "A Gaussian process learns the patient's response; an acquisition function picks the next "
        "setting."
    ),
    "gp-safe": (
        "The Gaussian process, kept to settings whose side effects are believed to be bearable."
    ),
    "gp-drifting": "The Gaussian process for responses that may change with time.",
    "thompson": "A Gaussian process; the next setting is the best of a random draw.",
    "random-posterior": (
        "Settings drawn at random, and the best by a Gaussian process in the end."
    ),
}
"""Those of controllers that load tensors, so that a list of policies need not."""


def sample_text() -> str:
    """The patient file of the sample: so many days of the first policy, as a session saved them."""
    return (files("neurostim.app") / SAMPLE).read_text(encoding="utf-8")


def virtual_subject(seed: int, design: str, label: str, origin: Origin = Origin.VIRTUAL) -> Subject:
    """The virtual patient of a seed, in a shipped design that goes on for five years."""
    if type(seed) is not int or not 0 <= seed < 2**64:
        raise InputError(f"seed = {seed}: an integer from 0 to 2**64 - 1 was expected")
    return Subject(
        label=label, origin=origin, design=long_design(design), seed=seed, first_date=FIRST_DATE
    )


def diary_subject(diary: Diary, file_stem: str) -> Subject:
    """A person known by a diary; the label is the diary's, with odd characters left out."""
    n_days, most = (diary.last - diary.first).days + 1, max(diary.counts.values())
    if n_days > MAX_DAYS or most > MAX_COUNT:
        raise InputError(
            f"a diary of {n_days} days with up to {most} seizures: at most {MAX_DAYS} days and "
            f"{MAX_COUNT} seizures a day were expected"
        )
    name = f"{file_stem} {diary.patient}" if diary.patient != "1" else file_stem
    label = re.sub(r"[^\w .,()'-]", "", name).strip(" .,()'-")[:80]
    return Subject(
        label=label or "Imported diary",
        origin=Origin.DIARY,
        design=long_design("demo"),
        seed=0,
        first_date=diary.first,
        counts=dict(diary.counts),
    )


def long_design(name: str) -> Design:
    """A shipped design for one patient, with more policies, and years of treatment."""
    if name not in design_names():
        raise InputError(f"design {name!r}: one of {', '.join(design_names())} was expected")
    design = load_design(name, {"population.n_patients": 1})
    if design.kind != "paired":
        raise InputError(
            f"design {name!r} is {design.kind}: one in which a patient can live every arm was "
            "expected"
        )
    names = {arm.name for arm in design.arms}
    more = tuple(arm for arm in MORE_POLICIES if arm.name not in names)
    schedule = design.schedule
    if not schedule.open_label_days:
        longest = max(schedule.treatment_days, TREATMENT_DAYS)
        schedule = schedule.model_copy(update={"treatment_days": longest})
    return design.model_copy(update={"arms": (*design.arms, *more), "schedule": schedule})


def first_policy(subject: Subject) -> Arm:
    """The policy that a patient begins with."""
    arms = subject.design.arms
    return next((arm for arm in arms if arm.name == FIRST_POLICY), arms[-1])


def summary_of(arm: Arm) -> str:
    """A policy in a sentence; those that need tensors are told of without loading them."""
    return SUMMARIES.get(arm.controller) or controller_class(arm.controller).summary


def branch_arm(what: str, life: Life, engine: Engine) -> Arm | None:
    """Holding what was delivered last, or stopping, as a policy; None for anything else."""
    setting = life.delivered
    if what == "stop" or (what == "hold" and (setting is None or setting.is_off)):
        return Arm(name=what, controller="sham")
    if what != "hold" or setting is None:
        return None
    if setting not in engine.plan.candidates:
        raise InputError(
            f"holding {setting}: it is none of the design's settings, since safety lowered it"
        )
    return Arm(
        name="hold",
        controller="fixed",
        options={"setting": asdict(setting) | {"mode": setting.mode.value}},
    )
