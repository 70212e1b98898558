"""A stimulation setting in exact integer device units."""

from dataclasses import dataclass, fields
from enum import StrEnum


class Mode(StrEnum):
    """How a device delivers its pulses over time."""

    CONTINUOUS = "continuous"
    CYCLING = "cycling"
    RESPONSIVE = "responsive"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Setting:
    """One stimulation setting; what is legal can be enumerated, since every field is an integer.

    `site` indexes the device's table of montages. `on_ms` and `off_ms` are the two halves of a
    cycle and are both 0 in continuous mode; in responsive mode they are the burst and the least
    pause after it. An amplitude of 0 is no stimulation, whatever the other fields say; `OFF` is
    how it is written.

    Raises `TypeError` for a field that is not exactly an `int`, `ValueError` for a negative one or
    for a cycle that does not fit the mode.
    """

    site: int
    amplitude_ua: int
    frequency_hz: int
    pulse_width_us: int
    on_ms: int = 0
    off_ms: int = 0
    mode: Mode = Mode.CONTINUOUS

    def __post_init__(self) -> None:
        for name in INTEGER_FIELDS:
            value = getattr(self, name)
            if type(value) is not int:  # bool and NumPy integers are refused on purpose
                raise TypeError(
                    f"{name} = {value!r}: an int was expected, not {type(value).__name__}"
                )
            if value < 0:
                raise ValueError(f"{name} = {value}: 0 or more was expected")
        if type(self.mode) is not Mode:
            raise TypeError(f"mode = {self.mode!r}: a Mode was expected")
        if self.mode is Mode.CONTINUOUS and (self.on_ms or self.off_ms):
            raise ValueError(
                f"on_ms = {self.on_ms}, off_ms = {self.off_ms}: both are 0 in continuous mode"
            )
        if self.mode is not Mode.CONTINUOUS and not (self.on_ms and self.off_ms):
            raise ValueError(
                f"on_ms = {self.on_ms}, off_ms = {self.off_ms}: "
                f"both are above 0 in {self.mode} mode"
            )

    @property
    def is_off(self) -> bool:
        """Whether this setting delivers nothing."""
        return self.amplitude_ua == 0

    @property
    def duty(self) -> float:
        """Largest share of the time that pulses may be running, 0 to 1."""
        if self.is_off:
            return 0.0
        if self.mode is Mode.CONTINUOUS:
            return 1.0
        return self.on_ms / (self.on_ms + self.off_ms)

    def __str__(self) -> str:
        if self.is_off:
            return "off"
        text = (
            f"site {self.site}, {self.amplitude_ua / 1000:g} mA, {self.frequency_hz} Hz, "
            f"{self.pulse_width_us} µs"
        )
        if self.mode is Mode.CONTINUOUS:
            return text
        return f"{text}, {self.mode} {self.on_ms / 1000:g} s on / {self.off_ms / 1000:g} s off"


INTEGER_FIELDS = tuple(field.name for field in fields(Setting) if field.name != "mode")
OFF = Setting(site=0, amplitude_ua=0, frequency_hz=0, pulse_width_us=0)
