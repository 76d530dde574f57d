"""The settings of one training run, with the reason at the end of the line."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TrainConfig:
    """What decides a run besides its data: the same settings give the same model."""

    epochs: int = 40  # still improving slowly at 30
    batch: int = 128
    seed: int = 1
    limit: int | None = None  # faces per data set, for a quick trial
    classes: int = 2
    net: str = "small"  # of `training.network.model.NETS`
    learning_rate: float = 3e-3  # the peak; AdamW with batches of 128
    warm_up_epochs: float = 1.0
    weight_decay: float = 0.02
    # 1: in each data set the labels weigh the same; 0: as often as they occur. At 1 the few
    # masks worn wrongly were said of twice as many faces as wear one.
    balance: float = 0.5
    label_smoothing: float = 0.05  # scenes' labels are a few per cent wrong
    average: float = 0.998  # of the weights: about the last 500 steps
    annotated_draws: float = 3.0  # looks per epoch at a face from a scene: they are few and count
    draws: dict[str, float] = field(default_factory=dict)  # by data set, instead of 1 or the above
    style: float = 1.0  # of `training.augmentation.augment.augment`: 0 shows what its absence costs
    put_on: float = 0.15  # of the looks at a bare face: a mask put on it, rightly or not
    empty_draws: float = 1.0
    empty_per_picture: int = 2  # what a detector falsely takes for a face: walls and clothes
    empty_no_mask: float = 0.3  # their target: unsure, and on the quiet side
    corrections: str = ""  # the digest of the file of labels read again
    start: str = ""  # the digest of the model whose weights the run begins with
    teacher: str = ""  # the digest of the model whose answers are learnt too
    teacher_share: float = 0.7  # of the loss, when there is a teacher; the labels get the rest
    patience: int = 12  # epochs without a better validation score, after which a run stops
