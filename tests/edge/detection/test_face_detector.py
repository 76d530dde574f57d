"""The parts of a face detector, and boxes of which only one may remain."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.config.settings import DetectorSettings
from edge.detection.face_detector import Face, FaceDetector, without_overlaps
from edge.detection.haar_detector import DEFAULT_CASCADE, HaarDetector

boxes = st.tuples(st.floats(0, 500), st.floats(0, 500), st.floats(10, 200)).map(
    lambda b: (b[0], b[1], b[2], b[2])
)


@given(st.lists(st.builds(Face, boxes, st.integers(1, 50)), max_size=12))
def test_remaining_faces_do_not_overlap(faces: list[Face]) -> None:
    kept = without_overlaps(faces)
    assert set(kept) <= set(faces)
    assert bool(kept) == bool(faces)
    for i, a in enumerate(kept):
        for b in kept[i + 1 :]:
            assert a.support >= b.support
            dx = abs(a.box_px[0] + a.box_px[2] / 2 - b.box_px[0] - b.box_px[2] / 2)
            dy = abs(a.box_px[1] + a.box_px[3] / 2 - b.box_px[1] - b.box_px[3] / 2)
            assert max(dx, dy) > min(a.box_px[2], b.box_px[2]) / 2


def test_face_with_higher_support_is_kept() -> None:
    small, large = Face((10, 10, 50, 50), 30), Face((5, 5, 90, 90), 3)
    assert without_overlaps([large, small]) == [small]


def test_name_tells_finder_and_follower_apart() -> None:
    cascade = HaarDetector(DetectorSettings())
    other = HaarDetector(DetectorSettings())
    other.name = "another"
    assert FaceDetector.of(cascade).name == DEFAULT_CASCADE
    both = FaceDetector(finder=other, follower=cascade)
    assert both.name == f"another, followed by {DEFAULT_CASCADE}"
    assert FaceDetector(finder=other).name == "another"
