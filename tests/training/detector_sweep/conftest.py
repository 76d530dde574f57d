"""Boxed photographs that several tests of the detector sweep share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.common.arrays import Box
from tests.support.footage.demo_frames import demo_frames, faces_in
from tests.support.training import datasets


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return frames of the demo clip, with a box for each face that the shipped detector finds.

    Each frame has two more boxes: one without a face, and one that is too narrow to be counted.
    """
    root = tmp_path_factory.mktemp("data") / "scenes"
    (root / "annotations").mkdir(parents=True)
    for index, image in enumerate(f for f in demo_frames(12, 20) if faces_in(f)):
        datasets.save(root / "images" / f"{index}.png", np.ascontiguousarray(image[:, :, ::-1]))
        objects_in: list[tuple[str, Box]] = [("without_mask", box) for box in faces_in(image)]
        objects_in += [
            ("with_mask", (2.0, 2.0, 60.0, 60.0)),
            ("with_mask", (80.0, 2.0, 30.0, 30.0)),
        ]
        objects = "".join(
            datasets.OBJECT.format(label, x, y, x + w, y + h) for label, (x, y, w, h) in objects_in
        )
        (root / "annotations" / f"{index}.xml").write_text(f"<annotation>{objects}</annotation>")
    return root
