"""The mechanistic family: what stimulation does comes out of a simulated neural mass.

Seizures, diaries and side effects are those of the clinical family; only the response differs. No
formula here says how a rate depends on amplitude and frequency: a table does, which `bistable` made
by simulating a mass under pulse trains. So a controller whose prior was made for the clinical
family meets a surface that its prior was not made for.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cache
from importlib.resources import files
from io import StringIO

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from patient_models.arrays import Booleans, Floats, Number
from patient_models.bistable import AMPLITUDES, FREQUENCIES_HZ, MASSES
from patient_models.clinical import Clinical, states_of
from patient_models.device_check import Device
from patient_models.distributions import Distribution, LogNormal, Uniform
from patient_models.doses import Doses
from patient_models.enrolment import Enrolment
from patient_models.law import Parameters
from patient_models.model import Outcome, State
from patient_models.population import luck
from patient_models.ranges import check_range
from patient_models.response import (
    MAXIMAL_LOG_HARM,
    RESPONSIVE_DUTY,
    Steady,
    at_site,
    duty_share,
)
from protocols import Setting


class MassTrait(IntEnum):
    """The address of each trait of this family, beyond those of the clinical one."""

    MASS = 64
    RECRUITMENT_UA = 65
    LEAK_SCALE = 66
    REACH = 67
    SITE_COUPLING = 68
    BEST_SITE = 69


TRAITS: dict[MassTrait, Distribution] = {
    MassTrait.RECRUITMENT_UA: LogNormal(median=1300, log_sd=0.3, lowest=400, highest=4000),
    MassTrait.LEAK_SCALE: LogNormal(median=1, log_sd=0.3, lowest=0.4, highest=2.5),
    MassTrait.REACH: Uniform(lowest=0.5, highest=0.95),
    MassTrait.SITE_COUPLING: Uniform(lowest=0.2, highest=0.8),
}
"""Assumptions: how masses differ between patients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MassResponse:
    """One patient's response, or that of each row of columns, read off the table of a mass.

    `site_coupling` is the share of the current that reaches the mass from each site,
    `recruitment_ua` the equivalent amplitude that counts as 1 in the table, `leak_scale` stretches
    its frequencies, and `reach` is the share of seizures that begin in the mass.
    """

    mass: str | NDArray[np.str_]
    site_coupling: tuple[float, ...] | Floats
    recruitment_ua: Number
    leak_scale: Number
    reach: Number
    chronaxie_us: Number
    wash_in_days: Number
    carry_over_days: Number
    progression: Number
    sensitivity: Number

    def __post_init__(self) -> None:
        for mass in np.unique(self.mass).tolist():
            if mass not in MASSES:
                raise ValueError(f"mass = {mass!r}: one of {', '.join(MASSES)} was expected")
        check_range("recruitment_ua", self.recruitment_ua, above=0)
        check_range("leak_scale", self.leak_scale, above=0)
        check_range("reach", self.reach, lowest=0, highest=1)

    def steady(self, doses: Doses) -> Steady:
        """What each dose leads to; exactly nothing when off.

        Cycling weakens an effect as in the clinical family. A benefit belongs to both modes alike,
        so that it does not depend on the state of risk.
        """
        reached = doses.equivalent_ua(self.chronaxie_us) * at_site(self.site_coupling, doses.site)
        frequency_hz = np.maximum(doses.frequency_hz, 1) * self.leak_scale
        in_mass = log_rate_ratio(self.mass, reached / self.recruitment_ua, frequency_hz)
        duty = np.where(doses.is_responsive, RESPONSIVE_DUTY * self.sensitivity, doses.duty)
        in_mass = np.minimum(in_mass * duty_share(duty), 20.0)
        everywhere = np.log(1 - self.reach + self.reach * np.exp(in_mass)) * doses.is_on
        benefit = np.maximum(-everywhere, 0)
        return Steady(
            high=benefit / 2,
            low=benefit / 2,
            harm=np.clip(everywhere, 0, MAXIMAL_LOG_HARM),
            is_on=doses.is_on,
        )


def log_rate_ratio(mass: str | NDArray[np.str_], amplitude: Floats, frequency_hz: Floats) -> Floats:
    """The table of a mass, or of each row's, linear between its entries, level beyond its edges."""
    points = np.column_stack(
        (
            np.clip(amplitude, AMPLITUDES[0], AMPLITUDES[-1]),
            np.log(np.clip(frequency_hz, FREQUENCIES_HZ[0], FREQUENCIES_HZ[-1])),
        )
    )
    if isinstance(mass, str):
        return np.asarray(tables()[mass](points))
    ratios = np.zeros(len(points))
    for name in np.unique(mass).tolist():
        ratios[mass == name] = tables()[name](points[mass == name])
    return ratios


@cache
def tables() -> dict[str, RegularGridInterpolator]:
    """The shipped table of each mass, over amplitude and log frequency."""
    text = files("patient_models").joinpath("bistable.csv").read_text(encoding="utf-8")
    values: dict[str, list[float]] = {name: [] for name in MASSES}
    for row in csv.DictReader(StringIO(text)):
        values[row["mass"]].append(float(row["log_rate_ratio"]))
    axes = (np.array(AMPLITUDES), np.log(FREQUENCIES_HZ))
    shape = (len(AMPLITUDES), len(FREQUENCIES_HZ))
    return {
        name: RegularGridInterpolator(axes, np.reshape(column, shape))
        for name, column in values.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanistic:
    """Clinical patients whose response is that of a neural mass."""

    clinical: Clinical = field(default_factory=Clinical)
    name: str = "mechanistic"
    summary: str = "The clinical family with a response that a simulated neural mass gave."

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
        columns = self.clinical.draw_columns(
            seed=seed, patients=patients, n_sites=n_sites, enrolment=enrolment
        )
        return with_masses(columns, seed, patients, n_sites)

    def advance(
        self, states: Sequence[State], settings: Sequence[Setting], days: int | Sequence[int]
    ) -> tuple[Outcome, ...]:
        """One epoch of each patient, for these days or until a severe side effect."""
        return self.clinical.advance(states, settings, days)

    def rate_off(self, state: State) -> float:
        """True seizures per day in the long run when nothing is stimulated."""
        return self.clinical.rate_off(state)

    def log_multipliers(self, state: State, settings: Sequence[Setting]) -> Floats:
        """The log multiplier of the seizure rate that each setting leads to within months."""
        return self.clinical.log_multipliers(state, settings)

    def is_unsafe(self, state: State, settings: Sequence[Setting]) -> Booleans:
        """Whether each setting truly gives moderate or worse side effects on too many days."""
        return self.clinical.is_unsafe(state, settings)


def with_masses(
    columns: Parameters, seed: int, patients: Sequence[int], n_sites: int
) -> Parameters:
    """The same patients, each with the response of a mass of their own."""

    def value(trait: MassTrait) -> Floats:
        return TRAITS[trait].quantile(luck(seed, patients, trait, 1)[:, 0])

    def choice(trait: MassTrait, n: int) -> NDArray[np.int64]:
        return (luck(seed, patients, trait, 1)[:, 0] * n).astype(np.int64)

    draws = luck(seed, patients, MassTrait.SITE_COUPLING, n_sites)
    coupling = TRAITS[MassTrait.SITE_COUPLING].quantile(draws)
    coupling[np.arange(len(coupling)), choice(MassTrait.BEST_SITE, n_sites)] = 1.0
    before = columns.response
    response = MassResponse(
        mass=np.array(list(MASSES))[choice(MassTrait.MASS, len(MASSES))],
        site_coupling=coupling,
        recruitment_ua=value(MassTrait.RECRUITMENT_UA),
        leak_scale=value(MassTrait.LEAK_SCALE),
        reach=value(MassTrait.REACH),
        chronaxie_us=columns.tolerance.chronaxie_us,
        wash_in_days=before.wash_in_days,
        carry_over_days=before.carry_over_days,
        progression=before.progression,
        sensitivity=before.sensitivity,
    )
    return replace(columns, response=response)
