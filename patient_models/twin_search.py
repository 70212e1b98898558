"""The search for patients who would have written the same: approximate Bayes, step by step."""

import numpy as np
from scipy.special import ndtr, ndtri

from patient_models.arrays import Counts, Floats
from patient_models.population import Trait
from patient_models.randomness import Purpose, uniforms
from patient_models.twin_pilot import Telling
from patient_models.twin_study import Patients, Study

CLOSE = 0.15
"""A distance that is small beside what a diary leaves open: there the search ends."""

LEAST_ACCEPTED = 0.08
KEPT_SHARE = 0.6
MOVES_PER_ROUND = 4
LAST_MOVES = 12
STEPS = (0.2, 0.5, 0.9)
"""How far a proposal goes, of the prior's SD; each draws one of them."""

TRAIT_BITS = 8
STEP_DRAW, SURVIVOR_DRAW = 1 << 18, 1 << 19
EDGE = 1e-12


class Search:
    """N particles that all lie within a tolerance, which each round narrows."""

    def __init__(self, study: Study, telling: Telling, wanted: Counts, n_particles: int) -> None:
        self._study = study
        self._telling = telling
        self._wanted = wanted
        pilot = telling.pilot
        distances = telling.distances(pilot.counts, wanted)
        nearest = np.argsort(distances, kind="stable")[:n_particles]
        self.patients = pilot.patients.rows(nearest)
        self.counts = pilot.counts[nearest]
        self.distances = distances[nearest]
        self.tolerance = float(self.distances.max())
        self.accepted_share = 1.0
        self._next = len(pilot.counts)

    @property
    def is_over(self) -> bool:
        """Whether the particles are close, or proposals are hardly ever accepted any more."""
        return self.tolerance <= CLOSE or self.accepted_share < LEAST_ACCEPTED

    def narrow(self) -> None:
        """Lower the tolerance, double those within it, and move all of them."""
        n = len(self.distances)
        tolerance = float(np.quantile(self.distances, KEPT_SHARE))
        within = np.flatnonzero(self.distances <= tolerance)
        drawn = uniforms(
            self._study.seed, self._next + np.arange(n), 0, Purpose.TWIN, SURVIVOR_DRAW
        )
        again = within[(drawn * len(within)).astype(np.int64)]
        again[: len(within)] = within
        self.patients = self.patients.rows(again)
        self.counts, self.distances = self.counts[again], self.distances[again]
        self.tolerance = tolerance
        n_accepted = sum(self._move() for _ in range(MOVES_PER_ROUND))
        self.accepted_share = n_accepted / (MOVES_PER_ROUND * n)

    def spread(self) -> None:
        """Move all of them some more within the tolerance, so that few are there twice."""
        for _ in range(LAST_MOVES):
            self._move()

    def _move(self) -> int:
        """Propose a neighbour of every particle; those within the tolerance take its place."""
        proposed = self._proposed()
        _, counts, _ = proposed.lived(self._study)
        distances = self._telling.distances(counts, self._wanted)
        is_accepted = distances <= self.tolerance
        self.patients = self.patients.with_rows(is_accepted, proposed)
        self.counts = np.where(is_accepted[:, None], counts, self.counts)
        self.distances = np.where(is_accepted, distances, self.distances)
        return int(is_accepted.sum())

    def _proposed(self) -> Patients:
        """Neighbours with a luck of their own; standard normal scores stay standard normal."""
        n, seed = len(self.distances), self._study.seed
        numbers = self._next + np.arange(n)
        self._next += n
        step_mark = uniforms(seed, numbers, 0, Purpose.TWIN, STEP_DRAW)
        step = np.array(STEPS)[(step_mark * len(STEPS)).astype(np.int64)][:, None]
        moved: dict[Trait, Floats] = {}
        for trait, uniform in self.patients.uniform.items():
            draws = (int(trait) << TRAIT_BITS) + np.arange(uniform.shape[1])
            fresh = ndtri(uniforms(seed, numbers[:, None], 0, Purpose.TWIN, draws))
            score = np.sqrt(1 - step**2) * ndtri(uniform) + step * fresh
            moved[trait] = np.clip(ndtr(score), EDGE, 1 - EDGE)
        return Patients(numbers=numbers, uniform=moved)
