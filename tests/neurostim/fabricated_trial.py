"""A small made-up trial with the shape of a real one, for the tests of endpoints and reports.

Nothing here imitates `patient_models`: rates, settings and findings are invented so that every
column holds something, including missing days, held and clamped proposals, and short epochs.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

AMPLITUDES_UA = (500, 1000, 1500, 2000, 2500, 3000)
FREQUENCIES_HZ = (5, 20, 60, 130)
N_SITES = 3
FIELDS = (
    "site",
    "amplitude_ua",
    "frequency_hz",
    "pulse_width_us",
    "on_ms",
    "off_ms",
)
NULLABLE = ("n_seizures", "worst_grade", *(f"requested_{name}" for name in FIELDS))

ARMS: list[dict[str, Any]] = [
    {"name": "sham", "controller": "sham", "options": {}},
    {
        "name": "fixed",
        "controller": "fixed",
        "options": {"site": 0, "amplitude_ua": 1500, "frequency_hz": 130, "pulse_width_us": 200},
    },
    {
        "name": "titration",
        "controller": "titration",
        "options": {"step_ua": 500, "every_epochs": 2},
    },
    {"name": "random", "controller": "random", "options": {}},
    {"name": "gp", "controller": "gp", "options": {"acquisition": "thompson", "beta": 2.0}},
]


class Trial(NamedTuple):
    epochs: pd.DataFrame
    patients: pd.DataFrame
    manifest: dict[str, Any]


def fabricate(
    n_patients: int = 24, seed: int = 7, arms: list[dict[str, Any]] | None = None
) -> Trial:
    arms = ARMS if arms is None else arms
    schedule = {"baseline_days": 56, "treatment_days": 168, "epoch_days": 14, "evaluation_days": 84}
    rng = np.random.default_rng(seed)
    truths = [draw_patient(rng) for _ in range(n_patients)]
    rows = []
    for arm in arms:
        for patient, truth in enumerate(truths):
            own = np.random.default_rng((seed, patient, len(arm["name"])))
            rows += live(own, patient, arm, truth, schedule)
    epochs = pd.DataFrame(rows)
    for name in NULLABLE:
        epochs[name] = epochs[name].astype("Int64")
    patients = pd.DataFrame(
        {
            "patient": range(n_patients),
            "true_rate_off_per_day": [truth["off"] for truth in truths],
            "true_rate_best_per_day": [truth["off"] * (1 - truth["effect"]) for truth in truths],
            "best_site": [truth["site"] for truth in truths],
            "best_amplitude_ua": [truth["amplitude"] for truth in truths],
            "best_frequency_hz": [truth["frequency"] for truth in truths],
        }
    )
    return Trial(epochs, patients, manifest(arms, n_patients, schedule))


def manifest(
    arms: list[dict[str, Any]], n_patients: int, schedule: dict[str, int]
) -> dict[str, Any]:
    return {
        "design": {
            "name": "adaptive_against_sham",
            "title": "Adaptive stimulation against sham, a fixed setting and titration",
            "question": "Does choosing the next setting from the diary reduce seizures, safely?",
            "population": {"model": "event", "n_patients": n_patients, "baselines": "trial"},
            "device": {"envelope": "two_lead_cortical"},
            "schedule": schedule,
            "analysis": {"reference": arms[0]["name"]},
            "arms": arms,
        },
        "arm_summaries": {
            arm["name"]: f"What {arm['name']} does, in one sentence." for arm in arms
        },
        "fingerprint": "3f9a8d1c5e7b20946fd1c8a7be503912",
        "seed": 7,
        "versions": {"neurostim": "0.1.0", "python": "3.11.7", "numpy": "2.4.6", "torch": "2.11.0"},
        "wall_time_s": 312.4,
        "machine": "8 cores, Linux 6.8, x86_64",
        "n_patients": n_patients,
        "command": "neurostim trial run designs/adaptive_against_sham.toml --seed 7",
        "created": "2026-03-14",
    }


def draw_patient(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "off": float(np.exp(rng.normal(np.log(0.35), 0.6))),
        "effect": float(rng.uniform(0.35, 0.75)) if rng.random() < 0.85 else 0.0,
        "site": int(rng.integers(N_SITES)),
        "amplitude": int(rng.choice(AMPLITUDES_UA[2:])),
        "frequency": int(rng.choice(FREQUENCIES_HZ[1:])),
        "tolerates": int(rng.choice((2000, 2500, 3000))),
    }


def true_rate(truth: dict[str, Any], setting: tuple[int, int, int] | None) -> float:
    if setting is None or setting[1] == 0:
        return float(truth["off"])
    site, amplitude, frequency = setting
    near = np.exp(-(((amplitude - truth["amplitude"]) / 900) ** 2))
    near *= np.exp(-((np.log(frequency / truth["frequency"]) / 0.9) ** 2))
    near *= 1.0 if site == truth["site"] else 0.3
    harm = 0.3 * max(0.0, (amplitude - 2200) / 800) * (site != truth["site"])
    return float(truth["off"] * (1 - truth["effect"] * near + harm))


def propose(
    rng: np.random.Generator, controller: str, truth: dict[str, Any], step: int
) -> tuple[int, int, int] | None:
    anywhere = (
        int(rng.integers(N_SITES)),
        int(rng.choice((*AMPLITUDES_UA, 3500))),
        int(rng.choice(FREQUENCIES_HZ)),
    )
    if controller == "fixed":
        return (0, 1500, 130)
    if controller == "titration":
        return (0, min(500 * (1 + step // 2), 3000), 130)
    if controller == "gp" and rng.random() < 0.03:
        return None
    if controller == "gp" and rng.random() < min(0.9, 0.25 + 0.08 * step):
        return (truth["site"], truth["amplitude"], truth["frequency"])
    if controller in ("gp", "random"):
        return anywhere
    return (0, 0, 0)


def live(
    rng: np.random.Generator,
    patient: int,
    arm: dict[str, Any],
    truth: dict[str, Any],
    schedule: dict[str, int],
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    day = 0
    n_days = schedule["baseline_days"] + schedule["treatment_days"]
    delivered: tuple[int, int, int] = (0, 0, 0)
    while day < n_days:
        is_baseline = day < schedule["baseline_days"]
        step = max(0, len(rows) - 4)
        wanted = (0, 0, 0) if is_baseline else propose(rng, arm["controller"], truth, step)
        ruling, rules, findings, fault = "accepted", "", "", ""
        if wanted is None:
            ruling, rules = "held", "no_proposal"
            fault = "ValueError: the kernel is not positive definite"
            findings = "The controller proposed nothing, so the last setting was kept."
        elif wanted[1] > 3000:
            ruling, rules = "clamped", "amplitude_limit;charge_density"
            findings = "3.5 mA was asked for and 3 mA is the most that may be delivered."
            delivered = (wanted[0], 3000, wanted[2])
        else:
            delivered = wanted
        is_unsafe = delivered[1] > truth["tolerates"]
        days = min(schedule["epoch_days"], n_days - day)
        grade = None if rng.random() < 0.05 else int(rng.random() < 0.05)
        if is_unsafe and rng.random() < 0.5:
            grade = int(rng.choice((2, 2, 3)))
            days = min(days, 5) if grade == 3 else days
        rate = true_rate(truth, delivered)
        days_recorded = 0 if rng.random() < 0.02 else int(rng.binomial(days, 0.94))
        counts = rng.poisson(rng.gamma(2.0, rate / 2.0), size=days)
        charge_per_s = delivered[1] * 200e-6 * delivered[2]
        row = {
            "patient": patient,
            "arm": arm["name"],
            "epoch": len(rows),
            "phase": "baseline" if is_baseline else "treatment",
            "start_day": day,
            "days": days,
            **setting_columns("requested", wanted),
            **setting_columns("delivered", delivered),
            "ruling": ruling,
            "rules": rules,
            "findings": findings,
            "fault": fault,
            "n_seizures": int(counts[:days_recorded].sum()) if days_recorded else None,
            "days_recorded": days_recorded,
            "worst_grade": grade,
            "stimulation_s": days * 28_800 * (delivered[1] > 0),
            "charge_uc": int(days * 28_800 * charge_per_s),
            "energy_mj": int(days * (9000 + 10 * 28_800 * charge_per_s)),
            "impedance_ohm": 900 + 5 * truth["site"],
            "battery_permille": 1000 - day // 2,
            "n_incidents": 0,
            "true_n_seizures": int(counts.sum()),
            "true_rate_per_day": rate,
            "true_is_unsafe": is_unsafe,
        }
        rows.append(row)
        day += days
    return rows


def setting_columns(prefix: str, setting: tuple[int, int, int] | None) -> dict[str, Any]:
    if setting is None:
        return {f"{prefix}_{name}": None for name in (*FIELDS, "mode")}
    site, amplitude, frequency = setting
    is_on = amplitude > 0
    values = (site, amplitude, frequency, 200 * is_on, 30_000 * is_on, 300_000 * is_on)
    row: dict[str, Any] = {
        f"{prefix}_{name}": value for name, value in zip(FIELDS, values, strict=True)
    }
    row[f"{prefix}_mode"] = "cycling" if is_on else "continuous"
    return row
