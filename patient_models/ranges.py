"""The one check that every parameter of a patient passes when it is made."""

from math import inf, isfinite

import numpy as np

from patient_models.arrays import Number


def check_range(
    name: str, value: Number, *, lowest: float = -inf, highest: float = inf, above: float = -inf
) -> None:
    """Raise `ValueError` unless `value`, or all of a column, is finite and in this range."""
    if isinstance(value, np.ndarray):
        for extreme in (value.min(), value.max()) if value.size else ():  # NaN is either extreme
            check_range(name, float(extreme), lowest=lowest, highest=highest, above=above)
        return
    if not (isfinite(value) and lowest <= value <= highest and value > above):
        expected = f"above {above}" if above > -inf else f"{lowest} to {highest}"
        raise ValueError(f"{name} = {value}: a finite number, {expected}, was expected")
