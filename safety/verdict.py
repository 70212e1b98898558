"""What the gate says: the delivered setting, the reasons, and the past for the next review."""

from dataclasses import dataclass
from enum import StrEnum

from protocols import OFF, Setting


class Ruling(StrEnum):
    """What became of a proposal.

    accepted: delivered as proposed. clamped: delivered, lowered. held: refused, and what was
    running goes on. stopped: OFF is delivered because of a latch, a defect, or a running setting
    that is no longer permitted, or because a proposal that is otherwise refused asked to stop.
    """

    ACCEPTED = "accepted"
    CLAMPED = "clamped"
    HELD = "held"
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
    STOP = "stop", "SR-11"
    NOT_PERMITTED = "not-permitted", "SR-08"
    RECHECK = "recheck", "SR-05"
    DEFECT = "defect", "SR-03"
    LATCHED = "latched", "SR-05"


@dataclass(frozen=True, slots=True)
class Finding:
    """One intervention, in one sentence that a clinician can read."""

    rule: Rule
    sentence: str

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """All that the gate remembers of one patient between two reviews.

    `sequence` is the last one that was used, `at_s` the latest time seen, `delivered` what is
    running, `rises` those of the envelope's window, oldest first, in physical units, so that they
    keep their meaning when the envelope is tightened. While `latched`, only OFF is delivered.
    """

    patient: int
    sequence: int
    at_s: int
    delivered: Setting
    rises: tuple[Rise, ...]
    latched: bool

    @classmethod
    def start(cls, patient: int, at_s: int = 0) -> "Past":
        """Return the past of a patient who has never been stimulated."""
        return cls(patient=patient, sequence=-1, at_s=at_s, delivered=OFF, rises=(), latched=False)


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
