"""Values as a clinician reads them: a limit is never printed above what it is."""

from dataclasses import dataclass

LONGEST_TEXT = 40
LARGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Quantity:
    """One field that may be clamped: how it is called, and how its integers are written."""

    label: str
    unit: str
    places: int

    def text(self, value: int) -> str:
        """Return `value` exactly, with its unit."""
        return f"{decimal_text(value, self.places)} {self.unit}"


AMPLITUDE = Quantity("amplitude", "mA", 3)
PULSE_WIDTH = Quantity("pulse width", "µs", 0)
ON_TIME = Quantity("on time", "s", 3)
QUANTITIES = {"amplitude_ua": AMPLITUDE, "pulse_width_us": PULSE_WIDTH, "on_ms": ON_TIME}


def decimal_text(value: int, places: int) -> str:
    """Return `value` divided by 10 to the power `places`, without trailing zeros."""
    whole, rest = divmod(value, 10**places)
    return f"{whole}.{rest:0{places}d}".rstrip("0").rstrip(".") if rest else str(whole)


def exceeding(value: int, limit: int, divisor: int, places: int, unit: str) -> str:
    """Return "would be ..., the limit is ...", the value rounded up and the limit down."""
    value_text = decimal_text(-(-value // divisor), places)
    unit = unit and f" {unit}"
    limit_text = decimal_text(limit // divisor, places)
    return f"would be {value_text}{unit}, the limit is {limit_text}{unit}"


def is_whole(value: object) -> bool:
    """Whether this is exactly an int, of 63 bits and a sign."""
    return type(value) is int and -LARGEST_INTEGER <= value <= LARGEST_INTEGER


def shown(value: object) -> str:
    """Return an untrusted value as text without running any code of its own."""
    kind = type(value)
    if kind is str:
        return repr(str(value)[:LONGEST_TEXT])
    if kind is int and not is_whole(value):
        return "a number of more than 63 bits"
    if kind is int or kind is float or kind is bool or value is None:
        return repr(value)
    return "something that is not a plain value"
