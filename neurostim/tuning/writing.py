"""A tuned design as a TOML file that runs, with a comment that says how it was found."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from neurostim.plan import make_plan
from neurostim.tuning.difference import CHANGES, SHARE, UNSAFE, Measured
from neurostim.tuning.ground import changed_arm
from neurostim.tuning.knobs import EPOCH_DAYS
from neurostim.tuning.tune import Confirmation, Tuning, folder_of
from protocols import InputError
from protocols.design import Design, load_design
from protocols.documents import leaves

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def tuned_design(tuning: Tuning) -> Design:
    """The design with the tuned values; every other arm as it was."""
    changes = tuning.changes
    schedule = tuning.design.schedule
    name = tuning.ground.arm.name
    return tuning.design.model_copy(
        update={
            "schedule": schedule.model_copy(
                update={EPOCH_DAYS: changes.get(EPOCH_DAYS, schedule.epoch_days)}
            ),
            "arms": tuple(
                changed_arm(arm, changes) if arm.name == name else arm for arm in tuning.design.arms
            ),
        }
    )


def text_of(tuning: Tuning) -> str:
    """The file's text."""
    design = tuned_design(tuning)
    document = design.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return "".join((*(f"# {line}\n" for line in comment(tuning)), *_document(document)))


def check_place(out: Path, design: str) -> None:
    """Raise `InputError` when the files that a design names would not be found from `out`.

    A tuned design names them as the design does, as seen from its folder.
    """
    document = load_design(design).model_dump(mode="json")
    named = [value for _, value in leaves(document) if isinstance(value, str)]
    files = [each for each in named if each.endswith((".toml", ".csv", ".safetensors"))]
    if files and out.parent.resolve() != folder_of(design).resolve():
        raise InputError(
            f"--out {out}: the design names {files[0]} as seen from its own folder, and a file in "
            "that folder was expected"
        )


def check_runs(tuning: Tuning) -> None:
    """Raise `InputError` when another arm does not go with what was tuned."""
    make_plan(
        tuned_design(tuning).model_copy(
            update={"population": tuning.design.population.model_copy(update={"n_patients": 1})}
        ),
        seed=0,
        compute="cpu",
        folder=folder_of(tuning.request.design),
    )


def comment(tuning: Tuning) -> Iterator[str]:
    """How the design was found, and what it is worth, a line each."""
    request, known = tuning.request, tuning.known
    arm = tuning.ground.arm.name
    yield f"The design {tuning.design.name} with its arm {arm} tuned by `neurostim tune`:"
    yield (
        f"seed {request.seed}, a budget of {request.budget} whole trials, {len(known.on(0))} "
        f"choices, {request.n_training} training patients."
    )
    yield f"Fingerprint of the design before tuning: {tuning.design.fingerprint()}"
    changes = tuning.changes
    yield f"Changed: {words(changes)}." if changes else "Nothing was changed."
    yield from (sentence(each) for each in tuning.confirmations)
    yield verdict(tuning)


def words(changes: Mapping[str, Any]) -> str:
    """Changed values in one phrase."""
    return ", ".join(f"{name} = {value_words(value)}" for name, value in changes.items())


def value_words(value: Any) -> str:
    """A knob's value as a design has it; none is what is left out."""
    return "left out" if value is None else inline(_plain(value))


def sentence(each: Confirmation) -> str:
    """One confirmation with its 95 % intervals."""
    return (
        f"On {each.n_patients} {each.family} patients not tuned on, tuned less default: share of "
        f"the gap {_with_interval(each.difference, SHARE, 3)}, unsafe days "
        f"{_with_interval(each.difference, UNSAFE, 2)} %, changes of setting a year "
        f"{_with_interval(each.difference, CHANGES, 1)}."
    )


def verdict(tuning: Tuning) -> str:
    """Whether tuning helped, by the patients it was not done on."""
    if not tuning.changes:
        return "Nothing that was tried is better than the default: this is the design as it was."
    first = tuning.confirmations[0]
    harms = "; ".join(
        f"{' and '.join(each.harms)} on the {each.family} patients"
        for each in tuning.confirmations
        if each.harms
    )
    if not first.is_better:
        said = "This did not help: on the validation patients the share is not known to be larger"
        return f"{said}, and there is {harms}." if harms else f"{said}."
    if harms:
        return f"This gains share on the validation patients, at a price: {harms}."
    return "This helped on the validation patients, and is not known to be worse anywhere."


def _with_interval(difference: Measured, objective: int, decimals: int) -> str:
    low, high = difference.interval(objective)
    return (
        f"{difference.values[objective]:+.{decimals}f} ({low:+.{decimals}f} to "
        f"{high:+.{decimals}f})"
    )


def _document(document: Mapping[str, Any]) -> Iterator[str]:
    """Values first, then tables, then arrays of tables, as TOML has it."""
    tables = {name: each for name, each in document.items() if isinstance(each, Mapping)}
    arrays = {
        name: each for name, each in document.items() if name == "arms" and isinstance(each, list)
    }
    for name, value in document.items():
        if name not in tables and name not in arrays:
            yield f"{_key(name)} = {inline(value)}\n"
    for name, table in tables.items():
        yield f"\n[{_key(name)}]\n"
        yield from (f"{_key(key)} = {inline(value)}\n" for key, value in table.items())
    for name, rows in arrays.items():
        for row in rows:
            yield f"\n[[{_key(name)}]]\n"
            yield from (f"{_key(key)} = {inline(value)}\n" for key, value in row.items())


def inline(value: Any) -> str:
    """A value of a plain document as TOML in one line."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(name)} = {inline(each)}" for name, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(inline, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else inline(name)
