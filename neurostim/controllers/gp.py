"""Gaussian processes on seizure counts, with an acquisition function over the list of settings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from neurostim.controllers.acquisition import SCORE_DECIMALS, Acquisition, draws, scores
from neurostim.controllers.beliefs import Beliefs, Tables, Told, places_of, tables_of
from neurostim.controllers.controller import Context
from neurostim.controllers.options import options
from neurostim.controllers.random import draw_settings
from neurostim.encoding import Encoding
from neurostim.history import TREATMENT, History
from neurostim.meta.mixing import GENERIC_SHARE
from neurostim.meta.prior_file import load_prior
from neurostim.meta.prior_path import prior_path
from neurostim.surrogate import Belief, ListModel, refit
from neurostim.surrogate.generic import (
    AMPLITUDE,
    LENGTHSCALES,
    WANDER,
    device_prior,
    side_effect_prior,
)
from neurostim.surrogate.nearby import Nearby
from neurostim.surrogate.readout import is_supported, level_and_effect, smoothed
from protocols import BOTHERSOME_GRADE, Setting

USUAL_BETA, LEARNED_BETA = 2.5, 1.0
"""With a learned prior there is less to explore: see `tests/benchmarks/clinical_quality.py`."""

UNREACHED_UA = 2**62
"""Above any amplitude: of a site where nothing bothered."""

SURFACES = {"both": LENGTHSCALES, "rough": LENGTHSCALES[:1], "smooth": LENGTHSCALES[1:]}
"""Which surfaces are among the particles, by the option's name."""

Booleans = NDArray[np.bool_]
Keep = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What a Gaussian process controller carries from visit to visit."""

    beliefs: Beliefs
    seed: int
    anchors: tuple[int, ...] = ()  # places of the first settings to try

    @property
    def tables(self) -> Tables:
        """What is the same for every patient."""
        return self.beliefs.tables


@options
class GaussianProcess:
    """Learns each patient's rate ratio to off, and proposes what an acquisition rates best.

    The rate when off wanders by `wander_sd` on the logarithm with a time constant of `wander_days`,
    so that its ups and downs are not taken for effects. The bound is `beta` standard deviations
    from the mean, 2.5 without and 1 with a learned prior. A setting stays for at least
    `dwell_epochs`, and an amplitude rises by at most `largest_rise_ua` at a visit. With
    `is_limited`, settings at which a bothersome side effect may come on more than
    `unsafe_probability` of days, by an upper bound at `limit_beta`, are left out, where patients
    tell of `told_share` of such days; without, those at a site at or above an amplitude that
    bothered this patient. `perturbed_ticks` asks for settings that stay good when the amplitude is
    off by so many steps of the list. With `prior`, a shipped one or a file that `neurostim learn`
    made, the patient is compared with earlier ones from the first visit on (its wash-in and
    wandering take the place of those here), and the first `n_anchors` visits go to the settings it
    learned to try first; particles that know no patients keep `generic_share` of the weight.
    Without, the particles hold the `surfaces` named, which vary less at the top of the amplitude
    range unless `avoids_edges` is false. What is written less than `discarded_days` after a change
    of setting teaches nothing. Of the amplitudes and frequencies of the list only every
    `amplitude_step`-th and `frequency_step`-th is chosen, counted from the highest.
    """

    summary: ClassVar[str] = (
        "A Gaussian process learns the patient's response; an acquisition function picks the next "
        "setting."
    )

    acquisition: Acquisition = "upper_confidence_bound"
    beta: Annotated[float, Field(gt=0)] | None = None
    wash_in_days: Annotated[float, Field(ge=0)] = 18.0
    keeps_per_week: Annotated[tuple[Keep, ...], Field(min_length=1)] = (1.0,)
    cycle_days: tuple[Annotated[float, Field(gt=0)], ...] = ()
    wander_sd: Annotated[float, Field(ge=0)] = WANDER[0]
    wander_days: Annotated[float, Field(gt=0)] = WANDER[1]
    dwell_epochs: Annotated[int, Field(ge=1)] = 1
    largest_rise_ua: Annotated[int, Field(ge=1)] | None = None
    is_limited: bool = False
    limit_beta: Annotated[float, Field(ge=0)] = 2.0
    unsafe_probability: Annotated[float, Field(gt=0, lt=1)] = 0.01
    told_share: Annotated[float, Field(gt=0, le=1)] = 0.4
    perturbed_ticks: Annotated[int, Field(ge=0)] = 0
    prior: str | None = None
    n_anchors: Annotated[int, Field(ge=0)] = 0
    generic_share: Annotated[float, Field(ge=0, lt=1)] = GENERIC_SHARE
    surfaces: Literal["both", "rough", "smooth"] = "both"
    avoids_edges: bool = True
    discarded_days: Annotated[int, Field(ge=0)] = 0
    amplitude_step: Annotated[int, Field(ge=1)] = 1
    frequency_step: Annotated[int, Field(ge=1)] = 1

    def init(self, context: Context) -> Known:
        """The encoded list and the priors, on the device that computes."""
        encoding = Encoding.of(context.candidates)
        encoded = encoding.settings(context.candidates)
        keeps = tuple(keep ** (1 / 7) for keep in self.keeps_per_week)
        anchors: tuple[int, ...] = ()
        if self.prior is None:
            effects = device_prior(
                encoded,
                wash_in=self.wash_in_days,
                keeps=keeps,
                cycle_periods=self.cycle_days,
                wander=(self.wander_sd, self.wander_days),
                lengthscales=SURFACES[self.surfaces],
                avoids_edges=self.avoids_edges,
            )
            side_effects = side_effect_prior(encoded)
        else:
            path = prior_path(self.prior, context.folder)
            learned = load_prior(path, context.candidates, self.generic_share)
            effects, side_effects = learned.effects.with_keeps(keeps), learned.side_effects
            anchors = learned.anchors[: self.n_anchors]
        tables = tables_of(
            context.candidates,
            encoding,
            effects,
            side_effects if self.is_limited else None,
            compute=context.compute,
            knows_levels=self.prior is not None,
            discarded_days=self.discarded_days,
        )
        return Known(beliefs=Beliefs(tables=tables), seed=context.seed, anchors=anchors)

    def propose(
        self, state: Known, history: History, allowed: Booleans
    ) -> tuple[Known, Sequence[Setting | None]]:
        """The best-scored allowed setting of each patient."""
        with torch.no_grad():
            beliefs, told = state.beliefs.after(history)
            model = self._model(state.tables, told.effects)
            if self.acquisition == "thompson":
                score = draws(model, state.seed, history.patients, history.n_epochs)
            else:
                usual = USUAL_BETA if self.prior is None else LEARNED_BETA
                score = scores(model, self.acquisition, self.beta or usual)
            table = np.round(score.cpu().numpy(), SCORE_DECIMALS)
            usable = allowed & self._is_offered(state.tables)
            table[~(usable & self.is_tolerated(state.tables, told))] = -np.inf
        stays, place = self._dwelling(state.tables, history)
        table[~self._within_reach(state.tables, history)] = -np.inf
        n_visits = (history.is_epoch & (history.phase >= TREATMENT)).sum(axis=1)
        for n, anchor in enumerate(state.anchors):
            table[(n_visits == n) & np.isfinite(table[:, anchor]), anchor] = np.inf
        chosen = np.where(stays & np.isfinite(_at(table, place)), place, table.argmax(axis=1))
        return replace(state, beliefs=beliefs), [
            state.tables.candidates[m] if table[b, m] > -np.inf else None
            for b, m in enumerate(chosen)
        ]

    def recommend(
        self, state: Known, history: History, allowed: Booleans
    ) -> tuple[Known, Sequence[Setting | None]]:
        """The tolerated setting with the best posterior mean among those that data support."""
        with torch.no_grad():
            beliefs, told = state.beliefs.after(history)
            model = self._model(state.tables, refit(told.effects))
            table = np.round(model.list_mean.cpu().numpy(), SCORE_DECIMALS)
            usable = allowed & self._is_offered(state.tables)
            usable &= self.is_tolerated(state.tables, told)
            if self.prior is None:  # a learned one is itself support, by earlier patients
                usable &= is_supported(model).cpu().numpy() | (np.arange(table.shape[1]) == 0)
        table[~usable] = -np.inf
        chosen = table.argmax(axis=1)
        return replace(state, beliefs=beliefs), [
            state.tables.candidates[m] if table[b, m] > -np.inf else None
            for b, m in enumerate(chosen)
        ]

    def is_tolerated(self, tables: Tables, told: Told) -> Booleans:
        """Which candidates each patient is believed to tolerate, `B M`; off always."""
        if told.side_effects is None:
            return _is_below_harm(tables, told.history)
        mean, sd = level_and_effect(told.side_effects)
        limit = np.log(-np.log1p(-self.unsafe_probability) * self.told_share)
        tolerated: Booleans = (mean + self.limit_beta * sd <= limit).cpu().numpy()
        tolerated[:, 0] = True
        return tolerated

    def as_delivered(self, tables: Tables, belief: Belief) -> Belief:
        """The belief about what comes of settings when the amplitude may be off, for reading."""
        if not self.perturbed_ticks:
            return belief
        return smoothed(belief, Nearby.along(tables.encoded, AMPLITUDE, self.perturbed_ticks))

    def _is_offered(self, tables: Tables) -> Booleans:
        """Which candidates are on the coarser list, `M`; off always."""
        offered = np.ones(len(tables.rows), dtype=np.bool_)
        for column, step in ((1, self.amplitude_step), (2, self.frequency_step)):
            ticks = np.unique(tables.rows[tables.rows[:, 1] > 0, column])
            offered &= np.isin(tables.rows[:, column], ticks[::-step])
        offered[0] = True
        return offered

    def _model(self, tables: Tables, belief: Belief) -> ListModel:
        return ListModel(self.as_delivered(tables, belief), tables.encoded)

    def _dwelling(self, tables: Tables, history: History) -> tuple[Booleans, NDArray[np.int64]]:
        """Who has not been on the present setting for long enough, and its place, `B` each."""
        last = np.maximum(history.n_epochs - 1, 0)
        everyone = np.arange(history.n_patients)
        if not history.days.shape[1]:
            return np.zeros(len(last), dtype=np.bool_), np.zeros_like(last)
        now = history.delivered[everyone, last]
        is_same = (history.delivered == now[:, None]).all(axis=2) & (history.phase >= TREATMENT)
        epoch = np.arange(history.days.shape[1])
        changed = np.where(is_same | (epoch > last[:, None]), -1, epoch).max(axis=1)
        run = last - changed
        is_treated = history.phase[everyone, last] >= TREATMENT
        return is_treated & (run < self.dwell_epochs), places_of(tables, now)

    def _within_reach(self, tables: Tables, history: History) -> Booleans:
        amplitude = tables.rows[:, 1]
        if self.largest_rise_ua is None:
            return np.ones((history.n_patients, len(amplitude)), dtype=np.bool_)
        now = np.zeros(history.n_patients, dtype=np.int64)
        begun = np.flatnonzero(history.n_epochs)
        now[begun] = history.delivered[begun, history.n_epochs[begun] - 1, 1]
        reach: Booleans = amplitude <= now[:, None] + self.largest_rise_ua
        return reach


@options
class SafeGaussianProcess(GaussianProcess):
    """The same with learned limits on side effects."""

    summary: ClassVar[str] = (
        "The Gaussian process, kept to settings whose side effects are believed to be bearable."
    )

    is_limited: bool = True


@options
class DriftingGaussianProcess(GaussianProcess):
    """The same with particles that forget."""

    summary: ClassVar[str] = "The Gaussian process for responses that may change with time."

    keeps_per_week: Annotated[tuple[Keep, ...], Field(min_length=1)] = (1.0, 0.98, 0.94)


@options
class Thompson(GaussianProcess):
    """The same with a draw from the posterior as its score."""

    summary: ClassVar[str] = "A Gaussian process; the next setting is the best of a random draw."

    acquisition: Acquisition = "thompson"


@options
class RandomThenPosterior(GaussianProcess):
    """Random settings throughout; only the recommendation is the Gaussian process's."""

    summary: ClassVar[str] = (
        "Settings drawn at random, and the best by a Gaussian process in the end."
    )

    def propose(
        self, state: Known, history: History, allowed: Booleans
    ) -> tuple[Known, Sequence[Setting | None]]:
        """One draw per patient, as the random controller makes them."""
        return state, draw_settings(state.tables.candidates, state.seed, history, allowed)


def _at(table: NDArray[np.float64], place: NDArray[np.int64]) -> NDArray[np.float64]:
    return table[np.arange(len(place)), place]


def _is_below_harm(tables: Tables, history: History) -> Booleans:
    """Whether a candidate is below what bothered the patient at its site, `B M`."""
    bothered = history.worst_grade >= BOTHERSOME_GRADE  # B T
    site, amplitude = history.delivered[..., 0], history.delivered[..., 1]
    tolerated = np.ones((history.n_patients, len(tables.rows)), dtype=np.bool_)
    for each in np.unique(tables.rows[:, 0]):  # no table of B T M: there are many patients
        is_harm = bothered & (site == each) & (amplitude > 0)
        lowest = np.where(is_harm, amplitude, UNREACHED_UA).min(axis=1, initial=UNREACHED_UA)
        here = tables.rows[:, 0] == each
        tolerated[:, here] = tables.rows[here, 1] < lowest[:, None]
    return tolerated
