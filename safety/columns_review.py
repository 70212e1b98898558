"""The arithmetic of `review` by columns: which rows are ordinary, and what follows from them.

A clamp of the kernel leaves a setting alone exactly where the check in `legality` permits it, so
that a row is ordinary where both say yes, and each limit stands here once. Sizes are bounded:
every sum and product below fits 63 bits, for the reason given beside it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from safety.columns import (
    CONTINUOUS,
    LARGEST,
    MODES,
    MOST,
    MOST_LEADS,
    Flags,
    Integers,
    Lists,
    Pasts,
    Proposals,
    Verdicts,
    check_column,
    with_others,
)
from safety.day import DAY_MS, DAY_S, MAX_CHANGES, PC_PER_UC
from safety.envelope import MICROSECONDS_PER_SECOND, Envelope
from safety.kernel import review
from safety.reading import MAX_AGE_S, MAX_JUMP
from safety.rise import MAX_RISES
from safety.verdict import Verdict


def review_columns(
    proposals: Proposals, pasts: Pasts, envelope: Envelope, now: Integers
) -> Verdicts:
    """Return what `review` says of each row, given its proposal, its past and its time.

    No row has any influence on another. Raises `InputError` for columns of different lengths.
    """
    shape = pasts.patient.shape
    check_column("now", now, shape)
    check_column("patient", proposals.patient, shape)
    limits = limits_of(envelope) if type(envelope) is Envelope else None
    addressed = proposals.envelope_hash
    if limits is None or type(addressed) is not str or addressed != envelope.hash:
        is_ordinary = np.zeros(shape, dtype=np.bool_)
        ramp_s, after = np.zeros(shape, dtype=np.int64), pasts
    else:
        is_ordinary, ramp_s, after = reviewed(proposals, pasts, limits, now)
    others: dict[int, Verdict] = {}
    for row in np.flatnonzero(~is_ordinary).tolist():
        past = pasts.past(row)
        others[row] = review(proposals.proposal(row), past, envelope, int(now[row]))
    verdicts = Verdicts(delivered=after.delivered, ramp_s=ramp_s, others={}, pasts=after)
    return with_others(verdicts, others)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limits:
    """An envelope as columns: limits by montage, and whether a number is a tick, by the number."""

    envelope: Envelope
    is_tick: tuple[Flags, ...]  # amplitude, frequency, pulse width, each by its number
    is_mode: Flags
    is_site: Flags
    n_leads: Integers
    largest_share: Integers
    charge_share: Integers
    charge_fc: Integers


@lru_cache(maxsize=8)
def limits_of(envelope: Envelope) -> Limits | None:
    """Return an envelope as columns, None where a product of its numbers could leave 63 bits."""
    ticks = (envelope.amplitude_ua, envelope.frequency_hz, envelope.pulse_width_us)
    all_ticks = (envelope.sites, *ticks, envelope.on_ms, envelope.off_ms)
    is_small = all(
        each[-1] <= largest for each, largest in zip(all_ticks, LARGEST, strict=True) if each
    )
    highest_pc_per_s = max(envelope.n_leads)
    for each in ticks:
        highest_pc_per_s *= each[-1]
    is_little = highest_pc_per_s * DAY_MS < 2**62 and max(envelope.n_leads) <= MOST_LEADS
    if not (is_small and is_little):
        return None
    n_montages = len(envelope.montages)
    binding = envelope.binding_charge
    return Limits(
        envelope=envelope,
        is_tick=tuple(flags(each, each[-1] + 2) for each in ticks),
        is_mode=flags(tuple(map(MODES.index, envelope.modes)), len(MODES)),
        is_site=flags(envelope.sites, n_montages + 1),
        n_leads=np.array(envelope.n_leads, dtype=np.int64),
        largest_share=np.array([load.share_permille for load in envelope.largest_share]),
        charge_share=np.array([load.share_permille for load in binding]),
        charge_fc=np.array([min(1000 * load.max_charge_pc, MOST) for load in binding]),
    )


def flags(numbers: tuple[int, ...], length: int) -> Flags:
    """Return, for each number below `length`, whether it is one of `numbers`."""
    found = np.zeros(length, dtype=np.bool_)
    found[list(numbers)] = True
    return found


def reviewed(
    proposals: Proposals, pasts: Pasts, limits: Limits, now: Integers
) -> tuple[Flags, Integers, Pasts]:
    """Return which rows are ordinary, and for those the seconds of ramp and the past that follows.

    What the other rows hold is of no meaning.
    """
    envelope = limits.envelope
    clock = np.maximum(now, pasts.at_s)
    rises = pasts.rises.without_first(n_before(pasts.rises, clock - envelope.rise_window_s))
    # A delivery ends when the next one begins, so the first is not asked when it began.
    changes = pasts.changes.without_first(n_before(pasts.changes, clock - DAY_S, first=1))
    is_addressed = is_rightly_addressed(proposals, pasts, now)
    is_off = proposals.setting[1] == 0
    is_listed = is_in_box(proposals.setting, limits) & ~is_off
    # Outside the box numbers may be any: such a setting becomes OFF before they are multiplied.
    setting = np.where(is_listed, proposals.setting, 0)
    use = use_of(setting, limits)
    is_legal = is_listed & is_within_limits(setting, use, limits)
    rise = rise_from(pasts, setting, use, limits)
    is_rise = (rise.amplitude_ua | rise.charge_pc_per_s | rise.duty_ppm) != 0
    is_changed = (setting != pasts.delivered).any(axis=0)
    is_kept = ~is_rise
    if is_rise.any():  # in many epochs of a trial nothing rises
        is_kept |= (
            (rises.n < MAX_RISES)
            & (clock >= pasts.lockout_until_s)
            & is_within_window(rise, rises, envelope)
            & is_within_day(use, changes, envelope, clock)
        )
    is_plain = np.ones(len(clock), dtype=np.bool_)
    is_plain[list(pasts.others)] = False
    is_plain[list(proposals.others)] = False
    is_ordinary = (
        is_plain
        & is_addressed
        & (is_off | (is_legal & is_kept))
        & (~is_changed | (changes.n < MAX_CHANGES))
    )
    risen = np.flatnonzero(is_ordinary & is_rise)
    new_rise = (clock, rise.amplitude_ua, rise.charge_pc_per_s, rise.duty_ppm)
    changed = np.flatnonzero(is_ordinary & is_changed)
    new_change = (
        clock,
        use.therapies,
        use.charge_pc,
        use.more_therapies,
        use.more_charge_pc,
        np.ones_like(clock),
    )
    after = Pasts(
        patient=pasts.patient,
        sequence=proposals.sequence,
        at_s=clock,
        refusals=np.zeros_like(clock),
        lockout_until_s=pasts.lockout_until_s,
        delivered=setting,
        rises=rises.with_last(risen, *new_rise),
        changes=changes.with_last(changed, *new_change),
        not_tolerated=pasts.not_tolerated,
        others={},
    )
    return is_ordinary, ramps_s(pasts.delivered, setting, envelope), after


def n_before(lists: Lists, last_s: Integers, first: int = 0) -> Integers:
    """Return how many items of each row, from the item `first` on, came at `last_s` or before."""
    n = np.zeros_like(last_s)
    for k, item in enumerate(lists.items[first:], start=first):
        n += (item[0] <= last_s) & (k < lists.n)
    return n


def is_rightly_addressed(proposals: Proposals, pasts: Pasts, now: Integers) -> Flags:
    """Return where the patient, the number and the time are right, and all three within bounds."""
    number, at_s, before = proposals.sequence, proposals.at_s, pasts.sequence
    is_right: Flags = (
        (proposals.patient == pasts.patient)
        & (number > before)
        & (number <= before + MAX_JUMP)
        & (number <= MOST)
        & (at_s >= 0)
        & (at_s <= now)
        & (now <= MOST)
        & (at_s >= np.maximum(now, 0) - MAX_AGE_S)
    )
    return is_right


def is_in_box(setting: Integers, limits: Limits) -> Flags:
    """Return where each field by itself is one that the envelope lists, and the cycle one."""
    envelope = limits.envelope
    site, *ticked, on_ms, off_ms, mode = setting
    is_listed: Flags = (site >= 0) & (mode >= 0) & (mode < len(MODES))
    is_listed &= limits.is_site.take(site, mode="clip")
    is_listed &= limits.is_mode.take(mode, mode="clip")
    for is_tick, numbers in zip(limits.is_tick, ticked, strict=True):
        is_listed &= is_tick.take(numbers, mode="clip")
    is_cycle = is_among(on_ms, envelope.on_ms) & is_among(off_ms, envelope.off_ms)
    is_listed &= np.where(mode == CONTINUOUS, (on_ms == 0) & (off_ms == 0), is_cycle)
    return is_listed


def is_among(numbers: Integers, ticks: tuple[int, ...]) -> Flags:
    """Return where a number is one of the ticks, which are few."""
    found = np.zeros(numbers.shape, dtype=np.bool_)
    for tick in ticks:
        found |= numbers == tick
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Use:
    """What each setting uses while its pulses run, and as `Change` counts it; of OFF, nothing.

    Charge per second is at most 2**62 / `DAY_MS`, by `limits_of`.
    """

    charge_pc_per_s: Integers
    on: Integers
    period: Integers
    therapies: Integers
    charge_pc: Integers
    more_therapies: Integers
    more_charge_pc: Integers


def use_of(setting: Integers, limits: Limits) -> Use:
    """Return what settings of the box, or OFF, use."""
    site, amplitude_ua, frequency_hz, width_us, on_ms, _, mode = setting
    charge = amplitude_ua * width_us * frequency_hz * limits.n_leads.take(site)
    on, period = duty_of(setting)
    is_cyclic = mode != CONTINUOUS
    n_periods, rest_ms = np.divmod(DAY_MS, period)
    pulses_ms = n_periods * on + np.minimum(on, rest_ms)  # continuous: on and period are 1
    return Use(
        charge_pc_per_s=charge,
        on=on,
        period=period,
        therapies=(n_periods + (rest_ms > 0)) * is_cyclic,
        charge_pc=-(-charge * pulses_ms // 1000),
        more_therapies=is_cyclic.astype(np.int64),
        more_charge_pc=-(-charge * on_ms // 1000),
    )


def duty_of(setting: Integers) -> tuple[Integers, Integers]:
    """Return the time that pulses may run and the period it is part of, in the same unit."""
    is_cyclic = setting[6] != CONTINUOUS
    on = np.where(is_cyclic, setting[4], setting[1] != 0)
    return on, np.where(is_cyclic, setting[4] + setting[5], 1)


def is_within_limits(setting: Integers, use: Use, limits: Limits) -> Flags:
    """Return where settings of the box keep the coupled limits and those of one day."""
    envelope = limits.envelope
    site, amplitude_ua, frequency_hz, width_us, *_ = setting
    pulse_us = 2 * width_us + envelope.interphase_gap_us
    current_na = limits.largest_share.take(site) * amplitude_ua
    charge_fc = limits.charge_share.take(site) * amplitude_ua * width_us
    is_within: Flags = (
        (pulse_us <= MICROSECONDS_PER_SECOND)
        & (np.minimum(pulse_us, MICROSECONDS_PER_SECOND) * frequency_hz <= MICROSECONDS_PER_SECOND)
        & (current_na <= 1000 * envelope.max_contact_current_ua)
        & (amplitude_ua <= envelope.max_lead_current_ua)
        & (charge_fc <= limits.charge_fc.take(site))
        & (1000 * use.on <= envelope.max_duty_permille * use.period)
        & (use.therapies <= envelope.day_max_therapies)
        & (use.charge_pc <= PC_PER_UC * envelope.day_max_charge_uc)
    )
    return is_within


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rises:
    """By how much each row goes up."""

    amplitude_ua: Integers
    charge_pc_per_s: Integers
    duty_ppm: Integers


def rise_from(pasts: Pasts, setting: Integers, use: Use, limits: Limits) -> Rises:
    """Return by how much settings are above what runs, or above OFF where it was not tolerated."""
    running = pasts.delivered
    is_same = (running[0] == setting[0]) & (running[3] == setting[3])
    rise = rise_to(running * is_same, setting, use, limits)
    if not len(pasts.not_tolerated.items):
        return rise
    is_borne = np.ones_like(is_same)
    for site, width_us, amplitude_ua in pasts.not_tolerated.items:
        is_there = (site == setting[0]) & (width_us == setting[3])
        is_borne &= ~(is_there & (setting[1] >= amplitude_ua))  # beyond the list OFF, no rise
    rises = (rise.amplitude_ua | rise.charge_pc_per_s | rise.duty_ppm) != 0
    return rise_to(running * (is_same & (is_borne | ~rises)), setting, use, limits)


def rise_to(start: Integers, setting: Integers, use: Use, limits: Limits) -> Rises:
    """Return by how much settings are above `start`, which is OFF or of the same site and width.

    A start is within `LARGEST`, so that its charge per second is below 2**56, and a period below
    2**26 ms: the product of two of them keeps room for a factor of 1000.
    """
    start_charge = start[1] * start[3] * start[2] * limits.n_leads.take(setting[0])
    start_on, start_period = duty_of(start)
    fall = start_on * use.period - use.on * start_period
    return Rises(
        amplitude_ua=np.maximum(setting[1] - start[1], 0),
        charge_pc_per_s=np.maximum(use.charge_pc_per_s - start_charge, 0),
        duty_ppm=np.maximum(-parts_per_million(fall, use.period * start_period), 0),
    )


def parts_per_million(share: Integers, whole: Integers) -> Integers:
    """Return `PPM * share // whole` by long division in two steps of 1000."""
    thousandths, rest = np.divmod(1000 * share, whole)
    return 1000 * thousandths + 1000 * rest // whole


def is_within_window(rise: Rises, recent: Lists, envelope: Envelope) -> Flags:
    """Return where a rise keeps the limit of one review and those of the window."""
    sums = recent.items.sum(axis=0)
    rows = (
        (rise.amplitude_ua, sums[1], envelope.rise_amplitude_ua),
        (rise.charge_pc_per_s, sums[2], 1000 * envelope.rise_charge_nc_per_s),
        (rise.duty_ppm, sums[3], 1000 * envelope.rise_duty_permille),
    )
    is_within = rise.amplitude_ua <= envelope.step_amplitude_ua
    for value, before, limit in rows:
        is_within &= (value == 0) | (value + before <= limit)
    return is_within


def is_within_day(use: Use, changes: Lists, envelope: Envelope, clock: Integers) -> Flags:
    """Return where the last 24 h have room for one more change, to these settings."""
    n_changes = np.ones_like(clock)
    therapies, charge_pc = use.therapies, use.charge_pc
    more_therapies, more_charge_pc = use.more_therapies, use.more_charge_pc
    is_alone = np.ones(len(clock), dtype=np.bool_)
    for at_s, of_therapies, of_charge_pc, once, once_pc, n in changes.items:
        n_changes = n_changes + n * (at_s > clock - DAY_S)
        therapies = np.maximum(therapies, of_therapies)
        charge_pc = np.maximum(charge_pc, of_charge_pc)
        more_therapies, more_charge_pc = more_therapies + once, more_charge_pc + once_pc
        is_alone &= of_charge_pc == 0
    return (
        (n_changes <= envelope.day_max_changes)
        & (therapies + np.where(is_alone, 0, more_therapies) <= envelope.day_max_therapies)
        & (
            charge_pc + np.where(is_alone, 0, more_charge_pc)
            <= PC_PER_UC * envelope.day_max_charge_uc
        )
    )


def ramps_s(before: Integers, after: Integers, envelope: Envelope) -> Integers:
    """Return the seconds of ramp, rounded up; a new site or pulse width goes through zero."""
    is_same = (before[0] == after[0]) & (before[3] == after[3])
    kept_ua = before[1] * is_same
    down_ua = before[1] - np.minimum(kept_ua, after[1])
    up_ua = np.maximum(after[1] - kept_ua, 0)
    down_s, up_s = -down_ua // envelope.ramp_down_ua_per_s, -up_ua // envelope.ramp_up_ua_per_s
    ramp: Integers = -down_s - up_s
    return ramp
