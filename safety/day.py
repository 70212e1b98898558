"""What any 24 h of simulated time hold: changes, therapies and charge, bounded from above.

A setting that is on for n ms and off for m has, in any time d, pulses for at most d n / (n + m) ms
and one on-phase more, and starts at most d / (n + m) on-phases and one more. So several settings
within 24 h use at most what the heaviest of them uses in 24 h and one on-phase of each.
"""

from protocols import Setting
from safety.envelope import Envelope
from safety.rise import charge_pc_per_s
from safety.verdict import Change, Finding, Past, Rule

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
    charge, is_cyclic = charge_pc_per_s(setting, envelope), setting.on_ms > 0
    charge_pc, once_pc = in_ms(charge, on_ms_per_day(setting)), in_ms(charge, setting.on_ms)
    return Change(clock, therapies_per_day(setting), charge_pc, int(is_cyclic), once_pc, 1)


def therapies_per_day(setting: Setting) -> int:
    """Return the most on-phases that any 24 h of this setting alone hold."""
    return -(-DAY_MS // (setting.on_ms + setting.off_ms)) if setting.on_ms else 0


def on_ms_per_day(setting: Setting) -> int:
    """Return the most time that pulses of this setting alone run within 24 h."""
    if not setting.on_ms:
        return DAY_MS
    n_periods, rest_ms = divmod(DAY_MS, setting.on_ms + setting.off_ms)
    return n_periods * setting.on_ms + min(setting.on_ms, rest_ms)


def in_ms(charge_pc_per_s: int, ms: int) -> int:
    """Return the charge of so many ms, rounded up."""
    return -(-charge_pc_per_s * ms // 1000)


def day_excess(changes: tuple[Change, ...], envelope: Envelope, clock: int) -> Finding | None:
    """Return why a rise is refused, if these 24 h would exceed a limit."""
    n_changes = sum(each.n_changes for each in changes if each.at_s > clock - DAY_S)
    therapies = max(each.therapies for each in changes)
    charge_pc = max(each.charge_pc for each in changes)
    if sum(each.n_changes for each in changes if each.charge_pc) > 1:
        therapies += sum(each.more_therapies for each in changes)
        charge_pc += sum(each.more_charge_pc for each in changes)
    for rule, value, limit in (
        (Rule.CHANGES_PER_DAY, n_changes, envelope.day_max_changes),
        (Rule.THERAPIES_PER_DAY, therapies, envelope.day_max_therapies),
        (Rule.CHARGE_PER_DAY, charge_pc, PC_PER_UC * envelope.day_max_charge_uc),
    ):
        if value > limit:
            return Finding(rule, ("rise", None, None, value, limit))
    return None
