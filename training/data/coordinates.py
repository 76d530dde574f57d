"""The numbers in annotations: positions and sizes of boxes, as files of any format state them."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any) -> float:
    """Return `value`, a number or its text; raises ValueError if it is no finite number."""
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{str(value)[:40]!r} is not a finite number")
    return number
