"""Structure as something to search: which contacts carry the current, and how much each.

Montages are generated, and what of them may be delivered is asked of the safety layer, which alone
knows: a montage that no envelope can hold is refused in its words, and a setting that breaks a
coupled limit by its own check. A kernel over montages compares where their current is centred and
how far it spreads, so that what one montage taught is believed of those like it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import torch
from torch import Tensor

from neurostim.surrogate.covariance import covariance_of
from neurostim.surrogate.generic import EFFECT_SDS, LEVEL_SD, plateau
from neurostim.surrogate.prior import ListPrior
from neurostim.surrogate.surface import Surface
from protocols import InputError, Setting
from safety import Contact, Envelope, Montage
from safety.envelope import MOST_IN_A_LIST
from safety.legality import deliverable

WHOLE_PERMILLE = 1000
AMPLITUDE_LENGTHS = (0.3, 0.5)
"""In shares of the range of amplitudes, as those of the generic prior."""

LENGTHS_MM = (0.4, 0.4, 3.0, 4.0)
"""Of the centre of the current across the lead twice and along it, and of its spread. Of five
choices the best on 48 patients of a seed that nothing is judged on."""

NAME_CORRELATION = 0.5
DISPERSIONS = (2.0, 6.0)

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A montage that the safety layer does not hold legal, and its reason."""

    montage: Montage
    sentence: str


def montages_of(
    contacts: Sequence[Contact], most_contacts: int, n_parts: int
) -> tuple[Montage, ...]:
    """Every way of spreading the current over one to so many contacts, in parts of 1 / `n_parts`.

    On each lead that is used the shares add up to the whole, as the safety layer demands.
    """
    if most_contacts < 1 or n_parts < 1:
        raise InputError(
            f"most_contacts = {most_contacts}, n_parts = {n_parts}: 1 or more were expected"
        )
    made = []
    for size in range(1, min(most_contacts, len(contacts)) + 1):
        for used in combinations(range(len(contacts)), size):
            for shares in _spreads(contacts, used, n_parts):
                name = " + ".join(
                    f"{contacts[place].name} {share / 10:g}%"
                    for place, share in zip(used, shares, strict=True)
                )
                row = [0] * len(contacts)
                for place, share in zip(used, shares, strict=True):
                    row[place] = share
                made.append(Montage(name=name, shares_permille=tuple(row)))
    return tuple(made)


def _spreads(
    contacts: Sequence[Contact], used: tuple[int, ...], n_parts: int
) -> Iterator[tuple[int, ...]]:
    """Shares in permille of the contacts at these places, each above 0."""
    leads = dict.fromkeys(contacts[place].lead for place in used)
    members = {lead: [p for p in used if contacts[p].lead == lead] for lead in leads}
    by_lead = [_compositions(n_parts, len(members[lead])) for lead in leads]
    for chosen in product(*by_lead):
        share: dict[int, int] = {}
        for lead, parts in zip(leads, chosen, strict=True):
            share |= dict(zip(members[lead], _permille(parts, n_parts), strict=True))
        yield tuple(share[place] for place in used)


def _compositions(total: int, n: int) -> list[tuple[int, ...]]:
    """Every way of writing a total as n whole numbers from 1 up, in order."""
    ends = combinations(range(1, total), n - 1)
    return [tuple(b - a for a, b in zip((0, *cuts), (*cuts, total), strict=True)) for cuts in ends]


def _permille(parts: tuple[int, ...], n_parts: int) -> tuple[int, ...]:
    """Parts in permille; what rounding leaves goes to the first ones, so that they add up."""
    shares = [WHOLE_PERMILLE * part // n_parts for part in parts]
    left = WHOLE_PERMILLE - sum(shares)
    return tuple(share + (place < left) for place, share in enumerate(shares))


def legal_montages(
    envelope: Envelope, montages: Sequence[Montage]
) -> tuple[Envelope, tuple[Refusal, ...]]:
    """The envelope with those of these montages that it can hold, and why it refuses the others.

    Raises `InputError` when none is left, or more than an envelope lists.
    """
    kept, refused = [], []
    for montage in montages:
        try:
            envelope.replaced(montages=(montage,), sites=(0,))
        except ValueError as error:
            refused.append(Refusal(montage=montage, sentence=str(error)))
        else:
            kept.append(montage)
    if not 0 < len(kept) <= MOST_IN_A_LIST:
        raise InputError(
            f"{len(kept)} legal montages: 1 to {MOST_IN_A_LIST} were expected; fewer contacts at "
            "once or coarser shares give fewer"
        )
    wide = envelope.replaced(montages=tuple(kept), sites=tuple(range(len(kept))))
    return wide, tuple(refused)


def legal_settings(
    envelope: Envelope, amplitudes_ua: Sequence[int], frequency_hz: int, pulse_width_us: int
) -> tuple[Setting, ...]:
    """Every montage at every amplitude that the safety layer's own check lets through."""
    wanted = (
        Setting(
            site=site,
            amplitude_ua=amplitude,
            frequency_hz=frequency_hz,
            pulse_width_us=pulse_width_us,
        )
        for site in envelope.sites
        for amplitude in amplitudes_ua
    )
    return deliverable(wanted, envelope)


def centre_and_spread(
    envelope: Envelope, positions_mm: Mapping[str, Point], site: int
) -> tuple[float, float, float, float]:
    """Where the current of a montage is centred, and its root mean square distance from there, mm.

    Raises `InputError` for a contact whose position is not known.
    """
    shares = envelope.montages[site].shares_permille
    used = [(contact.name, share) for contact, share in zip(envelope.contacts, shares, strict=True)]
    used = [(name, share) for name, share in used if share]
    for name, _ in used:
        if name not in positions_mm:
            raise InputError(f"contact {name!r}: a position in mm was expected for it")
    total = sum(share for _, share in used)
    centre = [
        sum(share * positions_mm[name][axis] for name, share in used) / total for axis in range(3)
    ]
    square = sum(
        share * sum((positions_mm[name][axis] - centre[axis]) ** 2 for axis in range(3))
        for name, share in used
    )
    return centre[0], centre[1], centre[2], (square / total) ** 0.5


def montage_prior(
    settings: Sequence[Setting],
    envelope: Envelope,
    positions_mm: Mapping[str, Point],
    *,
    is_shared: bool = True,
) -> ListPrior:
    """Effects on the log rate over montages and amplitudes, without earlier patients.

    With `is_shared` montages are compared by centre and spread, else they are names without a
    place, which is what a table of montages is to the generic prior.
    """
    highest = max(setting.amplitude_ua for setting in settings)
    amplitude = torch.tensor([s.amplitude_ua / highest for s in settings], dtype=torch.float64)
    sites = torch.tensor([float(setting.site) for setting in settings], dtype=torch.float64)
    seen = {s: centre_and_spread(envelope, positions_mm, s) for s in {s.site for s in settings}}
    place = torch.tensor([seen[setting.site] for setting in settings], dtype=torch.float64)
    surfaces = []
    for length in AMPLITUDE_LENGTHS:
        alone = Surface(
            numbers=amplitude[:, None],
            lengthscales=(length,),
            names=sites[:, None],
            correlation=NAME_CORRELATION,
            height=plateau(amplitude),
        )
        surfaces.append(
            replace(
                alone,
                numbers=torch.cat((amplitude[:, None], place), dim=1),
                lengthscales=(length, *LENGTHS_MM),
                names=sites[:, None][:, :0],
            )
            if is_shared
            else alone
        )
    grid = list(product(EFFECT_SDS, range(len(surfaces)), DISPERSIONS))
    sd, which, dispersion = (
        torch.tensor(each, dtype=torch.float64) for each in zip(*grid, strict=True)
    )
    return _particles(surfaces, sd, which.long(), dispersion)


def _particles(
    surfaces: Sequence[Surface], sd: Tensor, which: Tensor, dispersion: Tensor
) -> ListPrior:
    every = torch.ones_like(sd)
    return ListPrior(
        mean=sd.new_zeros(len(sd), surfaces[0].n_settings),
        covariance=covariance_of(surfaces, which, sd.square()),
        dispersion=dispersion,
        keep=every,
        wash_in=every * 0,
        level_mean=every * 0,
        level_sd=every * LEVEL_SD,
        level_keep=every,
        cycle_sd=every * 0.15,
        log_weight=every * 0 - every.sum().log(),
    )
