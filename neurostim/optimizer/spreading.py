"""Settings asked to see the whole list: the first ones, and every other one while little is known.

An acquisition function that is left alone soon asks near its best guess only, and at low signal
that guess is mostly luck: what it would take to see the rest of the surface is never asked.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from neurostim.optimizer.state import State
from neurostim.surrogate.model import ListModel
from patient_models.randomness import Purpose, uniforms


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """Scrambled Sobol points of each subject in the box of a list, of which `n_initial` are first.

    Without first ones there are no later ones either.
    """

    unit: Tensor  # M d, the list on the unit interval
    n_initial: int
    seed: int
    first_subject: int

    def settings(self, state: State, model: ListModel, is_free: Tensor) -> list[int | None]:
        """What each subject is asked to see the whole list, None when its turn is another's.

        Args:
            state: of B subjects.
            model: their benefits.
            is_free: `B M`, settings that may be asked.

        """
        wanted = is_little_known(model).tolist()
        found: list[int | None] = []
        for b, n_told in enumerate(state.n_told):
            turn = self._turn(int(n_told) + len(state.pending[b]), wanted[b])
            if turn is None or not bool(is_free[b].any()):
                found.append(None)
            else:
                found.append(self._nearest(state, b, turn, is_free[b]))
        return found

    def _turn(self, n_started: int, is_wanted: bool) -> int | None:
        """Which point of its sequence a subject is at."""
        n_later = n_started - self.n_initial
        if n_later < 0:
            return n_started
        is_next = self.n_initial > 0 and is_wanted and n_later % 2 == 0
        return self.n_initial + n_later // 2 if is_next else None

    def _nearest(self, state: State, subject: int, turn: int, is_free: Tensor) -> int:
        """The setting nearest to a point, of those that were told the fewest times."""
        number = self.first_subject + subject
        scramble = int(uniforms(self.seed, number, 0, Purpose.CONTROLLER) * 2**31)
        points = SobolEngine(self.unit.shape[1], scramble=True, seed=scramble).draw(turn + 1)
        away = (self.unit - points[-1].to(self.unit)).square().sum(1)
        observed = state.belief.observed
        told = observed.index[subject][observed.is_epoch[subject]]
        times = torch.bincount(told, minlength=len(self.unit))
        is_rare = is_free & (times == times[is_free].min())
        return int(torch.where(is_rare, away, torch.inf).argmin())


def is_little_known(model: ListModel) -> Tensor:
    """Whether less than half of the variance of a surface over the list is known, `B`."""
    return model.list_mean.var(1, correction=0) < model.list_variance.mean(1)
