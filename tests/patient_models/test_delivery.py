from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_models import Device
from patient_models.delivery import (
    BATTERY_MJ,
    QUIESCENT_MJ_PER_DAY,
    charge_uc_per_day,
    energy_mj_per_day,
    lived,
    pulses_per_day,
    ramp_end_day,
    ramp_s,
)
from patient_models.hardware import (
    HIGHEST_OHM,
    LOWEST_OHM,
    Hardware,
    bursts_per_day,
    impedance_ohm,
    stimulation_ms_per_day,
)
from patient_models.model import DeviceState
from protocols import OFF, Mode, Setting
from safety import load_envelope
from safety.rise import ramp_s as ramp_s_of_the_gate
from tests.patient_models.strategies import DEVICE, GENTLE

STEERED = Device.from_toml(
    Path("safety/envelopes/research.toml")
    .read_text()
    .replace("shares_permille = { L2 = 1000 }", "shares_permille = { L1 = 500, L2 = 500 }")
)
PLAIN = Hardware(
    impedance_ohm=1000,
    acute_share=-0.2,
    settling_days=14,
    drift_per_year=-0.05,
    false_alarms_per_day=800,
    implant_day=0,
)
CYCLING = replace(GENTLE, mode=Mode.CYCLING, on_ms=60_000, off_ms=300_000)
RESPONSIVE = replace(GENTLE, mode=Mode.RESPONSIVE, on_ms=200, off_ms=5000)
YEARS_10 = 3653

hardware = st.builds(
    Hardware,
    impedance_ohm=st.floats(LOWEST_OHM, HIGHEST_OHM),
    acute_share=st.floats(-0.9, 2),
    settling_days=st.floats(0.1, 200),
    drift_per_year=st.floats(-0.5, 0.5),
    false_alarms_per_day=st.floats(0, 5000),
    implant_day=st.none() | st.integers(0, 100),
)
pulses = st.builds(
    Setting,
    site=st.integers(0, 3),
    amplitude_ua=st.integers(1, 25_000),
    frequency_hz=st.integers(1, 333),
    pulse_width_us=st.integers(1, 1000),
)
timings = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {
            "mode": st.sampled_from([Mode.CYCLING, Mode.RESPONSIVE]),
            "on_ms": st.integers(1, 600_000),
            "off_ms": st.integers(1, 600_000),
        }
    ),
)
settings = st.just(OFF) | st.builds(lambda pulse, timing: replace(pulse, **timing), pulses, timings)
ohms = st.integers(LOWEST_OHM, HIGHEST_OHM)


def energy(setting: Setting, *, ohm: int = 1000, device: Device = DEVICE, body=PLAIN) -> int:
    return energy_mj_per_day(device, body, setting, ohm)


@given(
    hardware, settings, st.integers(0, 2000), st.integers(1, 300), st.data(), st.integers(0, 1000)
)
def test_an_epoch_cut_in_two_is_the_same(body, setting, first_day, days, data, used_permille):
    cut = data.draw(st.integers(0, days))
    start = DeviceState(device=DEVICE, battery_used_mj=(BATTERY_MJ - 1) * used_permille // 1000)
    whole, whole_telemetry, whole_replaced = lived(start, body, setting, first_day, days, 1)
    middle, early, early_replaced = lived(start, body, setting, first_day, cut, 1)
    end, late, late_replaced = lived(middle, body, setting, first_day + cut, days - cut, 0)
    assert end == whole
    assert early_replaced + late_replaced == whole_replaced
    assert late.impedance_ohm == whole_telemetry.impedance_ohm
    assert late.battery_permille == whole_telemetry.battery_permille
    for name in ("stimulation_s", "charge_uc", "energy_mj", "n_incidents"):
        assert getattr(early, name) + getattr(late, name) == getattr(whole_telemetry, name)


@given(hardware, settings, st.integers(0, 2000), st.integers(1, 300))
def test_what_is_reported_is_whole_and_the_books_balance(body, setting, first_day, days):
    state, telemetry, replaced = lived(
        DeviceState(device=DEVICE), body, setting, first_day, days, 0
    )
    for value in (state, telemetry):
        kinds = {field.name: type(getattr(value, field.name)) for field in fields(value)}
        assert set(kinds.values()) - {Device, Setting} == {int}, kinds
    assert 0 <= telemetry.battery_permille <= 1000
    assert 0 <= state.battery_used_mj < BATTERY_MJ
    assert LOWEST_OHM <= telemetry.impedance_ohm <= HIGHEST_OHM
    assert state.n_replacements == len(replaced) == len(set(replaced))
    assert all(first_day < midnight <= first_day + days for midnight in replaced)
    # Each battery gave its whole capacity, and what it gave on its last day beyond that.
    assert telemetry.energy_mj >= len(replaced) * BATTERY_MJ + state.battery_used_mj
    if not replaced:
        assert telemetry.energy_mj == state.battery_used_mj


def test_a_battery_is_replaced_at_the_midnight_after_it_is_exhausted():
    day_mj = QUIESCENT_MJ_PER_DAY
    for left_mj, midnights in ((2 * day_mj + 1, (103,)), (2 * day_mj, (102,)), (1, (101,))):
        used_mj = BATTERY_MJ - left_mj
        state = DeviceState(device=DEVICE, battery_used_mj=used_mj, n_replacements=2)
        after, telemetry, replaced = lived(state, PLAIN, OFF, 100, 3, 0)
        assert replaced == midnights
        assert after.n_replacements == 3
        assert after.battery_used_mj == (103 - midnights[0]) * day_mj
        assert telemetry.energy_mj == 3 * day_mj
    assert lived(state, PLAIN, OFF, 100, 1, 0)[1].battery_permille == 1000


def test_the_battery_lasts_as_long_as_those_of_patients_do():
    # Two leads at 3 mA, 60 us and 130 Hz: 3 to 5 years (Medtronic on Activa PC and SC).
    both_leads = Setting(site=3, amplitude_ua=3000, frequency_hz=130, pulse_width_us=60)
    settled = replace(PLAIN, acute_share=0, drift_per_year=0)
    _, _, replaced = lived(DeviceState(device=DEVICE), settled, both_leads, 0, YEARS_10, 0)
    lifetimes = np.diff((0, *replaced)) / 365.25
    assert all(3 <= years <= 5 for years in lifetimes)
    # The same by hand: 3 mA * 3 V * 2 phases * 60 us * 130 Hz on two leads at half efficiency,
    # and 100 uW; 20 Wh. Rounding each day down costs less than 1 mJ of 57 J.
    watts = 2 * 3e-3 * 3 * 2 * 60e-6 * 130 / 0.5 + 100e-6
    assert replaced[0] == int(np.ceil(20 * 3600 / (watts * 86_400)))


@given(pulses, ohms)
def test_a_day_of_pulses_by_hand(setting, ohm):
    n_leads = 2 if setting.site == 3 else 1
    volt = max(setting.amplitude_ua * 1e-6 * ohm, 1.6)
    pulse_j = n_leads * setting.amplitude_ua * 1e-6 * volt * 2 * setting.pulse_width_us * 1e-6 / 0.5
    mj = pulse_j * setting.frequency_hz * 86_400 * 1000
    # Rounded down to 1 mJ once; the floats here carry a dozen roundings of 2**-53.
    assert mj * (1 - 1e-14) - 1 <= energy(setting, ohm=ohm) - QUIESCENT_MJ_PER_DAY
    assert energy(setting, ohm=ohm) - QUIESCENT_MJ_PER_DAY <= mj * (1 + 1e-14)


def test_current_over_two_contacts_of_a_lead_needs_half_the_voltage():
    strong = replace(GENTLE, amplitude_ua=8000)  # 8 V at 1 kohm, far above the lowest supply
    one, two = energy(strong), energy(strong, device=STEERED)
    assert abs((one - QUIESCENT_MJ_PER_DAY) - 2 * (two - QUIESCENT_MJ_PER_DAY)) <= 2
    weak = replace(GENTLE, amplitude_ua=500)  # either way below the lowest supply
    assert energy(weak) == energy(weak, device=STEERED)


@given(hardware, st.integers(0, 2000), st.integers(1, 100))
def test_off_costs_only_quiescent_energy(body, first_day, days):
    _, telemetry, _ = lived(DeviceState(device=DEVICE), body, OFF, first_day, days, 0)
    assert telemetry.energy_mj == days * QUIESCENT_MJ_PER_DAY
    assert telemetry.charge_uc == telemetry.stimulation_s == 0


@given(hardware, pulses, timings, ohms, st.data())
def test_more_never_costs_less(body, pulse, timing, ohm, data):
    setting = replace(pulse, **timing)
    less = energy(setting, ohm=ohm, body=body)
    for name in ("amplitude_ua", "frequency_hz", "pulse_width_us"):
        more = replace(setting, **{name: getattr(setting, name) + data.draw(st.integers(0, 500))})
        assert energy(more, ohm=ohm, body=body) >= less
        assert charge_uc_per_day(DEVICE, body, more) >= charge_uc_per_day(DEVICE, body, setting)
    assert energy(setting, ohm=ohm + data.draw(st.integers(0, 500)), body=body) >= less
    if setting.mode is not Mode.CONTINUOUS:
        shorter_pause = replace(setting, off_ms=data.draw(st.integers(1, setting.off_ms)))
        assert energy(shorter_pause, ohm=ohm, body=body) >= less
        assert energy(pulse, ohm=ohm, body=body) >= less
    if setting.mode is Mode.CYCLING:
        longer = replace(setting, on_ms=setting.on_ms + data.draw(st.integers(0, 500)))
        assert energy(longer, ohm=ohm, body=body) >= less


def test_modes_differ_in_time_and_in_nothing_else():
    assert stimulation_ms_per_day(PLAIN, GENTLE) == 86_400_000
    assert stimulation_ms_per_day(PLAIN, CYCLING) == 86_400_000 // 6
    assert stimulation_ms_per_day(PLAIN, RESPONSIVE) == 800 * 200
    continuous, cycling, responsive = (
        energy(setting) - QUIESCENT_MJ_PER_DAY for setting in (GENTLE, CYCLING, RESPONSIVE)
    )
    assert abs(continuous - 6 * cycling) <= 6  # each is rounded down to 1 mJ
    assert abs(continuous - 540 * responsive) <= 540  # 86_400 s against 800 * 0.2 s
    assert pulses_per_day(PLAIN, RESPONSIVE) == 800 * 29  # 0.2 s at 145 Hz


@given(hardware, settings)
def test_bursts_follow_detections_and_keep_the_least_pause(body, setting):
    n_bursts = bursts_per_day(body, setting)
    if setting.is_off or setting.mode is not Mode.RESPONSIVE:
        assert n_bursts == 0
    else:
        assert abs(n_bursts - body.false_alarms_per_day) <= 0.5 or (
            n_bursts < body.false_alarms_per_day
            and (n_bursts + 1) * (setting.on_ms + setting.off_ms) > 86_400_000
        )
        assert n_bursts * (setting.on_ms + setting.off_ms) <= 86_400_000
    assert 0 <= stimulation_ms_per_day(body, setting) <= setting.duty * 86_400_000


def test_a_usual_responsive_device_stimulates_a_few_minutes_a_day():
    for n_detections in (300, 2000):
        body = replace(PLAIN, false_alarms_per_day=n_detections)
        assert 1 <= stimulation_ms_per_day(body, RESPONSIVE) / 60_000 <= 7


@given(hardware, st.integers(0, 10_000))
def test_impedance_keeps_within_the_limits_of_an_intact_lead(body, day):
    assert LOWEST_OHM <= int(impedance_ohm(body, day)) <= HIGHEST_OHM


def test_impedance_settles_and_drifts():
    body = replace(PLAIN, implant_day=28, drift_per_year=0)
    assert impedance_ohm(body, [0, 28]).tolist() == [800, 800]
    assert impedance_ohm(body, 28 + 14) == round(1000 * (1 - 0.2 * np.exp(-1)))
    assert impedance_ohm(body, 10_000) == 1000
    settled = replace(PLAIN, implant_day=None)
    assert impedance_ohm(settled, 0) == 1000
    assert impedance_ohm(settled, 730.5) == round(1000 * np.exp(-0.1))


def test_impedance_of_a_day_does_not_depend_on_the_days_that_are_asked_for_with_it():
    days = np.arange(2000)
    together = impedance_ohm(PLAIN, days).tolist()
    assert [int(impedance_ohm(PLAIN, day)) for day in days] == together


@pytest.mark.parametrize(
    "change",
    [
        {"impedance_ohm": 49},
        {"impedance_ohm": 5001},
        {"acute_share": -1},
        {"settling_days": 0},
        {"drift_per_year": 0.6},
        {"false_alarms_per_day": -1},
        {"false_alarms_per_day": float("nan")},
    ],
)
def test_hardware_that_cannot_be_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(PLAIN, **change)


@given(settings, settings, st.integers(0, 2**20 - 1))
def test_ramps_take_as_long_as_the_gate_says(before, after, start_day):
    # Two texts of one rule that share no code.
    seconds = ramp_s(DEVICE, before, after)
    assert seconds == ramp_s_of_the_gate(before, after, load_envelope("research"))
    end = ramp_end_day(DEVICE, before, after, start_day)
    assert (end - start_day) * 2**32 % 1 == 0
    assert 0 <= (end - start_day) - seconds / 86_400 < 2**-32 + 2**-53


def test_a_ramp_goes_up_slowly_and_down_fast():
    assert (DEVICE.ramp_up_ua_per_s, DEVICE.ramp_down_ua_per_s) == (30, 120)
    assert ramp_s(DEVICE, OFF, GENTLE) == 84  # 2500 / 30, rounded up
    assert ramp_s(DEVICE, GENTLE, OFF) == 21  # 2500 / 120, rounded up
    assert ramp_s(DEVICE, GENTLE, replace(GENTLE, amplitude_ua=2600)) == 4
    assert ramp_s(DEVICE, GENTLE, replace(GENTLE, frequency_hz=5)) == 0
    assert ramp_s(DEVICE, GENTLE, replace(GENTLE, site=2)) == 21 + 84
    assert ramp_end_day(DEVICE, GENTLE, GENTLE, 7.5) == 7.5
