"""Finished trials: run one from Python, load one from a folder, and ask it questions."""

import json
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pydantic import ValidationError

from neurostim.endpoints import endpoints
from neurostim.outcomes import outcomes
from neurostim.plan import BLOCK_SIZE, IDENTITY, make_plan
from neurostim.report import write_report
from neurostim.requests import USUAL, Requests
from neurostim.shards import sealed_tables
from neurostim.storage import MANIFEST, digest, read_manifest, write_whole
from neurostim.trial import USUAL_MEANS, Means, Progress, run
from protocols import InputError
from protocols.design import Design, deviations, faults, load_design


@dataclass(frozen=True)
class Result:
    """A trial's tables, and what they were made by."""

    manifest: dict[str, Any]
    _epochs: pd.DataFrame
    _patients: pd.DataFrame

    def epochs(self) -> pd.DataFrame:
        """One row per arm, patient and epoch: requested, delivered, findings, diary, and truth."""
        return self._epochs.copy()

    def patients(self) -> pd.DataFrame:
        """One row per patient: the true rates when off and at the best setting."""
        return self._patients.copy()

    @cached_property
    def _outcomes(self) -> pd.DataFrame:
        return outcomes(self._epochs, self._patients, self.manifest["design"]["schedule"])

    def outcomes(self) -> pd.DataFrame:
        """One row per arm and patient: rates, changes, responses, safety and the gap."""
        return self._outcomes.copy()

    def endpoints(self, requests: Requests = USUAL) -> pd.DataFrame:
        """One row per arm and endpoint: estimate, 95 % interval, p, and how they were made.

        Every pair of arms, tests by permutation, and another minimal important difference are had
        by asking: `endpoints(neurostim.requests.Requests(n_permutations=9_999))`.
        """
        reference = self.manifest["design"]["analysis"]["reference"]
        return endpoints(self._outcomes, reference, requests)

    def to_csv(self, folder: str | Path) -> None:
        """Write epochs, patients, outcomes and endpoints as CSV files into a folder.

        Raises `InputError` when they cannot be written.
        """
        folder = Path(folder)
        tables = {
            "epochs": self._epochs,
            "patients": self._patients,
            "outcomes": self._outcomes,
            "endpoints": self.endpoints(),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, table in tables.items():
                write_whole(folder / f"{name}.csv", table.to_csv(index=False).encode())
        except OSError as error:
            place = error.filename or folder
            raise InputError(f"{place}: cannot be written ({error.strerror or error})") from None

    def report(self, path: str | Path, requests: Requests = USUAL) -> Path:
        """Write the protocol comparison report, one self-contained HTML file."""
        return write_report(Path(path), self._epochs, self._patients, self.manifest, requests)


def run_trial(
    design: str | Path,
    *,
    n_patients: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    compute: str = "auto",
    overrides: Mapping[str, Any] | None = None,
    block_size: int = BLOCK_SIZE,
    is_isolated: bool | None = None,
    progress: Progress | None = None,
    means: Means = USUAL_MEANS,
) -> Result:
    """Run a design and return its results.

    Args:
        design: the name of a shipped design, or the path of a TOML file.
        n_patients: how many virtual patients; the design's own number when left out.
        seed: 0 to 2**64 - 1; the same seed gives the same patients and the same luck.
        out: a folder to keep the results in; when it holds an unfinished run of the same trial,
            that run goes on. Results stay in memory when left out.
        compute: auto, cpu or cuda.
        overrides: values for dotted keys of the design, such as {"schedule.epoch_days": 7}.
        block_size: patients of one shard.
        is_isolated: whether controllers run in processes of their own, where one that hangs or dies
            holds its patients; when left out, they do for a single patient only.
        progress: called with the patient-days that are done, and all of them.
        means: how many processes share the work, or which cluster does it; no result depends on it.

    Raises:
        InputError: one sentence for whatever is wrong with the arguments or the design.

    """
    changes = dict(overrides or {})
    if n_patients is not None:
        changes["population.n_patients"] = n_patients
    fixed = load_design(design, changes)
    folder = Path(design).parent if str(design).endswith(".toml") else Path()
    plan = make_plan(
        fixed,
        seed=seed,
        compute=compute,
        block_size=block_size,
        is_isolated=is_isolated,
        folder=folder,
        deviations=deviations(design, changes),
    )
    command = rerun_command(str(design), changes, seed, is_isolated, block_size)
    if out is not None:
        run(plan, Path(out), command, progress, means)
        return load(out)
    with tempfile.TemporaryDirectory(prefix="neurostim-") as scratch:
        run(plan, Path(scratch) / "run", command, progress, means)
        return load(Path(scratch) / "run")


def resume_trial(
    folder: str | Path, *, progress: Progress | None = None, means: Means = USUAL_MEANS
) -> Result:
    """Go on with the run in a results folder, and return its results.

    Whatever was damaged meanwhile is computed anew. Files that its design names are looked for
    where they were, as seen from the current folder. Raises `InputError` as `run_trial` does.
    """
    folder = Path(folder)
    manifest = _manifest_of(folder)
    plan = make_plan(
        _design_of(manifest, folder),
        seed=manifest["seed"],
        compute=str(manifest.get("compute")),
        block_size=_block_size_of(manifest, folder),
        is_isolated=bool(manifest.get("is_isolated")),
        folder=Path(str(manifest.get("files_from", "."))),
    )
    run(plan, folder, progress=progress, means=means)
    return load(folder)


def load(folder: str | Path) -> Result:
    """Read the results of a run; of an unfinished one, the blocks that every arm has finished.

    Raises `InputError` when a table is not what the run wrote, naming it: the same run again
    computes it anew.
    """
    folder = Path(folder)
    manifest = _manifest_of(folder)
    design = _design_of(manifest, folder)
    n_blocks = -(-design.population.n_patients // _block_size_of(manifest, folder))
    key = digest({name: manifest.get(name) for name in IDENTITY})
    try:
        tables = sealed_tables(folder, n_blocks, design.n_lives, key)
    except InputError as error:
        raise InputError(f"{error}; the same run again computes it anew") from None
    if manifest["is_finished"] and len(tables) < n_blocks:
        raise InputError(
            f"{folder}: {n_blocks - len(tables)} of {n_blocks} blocks of patients are gone; the "
            "same run again computes them anew"
        )
    if not tables:
        raise InputError(f"{folder}: no block of patients is finished in every arm yet")
    epochs = pa.concat_tables([each for _, arms in tables for each in arms])
    patients = pa.concat_tables([each for each, _ in tables])
    del tables
    return Result(manifest, epochs.to_pandas(split_blocks=True), patients.to_pandas())


def _manifest_of(folder: Path) -> dict[str, Any]:
    manifest = read_manifest(folder)
    if manifest is None:
        raise InputError(f"{folder}: no results here (there is no {MANIFEST})")
    return manifest


def _design_of(manifest: Mapping[str, Any], folder: Path) -> Design:
    try:
        return Design.model_validate_json(json.dumps(manifest["design"]))
    except ValidationError as error:
        raise InputError(faults(error, f"{folder / MANIFEST}: design.")) from None


def _block_size_of(manifest: Mapping[str, Any], folder: Path) -> int:
    block_size = manifest.get("block_size")
    if type(block_size) is not int or block_size < 1:
        raise InputError(
            f"{folder / MANIFEST}: block_size = {block_size!r}: 1 or more was expected"
        )
    return block_size


def rerun_command(
    design: str,
    overrides: Mapping[str, Any],
    seed: int,
    is_isolated: bool | None = None,
    block_size: int = BLOCK_SIZE,
) -> str:
    """The command line that runs this trial again."""
    name = Path(design).name if design.endswith(".toml") else design
    changes = [f"--set {shlex.quote(f'{key}={value}')}" for key, value in overrides.items()]
    isolation = {True: ["--isolated"], False: ["--in-process"], None: []}[is_isolated]
    blocks = [] if block_size == BLOCK_SIZE else [f"--block-size {block_size}"]
    words = ["neurostim run", shlex.quote(name), *changes, f"--seed {seed}", *isolation, *blocks]
    return " ".join(words)
