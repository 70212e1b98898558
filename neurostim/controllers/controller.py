"""What a controller is: two functions over a batch of patients, and nothing that it can reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from neurostim.history import History
from protocols import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an arm knows before its first patient."""

    candidates: tuple[Setting, ...]  # M, deliverable, off first
    seed: int
    compute: str = "cpu"
    folder: Path = Path()  # where the relative paths of options start


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Stands where a setting was expected, and says why there is none; the patient is held."""

    sentence: str


class Controller(Protocol):
    """Chooses the next setting of each patient of a batch.

    A controller is a frozen dataclass whose fields are its options. It proposes; the loop decides
    what becomes of that. Both methods are pure: what is random is addressed by seed, patient and
    epoch, and what a patient is offered never depends on who else is in the batch.
    """

    summary: ClassVar[str]

    def init(self, context: Context) -> Any:
        """Everything that is the same for every patient of the arm."""
        ...

    def propose(
        self, state: Any, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[Any, Sequence[Setting | Fault | None]]:
        """The next state, and one setting for each patient of `history`: None or a fault holds.

        `allowed`, `B M`, says which candidates may be delivered to which patient.
        """
        ...

    def recommend(
        self, state: Any, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[Any, Sequence[Setting | Fault | None]]:
        """The setting that each patient should stay on if nothing more were tried, or None."""
        ...
