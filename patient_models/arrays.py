"""The array types of this package."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Booleans: TypeAlias = NDArray[np.bool_]
Number: TypeAlias = float | Floats
"""One patient's number, or a column with one row per patient."""
