from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera import Frame
from edge.config import DetectorSettings
from edge.detector import Face, Luma
from edge.framing import Box, Pixels
from edge.search import BESIDE_EVERY_S, LINGER_S, SEARCH_EVERY_S, FaceSearch, bodies
from tests.edge.test_gate import hall, with_somebody

FPS = 10.0


class Eyes:
    """A detector that knows where everybody is."""

    def __init__(self) -> None:
        self.faces: list[Box] = []
        self.asked: list[str] = []

    def reduce(self, frame: Frame) -> Luma:
        return Luma(np.ascontiguousarray(frame.image_bgr[:, :, 0]), 1.0)

    def search(self, luma: Luma) -> list[Face]:
        self.asked.append("full")
        return [Face(box, 10) for box in self.faces]

    def search_near(self, luma: Luma, box_px: Box) -> list[Face]:
        self.asked.append("near")
        return [Face(b, 10) for b in self.faces if abs(b[0] - box_px[0]) < box_px[2] / 2]


class Scene:
    """Frames at ten a second, and the search that is shown them."""

    def __init__(self, **settings: float) -> None:
        self.eyes = Eyes()
        self.search = FaceSearch(self.eyes, DetectorSettings(**settings))
        self.at_s = 0.0

    def show(self, picture: Pixels, known: Sequence[Box] = (), times: int = 1) -> list[str]:
        """What was searched in each frame: full, near or none."""
        kinds = []
        for _ in range(times):
            before = dict(self.search.counts)
            frame = Frame(np.repeat(picture[:, :, None], 3, axis=2), self.at_s, 0)
            self.search.find(frame, known)
            self.at_s += 1.0 / FPS
            (kind,) = [k for k, n in self.search.counts.items() if n > before[k]]
            kinds.append(kind)
        return kinds


def settled(**settings: float) -> Scene:
    scene = Scene(**settings)
    scene.show(hall(), times=100)
    return scene


def test_a_still_hall_is_searched_now_and_then() -> None:
    scene = settled(rest_every_s=3.0)
    kinds = scene.show(hall(), times=90)
    assert kinds.count("full") == 3
    assert kinds.count("none") == 87


def test_who_comes_in_is_searched_for_at_once_and_for_a_while() -> None:
    scene = settled(rest_every_s=60.0)
    assert scene.show(hall(), times=5) == ["none"] * 5
    kinds = scene.show(with_somebody(hall(), 150))
    assert kinds == ["full"]
    scene.show(with_somebody(hall(), 154))
    kinds = scene.show(hall(), times=60)
    gap = round(SEARCH_EVERY_S * FPS + 0.5)
    busy = round(LINGER_S * FPS)
    assert kinds[: busy - 1].count("full") >= (busy - 1) // gap
    assert kinds[-20:] == ["none"] * 20


def test_near_the_known_and_wholly_at_the_set_cadence() -> None:
    face: Box = (140.0, 60.0, 40.0, 40.0)
    scene = settled(full_every_s=0.5)
    scene.eyes.faces = [face]
    kinds = scene.show(hall(), [face], times=50)
    assert kinds.count("full") in (9, 10)
    assert kinds.count("full") + kinds.count("near") == 50


def test_a_known_face_that_is_missed_brings_a_whole_search() -> None:
    face: Box = (140.0, 60.0, 40.0, 40.0)
    scene = settled(full_every_s=60.0)
    scene.eyes.faces = [face]
    scene.show(hall(), [face], times=20)
    scene.eyes.faces = []
    kinds = scene.show(hall(), [face], times=9)
    assert kinds[0] == "near"
    assert kinds[1] == "full"
    assert kinds.count("full") >= 4


def test_somebody_beside_the_known_brings_a_whole_search() -> None:
    face: Box = (20.0, 60.0, 30.0, 30.0)
    scene = settled(full_every_s=60.0)
    scene.eyes.faces = [face]
    beside = [with_somebody(hall(), 200 + 3 * n) for n in range(10)]
    scene.show(hall(), [face], times=10)
    kinds = [scene.show(picture, [face])[0] for picture in beside]
    assert kinds[0] == "full"
    assert 2 <= kinds.count("full") <= 1 + round(10 / FPS / BESIDE_EVERY_S)
    # What moves below a known face is its body.
    body = [with_somebody(hall(), 10 + 2 * n, y=150) for n in range(10)]
    scene.show(hall(), [face], times=30)
    assert {scene.show(picture, [face])[0] for picture in body} == {"near"}


def test_every_frame_if_that_is_what_is_wanted() -> None:
    scene = Scene(full_every_s=0.0)
    assert scene.show(hall(), times=20) == ["full"] * 20


def test_another_detector_takes_over() -> None:
    scene = settled()
    other = Eyes()
    scene.search.change(other, DetectorSettings(full_every_s=0.0))
    scene.show(hall())
    assert other.asked == ["full"]


@given(
    st.tuples(st.floats(-50, 400), st.floats(-50, 300), st.floats(1, 200), st.floats(1, 200)),
)
def test_a_body_holds_its_face_down_to_the_floor(face: Box) -> None:
    ((x, y, w, h),) = bodies([face], (240, 320))
    assert x < face[0] / 320
    assert x + w > (face[0] + face[2]) / 320
    assert y < face[1] / 240
    assert y + h == pytest.approx(1.0)
