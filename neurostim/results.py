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
from pydantic import ValidationError

from neurostim.endpoints import endpoints
from neurostim.outcomes import outcomes
from neurostim.plan import BLOCK_SIZE, make_plan
from neurostim.report import write_report
from neurostim.requests import USUAL, Requests
from neurostim.storage import MANIFEST, read_manifest, read_tables
from neurostim.trial import Progress, run
from protocols import InputError
from protocols.design import Design, faults, load_design


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
    )
    command = rerun_command(str(design), changes, seed, is_isolated)
    if out is not None:
        run(plan, Path(out), command, progress)
        return load(out)
    with tempfile.TemporaryDirectory(prefix="neurostim-") as scratch:
        run(plan, Path(scratch) / "run", command, progress)
        return load(Path(scratch) / "run")


def load(folder: str | Path) -> Result:
    """Read the results of a run; of an unfinished one, the blocks that every arm has finished."""
    folder = Path(folder)
    manifest = read_manifest(folder)
    if manifest is None:
        raise InputError(f"{folder}: no results here (there is no {MANIFEST})")
    try:
        n_arms = len(Design.model_validate_json(json.dumps(manifest["design"])).arms)
    except ValidationError as error:
        raise InputError(faults(error, f"{folder / MANIFEST}: design.")) from None
    blocks = [
        (patients, sorted((folder / "epochs").glob(f"{patients.stem}-arm-*.parquet")))
        for patients in sorted((folder / "patients").glob("block-*.parquet"))
    ]
    whole = [(patients, epochs) for patients, epochs in blocks if len(epochs) == n_arms]
    if not whole:
        raise InputError(f"{folder}: no block of patients is finished in every arm yet")
    epochs = read_tables([path for _, paths in whole for path in paths]).to_pandas()
    patients = read_tables([path for path, _ in whole]).to_pandas()
    return Result(manifest, epochs, patients)


def rerun_command(
    design: str, overrides: Mapping[str, Any], seed: int, is_isolated: bool | None = None
) -> str:
    """The command line that runs this trial again."""
    name = Path(design).name if design.endswith(".toml") else design
    changes = [f"--set {shlex.quote(f'{key}={value}')}" for key, value in overrides.items()]
    isolation = {True: ["--isolated"], False: ["--in-process"], None: []}[is_isolated]
    words = ["neurostim run", shlex.quote(name), *changes, f"--seed {seed}", *isolation]
    return " ".join(words)
