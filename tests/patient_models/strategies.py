"""Hypothesis strategies and fixed examples for patients, devices and settings: one per type."""

from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from patient_models import MODELS, Device, State
from patient_models.law import (
    Background,
    Course,
    DiaryHabits,
    Parameters,
    Rhythm,
    TimeOfDay,
)
from patient_models.population import DRUG_RESISTANT, draw
from patient_models.response import FrequencyMode, Response
from patient_models.side_effects import Tolerance
from protocols import OFF, Cycle, Mode, ParameterSpace, Setting

ENVELOPE = Path("safety/envelopes/research.toml").read_text()
DEVICE = Device.from_toml(ENVELOPE)
CLINICAL = MODELS["clinical"]

SPACE = ParameterSpace(
    site=tuple(range(4)),
    amplitude_ua=tuple(range(500, 8001, 500)),
    frequency_hz=(2, 5, 10, 20, 50, 100, 130, 145, 180, 200),
    pulse_width_us=(60, 90, 120),
    cycles=(Cycle(), Cycle(mode=Mode.CYCLING, on_ms=60_000, off_ms=300_000)),
)
SETTINGS = SPACE.settings()
GENTLE = Setting(site=1, amplitude_ua=2500, frequency_hz=145, pulse_width_us=90)

STEADY = Background(
    base_rate_per_day=1.5,
    fast_log_sd=0.8,
    slow_log_sd=0.0,
    time_of_day=TimeOfDay(concentration=0, peak=0),
    multidien=Rhythm(period_days=20, strength=0, peak_day=0),
    weekly=Rhythm(period_days=7, strength=0, peak_day=0),
    annual=Rhythm(period_days=365, strength=0, peak_day=0),
    chain_probability=0.0,
)


def patient_zero(*, seed: int = 1, patient: int = 0, **background: object) -> State:
    """A person whose law is known in closed form: no cycle, cluster, missed day or side effect.

    Other indices are other people only in their luck.
    """
    state = CLINICAL.draw(device=DEVICE, seed=seed, patients=[0])[0]
    parameters = Parameters(
        background=replace(STEADY, **background),
        response=Response(
            site_efficacy=(1.0,) * 4,
            low_mode=FrequencyMode(centre_hz=5, width_octaves=1, weight=0.6),
            high_mode=FrequencyMode(centre_hz=145, width_octaves=0.6, weight=1),
            threshold_ua=1000,
            saturation_ua=300,
            harm_onset_ua=6000,
            harm_scale_ua=3000,
            chronaxie_us=130,
            wash_in_days=7,
            carry_over_days=14,
            progression=0,
            sensitivity=0.8,
        ),
        tolerance=Tolerance(site_ua=(1e9,) * 4, chronaxie_us=130),
        diary=DiaryHabits(writing_probability=0.5, missing_probability=0),
        course=Course(placebo=0, implant=0),
        hardware=state.parameters.hardware,
    )
    return replace(state, patient=patient, parameters=parameters)


seeds = st.integers(0, 2**64 - 1)
words = st.integers(0, 2**32 - 1)
settings = st.one_of(
    st.just(OFF),
    st.builds(
        Setting,
        site=st.integers(0, 3),
        amplitude_ua=st.integers(0, 30_000),
        frequency_hz=st.integers(0, 1000),
        pulse_width_us=st.integers(0, 2000),
    ),
    st.sampled_from(SETTINGS),
)
parameters = st.builds(
    lambda seed, patient: draw(DRUG_RESISTANT, seed, [patient], 4)[0], seeds, words
)
backgrounds = st.builds(
    lambda drawn, rate, strength: replace(
        drawn.background,
        base_rate_per_day=rate,
        multidien=replace(drawn.background.multidien, strength=strength),
    ),
    parameters,
    st.floats(0.003, 50),
    st.floats(0, 1.5),
)
days = st.integers(0, 5000)
states = st.builds(
    lambda seed, patient: CLINICAL.draw(device=DEVICE, seed=seed, patients=[patient])[0],
    seeds,
    words,
)
