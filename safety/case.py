"""What a review under way holds, and what a limit is: the types of the kernel and its parts."""

from collections.abc import Callable
from dataclasses import dataclass, field

from protocols import Setting
from safety.envelope import Envelope
from safety.verdict import Change, Fact, Finding, Past, Rise, Rule


@dataclass(slots=True)
class Case:
    """One review under way; `findings` fills up as it goes and leaves with the verdict.

    `recent` and `changes` are those of `past` that still count at `clock`. `rise` is what goes up
    with the delivery, None where nothing does.
    """

    past: Past
    envelope: Envelope
    clock: int
    recent: tuple[Rise, ...]
    changes: tuple[Change, ...]
    sequence: int
    refusals: int
    wanted: Setting | None = None
    rise: Rise | None = None
    findings: list[Finding] = field(default_factory=list)


Measure = tuple[int, int, int, tuple[Fact, ...]]
"""What a setting has of a limited quantity, the limit, by how much the quantity falls with each
unit of the field that is lowered for it, and what a finding tells of it."""

Limit = tuple[Rule, str, Callable[[Setting, Case], Measure]]
"""A rule, the field that is lowered for it, and how the quantity is measured."""
