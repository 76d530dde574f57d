"""`mask-patrol detect`: finds and classifies the faces in pictures."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge.camera.orientation import Orientation
from edge.camera.pictures.image_files import read_image
from edge.camera.pictures.picture_list import list_pictures
from edge.classification.classifier import load_classifier
from edge.classification.unsure import UNSURE, unsure_rule
from edge.common.arrays import Pixels
from edge.common.errors import UsageError, UserError
from edge.common.file_access import write_problem
from edge.common.paths import kind_of
from edge.common.percentages import format_percent
from edge.config.settings import Settings
from edge.detection.annotate import LABEL_TEXT, annotated
from edge.detection.still_images import (
    StillFace,
    as_record,
    classify_whole_image,
    find_faces,
    still_detector,
)


@dataclass(frozen=True)
class DetectOptions:
    """The options of the command line.

    `images` are pictures and folders of pictures; `out` is the folder for annotated copies.
    """

    images: Sequence[Path]
    as_json: bool = False
    out: Path | None = None
    crop: bool = False


def detect(settings: Settings, options: DetectOptions) -> int:
    """Process each picture and print the result; return 1 when one of them failed, else 0.

    The pictures are those of the camera, so they are turned as its settings say; a face that is
    already cut out is not.
    """
    orientation = Orientation.of(settings.camera)
    classifier = load_classifier(settings)
    rule = unsure_rule(settings.events, classifier.answer)
    detector = still_detector(settings)
    paths, failed = _pictures(options.images)
    out = _AnnotatedCopies(options.out, paths) if options.out else None
    for path in paths:
        try:
            image = read_image(path)
            if not options.crop:
                image = orientation.apply(image)
            faces = (
                [classify_whole_image(image, classifier, rule)]
                if options.crop
                else find_faces(image, detector, classifier, rule)
            )
            sys.stdout.write(
                json.dumps(as_record(path, image, faces)) + "\n"
                if options.as_json
                else _line(path, faces)
            )
            if out is not None:
                out.write(path, annotated(image, faces))
        except UserError as error:
            failed = True
            _report(error)
    return int(failed)


def _pictures(named: Sequence[Path]) -> tuple[list[Path], bool]:
    """Return `named` with the pictures of each folder in its place, and whether one failed."""
    paths, failed = [], False
    for path in named:
        try:
            paths += list_pictures(path) if kind_of(path) == "folder" else [path]
        except UserError as error:
            failed = True
            _report(error)
    return paths, failed


def _report(error: UserError) -> None:
    sys.stderr.write(f"mask-patrol: {error}\n")


def _line(path: Path, faces: Sequence[StillFace]) -> str:
    if not faces:
        return f"{path}: no face found\n"
    words = (
        f"{_description(f)} at {f.box_px[0]},{f.box_px[1]} {f.box_px[2]}x{f.box_px[3]}"
        for f in faces
    )
    return f"{path}: {'; '.join(words)}\n"


def _description(face: StillFace) -> str:
    """Return the label and its score, such as `mask 99%` or `unsure (mask 84%)`."""
    label = face.scores.label if face.label == UNSURE else face.label
    best = f"{LABEL_TEXT[label]} {format_percent(face.score)}"
    return f"{UNSURE} ({best})" if face.label == UNSURE else best


class _AnnotatedCopies:
    """A folder of annotated copies, named like the originals.

    A copy overwrites neither another copy nor an original: its name gets a number instead.
    """

    def __init__(self, folder: Path, originals: Sequence[Path]) -> None:
        self._folder = folder
        self._taken = {path.resolve() for path in originals}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot create the folder {folder}: {write_problem(error)}") from None

    def write(self, original: Path, picture: Pixels) -> None:
        suffix = original.suffix.lower()
        suffix = suffix if suffix in {".jpg", ".jpeg", ".png", ".webp", ".bmp"} else ".png"
        target, count = self._folder / f"{original.stem}{suffix}", 1
        while target.resolve() in self._taken:
            count += 1
            target = self._folder / f"{original.stem}-{count}{suffix}"
        self._taken.add(target.resolve())
        encoded, code = cv2.imencode(suffix, picture)
        if not encoded:
            raise UserError(f"cannot write {target}: the picture is too large for {suffix}")
        try:
            target.write_bytes(code.tobytes())
        except OSError as error:
            raise UserError(f"cannot write {target}: {write_problem(error)}") from None
