"""Rows of the result tables: what was lived, and the truth that it is judged by."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from neurostim.history import PHASES
from neurostim.landscape import landscape_of
from neurostim.loop import Lived
from patient_models import Model, State
from protocols import Setting
from protocols.setting import INTEGER_FIELDS

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What only the simulation knows of one patient: the steady state at any setting."""

    model: Model
    state: State
    rates_per_day: dict[Setting, float]
    unsafe: dict[Setting, bool]

    @property
    def best(self) -> Setting:
        """The setting with the lowest true rate; off comes first, and the first of equals wins."""
        return min(self.rates_per_day, key=self.rates_per_day.__getitem__)

    def at(self, setting: Setting) -> tuple[float, bool]:
        """True rate per day at a setting, and whether it is unsafe; on the list or off it."""
        if setting not in self.rates_per_day:
            return truth_of(self.model, self.state, (setting,)).at(setting)
        return self.rates_per_day[setting], self.unsafe[setting]


def truth_of(model: Model, state: State, settings: tuple[Setting, ...]) -> Truth:
    """The truth about one patient at each of these settings."""
    rates = model.rate_off(state) * np.exp(model.log_multipliers(state, settings))
    return Truth(
        model=model,
        state=state,
        rates_per_day=dict(zip(settings, rates.tolist(), strict=True)),
        unsafe=dict(zip(settings, model.is_unsafe(state, settings).tolist(), strict=True)),
    )


def patient_row(patient: int, truth: Truth) -> Row:
    """One row of the patients table."""
    return {
        "patient": patient,
        "true_rate_off_per_day": truth.model.rate_off(truth.state),
        "true_rate_best_per_day": truth.rates_per_day[truth.best],
        **_setting("best", truth.best),
        **_landscape(truth),
    }


def epoch_row(arm: str, phase: int, lived: Lived, truth: Truth) -> Row:
    """One row of the epochs table, its number left out."""
    outcome = lived.outcome
    observation = outcome.observation
    rate, is_unsafe = truth.at(lived.delivered)
    return {
        "arm": arm,
        "patient": outcome.state.patient,
        "phase": PHASES[phase],
        "start_day": observation.start_day,
        "days": observation.days,
        "is_visit": lived.wish.is_visit,
        **_setting("requested", lived.wish.requested),
        **_setting("delivered", lived.delivered),
        "ruling": lived.ruling.value,
        "rules": ";".join(finding.rule.value for finding in lived.findings),
        "findings": " ".join(finding.sentence for finding in lived.findings),
        "fault": lived.wish.fault,
        "n_seizures": observation.n_seizures,
        "days_recorded": observation.days_recorded,
        "worst_grade": observation.worst_grade,
        "stimulation_s": observation.telemetry.stimulation_s,
        "charge_uc": observation.telemetry.charge_uc,
        "energy_mj": observation.telemetry.energy_mj,
        "impedance_ohm": observation.telemetry.impedance_ohm,
        "battery_permille": observation.telemetry.battery_permille,
        "n_incidents": observation.telemetry.n_incidents,
        "true_n_seizures": outcome.n_seizures,
        "true_rate_per_day": rate,
        "true_is_unsafe": is_unsafe,
    }


def number_epochs(rows: Iterable[Row]) -> list[Row]:
    """The same rows, each with its number within its patient, counted from 0."""
    numbered: list[Row] = []
    for row in rows:
        is_next = numbered and numbered[-1]["patient"] == row["patient"]
        numbered.append(row | {"epoch": numbered[-1]["epoch"] + 1 if is_next else 0})
    return numbered


def _landscape(truth: Truth) -> Row:
    """How hard this patient is to programme: columns that begin with true_."""
    found = asdict(landscape_of(truth.rates_per_day))
    return {f"true_{name}": value for name, value in found.items()}


def _setting(prefix: str, setting: Setting | None) -> Row:
    row: Row = {f"{prefix}_{name}": getattr(setting, name, None) for name in INTEGER_FIELDS}
    return row | {f"{prefix}_mode": None if setting is None else setting.mode.value}
