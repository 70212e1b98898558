"""The null family: seizures, diaries and side effects as ever, but stimulation changes no rate.

An honest method finds nothing here.
"""

from dataclasses import replace

from patient_models.clinical import Clinical
from patient_models.distributions import Uniform
from patient_models.population import DRUG_RESISTANT

OUT_OF_REACH = Uniform(lowest=1e9, highest=2e9)
"""Multiples of the threshold that no device delivers: harm never begins."""

NULL = Clinical(
    population=replace(
        DRUG_RESISTANT, non_responding_share=1.0, worse_share=0.0, harm_onset=OUT_OF_REACH
    ),
    name="null",
    summary="The clinical family in which stimulation changes no seizure rate: nothing to find.",
)
