"""The figures of two models on the same test pictures, and whether one is worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One figure of a model, which is shown with `places` decimal places.

    `decides`: whether a model with a lower value is worse.
    """

    name: str
    value: float
    decides: bool = False
    places: int = 4

    @property
    def text(self) -> str:
        """The value as text."""
        return f"{self.value:.{self.places}f}"


@dataclass(frozen=True)
class Comparison:
    """A `new` model for the place of the `present` one, and the figures of both.

    `on`: what they were measured on. `present_figures` is empty if there is no present model.
    """

    new: Path
    present: Path
    on: str
    new_figures: Sequence[Figure]
    present_figures: Sequence[Figure]

    @property
    def worse(self) -> list[str]:
        """What is worse about the new model, such as `accuracy 0.500 instead of 0.970`."""
        pairs = zip(self.new_figures, self.present_figures, strict=False)
        return [
            f"{new.name}: {new.text} instead of {present.text}"
            for new, present in pairs
            if new.decides and not new.value >= present.value  # NaN is worse than any value
        ]

    def lines(self) -> list[str]:
        """Return a table of the figures; those that decide are marked with an asterisk."""
        heads = [str(self.new), str(self.present) if self.present_figures else "(no such model)"]
        names = [f"{each.name}{' *' if each.decides else ''}" for each in self.new_figures]
        columns = [
            [each.text for each in self.new_figures],
            [each.text for each in self.present_figures] or ["-"] * len(names),
        ]
        first = max(map(len, names))
        widths = [max(len(head), 6) for head in heads]
        rows = [["", *heads], *map(list, zip(names, *columns, strict=True))]
        table = [
            "  ".join([row[0].ljust(first), row[1].rjust(widths[0]), row[2].rjust(widths[1])])
            for row in rows
        ]
        return [f"{self.new} for {self.present}, on {self.on}:", *table]
