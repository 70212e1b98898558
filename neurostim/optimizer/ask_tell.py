"""The optimiser: it is asked for settings and told what came of them."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor

from neurostim.controllers.acquisition import Acquisition as Name
from neurostim.optimizer import acquisition as acquisitions
from neurostim.optimizer import saving
from neurostim.optimizer.answers import (
    Explanation,
    Recommendation,
    Stop,
    best_of,
    explanations,
    recommendations,
    stops,
)
from neurostim.optimizer.listing import listing_of
from neurostim.optimizer.options import (
    BETA,
    N_INITIAL,
    Goal,
    LikelihoodName,
    Options,
    check_choice,
)
from neurostim.optimizer.results import result_of
from neurostim.optimizer.spreading import Spread
from neurostim.optimizer.state import (
    State,
    after,
    imagined,
    refitted,
    replayed,
    with_asked,
    with_pending,
)
from neurostim.optimizer.whitening import Whitened
from neurostim.surrogate.filter import Belief
from neurostim.surrogate.likelihood import LIKELIHOODS
from neurostim.surrogate.model import ListModel
from neurostim.surrogate.prior import ListPrior
from neurostim.surrogate.table_prior import Columns
from protocols import OFF, InputError
from safety import Envelope

Acquisition: TypeAlias = Name | Callable[[ListModel], Any]

N_KEPT = 8
"""States that are kept for `undo`; an older one is computed again from what was told."""


class Optimizer:
    """Proposes settings from a list, learns from results, recommends the best supported one.

    One subject, or `n_subjects` that share the list and nothing else: with those, `ask` returns a
    list and `tell` takes one, with None for a subject that has no result. What a subject is asked
    never depends on the others. Results may come late, in any order, or about settings never asked.
    """

    def __init__(
        self,
        space: Any,
        goal: Goal = "minimize",
        likelihood: LikelihoodName = "counts",
        prior: ListPrior | None = None,
        envelope: Envelope | str | None = None,
        seed: int = 0,
        *,
        n_subjects: int | None = None,
        first_subject: int = 0,
        acquisition: Acquisition = "upper_confidence_bound",
        beta: float | None = None,
        n_initial: int | None = None,
        reference: Any = None,
        known_unsafe: Sequence[Any] = (),
        side_effect_limit: float = 0.25,
        tolerance: float = 0.05,
    ) -> None:
        """An optimiser that was told nothing yet.

        Args:
            space: a `ParameterSpace` or settings of a device, which need an envelope; or a table of
                numbers, `M d`, a row per setting, which nothing guards.
            goal: whether small or large responses are good.
            likelihood: "counts" (seizures, with the exposure in which they were counted) or
                "gaussian" (a continuous response in any unit).
            prior: particles over this list, about values as they are told; generic when absent.
            envelope: limits of the device, or their name; only what it permits is on the list.
            seed: of Thompson sampling; nothing else is random.
            n_subjects: how many subjects in a batch; one, without lists, when absent.
            first_subject: the number of the first subject, which addresses its random numbers.
            acquisition: how promising a setting is; a callable takes the model (`ListModel`) and
                returns a BoTorch acquisition function over it.
            beta: standard deviations that the upper confidence bound adds to the mean; 2.5 on a
                device and 4 on a table when absent, as measured.
            n_initial: results before which settings are spread evenly over the list, and after
                which every other one is until half of the surface's variance is known; none on a
                device and 16 on a table when absent, as measured. With none the acquisition is
                left alone.
            reference: the setting that improvements are counted from; off on a device, and on a
                table the average of the list, when absent.
            known_unsafe: settings that are never asked and never recommended.
            side_effect_limit: largest hazard of a bothersome side effect per unit of exposure; once
                side effects were told, settings whose upper bound is higher are avoided.
            tolerance: gain that is not worth looking for, as a share of the spread of responses or,
                for counts, on the log rate.

        """
        self._listing = listing_of(space, envelope)
        kind = "device" if self._listing.is_device else "table"
        self._options = Options(
            goal=goal,
            likelihood=likelihood,
            seed=seed,
            n_subjects=n_subjects,
            first_subject=first_subject,
            beta=BETA[kind] if beta is None else beta,
            n_initial=N_INITIAL[kind] if n_initial is None else n_initial,
            side_effect_limit=side_effect_limit,
            tolerance=tolerance,
        )
        if not callable(acquisition):
            check_choice("acquisition", acquisition, get_args(Name))
        if prior is not None and not isinstance(prior, ListPrior):
            raise InputError(f"prior is a {type(prior).__name__}: a ListPrior was expected")
        if prior is not None and prior.n_settings != len(self.settings):
            raise InputError(
                f"prior is over {prior.n_settings} settings: {len(self.settings)} were expected"
            )
        self._acquisition, self._prior = acquisition, prior
        self._reference = self._reference_of(reference)
        if not isinstance(known_unsafe, Iterable):
            raise InputError(f"known_unsafe = {known_unsafe!r}: a list of settings was expected")
        self._unsafe = tuple(sorted({self._listing.index_of(each) for each in known_unsafe}))
        if len(self._unsafe) == len(self.settings):
            raise InputError("known_unsafe holds the whole list: nothing is left to ask")
        self._n_subjects = n_subjects or 1
        self._spread = Spread(
            unit=Columns.of(self._listing.features).unit,
            n_initial=self._options.n_initial,
            seed=seed,
            first_subject=first_subject,
        )
        self._state = self._first_state()
        self._earlier: deque[State] = deque(maxlen=N_KEPT)
        self._fit: tuple[State, State] | None = None

    def _reference_of(self, reference: Any) -> int:
        if reference is not None:
            return self._listing.index_of(reference)
        return self._listing.settings.index(OFF) if self._listing.is_device else -1

    def _first_state(self) -> State:
        b = self._n_subjects
        likelihood = self._options.likelihood
        prior = self._prior or self._listing.prior(likelihood)
        return State(
            belief=Belief.start(prior, LIKELIHOODS[likelihood], b),
            harm=Belief.start(self._listing.side_effect_prior(), LIKELIHOODS["occurrence"], b),
            whitened=Whitened.start(b, prior.n_particles),
            is_standardised=self._prior is None,
            told=(),
            centre=np.zeros(b),
            spread=np.ones(b),
            pending=((),) * b,
        )

    @property
    def settings(self) -> tuple[Any, ...]:
        """The list, M settings: `Setting`s of a device, or rows of the table as tuples."""
        return self._listing.settings

    def index_of(self, setting: Any) -> int:
        """The place of a setting on the list; raise `InputError` when it is not there."""
        return self._listing.index_of(setting)

    @property
    def guarded(self) -> bool:
        """Whether an envelope limits what is asked."""
        return self._listing.is_device

    @property
    def n_told(self) -> Any:
        """How many results were told: of the subject, or of each."""
        return self._answer(self._state.n_told.tolist())

    @property
    def pending(self) -> Any:
        """Settings that were asked and not answered: of the subject, or of each."""
        return self._answer(
            [tuple(self.settings[m] for m in asked) for asked in self._state.pending]
        )

    def __repr__(self) -> str:
        guard = self._listing.envelope
        guarded = f"envelope {guard.name!r}" if guard else "guarded = False"
        return (
            f"Optimizer({len(self.settings)} settings, {guarded}, "
            f"{self._options.goal} {self._options.likelihood}, "
            f"{self._n_subjects} subject{'s' * (self._n_subjects > 1)}, "
            f"{len(self._state.told)} told)"
        )

    def ask(self) -> Any:
        """The most promising setting to try next, or None when none may be asked.

        What was asked and not answered counts as answered by what is expected of it, and is not
        asked again while anything else may be. On a device only what the envelope permits is asked;
        the gate still decides whether it may be delivered now.
        """
        asked = self._next()
        self._state = with_asked(self._state, asked)
        return self._answer([None if m is None else self.settings[m] for m in asked])

    def tell(self, setting: Any, value: Any, exposure: Any = 1.0, side_effect: Any = None) -> None:
        """Tell what came of a setting; of a batch, a list each with None where there is nothing.

        Args:
            setting: one of the list, asked or not.
            value: what was observed; None when nothing was, which takes back what was asked.
            exposure: how long or how often it was observed; the larger, the more it says. The
                generic priors expect days on a device, and about 1 a result on a table.
            side_effect: a grade (0 to 4; from 2 on it is bothersome), or whether there was one.

        Raises `InputError`, and nothing has changed.

        """
        result = result_of(
            self._listing,
            self._state,
            (setting, value, exposure, side_effect),
            is_batch=self._options.is_batch,
        )
        before = self._state
        self._state = after(before, result)
        self._earlier.append(before)

    def undo(self) -> None:
        """Take the last `tell` back, and every `ask` since; raise `InputError` without one."""
        if not self._state.told:
            raise InputError("undo: nothing was told yet")
        if self._earlier:
            self._state = self._earlier.pop()
            return
        last = self._state.told[-1]
        state = replayed(self._first_state(), self._state.told[:-1])
        self._state = with_pending(state, last.pending_before, last.n_asks_before)

    def recommend(self) -> Any:
        """The setting with the best posterior mean among those that the data support.

        All results are fitted jointly first. It is never the setting with the luckiest result: see
        `Recommendation` for what is expected of it and with which probability it is an improvement.
        None when side effects and what is known to be unsafe leave nothing.
        """
        state = self._fitted()
        found = recommendations(
            self._listing, state, self._options.sign, self._allowed(), self._reference
        )
        answer: Recommendation | list[Recommendation | None] | None = self._answer(found)
        return answer

    def should_stop(self) -> Any:
        """Whether to stop: "neutral", "converged", or None to go on.

        From ten results on: "neutral" when the largest expected gain of any allowed setting over
        the reference is below the tolerance, so that nothing is left to gain; "converged" when the
        largest expected gain over the recommended setting is and half of the surface's variance is
        known. An expected gain is the posterior mean of how much better a setting is, zero where
        it is worse: both what is believed and what is not known count.
        """
        found = stops(
            self._listing,
            self._fitted(),
            self._options.sign,
            self._allowed(),
            self._reference,
            self._options.tolerance,
        )
        answer: Stop | list[Stop | None] | None = self._answer(found)
        return answer

    def explain(self) -> Any:
        """What was learnt and why the next setting is what it is, as data."""
        found = explanations(
            self._listing, self._fitted(), self._options.sign, self._allowed(), self._next()
        )
        answer: Explanation | list[Explanation] = self._answer(found)
        return answer

    def model(self) -> ListModel:
        """The posterior over the benefit of the list, as a BoTorch model of all subjects."""
        return ListModel(self._fitted().belief, self._listing.features, self._options.sign)

    def save(self, path: str | Path) -> None:
        """Write the constructor's arguments and everything told to a `.npz` file, as plain data."""
        if callable(self._acquisition):
            raise InputError("save: an acquisition of your own cannot be written; use a named one")
        saving.save(
            Path(path),
            self._listing,
            asdict(self._options)
            | {
                "acquisition": self._acquisition,
                "reference": self._reference,
                "known_unsafe": list(self._unsafe),
            },
            self._prior,
            self._state,
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """An optimiser that goes on where the saved one was: it asks the same, exactly."""
        try:
            space, envelope, options, prior, read = saving.load(Path(path))
            settings = listing_of(space, envelope).settings
            place = options.pop("reference")
            optimizer = cls(
                space,
                prior=prior,
                envelope=envelope,
                reference=None if place < 0 else settings[place],
                known_unsafe=[settings[m] for m in options.pop("known_unsafe")],
                **options,
            )
            optimizer._state = read(optimizer._first_state())
        except InputError:
            raise
        except saving.UNSOUND as error:
            raise InputError(f"{path}: not a whole saved optimizer: {error}") from error
        return optimizer

    def _next(self) -> list[int | None]:
        state = self._state
        model = ListModel(imagined(state), self._listing.features, self._options.sign)
        scores = acquisitions.scores(
            model,
            self._acquisition,
            beta=self._options.beta,
            seed=self._options.seed,
            first_subject=self._options.first_subject,
            n_asks=state.n_asks,
        )
        allowed = self._allowed()
        is_free = allowed.clone()
        for b, pending in enumerate(state.pending):
            is_free[b, list(pending)] = False
        is_free = torch.where(is_free.any(1, keepdim=True), is_free, allowed)
        place = best_of(scores, is_free)
        asked: list[int | None] = []
        for b, spread in enumerate(self._spread.settings(state, model, is_free)):
            m = int(place[b]) if spread is None else spread
            may = bool(allowed[b].any())
            if may:
                self._listing.check_deliverable(m)
            asked.append(m if may else None)
        return asked

    def _allowed(self) -> Tensor:
        limit = self._options.side_effect_limit
        allowed = acquisitions.tolerated(self._listing, self._state, limit)
        allowed[:, list(self._unsafe)] = False
        return allowed

    def _fitted(self) -> State:
        if self._fit is None or self._fit[0] is not self._state:
            self._fit = (self._state, refitted(self._state))
        return self._fit[1]

    def _answer(self, answers: list[Any]) -> Any:
        return answers[0] if not self._options.is_batch else answers
