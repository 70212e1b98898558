"""Where a device stimulates, and what is known of each place."""

from dataclasses import dataclass

from patient_models.distributions import LogNormal


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One place: its nominal dose, its high mode in frequency, and what reaching it costs.

    `efficacy_share` multiplies the patient's efficacy, `implant_share` their response to surgery.
    """

    name: str
    efficacy_share: float
    implant_share: float
    high_centre_hz: LogNormal
    high_width_octaves: float
    nominal_ua: float
    nominal_pulse_width_us: float


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
        ),
    )
}
"""Every target that a design can name."""
