"""Annotated scenes searched with every configuration: which faces are found, and at what cost.

One search of the cascade gives the results for all numbers of neighbours. A higher number of
neighbours only removes boxes: the boxes with `min_neighbors = k` are those boxes of a search with a
lower number whose support exceeds k.

The reason is that a box is dropped only in favour of a box with more support. OpenCV's
`groupRectangles` drops a box that is inside of a box with more hits, or, if it has fewer than three
hits, inside of any other box; `without_overlaps` drops a box that overlaps with a box of more
support. So removing the boxes with little support never restores a dropped box. A test compares the
results with those of a separate search for each number of neighbours.
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
from edge.camera.pictures.image_files import read_image
from edge.common.arrays import Box, Pixels
from edge.common.errors import UsageError, UserError
from edge.detection.face_detector import Face, Finder
from training.data.crops import CORRUPT_SHARE
from training.data.datasets import BOXED, LABELS, DataSet, read_dataset
from training.data.detector_simulation import intersection_over_union
from training.data.progress import with_progress
from training.data.splits import Split, split_of
from training.detector_sweep.grid import Configuration, NetworkSearch, Search

log = logging.getLogger(__name__)

#: A detected box and an annotated face match if their IoU is above this.
MIN_IOU = 0.3
#: Narrower annotated faces are ignored: neither missing nor finding them counts as an error.
MIN_WIDTH_PX = 40.0


@dataclass(frozen=True)
class Scene:
    """An annotated picture: all its boxes, in pixels, and the label of each box, or None if
    unknown.
    """

    path: Path
    boxes: tuple[Box, ...]
    labels: tuple[str | None, ...]


@dataclass(frozen=True)
class SearchResults:
    """The results of `configurations` on `pictures` scenes with n faces that are counted.

    `label`, `scene` and `share` (n,): the label of each face, its scene, and the share of the
    picture's width that it takes. `found` (configurations, n): whether the face was found.
    `false_boxes` (configurations, pictures): the number of false boxes. `cpu_s` (configurations,
    pictures): the time of one search on one thread, the same for all numbers of neighbours.
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
        """The number of scenes searched."""
        return int(self.false_boxes.shape[1])


def read_scenes(roots: Sequence[Path], split: Split | None) -> list[Scene]:
    """Return the annotated pictures of one split of `roots`, or of all splits if it is None.

    Raises UserError for a folder without boxes, and UsageError if the split has no picture.
    """
    scenes = [scene for root in roots for scene in _scenes(read_dataset(root, LABELS[3]))]
    return scenes_in(scenes, split)


def scenes_in(scenes: Sequence[Scene], split: Split | None) -> list[Scene]:
    """Return those of `scenes` in one split, or all if it is None; raises UsageError if there are
    none.
    """
    chosen = [each for each in scenes if split in (None, split_of(each.path.name))]
    if not chosen:
        raise UsageError(f"the {split} split of all data together has no picture: give --split all")
    return chosen


def draw_scenes(
    scenes: Sequence[Scene], limit: int | None, seed: int
) -> tuple[list[Scene], list[Scene]]:
    """Draw `limit` of `scenes` with `seed`, or all if `limit` is None.

    Returns the drawn scenes and the other ones, both in their original order.
    """
    count = len(scenes) if limit is None else min(limit, len(scenes))
    chosen = set(np.random.default_rng(seed).choice(len(scenes), count, replace=False).tolist())
    return (
        [scene for index, scene in enumerate(scenes) if index in chosen],
        [scene for index, scene in enumerate(scenes) if index not in chosen],
    )


def _scenes(data: DataSet) -> Iterator[Scene]:
    if data.layout not in BOXED:
        raise UserError(
            f"{data.root} holds no boxes: a detector is measured on photographs in which every face"
            " is annotated, images/ with annotations/*.xml (Pascal VOC)"
        )
    labels = {(sample.path, sample.box_px): sample.label for sample in data.samples}
    for path, boxes in data.boxes.items():
        yield Scene(path, boxes, tuple(labels.get((path, box)) for box in boxes))


def search_scenes(
    scenes: Sequence[Scene],
    configurations: Sequence[Configuration],
    seed: int,
    total: int | None = None,
) -> SearchResults:
    """Search each scene with all of `configurations`, one after the other in random order.

    The random order makes other load on the machine affect all configurations alike. Raises
    UserError if more than `CORRUPT_SHARE` of the pictures cannot be decoded, or if no face is wide
    enough to be counted. `total`: the number of pictures of the data sets, of which `scenes` may be
    a part.
    """
    rng = np.random.default_rng(seed)
    by_search: dict[Search | NetworkSearch, list[int]] = {}
    for index, each in enumerate(configurations):
        by_search.setdefault(each.search, []).append(index)
    detectors = {
        search: _loosest([configurations[index] for index in members]).detector()
        for search, members in by_search.items()
    }
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
                faces, spent_s = _timed_search(detectors[search], image)
                for index in by_search[search]:
                    kept = [face for face in faces if configurations[index].keeps(face)]
                    row.take(index, kept, spent_s)
            rows.append(row)
    total = total or len(scenes)
    if len(corrupt) > CORRUPT_SHARE * total:
        raise UserError(
            f"{corrupt[0]}; {len(corrupt)} of {total} pictures are unreadable, so the download is"
            " broken"
        )
    for reason in corrupt:
        log.warning("left out a picture: %s", reason)
    if not sum(row.counted.sum() for row in rows):
        raise UserError(f"no annotated face is at least {MIN_WIDTH_PX:g} px wide")
    return _combine(tuple(configurations), rows)


def _timed_search(detector: Finder, image: Pixels) -> tuple[list[Face], float]:
    """Return the faces found in `image`, and the CPU time of this thread in seconds."""
    started_s = time.thread_time()
    faces = detector.find(image)
    return faces, time.thread_time() - started_s


def _loosest(several: Sequence[Configuration]) -> Configuration:
    """Return the one of several configurations with the same search that finds the most."""
    return min(several, key=lambda each: each.settings().min_neighbors)


def match_boxes(found: Sequence[Box], annotated: Sequence[Box]) -> dict[int, int]:
    """Match boxes one to one, the best overlap first.

    Returns, for the index in `found` of each matched box, its index in `annotated`.
    """
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
    """One scene and its results, as in `SearchResults`.

    `counted`: for each annotated box, whether the metrics count it.
    """

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
