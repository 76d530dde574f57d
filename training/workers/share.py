"""The rows of each batch that one worker makes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """Every `count`-th row of a batch, from `index` on."""

    index: int
    count: int
