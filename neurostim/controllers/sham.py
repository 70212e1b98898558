"""No stimulation at all: what the diary does by itself."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurostim.controllers.controller import Context
from neurostim.controllers.options import options
from neurostim.history import History
from protocols import OFF, Setting


@options
class Sham:
    """Keeps the device off."""

    summary: ClassVar[str] = "Device implanted and off throughout."

    def init(self, context: Context) -> None:
        """Nothing to prepare."""

    def propose(
        self, state: None, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[None, Sequence[Setting | None]]:
        """Off, for everybody."""
        return state, [OFF] * history.n_patients

    def recommend(
        self, state: None, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[None, Sequence[Setting | None]]:
        """Off, for everybody."""
        return state, [OFF] * history.n_patients
