"""Where a device stimulates, and what is known of each place."""

from dataclasses import dataclass

import numpy as np

from patient_models.arrays import Counts, Floats
from patient_models.distributions import LogNormal
from patient_models.ranges import check_range

GRADE_RATIOS = (4.0, 1.0, 0.1, 0.01)
"""Assumption: hazards of at least mild, moderate, severe and serious, relative to moderate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideEffect:
    """One type of side effect, and its share of the side effects of a place."""

    name: str
    share: float

    def __post_init__(self) -> None:
        check_range("share", self.share, above=0, highest=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One place: its nominal dose, its high mode in frequency, and what reaching it costs.

    `efficacy_share` multiplies the patient's efficacy, `implant_share` their response to surgery,
    `tolerance_factor` the dose that is tolerated. The types of its side effects have shares that
    add up to 1.
    """

    name: str
    efficacy_share: float
    implant_share: float
    high_centre_hz: LogNormal
    high_width_octaves: float
    nominal_ua: float
    nominal_pulse_width_us: float
    side_effects: tuple[SideEffect, ...]
    tolerance_factor: float = 1.0
    grade_ratios: tuple[float, ...] = GRADE_RATIOS

    def __post_init__(self) -> None:
        shares = [each.share for each in self.side_effects]
        if abs(sum(shares) - 1) > 1e-9:
            raise ValueError(f"side_effects: shares {shares} add up to {sum(shares)}, not to 1")

    @property
    def side_effect_edges(self) -> Floats:
        """The marks at which one type of side effect ends and the next begins."""
        return np.cumsum([each.share for each in self.side_effects])[:-1]

    def side_effect_at(self, mark: Floats) -> Counts:
        """Which type of side effect each uniform mark gives, as an index of `side_effects`."""
        return np.searchsorted(self.side_effect_edges, mark, side="right")


TARGETS = {
    target.name: target
    for target in (
        Target(
            name="anterior-thalamus",
            efficacy_share=1.0,
            implant_share=1.0,
            # The trial used 145 Hz and 90 us (Fisher 2010, Epilepsia 51:899); below about 70 Hz
            # nothing was seen in one patient. That the centre lies above the trial's is assumed.
            high_centre_hz=LogNormal(median=160, log_sd=0.05, lowest=100, highest=250),
            high_width_octaves=0.7,
            # 5 V over about 1 kOhm.
            nominal_ua=5000.0,
            nominal_pulse_width_us=90.0,
            # In proportion to the blinded active arm of SANTE (Fisher 2010): depression in 14.8 %,
            # memory impairment in 13.0 %; the others follow them there, by assumption as shown.
            side_effects=(
                SideEffect(name="depression", share=0.28),
                SideEffect(name="memory impairment", share=0.25),
                SideEffect(name="paraesthesia", share=0.18),
                SideEffect(name="anxiety", share=0.17),
                SideEffect(name="confusion", share=0.12),
            ),
        ),
        Target(
            name="focus",
            efficacy_share=1.0,
            implant_share=1.0,
            # 100 to 200 Hz and 160 us in most patients (Morrell 2011, Neurology 77:1295).
            high_centre_hz=LogNormal(median=160, log_sd=0.05, lowest=100, highest=250),
            high_width_octaves=0.7,
            # Assumption: a few mA on depth contacts.
            nominal_ua=2000.0,
            nominal_pulse_width_us=160.0,
            # Which there are is known (Morrell 2011, where no type differed between the arms);
            # their shares are assumptions.
            side_effects=(
                SideEffect(name="photopsia", share=0.35),
                SideEffect(name="muscle contraction", share=0.30),
                SideEffect(name="paraesthesia", share=0.20),
                SideEffect(name="headache", share=0.15),
            ),
        ),
        Target(
            name="vagus",
            # Assumptions: a nerve reaches less of the network, and its surgery is smaller.
            efficacy_share=0.6,
            implant_share=0.3,
            # 20 to 30 Hz, 250 to 500 us (VNS Study Group 1995, Neurology 45:224; Handforth 1998,
            # Neurology 51:48).
            high_centre_hz=LogNormal(median=25, log_sd=0.05, lowest=15, highest=50),
            high_width_octaves=1.0,
            nominal_ua=1500.0,
            nominal_pulse_width_us=500.0,
            # In proportion to those who reported each at 3 months over the trials: voice alteration
            # 62 %, paraesthesia 25 %, cough 21 %, dyspnoea 16 % (Ben-Menachem 2015, Eur J Neurol
            # 22:1260).
            side_effects=(
                SideEffect(name="voice alteration", share=0.50),
                SideEffect(name="paraesthesia", share=0.20),
                SideEffect(name="cough", share=0.17),
                SideEffect(name="dyspnoea", share=0.13),
            ),
            # Assumptions: the current of the nominal dose was found by raising it to what people
            # tolerated, unlike at the other places; and what is felt is nearly always mild.
            tolerance_factor=0.5,
            grade_ratios=(40.0, 1.0, 0.02, 0.002),
        ),
    )
}
"""Every target that a design can name."""
