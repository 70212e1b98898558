"""What choosing contacts is worth: patients whose target lies beside a directional lead.

The law is an illustration, and no patient of the other families follows it. A point is excited by
a contact in proportion to its current over the squared distance (the current-distance relation,
Ranck 1975, "Which elements are excited in electrical stimulation of mammalian central nervous
system", Brain Res 98:417), the currents of several contacts add up, the effect saturates, and a
second point, which is better left alone, does harm in the same way. Where contacts are, where the
points lie and how strong they are is assumed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from neurostim.study.montages import (
    Point,
    legal_montages,
    legal_settings,
    montage_prior,
    montages_of,
)
from neurostim.study.reference_policy import Bound
from neurostim.study.reference_population import (
    TRAIT,
    Ints,
    Patients,
    difference,
    in_trial,
    run,
    share_of_gap,
)
from neurostim.surrogate.prior import ListPrior
from patient_models.randomness import uniforms
from protocols import Setting
from safety import Envelope, load_envelope

Floats = NDArray[np.float64]

ENVELOPE = "dbs-like-vercise"
LEVEL_APART_MM, RADIUS_MM = 2.0, 0.65
"""Assumptions: levels two millimetres apart, and segments on a lead 1.3 mm thick."""

AMPLITUDES_UA = (1_000, 2_000, 3_000, 4_500, 6_000)
FREQUENCY_HZ, PULSE_WIDTH_US = 130, 120
THRESHOLD_MA_PER_MM2 = 0.5
"""Assumption: the current that excites half of the effect at one millimetre."""

MOST_CONTACTS, N_PARTS = 3, 4
STAGE_EPOCHS = 12
FIXED = "fixed montages"
BLOCK = 24
"""Patients treated at once: what they may take of memory grows with the list."""


def positions_mm() -> Mapping[str, Point]:
    """Where the contacts of the directional lead are: rings on its axis, segments around it."""
    places: dict[str, Point] = {"C1": (0.0, 0.0, 0.0), "C4": (0.0, 0.0, 3 * LEVEL_APART_MM)}
    for level in (2, 3):
        for number, letter in enumerate("ABC"):
            angle = 2 * pi * number / 3
            height = (level - 1) * LEVEL_APART_MM
            places[f"C{level}{letter}"] = (
                RADIUS_MM * cos(angle),
                RADIUS_MM * sin(angle),
                height,
            )
    return places


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The settings of every legal montage and of the montages that the envelope ships with.

    `envelope` holds the generated montages and, behind them, the shipped ones.
    """

    envelope: Envelope
    settings: tuple[Setting, ...]
    is_shipped: NDArray[np.bool_]  # M
    n_contacts: Ints  # M, that carry current
    n_refused_settings: int


def lists(most_contacts: int = MOST_CONTACTS, n_parts: int = N_PARTS) -> Lists:
    """Every setting that the safety layer lets through, of generated and shipped montages."""
    shipped = load_envelope(ENVELOPE)
    generated = montages_of(shipped.contacts, most_contacts, n_parts)
    known = {montage.shares_permille for montage in shipped.montages}
    fresh = [each for each in generated if each.shares_permille not in known]
    envelope, _ = legal_montages(shipped, [*fresh, *shipped.montages])
    settings = legal_settings(envelope, AMPLITUDES_UA, FREQUENCY_HZ, PULSE_WIDTH_US)
    shares = [envelope.montages[setting.site].shares_permille for setting in settings]
    return Lists(
        envelope=envelope,
        settings=settings,
        is_shipped=np.array([each in known for each in shares]),
        n_contacts=np.array([sum(share > 0 for share in each) for each in shares]),
        n_refused_settings=len(envelope.montages) * len(AMPLITUDES_UA) - len(settings),
    )


def steered(seed: int, n: int, found: Lists, first: int = 0) -> Patients:
    """Patients `first` to `first + n` of this seed, over all the settings of these lists."""
    ids = np.arange(first, first + n)
    numbers = iter(range(100))

    def uniform(low: float, high: float) -> Floats:
        return low + (high - low) * uniforms(seed, ids, 0, TRAIT, next(numbers))

    def point(nearest: float, farthest: float) -> Floats:
        angle, away = uniform(0, 2 * pi), uniform(nearest, farthest)
        height = uniform(0, 3 * LEVEL_APART_MM)
        return np.stack((away * np.cos(angle), away * np.sin(angle), height), axis=1)

    def lognormal(middle: float) -> Floats:
        return np.asarray(np.exp(np.log(middle) + 0.5 * ndtri(uniform(0, 1))))

    base, dispersion = np.clip(lognormal(8.0), 2, 20), lognormal(4.0)
    target, strength = point(1.5, 3.5), uniform(0.5, 1.4)
    avoided, harm = point(1.5, 3.5), uniform(0.2, 0.8)
    relief = strength[:, None] * saturated(excitation(target, found))
    hurt = harm[:, None] * saturated(excitation(avoided, found))
    return Patients(
        seed=seed,
        ids=ids,
        base_rate=base,
        log_rate=np.log(base)[:, None] - relief + hurt,
        dispersion=dispersion,
    )


def excitation(points_mm: Floats, found: Lists) -> Floats:
    """How much each setting excites each point, `n 3` to `n M`; 1 is half of the effect."""
    places = positions_mm()
    contacts = np.array([places[contact.name] for contact in found.envelope.contacts])
    square = ((points_mm[:, None] - contacts) ** 2).sum(axis=2)  # n contacts
    shares = np.array(
        [found.envelope.montages[setting.site].shares_permille for setting in found.settings]
    )
    current_ma = np.array([setting.amplitude_ua / 1000 for setting in found.settings])
    each = shares / 1000 * current_ma[:, None]  # M contacts
    return np.asarray((1 / square) @ each.T / THRESHOLD_MA_PER_MM2)


def saturated(dose: Floats) -> Floats:
    """What a dose does, from nothing to one."""
    return np.asarray(dose**2 / (1 + dose**2))


@dataclass(slots=True, kw_only=True)
class Among:
    """A bound that knows some of the settings of a list, told in places of the whole list.

    With `n_contacts` of each of its settings it begins with one contact at a time, and lets one
    more in every `STAGE_EPOCHS` epochs; what it recommends is any of its settings.
    """

    prior: ListPrior
    places: Ints  # of its settings on the whole list
    n_contacts: Ints | None = None
    is_random: bool = False
    seed: int = 0
    inner: Bound = field(init=False)

    def __post_init__(self) -> None:
        self.inner = Bound(prior=self.prior, knows_level=False)

    def propose(self, counts: Ints, indices: Ints) -> Ints:
        """What the bound proposes, or a random one of its settings."""
        n, epoch = counts.shape
        if self.is_random:
            luck = uniforms(self.seed, np.arange(n), epoch, TRAIT, 1000)
            return np.asarray(self.places[(luck * len(self.places)).astype(np.int64)])
        bounds = self.inner.bounds(counts, self._own(indices)).numpy()
        if self.n_contacts is not None:
            bounds = np.where(self.n_contacts <= 1 + epoch // STAGE_EPOCHS, bounds, np.inf)
        return np.asarray(self.places[bounds.argmin(axis=1)])

    def recommend(self, counts: Ints, indices: Ints) -> Ints:
        """What the bound recommends."""
        return np.asarray(self.places[self.inner.recommend(counts, self._own(indices))])

    def _own(self, indices: Ints) -> Ints:
        return np.asarray(np.searchsorted(self.places, indices))


Maker = Callable[[], Among]


def arms(found: Lists, seed: int) -> dict[str, Maker]:
    """Each arm's policy, made anew for every block of patients."""
    places = positions_mm()
    everything = np.arange(len(found.settings))

    def prior(which: Ints, is_shared: bool) -> ListPrior:
        own = [found.settings[place] for place in which]
        return montage_prior(own, found.envelope, places, is_shared=is_shared)

    shipped, single = np.flatnonzero(found.is_shipped), np.flatnonzero(found.n_contacts == 1)
    shared, apart = prior(everything, True), prior(everything, False)
    staged = partial(Among, prior=shared, places=everything, n_contacts=found.n_contacts)
    return {
        FIXED: partial(Among, prior=prior(shipped, True), places=shipped),
        "single contacts": partial(Among, prior=prior(single, True), places=single),
        "structure, in stages": staged,
        "structure, at once": partial(Among, prior=shared, places=everything),
        "structure, names only": partial(Among, prior=apart, places=everything),
        "structure, at random": partial(
            Among, prior=shared, places=everything, is_random=True, seed=seed
        ),
    }


def structure_search(seed: int, n_patients: int, found: Lists) -> dict[str, dict[str, float]]:
    """Shares of the gap of each arm; the gap is to the best of all settings, off included.

    Also each arm's ceiling, the share that its best setting would close, and the paired gain over
    the fixed montages.
    """
    blocks = [
        steered(seed, min(BLOCK, n_patients - first), found, first)
        for first in range(0, n_patients, BLOCK)
    ]
    everybody = steered(seed, n_patients, found)
    results: dict[str, tuple[Ints, Ints]] = {}
    figures: dict[str, dict[str, float]] = {}
    for name, make in arms(found, seed).items():
        places = make().places
        parts = [run(make(), block) for block in blocks]
        indices = np.concatenate([part.indices for part in parts])
        last = np.concatenate([part.recommended[40] for part in parts])
        early = np.concatenate([part.recommended[10] for part in parts])
        results[name] = last, indices
        best = places[everybody.log_rate[:, places].argmin(axis=1)]
        best = np.where(everybody.rate(best) < everybody.base_rate, best, -1)
        figures[name] = {
            "rec 10": share_of_gap(everybody, early).value,
            "rec 40": share_of_gap(everybody, last).value,
            "trial 40": in_trial(everybody, indices).value,
            "ceiling": share_of_gap(everybody, best).value,
            "rec 40 - fixed": difference(everybody, last, results[FIXED][0]).value,
            "trial 40 - fixed": difference(everybody, indices, results[FIXED][1]).value,
            "n settings": float(len(places)),
        }
    return figures
