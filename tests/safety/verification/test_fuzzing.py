"""Damaged and hostile files: an `InputError` or a value comes out, nothing runs, caps hold."""

import json
import os
import pickle
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from neurostim import Optimizer
from neurostim.learning.sources import read_rows
from neurostim.meta.prior_file import read_prior
from neurostim.plan import candidates_of
from neurostim.storage import MANIFEST, read_manifest
from patient_models.baselines import read_baselines
from patient_models.diaries import Reading, read_diaries
from protocols import OFF, InputError
from protocols.design import design_names, load_design
from safety import AuditLog, Past, envelope_names, envelope_text, load_envelope, review, verify
from tests.safety.strategies import propose
from tests.safety.verification.damage import ForbiddenError, damaged, watched
from tests.safety.verification.sizes import rounds

DIARY = b"patient,date,count\nA,2026-01-01,2\nA,2026-01-02,0\nB,2026-01-01,\nB,2026-01-03,11\n"
WIDE_DIARY = b"patient,2026-01-01,2026-01-02\nA,1,\nB,0,3\n"
BASELINES = b"patient,period,days,count\nA,1,28,4\nA,2,28,5\nB,1,20,0\n"
ROWS = (
    b"patient,start_day,days,n_seizures,delivered_site,delivered_amplitude_ua,"
    b"delivered_frequency_hz,delivered_pulse_width_us\nA,0,28,4,0,1000,130,90\nA,28,28,,0,0,0,0\n"
)
MANIFEST_TEXT = json.dumps(
    {
        "schema": 1, "design": {"name": "demo"}, "fingerprint": "0" * 64, "is_finished": True,
        "seed": 1, "versions": {"neurostim": "0.1.0"}, "wall_time_s": 1.5,
    }, indent=1,
).encode()  # fmt: skip
READINGS = (
    Reading(columns={"date": "date", "count": "count", "patient": "patient"}),
    Reading(columns={"date": "date", "patient": "patient"}, timezone="Europe/Berlin"),
    Reading(columns={"patient": "patient", "count": "*"}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """Something that reads a file, the name of the file, and real ones to begin with."""

    name: str
    files: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    each: int = 500
    """Cases of one round of the slow run."""


def read_all_diaries(path: Path) -> None:
    """Read in every way; raise what one of them raised."""
    errors = []
    for reading in READINGS:
        try:
            read_diaries(path, reading)
        except InputError as error:
            errors.append(error)
    if len(errors) == len(READINGS):
        raise errors[0]


@cache
def demo_candidates() -> tuple:
    design = load_design("learned")
    return candidates_of(design, load_envelope(design.device.envelope))


def design_files() -> list[bytes]:
    folder = files("protocols") / "designs"
    return [(folder / f"{name}.toml").read_bytes() for name in design_names()]


def prior_files() -> list[bytes]:
    return [(files("protocols") / "priors" / "demo.safetensors").read_bytes()]


@cache
def optimizer_files() -> list[bytes]:
    """Return two small saved optimisers: one on a table, one on a device."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved.npz"
        optimizer = Optimizer(np.arange(6.0).reshape(-1, 1), goal="minimize")
        for value in (3, 1):
            optimizer.tell(optimizer.ask(), value)
        optimizer.save(path)
        return [path.read_bytes()]


@cache
def audit_files() -> list[bytes]:
    """Return a log of a few reviews."""
    envelope, past = load_envelope("research"), Past.start(7)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        with AuditLog(path, envelope_hash=envelope.hash, durable=False) as log:
            for now in range(4):
                wish = next(iter(envelope.space)) if now % 2 else OFF
                verdict = review(propose(envelope, past, wish, now), past, envelope, now)
                intent = log.intend(verdict, at_s=now)
                log.conclude(intent, at_s=now, stimulation_s=1, charge_uc=1, n_incidents=0)
                past = verdict.past
        return [path.read_bytes()]


PARSERS = {
    "file.toml": (
        Parser(
            name="damaged envelopes",
            files=lambda: [envelope_text(name).encode() for name in envelope_names()],
            read=load_envelope,
        ),
        Parser(name="damaged designs", files=design_files, read=load_design),
    ),
    "file.csv": (
        Parser(name="damaged diaries", files=lambda: [DIARY, WIDE_DIARY], read=read_all_diaries),
        Parser(name="damaged baselines", files=lambda: [BASELINES], read=read_baselines),
        Parser(name="damaged rows to learn from", files=lambda: [ROWS], read=read_rows, each=200),
    ),
    MANIFEST: (
        Parser(
            name="damaged manifests",
            files=lambda: [MANIFEST_TEXT],
            read=lambda path: read_manifest(path.parent),
        ),
    ),
    "file.log": (Parser(name="damaged audit logs", files=audit_files, read=verify),),
    "file.safetensors": (
        Parser(
            name="damaged priors",
            files=prior_files,
            read=lambda path: read_prior(path, demo_candidates()),
            each=100,
        ),
    ),
    "file.npz": (
        Parser(name="damaged optimizers", files=optimizer_files, read=Optimizer.load, each=50),
    ),
}
CASES = [(file, parser) for file, parsers in PARSERS.items() for parser in parsers]
NAMED = pytest.mark.parametrize(("file", "parser"), CASES, ids=[each.name for _, each in CASES])
QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


def expect_input_error(read: Callable[[], object]) -> None:
    """Read; let only an `InputError` of one or more printable lines pass."""
    try:
        with watched():
            read()
    except InputError as error:
        assert str(error).strip()  # noqa: PT017 most files are sound enough to be read


def fuzz(file: str, parser: Parser, folder: Path, n_cases: int, number: int) -> None:
    """Read so many damaged files."""
    path = folder / file

    @seed(number)
    @settings(
        max_examples=n_cases,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=QUIET,
    )
    @given(damaged(parser.files()))
    def read(content: bytes) -> None:
        path.write_bytes(content)
        expect_input_error(lambda: parser.read(path))

    read()


@NAMED
def test_the_file_that_is_damaged_is_sound_to_begin_with(file, parser, tmp_path: Path) -> None:
    for content in parser.files():
        (tmp_path / file).write_bytes(content)
        parser.read(tmp_path / file)


@pytest.mark.req("SR-28")
@NAMED
def test_a_damaged_file_is_an_input_error_and_runs_nothing(file, parser, tmp_path: Path) -> None:
    fuzz(file, parser, tmp_path, n_cases=min(150, parser.each), number=1)


@pytest.mark.slow
@pytest.mark.req("SR-28")
@NAMED
def test_damaged_files_at_size(file, parser, tmp_path: Path) -> None:
    for number in rounds(parser.name, each=parser.each):
        fuzz(file, parser, tmp_path, n_cases=parser.each, number=1000 + number)


class Program:
    """A pickle that runs a program when it is loaded."""

    def __reduce__(self) -> tuple:
        return os.system, ("true",)


@pytest.mark.req("SR-28")
@NAMED
def test_a_pickle_is_never_loaded(file, parser, tmp_path: Path) -> None:
    path = tmp_path / file
    path.write_bytes(pickle.dumps(Program()))
    expect_input_error(lambda: parser.read(path))
    with path.open("wb") as raw:
        np.savez(raw, document=np.array([Program()], dtype=object))
    expect_input_error(lambda: parser.read(path))


@pytest.mark.req("SR-28")
@NAMED
def test_a_file_above_the_cap_is_refused_without_being_read(file, parser, tmp_path: Path) -> None:
    """Of 64 GB, all holes: whoever reads before asking for the size runs out of memory or time."""
    path = tmp_path / file
    with path.open("wb") as raw:
        raw.truncate(64 * 2**30)
    if parser.name == "damaged audit logs":  # read line by line, each within a cap of its own
        assert not verify(path).is_intact
        return
    with pytest.raises(InputError):
        parser.read(path)


@pytest.mark.req("SR-28")
def test_the_watch_notices_sockets_programs_and_pickles() -> None:
    for forbidden in (
        lambda: socket.socket(),
        lambda: os.system("true"),
        lambda: pickle.loads(pickle.dumps(Program())),
    ):
        with pytest.raises(ForbiddenError), watched():
            forbidden()


def test_damage_changes_files_in_many_ways() -> None:
    found: set[bytes] = set()

    @seed(1)
    @settings(max_examples=300, database=None, phases=(Phase.generate,))
    @given(damaged([DIARY]))
    def look(content: bytes) -> None:
        found.add(content)

    look()
    assert len(found) > 150
    assert sum(content.startswith(b"patient,date") for content in found) > 30
