"""The one check that every parameter of a patient passes when it is made."""

from math import inf, isfinite


def check_range(
    name: str, value: float, *, lowest: float = -inf, highest: float = inf, above: float = -inf
) -> None:
    """Raise `ValueError` unless `value` is a finite number in this range."""
    if not (isfinite(value) and lowest <= value <= highest and value > above):
        expected = f"above {above}" if above > -inf else f"{lowest} to {highest}"
        raise ValueError(f"{name} = {value}: a finite number, {expected}, was expected")
