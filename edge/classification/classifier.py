"""The classifier: runs a TFLite model on face crops, as the card of the model specifies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.classification.face_crop import crop_face, resize_crop
from edge.classification.model_card import Card, read_card
from edge.common.arrays import Box, Pixels
from edge.common.errors import UserError
from edge.common.paths import shipped_model, user_path
from edge.config.settings import ClassifierSettings, EventSettings
from edge.inference.interpreter import load_interpreter
from edge.inference.model_file import digest, read_model

CHANNELS = 3


def load_classifier(settings: ClassifierSettings) -> Classifier:
    """Load the configured model, or else the shipped one; raises UserError like `Classifier`."""
    path = user_path(settings.model) if settings.model else shipped_model()
    return Classifier(path, settings.threads)


def alert_threshold(settings: EventSettings, card: Card) -> float:
    """Return the configured alert threshold, or else that of the model's card."""
    configured = settings.alert_threshold
    return card.alert.threshold if configured is None else configured


def alert_labels(settings: EventSettings, classifier: Classifier) -> tuple[str, ...]:
    """Return the labels that raise an alert.

    Raises UserError with the names of the labels in `alert_on` that the model lacks.
    """
    labels = classifier.card.labels
    if missing := [label for label in settings.alert_on if label not in labels]:
        raise UserError(
            f"`events.alert_on` contains {', '.join(missing)}, but the labels of the model are"
            f" {', '.join(labels)}; models/mask3.tflite has incorrect_mask (set classifier.model)"
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


class Classifier:
    """A `.tflite` model with its card, loaded once and run on one crop at a time."""

    def __init__(self, path: Path, threads: int = 1, runtime: str | None = None) -> None:
        """Load the model file `path`; `runtime` is as in `load_interpreter`.

        Raises UserError if the file cannot be read or loaded, if its card is missing or invalid,
        or if its tensors do not match the card.
        """
        model = read_model(path, "model", "classifier.model")
        self.card: Card = read_card(model, path)
        self.digest = digest(model)
        interpreter, self.runtime = load_interpreter(model, threads, runtime)
        self._interpreter: Any = interpreter
        self._input = interpreter.get_input_details()[0]
        self._output = interpreter.get_output_details()[0]
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
        self._interpreter.set_tensor(self._input["index"], pixels[np.newaxis])
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output["index"])[0]
        scale, zero_point = self._output["quantization"]
        values = (raw.astype(np.float32) - zero_point) * scale if scale else raw
        return Scores({k: float(v) for k, v in zip(self.card.labels, values, strict=True)})

    def _check_tensors(self, path: Path) -> None:
        for field, tensor, shape, dtypes in (
            ("input", self._input, [1, *self._size_px, CHANNELS], (np.uint8,)),
            ("labels", self._output, [1, len(self.card.labels)], (np.uint8, np.int8, np.float32)),
        ):
            actual, dtype = tensor["shape"].tolist(), tensor["dtype"]
            if actual != shape or dtype not in dtypes:
                raise UserError(
                    f"the card of {path} does not match the model: according to"
                    f" `{field}` the tensor must be {shape} {'/'.join(d.__name__ for d in dtypes)},"
                    f" but it is {actual} {dtype.__name__}"
                )
