"""One setting for everybody, from the first day to the last."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurostim.controllers.controller import Context
from neurostim.controllers.options import SettingOption, options
from neurostim.history import History
from protocols import InputError, Setting


@options
class Fixed:
    """Proposes the same setting at every visit, as a protocol without programming would."""

    summary: ClassVar[str] = "The same setting for every patient, never changed."

    setting: SettingOption

    def init(self, context: Context) -> None:
        """Check that the setting is on the list; raise `InputError` if not."""
        if self.setting not in context.candidates:
            raise InputError(
                f"setting = {self.setting}: one of the design's deliverable settings was expected"
            )

    def propose(
        self, state: None, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[None, Sequence[Setting | None]]:
        """The one setting, for everybody."""
        return state, [self.setting] * history.n_patients

    def recommend(
        self, state: None, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[None, Sequence[Setting | None]]:
        """The one setting, for everybody."""
        return self.propose(state, history, allowed)
