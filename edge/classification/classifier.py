"""The classifier: runs a TFLite model on face crops, as the card of the model specifies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.classification.answer import Answer, answer_of, scores_among
from edge.classification.face_crop import crop_face, resize_crop
from edge.classification.model_card import Card, read_card
from edge.common.arrays import Box, Pixels
from edge.common.errors import UserError
from edge.common.paths import shipped_model, user_path
from edge.config.settings import ClassifierSettings, EventSettings, Settings
from edge.inference.model_file import digest, read_model
from edge.inference.network import Network, require_model_trial
from edge.inference.shipped_variant import shipped_variant

CHANNELS = 3


def load_classifier(settings: Settings) -> Classifier:
    """Load the configured model, or else the fastest variant of the shipped one.

    Raises UserError like `Classifier`, and if the model has fewer labels than `classifier.classes`.
    """
    classifier = _load(settings.classifier, two_labels=settings.classes == 2)
    labels = classifier.answer.labels
    if len(labels) < (settings.classifier.classes or 0):
        raise UserError(
            f"`classifier.classes` is {settings.classifier.classes}, but the labels of"
            f" {classifier.path} are {', '.join(labels)}: remove this setting, or use a model with"
            " the label incorrect_mask (an empty `classifier.model` selects the shipped one)"
        )
    return classifier


def _load(settings: ClassifierSettings, two_labels: bool) -> Classifier:
    if settings.model:
        return Classifier(user_path(settings.model), settings.threads, two_labels=two_labels)
    found = Classifier(shipped_model(), settings.threads, two_labels=two_labels)
    if variant := shipped_variant(found.runtime):
        return Classifier(shipped_model(variant), settings.threads, two_labels=two_labels)
    return found


def alert_threshold(settings: EventSettings, answer: Answer) -> float:
    """Return the configured alert threshold, or else that of the model's answer."""
    configured = settings.alert_threshold
    return answer.alert.threshold if configured is None else configured


def alert_labels(settings: EventSettings, classifier: Classifier) -> tuple[str, ...]:
    """Return the labels that raise an alert.

    Raises UserError with the names of the labels in `alert_on` that the model does not answer with.
    """
    labels = classifier.answer.labels
    if missing := [label for label in settings.alert_on if label not in labels]:
        raise UserError(
            f"`events.alert_on` contains {', '.join(missing)}, but the labels of the model are"
            f" {', '.join(labels)}: remove it from this setting, or use a model with this label (an"
            " empty `classifier.model` selects the shipped one)"
        )
    return settings.alert_on


@dataclass(frozen=True)
class Scores:
    """The result of the model for one crop: a score per label; the scores add up to about 1."""

    by_label: dict[str, float]

    @property
    def label(self) -> str:
        """The label with the highest score."""
        return max(self.by_label, key=lambda label: self.by_label[label])

    @property
    def score(self) -> float:
        """The score of `label`, 0 to 1."""
        return self.by_label[self.label]

    def total(self, labels: Sequence[str]) -> float:
        """Return the sum of the scores of `labels`; a label that the model lacks scores 0."""
        return sum(self.by_label.get(label, 0.0) for label in labels)


class Classifier:
    """A `.tflite` model with its card, loaded once and run on one crop at a time.

    `card` is that of the file; `answer` has the labels and the thresholds that apply.
    """

    def __init__(
        self, path: Path, threads: int = 1, runtime: str | None = None, two_labels: bool = False
    ) -> None:
        """Load the model file `path`; `runtime` is as in `load_interpreter`.

        With `two_labels`, a model of three labels answers among `mask` and `no_mask` alone. A model
        whose card has no digest is tried in a child process first.

        Raises UserError if the file is damaged or cannot be read or loaded, if its card is missing
        or invalid, or if its tensors do not match the card.
        """
        self.path = path
        model = read_model(path, "model", "classifier.model")
        self.card: Card = read_card(model, path)
        self.answer = answer_of(self.card, two_labels)
        self.digest = digest(model)
        if self.card.flatbuffer_sha256 is None:
            runtime = require_model_trial(model, path, threads, runtime)
        self._network = Network(model, path, threads, runtime)
        self.runtime = self._network.runtime
        self._size_px = (self.card.input.height, self.card.input.width)
        self._check_tensors(path)

    def classify(self, image_rgb: Pixels, box_px: Box) -> Scores:
        """Return the scores of the face in `box_px` of `image_rgb`, (height, width, 3) uint8."""
        return self._infer(self.crop(image_rgb, box_px))

    def crop(self, image_rgb: Pixels, box_px: Box) -> Pixels:
        """Return the crop of `box_px` that the model gets, (input height, width, 3) uint8 RGB."""
        return crop_face(image_rgb, box_px, self.card.framing.margin, self._size_px)

    def classify_crop(self, crop_rgb: Pixels) -> Scores:
        """Return the scores of a face crop, (height, width, 3) uint8 RGB of any size."""
        fits = crop_rgb.shape[:2] == self._size_px
        return self._infer(crop_rgb if fits else resize_crop(crop_rgb, self._size_px))

    def _infer(self, pixels: Pixels) -> Scores:
        if self.card.input.colour == "BGR":
            pixels = pixels[:, :, ::-1]
        self._network.run(pixels[np.newaxis])
        (tensor,) = self._network.outputs
        values = tensor.real(self._network.output(tensor)[0])
        labels = self.answer.labels
        values = scores_among(values, tuple(self.card.labels), labels)
        return Scores({k: float(v) for k, v in zip(labels, values, strict=True)})

    def _check_tensors(self, path: Path) -> None:
        outputs = self._network.outputs
        if len(outputs) != 1:
            raise UserError(
                f"{path} is not a classifier: it has {len(outputs)} outputs instead of one"
            )
        for field, tensor, shape, dtypes in (
            ("input", self._network.input, (1, *self._size_px, CHANNELS), ("uint8",)),
            ("labels", outputs[0], (1, len(self.card.labels)), ("uint8", "int8", "float32")),
        ):
            if tensor.shape != shape or tensor.dtype.name not in dtypes:
                raise UserError(
                    f"the card of {path} does not match the model: according to `{field}` the"
                    f" tensor must be {list(shape)} {'/'.join(dtypes)}, but it is"
                    f" {list(tensor.shape)} {tensor.dtype.name}"
                )
