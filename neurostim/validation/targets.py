"""The table of published figures as data: what is measured, its band, and where it comes from."""

from dataclasses import dataclass
from math import inf

from neurostim.validation.groups import HELD_OUT


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One published figure and the band that ours must lie in, in the units that `what` names."""

    id: str
    what: str
    published: str
    band: tuple[float, float]
    """Lowest and highest value that passes, both included; infinite where one side is open."""
    source: str
    published_value: float | None = None
    """The published figure as one number, to be marked beside ours."""
    reference: str | None = None
    """What is known of the reference simulator, CHOCOLATES, measured in the same way."""
    reference_value: float | None = None
    decimals: int = 1
    is_judged: bool = True
    """Held-out figures and costs are shown, and not counted."""

    @property
    def group(self) -> str:
        """The row of the targets' table that it belongs to, such as "D2"."""
        return self.id.rstrip("abcdefgh") if self.id.startswith("D") else HELD_OUT

    def contains(self, value: float) -> bool:
        """Whether a value lies in the band; NaN does not."""
        return self.band[0] <= value <= self.band[1]


FERASTRAOARU = "Ferastraoaru 2018; Goldenholz and Westover 2023"
L_SOURCE = "Goldenholz 2018"
POOLED = "23 trials pooled, in Goldenholz and Westover 2023"

JUDGED = (
    Target(
        id="D1a",
        what="Median rate, per 30 days",
        published="2.7",
        published_value=2.7,
        band=(2.2, 3.3),
        source=FERASTRAOARU,
        reference="passes",
        decimals=2,
    ),
    Target(
        id="D1b",
        what="Median of the rates above 4, per 30 days",
        published="8.0 to 8.5",
        published_value=8.25,
        band=(7, 9.5),
        source=FERASTRAOARU,
        reference="passes",
        decimals=2,
    ),
    Target(
        id="D1c",
        what="Patients with a rate above 4, %",
        published="40",
        published_value=40,
        band=(33, 47),
        source=FERASTRAOARU,
        reference="passes",
    ),
    Target(
        id="D2a",
        what="Slope of log SD on log mean",
        published="0.70 to 0.75",
        published_value=0.725,
        band=(0.62, 0.80),
        source=L_SOURCE,
        decimals=3,
    ),
    Target(
        id="D2b",
        what="R² of that line",
        published="above 0.83",
        band=(0.83, inf),
        source=L_SOURCE,
        decimals=3,
    ),
    Target(
        id="D2c",
        what="Kink: range of slopes over thirds of the patients",
        published="no kink",
        band=(0, 0.25),
        source=L_SOURCE,
        reference="fails: kink at 10 per month",
        decimals=3,
    ),
    Target(
        id="D2d",
        what="Kink: range of slopes over thirds of the range",
        published="no kink",
        band=(0, 0.25),
        source=L_SOURCE,
        reference="fails: kink at 10 per month",
        decimals=3,
    ),
    Target(
        id="D2e",
        what="Step: largest change of variance/mean for a rate 10 % higher, %",
        published="no step",
        band=(0, 25),
        source=L_SOURCE,
        reference="fails: 80",
        reference_value=80,
    ),
    Target(
        id="D3a",
        what="Negative binomial beats Poisson by BIC, % of patients",
        published="most",
        band=(90, inf),
        source="Tharayil 2017",
        reference="passes",
    ),
    Target(
        id="D3b",
        what="30-day variance/mean, median",
        published="1.75",
        published_value=1.75,
        band=(1.4, 2.3),
        source="Goldenholz and Westover 2023",
        reference="passes",
        decimals=2,
    ),
    Target(
        id="D4",
        what="Autocorrelation of daily counts at lag 1, mean",
        published="positive",
        band=(0.02, 0.25),
        source="Tharayil 2017",
        reference="fails: −0.003",
        reference_value=-0.003,
        decimals=3,
    ),
    Target(
        id="D5",
        what="Patients with a significant circadian cycle, %",
        published="80 to 92",
        published_value=86,
        band=(75, 95),
        source="Karoly 2018; Leguia 2021",
        reference="passes",
    ),
    Target(
        id="D6a",
        what="Patients with a significant multidien cycle, %",
        published="60",
        published_value=60,
        band=(50, 70),
        source="Leguia 2021; Baud 2018",
        reference="fails: 6.8",
        reference_value=6.8,
    ),
    Target(
        id="D6b",
        what="Significant periods within 15 to 35 days, %",
        published="modes near 7, 15, 20, 30 days",
        band=(50, inf),
        source="Leguia 2021; Baud 2018",
    ),
    Target(
        id="D7a",
        what="Patients with two seizures within 6 hours in the year, %",
        published="45.8",
        published_value=45.8,
        band=(37, 55),
        source="Detyniecki 2010",
        reference="fails: 81",
        reference_value=81,
    ),
    Target(
        id="D7b",
        what="The same, in excess of rate-matched Poisson, percentage points",
        published="above 0",
        band=(0, inf),
        source="Detyniecki 2010",
    ),
    Target(
        id="D7c",
        what="Seizures per cluster day, median",
        published="3",
        published_value=3,
        band=(2, 4),
        source="EpiDiary",
        decimals=0,
    ),
    Target(
        id="D7d",
        what="Seizures per cluster day, upper quartile",
        published="4",
        published_value=4,
        band=(-inf, 5),
        source="EpiDiary",
        decimals=0,
    ),
    Target(
        id="D8a",
        what="Placebo arm: responders (RR50), %",
        published="21.1",
        published_value=21.1,
        band=(15, 27),
        source=POOLED,
        reference="passes",
    ),
    Target(
        id="D8b",
        what="Placebo arm: median reduction (MPC), %",
        published="16.7",
        published_value=16.7,
        band=(10, 23),
        source=POOLED,
        reference="passes",
    ),
    Target(
        id="D9a",
        what="30 % prevented: responders (RR50), %",
        published="43.2",
        published_value=43.2,
        band=(34, 50),
        source=POOLED,
        reference="passes",
    ),
    Target(
        id="D9b",
        what="30 % prevented: median reduction (MPC), %",
        published="40.9",
        published_value=40.9,
        band=(36, 46),
        source=POOLED,
        reference="passes",
    ),
    Target(
        id="D10a",
        what="SANTE: median baseline, per 28 days",
        published="19.5",
        published_value=19.5,
        band=(16, 23),
        source="Fisher 2010",
        reference="fails: cannot reach it",
    ),
    Target(
        id="D10b",
        what="SANTE, active: median change, %",
        published="−40.4",
        published_value=-40.4,
        band=(-48, -33),
        source="Fisher 2010",
    ),
    Target(
        id="D10c",
        what="SANTE, control: median change, %",
        published="−14.5",
        published_value=-14.5,
        band=(-21, -8),
        source="Fisher 2010",
    ),
    Target(
        id="D10d",
        what="SANTE, difference: percentage points",
        published="25.9",
        published_value=25.9,
        band=(18, 33),
        source="Fisher 2010",
    ),
    Target(
        id="D11a",
        what="RNS: median baseline, per 28 days",
        published="10.2",
        published_value=10.2,
        band=(8, 12.5),
        source="Morrell 2011",
    ),
    Target(
        id="D11b",
        what="RNS, active: change by GEE, %",
        published="−37.9",
        published_value=-37.9,
        band=(-45, -31),
        source="Morrell 2011",
    ),
    Target(
        id="D11c",
        what="RNS, sham: change by GEE, %",
        published="−17.3",
        published_value=-17.3,
        band=(-24, -10),
        source="Morrell 2011",
    ),
    Target(
        id="D12a",
        what="Cost, ms per patient-year",
        published="not judged",
        band=(-inf, inf),
        source="measured",
        reference="3 ms",
        reference_value=3,
        decimals=2,
        is_judged=False,
    ),
    Target(
        id="D12b",
        what="Same seed, same diary: identical patients, %",
        published="all",
        band=(100, inf),
        source="by definition",
        reference="fails: its law depends on the step",
        decimals=0,
    ),
)


def held_out(id: str, what: str, published: float, source: str) -> Target:
    """Return a figure that nothing was fitted to, with a band of 8 points either side."""
    return Target(
        id=id,
        what=what,
        published=f"{published:g}".replace("-", "−"),
        published_value=published,
        band=(published - 8, published + 8),
        source=source,
        is_judged=False,
    )


VNS_HIGH = "high stimulation, mean change, %"
VNS_LOW = "low stimulation, mean change, %"
E05_SOURCE = "Handforth 1998"
TARGETS = (
    *JUDGED,
    held_out("SANTE-1y", "SANTE after 1 year: median change, %", -41, "Salanova 2015"),
    held_out("SANTE-2y", "SANTE after 2 years: median change, %", -56, "Fisher 2010"),
    held_out("SANTE-5y", "SANTE after 5 years: median change, %", -69, "Salanova 2015"),
    held_out("RNS-1y", "RNS after 1 year: median change, %", -44, "Heck 2014"),
    held_out("RNS-2y", "RNS after 2 years: median change, %", -53, "Heck 2014"),
    held_out("VNS-E05-high", f"Vagus nerve, E05: {VNS_HIGH}", -27.9, "Handforth 1998"),
    held_out("VNS-E05-low", f"Vagus nerve, E05: {VNS_LOW}", -15.2, "Handforth 1998"),
    held_out("VNS-E03-high", f"Vagus nerve, E03: {VNS_HIGH}", -24.5, "VNS Study Group 1995"),
    held_out("VNS-E03-low", f"Vagus nerve, E03: {VNS_LOW}", -6.1, "VNS Study Group 1995"),
    held_out("VNS-E05-voice-high", "Vagus nerve, E05, high: voice alteration, %", 66, E05_SOURCE),
    held_out("VNS-E05-voice-low", "Vagus nerve, E05, low: voice alteration, %", 30, E05_SOURCE),
    held_out("SANTE-depression-active", "SANTE, active: depression, %", 14.8, "Fisher 2010"),
    held_out("SANTE-depression-control", "SANTE, control: depression, %", 1.8, "Fisher 2010"),
    held_out("SANTE-memory-active", "SANTE, active: memory impairment, %", 13, "Fisher 2010"),
    held_out("SANTE-memory-control", "SANTE, control: memory impairment, %", 1.8, "Fisher 2010"),
)
