"""From a table of power down to one simulated trial, and to one of its patients."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from neurostim.power.study import STATISTICS, pieces_kept, read_study
from protocols import InputError


def trial_of(folder: Path, replicate: int, scenario: int = 0) -> pd.DataFrame:
    """What each test said of one simulated trial: a row per size, arm and test.

    Raises `InputError` when the folder holds no such replicate.
    """
    if read_study(folder) is None:
        raise InputError(f"{folder} holds no study of power: one of `neurostim power` was expected")
    rows = _rows(sorted((folder / STATISTICS).glob(_pattern(scenario))), replicate)
    if not len(rows):
        raise InputError(f"{folder} holds no replicate {replicate}: a smaller number was expected")
    return rows


def patients_of(folder: Path, replicate: int, scenario: int = 0) -> pd.DataFrame:
    """The epochs of everybody in one simulated trial.

    Raises `InputError` when the study kept none, or not these.
    """
    paths = [path for path in pieces_kept(folder) if path.match(_pattern(scenario))]
    rows = _rows(paths, replicate)
    if not len(rows):
        raise InputError(
            f"{folder} kept no patients of replicate {replicate}: a study run with --keep was "
            "expected"
        )
    return rows


def diary_of(epochs: pd.DataFrame, arm: str, position: int) -> pd.DataFrame:
    """The epochs of one patient, by arm and by position from 0 in it."""
    rows = epochs[(epochs["arm"] == arm) & (epochs["position"] == position)]
    if not len(rows):
        last = int(epochs["position"].max())
        raise InputError(f"patient {position} of {arm!r}: a number from 0 to {last} was expected")
    return rows


def by_patient(epochs: pd.DataFrame) -> pd.DataFrame:
    """Each patient of a trial: seizures and recorded days at baseline and in treatment."""
    parts = {}
    for phase in ("baseline", "treatment"):
        rows = epochs[epochs["phase"] == phase].groupby(["arm", "position"])
        for name in ("n_seizures", "days_recorded"):
            parts[f"{name}_{phase}"] = rows[name].sum()
    return pd.DataFrame(parts).reset_index()


def _pattern(scenario: int) -> str:
    return f"scenario-{scenario:02d}-*.parquet"


def _rows(paths: list[Path], replicate: int) -> pd.DataFrame:
    """The rows of a replicate in the pieces that hold it; of several, the first."""
    for path in paths:
        try:
            table = pq.read_table(path, filters=[("replicate", "==", replicate)])
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: not a readable table ({error})") from None
        if table.num_rows:
            frame: pd.DataFrame = table.to_pandas()
            return frame
    return pd.DataFrame()
