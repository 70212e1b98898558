"""Histories told in a few words, for tests of controllers."""

from collections.abc import Sequence

import numpy as np

from neurostim.history import BASELINE, TREATMENT, History
from protocols import OFF, Observation, Setting, Telemetry

LIST = (
    OFF,
    *(
        Setting(site=site, amplitude_ua=ua, frequency_hz=hz, pulse_width_us=90)
        for site in (0, 1)
        for ua in (1000, 2000, 3000)
        for hz in (5, 145)
    ),
)


def seen(
    setting: Setting,
    n_seizures: int | None,
    *,
    start_day: int = 0,
    days: int = 28,
    worst_grade: int | None = 0,
) -> Observation:
    """One epoch with a full diary, or with none when `n_seizures` is None."""
    return Observation(
        start_day=start_day,
        days=days,
        n_seizures=n_seizures,
        days_recorded=0 if n_seizures is None else days,
        worst_grade=worst_grade,
        telemetry=Telemetry(
            setting=setting,
            stimulation_s=0,
            charge_uc=0,
            energy_mj=0,
            impedance_ohm=1000,
            battery_permille=1000,
            n_incidents=0,
        ),
    )


def history_of(
    baseline: int, *visits: tuple[Setting, int | None, int], patients: Sequence[int] = (0,)
) -> History:
    """Ragged histories, in which a patient's epochs depend on the patient's number alone."""
    index = np.arange(len(patients))
    everyone = len(patients)
    history = History.empty(patients).append(
        index, BASELINE, [OFF] * everyone, [seen(OFF, baseline, days=56)] * everyone
    )
    for i, (setting, count, grade) in enumerate(visits):
        observation = seen(setting, count, start_day=56 + 28 * i, worst_grade=grade)
        history = history.append(index, TREATMENT, [setting] * everyone, [observation] * everyone)
    return history


def random_history(seed: int, patients: Sequence[int], n_epochs: int) -> History:
    """Ragged histories: each patient's own epochs depend on the patient's number alone."""
    history = History.empty(patients)
    luck = {p: np.random.default_rng([seed, p]) for p in patients}
    for epoch in range(n_epochs):
        going = np.array([i for i, p in enumerate(patients) if epoch < 4 or (p + epoch) % 5])
        phase = BASELINE if epoch < 2 else TREATMENT
        settings, observations = [], []
        for i in going:
            generator = luck[patients[i]]
            setting = OFF if phase == BASELINE else LIST[generator.integers(len(LIST))]
            count = int(generator.poisson(6)) if generator.random() < 0.9 else None
            grade = 2 if generator.random() < 0.05 and not setting.is_off else 0
            settings.append(setting)
            observations.append(
                seen(setting, count, start_day=14 * epoch, days=14, worst_grade=grade)
            )
        history = history.append(going, phase, settings, observations)
    return history
