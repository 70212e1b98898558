"""Everything that is wrong with a design, each with its line; nothing is run.

A value that is wrong is set aside and a good one put in its place, so that what depends on other
values is still checked; what depends on a value that was set aside is not said.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from neurostim.controllers import Context, Controller, controller_class, controller_of
from neurostim.design_advice import advice
from neurostim.design_repair import is_touched, repair
from neurostim.meta.prior_path import prior_path
from neurostim.plan import (
    baselines_of,
    candidates_of,
    misfit,
    model_of,
    named_file,
    unknown_ticks,
)
from patient_models import TARGETS
from protocols import InputError
from protocols.design import Design, design_text
from protocols.documents import leaves
from protocols.faults import Fault, faults_of
from protocols.lines import Path as Place
from protocols.lines import lines_of
from safety import Envelope, load_envelope

MOST_SYNTAX_FAULTS = 50
MOST_ROUNDS = 200
PAIR = re.compile(r"\s*[\w.\"'-]+\s*=")
WHERE = re.compile(r"\(at (?:line (\d+), column \d+|end of document)\)$")


class Remark(NamedTuple):
    """A sentence about a line of a design; a warning is no fault."""

    line: int
    sentence: str
    is_warning: bool = False


def check_design(name_or_path: str | Path) -> list[Remark]:
    """Every fault and every warning about a design, in the order of its lines.

    Raises `InputError` when there is no such file, or it is no text.
    """
    text, _ = design_text(name_or_path)
    folder = Path(name_or_path).parent if Path(name_or_path).suffix == ".toml" else Path()
    text, document, remarks = _parsed(text)
    if document is None:
        return remarks
    lines = lines_of(text)
    repaired: set[Place] = set()
    found = [*_unreadable(document, repaired), *_ill_formed(document, repaired)]
    if remarks:  # what stood on a line that was not TOML is not missing
        found = [fault for fault in found if not _is_missing(fault)]
    design = Design.model_validate(document)
    found += [
        fault for fault in _misfits(design, folder, repaired) if not _is_moot(fault, repaired)
    ]
    remarks += [Remark(_line(fault.path, lines), fault.sentence) for fault in found]
    remarks += [
        Remark(_line(path, lines), words, is_warning=True)
        for path, words in advice(design)
        if not is_touched(path, repaired)
    ]
    return sorted(set(remarks))


def _parsed(text: str) -> tuple[str, dict[str, Any] | None, list[Remark]]:
    """The text without the lines that are no TOML, what it says, and what was wrong."""
    remarks: list[Remark] = []
    lines = text.split("\n")
    for _ in range(MOST_SYNTAX_FAULTS):
        try:
            return "\n".join(lines), tomllib.loads("\n".join(lines)), remarks
        except RecursionError:
            return text, None, [Remark(1, "not valid TOML: lists or tables are nested too deep")]
        except tomllib.TOMLDecodeError as error:
            where = WHERE.search(str(error))
            line = int(where[1]) if where and where[1] else len(lines)
            message = WHERE.sub("", str(error)).strip()
            remarks.append(Remark(line, f"not valid TOML: {message[:1].lower()}{message[1:]}"))
            if not PAIR.match(lines[line - 1]):
                break  # without a heading or the end of a list nothing after it is what it seems
            lines[line - 1] = ""
    return text, None, remarks


def _unreadable(document: dict[str, Any], repaired: set[Place]) -> Iterator[Fault]:
    """Numbers that are not finite, which are then set aside."""
    for key, value in list(leaves(document)):
        if isinstance(value, float) and not -1e300 < value < 1e300:
            path = tuple(int(p) if p.isdecimal() else p for p in re.findall(r"[^.\[\]]+", key))
            yield Fault(path, f"{key} = {value}: a finite number was expected")
            repair(document, path, repaired)


def _ill_formed(document: dict[str, Any], repaired: set[Place]) -> Iterator[Fault]:
    """What breaks the form of a design or its own rules; the document is whole afterwards."""
    for _ in range(MOST_ROUNDS):
        try:
            Design.model_validate(document)
            return
        except ValidationError as error:
            faults = faults_of(error)
        meant = {(*f.path[:-1], _nearest(f, Design)) for f in faults if f.is_unknown}
        for fault in faults:
            if not _is_moot(fault, repaired) and not (_is_missing(fault) and fault.path in meant):
                yield _suggested(fault, Design)
        # The last entry of a list first, so that taking one out moves none that is still to go.
        for fault in sorted(faults, key=lambda each: _order(each.path), reverse=True):
            repair(document, fault.path, repaired)
    repair(document, (), repaired)


def _order(path: Place) -> list[tuple[bool, int, str]]:
    return [(isinstance(p, str), p if isinstance(p, int) else 0, str(p)) for p in path]


def _is_moot(fault: Fault, repaired: set[Place]) -> bool:
    """Whether a fault is about a value that was set aside, or follows from one."""
    return any(is_touched(path, repaired) for path in (fault.path, *fault.depends_on))


def _misfits(design: Design, folder: Path, repaired: set[Place]) -> Iterator[Fault]:
    """What a design names that is unknown, or that does not fit together."""
    population = design.population
    if population.target not in TARGETS:
        yield Fault(
            ("population", "target"),
            f"population.target = {population.target!r}: one of {', '.join(TARGETS)} was expected",
        )
    for key, find in (
        ("model", lambda: model_of(population.model)),
        ("baselines", lambda: baselines_of(population.baselines, folder)),
    ):
        try:
            find()
        except InputError as error:
            yield Fault(("population", key), str(error))
    envelope: Envelope | None = None
    try:
        envelope = load_envelope(named_file(design.device.envelope, folder))
    except InputError as error:
        yield Fault(("device", "envelope"), f"device.envelope: {error}")
    context = None
    if envelope is not None:
        unknown = list(unknown_ticks(design.settings, envelope))
        yield from (Fault(path, words, (("device", "envelope"),)) for path, words in unknown)
        try:
            candidates = () if unknown else candidates_of(design, envelope)
            context = Context(candidates=candidates, seed=0, compute="cpu", folder=folder)
        except InputError as error:
            yield Fault(("settings",), str(error), (("device", "envelope"),))
    for place in range(len(design.arms)):
        yield from _arm_faults(design, place, context, folder)


def _arm_faults(
    design: Design, place: int, context: Context | None, folder: Path
) -> Iterator[Fault]:
    """What is wrong with the controller of an arm and its options."""
    arm, path = design.arms[place], ("arms", place)
    try:
        kind = controller_class(arm.controller)
    except InputError as error:
        yield Fault((*path, "controller"), f"arms[{place}].controller: {error}")
        return
    about = ((*path, "controller"),)
    try:
        controller = controller_of(arm.controller, arm.options)
    except ValidationError as error:
        for fault in faults_of(error):
            fault = _suggested(fault, kind)
            sentence = f"arms[{place}].options.{fault.sentence}"
            yield Fault((*path, "options", *fault.path), sentence, about)
        return
    known = context if context is not None and context.candidates else None
    reason = _missing_prior(controller, folder) if known is None else misfit(controller, known)
    if reason is not None:
        concerned = about if known is None else (*about, ("settings",), ("device",))
        yield Fault((*path, "options"), f"arms[{place}].options: {reason}", concerned)


def _missing_prior(controller: Controller, folder: Path) -> str | None:
    """Why the learned prior of a controller is not found; None when it is, or none is asked for."""
    prior = getattr(controller, "prior", None)
    try:
        if prior is not None:
            prior_path(prior, folder)
    except InputError as error:
        return str(error)
    return None


def _is_missing(fault: Fault) -> bool:
    return fault.sentence.endswith(" is missing")


def _nearest(fault: Fault, root: type) -> str | None:
    """The known key that is nearest to an unknown one, if any is near."""
    known = sorted(_keys_at(root, fault.path[:-1]))
    return next(iter(difflib.get_close_matches(str(fault.path[-1]), known, 1, 0.5)), None)


def _suggested(fault: Fault, root: type) -> Fault:
    """The fault, with the known key that an unknown one is nearest to."""
    if not fault.is_unknown:
        return fault
    known = ", ".join(sorted(_keys_at(root, fault.path[:-1])))
    near = _nearest(fault, root)
    hint = f": {near} was perhaps meant" if near else f": one of {known} was expected"
    return fault._replace(sentence=fault.sentence + hint)


def _keys_at(root: Any, path: Iterable[str | int]) -> set[str]:
    """The keys of a table of a design, or of the options of a controller."""
    for name in path:
        if is_dataclass(root):
            return set()
        if isinstance(name, str):
            root = root.model_fields[name].annotation
        root = next(each for each in _unpacked(root) if _is_table(each))
    if is_dataclass(root):
        return {field.name for field in fields(root)}
    return set(root.model_fields)


def _unpacked(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _unpacked(inner)


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _line(path: Place, lines: dict[Place, int]) -> int:
    """The line of a key or, where it is not in the document, of the table it belongs to."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)
