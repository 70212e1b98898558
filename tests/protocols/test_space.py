from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import OFF, Cycle, Mode, ParameterSpace

TICKS: dict[str, Any] = {
    "site": (0, 1),
    "amplitude_ua": (500, 1000, 1750),
    "frequency_hz": (5, 145),
    "pulse_width_us": (90,),
}


def ticks(lowest: int) -> st.SearchStrategy[tuple[int, ...]]:
    sets = st.sets(st.integers(lowest, 400), min_size=1, max_size=4)
    return sets.map(lambda values: tuple(sorted(values)))


@given(ticks(0), ticks(1), ticks(1), ticks(1))
def test_a_space_is_off_and_every_combination_once(
    site: tuple[int, ...],
    amplitude_ua: tuple[int, ...],
    frequency_hz: tuple[int, ...],
    pulse_width_us: tuple[int, ...],
) -> None:
    space = ParameterSpace(
        site=site,
        amplitude_ua=amplitude_ua,
        frequency_hz=frequency_hz,
        pulse_width_us=pulse_width_us,
        cycles=(Cycle(), Cycle(mode=Mode.CYCLING, on_ms=10, off_ms=20)),
    )
    settings = space.settings()
    assert settings[0] == OFF
    assert len(space) == len(settings) == len(set(settings))
    assert {s.amplitude_ua for s in settings[1:]} == set(amplitude_ua)
    assert {s.site for s in settings[1:]} == set(site)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"site": ()}, "site = []"),
        ({"amplitude_ua": (1000, 500)}, "amplitude_ua goes from 1000 to 500"),
        ({"amplitude_ua": (500, 500)}, "amplitude_ua goes from 500 to 500"),
        ({"amplitude_ua": (0, 500)}, "amplitude_ua starts at 0: 1 or more"),
        ({"frequency_hz": (5.0,)}, "frequency_hz holds 5.0: integers"),
        ({"cycles": ()}, "one or more different cycles"),
        ({"cycles": (Cycle(), Cycle())}, "one or more different cycles"),
    ],
)
def test_impossible_ticks_are_named(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace("[", r"\[")):
        ParameterSpace(**TICKS | change)
