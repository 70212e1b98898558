"""A controller that a prior is judged by: the Gaussian process, with this prior in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurostim.controllers import Context
from neurostim.controllers.beliefs import Beliefs, tables_of
from neurostim.controllers.gp import GaussianProcess, Known
from neurostim.encoding import Encoding
from neurostim.history import History
from neurostim.surrogate.prior import ListPrior
from protocols import Setting


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Proposes as `gp` does, from a prior in memory that need not be in a file yet."""

    summary: ClassVar[str] = "The Gaussian process with a prior that is on trial."

    effects: ListPrior
    rule: GaussianProcess
    knows_levels: bool = True

    def init(self, context: Context) -> Known:
        """The list, and the prior on trial."""
        tables = tables_of(
            context.candidates,
            Encoding.of(context.candidates),
            self.effects,
            None,
            compute=context.compute,
            knows_levels=self.knows_levels,
        )
        return Known(beliefs=Beliefs(tables=tables), seed=context.seed)

    def propose(
        self, state: Known, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[Known, Sequence[Setting | None]]:
        """What the rule proposes."""
        return self.rule.propose(state, history, allowed)

    def recommend(
        self, state: Known, history: History, allowed: NDArray[np.bool_]
    ) -> tuple[Known, Sequence[Setting | None]]:
        """What the rule recommends."""
        return self.rule.recommend(state, history, allowed)
