from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from edge.camera.source import Frame
from edge.common.arrays import Box, Pixels
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import Face, Luma
from edge.detection.face_search import (
    AGAIN_S,
    BESIDE_EVERY_S,
    BODIES_EVERY_S,
    SEARCH_EVERY_S,
    FaceSearch,
)
from edge.detection.thumbnail import make_thumbnail
from tests.edge.detection.test_motion_detector import hall, seen, with_somebody

FPS = 10.0


class Eyes:
    """A detector that knows where everybody is."""

    def __init__(self) -> None:
        self.faces: list[Box] = []
        self.asked: list[str] = []
        self.reaches: list[float] = []
        self.reduced = 0

    def to_luma(self, frame: Frame) -> Luma:
        self.reduced += 1
        return Luma(np.ascontiguousarray(frame.image_bgr[:, :, 0]), 1.0)

    def search(self, luma: Luma) -> list[Face]:
        self.asked.append("full")
        return [Face(box, 10) for box in self.faces]

    def search_region(self, luma: Luma, part: Box) -> list[Face]:
        self.asked.append("part")
        (height, width), (x, y, w, h) = luma.pixels.shape, part
        left, top, right, bottom = x * width, y * height, (x + w) * width, (y + h) * height
        return [
            Face(box, 10)
            for box in self.faces
            if left <= box[0] and top <= box[1]
            and box[0] + box[2] <= right and box[1] + box[3] <= bottom
        ]  # fmt: skip

    def search_near(self, luma: Luma, box_px: Box, reach: float) -> list[Face]:
        self.reaches.append(reach)
        self.asked.append("near" if reach < 1.0 else "far")
        return [Face(b, 10) for b in self.faces if abs(b[0] - box_px[0]) <= reach * box_px[2]]


class Scene:
    """Frames at ten a second, and the search that is shown them."""

    def __init__(self, **settings: float) -> None:
        self.eyes = Eyes()
        self.search = FaceSearch(self.eyes, DetectorSettings(**settings))
        self.at_s = 0.0
        self.found: list[Face] = []
        self._rng = np.random.default_rng(3)

    def show(self, picture: Pixels, known: Sequence[Box] = (), times: int = 1) -> list[str]:
        """How each frame was searched: full, part, near or none."""
        kinds = []
        for _ in range(times):
            before = dict(self.search.counts)
            noisy = seen(picture, self._rng)
            frame = Frame(np.repeat(noisy[:, :, None], 3, axis=2), self.at_s, 0)
            self.found = self.search.find(frame, make_thumbnail(frame), known)
            self.at_s += 1.0 / FPS
            (kind,) = [k for k, n in self.search.counts.items() if n > before[k]]
            kinds.append(kind)
        return kinds


def settled(**settings: float) -> Scene:
    scene = Scene(**settings)
    scene.show(hall(), times=400)
    return scene


FACE: Box = (140.0, 60.0, 40.0, 40.0)


def test_a_still_hall_is_searched_now_and_then() -> None:
    scene = settled(rest_every_s=3.0)
    kinds = scene.show(hall(), times=90)
    assert kinds.count("full") == 3
    assert kinds.count("none") == 87


def test_what_is_not_searched_is_not_even_made_smaller() -> None:
    scene = settled(rest_every_s=60.0)
    reduced = scene.eyes.reduced
    assert scene.show(hall(), times=10) == ["none"] * 10
    assert scene.eyes.reduced == reduced


def test_the_start_is_searched_soon_again_and_then_more_and_more_seldom() -> None:
    scene = Scene(rest_every_s=15.0)
    kinds = scene.show(hall(), times=600)
    searched = [at / FPS for at, kind in enumerate(kinds) if kind == "full"]
    assert searched[:2] == [0.0, pytest.approx(1.0, abs=0.11)]
    gaps = np.diff(searched)
    assert len(gaps) >= 5
    assert all(later >= gap - 0.11 for gap, later in pairwise(gaps))
    assert max(gaps) == pytest.approx(15.0, abs=0.11)
    assert set(kinds) == {"full", "none"}


def settled_lately() -> Scene:
    """Searched wholly a moment ago, and still."""
    scene = settled(full_every_s=60.0, rest_every_s=60.0)
    assert scene.show(hall(), times=5) == ["none"] * 5
    return scene


def test_who_comes_in_is_found_at_once_where_something_moves() -> None:
    scene = settled_lately()
    scene.eyes.faces = [(152.0, 61.0, 20.0, 20.0)]
    assert scene.show(with_somebody(hall(), 150)) == ["part"]
    assert [face.box_px for face in scene.found] == scene.eyes.faces


def test_what_moves_is_searched_again_and_again() -> None:
    scene = settled_lately()
    kinds = [scene.show(with_somebody(hall(), 100 + 6 * n))[0] for n in range(20)]
    gap = round(SEARCH_EVERY_S * FPS + 0.5)
    assert kinds[::gap] == ["part"] * len(kinds[::gap])
    assert "full" not in kinds


def test_where_nothing_changes_there_is_no_second_search_but_a_whole_one_in_time() -> None:
    """A chair that was put there; somebody who stands still and is missed."""
    scene = settled(full_every_s=3.0, rest_every_s=60.0)
    kinds = scene.show(with_somebody(hall(), 150), times=100)
    assert kinds[0] in ("part", "full")
    assert kinds.count("part") <= 2
    assert 3 <= kinds.count("full") <= 6


def test_near_the_known_and_wholly_at_the_set_cadence() -> None:
    scene = settled(full_every_s=0.5)
    scene.eyes.faces = [FACE]
    kinds = scene.show(hall(), [FACE], times=50)
    assert kinds.count("full") in (9, 10)
    assert kinds.count("full") + kinds.count("near") == 50


def test_a_known_face_that_is_missed_is_looked_for_farther_away() -> None:
    scene = settled(full_every_s=60.0)
    scene.eyes.faces = [FACE]
    scene.show(hall(), [FACE], times=20)
    moved: Box = (185.0, 60.0, 40.0, 40.0)
    scene.eyes.faces, scene.eyes.asked = [moved], []
    assert scene.show(hall(), [FACE]) == ["near"]
    assert scene.eyes.asked == ["near", "far"]
    assert [face.box_px for face in scene.found] == [moved]
    scene.eyes.faces, scene.eyes.asked = [], []
    scene.show(hall(), [FACE], times=9)
    assert 4 <= scene.eyes.asked.count("far") <= round(0.9 / SEARCH_EVERY_S)


def test_somebody_beside_the_known_is_found_there() -> None:
    face: Box = (20.0, 60.0, 30.0, 30.0)
    scene = settled(full_every_s=60.0)
    scene.eyes.faces = [face]
    scene.show(hall(), [face], times=10)
    scene.eyes.faces.append((202.0, 61.0, 20.0, 20.0))
    beside = [with_somebody(hall(), 200 + 3 * n) for n in range(10)]
    kinds = [scene.show(beside[0], [face])[0]]
    assert kinds == ["part"]
    assert [each.box_px for each in scene.found] == scene.eyes.faces
    kinds += [scene.show(picture, [face])[0] for picture in beside[1:]]
    assert 2 <= kinds.count("part") <= 1 + round(10 / FPS / BESIDE_EVERY_S)


def test_what_moves_before_a_known_body_is_searched_less_often() -> None:
    face: Box = (20.0, 60.0, 30.0, 30.0)
    scene = settled(full_every_s=60.0)
    scene.eyes.faces = [face]
    scene.show(hall(), [face], times=30)
    body = [with_somebody(hall(), 10 + 2 * n, y=150) for n in range(20)]
    kinds = [scene.show(picture, [face])[0] for picture in body]
    assert set(kinds) == {"part", "near"}
    assert kinds.count("part") <= 1 + round(20 / FPS / BODIES_EVERY_S)


def test_the_slower_the_frames_the_farther_a_face_may_have_come() -> None:
    scene = settled(full_every_s=60.0)
    scene.eyes.faces = [FACE]
    for gap_s in (0.1, 0.2, 0.4, 5.0):
        scene.show(hall(), [FACE])
        scene.at_s += gap_s - 1.0 / FPS
    scene.show(hall(), [FACE])
    assert scene.eyes.reaches == pytest.approx([0.4, 0.4, 0.5, 0.7, 0.8])


def test_who_was_known_until_now_is_searched_for_at_once_when_nothing_moves() -> None:
    """A track that ended though the person is still there."""
    scene = settled(full_every_s=3.0, rest_every_s=60.0)
    scene.show(hall(), [FACE], times=600)
    assert "full" in scene.show(hall(), times=31)


def test_after_a_cut_the_next_frame_is_searched_wholly() -> None:
    scene = settled_lately()
    scene.search.reset()
    assert scene.show(hall(), times=2) == ["full", "none"]


def test_what_was_new_is_searched_once_more_when_it_keeps_still() -> None:
    scene = settled_lately()
    scene.eyes.faces = []  # missed in its first picture
    assert scene.show(with_somebody(hall(), 150)) == ["part"]
    scene.eyes.faces = [(152.0, 61.0, 20.0, 20.0)]
    kinds = scene.show(with_somebody(hall(), 150), times=10)
    assert kinds.count("part") == 1
    assert "part" in kinds[: round(AGAIN_S * FPS) + 1]
    assert "part" in scene.eyes.asked


def test_when_nearly_everything_moves_the_picture_is_searched_wholly() -> None:
    scene = settled(rest_every_s=60.0)
    assert scene.show(hall(seed=1)) == ["full"]


def test_every_frame_if_that_is_what_is_wanted() -> None:
    scene = Scene(full_every_s=0.0)
    assert scene.show(hall(), times=20) == ["full"] * 20


def test_another_detector_takes_over() -> None:
    scene = settled()
    other = Eyes()
    scene.search.change(other, DetectorSettings(full_every_s=0.0))
    scene.show(hall())
    assert other.asked == ["full"]
