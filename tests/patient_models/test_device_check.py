import ast
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given

from patient_models import Device
from patient_models.device_check import delivered, refusal
from patient_models.law import Carried
from protocols import OFF, InputError, Mode, Setting
from tests.patient_models.strategies import CLINICAL, DEVICE, ENVELOPE, GENTLE, settings

WIDE = {'shannon_k = "1.5"': 'shannon_k = "9"', '_cm2 = "30"': '_cm2 = "9999"'}
STEERED = {"shares_permille = { L2 = 1000 }": "shares_permille = { L1 = 500, L2 = 500 }"}


def device(**changes: str) -> Device:
    return Device.from_toml(edited(changes))


def edited(changes: dict[str, str]) -> str:
    text = ENVELOPE
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def cycling(on_ms: int, off_ms: int) -> dict[str, object]:
    return {"mode": Mode.CYCLING, "on_ms": on_ms, "off_ms": off_ms}


# Each limit with the last setting that it lets through and the first that it does not.
EITHER_SIDE = {
    "an amplitude": ({}, {"amplitude_ua": 8000}, {"amplitude_ua": 8001}, "amplitude_ua = 8001"),
    "between ticks": ({}, {"amplitude_ua": 500}, {"amplitude_ua": 501}, "amplitude_ua = 501"),
    "a frequency": ({}, {"frequency_hz": 200}, {"frequency_hz": 201}, "frequency_hz = 201"),
    "a pulse width": ({}, {"pulse_width_us": 60}, {"pulse_width_us": 61}, "pulse_width_us = 61"),
    "no pulse width": ({}, {"pulse_width_us": 60}, {"pulse_width_us": 0}, "pulse_width_us = 0"),
    "a site": ({}, {"site": 3}, {"site": 4}, "site = 4"),
    "a mode": (
        {'"continuous", "cycling"': '"cycling"'},
        cycling(60_000, 60_000),
        {},
        "mode = continuous",
    ),
    "an on time": ({}, cycling(60_000, 60_000), cycling(60_001, 60_000), "on_ms = 60001"),
    "an off time": ({}, cycling(60_000, 60_000), cycling(60_000, 60_001), "off_ms = 60001"),
    "a duty": (
        {"max_duty_permille = 1000": "max_duty_permille = 500"},
        cycling(60_000, 60_000),
        {},
        "duty = 1.0",
    ),
    "a pulse in its period": (
        {"interphase_gap_us = 100": "interphase_gap_us = 4800"},
        {"frequency_hz": 200, "pulse_width_us": 90},
        {"frequency_hz": 200, "pulse_width_us": 120},
        "does not fit",
    ),
    "a contact current": (
        {"max_contact_current_ua = 8000": "max_contact_current_ua = 4000"},
        {"amplitude_ua": 4000},
        {"amplitude_ua": 4500},
        "contact L2",
    ),
    "a lead current": (
        {"max_lead_current_ua = 8000": "max_lead_current_ua = 4000", **STEERED},
        {"amplitude_ua": 4000},
        {"amplitude_ua": 4500},
        "lead left",
    ),
    "a shared contact current": (
        {"max_contact_current_ua = 8000": "max_contact_current_ua = 2000", **STEERED},
        {"amplitude_ua": 4000},
        {"amplitude_ua": 4500},
        "contact L1",
    ),
    "Shannon's line": (  # sqrt(0.06 cm2 * 10**1.5) = 1.377 uC, so 4.59 mA at 300 us
        {},
        {"pulse_width_us": 300, "amplitude_ua": 4500},
        {"pulse_width_us": 300, "amplitude_ua": 5000},
        "Shannon",
    ),
    "charge in a day": (  # 2 mA x 90 us x 145 Hz on one lead: 2.25504 C
        {"max_charge_uc = 50_000_000": "max_charge_uc = 2_255_040"},
        {"amplitude_ua": 2000, "pulse_width_us": 90, "frequency_hz": 145},
        {"amplitude_ua": 2500, "pulse_width_us": 90, "frequency_hz": 145},
        "charge in a day",
    ),
    "therapies in a day": (  # one in two minutes
        {"max_therapies = 1300": "max_therapies = 720"},
        cycling(60_000, 60_000),
        cycling(30_000, 60_000),
        "960 therapies",
    ),
    "a density": (  # 30 uC/cm2 * 0.06 cm2 = 1.8 uC exactly
        {'shannon_k = "1.5"': 'shannon_k = "3"'},
        {"pulse_width_us": 300, "amplitude_ua": 6000},
        {"pulse_width_us": 300, "amplitude_ua": 6500},
        "density",
    ),
}


@pytest.mark.parametrize("name", EITHER_SIDE)
def test_either_side_of_each_limit(name):
    changes, inside, outside, reason = EITHER_SIDE[name]
    here = device(**changes)
    assert refusal(here, replace(GENTLE, **inside)) is None
    assert reason in refusal(here, replace(GENTLE, **outside))
    assert delivered(here, replace(GENTLE, **outside)) == (OFF, 1)


def test_shannon_is_exact_on_the_line():
    # On 0.01 cm2 with k = 2 the line is at 1 uC: exactly 5 mA for 200 us.
    text = edited(WIDE | {'shannon_k = "1.5"': 'shannon_k = "2"'})
    here = Device.from_toml(text.replace("area_um2 = 6_000_000", "area_um2 = 1_000_000"))
    on_the_line = replace(GENTLE, amplitude_ua=5000, pulse_width_us=200)
    assert refusal(here, on_the_line) is None
    assert "Shannon" in refusal(here, replace(on_the_line, amplitude_ua=5500))


@given(settings)
def test_off_always_passes_and_everything_else_is_whole_or_off(setting):
    assert delivered(DEVICE, OFF) == (OFF, 0)
    setting_out, n_incidents = delivered(DEVICE, setting)
    if setting.is_off or n_incidents:
        assert setting_out == OFF
    else:
        assert setting_out == setting
        charge_uc = Fraction(setting.amplitude_ua * setting.pulse_width_us, 10**6)
        assert float(charge_uc) ** 2 / 0.06 <= 10**1.5
        assert setting.amplitude_ua <= 8000


def test_a_refusal_delivers_off_and_is_counted_once_an_epoch():
    state = CLINICAL.draw(device=DEVICE, seed=1, patients=[0])[0]
    forbidden = replace(GENTLE, amplitude_ua=9000)
    for n_incidents in (1, 2):
        [outcome] = CLINICAL.advance([state], [forbidden], 7)
        state = outcome.state
        telemetry = outcome.observation.telemetry
        assert telemetry.setting == state.setting == OFF
        assert telemetry.n_incidents == 1
        assert telemetry.charge_uc == telemetry.stimulation_s == 0
        assert state.device.n_incidents == n_incidents
    assert state.carried == Carried()


def test_devices_of_the_same_text_are_equal():
    assert Device.from_toml(ENVELOPE) == DEVICE
    assert hash(DEVICE) == hash(Device.from_toml(ENVELOPE))
    assert Device.from_toml(ENVELOPE + "\n") != DEVICE
    assert (DEVICE.n_sites, DEVICE.total_permille(3)) == (4, 2000)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("schema = 1", "schema = 2", "envelope: schema = 2: 1 was expected"),
        ("max_lead_current_ua = 8000", "", "envelope: max_lead_current_ua is missing"),
        ("[limits]", "[limitz]", "envelope: limits is missing"),
        ("{ L2 = 1000 }", "{ L9 = 1000 }", "'L9', which is no contact"),
        ("{ L2 = 1000 }", "{ L2 = 999 }", "add up to 999 on left"),
        ("{ L2 = 1000 }", "{}", "names no contact"),
        ('"1.5"', "1.5", "shannon_k = 1.5: text was expected"),
        ('"1.5"', '"nan"', "a number above 0"),
        ('name = "L2"', 'name = "L1"', "every name was expected once"),
        ('"1.5"', '"0"', "a number above 0"),
        ('"30"', '"1/3"', "a number above 0"),
        ('"1.5"', '"1e99"', "a number above 0"),
        ("interphase_gap_us = 100", "interphase_gap_us = -1", "a whole number from 0 up"),
        ("interphase_gap_us = 100", "interphase_gap_us = true", "a whole number from 0 up"),
        ('["continuous", "cycling"]', '["sideways"]', "'sideways' is not a valid Mode"),
        ('["continuous", "cycling"]', "3", "envelope: "),
        ("schema = 1", "schema = ", "envelope: "),
        ("schema = 1", "schema = " + "[" * 100_000, "envelope: "),
        ("schema = 1", "schema = 1 # " + "x" * 10**6, "at most 1000000 characters"),
    ],
)
def test_an_envelope_with_a_mistake_makes_no_device(old, new, sentence):
    with pytest.raises(InputError) as problem:
        Device.from_toml(edited({old: new}))
    assert sentence in str(problem.value)


def test_the_check_imports_nothing_of_the_safety_layer():
    tree = ast.parse(Path("patient_models/device_check.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [module for module in modules if module.startswith(("safety", "neurostim"))]


def test_a_setting_cannot_be_built_from_anything_but_whole_numbers():
    with pytest.raises(TypeError):
        Setting(site=0, amplitude_ua=1.0, frequency_hz=1, pulse_width_us=1)
