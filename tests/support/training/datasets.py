"""Data sets that the tests draw themselves, in the layouts that `training` can read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from edge.common.arrays import Box, Pixels
from tests.support.training.forked_python import run_in_fork
from training.data.crops import Face

ROOT = Path(__file__).parents[3]
SKIN, CLOTH = (200, 150, 120), (40, 90, 220)
PLAIN_BOX: Box = (10.0, 20.0, 100.0, 100.0)


def face(label: str, rng: np.random.Generator, size_px: int = 64) -> Pixels:
    """Return a drawing of a face that fills its picture, (size, size, 3) uint8 RGB."""
    behind = rng.integers(20, 220, (3, 3, 3), np.uint8)  # so that the pictures differ clearly
    picture = np.asarray(cv2.resize(behind, (size_px, size_px)), np.uint8)
    middle = (size_px // 2, size_px // 2)
    skin = tuple(int(v) for v in rng.integers((150, 110, 90), (230, 180, 150)))
    cv2.ellipse(picture, middle, (size_px // 3, size_px * 2 // 5), 0, 0, 360, skin, -1)
    for x in (size_px // 3, size_px * 2 // 3):
        cv2.circle(picture, (x, size_px * 2 // 5), size_px // 14, (20, 20, 20), -1)
    low = (size_px // 2, size_px * 3 // 4)
    if label == "mask":
        cv2.ellipse(picture, low, (size_px // 3, size_px // 4), 0, 0, 360, (240, 245, 250), -1)
    elif label == "incorrect_mask":
        cv2.ellipse(picture, low, (size_px // 3, size_px // 8), 0, 0, 360, (240, 245, 250), -1)
    else:
        cv2.ellipse(picture, low, (size_px // 7, size_px // 20), 0, 0, 360, (190, 60, 60), -1)
    noisy = picture + rng.normal(0, 6, picture.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def plain_face(colour: tuple[int, int, int], label: str, annotated: bool = False) -> Face:
    """Return a `Face` in `PLAIN_BOX` of a picture of one colour, 140 px high and 120 px wide."""
    return Face(np.full((140, 120, 3), colour, np.uint8), PLAIN_BOX, label, annotated)


def pattern(size_px: int, seed: int = 0) -> Pixels:
    """Return a blurred pattern, (size, size, 3) uint8 RGB, that differs clearly for every seed."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    enlarged = cv2.resize(small, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.uint8)


def save(path: Path, picture: Pixels) -> None:
    """Write a picture, (h, w, 3) RGB, creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def kaggle(root: Path, per_class: int, seed: int = 0) -> Path:
    """Write {Train,Validation,Test}/{WithMask,WithoutMask} with `per_class` pictures in each."""
    rng = np.random.default_rng(seed)
    for split in ("Train", "Validation", "Test"):
        for folder, label in (("WithMask", "mask"), ("WithoutMask", "no_mask")):
            for index in range(per_class):
                save(root / split / folder / f"{index}.png", face(label, rng))
    return root


def portraits(folder: Path, count: int) -> Path:
    """Write `count` bare faces, named as CelebA names its portraits, from 000001.jpg on."""
    rng = np.random.default_rng(4)
    for number in range(1, count + 1):
        save(folder / f"{number:06}.jpg", face("no_mask", rng, 24))
    return folder


def classes(root: Path, folders: dict[str, str], per_class: int) -> Path:
    """Write one folder of pictures for each class; `folders` maps a folder's name to its label."""
    rng = np.random.default_rng(1)
    for folder, label in folders.items():
        for index in range(per_class):
            save(root / folder / f"{folder.replace('/', '_')}{index}.jpg", face(label, rng))
    return root


OBJECT = (
    "<object><name>{}</name><bndbox><xmin>{:g}</xmin><ymin>{:g}</ymin>"
    "<xmax>{:g}</xmax><ymax>{:g}</ymax></bndbox></object>"
)


def voc(root: Path, scenes: dict[str, list[tuple[str, Box]]], size_px: int = 200) -> Path:
    """Write a data set in Pascal VOC format: `scenes` maps picture names to (class, box) pairs."""
    rng = np.random.default_rng(2)
    (root / "annotations").mkdir(parents=True)
    for name, faces in scenes.items():
        picture = rng.integers(0, 256, (size_px, size_px, 3), np.uint8)
        for label, (x, y, w, h) in faces:
            drawn = face("mask" if label == "with_mask" else "no_mask", rng, int(w))
            picture[int(y) : int(y) + int(w), int(x) : int(x) + int(w)] = drawn
            assert h >= w
        save(root / "images" / f"{name}.png", picture)
        objects = "".join(OBJECT.format(label, x, y, x + w, y + h) for label, (x, y, w, h) in faces)
        (root / "annotations" / f"{name}.xml").write_text(f"<annotation>{objects}</annotation>")
    return root


def python(
    *arguments: str | Path,
    compiled: bool = True,
    timeout_s: float = 500,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE …` or `python -c CODE …` in the repository, with TensorFlow imported.

    `environment`: variables that are added to those of this process.

    With `compiled=False`, TensorFlow does not compile the training step. Compiling takes as much
    CPU time as a hundred steps of a small network, so this suits tests that train for a few steps
    only to have a model.

    TensorFlow must stay out of the tests' own process, where it would break tflite-runtime. A
    program that uses tflite-runtime itself, or that must behave as a user's process does from its
    first line on, needs `python_process`.
    """
    return run_in_fork([*map(str, arguments)], ROOT, compiled, timeout_s, environment)


def python_process(
    *arguments: str | Path, timeout_s: float = 500
) -> subprocess.CompletedProcess[str]:
    """Run `python …` in the repository, in a process that starts anew."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
