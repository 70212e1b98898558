"""The list of settings that a protocol may choose from, as explicit ticks."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

from protocols.setting import OFF, Mode, Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One way of spreading pulses over time: a mode with its on and off times."""

    mode: Mode = Mode.CONTINUOUS
    on_ms: int = 0
    off_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSpace:
    """Explicit ticks for every field of a setting, in device units.

    Raises `ValueError` when a list of ticks is empty, not strictly increasing, or holds a value
    that no setting can have.
    """

    site: tuple[int, ...]
    amplitude_ua: tuple[int, ...]
    frequency_hz: tuple[int, ...]
    pulse_width_us: tuple[int, ...]
    cycles: tuple[Cycle, ...] = (Cycle(),)

    def __post_init__(self) -> None:
        for name, lowest in LOWEST_TICKS.items():
            check_ticks(name, getattr(self, name), lowest)
        if not self.cycles or len(set(self.cycles)) != len(self.cycles):
            raise ValueError(f"cycles = {self.cycles}: one or more different cycles were expected")
        next(iter(self))  # builds one setting, which checks its types

    def __iter__(self) -> Iterator[Setting]:
        yield OFF
        ticks = (self.site, self.amplitude_ua, self.frequency_hz, self.pulse_width_us, self.cycles)
        for site, amplitude_ua, frequency_hz, pulse_width_us, cycle in product(*ticks):
            yield Setting(
                site=site,
                amplitude_ua=amplitude_ua,
                frequency_hz=frequency_hz,
                pulse_width_us=pulse_width_us,
                on_ms=cycle.on_ms,
                off_ms=cycle.off_ms,
                mode=cycle.mode,
            )

    def __len__(self) -> int:
        n_settings = len(self.cycles)
        for name in LOWEST_TICKS:
            n_settings *= len(getattr(self, name))
        return n_settings + 1

    def settings(self) -> tuple[Setting, ...]:
        """OFF, then every combination of ticks, in an order that depends on the ticks alone."""
        return tuple(self)


LOWEST_TICKS = {"site": 0, "amplitude_ua": 1, "frequency_hz": 1, "pulse_width_us": 1}


def check_ticks(name: str, ticks: tuple[int, ...], lowest: int) -> None:
    """Raise `ValueError` unless `ticks` are strictly increasing integers from `lowest` up."""
    if not ticks:
        raise ValueError(f"{name} = []: one or more ticks were expected")
    for tick in ticks:
        if type(tick) is not int:
            raise ValueError(f"{name} holds {tick!r}: integers were expected")
    if ticks[0] < lowest:
        raise ValueError(f"{name} starts at {ticks[0]}: {lowest} or more was expected")
    for left, right in pairwise(ticks):
        if left >= right:
            raise ValueError(
                f"{name} goes from {left} to {right}: strictly increasing ticks were expected"
            )
