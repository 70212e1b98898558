"""What the gate says: the delivered setting, the reasons, and the past for the next review."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, Self, TypeVar

from protocols import OFF, Setting
from safety.sentences import Fact as Fact
from safety.sentences import sentence_of


class Ruling(StrEnum):
    """What became of a proposal.

    accepted: delivered as proposed. clamped: delivered, lowered. held: refused, and what was
    running goes on. fallen-back: the clinician's baseline is delivered, or OFF where that would
    raise anything, until a person acknowledges. stopped: OFF is delivered because of a latch, a
    defect, or a running setting that is no longer permitted, or because a proposal that is
    otherwise refused asked to stop.
    """

    ACCEPTED = "accepted"
    CLAMPED = "clamped"
    HELD = "held"
    FALLEN_BACK = "fallen-back"
    STOPPED = "stopped"


class Rule(StrEnum):
    """Every reason to intervene, with the requirement it serves."""

    requirement: str

    def __new__(cls, value: str, requirement: str) -> "Rule":
        """Make a member whose value is its name in the log."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.requirement = requirement
        return member

    @property
    def is_fault(self) -> bool:
        """Whether a proposal refused by this rule is faulty, whatever came before it."""
        return self not in EARNED

    NO_PROPOSAL = "no-proposal", "SR-03"
    MALFORMED = "malformed", "SR-03"
    PATIENT = "patient", "SR-13"
    SEQUENCE = "sequence", "SR-13"
    TIME = "time", "SR-13"
    ENVELOPE = "envelope", "SR-13"
    SITE = "site", "SR-04"
    FREQUENCY = "frequency", "SR-04"
    MODE = "mode", "SR-04"
    OFF_TIME = "off-time", "SR-04"
    TICK = "tick", "SR-02"
    PERIOD = "period", "SR-01"
    CONTACT_CURRENT = "contact-current", "SR-01"
    LEAD_CURRENT = "lead-current", "SR-01"
    CHARGE = "charge", "SR-01"
    DUTY = "duty", "SR-01"
    AMPLITUDE_RISE = "amplitude-rise", "SR-10"
    CHARGE_RISE = "charge-rise", "SR-10"
    DUTY_RISE = "duty-rise", "SR-10"
    STEP = "step", "SR-10"
    CHANGES_PER_DAY = "changes-per-day", "SR-17"
    THERAPIES_PER_DAY = "therapies-per-day", "SR-17"
    CHARGE_PER_DAY = "charge-per-day", "SR-17"
    LOCKOUT = "lockout", "SR-17"
    STOP = "stop", "SR-11"
    NOT_PERMITTED = "not-permitted", "SR-08"
    RECHECK = "recheck", "SR-05"
    DEFECT = "defect", "SR-03"
    LATCHED = "latched", "SR-16"
    SITE_LATCHED = "site-latched", "SR-16"
    ADVERSE_EVENT = "adverse-event", "SR-16"
    BASELINE = "baseline", "SR-18"
    FALLBACK = "fallback", "SR-18"


EARNED = (
    Rule.AMPLITUDE_RISE,
    Rule.CHARGE_RISE,
    Rule.DUTY_RISE,
    Rule.STEP,
    Rule.CHANGES_PER_DAY,
    Rule.THERAPIES_PER_DAY,
    Rule.CHARGE_PER_DAY,
    Rule.LOCKOUT,
    Rule.SITE_LATCHED,
)
"""These refuse for what came before: a sound controller meets them too."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One intervention: its rule, and the facts that its sentence is made of."""

    rule: Rule
    facts: tuple[Fact, ...]

    @property
    def sentence(self) -> str:
        """The intervention in one sentence that a clinician can read."""
        return sentence_of(self.rule, self.facts)

    @property
    def requirement(self) -> str:
        """The safety requirement that the rule serves."""
        return self.rule.requirement


@dataclass(frozen=True, slots=True)
class Rise:
    """By how much one delivery went up, and when."""

    at_s: int
    amplitude_ua: int
    charge_pc_per_s: int
    duty_ppm: int

    def merged(self, later: "Rise") -> "Rise":
        """Return both as one, at the later time."""
        return Rise(
            later.at_s,
            self.amplitude_ua + later.amplitude_ua,
            self.charge_pc_per_s + later.charge_pc_per_s,
            self.duty_ppm + later.duty_ppm,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What began to be delivered at `at_s`, and the most that it uses.

    `therapies` and `charge_pc` are the most of any 24 h of it alone, in physical units, so that
    they keep their meaning when the envelope is tightened. Cut off and begun again, it adds up to
    `more_therapies` and `more_charge_pc`: those of one on-phase. `n_changes` is above 1 where old
    changes count as one.
    """

    at_s: int
    therapies: int
    charge_pc: int
    more_therapies: int
    more_charge_pc: int
    n_changes: int

    def merged(self, later: "Change") -> "Change":
        """Return both as one, at the later time."""
        return Change(
            later.at_s,
            max(self.therapies, later.therapies),
            max(self.charge_pc, later.charge_pc),
            self.more_therapies + later.more_therapies,
            self.more_charge_pc + later.more_charge_pc,
            self.n_changes + later.n_changes,
        )


class Mergeable(Protocol):
    """What happened at one time, and can count as one with what came next."""

    def merged(self, later: Self) -> Self:
        """Return both as one, at the later time."""
        ...


Kept = TypeVar("Kept", bound=Mergeable)


def with_latest(items: tuple[Kept, ...], latest: Kept, most: int) -> tuple[Kept, ...]:
    """Return the items with the latest; of `most`, the oldest two count as one, for longer."""
    if len(items) < most:
        return (*items, latest)
    return (items[0].merged(items[1]), *items[2:], latest)


@dataclass(frozen=True, slots=True)
class Latch:
    """What is refused until people release it, why, and since when.

    A `site` of None is the whole patient: only OFF is delivered; under `Rule.BASELINE` only the
    clinician's baseline or OFF. A latched site is not stimulated.
    """

    site: int | None
    rule: Rule
    at_s: int


@dataclass(frozen=True, slots=True)
class NotTolerated:
    """The lowest amplitude after which an adverse event came, at one site and pulse width."""

    site: int
    pulse_width_us: int
    amplitude_ua: int


NOBODY: int = -1
"""The patient of a past that cannot be read: no proposal is ever addressed to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """All that the gate remembers of one patient between two reviews.

    `sequence` is the last one that was used, `at_s` the latest time seen, `delivered` what is
    running, `rises` those of the envelope's window, oldest first, in physical units, so that they
    keep their meaning when the envelope is tightened. `changes` are the deliveries of which a part
    lies within the last 24 h, oldest first. `refusals` counts the faulty proposals in a row; before
    `lockout_until_s` nothing rises; a rise to an amplitude `not_tolerated` counts from OFF.
    """

    patient: int
    sequence: int
    at_s: int
    delivered: Setting
    rises: tuple[Rise, ...]
    changes: tuple[Change, ...] = ()
    latches: tuple[Latch, ...] = ()
    refusals: int = 0
    lockout_until_s: int = 0
    not_tolerated: tuple[NotTolerated, ...] = ()

    @classmethod
    def start(cls, patient: int, at_s: int = 0) -> "Past":
        """Return the past of a patient who has never been stimulated."""
        return cls(patient=patient, sequence=-1, at_s=at_s, delivered=OFF, rises=())

    @classmethod
    def stopped(cls, past: object, rule: Rule) -> "Past":
        """Return a past with the whole patient latched and nothing that runs; never raise.

        What is no `Past`, or holds what no review leaves, gives that of nobody.
        """
        nobody = cls.start(NOBODY)
        try:
            kept = past if type(past) is Past else nobody
            return replace(kept.with_latch(Latch(None, rule, kept.at_s)), delivered=OFF)
        except Exception:
            return nobody.with_latch(Latch(None, rule, 0))

    @property
    def latched(self) -> bool:
        """Whether the whole patient is latched: only OFF is delivered."""
        return any(each.site is None and each.rule is not Rule.BASELINE for each in self.latches)

    @property
    def is_fallen_back(self) -> bool:
        """Whether every proposal but a stop is answered with the clinician's baseline or OFF."""
        return any(each.rule is Rule.BASELINE for each in self.latches)

    @property
    def latched_sites(self) -> tuple[int, ...]:
        """The sites that are not stimulated until people release them."""
        return tuple(each.site for each in self.latches if each.site is not None)

    def is_latched_at(self, setting: Setting) -> bool:
        """Whether `setting` stimulates at a latched site."""
        return not setting.is_off and setting.site in self.latched_sites

    def followed_by(
        self,
        delivered: Setting,
        *,
        sequence: int,
        at_s: int,
        rises: tuple[Rise, ...],
        changes: tuple[Change, ...],
        refusals: int,
    ) -> "Past":
        """Return the past after a review; what only events and people change stays."""
        return Past(
            patient=self.patient,
            sequence=sequence,
            at_s=at_s,
            delivered=delivered,
            rises=rises,
            changes=changes,
            latches=self.latches,
            refusals=refusals,
            lockout_until_s=self.lockout_until_s,
            not_tolerated=self.not_tolerated,
        )

    def with_latch(self, latch: Latch) -> "Past":
        """Return this past with a latch, in the place of an older one on the same ground."""
        kept = tuple(
            each
            for each in self.latches
            if (each.site, each.rule) != (latch.site, latch.rule)
            and not (each.rule is Rule.BASELINE and latch.rule is Rule.FALLBACK)
        )
        return replace(self, latches=(*kept, latch))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is delivered and why.

    `wanted` is the proposed setting as the gate read it, None where there was none to read. `past`
    goes into the next review. `ramp_s` is how long the device ramps to the delivered setting,
    rounded up.
    """

    delivered: Setting
    wanted: Setting | None
    ruling: Ruling
    findings: tuple[Finding, ...]
    past: Past
    ramp_s: int
