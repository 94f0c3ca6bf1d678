"""The array types everything is written in: columns of whole numbers, and of seconds or weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NARROW = np.int32  # of columns: what they hold are counts of one program's rows at most
Ints = NDArray[np.signedinteger[Any]]
Floats = NDArray[np.float64]
