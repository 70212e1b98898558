"""Envelopes only tighten: manufacturer, clinician, session, each within the one before."""

from collections.abc import Iterator
from dataclasses import replace

from protocols import InputError
from safety.envelope import TICKS, Envelope

AT_MOST = (
    "max_contact_current_ua",
    "max_lead_current_ua",
    "shannon_k_hundredths",
    "max_density_hundredths",
    "max_duty_permille",
    "rise_amplitude_ua",
    "rise_charge_nc_per_s",
    "rise_duty_permille",
    "ramp_up_ua_per_s",
)
AT_LEAST = ("interphase_gap_us", "rise_window_s", "ramp_down_ua_per_s")
# A slower ramp down would delay a stop, and a shorter window would let more rise in the old one.


def is_within(child: Envelope, parent: Envelope) -> bool:
    """Whether whatever `child` permits, now or over time, is also permitted by `parent`."""
    return not widenings(child, parent)


def widenings(child: Envelope, parent: Envelope) -> tuple[str, ...]:
    """Return one sentence for each field in which `child` is wider than `parent`."""
    return (
        *wider_ticks(child, parent),
        *wider_limits(child, parent),
        *changed_montages(child, parent),
    )


def tighten(parent: Envelope, **narrower: object) -> Envelope:
    """Return `parent` with fields replaced; raise `InputError` if that widens or empties it."""
    try:
        child = replace(parent, **narrower)  # type: ignore[arg-type]  # the constructor checks
    except ValueError as error:
        raise InputError(f"tightening {parent.name!r}: {error}") from error
    check_within(child, parent)
    return child


def check_within(child: Envelope, parent: Envelope) -> None:
    """Raise `InputError` with the first field in which `child` is wider than `parent`."""
    for sentence in widenings(child, parent):
        raise InputError(f"{child.name!r} is wider than {parent.name!r}: {sentence}")


def wider_ticks(child: Envelope, parent: Envelope) -> Iterator[str]:
    """Yield a sentence for each list that adds a tick."""
    for name in TICKS:
        permitted = getattr(parent, name)
        extra = [str(tick) for tick in getattr(child, name) if tick not in permitted]
        if extra:
            yield f"{name} adds {', '.join(extra)}"


def wider_limits(child: Envelope, parent: Envelope) -> Iterator[str]:
    """Yield a sentence for each limit that is looser."""
    for name in AT_MOST:
        limit, wanted = getattr(parent, name), getattr(child, name)
        if wanted > limit:
            yield f"{name} = {wanted}: at most {limit} was expected"
    for name in AT_LEAST:
        limit, wanted = getattr(parent, name), getattr(child, name)
        if wanted < limit:
            yield f"{name} = {wanted}: at least {limit} was expected"


def changed_montages(child: Envelope, parent: Envelope) -> Iterator[str]:
    """Yield a sentence where contacts or montages mean something else."""
    if child.montages != parent.montages:
        yield "montages differ: a site means one thing; leave out a site in sites instead"
    if [(each.name, each.lead) for each in child.contacts] != [
        (each.name, each.lead) for each in parent.contacts
    ]:
        yield "contacts differ: their names and leads stay"
        return
    for ours, theirs in zip(child.contacts, parent.contacts, strict=True):
        if ours.area_um2 > theirs.area_um2:
            yield f"area_um2 of {ours.name} = {ours.area_um2}: it may only shrink"
