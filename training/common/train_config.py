"""The settings of one training run, each with its reason in a comment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a run: with the same data, the same settings give the same model."""

    epochs: int = 40  # the validation score still improves slowly after 30 epochs
    batch: int = 128
    seed: int = 1
    limit: int | None = None  # maximum number of faces of each data set; None: all
    classes: int = 2
    net: str = "medium"  # A key of `training.network.model.NETS`.
    learning_rate: float = 3e-3  # The peak rate of AdamW, for batches of 128.
    warm_up_epochs: float = 1.0
    weight_decay: float = 0.02
    # With 1, all labels of a data set have the same total weight; with 0, every face has the same
    # weight. Trained with 1, the model predicted `incorrect_mask`, which is rare, for twice as many
    # faces as have this label.
    balance: float = 0.5
    label_smoothing: float = 0.05  # A few per cent of the labels of scenes are wrong.
    average: float = 0.998  # Decay of the moving average of the weights: about the last 500 steps.
    # How often a boxed face is drawn per epoch: boxed faces are few, and they are most similar to
    # the faces that the daemon sees.
    annotated_draws: float = 3.0
    # How often each face of a data set is drawn per epoch, by the data set's name. The default is
    # annotated_draws for boxed faces and 1 for others.
    draws: dict[str, float] = field(default_factory=dict)
    # How many times as often faces of dark skin are drawn: they are rare in all data sets.
    dark_draws: float = 1.0
    # The `style` of `training.augmentation.augment.augment`; 0 trains without these changes, for
    # comparison.
    style: float = 1.0
    put_on: float = 0.15  # Share of the bare-face samples that get a synthetic mask.
    empty_draws: float = 1.0  # How often a box without a face is drawn per epoch.
    # How many boxes without a face, such as walls and clothes, are taken from each scene.
    empty_per_picture: int = 2
    # The target of boxes without a face for each label that can raise an alert; the rest is `mask`.
    # With 0.3 the network still gave hands and wheels scores above the alert threshold.
    empty_alert: float = 0.1
    keep_last: bool = False  # Write the model of the last epoch, not of the best one.
    corrections: str = ""  # Digest of the file of corrected labels.
    start: str = ""  # Digest of the model whose weights the run starts from.
    teacher: str = ""  # Digest of the model whose outputs are targets as well.
    # Share of the loss that compares with the teacher's outputs, if there is a teacher.
    teacher_share: float = 0.7
    patience: int = 12  # the run stops after this many epochs without a better validation score


def recorded_config(recorded: Mapping[str, Any]) -> TrainConfig:
    """Return the settings that a report contains, without those that no longer exist."""
    known = {each.name for each in fields(TrainConfig)}
    return TrainConfig(**{name: value for name, value in recorded.items() if name in known})
