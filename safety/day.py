"""What any 24 h of simulated time hold: changes, therapies and charge, bounded from above.

A setting that is on for n ms and off for m has, in any time d, pulses for at most d n / (n + m) ms
and one on-phase more, and starts at most d / (n + m) on-phases and one more. So several settings
within 24 h use at most what the heaviest of them uses in 24 h and one on-phase of each.
"""

from protocols import Mode, Setting
from safety.envelope import Envelope
from safety.rise import charge_pc_per_s
from safety.verdict import Change, Past, Rule

DAY_MS = 86_400_000
DAY_S = DAY_MS // 1000
MAX_CHANGES = 32
PC_PER_UC = 1_000_000


def recent_changes(past: Past, clock: int) -> tuple[Change, ...]:
    """Return the deliveries of which a part lies within the 24 h that end now."""
    changes, begin_s = past.changes, clock - DAY_S
    while len(changes) > 1 and changes[1].at_s <= begin_s:
        changes = changes[1:]
    return changes


def change_to(setting: Setting, envelope: Envelope, clock: int) -> Change:
    """Return the most that `setting` uses from now on."""
    if setting.is_off:
        return off_since(clock)
    charge = charge_pc_per_s(setting, envelope)
    if setting.mode is Mode.CONTINUOUS:
        return Change(clock, 0, charge * DAY_S, 0, 0, 1)
    n_periods, rest_ms = divmod(DAY_MS, setting.on_ms + setting.off_ms)
    on_ms = n_periods * setting.on_ms + min(setting.on_ms, rest_ms)
    n_therapies = n_periods + (rest_ms > 0)
    return Change(clock, n_therapies, in_ms(charge, on_ms), 1, in_ms(charge, setting.on_ms), 1)


def off_since(clock: int) -> Change:
    """Return that nothing is used from now on."""
    return Change(clock, 0, 0, 0, 0, 1)


def in_ms(charge_pc_per_s: int, ms: int) -> int:
    """Return the charge of so many ms, rounded up."""
    return -(-charge_pc_per_s * ms // 1000)


def with_change(changes: tuple[Change, ...], latest: Change) -> tuple[Change, ...]:
    """Return the changes with the latest; of many, the oldest two count as one, for longer."""
    if len(changes) < MAX_CHANGES:
        return (*changes, latest)
    first, second = changes[:2]
    merged = Change(
        second.at_s,
        max(first.therapies, second.therapies),
        max(first.charge_pc, second.charge_pc),
        first.more_therapies + second.more_therapies,
        first.more_charge_pc + second.more_charge_pc,
        first.n_changes + second.n_changes,
    )
    return (merged, *changes[2:], latest)


def day_excess(
    changes: tuple[Change, ...], envelope: Envelope, clock: int
) -> tuple[Rule, int, int] | None:
    """Return the rule, the value and the limit that these 24 h exceed, if they exceed one."""
    n_changes = sum(each.n_changes for each in changes if each.at_s > clock - DAY_S)
    therapies = max(each.therapies for each in changes)
    charge_pc = max(each.charge_pc for each in changes)
    heavy = [each for each in changes if each.charge_pc]
    if len(heavy) > 1 or any(each.n_changes > 1 for each in heavy):
        therapies += sum(each.more_therapies for each in changes)
        charge_pc += sum(each.more_charge_pc for each in changes)
    rows = (
        (Rule.CHANGES_PER_DAY, n_changes, envelope.day_max_changes),
        (Rule.THERAPIES_PER_DAY, therapies, envelope.day_max_therapies),
        (Rule.CHARGE_PER_DAY, charge_pc, PC_PER_UC * envelope.day_max_charge_uc),
    )
    return next((row for row in rows if row[1] > row[2]), None)
