import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import OFF, Mode, Setting

LEGAL = {"site": 1, "amplitude_ua": 2000, "frequency_hz": 145, "pulse_width_us": 90}


@pytest.mark.parametrize("name", ["site", "amplitude_ua", "frequency_hz", "pulse_width_us"])
@pytest.mark.parametrize("value", [1.0, True, "1", None, float("nan"), 2 + 0j])
def test_a_field_that_is_not_exactly_an_int_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{name} = "):
        Setting(**LEGAL | {name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["site", "amplitude_ua", "frequency_hz", "pulse_width_us"])
def test_a_negative_field_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} = -1: 0 or more"):
        Setting(**LEGAL | {name: -1})


@pytest.mark.parametrize(
    ("mode", "on_ms", "off_ms"),
    [(Mode.CONTINUOUS, 1, 0), (Mode.CONTINUOUS, 0, 1), (Mode.CYCLING, 0, 5), (Mode.CYCLING, 5, 0)],
)
def test_a_cycle_must_fit_its_mode(mode: Mode, on_ms: int, off_ms: int) -> None:
    with pytest.raises(ValueError, match=f"on_ms = {on_ms}, off_ms = {off_ms}"):
        Setting(**LEGAL, mode=mode, on_ms=on_ms, off_ms=off_ms)


@given(st.integers(0, 10), st.integers(0, 12_000))
def test_a_setting_is_off_exactly_at_amplitude_zero(site: int, amplitude_ua: int) -> None:
    setting = Setting(site=site, amplitude_ua=amplitude_ua, frequency_hz=5, pulse_width_us=90)
    assert setting.is_off == (amplitude_ua == 0)
    assert setting.duty == (0.0 if amplitude_ua == 0 else 1.0)


def test_a_setting_reads_like_a_clinicians_note() -> None:
    cycling = Setting(**LEGAL, mode=Mode.CYCLING, on_ms=60_000, off_ms=300_000)
    assert str(OFF) == "off"
    assert str(Setting(**LEGAL)) == "site 1, 2 mA, 145 Hz, 90 µs"
    assert str(cycling).endswith("cycling 60 s on / 300 s off")
    assert cycling.duty == pytest.approx(1 / 6)
