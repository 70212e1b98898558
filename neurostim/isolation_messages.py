"""Messages between a controller's own process and ours: plain bytes, capped, checked by both sides.

A message is two lengths (of what follows, and of its header), a header in JSON, and the columns of
some arrays, whose names and types the header's kind fixes. Nothing in a message is ever executed
or looked up by name, but for the controller to run, which only we send.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurostim.controllers import Context, Fault
from neurostim.history import SETTING_COLUMNS, History, row_setting, setting_row
from protocols import InputError, Setting

LENGTHS = struct.Struct(">QI")
MAX_QUESTION_BYTES = 2**31
MAX_HEADER_BYTES = 2**24
MAX_FAULT_CHARACTERS = 200
MAX_SENTENCE_CHARACTERS = 2_000
MAX_ANSWER_BYTES = 2**16
MAX_ANSWER_BYTES_PER_PATIENT = 2**10
"""56 bytes of a setting, and a fault of at most 200 characters of at most four bytes."""

HISTORY_COLUMNS = tuple(field.name for field in fields(History))
ARRAYS: dict[str, dict[str, str]] = {
    "start": {"candidates": "<i8"},
    "propose": dict.fromkeys(HISTORY_COLUMNS, "<i8") | {"allowed": "|u1"},
    "recommend": dict.fromkeys(HISTORY_COLUMNS, "<i8") | {"allowed": "|u1"},
    "ready": {},
    "refused": {},
    "failed": {},
    "answer": {"settings": "<i8"},
}
"""The kinds of messages, and the type of each array that one carries."""

Arrays = Mapping[str, NDArray[Any]]
Header = dict[str, Any]
Proposed = Setting | Fault | None


class GarbledError(ValueError):
    """Bytes are not the message that was expected; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a controller's process has to know before its first question."""

    entry: str
    options: Mapping[str, Any]
    place: str
    memory_mb: int
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What `propose` or `recommend` is asked for."""

    kind: str
    number: int
    history: History
    allowed: NDArray[np.bool_]


def max_answer_bytes(n_patients: int) -> int:
    """How long an answer about so many patients can be."""
    return MAX_ANSWER_BYTES + MAX_ANSWER_BYTES_PER_PATIENT * n_patients


def pack(kind: str, arrays: Arrays, **header: Any) -> bytes:
    """A message as bytes."""
    shapes = {name: array.shape for name, array in arrays.items()}
    text = json.dumps(header | {"kind": kind, "shapes": shapes}, ensure_ascii=False).encode()
    columns = b"".join(arrays[name].astype(dtype).tobytes() for name, dtype in ARRAYS[kind].items())
    return LENGTHS.pack(len(text) + len(columns), len(text)) + text + columns


def n_bytes(lengths: bytes, most: int) -> int:
    """How many bytes follow these `LENGTHS`; `GarbledError` for more than `most`."""
    total, in_header = LENGTHS.unpack(lengths)
    if in_header > min(total, MAX_HEADER_BYTES) or total > most:
        raise GarbledError(f"a message of {total:,} bytes was announced, at most {most:,} expected")
    return int(total)


def unpack(message: bytes) -> tuple[Header, dict[str, NDArray[Any]]]:
    """Header and arrays of a message; `GarbledError` says what is wrong with it."""
    _, in_header = LENGTHS.unpack_from(message)
    start = LENGTHS.size + in_header
    try:
        header = json.loads(message[LENGTHS.size : start].decode())
    except (ValueError, RecursionError):
        raise GarbledError("its header is not JSON") from None
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise GarbledError("its header is not an object with a kind")
    if header["kind"] not in ARRAYS:
        raise GarbledError("its kind is unknown")
    types, shapes = ARRAYS[header["kind"]], header.get("shapes")
    if not isinstance(shapes, dict) or shapes.keys() != types.keys():
        raise GarbledError("its header does not name the arrays that were expected")
    arrays = {}
    for name, dtype in types.items():
        size = _n_entries(shapes[name]) * np.dtype(dtype).itemsize
        column = message[start : start + size]
        if len(column) != size:
            raise GarbledError("it ends too early")
        try:
            arrays[name] = np.frombuffer(column, dtype=dtype).reshape(shapes[name])
        except ValueError:  # a length of 0 beside lengths that NumPy cannot count with
            raise GarbledError("a shape is beyond what an array can have") from None
        start += size
    if start != len(message):
        raise GarbledError("something follows its last array")
    return header, arrays


def pack_start(start: Start) -> bytes:
    """What starts a controller, as bytes; its options are such as JSON can hold."""
    return pack(
        "start",
        {"candidates": _rows(start.context.candidates)},
        entry=start.entry,
        options=dict(start.options),
        place=start.place,
        memory_mb=start.memory_mb,
        seed=start.context.seed,
        compute=start.context.compute,
        folder=str(start.context.folder.absolute()),
    )


def unpack_start(message: bytes) -> Start:
    """What `pack_start` packed; lists among the options are tuples again."""
    header, arrays = unpack(message)
    _expect(header, kind="start")
    candidates = tuple(setting for setting in _settings(arrays["candidates"]) if setting)
    if not isinstance(header.get("options"), dict):
        raise GarbledError("its options are no table")
    return Start(
        entry=_text(header, "entry"),
        options={name: _frozen(value) for name, value in header["options"].items()},
        place=_text(header, "place"),
        memory_mb=_whole(header, "memory_mb"),
        context=Context(
            candidates=candidates,
            seed=_whole(header, "seed"),
            compute=_text(header, "compute"),
            folder=Path(_text(header, "folder")),
        ),
    )


def pack_question(question: Question) -> bytes:
    """A question as bytes."""
    columns = {name: getattr(question.history, name) for name in HISTORY_COLUMNS}
    return pack(question.kind, columns | {"allowed": question.allowed}, number=question.number)


def unpack_question(message: bytes) -> Question:
    """What `pack_question` packed."""
    header, arrays = unpack(message)
    if header["kind"] not in ("propose", "recommend"):
        raise GarbledError(f"a {header['kind']} was sent, a question expected")
    allowed = arrays.pop("allowed")
    n_patients, n_epochs = arrays["days"].shape if arrays["days"].ndim == 2 else (-1, -1)
    for name, column in arrays.items():
        flat = (n_patients,) if name in ("patients", "n_epochs") else (n_patients, n_epochs)
        shape = (*flat, len(SETTING_COLUMNS)) if name in ("requested", "delivered") else flat
        if column.shape != shape:
            raise GarbledError(f"{name} has shape {column.shape}, not {shape}")
    if allowed.ndim != 2 or len(allowed) != n_patients or allowed.max(initial=0) > 1:
        raise GarbledError("allowed is no table of yes and no for each patient")
    columns = {name: column.astype(np.int64) for name, column in arrays.items()}
    return Question(
        kind=header["kind"],
        number=_whole(header, "number"),
        history=History(**columns),
        allowed=allowed.astype(np.bool_),
    )


def pack_answer(number: int, proposals: Sequence[Proposed]) -> bytes:
    """An answer as bytes; a setting too large to be sent becomes a fault of its patient."""
    sendable = [_sendable(proposal) for proposal in proposals]
    settings = [each if isinstance(each, Setting) else None for each in sendable]
    faults = [each.sentence if isinstance(each, Fault) else "" for each in sendable]
    return pack("answer", {"settings": _rows(settings)}, number=number, faults=faults)


def unpack_answer(message: bytes, number: int, n_patients: int) -> list[Proposed]:
    """The answer to the question of this number, one proposal for each patient."""
    header, arrays = unpack(message)
    _expect(header, kind="answer", number=number)
    faults, rows = header.get("faults"), arrays["settings"]
    if rows.shape != (n_patients, len(SETTING_COLUMNS)):
        raise GarbledError(f"its settings have shape {rows.shape} for {n_patients} patients")
    if not isinstance(faults, list) or len(faults) != n_patients:
        raise GarbledError(f"it has no list of {n_patients} faults")
    if not all(isinstance(fault, str) for fault in faults):
        raise GarbledError("a fault is no text")
    settings = _settings(rows)
    if any(fault and setting for fault, setting in zip(faults, settings, strict=True)):
        raise GarbledError("a patient has both a setting and a fault")
    return [
        fault_of(fault) if fault else setting
        for fault, setting in zip(faults, settings, strict=True)
    ]


def fault_of(text: str, most: int = MAX_FAULT_CHARACTERS) -> Fault:
    """A fault in one line that a terminal can show, of at most so many characters."""
    line = "".join(c if c.isprintable() else " " for c in text[:most])
    return Fault(sentence=line)


def check_ready(message: bytes) -> None:
    """Return when a controller's process is ready.

    Raises `InputError` when its options are wrong, and `RuntimeError` when it cannot be prepared.
    """
    header, _ = unpack(message)
    if header["kind"] == "ready":
        return
    if header["kind"] not in ("refused", "failed"):
        raise GarbledError(f"its kind is {header['kind']}")
    sentence = fault_of(_text(header, "sentence"), MAX_SENTENCE_CHARACTERS).sentence
    raise (InputError if header["kind"] == "refused" else RuntimeError)(sentence)


def _sendable(proposal: Proposed) -> Proposed:
    if isinstance(proposal, Fault):
        return fault_of(proposal.sentence)
    if isinstance(proposal, Setting) and max(map(int, setting_row(proposal))) >= 2**63:
        return Fault(sentence="a setting beyond all devices was proposed")
    return proposal


def _rows(settings: Sequence[Setting | None]) -> NDArray[np.int64]:
    rows = [setting_row(setting) for setting in settings]
    return np.array(rows, dtype=np.int64).reshape(len(settings), len(SETTING_COLUMNS))


def _settings(rows: NDArray[Any]) -> list[Setting | None]:
    try:
        settings = [row_setting(row) for row in rows]
    except (ValueError, IndexError) as error:
        raise GarbledError(f"a row is no setting ({error})") from None
    if not np.array_equal(_rows(settings), rows):  # -2 would be a mode, and -1, 5 no setting
        raise GarbledError("a row is no setting")
    return settings


def _n_entries(shape: object) -> int:
    """How many entries an array of this shape has; `GarbledError` when it is no shape."""
    n_entries = 1
    if not isinstance(shape, list) or len(shape) > 3:
        raise GarbledError("a shape is no list of at most three lengths")
    for length in shape:
        if type(length) is not int or not 0 <= length <= MAX_QUESTION_BYTES:
            raise GarbledError("a length in a shape is no count")
        n_entries *= length
    return n_entries


def _expect(header: Header, **entries: object) -> None:
    for name, expected in entries.items():
        found = header.get(name)
        if type(found) is not type(expected) or found != expected:
            raise GarbledError(f"its {name} is not {expected}")


def _whole(header: Header, name: str) -> int:
    if type(header.get(name)) is not int:
        raise GarbledError(f"its {name} is no whole number")
    return int(header[name])


def _text(header: Header, name: str) -> str:
    if not isinstance(header.get(name), str):
        raise GarbledError(f"its {name} is no text")
    return str(header[name])


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(each) for each in value)
    if isinstance(value, dict):
        return {name: _frozen(each) for name, each in value.items()}
    return value
