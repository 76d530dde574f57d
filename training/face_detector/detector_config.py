"""The settings of one training run of the face detector."""

from __future__ import annotations

from dataclasses import dataclass

from edge.detection.point_grid import InputSize


@dataclass(frozen=True)
class DetectorConfig:
    """The settings of a run: with the same data, the same settings give the same model."""

    epochs: int = 40
    batch: int = 32
    seed: int = 1
    width: int = 320  # as wide as the picture that the daemon searches with the Haar cascade
    height: int = 240
    channels: int = 1  # 1 is luma, the only plane that a night camera has
    limit: int | None = None  # maximum number of training pictures; None: all
    learning_rate: float = 1.2e-2  # the peak rate of AdamW, for batches of 32
    warm_up_epochs: float = 1.0
    weight_decay: float = 0.01
    average: float = 0.998  # decay of the moving average of the weights: about the last 500 steps
    # The run stops after this many epochs without a better validation score. Most of the gain comes
    # in the last third, while the learning rate falls; before, the score hardly rises.
    patience: int = 30
    start_sha256: str = ""  # of the model whose weights are the start, if any

    @property
    def size(self) -> InputSize:
        """The size of the network's input."""
        return InputSize(self.width, self.height, self.channels)
