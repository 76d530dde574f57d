from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from edge.camera.source import Frame
from edge.common.arrays import Box, Pixels
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import Face, FaceDetector
from edge.detection.face_search import (
    BESIDE_EVERY_S,
    BODIES_EVERY_S,
    MAX_FOLLOWED,
    MOTION_EVERY_S,
    REPEAT_AFTER_S,
    FaceSearch,
)
from edge.detection.luma import Luma
from edge.detection.thumbnail import make_thumbnail
from tests.support.footage.grey_scenes import hall, photograph, with_person

FPS = 10.0


class KnownFaces:
    """A detector that finds each face in `faces` if it searches the place of that face."""

    name = "known faces"

    def __init__(self) -> None:
        self.faces: list[Box] = []
        self.searches: list[str] = []
        self.reaches: list[float] = []
        self.conversions = 0

    def find(self, image_bgr: Pixels) -> list[Face]:
        return [Face(box, 10) for box in self.faces]

    def to_luma(self, frame: Frame) -> Luma:
        self.conversions += 1
        return Luma(np.ascontiguousarray(frame.image_bgr[:, :, 0]), 1.0)

    def search(self, luma: Luma) -> list[Face]:
        self.searches.append("full")
        return [Face(box, 10) for box in self.faces]

    def search_region(self, luma: Luma, region: Box) -> list[Face]:
        self.searches.append("part")
        (height, width), (x, y, w, h) = luma.pixels.shape, region
        left, top, right, bottom = x * width, y * height, (x + w) * width, (y + h) * height
        return [
            Face(box, 10)
            for box in self.faces
            if left <= box[0] and top <= box[1]
            and box[0] + box[2] <= right and box[1] + box[3] <= bottom
        ]  # fmt: skip

    def search_near(self, luma: Luma, box_px: Box, reach: float) -> list[Face]:
        self.reaches.append(reach)
        self.searches.append("near" if reach < 1.0 else "far")
        return [Face(b, 10) for b in self.faces if abs(b[0] - box_px[0]) <= reach * box_px[2]]


class Scene:
    """A face search that gets ten frames a second."""

    def __init__(self, follows: bool = True, regions: bool = True, **settings: float) -> None:
        self.detector = KnownFaces()
        parts = FaceDetector(
            finder=self.detector,
            regions=self.detector if regions else None,
            follower=self.detector if follows else None,
        )
        self.search = FaceSearch(parts, DetectorSettings(**settings))
        self.at_s = 0.0
        self.found: list[Face] = []
        self._rng = np.random.default_rng(3)

    def show(
        self,
        picture: Pixels,
        predicted: Sequence[Box] = (),
        times: int = 1,
        settled: bool = False,
    ) -> list[str]:
        """How each frame was searched: full, part, near or none."""
        kinds = []
        for _ in range(times):
            before = dict(self.search.counts)
            noisy = photograph(picture, self._rng)
            frame = Frame(np.repeat(noisy[:, :, None], 3, axis=2), self.at_s, 0)
            self.found = self.search.find(frame, make_thumbnail(frame), predicted, settled)
            self.at_s += 1.0 / FPS
            (kind,) = [k for k, n in self.search.counts.items() if n > before[k]]
            kinds.append(kind)
        return kinds


@functools.cache
def _empty_for_40_seconds(
    follows: bool, regions: bool, settings: tuple[tuple[str, float], ...]
) -> Scene:
    scene = Scene(follows, regions, **dict(settings))
    scene.show(hall(), times=400)
    return scene


def still_scene(follows: bool = True, regions: bool = True, **settings: float) -> Scene:
    """A hall that has been empty for 40 seconds, which are computed only once."""
    chosen = tuple(sorted(settings.items()))
    return copy.deepcopy(_empty_for_40_seconds(follows, regions, chosen))


def just_searched_scene() -> Scene:
    """A still scene in which no full search is due for a long time."""
    scene = still_scene(full_every_s=60.0, rest_every_s=60.0)
    assert scene.show(hall(), times=5) == ["none"] * 5
    return scene


FACE: Box = (140.0, 60.0, 40.0, 40.0)


@pytest.mark.slow
def test_still_scene_is_searched_at_rest_interval() -> None:
    scene = still_scene(rest_every_s=3.0)
    kinds = scene.show(hall(), times=90)
    assert kinds.count("full") == 3
    assert kinds.count("none") == 87


def test_frame_without_search_is_not_converted() -> None:
    scene = still_scene(rest_every_s=60.0)
    conversions = scene.detector.conversions
    assert scene.show(hall(), times=10) == ["none"] * 10
    assert scene.detector.conversions == conversions


@pytest.mark.slow
def test_searches_of_a_still_scene_become_rarer() -> None:
    scene = Scene(rest_every_s=15.0)
    kinds = scene.show(hall(), times=600)
    searched_s = [at / FPS for at, kind in enumerate(kinds) if kind == "full"]
    assert searched_s[:2] == [0.0, pytest.approx(1.0, abs=0.11)]
    gaps_s = np.diff(searched_s)
    assert len(gaps_s) >= 5
    assert all(later >= gap - 0.11 for gap, later in pairwise(gaps_s))
    assert max(gaps_s) == pytest.approx(15.0, abs=0.11)
    assert set(kinds) == {"full", "none"}


def test_arriving_person_is_found_at_once() -> None:
    scene = just_searched_scene()
    scene.detector.faces = [(152.0, 61.0, 20.0, 20.0)]
    assert scene.show(with_person(hall(), 150)) == ["part"]
    assert [face.box_px for face in scene.found] == scene.detector.faces


def test_continuous_motion_is_searched_at_intervals() -> None:
    scene = just_searched_scene()
    kinds = [scene.show(with_person(hall(), 100 + 6 * n))[0] for n in range(20)]
    gap = round(MOTION_EVERY_S * FPS + 0.5)
    assert kinds[::gap] == ["part"] * len(kinds[::gap])
    assert "full" not in kinds


def test_standing_object_is_searched_once_then_in_full_searches() -> None:
    """The object is a chair, or a person who stands still and is missed."""
    scene = still_scene(full_every_s=3.0, rest_every_s=60.0)
    kinds = scene.show(with_person(hall(), 150), times=100)
    assert kinds[0] in ("part", "full")
    assert kinds.count("part") <= 2
    assert 3 <= kinds.count("full") <= 6


@pytest.mark.slow
def test_tracked_face_is_searched_nearby_and_in_full_searches() -> None:
    scene = still_scene(full_every_s=0.5)
    scene.detector.faces = [FACE]
    kinds = scene.show(hall(), [FACE], times=50)
    assert kinds.count("full") in (9, 10)
    assert kinds.count("full") + kinds.count("near") == 50


@pytest.mark.slow
def test_lost_face_is_searched_farther_away() -> None:
    scene = still_scene(full_every_s=60.0)
    scene.detector.faces = [FACE]
    scene.show(hall(), [FACE], times=20)
    moved: Box = (185.0, 60.0, 40.0, 40.0)
    scene.detector.faces, scene.detector.searches = [moved], []
    assert scene.show(hall(), [FACE]) == ["near"]
    assert scene.detector.searches == ["near", "far"]
    assert [face.box_px for face in scene.found] == [moved]
    scene.detector.faces, scene.detector.searches = [], []
    scene.show(hall(), [FACE], times=9)
    assert 4 <= scene.detector.searches.count("far") <= round(0.9 / MOTION_EVERY_S)


@pytest.mark.slow
def test_person_beside_a_tracked_one_is_found() -> None:
    face: Box = (20.0, 60.0, 30.0, 30.0)
    scene = still_scene(full_every_s=60.0)
    scene.detector.faces = [face]
    scene.show(hall(), [face], times=10)
    scene.detector.faces.append((202.0, 61.0, 20.0, 20.0))
    beside = [with_person(hall(), 200 + 3 * n) for n in range(10)]
    kinds = [scene.show(beside[0], [face])[0]]
    assert kinds == ["part"]
    assert [each.box_px for each in scene.found] == scene.detector.faces
    kinds += [scene.show(picture, [face])[0] for picture in beside[1:]]
    assert 2 <= kinds.count("part") <= 1 + round(10 / FPS / BESIDE_EVERY_S)


@pytest.mark.slow
def test_body_of_a_tracked_person_is_searched_less_often() -> None:
    face: Box = (20.0, 60.0, 30.0, 30.0)
    scene = still_scene(full_every_s=60.0)
    scene.detector.faces = [face]
    scene.show(hall(), [face], times=30)
    moving = [with_person(hall(), 10 + 2 * n, y=150) for n in range(20)]
    kinds = [scene.show(picture, [face])[0] for picture in moving]
    assert set(kinds) == {"part", "near"}
    assert kinds.count("part") <= 1 + round(20 / FPS / BODIES_EVERY_S)


@pytest.mark.slow
def test_reach_grows_with_the_time_between_frames() -> None:
    scene = still_scene(full_every_s=60.0)
    scene.detector.faces = [FACE]
    for gap_s in (0.1, 0.2, 0.4, 5.0):
        scene.show(hall(), [FACE])
        scene.at_s += gap_s - 1.0 / FPS
    scene.show(hall(), [FACE])
    assert scene.detector.reaches == pytest.approx([0.4, 0.4, 0.5, 0.7, 0.8])


@pytest.mark.slow
def test_full_search_follows_the_end_of_a_track() -> None:
    """The track has ended, but the person may still be there, without moving."""
    scene = still_scene(full_every_s=3.0, rest_every_s=60.0)
    scene.show(hall(), [FACE], times=600)
    assert "full" in scene.show(hall(), times=31)


@pytest.mark.slow
def test_reset_searches_the_next_frame_in_full() -> None:
    scene = just_searched_scene()
    scene.search.reset()
    assert scene.show(hall(), times=2) == ["full", "none"]


@pytest.mark.slow
def test_changed_region_is_searched_once_more() -> None:
    scene = just_searched_scene()
    scene.detector.faces = []  # the detector misses the face in its first frame
    assert scene.show(with_person(hall(), 150)) == ["part"]
    scene.detector.faces = [(152.0, 61.0, 20.0, 20.0)]
    kinds = scene.show(with_person(hall(), 150), times=10)
    assert kinds.count("part") == 1
    assert "part" in kinds[: round(REPEAT_AFTER_S * FPS) + 1]


@pytest.mark.slow
def test_motion_nearly_everywhere_causes_a_full_search() -> None:
    scene = still_scene(rest_every_s=60.0)
    assert scene.show(hall(seed=1)) == ["full"]


def test_zero_full_every_s_searches_whole_frames() -> None:
    scene = Scene(full_every_s=0.0)
    assert scene.show(hall(), times=20) == ["full"] * 20


@pytest.mark.slow
def test_change_replaces_the_detector() -> None:
    scene = still_scene()
    other = KnownFaces()
    scene.search.change(FaceDetector.of(other), DetectorSettings(full_every_s=0.0))
    scene.show(hall())
    assert other.searches == ["full"]


def network_scene(follows: bool) -> Scene:
    """A still scene whose finder takes the same time for every search."""
    scene = still_scene(follows, regions=False, full_every_s=60.0, rest_every_s=60.0)
    scene.detector.searches.clear()
    return scene


@pytest.mark.slow
def test_finder_without_regions_searches_whole_frames() -> None:
    scene = network_scene(follows=True)
    assert scene.show(hall(), times=5) == ["none"] * 5
    assert scene.show(with_person(hall(), 150)) == ["full"]
    assert set(scene.detector.searches) == {"full"}


@pytest.mark.slow
def test_known_face_is_followed_without_the_finder() -> None:
    scene = network_scene(follows=True)
    scene.detector.faces = [FACE]
    assert scene.show(hall(), [FACE], times=5) == ["near"] * 5
    assert set(scene.detector.searches) == {"near"}


@pytest.mark.slow
def test_finder_looks_for_a_face_that_the_follower_lost() -> None:
    scene = network_scene(follows=True)
    away: Box = (60.0, 60.0, 40.0, 40.0)  # too far from the prediction for the follower
    scene.detector.faces = [away]
    kinds = scene.show(hall(), [FACE], times=10)
    assert kinds[0] == "full"
    assert [face.box_px for face in scene.found] in ([], [away])
    # While the face stays lost, the finder is asked at most at the pace of searches for motion.
    assert kinds.count("full") <= 1 + 10 / FPS / MOTION_EVERY_S


@pytest.mark.slow
def test_many_faces_are_found_by_one_search() -> None:
    scene = network_scene(follows=True)
    faces: list[Box] = [(20.0 + 60.0 * n, 60.0, 40.0, 40.0) for n in range(MAX_FOLLOWED + 1)]
    scene.detector.faces = faces
    assert scene.show(hall(), faces, times=5) == ["full"] * 5
    assert set(scene.detector.searches) == {"full"}


@pytest.mark.parametrize("regions", [False, True])
def test_settled_crowd_is_searched_in_every_second_frame(regions: bool) -> None:
    scene = still_scene(regions=regions)
    faces: list[Box] = [(20.0 + 60.0 * n, 60.0, 40.0, 40.0) for n in range(MAX_FOLLOWED + 1)]
    scene.detector.faces = faces
    scene.show(hall(), faces)
    kinds = scene.show(hall(), faces, times=6, settled=True)
    assert [kind == "none" for kind in kinds] == [True, False] * 3
    assert "none" not in scene.show(hall(), faces, times=4)
    assert "none" not in scene.show(hall(), faces[:MAX_FOLLOWED], times=4, settled=True)


@pytest.mark.slow
def test_without_follower_known_faces_need_whole_searches() -> None:
    scene = network_scene(follows=False)
    scene.detector.faces = [FACE]
    assert scene.show(hall(), [FACE], times=5) == ["full"] * 5
    assert scene.show(hall(), times=1) == ["none"]
