"""Annotated scenes searched with every configuration: which faces are found, at what cost.

Hits are grouped and dropped in the order of their support, so more neighbours only take
boxes away: those of `min_neighbors = k` are those of fewer whose support exceeds k. (In
OpenCV's `groupRectangles` a box is dropped for one around it with more hits, or, below
three hits, for any; `without_overlaps` drops it for a surer one. Neither can be undone by
dropping the less sure, and a test compares the two.) One search serves all counts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.bench.measure import one_opencv_thread
from edge.camera.image_files import read_image
from edge.common.arrays import Box, Pixels
from edge.common.errors import UserError
from edge.detection.face_detector import Face
from training.data.crops import CORRUPT_SHARE
from training.data.datasets import LABELS, DataSet, read_dataset
from training.data.detector_simulation import intersection_over_union
from training.data.progress import with_progress
from training.detector_sweep.grid import Configuration, Search

log = logging.getLogger(__name__)

#: A box is a face's when they share so much of what they cover together.
MIN_IOU = 0.3
#: Narrower annotated faces are not counted: neither missed nor, when found, false.
MIN_WIDTH_PX = 40.0


@dataclass(frozen=True)
class Scene:
    """An annotated picture: every box in it, in pixels, and its label if that is known."""

    path: Path
    boxes: tuple[Box, ...]
    labels: tuple[str | None, ...]


@dataclass(frozen=True)
class SearchResults:
    """What `configurations` made of `pictures` scenes that hold n faces worth counting.

    `label`, `scene` and `share` (n,): what each face is, in which scene, and how much of the
    picture's width it takes. `found` (configurations, n): whether. `false_boxes`
    (configurations, pictures): how many. `cpu_s` (configurations, pictures): time of one
    search on one thread, the same for all counts of neighbours.
    """

    configurations: tuple[Configuration, ...]
    label: npt.NDArray[np.str_]
    scene: npt.NDArray[np.int64]
    share: npt.NDArray[np.float64]
    found: npt.NDArray[np.bool_]
    false_boxes: npt.NDArray[np.int64]
    cpu_s: npt.NDArray[np.float64]

    @property
    def pictures(self) -> int:
        """How many scenes were searched."""
        return int(self.false_boxes.shape[1])


def read_scenes(roots: Sequence[Path]) -> list[Scene]:
    """The annotated pictures of `roots`; raises UserError for a folder that holds no scenes."""
    return [scene for root in roots for scene in _scenes(read_dataset(root, LABELS[3]))]


def draw_scenes(
    scenes: Sequence[Scene], limit: int | None, seed: int
) -> tuple[list[Scene], list[Scene]]:
    """`limit` of `scenes` drawn with `seed`, in their order, and the others; None: all."""
    count = len(scenes) if limit is None else min(limit, len(scenes))
    chosen = set(np.random.default_rng(seed).choice(len(scenes), count, replace=False).tolist())
    return (
        [scene for index, scene in enumerate(scenes) if index in chosen],
        [scene for index, scene in enumerate(scenes) if index not in chosen],
    )


def _scenes(data: DataSet) -> Iterator[Scene]:
    if data.layout != "voc":
        raise UserError(
            f"{data.root} holds no boxes: a detector is judged on scenes in which every face is"
            " annotated, images/ with annotations/*.xml (Pascal VOC)"
        )
    labels = {(sample.path, sample.box_px): sample.label for sample in data.samples}
    for path, boxes in data.boxes.items():
        yield Scene(path, boxes, tuple(labels.get((path, box)) for box in boxes))


def search_scenes(
    scenes: Sequence[Scene], configurations: Sequence[Configuration], seed: int
) -> SearchResults:
    """Search each scene with all of `configurations`, one after the other in a drawn order.

    So whatever else the machine does falls on all of them alike. Raises UserError when too
    many pictures cannot be decoded, or no face is wide enough to be counted.
    """
    rng = np.random.default_rng(seed)
    by_search: dict[Search, list[int]] = {}
    for index, each in enumerate(configurations):
        by_search.setdefault(each.search, []).append(index)
    fewest = min(each.min_neighbors for each in configurations)
    detectors = {search: Configuration(search, fewest).detector() for search in by_search}
    rows: list[_SceneResult] = []
    corrupt: list[str] = []
    with one_opencv_thread():
        for scene in with_progress(scenes, "searching", "picture"):
            try:
                image = read_image(scene.path)
            except UserError as error:
                corrupt.append(str(error))
                continue
            row = _SceneResult.of(scene, image, len(configurations))
            for number in rng.permutation(len(by_search)):
                search = list(by_search)[number]
                started_s = time.thread_time()
                boxes = detectors[search].find(image)
                spent_s = time.thread_time() - started_s
                for index in by_search[search]:
                    count = configurations[index].min_neighbors
                    row.take(index, filter_by_support(boxes, count, fewest), spent_s)
            rows.append(row)
    if len(corrupt) > CORRUPT_SHARE * len(scenes):
        raise UserError(f"{corrupt[0]} ({len(corrupt)} such of {len(scenes)} pictures)")
    for complaint in corrupt:
        log.warning("left out: %s", complaint)
    if not sum(row.counted.sum() for row in rows):
        raise UserError(f"no annotated face is {MIN_WIDTH_PX:g} px wide: nothing to count")
    return _combine(tuple(configurations), rows)


def filter_by_support(faces: Sequence[Face], count: int, fewest: int) -> list[Face]:
    """What a search with `min_neighbors = count` gives, of `faces` found with `fewest`.

    With a count of its own OpenCV lets through what has more hits than that.
    """
    assert count >= fewest
    return [face for face in faces if face.support > count]


def match_boxes(found: Sequence[Box], annotated: Sequence[Box]) -> dict[int, int]:
    """Indices in `annotated` by index in `found`: one to one, the best overlap first."""
    pairs = sorted(
        (-shared, i, j)
        for i, box in enumerate(found)
        for j, face in enumerate(annotated)
        if (shared := intersection_over_union(box, face)) > MIN_IOU
    )
    matches: dict[int, int] = {}
    for _, i, j in pairs:
        if i not in matches and j not in matches.values():
            matches[i] = j
    return matches


@dataclass(frozen=True)
class _SceneResult:
    """One scene and what became of it, as in `SearchResults`; `counted` (all its boxes,)."""

    scene: Scene
    counted: npt.NDArray[np.bool_]
    share: npt.NDArray[np.float64]
    found: npt.NDArray[np.bool_]
    false_boxes: npt.NDArray[np.int64]
    cpu_s: npt.NDArray[np.float64]

    @classmethod
    def of(cls, scene: Scene, image: Pixels, configurations: int) -> _SceneResult:
        widths_px = np.array([box[2] for box in scene.boxes], np.float64)
        known = np.array([label is not None for label in scene.labels], np.bool_)
        return cls(
            scene,
            known & (widths_px >= MIN_WIDTH_PX),
            widths_px / image.shape[1],
            np.zeros((configurations, len(scene.boxes)), np.bool_),
            np.zeros(configurations, np.int64),
            np.zeros(configurations, np.float64),
        )

    def take(self, index: int, faces: Sequence[Face], spent_s: float) -> None:
        matches = match_boxes([face.box_px for face in faces], self.scene.boxes)
        self.found[index, list(matches.values())] = True
        self.false_boxes[index] = len(faces) - len(matches)
        self.cpu_s[index] = spent_s


def _combine(
    configurations: tuple[Configuration, ...], rows: Sequence[_SceneResult]
) -> SearchResults:
    labels = [
        str(label)
        for row in rows
        for label, counts in zip(row.scene.labels, row.counted, strict=True)
        if counts
    ]
    return SearchResults(
        configurations,
        np.array(labels),
        np.repeat(np.arange(len(rows)), [int(row.counted.sum()) for row in rows]),
        np.concatenate([row.share[row.counted] for row in rows]),
        np.concatenate([row.found[:, row.counted] for row in rows], axis=1),
        np.stack([row.false_boxes for row in rows], axis=1),
        np.stack([row.cpu_s for row in rows], axis=1),
    )
