"""The settings that every training run has, whatever it trains."""

from __future__ import annotations

from dataclasses import Field
from typing import Any, ClassVar, Protocol


class Schedule(Protocol):
    """A frozen dataclass with the length of a run, its optimizer, and its early stop."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def epochs(self) -> int:
        """The largest number of epochs."""

    @property
    def patience(self) -> int:
        """The number of epochs without a better validation score after which the run stops."""

    @property
    def batch(self) -> int:
        """The number of samples in a batch."""

    @property
    def seed(self) -> int:
        """The seed of all random numbers of the run."""

    @property
    def learning_rate(self) -> float:
        """The peak learning rate."""

    @property
    def warm_up_epochs(self) -> float:
        """The number of epochs in which the learning rate rises to its peak."""

    @property
    def weight_decay(self) -> float:
        """The weight decay of AdamW."""

    @property
    def average(self) -> float:
        """The decay of the moving average of the weights."""
