"""Patient files: one JSON document that holds what was decided, and nothing of what came of it.

A file names a design, a seed and, visit by visit, what a policy asked for. Opening one lives it
again: each wish passes the gate anew, under the limits of its time, and the luck is addressed, so
that the same days come about. A file can therefore not smuggle in a delivery, a state or a result;
a digest tells whether the rows are those that were saved. Nothing in it runs, and it has no paths
to other files.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, Strict, ValidationError, field_validator, model_validator

from neurostim.app.engine import Engine
from neurostim.app.life import Life, LimitChange, Origin, Scenario, Subject, Workspace
from neurostim.app.limits import loosened, tightened
from neurostim.asking import Wish
from neurostim.history import row_setting, setting_row
from neurostim.rows import Row
from protocols import InputError
from protocols.design import Arm, Design, Part, faults
from protocols.documents import read_text
from safety import Person, Role, envelope_names

FORMAT, VERSION = "neurostim patient", 1
SUFFIX = ".neurostim.json"
TRUTH = "true_"
MAX_FILE_BYTES = 5_000_000
MAX_SCENARIOS, MAX_TURNS, MAX_CHANGES = 40, 2_000, 200
MAX_DAYS, MAX_BASELINE_DAYS, MAX_SETTINGS, MAX_COUNT = 7_300, 730, 2_048, 100_000
MAX_OPTION_CHARACTERS, MAX_PERTURBED_TICKS = 2_000, 10
BASELINES = ("population", "thall-vail")

Label = Annotated[str, Field(pattern=r"^\w[\w .,()'-]{0,79}$")]
"""Words only: no markup, no path, no line break."""

Sentence = Annotated[str, Field(max_length=500)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Tell = Callable[[float], None]


class SavedTurn(Part):
    """What was asked for at one visit: a row of `history.SETTING_COLUMNS`, or nothing and why."""

    wish: Annotated[tuple[int, ...], Strict(False), Field(min_length=7, max_length=7)] | None
    fault: Sentence = ""
    is_visit: bool = True
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)]
    n_changes: Annotated[int, Field(ge=0, le=MAX_CHANGES)] = 0

    @field_validator("wish")
    @classmethod
    def _is_a_setting(cls, wish: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if wish is not None:
            try:
                row_setting(wish)
            except (ValueError, TypeError, IndexError) as error:
                raise ValueError(f"a setting was expected ({error})") from None
        return wish


class SavedScenario(Part):
    """One scenario: its policy, and its visits from the first day on."""

    name: Label
    policy: Arm
    branch_of: Label | None = None
    branch_day: Annotated[int, Field(ge=0, le=MAX_DAYS)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    turns: Annotated[tuple[SavedTurn, ...], Strict(False), Field(max_length=MAX_TURNS)]

    @model_validator(mode="after")
    def _policy_is_tame(self) -> Self:
        check_options(self.policy)
        return self


class SavedPerson(Part):
    """Who answered for a change of the limits."""

    name: Label
    role: Annotated[Role, Strict(False)]


class SavedChange(Part):
    """One change of the limits."""

    name: Annotated[str, Field(max_length=40)]
    value: Annotated[str, Field(max_length=80)]
    is_loosening: bool
    by: Annotated[tuple[SavedPerson, ...], Strict(False), Field(min_length=1, max_length=4)]
    reason: Sentence
    day: Annotated[int, Field(ge=0, le=MAX_DAYS)]


class SavedSubject(Part):
    """Who the patient is."""

    label: Label
    origin: Annotated[Origin, Strict(False)]
    design: Design
    seed: Annotated[int, Field(ge=0, lt=2**64)]
    first_date: Annotated[date, Strict(False)] | None
    counts: Annotated[dict[str, Count], Field(max_length=MAX_DAYS)] = Field(default_factory=dict)

    @field_validator("counts")
    @classmethod
    def _days_are_dates(cls, counts: dict[str, int]) -> dict[str, int]:
        for day in counts:
            try:
                date.fromisoformat(day)
            except ValueError:
                raise ValueError(f"{day[:40]!r}: an ISO date was expected") from None
        if counts and (days_between(counts) > MAX_DAYS):
            raise ValueError(f"the diary spans more than {MAX_DAYS} days")
        return counts

    @model_validator(mode="after")
    def _design_names_no_files(self) -> Self:
        check_design(self.design)
        if (self.origin is Origin.DIARY) != bool(self.counts):
            raise ValueError("a diary holds counts, and nobody else does")
        return self


class PatientFile(Part):
    """The document."""

    format: Literal["neurostim patient"]
    version: Literal[1]
    subject: SavedSubject
    limits: Annotated[tuple[SavedChange, ...], Strict(False), Field(max_length=MAX_CHANGES)] = ()
    scenarios: Annotated[
        tuple[SavedScenario, ...], Strict(False), Field(min_length=1, max_length=MAX_SCENARIOS)
    ]
    current: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _scenarios_are_distinct(self) -> Self:
        names = [scenario.name for scenario in self.scenarios]
        if len(set(names)) < len(names):
            raise ValueError("scenarios: two have the same name")
        if self.current >= len(names):
            raise ValueError(f"current = {self.current}: there are {len(names)} scenarios")
        for scenario in self.scenarios:
            if any(turn.n_changes > len(self.limits) for turn in scenario.turns):
                raise ValueError(
                    f"scenarios.{scenario.name}: more changes of limits than there are"
                )
        return self


def check_options(policy: Arm) -> None:
    """Raise `ValueError` for options that are too large, or name a file."""
    if len(json.dumps(policy.options, default=str)) > MAX_OPTION_CHARACTERS:
        raise ValueError(f"options of at most {MAX_OPTION_CHARACTERS} characters were expected")
    ticks = policy.options.get("perturbed_ticks", 0)
    if isinstance(ticks, int) and ticks > MAX_PERTURBED_TICKS:
        raise ValueError(
            f"options.perturbed_ticks = {str(ticks)[:40]}: at most {MAX_PERTURBED_TICKS} expected"
        )
    prior = policy.options.get("prior")
    if prior is not None and (not isinstance(prior, str) or not prior.replace("-", "").isalnum()):
        raise ValueError(f"options.prior = {prior!r}: the name of a shipped prior was expected")


def check_design(design: Design) -> None:
    """Raise `ValueError` for a design that is not one patient's, names a file, or has no bounds."""
    if design.population.n_patients != 1:
        raise ValueError("design.population.n_patients: 1 was expected")
    if design.kind != "paired":
        raise ValueError(f"design.kind = {design.kind!r}: 'paired' was expected")
    if design.device.envelope not in envelope_names():
        raise ValueError(f"design.device.envelope: one of {', '.join(envelope_names())} expected")
    if design.population.baselines not in BASELINES:
        raise ValueError(f"design.population.baselines: {' or '.join(BASELINES)} was expected")
    if design.schedule.end_day > MAX_DAYS or design.schedule.baseline_days > MAX_BASELINE_DAYS:
        raise ValueError(
            f"design.schedule: at most {MAX_DAYS} days, {MAX_BASELINE_DAYS} of them baseline, "
            "were expected"
        )
    if len(design.settings.space()) > MAX_SETTINGS:
        raise ValueError(f"design.settings: at most {MAX_SETTINGS} settings were expected")
    for arm in design.arms:
        check_options(arm)


def days_between(counts: Mapping[str, int]) -> int:
    """The days that a diary spans."""
    return (date.fromisoformat(max(counts)) - date.fromisoformat(min(counts))).days + 1


def digest_of(rows: Sequence[Row]) -> str:
    """SHA-256 over what was asked for, delivered and seen in rows of a trial's table of epochs.

    Not over the truth, whose last bits may differ from one kind of processor to another.
    """
    seen = [
        {name: value for name, value in row.items() if not name.startswith(TRUTH)} for row in rows
    ]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def patient_bytes(workspace: Workspace, changes: Sequence[LimitChange], engine: Engine) -> bytes:
    """The document of a workspace, UTF-8 JSON."""
    subject = workspace.subject
    document: dict[str, JsonValue] = {
        "format": FORMAT,
        "version": VERSION,
        "subject": {
            "label": subject.label,
            "origin": subject.origin.value,
            "design": subject.design.model_dump(mode="json", exclude_defaults=True),
            "seed": subject.seed,
            "first_date": None if subject.first_date is None else subject.first_date.isoformat(),
            "counts": {day.isoformat(): count for day, count in sorted(subject.counts.items())},
        },
        "limits": [
            {
                "name": change.name,
                "value": change.value,
                "is_loosening": change.is_loosening,
                "by": [{"name": each.name, "role": each.role.value} for each in change.by],
                "reason": change.reason,
                "day": change.day,
            }
            for change in changes
        ],
        "scenarios": [_saved(scenario, engine) for scenario in workspace.scenarios],
        "current": workspace.current,
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def _saved(scenario: Scenario, engine: Engine) -> dict[str, Any]:
    turns = [
        {
            "wish": None if wish.requested is None else list(setting_row(wish.requested)),
            "fault": wish.fault,
            "is_visit": wish.is_visit,
            "days": turn.asked_days,
            "n_changes": turn.n_changes,
        }
        for turn in scenario.life.turns
        for wish in (turn.lived.wish,)
    ]
    return {
        "name": scenario.name,
        "policy": scenario.policy.model_dump(mode="json"),
        "branch_of": scenario.branch_of,
        "branch_day": scenario.branch_day,
        "sha256": digest_of(engine.rows(scenario.life, scenario.policy.name)),
        "turns": turns,
    }


def read_patient(path: Path) -> PatientFile:
    """The checked document of a patient file; `InputError` says what is wrong with it."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: no file")
    text = read_text(path, MAX_FILE_BYTES)
    return parse_patient(text, str(path))


def parse_patient(text: str, place: str) -> PatientFile:
    """The checked document of a text."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not a patient file: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"{place}: not a patient file: format = {FORMAT!r} was expected")
    if document.get("version") != VERSION:
        raise InputError(
            f"{place}: version = {str(document.get('version'))[:40]}: {VERSION} was expected; a "
            "newer neurostim may open it"
        )
    try:
        return PatientFile.model_validate(document)
    except ValidationError as error:
        raise InputError(first_faults(error, f"{place}: ")) from None


MOST_FAULTS = 5


def first_faults(error: ValidationError, prefix: str) -> str:
    """The first faults of a document, one a line."""
    lines = faults(error, prefix).splitlines()
    rest = [f"{prefix}and {len(lines) - MOST_FAULTS} more"] if len(lines) > MOST_FAULTS else []
    return "\n".join([*lines[:MOST_FAULTS], *rest])


def subject_of(saved: SavedSubject) -> Subject:
    """The patient of a document."""
    return Subject(
        label=saved.label,
        origin=saved.origin,
        design=saved.design,
        seed=saved.seed,
        first_date=saved.first_date,
        counts={date.fromisoformat(day): count for day, count in saved.counts.items()},
    )


def reopened(
    saved: PatientFile, engine: Engine, place: str, tell: Tell
) -> tuple[Workspace, tuple[LimitChange, ...], tuple[str, ...]]:
    """What a document holds, lived again: workspace, changes of limits, and notices.

    Raises `InputError` where a change of limits was not one that people could make.
    """
    changes = _changes(saved.limits, engine, place)
    n_turns = max(1, sum(len(scenario.turns) for scenario in saved.scenarios))
    n_done = 0
    notices: list[str] = []
    scenarios: list[Scenario] = []
    lived: dict[tuple[int, SavedTurn], Life] = {}
    for each in saved.scenarios:
        life = engine.start
        for number, turn in enumerate(each.turns):
            if life.day >= engine.end_day:
                raise InputError(
                    f"{place}: scenarios.{each.name}: visit {number} is after day "
                    f"{engine.end_day}, where the schedule ends"
                )
            key = (id(life), turn)  # the first turns of a branch are those of what it left
            if key not in lived:
                wish = Wish(
                    setting=None if turn.wish is None else row_setting(turn.wish),
                    fault=turn.fault,
                    is_visit=turn.is_visit,
                )
                lived[key] = engine.replayed(life, wish, turn.days, changes[: turn.n_changes])
            life = lived[key]
            n_done += 1
            tell(n_done / n_turns)
        if digest_of(engine.rows(life, each.policy.name)) != each.sha256:
            notices.append(
                f"{each.name} was lived again with other results than were saved: the file was "
                "changed, or another version of the program wrote it."
            )
        scenarios.append(
            Scenario(
                name=each.name,
                policy=each.policy,
                life=life,
                branch_of=each.branch_of,
                branch_day=each.branch_day,
            )
        )
    workspace = Workspace(
        subject=subject_of(saved.subject),
        scenarios=tuple(scenarios),
        current=saved.current,
        what="opening",
    )
    return workspace, changes, tuple(notices)


def _changes(saved: Sequence[SavedChange], engine: Engine, place: str) -> tuple[LimitChange, ...]:
    changes: list[LimitChange] = []
    for number, each in enumerate(saved):
        chain = engine.chain(changes)
        people = tuple(Person(person.name, person.role) for person in each.by)
        try:
            if each.is_loosening:
                change = loosened(chain, each.name, each.value, people, each.reason, each.day)
            else:
                change = tightened(chain, each.name, each.value, people[0], each.day)
        except InputError as error:
            raise InputError(f"{place}: limits[{number}]: {error}") from None
        changes.append(change)
    return tuple(changes)
