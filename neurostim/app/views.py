"""What panels draw: frozen values without a screen, each with its numbers also as a table.

Days count from the patient's first day, which `first_date` names where there is a calendar. Rates
are seizures per 28 days. A value that is missing is NaN, and never a zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

NOTICE = "Simulated patients. Research software, not a medical device; not for clinical decisions."
"""The line that never goes away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The same numbers to read: headings with their units, and cells as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


NO_ROWS = Table(columns=(), rows=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A stretch of days under one delivered setting; `phase` as in `history.PHASES`."""

    first_day: int
    end_day: int  # one past the last
    site: str  # the montage's name, or "off"
    amplitude_ma: float
    amplitude_v: float  # through the impedance that was measured at the end of the stretch
    frequency_hz: int
    pulse_width_us: int
    phase: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something on one day; `sentence` says it in full."""

    day: int
    kind: Literal["adverse event", "safety", "device", "life", "limits", "branch"]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """What happened to a patient in one scenario: D days, of which W have a rate.

    `counts` holds written seizures of each day, NaN where nothing was written. `kinds` splits the
    same counts by type, where a diary tells of types. `rate` is the rate over the 28 days up to
    each of `rate_days`, from recorded days only, NaN where none was, with an interval of 90 % that
    allows for the patient's own overdispersion. `clusters` are (first day, one past the last) of
    runs of days far above the patient's usual.
    """

    title: str
    first_date: date | None
    n_days: int
    baseline_days: int
    counts: Floats  # D
    kinds: Mapping[str, Floats]  # D each
    rate_days: Integers  # W
    rate: Floats  # W
    rate_low: Floats  # W
    rate_high: Floats  # W
    clusters: tuple[tuple[int, int], ...]
    strips: tuple[Strip, ...]
    marks: tuple[Mark, ...]
    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A setting that was tried: where it lies on a map, and how it went."""

    amplitude_index: int
    frequency_index: int
    days: int
    rate: float  # written seizures per 28 recorded days, NaN where nothing was recorded
    has_side_effect: bool  # a bothersome one: draw a ring


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SiteMap:
    """What is believed of one site: A amplitudes by F frequencies, at the usual pulse width.

    `mean` is the expected percent change of the seizure rate against off (negative is better),
    `sd` its standard deviation in points, `is_permitted` whether the limits in force let it
    through, `is_tolerated` whether the policy would try it as for side effects.
    """

    site: int
    name: str
    amplitudes_ma: Floats  # A
    frequencies_hz: Integers  # F
    mean: Floats  # A F
    sd: Floats  # A F
    is_permitted: Booleans  # A F
    is_tolerated: Booleans  # A F
    dots: tuple[Dot, ...]
    proposed: tuple[int, int] | None  # places of amplitude and frequency
    running: tuple[int, int] | None

    def reading(self, amplitude: int, frequency: int) -> str:
        """What stands at one place of the map, in one line for hovering."""
        texts = [
            f"{self.name}, {self.amplitudes_ma[amplitude]:g} mA, "
            f"{self.frequencies_hz[frequency]} Hz: "
            f"{self.mean[amplitude, frequency]:+.0f} % ± {self.sd[amplitude, frequency]:.0f} points"
        ]
        if not self.is_permitted[amplitude, frequency]:
            texts.append("outside the limits")
        elif not self.is_tolerated[amplitude, frequency]:
            texts.append("left out for its side effects")
        return "; ".join(texts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice:
    """A cut through a map at one frequency: A amplitudes, with a band of 90 %.

    `observed_ma` and `observed` are the epochs at this site and frequency: amplitude and percent
    change of the written rate against the baseline's.
    """

    site: int
    frequency_hz: int
    amplitudes_ma: Floats  # A
    middle: Floats  # A, percent change of the rate
    low: Floats  # A
    high: Floats  # A
    limit_ma: float | None  # the highest that the limits in force let through, None when none is
    observed_ma: Floats  # n
    observed: Floats  # n


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """The belief of a policy about every setting; `low` and `high` of the one colour scale.

    `slices` are keyed by site and frequency. `sentence` says why there is no belief, where `maps`
    is empty, and else how much it rests on.
    """

    policy: str
    day: int
    maps: tuple[SiteMap, ...]
    slices: Mapping[tuple[int, int], Slice]
    low: float
    high: float
    sd_high: float
    sentence: str
    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number with an interval of 90 %."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What comes next: previous, proposed and delivered side by side.

    The three are settings in one line each, and column by column in `table`. What is expected, and
    the probability of fewer seizures than without stimulation, are of what would be delivered; they
    are None for a setting that is not on the policy's list. `why` holds three to five plain
    sentences, `changed` one for each rule by which safety changed the proposal.
    """

    policy: str
    day: int
    previous: str
    proposed: str
    delivered: str
    ruling: str
    seizures_per_28_days: Interval | None
    probability_of_improvement: float | None
    why: tuple[str, ...]
    changed: tuple[str, ...]
    table: Table  # quantity, previous, proposed, delivered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One policy of a comparison: its timeline, outcomes and where it spent its time."""

    policy: str
    timeline: Timeline
    outcomes: Table  # outcome, value
    time_at: Table  # setting, days, share
    limit_hits: Table  # rule, epochs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Policies on the same patient and the same luck, the first being the reference.

    `difference`, `P W`, is how many more seizures per 28 days a policy had than the reference up to
    each of `difference_days`, summed up over the same days. `paired` is the same as a table.
    """

    columns: tuple[Column, ...]
    difference_days: Integers  # W
    difference: Floats  # P W
    paired: Table  # policy, difference per 28 days, percent, 90 % interval, days better


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioLine:
    """One scenario in the list; `branch_day` is None for the original."""

    name: str
    policy: str
    branch_day: int | None
    branch_of: str | None
    n_days: int
    is_current: bool
    rate: float  # over the last 84 days, NaN where nothing was recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit that a person can tighten: what is in force, and what it may at most be.

    For `kind` "at most" and "at least" `choices` are the values that may be picked, in display
    units; for "one of" they are the names of which `in_force` are permitted.
    """

    name: str  # the envelope's field
    label: str
    unit: str
    kind: Literal["at most", "at least", "one of"]
    choices: tuple[str, ...]
    in_force: tuple[str, ...]
    manufacturer: tuple[str, ...]
    is_tightened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits in force, locked by default."""

    envelope: str
    hash: str
    limits: tuple[Limit, ...]
    log: Table  # day, what, by whom, why
    table: Table


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fan:
    """Futures of a twin under one policy: W days, quantiles over simulated people.

    Each value is of the written rate in the 28 days that end on a day: 5, 25, 50, 75 and 95 % of
    the simulated people have at most that.
    """

    policy: str
    days: Integers  # W
    low: Floats
    middle: Floats
    high: Floats
    quarter: Floats
    three_quarters: Floats
    table: Table


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fans:
    """Fans of several policies for the person of a diary, with what the diary taught.

    `taught` has a row for each trait: as the population has it, as the diary leaves it, and the
    share of the variance that the diary explains. `sentence` sums up, or says why there is no fan.
    """

    fans: tuple[Fan, ...]
    taught: Table
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiaryPreview:
    """What was understood of a diary file before anything is imported.

    `mapping` is the proposal for which column is what, which the user confirms or changes; `rows`
    are the first rows as they stand in the file.
    """

    path: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    mapping: Mapping[str, str]
    understood: Table
    problem: str  # empty when the mapping reads the whole file


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One line about the session, for the foot of a window; as it stands, that of no patient.

    `can_undo` and `can_redo` say what is taken back or done again, and are empty for nothing. Of an
    imported diary (`is_diary`) there is a timeline, and there are futures; nothing else.
    """

    patient: str = ""
    file: str = ""  # empty when it has none
    is_changed: bool = False
    day: int = 0
    day_text: str = ""
    scenario: str = ""
    policy: str = ""
    can_undo: str = ""
    can_redo: str = ""
    can_step: bool = False
    is_diary: bool = False
    notices: tuple[str, ...] = ()
