"""The clinical family: the law and the response are formulas that follow the literature."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from patient_models import event_engine
from patient_models.arrays import Booleans, Floats
from patient_models.device_check import Device
from patient_models.doses import Doses, doses_of
from patient_models.enrolment import Enrolment
from patient_models.law import Carried, Parameters
from patient_models.model import DeviceState, Outcome, State
from patient_models.population import DRUG_RESISTANT, Population, draw_columns, row_of
from protocols import OFF, Setting


@lru_cache(maxsize=8)
def doses_of_list(settings: tuple[Setting, ...]) -> Doses:
    """These settings as columns, kept, since one list is asked for every patient of a trial."""
    return doses_of(settings)


def states_of(
    columns: Parameters, *, device: Device, seed: int, patients: Sequence[int]
) -> tuple[State, ...]:
    """These patients on day 0, each out of their row of columns of parameters."""
    return tuple(
        State(
            patient=patient,
            seed=seed,
            parameters=row_of(columns, row),
            day=0,
            carried=Carried(),
            pending=(),
            setting=OFF,
            device=DeviceState(device=device),
        )
        for row, patient in enumerate(patients)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinical:
    """Patients drawn from one population, each lived through by the event engine."""

    population: Population = DRUG_RESISTANT
    name: str = "clinical"
    summary: str = "Drug-resistant patients, each with cycles and a response surface of their own."

    def draw(
        self,
        *,
        device: Device,
        seed: int,
        patients: Sequence[int],
        enrolment: Enrolment | None = None,
    ) -> tuple[State, ...]:
        """These patients on day 0 of a trial that enrols them so."""
        columns = self.draw_columns(
            seed=seed, patients=patients, n_sites=device.n_sites, enrolment=enrolment
        )
        return states_of(columns, device=device, seed=seed, patients=patients)

    def draw_columns(
        self,
        *,
        seed: int,
        patients: Sequence[int],
        n_sites: int,
        enrolment: Enrolment | None = None,
    ) -> Parameters:
        """The hidden parameters of these patients as columns, for the cohort engine."""
        return draw_columns(self.population, seed, patients, n_sites, enrolment)

    def advance(
        self, states: Sequence[State], settings: Sequence[Setting], days: int | Sequence[int]
    ) -> tuple[Outcome, ...]:
        """One epoch of each patient at a setting, for these days or to a severe side effect."""
        each_days = [days] * len(states) if isinstance(days, int) else days
        return tuple(
            event_engine.advance(*each) for each in zip(states, settings, each_days, strict=True)
        )

    def rate_off(self, state: State) -> float:
        """True seizures per day in the long run when nothing is stimulated."""
        return float(state.parameters.background.base_rate_per_day)

    def log_multipliers(self, state: State, settings: Sequence[Setting]) -> Floats:
        """The log multiplier of the seizure rate that each setting leads to within months."""
        return state.parameters.response.steady(doses_of_list(tuple(settings))).log_multiplier

    def is_unsafe(self, state: State, settings: Sequence[Setting]) -> Booleans:
        """Whether each setting truly gives moderate or worse side effects on too many days."""
        return state.parameters.tolerance.is_unsafe(doses_of_list(tuple(settings)))
