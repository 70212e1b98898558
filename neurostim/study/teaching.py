"""What earlier patients teach: how many it takes, in how many hospitals, and the first settings.

One draw of an experiment has earlier patients and test patients of its own, so that the spread over
draws is the whole uncertainty. Arms of one draw treat the same test patients with the same luck.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch

from neurostim.learning.fit import at_level, posterior_means
from neurostim.meta.anchors import anchors
from neurostim.meta.contributions import Sums, part, summed
from neurostim.meta.hierarchy import N_PSEUDO, learned, maximised, shared
from neurostim.meta.mixing import mixed
from neurostim.study.reference_policy import (
    COUNTS,
    DISPERSIONS,
    GENERIC_DISPERSIONS,
    N_EPOCHS_LEARNED,
    Bound,
    encoded,
    observed_of,
)
from neurostim.study.reference_population import (
    AMPLITUDES,
    LOG_FREQUENCIES,
    N_SITES,
    Patients,
    Policy,
    draw,
    in_trial,
    random_history,
    run,
    share_of_gap,
)
from neurostim.surrogate.filter import Observed
from neurostim.surrogate.generic import device_prior
from neurostim.surrogate.prior import ListPrior

N_ROUNDS = 10
MOST_LOCAL = 5
"""Hospitals whose own priors are judged, of however many there are."""

N_ANCHORS = 3

Figures = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """The people of one draw: nobody is in two draws, nor in the past and the test of one."""

    seed: int
    number: int
    n_tested: int

    def earlier(self, n: int) -> Patients:
        """Patients to learn from; more of them include the fewer."""
        return draw(3 * (1000 * self.seed + self.number) + 1000, n)

    def validation(self, n: int) -> Patients:
        """Patients by whom options are chosen, of neither kind."""
        return draw(3 * (1000 * self.seed + self.number) + 1001, n)

    def tested(self) -> Patients:
        """Patients by whom everything is judged."""
        return draw(3 * (1000 * self.seed + self.number) + 1002, self.n_tested)


def generic_prior() -> ListPrior:
    """What is believed without earlier patients."""
    return device_prior(encoded(), concentrations=GENERIC_DISPERSIONS)


def past_of(patients: Patients) -> Observed:
    """What earlier patients told, each at random settings."""
    return observed_of(*random_history(patients, N_EPOCHS_LEARNED))


def start_for(observed: Observed) -> ListPrior:
    """Where learning starts."""
    return at_level(shared(generic_prior(), DISPERSIONS), observed)


def pooled(observed: Observed, n_rounds: int = N_ROUNDS) -> ListPrior:
    """The prior learned by one that sees every row."""
    rounds = learned(start_for(observed), COUNTS, observed)
    return next(islice(rounds, n_rounds - 1, None))


def hospitals_of(observed: Observed, n_hospitals: int) -> list[Observed]:
    """The same patients dealt to so many hospitals, in turn."""
    places = torch.arange(len(observed.index))
    return [part(observed, places[first::n_hospitals]) for first in range(n_hospitals)]


def federated(hospitals: Sequence[Observed], n_rounds: int = N_ROUNDS) -> ListPrior:
    """The prior learned by hospitals that add up sums, and show one another no row.

    Where to start is the generic prior at the mean of the levels that the hospitals tell, weighted
    by their patients.
    """
    sizes = torch.tensor([len(each.index) for each in hospitals], dtype=torch.float64)
    starts = [start_for(each) for each in hospitals]
    told = torch.stack([each.level_mean[0] for each in starts])
    start = shared(generic_prior(), DISPERSIONS)
    prior = _at(start, float((told * sizes).sum() / sizes.sum()))
    base = start.table[0]
    for _ in range(n_rounds):
        total = sum((summed(prior, COUNTS, each) for each in hospitals), Sums.nothing(prior))
        prior = maximised(prior, total, base, N_PSEUDO)
    return prior


def usual_mix(prior: ListPrior) -> ListPrior:
    """A learned prior with the usual share of generic particles."""
    return mixed(prior, device_prior(encoded(), concentrations=prior.dispersion.tolist()))


def judged(policy: Policy, patients: Patients) -> Figures:
    """Shares of the gap: of the setting recommended after 5, 10 and 40 epochs, and in trial."""
    result = run(policy, patients)
    figures = {f"rec {n}": share_of_gap(patients, result.recommended[n]).value for n in (5, 10, 40)}
    for n in (5, 10, 40):
        figures[f"trial {n}"] = in_trial(patients, result.indices[:, :n]).value
    return figures


def judged_prior(
    prior: ListPrior, patients: Patients, first_tried: tuple[int, ...] = ()
) -> Figures:
    """The same of the bound under a learned prior."""
    return judged(Bound(prior=usual_mix(prior), first_tried=first_tried), patients)


def learning_curve(people: Draw, n_earlier: int) -> Figures:
    """What so many earlier patients are worth; 0 is the generic prior."""
    if not n_earlier:
        return judged(Bound(prior=generic_prior(), knows_level=False), people.tested())
    return judged_prior(pooled(past_of(people.earlier(n_earlier))), people.tested())


def over_hospitals(people: Draw, n_earlier: int, n_hospitals: int) -> dict[str, Figures]:
    """The same patients in so many hospitals: federated, and each hospital by itself.

    Of a local prior the mean over at most `MOST_LOCAL` hospitals is told.
    """
    parts = hospitals_of(past_of(people.earlier(n_earlier)), n_hospitals)
    tested = people.tested()
    local = [judged_prior(pooled(each), tested) for each in parts[:MOST_LOCAL]]
    return {
        "federated": judged_prior(federated(parts), tested),
        "local": {name: sum(each[name] for each in local) / len(local) for name in local[0]},
    }


def hand_set() -> tuple[int, ...]:
    """First settings as somebody sets them without earlier patients: the middle of each site."""
    middle = len(AMPLITUDES) // 2 * len(LOG_FREQUENCIES) + len(LOG_FREQUENCIES) // 2
    return tuple(site * len(AMPLITUDES) * len(LOG_FREQUENCIES) + middle for site in range(N_SITES))[
        :N_ANCHORS
    ]


def first_settings(people: Draw, n_earlier: int) -> dict[str, Figures]:
    """First settings learned, set by hand or none, under the learned and the generic prior."""
    observed = past_of(people.earlier(n_earlier))
    prior = pooled(observed)
    tested = people.tested()
    choices = {
        "none": (),
        "by hand": hand_set(),
        "learned": anchors(posterior_means(prior, observed), N_ANCHORS),
    }
    found = {}
    for name, first in choices.items():
        found[f"learned prior, {name}"] = judged_prior(prior, tested, first)
        generic = Bound(prior=generic_prior(), knows_level=False, first_tried=first)
        found[f"generic prior, {name}"] = judged(generic, tested)
    return found


def _at(start: ListPrior, level: float) -> ListPrior:
    return replace(start, level_mean=torch.full_like(start.level_mean, level))
