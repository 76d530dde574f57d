from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.classification.face_crop import crop_face
from edge.common.arrays import Box, Pixels
from edge.common.errors import UserError
from tests.support import datasets
from training.augmentation.augment import augment
from training.data.crops import Face, decode_samples, evaluation_crop, training_face
from training.data.datasets import LABELS, DataSet, Sample, read_dataset
from training.data.detector_simulation import (
    MARGIN,
    box_of_annotation,
    box_of_framed_picture,
    intersection_over_union,
)
from training.data.duplicates import fingerprint, has_near_duplicate, near_duplicate_pairs
from training.data.face_boxes import find_empty_boxes
from training.data.splits import Split

SIZE = (96, 96)
boxes = st.tuples(st.floats(-50, 150), st.floats(-50, 150), st.floats(5, 120), st.floats(5, 120))


def smooth(size_px: int, seed: int = 0) -> Pixels:
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    enlarged = cv2.resize(small, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.uint8)


def test_the_detectors_box_of_an_annotated_face() -> None:
    # s = sqrt(40 * 90) = 60; side 69; centre (100 - 0.6, 145 - 3)
    x, y, w, h = box_of_annotation((80.0, 100.0, 40.0, 90.0))
    assert (w, h) == pytest.approx((69.0, 69.0))
    assert (x + w / 2, y + h / 2) == pytest.approx((99.4, 142.0))


def test_the_detectors_box_of_a_picture_that_is_a_crop() -> None:
    assert box_of_framed_picture(100, 200) == pytest.approx((2.75, 5.5, 94.5, 189.0))


@given(boxes, boxes)
def test_overlap_is_a_share_and_symmetric(a: Box, b: Box) -> None:
    assert 0 <= intersection_over_union(a, b) <= 1 + 1e-9
    assert intersection_over_union(a, b) == pytest.approx(intersection_over_union(b, a))
    assert intersection_over_union(a, a) == pytest.approx(1)


def test_an_evaluated_face_is_cut_as_the_pi_cuts_it() -> None:
    image = smooth(300)
    sample = Sample(Path("a.png"), "mask", Split.TEST, (120.0, 90.0, 50.0, 62.0))
    crop = evaluation_crop(sample, image)
    assert crop is not None
    box = box_of_annotation((120.0, 90.0, 50.0, 62.0))
    np.testing.assert_array_equal(crop, crop_face(image, box, MARGIN, SIZE))


def test_faces_too_narrow_to_judge_are_left_out() -> None:
    sample = Sample(Path("a.png"), "mask", Split.TEST, (120.0, 90.0, 27.9, 40.0))
    assert evaluation_crop(sample, smooth(300)) is None


@pytest.mark.parametrize("box", [(120.0, 90.0, 50.0, 62.0), (2.0, 1.0, 150.0, 180.0)])
def test_what_is_kept_for_training_shows_the_same_face(box: Box) -> None:
    image = smooth(400)
    data = DataSet("d", Path(), "voc", (), framed=False)
    sample = Sample(Path("a.png"), "mask", Split.TRAIN, box)
    face = training_face(data, sample, image)
    expected = evaluation_crop(sample, image)
    assert face is not None
    assert expected is not None
    assert max(face.image.shape) <= 250
    shown = crop_face(face.image, face.box_px, MARGIN, SIZE)
    assert np.abs(shown.astype(int) - expected).mean() < 3


def corrupt(tmp_path: Path, pictures: int, broken: int) -> DataSet:
    root = datasets.classes(tmp_path, {"mask": "mask", "no_mask": "no_mask"}, pictures)
    for index in range(broken):
        (root / "mask" / f"mask{index}.jpg").write_bytes(b"\xff\xd8 not a picture")
    return read_dataset(root, LABELS[2])


def test_a_few_corrupt_pictures_are_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = corrupt(tmp_path, 60, 1)
    assert len(list(decode_samples(data, data.samples, list))) == 119
    assert "mask0.jpg" in caplog.text


def test_many_corrupt_pictures_are_a_broken_download(tmp_path: Path) -> None:
    data = corrupt(tmp_path, 60, 2)
    with pytest.raises(UserError, match=r"2 of 120 .*mask0\.jpg"):
        list(decode_samples(data, data.samples, list))


def test_a_look_is_decided_by_its_random_numbers() -> None:
    face = Face(smooth(200), (50.0, 50.0, 100.0, 100.0), "mask", annotated=True)
    looks = [augment(face, np.random.default_rng(seed)) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(looks[0], looks[1])
    assert (looks[0] != looks[2]).any()


@settings(max_examples=60, deadline=None)
@given(boxes, st.integers(0, 2**32), st.booleans())
def test_every_look_is_a_crop_of_the_models_size(box: Box, seed: int, annotated: bool) -> None:
    face = Face(smooth(100), box, "mask", annotated)
    look = augment(face, np.random.default_rng(seed))
    assert (look.shape, look.dtype) == ((96, 96, 3), np.uint8)


def test_looks_are_centred_on_the_detectors_box() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    cv2.circle(image, (90, 120), 12, (255, 255, 255), -1)
    face = Face(image, (60.0, 90.0, 60.0, 60.0), "mask", annotated=True)
    rng = np.random.default_rng(3)
    total = np.mean([augment(face, rng).mean(axis=2) for _ in range(300)], axis=0)
    light = total - np.median(total)
    light[light < light.max() / 4] = 0
    middle = [np.average(np.arange(96), weights=light.sum(axis=axis)) for axis in (0, 1)]
    assert middle == pytest.approx([47.5, 47.5], abs=1.5)


def test_empty_boxes_keep_off_the_faces() -> None:
    faces = [(40.0, 40.0, 120.0, 120.0)]
    rng = np.random.default_rng(0)
    found = find_empty_boxes(smooth(400), faces, rng, at_most=8)
    assert 0 < len(found) <= 8
    assert all(intersection_over_union(box, faces[0]) < 0.1 for box in found)


def test_a_recompressed_copy_is_recognised_and_another_face_is_not() -> None:
    original, other = smooth(120), smooth(120, seed=1)
    _, code = cv2.imencode(".jpg", original, [cv2.IMWRITE_JPEG_QUALITY, 60])
    again = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    smaller = np.asarray(cv2.resize(again, (90, 90), interpolation=cv2.INTER_AREA), np.uint8)
    found = has_near_duplicate([fingerprint(smaller), fingerprint(other)], [fingerprint(original)])
    assert found.tolist() == [True, False]


def test_a_copy_cut_a_little_differently_is_recognised_by_its_tones() -> None:
    original, other = smooth(200), smooth(200, seed=1)
    rng = np.random.default_rng(3)
    shaken = np.clip(original[4:, 3:] + rng.normal(0, 20, (196, 197, 3)), 0, 255).astype(np.uint8)
    flat = np.full((50, 50, 3), 90, np.uint8)
    of = [fingerprint(picture) for picture in (other, shaken, flat)]
    assert near_duplicate_pairs(of, [fingerprint(flat), fingerprint(original)]) == [(1, 1), (2, 0)]
    assert has_near_duplicate(of, []).tolist() == [False, False, False]
